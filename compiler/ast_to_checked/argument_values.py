"""What an argument of a distribution may be: its kind, range, and the axes it may have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from emfppl.compiler.ast_to_checked import dims, lists, types
from emfppl.compiler.ast_to_checked.constants import fold
from emfppl.compiler.ast_to_checked.context import Context, Env
from emfppl.compiler.distributions import COUNT, POSITIVE, SIMPLEX, UNIT, WHOLE, Distribution, Parameter
from emfppl.compiler.expressions import Array, Axis, Const, Expr, Kind, Relabel, Stack
from emfppl.grammar import ast_nodes as ast


@dataclass(frozen=True, slots=True)
class Goal:
    """What a distribution is to fill: the target's whole axes, further labels that its arguments may have (``Mixture``), and the
    dim that the target is known to index."""

    axes: tuple[Axis, ...]
    text: str
    name: str
    extra: tuple[Axis, ...] = ()
    of: str | None = None


def argument(
    c: Context,
    node: ast.Expr,
    row: Distribution,
    parameter: Parameter,
    env: Env,
    goal: Goal,
    event: Sequence[Axis],
) -> Expr | None:
    """An argument, typed, inside what it may be, over the axes it may have."""
    what = f"`{parameter.name}` of `{row.name}`"
    if isinstance(node, ast.Call) and c.table.get(node.func):
        return c.error(
            "E0507",
            f"{what} is a number, not a distribution.",
            node.span,
            f"draw it on its own line: z ~ {c.text(node)}",
        )
    wanted = _core(event, parameter.rank)
    value = _value(c, node, env, goal, wanted if parameter.rank else None)
    if value is None:
        return None
    value = fold(value)
    if not in_range(c, value, node, row, parameter):
        return None
    if parameter.rank == 2:
        found = _matrix(c, value, node, wanted, what)
        if found is None:
            return None
        value = found
    batch = goal.axes[: len(goal.axes) - len(event)] if event else goal.axes
    allowed = (*batch, *goal.extra, *(wanted if parameter.rank else ()))
    if not _within(c, value, allowed, event, what, goal, node):
        return None
    return value


def _value(c: Context, node: ast.Expr, env: Env, goal: Goal, core: list[Axis] | None) -> Expr | None:
    """The value of an argument; a list is over its core, or for a number over the last dims of the target."""
    if core is not None and isinstance(node, ast.ListLiteral):
        return lists.list_value(c, node, env, core, exact=True)
    return types.type_of(c, node, env, tuple(core) if core is not None else (*goal.axes, *goal.extra))


def _core(event: Sequence[Axis], rank: int) -> list[Axis]:
    """The axes of an argument's core: the event's, or for a matrix over a vector's, the dim and its primed
    twin."""
    if rank < 2 or len(event) == 2:
        return list(event[len(event) - rank :]) if rank else []
    axis = event[-1]
    return [axis, replace(axis, label=axis.label + "'")]


def _matrix(c: Context, value: Expr, node: ast.Expr, wanted: list[Axis], what: str) -> Expr | None:
    """A matrix under the labels (k, k'), whichever second label it came with."""
    row, column = wanted
    labels = [a.label for a in value.type.axes]
    if row.label in labels and column.label in labels:
        return value
    other = next((a for a in value.type.axes if a.dim == row.dim and a.label != row.label), None)
    if row.label not in labels or other is None:
        message = f"{what} is a matrix over [{row.label}, {column.label}]; this is {dims.dims_text(labels)}."
        return c.error("E0313", message, node.span)
    axes = tuple(replace(a, label=column.label) if a is other else a for a in value.type.axes)
    return Relabel(value, (other.label,), (column.label,), replace(value.type, axes=axes), value.span)


def _within(
    c: Context,
    value: Expr,
    allowed: Sequence[Axis],
    event: Sequence[Axis],
    what: str,
    goal: Goal,
    node: ast.Expr,
) -> bool:
    stray = next(
        (a for a in event if any(v.label == a.label for v in value.type.axes) and a not in allowed), None
    )
    if stray is not None:
        message = f"{what} is one number for a whole draw; it can't vary over `{stray.label}`."
        c.error("E0313", message, node.span)
        return False
    return dims.check_within(c, value, allowed, what, goal.text, node.span)


def in_range(c: Context, value: Expr, node: ast.Expr, row: Distribution, parameter: Parameter) -> bool:
    """Whether constants are what the argument may be."""
    what = f"`{parameter.name}` of `{row.name}`"
    if parameter.kind in (COUNT, WHOLE) and value.type.kind is Kind.REAL:
        hint = "declare it int or count" if not isinstance(value, Const) else ""
        c.error("E0505", f"{what} is a whole number; `{c.text(node)}` is real.", node.span, hint)
        return False
    for entry in _entries(value):
        wrong = _wrong(entry, parameter.kind)
        if wrong:
            c.error("E0505", f"{what} must be {wrong}; here it is {entry:g}.", node.span)
            return False
    if (
        parameter.kind == SIMPLEX
        and isinstance(value, Array)
        and not math.isclose(sum(_entries(value)), 1, abs_tol=1e-6)
    ):
        c.error("E0505", f"{what} must add up to 1; these add up to {sum(_entries(value)):g}.", node.span)
        return False
    return True


def _entries(value: Expr) -> list[float]:
    if isinstance(value, Const):
        return [value.value]
    if isinstance(value, Stack):
        return [entry for part in value.args for entry in _entries(part)]
    if not isinstance(value, Array):
        return []
    todo, out = list(value.values), []
    while todo:
        entry = todo.pop(0)
        if isinstance(entry, tuple):
            todo = [*entry, *todo]
        else:
            out.append(entry)
    return out


def _wrong(entry: float, kind: str) -> str:
    if math.isinf(entry):
        return "finite"
    if kind == POSITIVE and entry <= 0:
        return "positive"
    if kind in (UNIT, SIMPLEX) and not 0 <= entry <= 1:
        return "between 0 and 1"
    return "a count (0, 1, 2, …)" if kind == COUNT and entry < 0 else ""
