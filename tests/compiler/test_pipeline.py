"""What the pipeline tells: problems of reading and of meaning together, warnings silenced by line, one compilation a text."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emfppl.compiler.distributions import STANDARD, Distribution
from emfppl.compiler.graph_to_dot import to_dot
from emfppl.compiler.pipeline import check_text, checked_program, compile_text, stage_text
from emfppl.compiler.recovery import lost_words
from emfppl.grammar.diagnostics import EmfError
from emfppl.grammar.source import SourceText
from emfppl.grammar.text_to_ast import parse


def codes(text: str) -> list[str]:
    return [d.code for d in check_text(SourceText(text))]


WARNS = "m ~ Normal(0, 1)\ndata y: real\ny ~ Normal(0, m)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (WARNS, ["W0105"]),
        (WARNS + "   # emf: ok W0105", []),
        (WARNS + "   # emf: ok W0101, W0105 since m is large", []),
        (WARNS + "   #emf:ok W0105", []),
        (WARNS + "   # emf: ok W0104", ["W0105"]),
        (WARNS + "   # W0105", ["W0105"]),
        ("# emf: ok W0105\n" + WARNS, ["W0105"]),
        ("x ~ Normal(0, -1)  # emf: ok E0505", ["E0505"]),
        ("m ~ Normal(0, 1)\ndata y: real\ny ~ Normal(\n  0,\n  m)  # emf: ok W0105", []),
        ("dim spare  # emf: ok W0101\ndim other", ["W0101"]),
    ],
)
def test_a_line_silences_its_warnings(text, expected):
    assert codes(text + "\n") == expected


@pytest.mark.parametrize(
    ("text", "reading", "meaning"),
    [
        # what stands in a line that can't be read is not missing
        ("mu ~ Normal(0 1)\nx ~ Normal(mu, 1)\nz ~ Normal(nu, 1)\n", 1, ["E0201"]),
        ("dim school school\ndata y[school]: real\ny[school] ~ Normal(0, 1)\n", 1, []),
        ("tau ~ HalfNormal(1\nx ~ Normal(0, tau)\n", 1, []),
        ("x ~ Normal(0 0, 1)\ny ~ Nrmal(0, 1)\n", 1, ["E0207"]),
        # warnings wait until all can be read
        ("dim spare\nx ~ Normal(0 0, 1)\n", 1, []),
        ("dim d\nx[0] ~ Normal(0, 1)\nfor t in d[1:] {\n  s = = 2\n  x[t] ~ Normal(x[t-1], s)\n  q[t] ~ Norml(0, 1)\n}\n",
         1, ["E0207"]),
    ],
)  # fmt: skip
def test_problems_of_reading_do_not_make_others(text, reading, meaning):
    found = codes(text)
    assert len([c for c in found if c.startswith("E01")]) == reading
    assert [c for c in found if not c.startswith("E01")] == meaning


def test_diagnostics_come_in_source_order():
    found = check_text(SourceText("a ~ Nrmal(0, 1)\nb ~ Normal(0 0, 1)\nc ~ Nrmal(0, 1)\n"))
    assert [d.span.start for d in found] == sorted(d.span.start for d in found)
    assert len(found) == 3


def test_lost_words():
    source = SourceText("a = 1\nb = = c  # comment of d\nfor t in time {\n  x[t] = 2\n  y y = 3\n}\n")
    assert lost_words(parse(source)[0], source) & {"a", "b", "c", "d", "t", "x", "y", "time", "comment"} == {"b", "c", "y"}


def test_errors_are_raised_all_at_once_and_without_warnings():
    source = SourceText("dim spare\nx ~ Normal(0, -1)\ny ~ Nrmal(0, 1)\n")
    for stage in (compile_text, checked_program):
        with pytest.raises(EmfError) as caught:
            stage(source)
        assert [d.code for d in caught.value.diagnostics] == ["E0505", "E0207"]


def test_a_text_is_compiled_once_for_each_table():
    text = "x ~ Normal(0, 1)\n"
    first = compile_text(SourceText(text, "a.emf"))
    assert compile_text(SourceText(text, "a.emf")) is first
    more = STANDARD.extended(Distribution("Own", ((),), "real"))
    assert compile_text(SourceText("x ~ Own()\n"), more).nodes[0].dist.name == "Own"
    with pytest.raises(EmfError):
        compile_text(SourceText("x ~ Own()\n"))


TOKENS = re.compile(r"(\w+'*|[^\w\s])")
TEXTS = [p.read_text() for p in sorted((Path(__file__).parents[1] / "golden").glob("*/*.emf"))]


def changed(text: str, rng: random.Random) -> str:
    """A program with a few words replaced by others of its own, or two lines swapped."""
    lines = text.split("\n")
    if rng.random() < 0.3:
        one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
        lines[one], lines[other] = lines[other], lines[one]
    parts = TOKENS.split("\n".join(lines))
    for _ in range(rng.randint(1, 3)):
        parts[rng.randrange(len(parts))] = rng.choice(parts)
    return "".join(parts)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(TEXTS), st.integers(0, 2**32))
def test_any_text_gives_a_whole_graph_or_diagnostics(text, seed):
    source = SourceText(changed(text, random.Random(seed)))
    try:
        graph = compile_text(source)
    except EmfError as caught:
        assert all(d.is_error and str(d) for d in caught.diagnostics)
        assert any(d.is_error for d in check_text(source))
    else:
        assert to_dot(graph) and stage_text(source, "checked")
        assert not any(d.is_error for d in check_text(source))
