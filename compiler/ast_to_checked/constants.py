"""What is known without data: folded constants, literal lists, defaults and starting values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from emfppl.compiler.ast_to_checked import lists, types
from emfppl.compiler.ast_to_checked.context import Context, Env
from emfppl.compiler.expressions import Apply, Array, Axis, Const, Expr, Kind, Type
from emfppl.compiler.supports import DeclaredType, contains
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.source import Span

_FOLD: dict[str, Callable[..., Any]] = {
    "neg": lambda a: -a, "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b,
    "/": lambda a, b: a / b, "**": lambda a, b: a**b, "//": lambda a, b: a // b, "%": lambda a, b: a % b,
    "exp": math.exp, "log": math.log, "sqrt": math.sqrt, "abs": abs, "square": lambda a: a * a,
}  # fmt: skip


def fold(expr: Expr) -> Expr:
    """The constant that an expression of constants comes to; any other expression as it is."""
    if not isinstance(expr, Apply) or expr.op not in _FOLD:
        return expr
    args = [fold(a) for a in expr.args]
    if not all(isinstance(a, Const) for a in args):
        return expr
    try:
        value = _FOLD[expr.op](*(a.value for a in args if isinstance(a, Const)))
    except (ArithmeticError, ValueError):
        return expr
    if isinstance(value, complex) or not math.isfinite(value):
        return expr
    kind = expr.type.kind
    return Const(int(value) if kind is Kind.INT else float(value), Type(kind), expr.span)


def number_of(c: Context, node: ast.Expr) -> bool | int | float | None:
    """The constant that an expression of literals comes to, or None."""
    before = len(c.found)
    value = types.type_of(c, node, Env())
    del c.found[before:]
    if value is None:
        return None
    value = fold(value)
    return value.value if isinstance(value, Const) else None


def flat(values: tuple) -> list:
    return [x for v in values for x in (flat(v) if isinstance(v, tuple) else [v])]


def constant(
    c: Context, node: ast.Expr, declared: DeclaredType, labels: tuple[str, ...], what: str
) -> Expr | None:
    """A default or a start: a constant of the declared type; a single number stands for all entries."""
    axes = tuple(Axis.whole(d) for d in labels)
    if isinstance(node, ast.ListLiteral):
        value = lists.constant_list(c, node, axes, what)
    else:
        found = number_of(c, node)
        if found is None:
            return c.error(
                "E0407",
                f"{what} is a constant; `{c.text(node)}` is not.",
                node.span,
                "write a number or a list of numbers",
            )
        kind = Kind.BOOL if isinstance(found, bool) else Kind.INT if isinstance(found, int) else Kind.REAL
        value = Const(found, Type(kind), node.span)
    return value if value is not None and _agrees(c, value, declared, what, node.span) else None


def _agrees(c: Context, value: Expr, declared: DeclaredType, what: str, span: Span) -> bool:
    entries = (
        flat(value.values) if isinstance(value, Array) else [value.value] if isinstance(value, Const) else []
    )
    for entry in entries:
        wrong_kind = declared.kind is not Kind.REAL and isinstance(entry, float)
        boolish = declared.kind is Kind.BOOL and not isinstance(entry, bool) and entry not in (0, 1)
        if wrong_kind or boolish or not contains(declared.support, entry):
            c.error(
                "E0408",
                f"{what} holds {entry!r}, which is not {declared.text}.".replace("True", "true"),
                span,
            )
            return False
    return True
