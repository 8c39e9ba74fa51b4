"""What stands behind ``~``: a distribution, its arguments typed and aligned, its support and the kind of
its draws."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import Any

from emfppl.compiler.ast_to_checked import arguments, composed, dims, types
from emfppl.compiler.ast_to_checked.argument_values import Goal, argument
from emfppl.compiler.ast_to_checked.context import Context, Env, near
from emfppl.compiler.ast_to_checked.laws import faulty
from emfppl.compiler.distributions import Distribution
from emfppl.compiler.expressions import Axis, Const, Expr, Kind
from emfppl.compiler.functions import NAMES
from emfppl.compiler.graph import Dist, Integers, Interval, Structured, Support
from emfppl.compiler.supports import number
from emfppl.grammar import ast_nodes as ast

SHORT_NAMES = {
    "N": "Normal", "dnorm": "Normal", "Gaussian": "Normal", "Norm": "Normal", "LogN": "LogNormal",
    "Exp": "Exponential", "Expon": "Exponential",
    "T": "StudentT", "t": "StudentT", "Student": "StudentT", "Bern": "Bernoulli", "Binom": "Binomial",
    "Pois": "Poisson", "Cat": "Categorical",
    "MvNormal": "MultivariateNormal", "MVN": "MultivariateNormal", "MvN": "MultivariateNormal",
    "multi_normal": "MultivariateNormal",
    "NegBinomial": "NegativeBinomial2",
    "neg_binomial_2": "NegativeBinomial2", "InvGamma": "InverseGamma",
    "inv_gamma": "InverseGamma", "double_exponential": "Laplace", "DoubleExponential": "Laplace",
    "LKJCorr": "LKJ",
    "lkj_corr_cholesky": "LKJCholesky", "Truncated": "truncated",
    "TruncatedNormal": "truncated(Normal(loc, scale), lower = a)",
    "U": "Uniform", "Unif": "Uniform", "B": "Bernoulli", "bernoulli_logit": "Bernoulli(logits = …)",
    "BernoulliLogits": "Bernoulli(logits = …)",
    "poisson_log": "Poisson(exp(…))", "binomial_logit": "Binomial(n, logits = …)",
    "ImproperUniform": "Flat()", "flat": "Flat()",
    "MixtureSameFamily": "Mixture(weights, component)", "Multinoulli": "Categorical",
    "std_normal": "Normal(0, 1)",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TypedDist:
    """A distribution with its support, the kind of its draws, and how many of the target's last axes are
    its event."""

    dist: Dist
    support: Support
    kind: Kind
    of: str | None = None
    event_rank: int = 0
    levels: Axis | None = None  # of ordered categories: an axis as long as there are of them


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
        return composed.mixture(c, node, given, env, goal)
    if row.name == "truncated":
        return composed.truncated(c, node, row, given, env, goal)
    if row.name == "censored":
        return composed.censored(c, node, row, given, env, goal)
    if row.name == "rounded":
        return composed.rounded(c, node, row, given, env, goal)
    if row.name == "Categorical":
        return composed.categorical(c, node, row, given, env, goal)
    if row.name == "OrderedLogistic":
        return composed.ordered_logistic(c, node, row, given, env, goal)
    if row.name == "ZeroInflated":
        return composed.zero_inflated(c, node, row, given, env, goal)
    return _plain(c, node, row, given, env, goal)


def _no_distribution(c: Context, node: ast.Expr, env: Env) -> Any:
    if isinstance(node, ast.Call) and faulty(c, node.func):
        return None
    if isinstance(node, ast.Call) and node.func not in NAMES and node.func not in c.functions:
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


def _unknown(c: Context, node: ast.Call) -> Any:
    from emfppl.grammar.habits import hint_for_name

    name = node.func
    if name in c.models:
        hint = f"draw from it on its own line: x ~ {name}(…)"
        return c.error("E0906", f"`{name}` is a model; only a distribution can stand here.", node.func_span, hint)
    short = SHORT_NAMES.get(name)
    hint = hint_for_name(name) or (f"here that is {short}" if short else near(name, _candidates(c, name)))
    what = "distribution or model" if c.models else "distribution"
    return c.error(
        "E0207",
        f"There is no {what} named `{name}`.",
        node.func_span,
        hint or "docs/language.md lists them all",
    )


def _candidates(c: Context, name: str) -> list[str]:
    """What a name may have been meant to be: distributions, models, and those of an import with a name of its own."""
    start, dot, _ = name.rpartition(".")
    return [*c.table.names, *c.models, *(f"{start}.{model.rpartition('.')[2]}" for model in c.models if dot)]


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
        message = (
            f"`{row.name}` draws a square matrix; `{goal.text}` ends in {event[0].label} and "
            f"{event[1].label}."
        )
        return c.error("E0313", message, node.span, f"write {goal.name}[{event[0].label}, {event[0].label}']")
    return event


def _plain(
    c: Context, node: ast.Call, row: Distribution, given: dict[str, ast.Expr], env: Env, goal: Goal
) -> TypedDist | None:
    event = _event(c, node, row, goal)
    if event is None:
        for given_node in given.values():
            if not isinstance(given_node, ast.ListLiteral):
                types.type_of(c, given_node, env)
        return None
    args: list[tuple[str, Expr]] = []
    fine = True
    for parameter in arguments.form_of(row, given):
        default = None if parameter.default is None else number(float(parameter.default))
        value: Expr | None = default
        if parameter.name in given:
            value = argument(c, given[parameter.name], row, parameter, env, goal, event)
            fine = fine and value is not None
        if value is not None:
            args.append((parameter.name, value))
    if not fine or not _ordered_bounds(c, node, row, dict(args)):
        return None
    dist = Dist(row.name, tuple(args), tuple(a.label for a in event), None, node.span)
    support, kind = support_of(row, dict(args))
    return TypedDist(dist, support, kind, None, row.event_rank)


def _ordered_bounds(c: Context, node: ast.Call, row: Distribution, args: dict[str, Expr]) -> bool:
    name, _, inside = row.support.rstrip(")").partition("(")
    if name not in ("interval", "whole"):
        return True
    low, high = (args.get(n) for n in inside.split(", "))
    order = operator.ge if name == "interval" else operator.gt
    if isinstance(low, Const) and isinstance(high, Const) and order(low.value, high.value):
        here = f"here they are {low.value:g} and {high.value:g}"
        c.error("E0505", f"The bounds of `{row.name}` go from low to high; {here}.", node.span)
        return False
    return True


def support_of(row: Distribution, args: dict[str, Expr]) -> tuple[Support, Kind]:
    """The support that a row of the table names, and the kind of its draws."""
    name, _, inside = row.support.partition("(")
    inner = [args[n] if n in args else number(float(n)) for n in inside.rstrip(")").split(", ")] if inside else []
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
        case "below":
            return Interval(None, inner[0]), Kind.REAL
        case "circular":
            return Interval(number(-math.pi), number(math.pi)), Kind.REAL
        case "bool":
            return Integers(number(0), number(1)), Kind.BOOL
        case "count":
            return Integers(number(0)), Kind.INT
        case "whole":
            return Integers(*map(_as_whole, inner)), Kind.INT
        case "upto":
            return Integers(number(0), inner[0]), Kind.INT
        case "integer" | "int":
            return Integers(), Kind.INT
        case "real":
            return Interval(), Kind.REAL
    return Structured(name), Kind.REAL


def _as_whole(bound: Expr) -> Expr:
    """A constant bound of whole numbers as one itself."""
    return number(int(bound.value)) if isinstance(bound, Const) and bound.value == int(bound.value) else bound
