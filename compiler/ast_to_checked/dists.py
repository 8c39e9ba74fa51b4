"""What stands behind ``~``: a distribution, its arguments typed and aligned, its support and the kind of its draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from emfppl.compiler.ast_to_checked import arguments, dims, types
from emfppl.compiler.ast_to_checked.constants import fold
from emfppl.compiler.ast_to_checked.context import Context, Env, near
from emfppl.compiler.ast_to_checked.declared import dims_number
from emfppl.compiler.ast_to_checked.names import FUNCTIONS
from emfppl.compiler.distributions import COUNT, POSITIVE, SIMPLEX, UNIT, Distribution, Parameter
from emfppl.compiler.expressions import Array, Axis, Const, Expr, Kind, Relabel
from emfppl.compiler.graph import Dist, Integers, Interval, Structured, Support
from emfppl.compiler.sizes import Size
from emfppl.compiler.supports import number
from emfppl.grammar import ast_nodes as ast

SHORT_NAMES = {
    "N": "Normal", "dnorm": "Normal", "Gaussian": "Normal", "Norm": "Normal", "LogN": "LogNormal", "Exp": "Exponential", "Expon": "Exponential",
    "T": "StudentT", "t": "StudentT", "Student": "StudentT", "Bern": "Bernoulli", "Binom": "Binomial", "Pois": "Poisson", "Cat": "Categorical",
    "MvNormal": "MultivariateNormal", "MVN": "MultivariateNormal", "MvN": "MultivariateNormal", "multi_normal": "MultivariateNormal",
    "NegBinomial": "NegativeBinomial2", "NegativeBinomial": "NegativeBinomial2", "neg_binomial_2": "NegativeBinomial2", "InvGamma": "InverseGamma",
    "inv_gamma": "InverseGamma", "double_exponential": "Laplace", "DoubleExponential": "Laplace", "LKJCorr": "LKJCholesky",
    "lkj_corr_cholesky": "LKJCholesky", "Truncated": "truncated", "TruncatedNormal": "truncated(Normal(loc, scale), lower = a)",
    "U": "Uniform", "Unif": "Uniform", "B": "Bernoulli", "bernoulli_logit": "Bernoulli(logits = …)", "BernoulliLogits": "Bernoulli(logits = …)",
    "poisson_log": "Poisson(exp(…))", "binomial_logit": "Binomial(n, logits = …)", "ImproperUniform": "Flat()", "flat": "Flat()",
    "MixtureSameFamily": "Mixture(weights, component)", "Multinoulli": "Categorical", "std_normal": "Normal(0, 1)",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Goal:
    """What a distribution is to fill: the target's whole axes, and further labels that its arguments may have (``Mixture``)."""

    axes: tuple[Axis, ...]
    text: str
    name: str
    extra: tuple[Axis, ...] = ()


@dataclass(frozen=True, slots=True)
class TypedDist:
    """A distribution with its support, the kind of its draws, and how many of the target's last axes are its event."""

    dist: Dist
    support: Support
    kind: Kind
    of: str | None = None
    event_rank: int = 0


def row_of(c: Context, node: ast.Expr) -> Distribution | None:
    """The row of the table that a right-hand side names, if any."""
    return c.table.get(node.func) if isinstance(node, ast.Call) else None


def dist_of(c: Context, node: ast.Expr, env: Env, goal: Goal) -> TypedDist | None:
    """The distribution behind ``~`` or inside another one."""
    row = row_of(c, node)
    if row is None:
        return _no_distribution(c, node, env)
    assert isinstance(node, ast.Call)
    given = arguments.bind(c, node, row)
    if given is None:
        for arg in node.args:
            if not isinstance(arg.value, ast.ListLiteral) and row_of(c, arg.value) is None:
                types.type_of(c, arg.value, env)
        return None
    if row.name == "Mixture":
        return _mixture(c, node, given, env, goal)
    if row.name == "truncated":
        return _truncated(c, node, row, given, env, goal)
    if row.name == "Categorical":
        return _categorical(c, node, row, given, env, goal)
    return _plain(c, node, row, given, env, goal)


