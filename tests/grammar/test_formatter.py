"""Law 5: what the formatter writes is read as the same tree, and formatting twice changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import strategies
import trees
from hypothesis import HealthCheck, given, settings

from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.ast_to_text import format_program
from emfppl.grammar.expression_to_text import LEVEL
from emfppl.grammar.source import SourceText
from emfppl.grammar.text_to_ast import parse

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "tests/golden").glob("*/*.emf"), *(ROOT / "examples").glob("**/*.emf")])
FILES = [p for p in FILES if p.stem.split("_")[0] not in ("syntax", "habit")]  # those can't be read whole


def read(text: str) -> ast.Program:
    program, found = parse(SourceText(text))
    assert not found, "\n".join(map(str, found))
    return program


def holds_law_5(program: ast.Program) -> None:
    text = format_program(program)
    again = read(text)
    assert again == program, text
    assert format_program(again) == text


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(trees.programs)
def test_law_5_of_drawn_trees(program):
    holds_law_5(program)


@settings(max_examples=300, deadline=None)
@given(trees.exprs)
def test_law_5_of_drawn_expressions(expr):
    holds_law_5(ast.Program((ast.Assign(ast.Target("x"), None, expr),)))


def test_law_5_of_every_pair_of_operations():
    """Each operation as either operand of each other one."""
    a, b, c = (ast.Name(n) for n in "abc")
    inner = [ast.Binary(op, a, b) for op in LEVEL] + [ast.Unary(op, a) for op in ("-", "+", "not")]
    outer = [ast.Binary(op, *pair) for one in inner for op in LEVEL for pair in ((one, c), (c, one))]
    outer += [ast.Unary(op, one) for one in inner for op in ("-", "+", "not")]
    outer += [ast.Subscript(one, (one,)) for one in inner]
    holds_law_5(ast.Program(tuple(ast.Factor(one) for one in outer)))


@settings(max_examples=60, deadline=None)
@given(strategies.programs())
def test_law_5_of_drawn_programs(generated):
    holds_law_5(read(generated.text))


@pytest.mark.parametrize("path", FILES, ids=[p.stem for p in FILES])
def test_law_5_of_files(path):
    holds_law_5(read(path.read_text(encoding="utf-8")))


def test_examples_are_formatted():
    for path in (ROOT / "examples").glob("**/*.emf"):
        assert format_program(read(path.read_text())) == path.read_text(), path


# written -> formatted
LAYOUT = {
    "spaces": ("x=a*b+c ", "x = a * b + c"),
    "parentheses that change nothing": ("x = ((a * b)) + (c)", "x = a * b + c"),
    "parentheses that do": ("x = (a + b) * c - (d - e)", "x = (a + b) * c - (d - e)"),
    "powers group from the right": ("x = (a ^ b) ^ c + a ^ (b ^ c)", "x = (a ^ b) ^ c + a ^ b ^ c"),
    "signs": ("x = (-a) ^ 2 - (-b) + -(c * d) - (-e) * f", "x = (-a) ^ 2 - -b + -(c * d) - -e * f"),
    "not": ("x = (not a) and not (b or c) == d", "x = not a and not (b or c) == d"),
    "compared twice": ("x = (a < b) < c or a < (b < c)", "x = a < b < c or a < (b < c)"),
    "subscripts are tight": ("x[ t ] = y[t - 1, 2 * i + 1, : , 1 :] + z[f(t - 1)]", "x[t] = y[t-1, 2*i+1, :, 1:] + z[f(t - 1)]"),
    "subscripts of sums": ("x = (a + b)[0] + f(a)[1][2]", "x = (a + b)[0] + f(a)[1][2]"),
    "named arguments": ("x ~ Normal(loc=0,scale=1,)", "x ~ Normal(loc = 0, scale = 1)"),
    "types": ("x : real( 0,upper=1 )~Flat( )", "x: real(0, upper = 1) ~ Flat()"),
    "declarations": ("data  y [time,k'] :real ?=[[1,2],[3,4]]", "data y[time, k']: real? = [[1, 2], [3, 4]]"),
    "a loop": ("for t in time[ 1 : ]{x[t]~N(0,1)}", "for t in time[1:] {\n  x[t] ~ N(0, 1)\n}"),
    "an empty loop": ("for t in time {}", "for t in time {\n}"),
    "a short function": ("def f(x:real,v[k])\n{\nreturn x\n}", "def f(x: real, v[k]) { return x }"),
    "a function with a line more": ("def f(x):real{y=x\nreturn y}", "def f(x): real {\n  y = x\n  return y\n}"),
    "a guide": (
        "guide{backbone full_rank( )\ngate x:per_element,init=.5}",
        "guide {\n  backbone full_rank\n  gate x: per_element, init = .5\n}",
    ),
    "blank lines": ("\n\nx = 1\n\n\n\ny = 2\n\n", "x = 1\n\ny = 2"),
    "comments in a column": ("x = 1 # a\nlonger = 2#b", f"x = 1{' ' * 38}# a\nlonger = 2{' ' * 33}#b"),
    "comments behind long lines": (
        f"x = {'a' * 60} # a\ny = 1 # b\n\nz = 1 # c",
        f"x = {'a' * 60}  # a\ny = 1{' ' * 61}# b\n\nz = 1{' ' * 38}# c",
    ),
    "comments inside a statement": ("x = f( # a\n  1, # b\n  # c\n  2) # d", f"# a\n# b\n# c\nx = f(1, 2){' ' * 32}# d"),
    "comments of blocks": (
        "for t in d { # a\n# b\nx[t] = 1\n\n# c\n} # d\n# e",
        f"for t in d {{{' ' * 31}# a\n  # b\n  x[t] = 1\n\n  # c\n  # d\n}}\n# e",
    ),
    "carriage returns and tabs": ("x = 1\r\n\ty = 2\r\n", "x = 1\ny = 2"),
    "a long call": (
        f"x ~ Normal({' + '.join(['abcdefgh'] * 8)}, {'s' * 30})",
        f"x ~ Normal(\n  {' + '.join(['abcdefgh'] * 8)},\n  {'s' * 30}\n)",
    ),
    "a long sum": (f"x = {' + '.join(['abcdefghi'] * 9)} - c", "x = (\n  abcdefghi" + "\n  + abcdefghi" * 8 + "\n  - c\n)"),
    "a long sum as an argument": (
        f"  x = exp(scale = {' * '.join(['abcdefghij'] * 9)})",
        "x = exp(\n  scale = abcdefghij" + "\n  * abcdefghij" * 8 + "\n)",
    ),
    "a long list": (
        f"w[k] = [{', '.join(['0.12345'] * 20)}]",
        f"w[k] = [\n  {', '.join(['0.12345'] * 11)},\n  {', '.join(['0.12345'] * 9)}\n]",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("written", "formatted"), LAYOUT.values(), ids=LAYOUT)
def test_layout(written, formatted):
    assert format_program(read(written)) == formatted + "\n"


def test_nothing_is_nothing():
    assert format_program(read("")) == ""
    assert format_program(read("\n\n")) == ""
