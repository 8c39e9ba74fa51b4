"""Data against the program: names, ranks, sizes, labels, values. Everything that is wrong is told at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from emfppl.compiler.expressions import Kind
from emfppl.compiler.graph import Graph, Integers, Interval, Role, Variable
from emfppl.runtime import data_labels, data_sizes
from emfppl.runtime.data_arguments import check_arguments
from emfppl.runtime.data_arrays import Given
from emfppl.runtime.data_checks import bound, check_values
from emfppl.runtime.data_dims import by_name
from emfppl.runtime.data_given import Gathered, check_names, data_variables, gather
from emfppl.runtime.data_missing import latent_entries
from emfppl.runtime.data_numbers import to_numbers
from emfppl.runtime.data_observed import check_observed, filled
from emfppl.runtime.data_order import check_order
from emfppl.runtime.data_report import Report
from emfppl.runtime.data_sizes import Shown, Sizes
from emfppl.runtime.data_times import check_times
from emfppl.runtime.data_values import Known, value_over


@dataclass(frozen=True, eq=False)
class Binding:
    """A program with its data.

    `values`: every data variable given or defaulted, in declared dim order; index data int32 positions, all others float64; missing
    entries hold some value inside the support. `missing`: masks of the variables that have missing entries; `latent`: of those
    among them that something informative depends on. `absent`: observed variables without data. `coords`: labels of the dims that
    have them.
    """

    graph: Graph
    sizes: dict[str, int]
    coords: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    missing: dict[str, np.ndarray] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    latent: dict[str, np.ndarray] = field(default_factory=dict)

    def labels(self, dim: str) -> tuple[Any, ...]:
        """The labels of a dim; positions where it has none."""
        name = dim.rstrip("'")
        return self.coords.get(name, tuple(range(self.sizes[name])))

    def describe(self) -> dict[str, Any]:
        """Sizes and coords, as what JSON can hold."""
        return {"sizes": dict(self.sizes), "coords": {d: _described(c) for d, c in self.coords.items()}}


def bind(
    graph: Graph, data: Any, sizes: Mapping[str, int] | None = None, observed: str = "optional"
) -> Binding:
    """Check data and bring them into the form of `Binding`. ``observed="required"``: observed data must be there.

    Raises `EmfError` with all that is wrong.
    """
    report = Report(graph)
    found = gather(report, data)
    absent = check_names(report, found, observed == "required")
    given = _of_right_rank(report, found.given)
    coords = data_labels.given_coords(report, found.labels)
    data_labels.align(report, given, coords)
    data_labels.encode(report, given, coords)
    known = _sizes(report, found, given, coords, sizes)
    data_sizes.check_known(report, known, given, absent)
    binding = _checked(report, given, known, coords, absent)
    report.raise_if_any()
    return binding


def _of_right_rank(report: Report, given: Mapping[str, Given]) -> dict[str, Given]:
    out = {}
    for name, variable in data_variables(report.graph).items():
        one = by_name(report, variable, given[name]) if name in given else None
        if one is not None and data_sizes.check_rank(report, variable, one):
            out[name] = one
    return out


def _sizes(
    report: Report,
    found: Gathered,
    given: Mapping[str, Given],
    coords: Mapping[str, tuple],
    argument: Mapping[str, int] | None,
) -> dict[str, int]:
    """The size of every dim, from all that says something about it."""
    shown = Sizes()
    data_sizes.check_argument(report, argument, shown)
    shown.add_given({n: g for n, g in given.items() if n not in report.broken}, report.graph)
    for dim, size in found.sizes.items():
        if dim not in shown.shown:
            shown.add(dim, Shown(size, None, "in the Dataset", 1))
    for dim, labels in coords.items():
        shown.add(dim, Shown(len(labels), None, _labels_from(report.graph, dim, found, given), 2))
    data_sizes.check_transposed(report, given, shown)
    return data_sizes.unify(report, shown, _numbers(report, given))


def _labels_from(graph: Graph, dim: str, found: Gathered, given: Mapping[str, Given]) -> str:
    """Where the labels of a dim stand, in words."""
    if dim in found.labels:
        return "by the labels given for it"
    names = [f"`{v.name}`" for v in data_variables(graph).values() if v.of == dim and v.name in given]
    return f"by the labels in {' and '.join(names)}"


def _numbers(report: Report, given: Mapping[str, Given]) -> dict[str, int]:
    """Scalar data that the program makes sizes of."""
    variables = data_variables(report.graph)
    names = {n for d in report.graph.dims if d.size is not None for n in d.size.dims if n in variables}
    out = {}
    for name in names:
        one = given.get(name) or _default(variables[name], {})
        if one is not None and name not in report.broken:
            found = to_numbers(report, variables[name], one, {})
            if found is not None and np.isfinite(found[0]).all():
                out[name] = int(found[0])
    return out


def _default(variable: Variable, sizes: Mapping[str, int]) -> Given | None:
    """The default of data as an array over its dims; None if it has none or a dim has no size."""
    shape = [sizes.get(d.rstrip("'")) for d in variable.dims]
    if variable.default is None or any(n is None for n in shape):
        return None
    value = value_over(variable.default, variable.dims, Known(sizes, {}, {}))
    return Given(np.broadcast_to(value, [n for n in shape if n is not None]).copy())


def _checked(
    report: Report,
    given: Mapping[str, Given],
    sizes: dict[str, int],
    coords: dict[str, tuple],
    absent: frozenset[str],
) -> Binding:
    """Values as numbers, checked one by one, then against their distributions."""
    values: dict[str, np.ndarray] = {}
    masks: dict[str, np.ndarray] = {}
    used = {d: labels for d, labels in coords.items() if sizes.get(d) == len(labels)}
    for name, variable in data_variables(report.graph).items():
        one = given.get(name) or _default(variable, sizes)
        if one is None or not report.sound(variable):
            continue
        numbers = to_numbers(report, variable, one, used)
        if numbers is not None:
            by_none = one.missing is not None and one.values.dtype.kind != "f"
            check_values(report, variable, *numbers, used, sizes, by_none)
            values[name], masks[name] = numbers
    missing = {n: m for n, m in masks.items() if m.any()}
    _against_distributions(report, values, missing, used, sizes)
    latent: dict[str, np.ndarray] = {}
    if not report.found:
        latent = latent_entries(report, values, missing, used, sizes)
        values = _finished(report.graph, values, missing, sizes)
    return Binding(report.graph, sizes, used, values, missing, absent, latent)


def _against_distributions(
    report: Report,
    values: Mapping[str, np.ndarray],
    missing: Mapping[str, np.ndarray],
    coords: Mapping[str, tuple],
    sizes: Mapping[str, int],
) -> None:
    if report.unsure or any(d.code == "E1005" for d in report.found):
        return  # not all sizes are known
    sound = {n: x for n, x in values.items() if n not in report.broken}
    for name, variable in data_variables(report.graph).items():
        if name in sound:
            check_observed(report, variable, sound, missing.get(name), coords, sizes)
    check_arguments(report, sound, coords, sizes)
    check_order(report, sound, coords, sizes)
    check_times(report, sound, coords, sizes)


def _finished(
    graph: Graph, values: Mapping[str, np.ndarray], missing: Mapping[str, np.ndarray], sizes: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Missing entries filled, index data as int32."""
    out = {}
    for name, variable in data_variables(graph).items():
        if name in values:
            x = values[name]
            if name in missing:
                x = filled(graph, variable, values, missing[name], _declared_bounds(variable, sizes), sizes)
            out[name] = x.astype(np.int32) if variable.kind is Kind.INDEX else x
    return out


