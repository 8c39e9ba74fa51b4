"""What the parser makes of right programs: trees, places, comments."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import pytest
from trees import short

from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.source import SourceText, Span
from emfppl.grammar.text_to_ast import parse

ROOT = Path(__file__).parents[2]


def read(text: str) -> tuple[ast.Statement, ...]:
    program, found = parse(SourceText(text))
    assert not found, "\n".join(map(str, found))
    return program.statements


def one(text: str) -> ast.Statement:
    (statement,) = read(text)
    return statement


EXPRESSIONS = {
    "1 + 2 * 3": "(1 + (2 * 3))",
    "1 - 2 - 3": "((1 - 2) - 3)",
    "1 - (2 - 3)": "(1 - (2 - 3))",
    "a / b * c // d % e @ f": "(((((a / b) * c) // d) % e) @ f)",
    "-a ^ 2": "(- (a ^ 2))",
    "a ^ -b ^ c": "(a ^ (- (b ^ c)))",
    "a ** b ** c": "(a ** (b ** c))",
    "-a * b": "((- a) * b)",
    "- -a": "(- (- a))",
    "a < b + 1": "(a < (b + 1))",
    "a < b == c": "((a < b) == c)",
    "not a == b": "(not (a == b))",
    "not not a": "(not (not a))",
    "a or b and not c": "(a or (b and (not c)))",
    "a and b and c": "((a and b) and c)",
    "-x[0]": "(- x[0])",
    "x[t-1, :, 1:, :-1, a:b]": "x[(t - 1) : 1: :(- 1) a:b]",
    "x[i][j]": "x[i][j]",
    "(a + b)[0]": "(a + b)[0]",
    "f(x)[0]": "f(x)[0]",
    "f()": "f()",
    "f(a, b = c, d,)": "f(a b=c d)",
    "if(a > 0, 1, -1)": "if((a > 0) 1 (- 1))",
    "[1, [2, 3], []]": "[1 [2 3] []]",
    "[1, 2,]": "[1 2]",
    "true and false": "(true and false)",
    "K[a, a'] @ L[a', a'']": "(K[a a'] @ L[a' a''])",
    ".5 + 1. + 1e-3 + 2.5E+4": "(((.5 + 1.) + 1e-3) + 2.5E+4)",
    "gate + backbone + model + density": "(((gate + backbone) + model) + density)",
    "truely + iff + notes + order": "(((truely + iff) + notes) + order)",
    "σ * école": "(σ * école)",
    "(\n  a\n  + b  # of all\n)": "(a + b)",
    "f(\n\n  a,\n\n  b\n)": "f(a b)",
}


@pytest.mark.parametrize(("text", "expected"), EXPRESSIONS.items(), ids=EXPRESSIONS)
def test_expressions(text, expected):
    assert short(one(f"x = {text}\n").value) == expected


REAL, TWO = ast.TypeExpr("real"), ast.Number("2")
STATEMENTS = {
    "dim school": ast.Dim("school"),
    "dim pair = 2": ast.Dim("pair", TWO),
    "data y: real": ast.Data("y", (), REAL),
    "data y[time, k']: real?": ast.Data("y", (ast.DimRef("time"), ast.DimRef("k'")), ast.TypeExpr("real", (), True)),
    "data y: index(k) = 2": ast.Data("y", (), ast.TypeExpr("index", (ast.Argument(None, ast.Name("k")),)), TWO),
    "data y[time[1:]]: real": ast.Data("y", (ast.DimRef("time", ast.SliceItem(ast.Number("1"), None)),), REAL),
    "param s[k]: positive = 2": ast.Param("s", (ast.DimRef("k"),), ast.TypeExpr("positive"), TWO),
    "x ~ N": ast.Random(ast.Target("x"), None, ast.Name("N")),
    "x[t]: real ~ N": ast.Random(ast.Target("x", (ast.Name("t"),)), REAL, ast.Name("N")),
    "x[:2] = 2": ast.Assign(ast.Target("x", (ast.SliceItem(None, TWO),)), None, TWO),
    "x: real = 2": ast.Assign(ast.Target("x"), REAL, TWO),
    "factor 2": ast.Factor(TWO),
    "for t in time {}": ast.For("t", ast.DimRef("time"), ()),
    "for t in time[1:] { factor 2 }": ast.For("t", ast.DimRef("time", ast.SliceItem(ast.Number("1"), None)), (ast.Factor(TWO),)),
    "def f() { return 2 }": ast.Function("f", (), None, (ast.Return(TWO),)),
    "def f(x: real, v[k]): real {\ny = 2\nreturn 2\n}": ast.Function(
        "f",
        (ast.FunctionArgument("x", (), REAL), ast.FunctionArgument("v", (ast.DimRef("k"),), None)),
        REAL,
        (ast.Assign(ast.Target("y"), None, TWO), ast.Return(TWO)),
    ),
    "guide { backbone iaf }": ast.Guide((ast.Backbone(ast.Call("iaf", ())),)),
    "guide {\nbackbone iaf(layers = 2)\ngate all: off\n}": ast.Guide(
        (ast.Backbone(ast.Call("iaf", (ast.Argument("layers", TWO),))), ast.Gate("all", "off"))
    ),
    "density d {\ndata x[time]: real\nconditioned_on c, w\naffine\nmaf(2)\n}": ast.Density(
        "d",
        (
            ast.Data("x", (ast.DimRef("time"),), REAL),
            ast.Given((ast.Name("c"), ast.Name("w"))),
            ast.Layer(ast.Call("affine", ())),
            ast.Layer(ast.Call("maf", (ast.Argument(None, TWO),))),
        ),
    ),
    "guide { gate x: per_element, init = 2 }": ast.Guide((ast.Gate("x", "per_element", (ast.Argument("init", TWO),)),)),
}


@pytest.mark.parametrize(("text", "expected"), STATEMENTS.items(), ids=STATEMENTS)
def test_statements(text, expected):
    assert one(text) == expected


@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n\n", "  # c\n", "\n  # c\n", ""])
def test_newlines_end_statements(end):
    names = [s.target.name for s in read(f"\ufeffx = 1{end or chr(10)}y = 2{end}")]
    assert names == ["x", "y"]


def test_a_brace_may_stand_on_the_next_line():
    assert one("for t in time\n\n{\n  x[t] = 1\n}\n") == one("for t in time {\n  x[t] = 1\n}\n")


# ---------------------------------------------------------------- places

PLACES = {
    # text -> what each kind of node covers
    "data y[time[1:]]: real(0, 1)? = 2 + 3": {
        ast.Data: ["data y[time[1:]]: real(0, 1)? = 2 + 3"], ast.DimRef: ["time[1:]"], ast.SliceItem: ["1:"],
        ast.TypeExpr: ["real(0, 1)?"], ast.Argument: ["0", "1"], ast.Binary: ["2 + 3"],
    },
    "  x[t-1] ~ Normal(loc = a, s)  # c": {
        ast.Random: ["x[t-1] ~ Normal(loc = a, s)"], ast.Target: ["x[t-1]"], ast.Binary: ["t-1"],
        ast.Call: ["Normal(loc = a, s)"], ast.Argument: ["loc = a", "s"], ast.Name: ["t", "a", "s"],
    },
    "x = (a + b) * -(c)": {ast.Binary: ["(a + b) * -(c)", "(a + b)"], ast.Unary: ["-(c)"], ast.Name: ["a", "b", "(c)"]},
    "x = f(a)[0][:]": {ast.Subscript: ["f(a)[0][:]", "f(a)[0]"], ast.SliceItem: [":"], ast.Call: ["f(a)"]},
    "x = [1, not true]": {ast.ListLiteral: ["[1, not true]"], ast.Unary: ["not true"], ast.Bool: ["true"]},
    "for t in d[1:] {  # c\n  factor t\n}": {
        ast.For: ["for t in d[1:] {  # c\n  factor t\n}"], ast.DimRef: ["d[1:]"], ast.Factor: ["factor t"],
    },
    "def f(v[k]: real): real {\n  return v\n}": {
        ast.Function: ["def f(v[k]: real): real {\n  return v\n}"], ast.FunctionArgument: ["v[k]: real"],
        ast.Return: ["return v"],
    },
    "guide {\n  backbone iaf(layers = 2)\n  gate x: off, init = 1\n}": {
        ast.Guide: ["guide {\n  backbone iaf(layers = 2)\n  gate x: off, init = 1\n}"],
        ast.Backbone: ["backbone iaf(layers = 2)"], ast.Gate: ["gate x: off, init = 1"],
    },
    "density d {\n  data x[k]: real\n  conditioned_on c, w\n  maf(hidden = [8])\n}": {
        ast.Density: ["density d {\n  data x[k]: real\n  conditioned_on c, w\n  maf(hidden = [8])\n}"],
        ast.Data: ["data x[k]: real"], ast.Given: ["conditioned_on c, w"], ast.Name: ["c", "w"],
        ast.Layer: ["maf(hidden = [8])"], ast.Call: ["maf(hidden = [8])"],
    },
}  # fmt: skip


def nodes(node: object) -> list:
    """A node and all in it, outermost first."""
    if isinstance(node, tuple):
        return [n for part in node for n in nodes(part)]
    if not is_dataclass(node) or isinstance(node, Span):
        return []
    return [node, *(n for f in fields(node) for n in nodes(getattr(node, f.name)))]


@pytest.mark.parametrize(("text", "expected"), PLACES.items(), ids=PLACES)
def test_places(text, expected):
    found = nodes(read(text))
    for kind, covered in expected.items():
        assert [text[n.span.start : n.span.end] for n in found if type(n) is kind] == covered


@pytest.mark.parametrize("text", ["dim abc = 2", "data abc: real", "param abc: real", "def abc() {\nreturn 1\n}"])
def test_places_of_names(text):
    span = one(text).name_span
    assert text[span.start : span.end] == "abc"


def test_places_of_parts():
    text = "for abc in d {\n  xy[abc] ~ fgh(1 + 2)\n}\n"
    loop = one(text)
    draw = loop.body[0]
    cut = [loop.var_span, draw.target.name_span, draw.dist.func_span, draw.dist.args[0].value.op_span]
    assert [text[s.start : s.end] for s in cut] == ["abc", "xy", "fgh", "+"]


@pytest.mark.parametrize("path", sorted((ROOT / "tests/golden/good").glob("*.emf")), ids=lambda p: p.stem)
def test_what_a_node_covers_is_read_as_that_node(path):
    """Every statement and every expression of a program, cut out by its place, is itself again."""
    text = path.read_text()
    for node in nodes(read(text)):
        if not hasattr(node, "span"):
            continue
        part = text[node.span.start : node.span.end]
        if isinstance(node, ast.Expr) and (not isinstance(node, ast.Call) or "(" in part):
            assert one(f"x = {part}").value == node
        elif isinstance(node, ast.Random | ast.Assign | ast.Data | ast.Dim):
            assert one(part) == replace(node, comments=ast.Comments())


# ---------------------------------------------------------------- comments

COMMENTED = """\

# licence

# about x
x = 1  # behind x

y = f(  # after the bracket
  1     # inside
  # own line
)       # behind y
for t in d {  # behind the head
  # first in the loop

  z[t] = 1

  # last in the loop
}  # behind the brace

# the end

"""


def test_comments():
    program, found = parse(SourceText(COMMENTED))
    x, y, loop = program.statements
    assert not found
    assert x.comments == ast.Comments(("# licence", "", "# about x"), "# behind x")
    assert y.comments == ast.Comments(("", "# after the bracket", "# inside", "# own line"), "# behind y")
    assert loop.comments == ast.Comments((), "# behind the head")
    assert loop.body[0].comments == ast.Comments(("# first in the loop", ""))
    assert loop.tail == ("", "# last in the loop", "# behind the brace")
    assert program.tail == ("", "# the end")


def test_comments_of_blocks_on_one_line():
    assert one("def f(x) { return x }  # short").comments.behind == "# short"
    assert one("for t in d {}  # empty").comments.behind == "# empty"


def test_a_file_of_comments():
    program, found = parse(SourceText("\n# a\n\n\n# b\n\n"))
    assert (program.statements, program.tail, found) == ((), ("# a", "", "# b"), ())
