"""Data that stand as arguments of distributions: a scale of -10 is told before the fit, not as a NaN in it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from emfppl.compiler import distributions as table
from emfppl.compiler.distributions import STANDARD
from emfppl.compiler.expressions import Const, Expr, Ref, walk
from emfppl.compiler.graph import Dist, Graph, RandomNode, Role
from emfppl.runtime.data_observed import part_of
from emfppl.runtime.data_report import Coords, Report, entry, first, more, number_text
from emfppl.runtime.data_values import NotKnown, value_over

# What an argument must be: lower bound, whether that is left out, upper bound, and the same in words.
LIMITS = {
    table.POSITIVE: (0.0, True, np.inf, "is above 0"),
    table.UNIT: (0.0, False, 1.0, "is between 0 and 1"),
    table.COUNT: (0.0, False, np.inf, "is not negative"),
}


def check_arguments(
    report: Report, values: Mapping[str, np.ndarray], coords: Coords, sizes: Mapping[str, int]
) -> None:
    """Tell of arguments made of constants and data only that lie outside what the distribution allows."""
    for node in report.graph.nodes:
        if isinstance(node, RandomNode) and (row := STANDARD.get(node.dist.name)) is not None:
            kinds = {p.name: p.kind for form in row.forms for p in form}
            for name, value in node.dist.args:
                if kinds.get(name) in LIMITS and not isinstance(value, Dist | Const):
                    _check(report, node, name, value, kinds[name], values, coords, sizes)


def _check(
    report: Report,
    node: RandomNode,
    name: str,
    expr: Expr,
    kind: str,
    values: Mapping[str, np.ndarray],
    coords: Coords,
    sizes: Mapping[str, int],
) -> None:
    lower, opened, upper, words = LIMITS[kind]
    variable = report.graph.variable(node.target.name)
    try:
        part, labels, known = part_of(node, values, sizes)
        argument = value_over(expr, labels, known)
    except (NotKnown, KeyError):
        return
    shape = tuple(sizes[d.rstrip("'")] for d in variable.dims)
    whole = np.full(shape, np.nan)
    whole[part] = argument
    bad = (whole <= lower if opened else whole < lower) | (whole > upper)
    if bad.any():
        position = first(bad)
        message = (
            f"`{node.dist.name}` gets the {name} {number_text(whole[position])} for "
            f"{entry(variable, position, coords)}, but a {name} {words}.{more(bad)}"
        )
        data = _data_in(report.graph, expr)
        span = report.graph.variable(data[0]).span if len(data) == 1 else None
        notes = [(span, "made of these data")] if span is not None else []
        report.at(node.dist.span, "E1014", message, _hint(data, kind), notes)


def _data_in(graph: Graph, expr: Expr) -> list[str]:
    roles = {v.name: v.role for v in graph.variables}
    names = dict.fromkeys(x.name for x in walk(expr) if isinstance(x, Ref))
    return [n for n in names if roles.get(n) in (Role.DATA, Role.OBSERVED)]


def _hint(data: list[str], kind: str) -> str:
    return f"declared {kind}, `{data[0]}` would be checked entry by entry" if len(data) == 1 else ""