def _declared_bounds(variable: Variable, sizes: Mapping[str, int]) -> tuple[float, float]:
    support = variable.support
    if not isinstance(support, Interval | Integers):
        return -np.inf, np.inf
    return bound(support.lower, -np.inf, sizes), bound(support.upper, np.inf, sizes)


# ---------------------------------------------------------------- without data


def bind_description(graph: Graph, description: Mapping[str, Any]) -> Binding:
    """A binding without data, from what `Binding.describe` gave: sizes and coords are known, all data absent."""
    coords = {d: _undescribed(c) for d, c in description["coords"].items()}
    absent = frozenset(v.name for v in graph.of_role(Role.OBSERVED))
    return Binding(graph, dict(description["sizes"]), coords, {}, {}, absent)


def _described(labels: tuple[Any, ...]) -> dict[str, Any]:
    """Labels with their kind; dates as ISO text."""
    if labels and isinstance(labels[0], np.datetime64):
        return {"kind": "date", "labels": [str(v) for v in labels]}
    return {"kind": "plain", "labels": list(labels)}


def _undescribed(coords: Mapping[str, Any]) -> tuple[Any, ...]:
    labels = coords["labels"]
    return tuple(np.datetime64(v) for v in labels) if coords["kind"] == "date" else tuple(labels)


def stored(value: np.ndarray, kind: Kind) -> np.ndarray:
    """Data as they are held: JAX makes them 32 bits wide where it computes so."""
    types = {Kind.REAL: np.float64, Kind.BOOL: np.bool_, Kind.INT: np.int64, Kind.INDEX: np.int32}
    return np.asarray(value, types[kind])
