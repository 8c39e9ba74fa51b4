"""Distributions made of others or over categories: ``Categorical``, ``Mixture``, ``truncated``."""

from __future__ import annotations

import math
from dataclasses import replace

from emfppl.compiler.ast_to_checked import arguments, dims, dists, types
from emfppl.compiler.ast_to_checked.argument_values import Goal, argument, in_range
from emfppl.compiler.ast_to_checked.constants import fold
from emfppl.compiler.ast_to_checked.context import Context, Env
from emfppl.compiler.ast_to_checked.declared import dims_number
from emfppl.compiler.distributions import Distribution, Parameter
from emfppl.compiler.expressions import Axis, Const, Expr, Kind
from emfppl.compiler.graph import Dist, Integers, Interval, Structured, Support
from emfppl.compiler.sizes import Size
from emfppl.compiler.supports import limits, narrow, number
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.source import Span


def categorical(
    c: Context, node: ast.Call, row: Distribution, given: dict[str, ast.Expr], env: Env, goal: Goal
) -> dists.TypedDist | None:
    (name, arg), *_ = given.items()
    what = f"`{name}` of `Categorical`"
    value = types.type_of(c, arg, env, _place_of_list(c, arg, goal))
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


def ordered_logistic(
    c: Context, node: ast.Call, row: Distribution, given: dict[str, ast.Expr], env: Env, goal: Goal
) -> dists.TypedDist | None:
    """Ordered categories, numbered from 0: one more than there are cutpoints."""
    predictor = argument(c, given["predictor"], row, row.forms[0][0], env, goal, ())
    cutpoints = types.type_of(c, given["cutpoints"], env)
    if predictor is None or cutpoints is None:
        return None
    what = "`cutpoints` of `OrderedLogistic`"
    over = _free_axis(c, cutpoints, goal, given["cutpoints"], what, "the cutpoints")
    if over is None or not dims.check_within(
        c, cutpoints, (*goal.axes, *goal.extra, over), what, goal.text, given["cutpoints"].span
    ):
        return None
    dist = Dist("OrderedLogistic", (("predictor", predictor), ("cutpoints", cutpoints)), (), over.label, node.span)
    support = Integers(number(0), dims_number(over.length))
    return dists.TypedDist(dist, support, Kind.INT, levels=replace(over, upper=over.upper + 1))


def zero_inflated(
    c: Context, node: ast.Call, row: Distribution, given: dict[str, ast.Expr], env: Env, goal: Goal
) -> dists.TypedDist | None:
    """``ZeroInflated(base, gate)``: the base is a distribution of counts that may be 0."""
    base = dists.dist_of(c, given["base"], env, goal)
    parameter = arguments.form_of(row, given)[1]
    gate = argument(c, given[parameter.name], row, parameter, env, goal, ())
    if base is None or gate is None:
        return None
    lower = limits(base.support)[0] if isinstance(base.support, Integers) else None
    if base.kind not in (Kind.INT, Kind.BOOL) or base.event_rank or base.levels or lower != 0:
        message = f"`{base.dist.name}` can't be inflated at 0; only distributions of counts from 0 on can."
        hint = "for a continuous one use Mixture, or a model of whether there is anything and one of how much"
        return c.error("E0509", message, given["base"].span, hint)
    dist = Dist("ZeroInflated", (("base", base.dist), (parameter.name, gate)), base.dist.event, None, node.span)
    return replace(base, dist=dist)


def _place_of_list(c: Context, node: ast.Expr, goal: Goal) -> tuple[Axis, ...] | None:
    """What a list of probabilities runs over: the dim that the target indexes, or else the one dim that is as long."""
    if not isinstance(node, ast.ListLiteral):
        return None
    taken = {a.dim for a in (*goal.axes, *goal.extra)}
    alike = [d for d in c.dims.sizes if d not in taken and c.dims.known(Size.of(d)) == len(node.items)]
    dim = goal.of or (alike[0] if len(alike) == 1 else None)
    return None if dim is None else (Axis.whole(dim),)


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
        if role != "the cutpoints"
        else "declare a dim for them, dim cut = 4, and draw them: c[cut]: ordered ~ Normal(0, 5)"
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
    weights = types.type_of(c, weights_node, env, _place_of_list(c, weights_node, goal))
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
    if component.dist.name in OBSERVED_ONLY:
        message = f"`{component.dist.name}` stands outermost: what is recorded comes last."
        return c.error("E0509", message, inner.span, f"write {component.dist.name}(Mixture(weights, component), …)")
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
    found = _bounded(c, node, row, given, env, goal)
    return found and _cut(c, node, *found)


