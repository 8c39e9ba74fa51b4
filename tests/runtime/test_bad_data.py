"""Bad data: `tests/golden/bad_data/*.py` hold a program and data, the `.txt` beside each the whole message.

``pytest tests/runtime/test_bad_data.py --update-golden`` writes the messages anew, to be read and committed.
"""

import runpy
from pathlib import Path

import pytest

from emfppl.compiler.pipeline import compile_text
from emfppl.grammar.codes import CODES
from emfppl.grammar.diagnostics import EmfError
from emfppl.grammar.source import SourceText
from emfppl.runtime.bind import bind

FOLDER = Path(__file__).parents[1] / "golden" / "bad_data"
CASES = sorted(FOLDER.glob("*.py"))


def told(case: Path) -> EmfError:
    """What is said about a case."""
    it = runpy.run_path(str(case))
    graph = compile_text(SourceText(it["program"].lstrip("\n"), f"{case.stem}.emf"))
    with pytest.raises(EmfError) as caught:
        bind(graph, it["data"], it.get("sizes"), it.get("observed", "optional"))
    return caught.value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_the_message(case, request):
    found = told(case)
    golden = case.with_suffix(".txt")
    if request.config.getoption("--update-golden"):
        golden.write_text(f"{found}\n", encoding="utf-8")
    assert f"{found}\n" == golden.read_text(encoding="utf-8")


def test_every_kind_of_fault_is_among_them():
    expected = {c.id for c in CODES if c.id.startswith("E10")}
    assert {d.code for case in CASES for d in told(case).diagnostics} >= expected


def test_no_message_without_a_case():
    assert {t.stem for t in FOLDER.glob("*.txt")} == {c.stem for c in CASES}
