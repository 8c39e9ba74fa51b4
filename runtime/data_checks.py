"""Values against the type of their declaration: missing and infinite entries, bounds, positions of an index."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from emfppl.compiler.expressions import Expr, Kind
from emfppl.compiler.graph import Integers, Interval, Role, Structured, Variable
from emfppl.runtime.data_report import Coords, Report, declared, entry, first, more, number_text
from emfppl.runtime.data_structures import check_structure
from emfppl.runtime.data_values import Known, NotKnown, value_over


def check_values(
    report: Report,
    variable: Variable,
    values: np.ndarray,
    missing: np.ndarray,
    coords: Coords,
    sizes: Mapping[str, int],
    by_none: bool,
) -> None:
    """Tell of the first kind of fault in the values of one variable. `by_none`: missing entries were not written as NaN."""
    _check_missing(report, variable, missing, coords, by_none)
    if report.sound(variable):
        _check_finite(report, variable, values, missing, coords)
    if not report.sound(variable):
        return
    if isinstance(variable.support, Structured):
        check_structure(report, variable, variable.support.name, values, coords)
    elif variable.kind is Kind.INDEX:
        _check_index(report, variable, values, missing, coords, sizes)
    elif variable.support is not None:
        _check_bounds(report, variable, variable.support, values, missing, coords, sizes)


def _check_missing(report: Report, v: Variable, missing: np.ndarray, coords: Coords, by_none: bool) -> None:
    if v.optional or not missing.any():
        return
    what = "is missing" if by_none else "is nan"
    message = f"{entry(v, first(missing), coords)} {what}, but {declared(v)}.{more(missing)}"
    fill = "leave it out or fill it in; only observed data may have missing entries"
    fine = v.role is Role.OBSERVED and not isinstance(v.support, Structured)
    report.about(v, "E1009", message, f"write {v.type_text}? if entries may be missing" if fine else fill)


def _check_finite(report: Report, v: Variable, values: np.ndarray, missing: np.ndarray, coords: Coords) -> None:
    bad = ~np.isfinite(values) & ~missing
    if bad.any():
        message = f"{entry(v, first(bad), coords)} is {values[first(bad)]}; data are finite numbers.{more(bad)}"
        report.about(v, "E1009", message, "write None for what is missing" if v.optional else "")


# ---------------------------------------------------------------- bounds


def bound(expr: Expr | None, missing: float, sizes: Mapping[str, int]) -> float:
    """The number that a bound of a declared type comes to."""
    if expr is None:
        return missing
    try:
        return float(value_over(expr, (), Known(sizes, {}, {})))
    except (NotKnown, KeyError):
        return missing


def _check_bounds(
    report: Report,
    v: Variable,
    support: Interval | Integers,
    values: np.ndarray,
    missing: np.ndarray,
    coords: Coords,
    sizes: Mapping[str, int],
) -> None:
    lower, upper = bound(support.lower, -np.inf, sizes), bound(support.upper, np.inf, sizes)
    opened = isinstance(support, Interval) and support.open_lower
    bad = (values <= lower if opened else values < lower) | (values > upper)
    bad &= ~missing
    if bad.any():
        value = values[first(bad)]
        message = f"{entry(v, first(bad), coords)} is {number_text(value)}, but {declared(v)}.{more(bad)}"
        report.about(v, "E1007", message, _bounds_hint(v, value, lower, upper, opened))


def _bounds_hint(v: Variable, value: float, lower: float, upper: float, opened: bool) -> str:
    name = v.type_text.rstrip("?")
    if name == "unit" and 1 < value <= 100:
        return "if these are per cent, divide them by 100"
    if name == "positive" and value == 0:
        return "positive means above 0; write nonnegative if 0 may occur"
    if name == "bool":
        return "bool is 0 or 1; write count or int for other numbers"
    if "(" in name:
        return ""
    low, high = number_text(lower) if np.isfinite(lower) else "", number_text(upper) if np.isfinite(upper) else ""
    if low and high:
        return f"{name} allows values from {low} to {high}"
    return f"{name} allows values {('above' if opened else 'from') + f' {low}' if low else f'up to {high}'}"


# ---------------------------------------------------------------- positions


def _check_index(
    report: Report, v: Variable, values: np.ndarray, missing: np.ndarray, coords: Coords, sizes: Mapping[str, int]
) -> None:
    size = sizes.get(str(v.of))
    if size is None:
        return
    bad = ((values < 0) | (values >= size)) & ~missing
    if not bad.any():
        return
    present = values[~missing]
    low, high = int(present.min()), int(present.max())
    if low >= 1 and high == size:
        message = (
            f"`{v.name}` seems to count from 1: it goes from {low} to {high}, but positions in `{v.of}` "
            f"go from 0 to {size - 1}."
        )
        report.about(v, "E1008", message, f"subtract 1 from {v.name}, or give labels (text) in place of numbers")
        return
    where, value = entry(v, first(bad), coords), number_text(values[first(bad)])
    message = f"{where} is {value}, but `{v.of}` has size {size}: positions go from 0 to {size - 1}.{more(bad)}"
    labels = coords.get(str(v.of), ())
    if set(present.tolist()) <= set(labels):
        hint = f"these are labels of `{v.of}`; numbers are taken as positions, so write both as text"
    else:
        hint = _index_hint(v, low, size)
    report.about(v, "E1008", message, hint)


def _index_hint(v: Variable, low: int, size: int) -> str:
    if low < 0:
        return "negative positions don't count from the end here"
    return f"if `{v.of}` is larger than {size}, the data over it or its size are too short"
