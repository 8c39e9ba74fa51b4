"""Wrong programs: which code, how many, and that nothing but diagnostics ever comes out."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from checking import codes, diagnose
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import programs

from emfppl.compiler import ast_to_checked
from emfppl.compiler.ast_to_checked import check
from emfppl.compiler.distributions import STANDARD, Distribution, Parameter
from emfppl.compiler.pipeline import check_text
from emfppl.grammar.codes import CODES
from emfppl.grammar.source import SourceText
from emfppl.grammar.text_to_ast import parse

ROOT = Path(__file__).parents[2]
BAD = sorted((ROOT / "tests/golden/bad").glob("*.emf"))
KINDS = ("name", "dim", "type", "dist", "loop", "func", "guide", "limit", "lint", "several")
SEMANTIC = [p for p in BAD if p.stem.split("_")[0] in KINDS]


@pytest.mark.parametrize("path", SEMANTIC, ids=[p.stem for p in SEMANTIC])
def test_every_bad_program_is_found_out(path):
    found = diagnose(path.read_text())[1]
    assert found
    assert all(d.code.startswith("W") for d in found) == path.stem.startswith("lint")
    for one in found:
        assert one.span is not None
        assert one.span.start < one.span.end <= len(path.read_text())
        assert one.message.endswith((".", "?"))


def test_there_are_many():
    assert len(SEMANTIC) >= 90


def test_every_code_that_the_checker_uses_is_in_the_table():
    folder = Path(ast_to_checked.__file__).parent
    used = {c for p in folder.glob("*.py") for c in re.findall(r'"([EW]\d{4})"', p.read_text())}
    assert used <= {c.id for c in CODES}
    shown = {d.code for p in BAD for d in check_text(SourceText(p.read_text()))}
    assert used - shown <= {"E0703"}, "codes without an example"


POISON = [
    # one fault, used further on many times: one message
    ("mu ~ Normal(m0, 1)\nnu ~ Normal(mu, 1)\nxi ~ Normal(nu + mu, exp(nu))\n", ["E0201"]),
    ("a = b0 + 1\nc = a * 2\nd = sum(c)\n", ["E0201"]),
    ("data y[oops]: real\nm ~ Normal(0, 1)\ny[oops] ~ Normal(m, 1)\nz = sum(y)\n", ["E0205"]),
    ("for t in tmie {\n  x[t] ~ Normal(t, 1)\n}\ny = x[0] + 1\n", ["E0205"]),
    ("dim a\nx[a] ~ Normall(0, 1)\ny = sum(x)\nz = x[1:] + x\n", ["E0207"]),
    ("dim a\ndata k: foo\nx = k + 1\ny[a] = x\n", ["E0403"]),
    ("def f(x: rael): real { return x }\ny = f(1)\nz = f(2) + y\n", ["E0403"]),
]


@pytest.mark.parametrize(("text", "expected"), POISON)
def test_one_fault_is_one_message(text, expected):
    assert codes(text) == expected


def test_faults_come_in_source_order_and_all_at_once():
    found = diagnose("a = b1\nc ~ Normal(0, -1)\nd ~ Nrmal(0, 1)\ne2 = sum(1)\n")[1]
    assert [d.code for d in found] == ["E0201", "E0505", "E0207", "E0308"]
    assert [d.span.start for d in found] == sorted(d.span.start for d in found)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("sigma ~ HalfNormal(1)\nx ~ Normal(0, sgima)\n", "`sigma`"),
        ("x ~ Normal(mean = 0)\n", "loc"),
        ("x ~ normal(0, 1)\n", "Normal"),
        ("x ~ InvGamma(1, 1)\n", "InverseGamma"),
        ("x = fmax(1, 2)\n", "maximum"),
        ("x = sun(1)\n", "`sum`"),
        ("dim school\ndata y[schol]: real\n", "`school`"),
        ("data x: integer\n", "int"),
        ("x ~ Normal(0, 1)\nguide {\n  gate x: per_elemnt\n}\n", "`per_element`"),
    ],
)
def test_hints_name_what_was_meant(text, hint):
    assert any(hint in d.hint for d in diagnose(text)[1])


def test_a_registered_distribution_is_checked_like_any_other():
    row = Distribution("Shifted", ((Parameter("shift"), Parameter("scale", "positive")),), "above(shift)")
    table = STANDARD.extended(row)
    for text, expected in (
        ("x ~ Shifted(2, 1)\n", []),
        ("x ~ Shifted(2, -1)\n", ["E0505"]),
        ("x ~ Shifted(2)\n", ["E0502"]),
    ):
        source = SourceText(text)
        assert [d.code for d in check(parse(source)[0], source, table)[1]] == expected


TOKENS = re.compile(r"(\w+'*|[^\w\s])")
TEXTS = [p.read_text() for p in SEMANTIC]
WORDS = sorted({t for text in TEXTS for t in TOKENS.findall(text)})


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(TEXTS or [""]), st.integers(0, 2**32))
def test_only_diagnostics_escape(text, seed):
    rng = random.Random(seed)
    parts = TOKENS.split(text)
    for _ in range(rng.randint(1, 4)):
        parts[rng.randrange(len(parts))] = rng.choice([*WORDS, *parts])
    source = SourceText("".join(parts))
    program, problems = parse(source)
    checked, found = check(program, source)
    assert (checked is None) == any(d.is_error for d in found)
    assert problems is not None


@settings(max_examples=60, deadline=None)
@given(programs())
def test_generated_programs_are_accepted(generated):
    found = diagnose(generated.text)[1]
    assert [d for d in found if d.is_error] == []


def test_nothing_nests_too_deeply_to_be_told():
    """Expressions at the limits of the parser, and functions that write them out in one another."""
    long = " + ".join(["1"] * 90)
    chain = "".join(f"def f{i + 1}(x: real): real {{ return f{i}(x) + {long} }}\n" for i in range(40))
    first = "def f0(x: real): real { return x }\n"
    assert codes(f"x = {long}\ny = {'exp(' * 45}x{')' * 45}\n") == []
    assert {d.code for d in check_text(SourceText(f"{first}{chain}y = f3(1)\n"))} == {"E0110"}
    assert [d.code for d in check_text(SourceText(f"{first}{chain[: chain.index('def f19(')]}y = f18(1)\n"))] == ["E0110"]