def censored(
    c: Context, node: ast.Call, row: Distribution, given: dict[str, ast.Expr], env: Env, goal: Goal
) -> dists.TypedDist | None:
    """``censored(base, lower, upper)``: recorded values at a limit or beyond say no more than that."""
    found = _bounded(c, node, row, given, env, goal)
    if found is None:
        return None
    base, bounds = found
    low, high = bounds.get("lower"), bounds.get("upper")
    if isinstance(low, Const) and isinstance(high, Const) and low.value >= high.value:
        message = f"Everything is censored between these limits, {low.value:g} and {high.value:g}."
        return c.error("E0505", message, node.span, "the lower limit comes first")
    dist = Dist("censored", (("base", base.dist), *bounds.items()), base.dist.event, None, node.span)
    return replace(base, dist=dist)


def rounded(
    c: Context, node: ast.Call, row: Distribution, given: dict[str, ast.Expr], env: Env, goal: Goal
) -> dists.TypedDist | None:
    """``rounded(base, step)``: real numbers recorded to the nearest multiple of a step."""
    base = dists.dist_of(c, given["base"], env, goal)
    step: Expr | None = number(1.0)
    if "step" in given:
        step = argument(c, given["step"], row, row.forms[0][1], env, goal, ())
    if base is None or step is None:
        return None
    if base.kind is not Kind.REAL or not has_tails(c, base):
        message = f"`{base.dist.name}` can't be rounded; only distributions of single real numbers can."
        return c.error("E0509", message, given["base"].span)
    return replace(base, dist=Dist("rounded", (("base", base.dist), ("step", step)), base.dist.event, None, node.span))


OBSERVED_ONLY = ("censored", "rounded")


def _bounded(
    c: Context, node: ast.Call, row: Distribution, given: dict[str, ast.Expr], env: Env, goal: Goal
) -> tuple[dists.TypedDist, dict[str, Expr]] | None:
    """The base and the bounds of ``truncated`` and ``censored``."""
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
    name = row.name
    if not has_tails(c, base):
        message = f"`{base.dist.name}` can't be {name}; only distributions of single numbers with a distribution function can."
        hint = "for a density of your own write factor …"
        if base.dist.name in OBSERVED_ONLY:
            message = f"`{base.dist.name}` stands outermost: what is recorded comes last."
            hint = f"write {base.dist.name}({name}(…), …)"
        return c.error("E0509", message, given["base"].span, hint)
    if not bounds:
        hint = f"write {name}(base, lower = 0) or {name}(base, 0, 1)"
        return c.error("E0502", f"`{name}` needs a bound.", node.span, hint)
    return base, bounds


NO_TAILS = ("Categorical", "OrderedLogistic", "BetaBinomial", "censored", "rounded")


def has_tails(c: Context, typed: dists.TypedDist) -> bool:
    """Whether a distribution is one of single numbers with a distribution function (or a density that is integrated)."""
    if typed.event_rank or isinstance(typed.support, Structured):
        return False
    return all(_row_has_tails(c.table.get(name)) for name in _names(typed.dist))


def _names(dist: Dist) -> list[str]:
    """The names of a distribution and of those inside it."""
    inner = [n for _, v in dist.args if isinstance(v, Dist) for n in _names(v)]
    return [dist.name, *inner]


def _row_has_tails(row: Distribution | None) -> bool:
    if row is None or row.name in NO_TAILS:
        return False
    return row.log_prob is None or not row.discrete


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
    cut_to = Interval if isinstance(base.support, Interval) else Integers
    found = narrow(cut_to(bounds.get("lower"), bounds.get("upper")), base.support)
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
    assert isinstance(support, Interval | Integers)
    base = dict(dist.args)["base"] if dist.name == "truncated" else dist
    bounds = (("lower", support.lower), ("upper", support.upper))
    return Dist(
        "truncated", (("base", base), *((n, b) for n, b in bounds if b is not None)), dist.event, None, span
    )
