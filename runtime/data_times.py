"""Times of differential equations that are known: they ascend from the start on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from emfppl.compiler.expressions import Expr, Ode, Ref, walk
from emfppl.compiler.graph import Node, node_exprs
from emfppl.runtime.data_report import Coords, Report, entry, first, number_text
from emfppl.runtime.data_values import Known, NotKnown, value_over


def check_times(report: Report, values: Mapping[str, np.ndarray], coords: Coords, sizes: Mapping[str, int]) -> None:
    """Tell of times that go back, or lie before t0, where data and constants tell."""
    for node in report.graph.nodes:
        for equation in dict.fromkeys(_equations(node)):
            _check(report, node, equation, values, coords, sizes)


def _equations(node: Node) -> Iterator[Ode]:
    yield from (e for root in node_exprs(node) for e in walk(root) if isinstance(e, Ode))


def _check(
    report: Report,
    node: Node,
    equation: Ode,
    values: Mapping[str, np.ndarray],
    coords: Coords,
    sizes: Mapping[str, int],
) -> None:
    """The times, (…, n), against those before them and against their start."""
    ranges = {a.label: (a.lower.evaluate(sizes), a.upper.evaluate(sizes)) for a in node.domain}
    (_, t0, times, *_), last = equation.args, equation.cores[2]
    around = [a.label for e in (times, t0) for a in e.type.axes if a.label not in last]
    labels = tuple(dict.fromkeys((*around, *(label for label in ranges if label not in last), *last)))
    t = _known(times, labels, Known(sizes, values, ranges))
    start = _known(t0, labels, Known(sizes, values, ranges))
    back = np.diff(t, axis=-1) < 0 if t is not None and last else np.zeros(0, bool)
    if t is not None and back.any():
        _tell_order(report, equation, times, t, first(back), values, coords)
    elif t is not None and start is not None and (t < start).any():
        message = f"`t0` is {number_text(np.max(start))}, but the first of the times is {number_text(np.min(t))}."
        report.at(equation.span, "E1019", message, "an equation runs forward; give a t0 that is no later than the times")


def _known(expr: Expr, labels: tuple[str, ...], known: Known) -> np.ndarray | None:
    """The value over the labels, if constants and data tell."""
    try:
        return value_over(expr, labels, known)
    except (NotKnown, KeyError):
        return None


def _tell_order(
    report: Report,
    equation: Ode,
    times: Expr,
    t: np.ndarray,
    position: tuple[int, ...],
    values: Mapping[str, np.ndarray],
    coords: Coords,
) -> None:
    after = (*position[:-1], position[-1] + 1)
    earlier, later = number_text(t[position]), number_text(t[after])
    message = f"The times of this equation go back, from {earlier} to {later}."
    if isinstance(times, Ref) and t.shape == values[times.name].shape:
        where = entry(report.graph.variable(times.name), after, coords)
        message = f"{where} is {later}, after {earlier}; the times of an equation don't go back."
    report.at(equation.span, "E1019", message, "sort the rows by time, or give each series a dim of its own")
