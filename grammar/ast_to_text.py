"""The formatter: one layout for each syntax tree, so that ``parse(format(a)) == a`` and formatting twice changes nothing.

Two spaces a level; blank lines as written, one at a time; a comment behind a statement starts at column 44, or for all
statements of a group behind the longest of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.expression_to_text import (
    INDENT,
    WIDTH,
    argument,
    fitted,
    slice_text,
    subscripts,
    text_of,
)

COMMENT_COLUMN = 43
Statement = ast.Statement | ast.Return | ast.Backbone | ast.Gate | ast.Given | ast.Layer


@dataclass(frozen=True, slots=True)
class Row:
    """One line of code, or of several broken inside brackets, and the comment behind it."""

    code: str
    comment: str = ""

    @property
    def width(self) -> int:
        return len(self.code.rsplit("\n", 1)[-1])


def format_program(program: ast.Program) -> str:
    """The canonical text of a program; ends in a newline unless it is empty."""
    rows = [*_body(program.statements, ""), *_tail(program.tail, "")]
    while rows and not rows[0].code:
        rows = rows[1:]
    return "".join(line + "\n" for line in _aligned(rows))


# ---------------------------------------------------------------- comments


def _aligned(rows: Sequence[Row]) -> Iterable[str]:
    """The rows with their comments, those of a group in one column. A group ends at a blank line or an own-line comment."""
    for is_code, group in groupby(rows, lambda r: bool(r.code) and not r.code.lstrip().startswith("#")):
        members = list(group)
        column = max([COMMENT_COLUMN, *(r.width + 2 for r in members if r.comment)])
        for row in members:
            yield row.code + " " * (column - row.width) + row.comment if is_code and row.comment else row.code


def _tail(lines: Iterable[str], indent: str) -> list[Row]:
    return [Row(indent + text if text else "") for text in lines]


# ---------------------------------------------------------------- statements


def _body(statements: Iterable[Statement], indent: str) -> list[Row]:
    return [row for s in statements for row in (*_tail(s.comments.above, indent), *_statement(s, indent))]


def _statement(node: Statement, indent: str) -> list[Row]:
    behind = node.comments.behind
    match node:
        case ast.For():
            return _block(f"for {node.var} in {dim_ref(node.range)} {{", node.body, node.tail, behind, indent)
        case ast.Guide():
            return _block("guide {", node.items, node.tail, behind, indent)
        case ast.Density():
            return _block(f"density {node.name} {{", node.items, node.tail, behind, indent)
        case ast.Function():
            return _function(node, indent)
        case ast.Model():
            args = f"({_arguments(node.args)})" if node.args else ""
            return _block(f"model {node.name}{args} {{", node.body, node.tail, behind, indent)
    return [Row(indent + _simple(node, indent), behind)]


def _block(head: str, body: Iterable[Statement], tail: Iterable[str], behind: str, indent: str) -> list[Row]:
    inner = [*_body(body, indent + INDENT), *_tail(tail, indent + INDENT)]
    return [Row(indent + head, behind), *inner, Row(indent + "}")]


def _function(node: ast.Function, indent: str) -> list[Row]:
    """A function that only returns something stands on one line where there is room."""
    word = "distribution" if node.law else "def"
    head = f"{word} {node.name}({_arguments(node.args)}){_typed(node.returns)} {{"
    match node.body:
        case (ast.Return(value, comments),) if comments == ast.Comments() and not node.tail:
            line = f"{indent}{head} return {text_of(value)} }}"
            if len(line) <= WIDTH:
                return [Row(line, node.comments.behind)]
    return _block(head, node.body, node.tail, node.comments.behind, indent)


def _arguments(args: Iterable[ast.FunctionArgument]) -> str:
    return ", ".join(a.name + dims(a.dims) + _typed(a.type) + (f" = {text_of(a.default)}" if a.default else "") for a in args)


def _simple(node: Statement, indent: str) -> str:
    """A statement that is no block."""
    match node:
        case ast.Dim(name, size):
            return _with_value(f"dim {name}", " =", size, indent)
        case ast.Data(name, over, kind, value):
            return _with_value(f"data {name}{dims(over)}: {type_text(kind)}", " =", value, indent)
        case ast.Param(name, over, kind, value):
            return _with_value(f"param {name}{dims(over)}: {type_text(kind)}", " =", value, indent)
        case ast.Random(where, kind, dist):
            return _with_value(target(where) + _typed(kind), " ~", dist, indent)
        case ast.Assign(where, kind, value):
            return _with_value(target(where) + _typed(kind), " =", value, indent)
        case ast.Factor(value):
            return _with_value("factor", "", value, indent)
        case ast.Return(value):
            return _with_value("return", "", value, indent)
        case ast.Backbone(call):
            return _with_value("backbone", "", call if call.args else ast.Name(call.func), indent)
        case ast.Given(names):
            return f"conditioned_on {', '.join(n.id for n in names)}"
        case ast.Layer(call):
            return fitted(call if call.args else ast.Name(call.func), len(indent), indent)
        case ast.Import(path, alias):
            sign = "'" if '"' in path else '"'
            return f"import {sign}{path}{sign}" + (f" as {alias}" if alias else "")
        case ast.Gate(name, mode, options):
            return ", ".join([f"gate {name}: {mode}", *map(argument, options)])
    raise AssertionError(node)


def _with_value(head: str, sign: str, value: ast.Expr | None, indent: str) -> str:
    start = f"{head}{sign} "
    return head if value is None else start + fitted(value, len(indent) + len(start), indent)


# ---------------------------------------------------------------- parts of statements


def target(node: ast.Target) -> str:
    return node.name + (f"[{subscripts(node.indices)}]" if node.indices else "")


def dims(refs: Sequence[ast.DimRef]) -> str:
    return f"[{', '.join(map(dim_ref, refs))}]" if refs else ""


def dim_ref(node: ast.DimRef) -> str:
    return node.name + (f"[{slice_text(node.bounds)}]" if node.bounds else "")


def type_text(node: ast.TypeExpr) -> str:
    args = f"({', '.join(map(argument, node.args))})" if node.args else ""
    return node.name + args + ("?" if node.optional else "")


def _typed(node: ast.TypeExpr | None) -> str:
    return f": {type_text(node)}" if node else ""
