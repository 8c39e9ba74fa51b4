"""The text forms of the stages: files of them, and that expressions are read back as what they were."""

from __future__ import annotations

from pathlib import Path

import pytest
from checking import value_of
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import real_expr

from emfppl.compiler.expression_text import text
from emfppl.compiler.pipeline import STAGES, stage_text
from emfppl.grammar.diagnostics import EmfError
from emfppl.grammar.source import SourceText

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests/golden/stages"
PROGRAMS = {
    p.stem: p
    for pattern in ("examples/*.emf", "tests/golden/good/chain_*.emf", "tests/golden/good/loop_*.emf", "tests/golden/stages/*.emf")
    for p in sorted(ROOT.glob(pattern))
}
WHOLE = ("eight_schools", "all_that_there_is", "density_estimators")  # of which every stage is on file
CASES = [(name, stage) for name in PROGRAMS for stage in STAGES if stage == "passes" or name in WHOLE]


@pytest.mark.parametrize(("name", "stage"), CASES, ids=[f"{n}-{s}" for n, s in CASES])
def test_texts_of_stages(name, stage, request):
    found = stage_text(SourceText(PROGRAMS[name].read_text(), f"{name}.emf"), stage)
    expected = FOLDER / f"{name}.{stage}.txt"
    if request.config.getoption("--update-golden"):
        expected.write_text(found)
    assert found == expected.read_text()


def test_every_file_belongs_to_a_case():
    assert {p.name for p in FOLDER.glob("*.txt")} == {f"{n}.{s}.txt" for n, s in CASES}


@pytest.mark.parametrize("stage", STAGES)
def test_a_wrong_program_has_no_stages(stage):
    with pytest.raises(EmfError) as caught:
        stage_text(SourceText("x ~ Normal(0, 1\n"), stage)
    assert all(d.code.startswith("E01") for d in caught.value.diagnostics)


class Names:
    """What the expressions of `strategies` may refer to."""

    real = {"u": ("a",), "w": ("time",), "v": ("b",), "m": ("a", "b"), "c": ()}
    positive = {"p": (), "q": ("b",)}


HEAD = """\
dim a
dim b
dim time
data u[a]: real
data w[time]: real
data v[b]: real
data m[a, b]: real
data c: real
data p: positive
data q[b]: positive
data idx[b]: index(a)
"""


@settings(max_examples=150, deadline=None)
@given(real_expr(Names(), ("a", "b"), 3))
def test_expressions_are_read_back(written):
    value = value_of(HEAD + f"x[a, b] = {written}\n", "x")
    assert value_of(HEAD + f"x[a, b] = {text(value)}\n", "x") == value


operators = st.sampled_from(["+", "-", "*", "/", "**", "%", "//"])
leaves = st.sampled_from(["c", "p", "2", "0.5", "-c", "-2"])
trees = st.recursive(
    leaves, lambda t: st.builds("({} {} {})".format, t, operators, t) | st.builds("-({})".format, t), max_leaves=6
)


@settings(max_examples=200, deadline=None)
@given(trees)
def test_parentheses_stand_where_they_are_needed(written):
    value = value_of(HEAD + f"x = {written}\n", "x")
    assert value_of(HEAD + f"x = {text(value)}\n", "x") == value
