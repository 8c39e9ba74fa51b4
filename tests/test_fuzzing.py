"""20,000 programs, most of them wrong, through the whole compiler: only `EmfError` comes out, and the formatter is faithful."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from fuzzing import mutated
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.lark import from_lark
from lark import Lark

from emfppl.compiler.imported_files import parsed
from emfppl.compiler.pipeline import check_text, compile_text
from emfppl.grammar.ast_to_text import format_program
from emfppl.grammar.diagnostics import EmfError
from emfppl.grammar.source import SourceText
from emfppl.grammar.text_to_ast import parse

ROOT = Path(__file__).parents[1]
GOOD = [p.read_bytes().decode() for p in sorted((ROOT / "tests/golden/good").glob("*.emf"))]
PARTS, EACH, DERIVED = 16, 1_240, 50
QUICK = settings(max_examples=DERIVED, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def survives(text: str) -> bool:
    """Whether a text compiles; anything but a program or an `EmfError` fails the test."""
    source = SourceText(text)
    program, problems = parsed(source)  # kept for the compiler, which reads the same text
    if not problems:
        assert parse(SourceText(format_program(program)))[0] == program
    try:
        compile_text(source)
    except EmfError as told:
        assert all(str(d) for d in told.diagnostics)
        return False
    assert not any(d.is_error for d in check_text(source))
    return True


@pytest.mark.parametrize("part", range(PARTS))
def test_mutations_of_good_programs(part):
    rng = random.Random(part)
    compiled = 0
    for _ in range(EACH):
        text = mutated(rng, GOOD)
        try:
            compiled += survives(text)
        except Exception as error:
            error.add_note(text)
            raise
    assert EACH / 20 < compiled < EACH  # neither all of them nonsense nor all of them untouched


def test_there_are_twenty_thousand():
    assert PARTS * EACH + len(STARTS) * DERIVED >= 20_000


# ---------------------------------------------------------------- from the grammar

STARTS = ("random", "assign", "data", "factor")
PRELUDE = "dim x\ndim k = 2\ndata y[x]: real\ndata n[x]: count\ntheta ~ Normal(0, 1)\nb[k] ~ Normal(0, 1)\n"
NAMES = st.sampled_from(["x ", "k ", "k' ", "y ", "n ", "b ", "theta ", "z ", "Normal ", "sum ", "exp ", "real ", "index "])


LAYERS = st.sampled_from(["maf ", "structured ", "reverse ", "dequantize ", "m ", "hidden ", "gated ", "x ", "c ", "y "])
MODEL = "data c: real\nmodel m { x[k] ~ Normal(c, 1) }\n"


def derived(start: str, names: st.SearchStrategy[str] = NAMES) -> st.SearchStrategy[str]:
    """Statements of one kind that the grammar derives."""
    grammar = Lark((ROOT / "grammar/emf.lark").read_text(), parser="lalr", lexer="basic", start=start)
    used = {t.name: t.pattern.value for t in grammar.terminals}
    words = {name: st.just(f"{word} ") for name, word in used.items() if word.isalpha()}
    own = {"NAME": names, "NUMBER": st.sampled_from(["0 ", "2.5 ", "1 "]), "SPACE": st.just(" "), "STRING": st.just('"a" ')}
    return from_lark(grammar, start=start, explicit={k: v for k, v in {**own, **words}.items() if k in used})


def test_densities_of_the_grammar():
    lines = st.lists(derived("data", LAYERS), max_size=1), st.lists(derived("layer", LAYERS), min_size=1, max_size=3)

    @QUICK
    @given(*lines, st.sampled_from(["", "conditioned_on c\n", "conditioned_on y, c\n"]))
    def run(event, layers, given_line):
        survives(PRELUDE + MODEL + "density d {\n" + "\n".join([*event, given_line, *layers]) + "\n}\n")

    run()


@pytest.mark.parametrize("start", STARTS)
def test_statements_of_the_grammar(start):
    @QUICK
    @given(st.lists(derived(start), min_size=1, max_size=3))
    def run(lines):
        survives(PRELUDE + "\n".join(lines) + "\n")

    run()
