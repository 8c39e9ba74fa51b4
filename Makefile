# Everything that is run by hand or by CI. Needs Python 3.11 or later with pip; the first target run sets up .venv.

PYTHON ?= $(firstword $(foreach p,python3 python3.11 python3.12 python3.13 python3.14,$(if $(shell $(p) -c 'import sys; print(sys.version_info >= (3, 11) or "")' 2>/dev/null),$(p))))
BIN := .venv/bin
LINKS := emfppl/grammar emfppl/compiler emfppl/runtime
STAMP := .venv/.ready

.PHONY: setup demo test golden lint types bench wheel tables docs clean

setup: $(STAMP)

$(STAMP): pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed; say which: make PYTHON=/path/to/python3" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	for name in grammar compiler runtime; do ln -sfn ../$$name emfppl/$$name; done
	touch $@

demo: $(STAMP)
	$(BIN)/emf fit examples/eight_schools.emf --data examples/eight_schools.json

test: $(STAMP)
	$(BIN)/python -m pytest -n 2

# write the files of tests/golden anew; read them before committing
golden: $(STAMP)
	$(BIN)/python -m pytest tests/compiler/test_drawings.py tests/compiler/test_from_stan.py tests/compiler/test_stage_texts.py tests/runtime/test_bad_data.py tests/test_golden.py --update-golden

lint: $(STAMP)
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

# make bench ONLY=regressions; without ONLY it lists what there is. MODELS=arK,garch selects rows of the long ones
bench: $(STAMP)
	$(BIN)/python -m benchmarks $(ONLY) $(if $(MODELS),--models=$(MODELS)) $(OPTIONS)

wheel: $(STAMP)
	rm -rf dist build
	$(BIN)/python -m build --outdir dist
	$(BIN)/python .ci/check_wheel.py

# the tables of the parser, made from grammar/emf.lark
tables: $(STAMP)
	$(BIN)/python -m emfppl.grammar.parser

# the pages that are made from tables
docs: $(STAMP)
	$(BIN)/python docs/make_tables.py

clean:
	rm -rf .venv build dist .jax_cache .pytest_cache .mypy_cache .ruff_cache .hypothesis emfppl.egg-info
	rm -f $(LINKS)
