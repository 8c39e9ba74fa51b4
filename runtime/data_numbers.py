"""Data as numbers: text, dates and fractions told where numbers or whole numbers are declared."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from emfppl.compiler.expressions import Kind
from emfppl.compiler.graph import Variable
from emfppl.runtime.data_arrays import Given
from emfppl.runtime.data_report import Coords, Report, declared, entry, first, more, number_text

MISSING_WORDS = ("", "na", "n/a", "nan", "null", "none", "nil", ".", "-", "?", "missing")


def to_numbers(report: Report, variable: Variable, given: Given, coords: Coords) -> tuple[np.ndarray, np.ndarray] | None:
    """The values as float64 and the mask of missing entries (NaN there); None if something was wrong, and told."""
    array: np.ndarray | None = given.values
    mask = given.missing
    missing = np.zeros(given.values.shape, bool) if mask is None else mask
    if given.categories is not None:
        return _categories(report, variable, given, coords)
    if given.values.dtype.kind == "O":
        array = _numbers_of(report, variable, given.values, missing, coords)
    elif given.values.dtype.kind not in "biuf":
        array = _foreign(report, variable, given.values, coords)
    if array is None:
        return None
    values = array.astype(np.float64)
    values = np.where(missing, np.nan, values) if mask is not None else values
    missing = np.asarray(np.isnan(values))
    return (values, missing) if _whole(report, variable, values, missing, coords) else None


def _numbers_of(
    report: Report, variable: Variable, array: np.ndarray, missing: np.ndarray, coords: Coords
) -> np.ndarray | None:
    """An array of objects as floats, if all that are not missing are numbers."""
    filled = np.where(missing, 0.0, array)
    strange = {t for t in set(map(type, filled.ravel().tolist())) if not _is_number(t)}
    if not strange:
        return filled.astype(np.float64)
    bad = np.fromiter((type(v) in strange for v in filled.ravel().tolist()), bool, array.size).reshape(array.shape)
    _tell_strange(report, variable, bad, array[first(bad)], coords)
    return None


def _is_number(kind: type) -> bool:
    known = numbers.Number | np.number | np.bool_
    return issubclass(kind, known) and not issubclass(kind, numbers.Complex) or issubclass(kind, numbers.Real)


def _foreign(report: Report, variable: Variable, array: np.ndarray, coords: Coords) -> np.ndarray | None:
    """What no number is: text, dates, complex numbers; other kinds (such as bfloat16) may become floats."""
    if array.dtype.kind == "V" and array.dtype.names is None:
        try:
            return array.astype(np.float64)
        except (TypeError, ValueError):
            pass
    if array.size == 0:
        return np.empty(array.shape)
    bad = np.ones(array.shape, bool)
    _tell_strange(report, variable, bad, array[first(bad)], coords)
    return None


def _tell_strange(report: Report, variable: Variable, bad: np.ndarray, value: Any, coords: Coords) -> None:
    where = entry(variable, first(bad), coords)
    if isinstance(value, str):
        message, hint = f"{where} is the text {str(value)!r}", _text_hint(variable, str(value), bool(bad.all()))
    elif isinstance(value, np.datetime64) or hasattr(value, "year"):
        message, hint = f"{where} is the date {value}", "make them numbers first, such as days since the first one"
    elif isinstance(value, np.timedelta64) or hasattr(value, "total_seconds"):
        message, hint = f"{where} is the duration {value}", "make them numbers first: durations / np.timedelta64(1, 'D')"
    elif isinstance(value, complex | np.complexfloating):
        message, hint = f"{where} is the complex number {value}", "give real and imaginary part as two data"
    else:
        message, hint = f"{where} is a {type(value).__name__}", ""
    report.about(variable, "E1006", f"{message}, but {declared(variable)}.{more(bad)}", hint)


def _text_hint(variable: Variable, text: str, all_text: bool) -> str:
    if text.strip().lower() in MISSING_WORDS:
        return "write None (null in JSON) for what is missing"
    if text.strip().lower() in ("true", "false", "yes", "no", "t", "f", "y", "n"):
        return "write 1 and 0"
    try:
        float(text.replace(",", "."))
    except ValueError:
        return "for groups known by label declare it index(dim)" if all_text and variable.dims else ""
    return "write numbers without quotes"


def _categories(
    report: Report, variable: Variable, given: Given, coords: Coords
) -> tuple[np.ndarray, np.ndarray] | None:
    """Categorical data that are no index: fine if the categories are numbers."""
    assert given.categories is not None
    codes = given.values
    absent = codes < 0 if given.missing is None else given.missing
    if not all(isinstance(c, int | float) for c in given.categories):
        _tell_strange(report, variable, ~absent, str(given.categories[codes[~absent][0]]), coords)
        return None
    plain = Given(np.asarray(given.categories, float)[np.where(absent, 0, codes)], absent)
    return to_numbers(report, variable, plain, coords)


def _whole(report: Report, variable: Variable, values: np.ndarray, missing: np.ndarray, coords: Coords) -> bool:
    """Whether int, bool and index data are whole numbers."""
    if variable.kind is Kind.REAL:
        return True
    with np.errstate(invalid="ignore"):
        bad = (values != np.floor(values)) & ~missing & np.isfinite(values)
    if not bad.any():
        return True
    where = entry(variable, first(bad), coords)
    message = f"{where} is {number_text(values[first(bad)])}, but {declared(variable)}.{more(bad)}"
    hints = {Kind.INT: "declare it real, or round it", Kind.BOOL: "bool is 0 or 1"}
    hint = hints.get(variable.kind, "positions are whole numbers from 0")
    report.about(variable, "E1006", message, hint)
    return False
