"""Small builders of syntax trees, and templates: a piece of program text with letters for its arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any

from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.source import SourceText, Span
from emfppl.grammar.text_to_ast import parse


def number(value: int, span: Span) -> ast.Expr:
    """A whole number, a sign in front of it where it is negative."""
    plain = ast.Number(str(abs(value)), span)
    return plain if value >= 0 else ast.Unary("-", plain, span)


def binary(op: str, left: ast.Expr, right: ast.Expr, span: Span) -> ast.Expr:
    return ast.Binary(op, left, right, span, span)


def call(func: str, *args: ast.Expr, span: Span, **named: ast.Expr) -> ast.Call:
    plain = [ast.Argument(None, a, span) for a in args]
    return ast.Call(func, (*plain, *(ast.Argument(k, v, span) for k, v in named.items())), span, span)


def dim_part(dim: str, lower: ast.Expr | None, upper: ast.Expr | None, span: Span) -> ast.Expr:
    """``time[1:]``, or ``time`` where both bounds are missing."""
    if lower is None and upper is None:
        return ast.Name(dim, span)
    return ast.Subscript(ast.Name(dim, span), (ast.SliceItem(lower, upper, span),), span)


@cache
def _template(text: str) -> ast.Expr:
    program, problems = parse(SourceText("y = " + text))
    assert not problems, text
    (statement,) = program.statements
    assert isinstance(statement, ast.Assign)
    return statement.value


def filled(text: str, args: Mapping[str, ast.Expr], span: Span) -> ast.Expr:
    """A template with its letters replaced; its own nodes stand at `span`."""
    return _filled(_template(text), args, span)


def _filled(node: Any, args: Mapping[str, ast.Expr], span: Span) -> Any:
    if isinstance(node, ast.Name) and node.id in args:
        return args[node.id]
    if isinstance(node, tuple):
        return tuple(_filled(one, args, span) for one in node)
    if isinstance(node, Span):
        return span
    if not is_dataclass(node) or isinstance(node, type):
        return node
    return replace(node, **{f.name: _filled(getattr(node, f.name), args, span) for f in fields(node)})


def names_in(node: Any) -> set[str]:
    """The names that stand in a tree as values, and those of its targets' subscripts."""
    if isinstance(node, ast.Name):
        return {node.id}
    if isinstance(node, tuple):
        return set().union(*map(names_in, node)) if node else set()
    if not is_dataclass(node) or isinstance(node, type | Span):
        return set()
    return set().union(*(names_in(getattr(node, f.name)) for f in fields(node)))