def _no_distribution(c: Context, node: ast.Expr, env: Env) -> None:
    if isinstance(node, ast.Call) and node.func not in FUNCTIONS and node.func not in c.functions:
        for arg in node.args:
            if not isinstance(arg.value, ast.ListLiteral) and row_of(c, arg.value) is None:
                types.type_of(c, arg.value, env)
        return _unknown(c, node)
    before = len(c.found)
    types.type_of(c, node, env)
    if any(d.is_error for d in c.found[before:]) and not isinstance(node, ast.Name):
        return None
    del c.found[before:]
    if isinstance(node, ast.Name) and (node.id in c.table.names or node.id in SHORT_NAMES):
        name = node.id if node.id in c.table.names else SHORT_NAMES[node.id]
        return c.error(
            "E0507",
            f"`{node.id}` needs its arguments.",
            node.span,
            f"write {name}(…)" if "(" not in name else f"write {name}",
        )
    hint = "for a value that follows from others write = in place of ~"
    return c.error("E0507", f"Behind ~ stands a distribution; `{c.text(node)}` is a value.", node.span, hint)


def _unknown(c: Context, node: ast.Call) -> None:
    from emfppl.grammar.habits import hint_for_name

    name = node.func
    short = SHORT_NAMES.get(name)
    hint = f"here that is {short}" if short else near(name, c.table.names) or hint_for_name(name) or ""
    return c.error(
        "E0207",
        f"There is no distribution named `{name}`.",
        node.func_span,
        hint or "docs/language.md lists them all",
    )


# ---------------------------------------------------------------- one row of the table


def _event(c: Context, node: ast.Call, row: Distribution, goal: Goal) -> tuple[Axis, ...] | None:
    """The target's last axes, as many as a draw has."""
    rank = row.event_rank
    if rank > len(goal.axes):
        shape = "a vector: its target ends in a dim" if rank == 1 else "a matrix: its target ends in two dims"
        example = f"{goal.name}[k] ~ {row.name}(…)" if rank == 1 else f"{goal.name}[k, k'] ~ {row.name}(…)"
        return c.error(
            "E0313",
            f"`{row.name}` draws {shape}; `{goal.text}` has {'none' if not goal.axes else 'one only'}.",
            node.span,
            f"write {example}",
        )
    event = goal.axes[len(goal.axes) - rank :]
    if rank == 2 and not dims.same_length(c, *event):
        message = f"`{row.name}` draws a square matrix; `{goal.text}` ends in {event[0].label} and {event[1].label}."
        return c.error("E0313", message, node.span, f"write {goal.name}[{event[0].label}, {event[0].label}']")
    return event


def _plain(
    c: Context, node: ast.Call, row: Distribution, given: dict[str, ast.Expr], env: Env, goal: Goal
) -> TypedDist | None:
    event = _event(c, node, row, goal)
    if event is None:
        for value in given.values():
            if not isinstance(value, ast.ListLiteral):
                types.type_of(c, value, env)
        return None
    args: list[tuple[str, Expr]] = []
    fine = True
    for parameter in arguments.form_of(row, given):
        if parameter.name in given:
            value = _argument(c, given[parameter.name], row, parameter, env, goal, event)
            fine = fine and value is not None
        else:
            value = None if parameter.default is None else number(float(parameter.default))
        if value is not None:
            args.append((parameter.name, value))
    if not fine or not _ordered_bounds(c, node, row, dict(args)):
        return None
    dist = Dist(row.name, tuple(args), tuple(a.label for a in event), None, node.span)
    support, kind = support_of(row, dict(args))
    return TypedDist(dist, support, kind, None, row.event_rank)


def _ordered_bounds(c: Context, node: ast.Call, row: Distribution, args: dict[str, Expr]) -> bool:
    if not row.support.startswith("interval("):
        return True
    low, high = (args.get(n) for n in row.support[9:-1].split(", "))
    if isinstance(low, Const) and isinstance(high, Const) and low.value >= high.value:
        c.error(
            "E0505",
            f"`{row.name}` needs its lower bound below its upper bound; here {low.value:g} and {high.value:g}.",
            node.span,
        )
        return False
    return True


def support_of(row: Distribution, args: dict[str, Expr]) -> tuple[Support, Kind]:
    """The support that a row of the table names, and the kind of its draws."""
    name, _, inside = row.support.partition("(")
    inner = [args[n] for n in inside.rstrip(")").split(", ")] if inside else []
    match name:
        case "positive":
            return Interval(number(0.0), None, True), Kind.REAL
        case "nonnegative":
            return Interval(number(0.0)), Kind.REAL
        case "unit":
            return Interval(number(0.0), number(1.0)), Kind.REAL
        case "interval":
            return Interval(inner[0], inner[1]), Kind.REAL
        case "above":
            return Interval(inner[0]), Kind.REAL
        case "circular":
            return Interval(number(-math.pi), number(math.pi)), Kind.REAL
        case "bool":
            return Integers(number(0), number(1)), Kind.BOOL
        case "count":
            return Integers(number(0)), Kind.INT
        case "upto":
            return Integers(number(0), inner[0]), Kind.INT
        case "integer" | "int":
            return Integers(), Kind.INT
        case "real":
            return Interval(), Kind.REAL
    return Structured(name), Kind.REAL


