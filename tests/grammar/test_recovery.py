"""Wrong text: what is said, how often, and what is read in spite of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from emfppl import grammar
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.codes import CODES
from emfppl.grammar.habit_lines import LINES
from emfppl.grammar.habits import hint_for_function, hint_for_name
from emfppl.grammar.source import SourceText
from emfppl.grammar.text_to_ast import parse

ROOT = Path(__file__).parents[2]


def diagnose(text: str) -> tuple[list[str], list[str]]:
    """The codes found, and the names that are defined by what could be read."""
    program, found = parse(SourceText(text))
    return [d.code for d in found], [_name(s) for s in program.statements]


def _name(statement: ast.Statement) -> str:
    target = getattr(statement, "target", None)
    return target.name if target else getattr(statement, "name", type(statement).__name__)


RECOVERY = {
    "one bad line": ("x = 1\ny = = 2\nz = 3\n", ["E0105"], ["x", "z"]),
    "two bad lines": ("x = \ny = 1\nz ~ \n", ["E0102", "E0102"], ["y"]),
    "an open parenthesis": ("x = f(1\ny = 2\n", ["E0103"], ["x", "y"]),
    "an open parenthesis before a draw": ("x ~ Normal(0,\ny ~ Normal(0, 1)\n", ["E0103"], ["x", "y"]),
    "an open parenthesis before a keyword": ("x = f(a,\ndim d\ny = 2\n", ["E0103"], ["x", "d", "y"]),
    "an open bracket before a brace": ("for t in d {\n  x[t = 1\n}\ny = 2\n", ["E0103"], ["For", "y"]),
    "named arguments over several lines": ("x = f(\n  a = 1,\n  b = 2\n)\ny = 2\n", [], ["x", "y"]),
    "an open parenthesis at the end": ("y = 1\nx = f((1)", ["E0103"], ["y", "x"]),
    "brackets that cross": ("x = f([1)\ny = 2\n", ["E0103"], ["x", "y"]),
    "a stray parenthesis": ("x = 1)\ny = 2\n", ["E0104"], ["x", "y"]),
    "a stray parenthesis alone": (")\ny = = 2\n", ["E0104", "E0105"], []),
    "a stray brace": ("}\ny = 2\n", ["E0104"], ["y"]),
    "an open block": ("for t in d {\n  x[t] = 1\n", ["E0103"], ["For"]),
    "a head without brace": ("for t in d\n  x[t] = 1\n}\ny = 2\n", ["E0102"], ["x", "y"]),
    "a bad head": ("for t d {\n  x[t] = 1\n  y = = 1\n}\nz = 2\n", ["E0105", "E0105"], ["z"]),
    "a bad line in a loop": ("for t in d {\n  x[t] = = 1\n  y[t] = 1\n}\nz = 2\n", ["E0105"], ["For", "z"]),
    "a bad line in a function": ("def f(x) {\n  y ~ N\n  return x\n}\nz = 2\n", ["E0109"], ["z"]),
    "a block that is none": ("model {\n  x = 1\n}\ny = 2\n", ["E0123"], ["x", "y"]),
    "a bad line in a model": ("model f(x) {\n  y = = N\n  return x\n}\nz = 2\n", ["E0105"], ["z"]),
    "a bad line in a density": ("density walk {\n  maf(1)\n  x = = 1\n}\ny = 2\n", ["E0109"], ["y"]),
    "a density without a name": ("density {\n  maf(1)\n  x = = 1\n}\ny = 2\n", ["E0123"], ["y"]),
    "a density that is never closed": ("density d {\n  maf(1)\n", ["E0103"], ["d"]),
    "semicolons": ("x = 1;\ny = 2; z = 3;\n", ["E0124"], ["x", "y", "z"]),
    "a semicolon for a comma": ("x = f(1; 2)\n", ["E0124"], ["x"]),
    "a foreign comment": ("/* a\n b */\nx = 1 /* c */ + 2\n", ["E0124"], ["x"]),
    "a sign that means another": ("x = 1 − 2\ny = 3 − 4\n", ["E0101"], ["x", "y"]),
    "a line that goes on": ("x = 1 +\n  2\ny = 3\n", ["E0102"], ["y"]),
    "several statements": ("x = 1 y = 2\nz = 3\n", ["E0102"], ["z"]),
    "a number without bounds": ("x = 1e400 + 1\ny = 2\n", ["E0111"], ["y"]),
    "a name with a power": ("x = y²\ny = 2\n", ["E0101"], ["y"]),
    "nesting": (f"x = {'-' * 200}1\ny = {'(' * 500}1{')' * 500}\n", ["E0110"], ["y"]),
    "a long sum": (f"x = {'+'.join('1' * 200)}\ny = {'+'.join('1' * 90)}\n", ["E0110"], ["y"]),
    "nested blocks": ("for t in d {\n" * 30 + "}\n" * 30, ["E0110"] * 10, ["For"]),
    "a bracket closed by another": ("for t in time[1)\ny = 2\n", ["E0104"], ["y"]),
    "a null byte": ("x = 1\0\ny = 2\n", ["E0101"], ["x", "y"]),
}


@pytest.mark.parametrize(("text", "codes", "kept"), RECOVERY.values(), ids=RECOVERY)
def test_recovery(text, codes, kept):
    assert diagnose(text) == (codes, kept)


HINTS = {
    # what is written -> what the hint names
    "x <- 3": "x = 3",
    "x := 3": "x = 3",
    "x <- Normal(0, 1)": "x ~ Normal(0, 1)",
    "int<lower=0> N;": "dim N",
    "real<lower=0> sigma;": "data sigma: positive",
    "vector[N] y;": "data y[n]: real",
    "array[N] int<lower=0,upper=1> y;": "data y[n]: bool",
    "cholesky_factor_corr[K] L;": "L[k, k'] ~ LKJCholesky",
    "real x = 2;": "x = 2",
    "y[J] real": "data y[J]: real",
    "data y[J] real": "data y[J]: real",
    "data real y": "data y: real",
    "data y[J]: real<lower=0>": "data y[J]: positive",
    "data y: vector[J]": "data y[J]",
    "target += f(x)": "factor f(x)",
    "for (i in 1:N) {\n}": "for i in DIM",
    "for i in 1:N {\n}": "for i in DIM",
    "for t in range(10):": "for t in DIM",
    "for t in time:": "for t in time {",
    "x = 1:J": "list",
    "x ~ Normal(0, 1) T[0,]": "lower = 0",
    "x ~ dnorm(0, 1) I(0, 2)": "lower = 0, upper = 2",
    'x = numpyro.sample("x", dist.Normal(0, 1))': "x ~ Normal(0, 1)",
    'numpyro.sample("o", dist.Normal(f(a), s), obs=y)': "y ~ Normal(f(a), s)",
    'x = pm.Normal("x", mu=0, sigma=1, shape=3)': "x ~ Normal(loc = 0, scale = 1)",
    'x = pm.Deterministic("x", a + b)': "x = a + b",
    'numpyro.factor("f", a)': "factor a",
    "with pm.Model():": "dim",
    "x = np.exp(2)": "exp",
    "x = y.sum()": "sum(y)",
    "x = df$y": "data y",
    "x = a && b": "and",
    "x = a || b": "or",
    "x = !a": "not",
    "x = a %*% b": "@",
    "x = a .* b": "*",
    "x = a if b else c": "if(b, a, c)",
    "x = a ? b : c": "if(",
    "if (x > 1) {\n}": "if(",
    "} else {\n}": "if(",
    "x = lambda y: y": "def",
    "def f(x: real) -> real {\n}": "): real",
    "x == 3": "=",
    "x += 1": "new",
    "// comment here": "#",
    "x = 1_000": "1000",
    "x = 2y": "2 * y",
    "x[i][j] = 1": "x[i, j]",
    "x[1,] = 1": ":",
    "y = x[]": ":",
    "dim k(3)": "dim k = 3",
    "data y": "data y: real",
    "data = 3": "data_",
    "x = 'a'": "quotation",
    "gate x: off": "guide",
    "guide {\n  gate x = off\n}": "gate x: off",
    "guide {\n  iaf(layers = 2)\n}": "backbone iaf(layers = 2)",
    "import 'a.emf": "quotation mark",
    "import numpy as np": "file.emf",
    "model ar(x: real)": "{",
    "x = np.log(y)": "write log",
    "model f {\n  data y: real\n}": "model NAME(",
    "x ≤ 3": "<=",
    "transformed data {\n}": "name = expression",
    "guide:": "guide {",
    "guide {\n  backbone: iaf(layers = 2)\n}": "backbone iaf(layers = 2)",
    "for t, s in time {\n}": "two loops",
    "x = if a then b": "if(condition",
    "pass": "declarations",
    "x.y = 3": "x_y",
    "print(x)": "posterior",
    "i++": "new name",
    "x = a %in% b": "==",
    "x = a <> b": "!=",
    "x = a === b": "==",
    "x = a => b": ">=",
    "-- a comment": "#",
}


@pytest.mark.parametrize(("text", "hint"), HINTS.items(), ids=HINTS)
def test_hints_say_how_it_is_written_here(text, hint):
    found = parse(SourceText(text))[1]
    assert found
    assert any(hint in d.hint for d in found), [d.hint for d in found]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("dnorm", "Normal(loc, scale)"),
        ("student_t", "StudentT"),
        ("dbin", "other way round"),
        ("True", "true"),
        ("rep", "broadcasts"),
        ("beta_binomial", "BetaBinomial("),
        ("dmulti", "Multinomial("),
        ("multiply_lower_tri_self_transpose", "L[k, k''] @ L[k', k'']"),
        ("ordered_logistic", "OrderedLogistic("),
    ],
)
def test_names_from_elsewhere(name, hint):
    assert hint in hint_for_name(name)


def test_names_of_no_language():
    assert hint_for_name("wombat") is None
    assert hint_for_function("dnorm") is None


def test_codes_are_in_the_table_and_have_examples():
    folder = Path(grammar.__file__).parent
    used = {c for p in folder.glob("*.py") if p.name != "codes.py" for c in re.findall(r'"(E\d{4})"', p.read_text())}
    assert {h.code for h in LINES} <= used <= {c.id for c in CODES}
    shown = {d.code for p in (ROOT / "tests/golden/bad").glob("*.emf") for d in parse(SourceText(p.read_text()))[1]}
    assert used <= shown


def test_each_habit_is_the_first_to_match_something():
    texts = [*HINTS, *(p.read_text().replace(";", "") for p in (ROOT / "tests/golden/bad").glob("*.emf"))]
    lines = [line for text in texts for line in text.split("\n")]
    first = {next((h.pattern for h in LINES if h.found_in(line.strip().removeprefix("} "))), None) for line in lines}
    assert [h.pattern for h in LINES if h.pattern not in first] == []
