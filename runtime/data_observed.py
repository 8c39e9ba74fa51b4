"""Observed data against the support of their distribution, as far as that is known from constants and data; and what
stands in for missing entries."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from emfppl.compiler.expressions import At, Expr, Kind
from emfppl.compiler.graph import Graph, Integers, Interval, RandomNode, Structured, Variable
from emfppl.runtime.data_report import Coords, Report, entry, first, more, number_text
from emfppl.runtime.data_structures import MATRICES, VECTORS, check_structure
from emfppl.runtime.data_values import Known, NotKnown, value_over

# Of the positive ones, those whose density at 0 is 0 whatever their arguments.
NOTHING_AT_ZERO = ("LogNormal", "InverseGamma", "Frechet")
SHARED_OUT = ("Multinomial", "DirichletMultinomial")


def check_observed(
    report: Report,
    variable: Variable,
    values: Mapping[str, np.ndarray],
    missing: np.ndarray | None,
    coords: Coords,
    sizes: Mapping[str, int],
) -> None:
    """Tell of observed values that their distribution gives no density."""
    for node in observing(report.graph, variable.name):
        if isinstance(node.support, Structured):
            _check_structure(report, variable, node.dist.name, node.support.name, values[variable.name], coords)
        elif report.sound(variable):
            lower, upper, part = bounds(node, values, sizes)
            x = values[variable.name][part]
            opened = node.dist.name in NOTHING_AT_ZERO
            bad = np.zeros(values[variable.name].shape, bool)
            bad[part] = (x <= lower if opened else x < lower) | (x > upper)
            bad &= True if missing is None else ~missing
            if bad.any():
                _tell(report, variable, node, values[variable.name], bad, coords, upper, part)
            elif node.dist.name in SHARED_OUT and missing is None:
                _check_totals(report, variable, node, x, upper, coords)


def _check_totals(
    report: Report, variable: Variable, node: RandomNode, x: np.ndarray, total: np.ndarray, coords: Coords
) -> None:
    """Counts that are shared out among categories add up to their total."""
    wanted = np.broadcast_to(total, x.shape)[..., 0]
    bad = np.isfinite(wanted) & (x.sum(-1) != wanted)
    if bad.any():
        position = first(bad)
        where = entry(variable, position, coords)
        message = (
            f"{where} adds up to {number_text(x[position].sum())}, but the total_count of `{node.dist.name}` is "
            f"{number_text(wanted[position])} here.{more(bad)}"
        )
        hint = f"its total_count is the sum of the counts, such as sum({variable.name}, over = {variable.dims[-1]})"
        report.about(variable, "E1014", message, hint, [(node.dist.span, "its distribution")])


def _check_structure(
    report: Report, variable: Variable, family: str, structure: str, x: np.ndarray, coords: Coords
) -> None:
    """Data declared real that come from a distribution of simplices or matrices, all of them complete."""
    if isinstance(variable.support, Interval) and structure in {**VECTORS, **MATRICES} and np.isfinite(x).all():
        claim = f"`{family}` draws {'an' if structure[0] == 'o' else 'a'} {structure}"
        check_structure(report, variable, structure, x, coords, "E1014", claim)


def observing(graph: Graph, name: str) -> list[RandomNode]:
    return [n for n in graph.nodes if isinstance(n, RandomNode) and n.observed and n.target.name == name]


def part_of(
    node: RandomNode, values: Mapping[str, np.ndarray], sizes: Mapping[str, int]
) -> tuple[tuple[slice | int, ...], tuple[str, ...], Known]:
    """The part of its variable that a node defines (an index of the array), the labels of that part's axes, and what is
    known there."""
    loops = {a.label: (a.lower.evaluate(sizes), a.upper.evaluate(sizes)) for a in node.domain}
    known = Known(sizes, values, loops)
    labels = [i.loop if isinstance(i, At) else i.axis.label for i in node.target.indices]
    part = tuple(_positions(i, known) for i in node.target.indices)
    return part, tuple(label for label in labels if label is not None), known


def bounds(
    node: RandomNode, values: Mapping[str, np.ndarray], sizes: Mapping[str, int]
) -> tuple[np.ndarray, np.ndarray, tuple]:
    """Lower and upper bound of the distribution over the part of the variable that the node observes, and that part;
    infinite where they depend on anything but constants and data."""
    part, labels, known = part_of(node, values, sizes)
    support = node.support
    assert isinstance(support, Interval | Integers)
    return _bound(support.lower, -np.inf, labels, known), _bound(support.upper, np.inf, labels, known), part


def _positions(index: object, known: Known) -> slice | int:
    """One axis of the part: a slice, or a single position."""
    if isinstance(index, At):
        offset = index.offset.evaluate(known.sizes)
        if index.loop is None:
            return offset
        lower, upper = known.loops[index.loop]
        return affine_slice(index.scale, offset, lower, upper)
    return slice(None)


def affine_slice(scale: int, offset: int, lower: int, upper: int) -> slice:
    """The positions ``scale * t + offset`` for t in ``[lower, upper)``, upwards or downwards."""
    last = scale * (upper - 1) + offset
    return slice(scale * lower + offset, last + 1 if scale > 0 else last - 1 if last else None, scale)


def _bound(expr: Expr | None, otherwise: float, labels: tuple[str, ...], known: Known) -> np.ndarray:
    try:
        return np.asarray(otherwise if expr is None else value_over(expr, labels, known))
    except (NotKnown, KeyError):
        return np.asarray(otherwise)


def _tell(
    report: Report,
    variable: Variable,
    node: RandomNode,
    x: np.ndarray,
    bad: np.ndarray,
    coords: Coords,
    upper: np.ndarray,
    part: tuple,
) -> None:
    position = first(bad)
    family = node.dist.name
    limit = np.full(x.shape, np.nan)
    limit[part] = upper
    above = x[position] > limit[position]
    why = f"goes up to {number_text(limit[position])} here" if above else f"gives no density to {number_text(x[position])}"
    message = f"{entry(variable, position, coords)} is {number_text(x[position])}, but `{family}` {why}.{more(bad)}"
    hint = "data of a Binomial count successes, total_count is the number of trials" if family == "Binomial" else ""
    report.about(variable, "E1014", message, hint, [(node.dist.span, "its distribution")])


# ---------------------------------------------------------------- in place of missing entries


def filled(
    graph: Graph,
    variable: Variable,
    values: Mapping[str, np.ndarray],
    missing: np.ndarray,
    declared: tuple[float, float],
    sizes: Mapping[str, int],
) -> np.ndarray:
    """The data with every missing entry replaced by a value to which type and distribution give a density."""
    x = values[variable.name]
    low, high = np.full(x.shape, declared[0]), np.full(x.shape, declared[1])
    for node in observing(graph, variable.name):
        if isinstance(node.support, Interval | Integers):
            lower, upper, part = bounds(node, values, sizes)
            low[part], high[part] = np.maximum(low[part], lower), np.minimum(high[part], upper)
    present = x[~missing]
    usual = float(np.median(present)) if present.size and variable.kind is Kind.REAL else 0.0
    return np.where(missing, _inside(low, high, usual, variable.kind is Kind.REAL), x)


def _inside(low: np.ndarray, high: np.ndarray, usual: float, real: bool) -> np.ndarray:
    """A value between two bounds: `usual` if it is one."""
    with np.errstate(invalid="ignore"):
        middle = np.where(np.isfinite(low) & np.isfinite(high), (low + high) / 2, np.where(np.isfinite(low), low + 1, high - 1))
    if not real:
        return np.where(np.isfinite(low), low, np.where(np.isfinite(high), np.minimum(high, usual), usual))
    return np.where((usual > low) & (usual < high), usual, middle)