# ---------------------------------------------------------------- one argument


def _argument(
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
    value = types.type_of(c, node, env, tuple(wanted) if parameter.rank else None)
    if value is None or not types.need_number(c, value, node, what):
        return None
    value = fold(value)
    if not _in_range(c, value, node, row, parameter):
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


def _core(event: Sequence[Axis], rank: int) -> list[Axis]:
    """The axes of an argument's core: the event's, or for a matrix over a vector's, the dim and its primed twin."""
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


def _in_range(c: Context, value: Expr, node: ast.Expr, row: Distribution, parameter: Parameter) -> bool:
    """Whether constants are what the argument may be."""
    what = f"`{parameter.name}` of `{row.name}`"
    if parameter.kind == COUNT and value.type.kind is Kind.REAL:
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


# ---------------------------------------------------------------- distributions made of others


def _categorical(
    c: Context, node: ast.Call, row: Distribution, given: dict[str, ast.Expr], env: Env, goal: Goal
) -> TypedDist | None:
    (name, arg), *_ = given.items()
    what = f"`{name}` of `Categorical`"
    value = types.type_of(c, arg, env)
    if value is None or not types.need_number(c, value, arg, what):
        return None
    over = _free_axis(c, value, goal, arg, what, "the categories")
    if over is None:
        return None
    parameter = arguments.form_of(row, given)[0]
    if not _in_range(c, value, arg, row, parameter) or not dims.check_within(
        c, value, (*goal.axes, *goal.extra, over), what, goal.text, arg.span
    ):
        return None
    dist = Dist("Categorical", ((name, value),), (), over.label, node.span)
    size = over.length if over.length != Size.of(over.label) else Size.of(over.dim)
    support = Integers(number(0), dims_number(size - 1))
    return TypedDist(dist, support, Kind.INDEX, over.dim)


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


def _mixture(
    c: Context, node: ast.Call, given: dict[str, ast.Expr], env: Env, goal: Goal
) -> TypedDist | None:
    weights_node, inner = given["weights"], given["component"]
    what = "`weights` of `Mixture`"
    if isinstance(inner, ast.ListLiteral):
        hint = "write one distribution whose arguments run over the dim of the weights: Mixture(w, Normal(mu, s)) with w[k] and mu[k]"
        return c.error("E0509", "The components of a mixture are not a list.", inner.span, hint)
    weights = types.type_of(c, weights_node, env)
    over = None
    if weights is not None and types.need_number(c, weights, weights_node, what):
        over = _free_axis(c, weights, goal, weights_node, what, "the components")
    if over is None:
        dist_of(c, inner, env, goal) if row_of(c, inner) and weights is not None else None
        return None
    within = replace(goal, extra=(*goal.extra, over))
    component = dist_of(c, inner, env, within)
    row = c.table.get("Mixture")
    if (
        component is None
        or row is None
        or weights is None
        or not _in_range(c, weights, weights_node, row, row.forms[0][0])
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


def _truncated(
    c: Context, node: ast.Call, row: Distribution, given: dict[str, ast.Expr], env: Env, goal: Goal
) -> TypedDist | None:
    base = dist_of(c, given["base"], env, goal)
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
        return c.error("E0509", message, given["base"].span)
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
    if value is None or not types.need_number(c, value, node, what):
        return None
    return (
        fold(value)
        if dims.check_within(c, value, (*goal.axes, *goal.extra), what, goal.text, node.span)
        else None
    )


def _cut(c: Context, node: ast.Call, base: TypedDist, bounds: dict[str, Expr]) -> TypedDist | None:
    from emfppl.compiler.supports import narrow

    found = narrow(Interval(bounds.get("lower"), bounds.get("upper")), base.support)
    if found is None:
        return c.error(
            "E0505",
            f"Nothing of `{base.dist.name}` is left between these bounds.",
            node.span,
            "the lower bound comes first",
        )
    dist = Dist("truncated", (("base", base.dist), *bounds.items()), base.dist.event, None, node.span)
    return replace(base, dist=dist, support=found[0])
