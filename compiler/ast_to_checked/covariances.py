"""Covariance functions: ``exp_quad(x, scale, length)`` over [obs, obs'], ``exp_quad(x, x_new, scale, length)`` over [obs, new].

The points run along one dim of x: the one that ``over =`` names, else its first. Its other dims are coordinates,
``x[obs, feature]``, and distances sum over them; a length may differ between coordinates. Whatever else the scale and the
length run over is a batch.
"""

from __future__ import annotations

from dataclasses import replace

from emfppl.compiler.ast_to_checked import arrays, calls, dims, types
from emfppl.compiler.ast_to_checked.constants import fold
from emfppl.compiler.ast_to_checked.context import Context, Env, near
from emfppl.compiler.expressions import Apply, ArrayCall, Axis, Const, Expr, Kind, Relabel, Type
from emfppl.compiler.functions import COVARIANCES
from emfppl.compiler.types import describe
from emfppl.grammar import ast_nodes as ast

Given = dict[str, ast.Expr]
Values = dict[str, Expr]


def covariance(c: Context, node: ast.Call, env: Env) -> Expr | None:
    """The matrix of covariances between points, or between two sets of points."""
    given = _given(c, node)
    if given is None:
        return None
    over = given.pop("over", None)
    typed = {name: types.type_of(c, one, env) for name, one in given.items()}
    values = {name: fold(one) for name, one in typed.items() if one is not None}
    if len(values) < len(typed) or not _positive(c, node, given, values):
        return None
    points = _points(c, node, values["x"], over, env)
    if points is None:
        return None
    coordinates = tuple(label for label in env.own(_labels(values["x"])) if label != points)
    other = _other(c, node, values, given, points, coordinates, env)
    if other is None or not _vary_rightly(c, node, given, values, (points, other[1]), coordinates):
        return None
    return _built(c, node, values, other[0], (points, other[1]), coordinates)


def _labels(value: Expr) -> list[str]:
    return [a.label for a in value.type.axes]


# ---------------------------------------------------------------- which argument is which


def _given(c: Context, node: ast.Call) -> Given | None:
    """The arguments by name; with one more than the table has, the second is the other set of points."""
    params = COVARIANCES[node.func].params
    usage = f"write {node.func}({', '.join(params)}), or between two sets of points {node.func}(x, x_new, {', '.join(params[1:])})"
    count = sum(a.name != "over" for a in node.args)
    if count not in (len(params), len(params) + 1):
        message = f"`{node.func}` takes {len(params)} arguments, or {len(params) + 1}; {count} were given."
        return c.error("E0701", message, node.span, usage)
    order = params if count == len(params) else ("x", "x_new", *params[1:])
    given: Given = {}
    for position, arg in enumerate(node.args):
        name = arg.name or order[min(position, len(order) - 1)]
        if name not in (*order, "over"):
            return c.error("E0704", f"`{node.func}` has no argument named `{name}`.", arg.span, near(name, order) or usage)
        if name in given:
            return c.error("E0704", f"The argument `{name}` is given twice.", arg.span, usage)
        given[name] = arg.value
    return given


def _positive(c: Context, node: ast.Call, given: Given, values: Values) -> bool:
    for name in COVARIANCES[node.func].params[1:]:
        value = values[name]
        if isinstance(value, Const) and value.value <= 0:
            message = f"`{name}` of `{node.func}` must be positive; here it is {value.value:g}."
            c.error("E0505", message, given[name].span)
            return False
    return True


# ---------------------------------------------------------------- points and coordinates


def _points(c: Context, node: ast.Call, x: Expr, over: ast.Expr | None, env: Env) -> str | None:
    """The label that the points run along."""
    if over is not None:
        labels = calls.over_labels(c, ast.Argument("over", over, over.span), x, env)
        return labels[0] if labels else None
    own = env.own(_labels(x))
    if own:
        return own[0]
    hint = f"give it a dim: data x[obs]: real, and K[obs, obs'] = {node.func}(x, …)"
    return c.error("E0314", f"`{node.func}` needs points over a dim; this is {describe(x.type)}.", node.args[0].span, hint)


def _other(
    c: Context, node: ast.Call, values: Values, given: Given, points: str, coordinates: tuple[str, ...], env: Env
) -> tuple[Expr, str] | None:
    """The other set of points and the label it runs along: the same points under a primed name where there is none."""
    x = values["x"]
    if "x_new" not in values:
        return _primed(x, points, _labels(x))
    other = values["x_new"]
    free = [label for label in env.own(_labels(other)) if label not in coordinates]
    if any(label not in _labels(other) for label in coordinates) or len(free) != 1:
        wanted = ["one dim", *coordinates]
        message = (
            f"The second set of points of `{node.func}` is {dims.dims_text(_labels(other))}; it needs "
            f"{'a dim of its own' if len(wanted) == 1 else f'a dim of its own and {dims.dims_text(coordinates)[5:]}'}."
        )
        return c.error("E0314", message, given["x_new"].span, "with one set of points give scale and length only")
    return (other, free[0]) if free[0] != points else _primed(other, points, _labels(x))


def _primed(x: Expr, label: str, taken: list[str]) -> tuple[Expr, str]:
    new = label + "'"
    while new in taken:
        new += "'"
    axes = tuple(replace(a, label=new) if a.label == label else a for a in x.type.axes)
    return Relabel(x, (label,), (new,), replace(x.type, axes=axes), x.span), new


def _vary_rightly(
    c: Context, node: ast.Call, given: Given, values: Values, points: tuple[str, str], coordinates: tuple[str, ...]
) -> bool:
    """Scale and length don't vary from point to point; of the others only what divides coordinates varies over them."""
    divides = "period" if "period" in values else "length"
    for name in COVARIANCES[node.func].params[1:]:
        refused = points if name == divides else (*points, *coordinates)
        stray = next((label for label in _labels(values[name]) if label in refused), None)
        if stray is not None:
            message = f"`{name}` of `{node.func}` is one number for all of `{stray}`; this is {describe(values[name].type)}."
            c.error("E0314", message, given[name].span)
            return False
    return True


# ---------------------------------------------------------------- the call


def _built(
    c: Context, node: ast.Call, values: Values, other: Expr, points: tuple[str, str], coordinates: tuple[str, ...]
) -> Expr | None:
    """Points divided by the length (a periodic function's by its period), and what is left of the arguments."""
    divisor = values["period"] if "period" in values else values["length"]
    scaled = [types.elementwise(c, "/", (x, divisor), Kind.REAL, node.span) for x in (values["x"], other)]
    rest = [values["scale"], *([values["length"]] if "period" in values else [])]
    args = [e for e in (*scaled, *rest) if e is not None]
    cores = [(points[0], *coordinates), (points[1], *coordinates), *(() for _ in rest)]
    batch = arrays.batch_axes(c, args, cores, node) if len(args) == len(cores) else None
    if batch is None or not _coordinates_agree(c, args, coordinates, node):
        return None
    ends = tuple(_axis(arg, label) for arg, label in zip(args, points, strict=False))
    return ArrayCall(node.func, tuple(args), tuple(cores), points, Type(Kind.REAL, (*batch, *ends)), node.span)


def _coordinates_agree(c: Context, args: list[Expr], coordinates: tuple[str, ...], node: ast.Call) -> bool:
    return all(arrays.agree(c, args[:2], label, node) for label in coordinates)


def _axis(value: Expr, label: str) -> Axis:
    assert isinstance(value, Apply)
    return next(a for a in value.type.axes if a.label == label)
