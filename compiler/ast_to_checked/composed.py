"""Distributions made of others or over categories: ``Categorical``, ``Mixture``, ``truncated``."""

from __future__ import annotations

import math
from dataclasses import replace

from emfppl.compiler.ast_to_checked import arguments, dims, dists, types
from emfppl.compiler.ast_to_checked.argument_values import Goal, in_range
from emfppl.compiler.ast_to_checked.constants import fold
from emfppl.compiler.ast_to_checked.context import Context, Env
from emfppl.compiler.ast_to_checked.declared import dims_number
from emfppl.compiler.distributions import Distribution, Parameter
from emfppl.compiler.expressions import Axis, Const, Expr, Kind
from emfppl.compiler.graph import Dist, Integers, Interval, Structured, Support
from emfppl.compiler.sizes import Size
from emfppl.compiler.supports import narrow, number
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.source import Span


def categorical(
    c: Context, node: ast.Call, row: Distribution, given: dict[str, ast.Expr], env: Env, goal: Goal
) -> dists.TypedDist | None:
    (name, arg), *_ = given.items()
    what = f"`{name}` of `Categorical`"
    value = types.type_of(c, arg, env)
    if value is None:
        return None
    over = _free_axis(c, value, goal, arg, what, "the categories")
    if over is None:
        return None
    parameter = arguments.form_of(row, given)[0]
    if not in_range(c, value, arg, row, parameter) or not dims.check_within(
        c, value, (*goal.axes, *goal.extra, over), what, goal.text, arg.span
    ):
        return None
    dist = Dist("Categorical", ((name, value),), (), over.label, node.span)
    size = over.length if over.length != Size.of(over.label) else Size.of(over.dim)
    support = Integers(number(0), dims_number(size - 1))
    return dists.TypedDist(dist, support, Kind.INDEX, over.dim)


def _free_axis(c: Context, value: Expr, goal: Goal, arg: ast.Expr, what: str, role: str) -> Axis | None:
    """The last axis that the target does not have."""
    taken = {a.label for a in (*goal.axes, *goal.extra)}
    free = [a for a in value.type.axes if a.label not in taken]
    if free:
        return free[-1]
    have = dims.dims_text([a.label for a in value.type.axes])
    message = f"{what} needs a dim for {role}, which `{goal.text}` does not have; this is {have}."
    hint = (
        "prime the dim of the categories, such as P[state, state']"
        if value.type.axes
        else "declare a dim for them and give the probabilities over it"
    )
    return c.error("E0313", message, arg.span, hint)


def mixture(
    c: Context, node: ast.Call, given: dict[str, ast.Expr], env: Env, goal: Goal
) -> dists.TypedDist | None:
    weights_node, inner = given["weights"], given["component"]
    what = "`weights` of `Mixture`"
    if isinstance(inner, ast.ListLiteral):
        hint = (
            "write one distribution whose arguments run over the dim of the weights: Mixture(w, "
            "Normal(mu, s)) with w[k] and mu[k]"
        )
        return c.error("E0509", "The components of a mixture are not a list.", inner.span, hint)
    weights = types.type_of(c, weights_node, env)
    over = None
    if weights is not None:
        over = _free_axis(c, weights, goal, weights_node, what, "the components")
    if over is None:
        dists.dist_of(c, inner, env, goal) if dists.row_of(c, inner) and weights is not None else None
        return None
    within = replace(goal, extra=(*goal.extra, over))
    component = dists.dist_of(c, inner, env, within)
    row = c.table.get("Mixture")
    if (
        component is None
        or row is None
        or weights is None
        or not in_range(c, weights, weights_node, row, row.forms[0][0])
    ):
        return None
    if not dims.check_within(c, weights, (*goal.axes, *within.extra), what, goal.text, weights_node.span):
        return None
    dist = Dist(
        "Mixture",
        (("weights", weights), ("component", component.dist)),
        component.dist.event,
        over.label,
        node.span,
    )
    if any(_mentions(bound, over.label) for bound in _bounds(component.support)):
        message = f"The components of this mixture differ in support along `{over.label}`."
        return c.error("E0506", message, inner.span, "bounds must be the same for all components")
    return replace(component, dist=dist)


def _bounds(support: Support) -> list[Expr]:
    return (
        []
        if isinstance(support, Structured)
        else [b for b in (support.lower, support.upper) if b is not None]
    )


def _mentions(expr: Expr, label: str) -> bool:
    return any(a.label == label for a in expr.type.axes)


def truncated(
    c: Context, node: ast.Call, row: Distribution, given: dict[str, ast.Expr], env: Env, goal: Goal
) -> dists.TypedDist | None:
    base = dists.dist_of(c, given["base"], env, goal)
    bounds: dict[str, Expr] = {}
    fine = True
    for parameter in row.forms[0][1:]:
        if parameter.name in given:
            value = _bound(c, given[parameter.name], row, parameter, env, goal)
            fine = fine and value is not None
            if value is not None and not (isinstance(value, Const) and math.isinf(value.value)):
                bounds[parameter.name] = value
    if base is None or not fine:
        return None
    if not isinstance(base.support, Interval):
        message = f"`{base.dist.name}` can't be truncated; only distributions of single real numbers can."
        hint = "for a density of your own write factor …, or register a distribution from Python"
        return c.error("E0509", message, given["base"].span, hint)
    if not bounds:
        return c.error(
            "E0502",
            "`truncated` needs a bound.",
            node.span,
            "write truncated(base, lower = 0) or truncated(base, 0, 1)",
        )
    return _cut(c, node, base, bounds)


def _bound(
    c: Context, node: ast.Expr, row: Distribution, parameter: Parameter, env: Env, goal: Goal
) -> Expr | None:
    """A bound of ``truncated``; it may be infinite."""
    what = f"`{parameter.name}` of `{row.name}`"
    value = types.type_of(c, node, env)
    if value is None:
        return None
    return (
        fold(value)
        if dims.check_within(c, value, (*goal.axes, *goal.extra), what, goal.text, node.span)
        else None
    )


def _cut(
    c: Context, node: ast.Call, base: dists.TypedDist, bounds: dict[str, Expr]
) -> dists.TypedDist | None:
    found = narrow(Interval(bounds.get("lower"), bounds.get("upper")), base.support)
    if found is None:
        return c.error(
            "E0505",
            f"Nothing of `{base.dist.name}` is left between these bounds.",
            node.span,
            "the lower bound comes first",
        )
    return replace(base, dist=cut(base.dist, found[0], node.span), support=found[0])


def cut(dist: Dist, support: Support, span: Span) -> Dist:
    """A distribution truncated to a narrower support; one that is truncated already is cut once for both."""
    assert isinstance(support, Interval)
    base = dict(dist.args)["base"] if dist.name == "truncated" else dist
    bounds = (("lower", support.lower), ("upper", support.upper))
    return Dist(
        "truncated", (("base", base), *((n, b) for n, b in bounds if b is not None)), dist.event, None, span
    )
