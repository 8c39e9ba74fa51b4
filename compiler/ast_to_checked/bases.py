"""Spline bases: ``B[obs, basis] = bspline(x, knots, 3)``. The functions of the basis run along a dim of the place."""

from __future__ import annotations

from emfppl.compiler.ast_to_checked import calls, dims
from emfppl.compiler.ast_to_checked.constants import fold
from emfppl.compiler.ast_to_checked.context import Context, Env
from emfppl.compiler.expressions import ArrayCall, Axis, Const, Expr, Kind, Type
from emfppl.compiler.functions import BASES
from emfppl.compiler.types import describe
from emfppl.grammar import ast_nodes as ast


def basis(c: Context, node: ast.Call, env: Env, place: tuple[Axis, ...] | None) -> Expr | None:
    """All functions of a basis at every x; there are as many as knots, the ends counted, plus the degree less 1."""
    usage = calls.usage(node.func, BASES[node.func].params)
    args = calls.positional(c, node, 3, env, usage)
    if args is None:
        return None
    x, knots, degree = args[0], args[1], fold(args[2])
    if not isinstance(degree, Const) or degree.type.kind is not Kind.INT or not 0 <= degree.value <= 9:
        message = f"The degree of `{node.func}` is a whole number from 0 to 9; `{c.text(node.args[2].value)}` is none."
        return c.error("E0505", message, node.args[2].span, "3 gives cubic splines")
    if len(knots.type.axes) != 1:
        message = f"The knots of `{node.func}` are a vector; `{c.text(node.args[1].value)}` is {describe(knots.type)}."
        return c.error("E0314", message, node.args[1].span, "the outer two are the ends: data knots[knot]: real")
    axis = _axis(c, node, x, place)
    return None if axis is None else _built(c, node, x, knots, degree, axis)


def _axis(c: Context, node: ast.Call, x: Expr, place: tuple[Axis, ...] | None) -> Axis | None:
    """The last axis of the place that x does not have."""
    free = [a for a in place or () if a.label not in {x.label for x in x.type.axes}]
    if free:
        return free[-1]
    have = ", ".join(a.label for a in x.type.axes)
    hint = f"give them a name and a dim: B[{have + ', ' if have else ''}basis] = {c.text(node)}"
    return c.error("E0310", f"Nothing says which dim the functions of `{node.func}` run over.", node.span, hint)


def _built(c: Context, node: ast.Call, x: Expr, knots: Expr, degree: Const, axis: Axis) -> Expr | None:
    knot = knots.type.axes[0]
    size = knot.length + (int(degree.value) - 1)
    if not c.dims.same(size, axis.length):
        message = (
            f"{c.dims.resolve(knot.length)} knots and degree {degree.value} make {c.dims.resolve(size)} functions, but "
            f"`{axis.label}` has {c.dims.resolve(axis.length)}."
        )
        return c.error("E0301", message, node.span, f"write dim {axis.dim} = {size}")
    if knot.label in {a.label for a in x.type.axes}:
        message = f"x and the knots of `{node.func}` are both {dims.dims_text([knot.label])}."
        return c.error("E0307", message, node.span, "give the knots a dim of their own")
    cores = ((), (knot.label,), ())
    type_ = Type(Kind.REAL, (*x.type.axes, axis))
    return ArrayCall(node.func, (x, knots, degree), cores, (axis.label,), type_, node.span)
