"""One value as a user gives it, whatever library it is from, as a plain array with its missing entries and labels."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Labels = Sequence[Any] | None  # a `range` is the default labelling by position


@dataclass(frozen=True)
class Given:
    """`values` of any dtype; `missing`: a mask, or None where the values themselves tell (NaN). `dims` where the form has names;
    `labels`: for each axis its labels or None. With `categories`, the values are positions in these."""

    values: np.ndarray
    missing: np.ndarray | None = None
    dims: tuple[str, ...] | None = None
    labels: tuple[Labels, ...] = ()
    categories: tuple[Any, ...] | None = None

    def labels_of(self, axis: int) -> Labels:
        return self.labels[axis] if axis < len(self.labels) else None


class NotAnArray(Exception):
    """Why a value is no array, as what follows its name in a sentence; `{}` stands for the name."""

    def __init__(self, code: str, what: str, hint: str = ""):
        super().__init__(what)
        self.code, self.what, self.hint = code, what, hint


def family(value: Any) -> str:
    """The library that a value is from, without importing it."""
    return type(value).__module__.partition(".")[0]


def to_given(value: Any) -> Given:
    """Raises `NotAnArray`."""
    if isinstance(value, np.ma.MaskedArray):
        return _masked(value)
    match family(value):
        case "pandas":
            return _pandas(value)
        case "polars":
            return _polars(value)
        case "pyarrow":
            return _arrow(value)
        case "xarray":
            return _xarray(value)
    if isinstance(value, Mapping | set | frozenset):
        hint = "labelled values are given as pandas.Series(values)" if isinstance(value, Mapping) else ""
        raise NotAnArray("E1006", f"is a {type(value).__name__}, not an array or a list.", hint)
    return _plain(value)


# ---------------------------------------------------------------- NumPy, JAX, lists


def _masked(value: np.ma.MaskedArray) -> Given:
    plain = to_given(np.asarray(value.data))
    mask = np.ma.getmaskarray(value)
    return Given(plain.values, mask | plain.missing if plain.missing is not None else mask)


def _plain(value: Any) -> Given:
    array = _array(value)
    if array.dtype.kind in "US" and not isinstance(value, np.ndarray | str | bytes):
        array = np.array(value, dtype=object)  # or numbers beside text would have become text
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    return _objects(array) if array.dtype.kind == "O" else Given(array)


def _array(value: Any) -> np.ndarray:
    if isinstance(value, Iterable) and not hasattr(value, "__len__") and not hasattr(value, "__array__"):
        value = list(value)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(value)
    except ValueError:
        raise _ragged(value) from None
    except Exception as error:
        reason = str(error).split("\n")[0]
        raise NotAnArray("E1006", f"can't be read as an array: {reason}") from None


def _ragged(value: Any, path: str = "") -> NotAnArray:
    """What is uneven in nested lists."""
    lengths = [len(v) if isinstance(v, Sequence | np.ndarray) and not isinstance(v, str) else None for v in value]
    for i, length in enumerate(lengths):
        if length != lengths[0]:
            here = f"`{{}}[{path}{i}]` {_long(length)}, `{{}}[{path}0]` {_long(lengths[0])}"
            hint = "all rows have the same length; those of data declared with ? may end early"
            return NotAnArray("E1010", f"is ragged: {here}.", hint)
    for i, row in enumerate(value):
        if isinstance(row, Sequence) and not isinstance(row, str):
            try:
                np.asarray(row)
            except ValueError:
                return _ragged(row, f"{path}{i}, ")
    return NotAnArray("E1010", "is ragged: its rows differ in shape.")


def _long(length: int | None) -> str:
    return "is a single value" if length is None else f"has {length} entr{'y' if length == 1 else 'ies'}"


def _objects(array: np.ndarray) -> Given:
    """An array of Python objects: None among numbers or text, decimals, rows in a column."""
    flat = array.ravel().tolist()
    if any(issubclass(t, list | tuple | np.ndarray) for t in set(map(type, flat))):
        nested = _plain([None if v is None else list(v) if isinstance(v, np.ndarray) else v for v in flat])
        shape = array.shape + nested.values.shape[1:]
        missing = None if nested.missing is None else nested.missing.reshape(shape)
        return Given(nested.values.reshape(shape), missing)
    if array.ndim == 0 and flat and not _is_scalar(flat[0]):
        kind = "function" if callable(flat[0]) else type(flat[0]).__name__
        raise NotAnArray("E1006", f"is a {kind}, not an array, a list or a number.")
    if set(map(type, flat)) <= {str, int, bool}:
        return Given(array)
    mask = np.fromiter(map(_is_missing, flat), bool, len(flat)).reshape(array.shape)
    return Given(array, mask if mask.any() else None)


def _is_scalar(value: Any) -> bool:
    return value is None or hasattr(value, "__float__") or isinstance(value, str | datetime.date) or _is_missing(value)


def _is_missing(value: Any) -> bool:
    """None, NaN, NaT, pandas.NA, a masked element."""
    if value is None or value is np.ma.masked or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating | np.datetime64) and bool(value != value)


# ---------------------------------------------------------------- pandas, polars, Arrow, xarray


def _pandas(value: Any) -> Given:
    kind = type(value).__name__
    if kind == "DataFrame":
        one = _objects(value.to_numpy()) if value.to_numpy().dtype.kind == "O" else Given(value.to_numpy())
        return Given(one.values, one.missing, None, (index_labels(value.index), index_labels(value.columns)))
    if not hasattr(value, "dtype"):
        return _objects(np.array(value, dtype=object))  # a Timestamp, NA
    labels = (index_labels(value.index),) if kind == "Series" else ()
    if type(value.dtype).__name__ == "CategoricalDtype":
        coded = value.cat if kind == "Series" else value
        codes = np.asarray(coded.codes)
        return Given(codes, codes < 0, None, labels, plain_labels(np.asarray(value.dtype.categories)))
    array = _pandas_values(value)
    one = _objects(array) if array.dtype.kind == "O" else Given(array, _mask(np.asarray(value.isna())))
    return Given(one.values, one.missing, None, labels)


def _pandas_values(value: Any) -> np.ndarray:
    """The values of a Series; nullable numbers become floats with NaN, times with a zone are told in UTC."""
    if type(value.dtype).__name__ == "DatetimeTZDtype":
        value = (value.dt if hasattr(value, "dt") else value).tz_convert(None)
    if getattr(value.dtype, "kind", "O") in "biuf" and not isinstance(value.dtype, np.dtype):
        return value.to_numpy(dtype=float, na_value=np.nan)
    return value.to_numpy()


def index_labels(index: Any) -> Labels:
    """The labels of a pandas index; None if they can't tell entries apart."""
    if index.nlevels > 1 or not index.is_unique or index.hasnans:
        return None
    if index.dtype.kind in "iu":
        array = index.to_numpy()
        if len(array) and array[0] == 0 and np.array_equal(array, np.arange(len(array))):
            return range(len(array))
    return plain_labels(index.to_numpy())


def _polars(value: Any) -> Given:
    kind = type(value).__name__
    if kind == "DataFrame":
        columns = [to_given(value[name]) for name in value.columns]
        if not columns:
            return Given(np.empty((0, 0)))
        masks = [_full_mask(c) for c in columns]
        array = np.stack([c.values for c in columns], 1)
        return Given(array, _mask(np.stack(masks, 1)), None, (None, tuple(value.columns)))
    if kind != "Series":
        raise NotAnArray("E1006", f"is a polars {kind}, not a Series.", "collect it, or select one column")
    missing = _mask(value.is_null().to_numpy())
    dtype = type(value.dtype).__name__ if not isinstance(value.dtype, type) else value.dtype.__name__
    if dtype == "Enum":
        codes = value.to_physical().fill_null(0).to_numpy()
        return Given(codes, missing, None, (), tuple(value.dtype.categories.to_list()))
    if dtype in ("Categorical", "String", "Decimal", "Object"):
        return _objects(np.array(value.to_list(), dtype=object))
    if dtype in ("List", "Array"):
        return _plain(value.to_list())
    array = value.to_numpy()
    return _objects(array) if array.dtype.kind == "O" else Given(array, missing)


def _arrow(value: Any) -> Given:
    if not hasattr(value, "type"):
        raise NotAnArray("E1006", f"is a pyarrow {type(value).__name__}, not an array.")
    chunk = value.combine_chunks() if hasattr(value, "combine_chunks") else value
    name = str(value.type)
    if name.startswith("dictionary"):
        codes = chunk.indices.fill_null(0).to_numpy(zero_copy_only=False)
        return Given(codes, _mask(np.asarray(chunk.is_null())), None, (), tuple(chunk.dictionary.to_pylist()))
    if name.startswith(("timestamp", "date", "int", "uint", "float", "double", "halffloat")):
        missing = _mask(np.asarray(chunk.is_null().to_numpy(zero_copy_only=False)))
        return Given(chunk.to_numpy(zero_copy_only=False), missing)
    return _plain(chunk.to_pylist())


def _xarray(value: Any) -> Given:
    if type(value).__name__ != "DataArray":
        kind = type(value).__name__
        raise NotAnArray("E1006", f"is an xarray {kind}, not a DataArray.", f"take one variable of it: {kind.lower()}[name]")
    plain = to_given(np.asarray(value.values))
    labels = tuple(_coordinate(value, dim) for dim in value.dims)
    return Given(plain.values, plain.missing, tuple(str(d) for d in value.dims), labels)


def _coordinate(array: Any, dim: Any) -> Labels:
    return index_labels(array.indexes[dim]) if dim in array.indexes else None


# ---------------------------------------------------------------- labels and masks


def plain_labels(values: np.ndarray) -> tuple[Any, ...]:
    """Labels as Python numbers and strings; dates as `numpy.datetime64`, no finer than they need to be."""
    if values.dtype.kind == "M":
        for unit in ("D", "s", "us"):
            coarse = values.astype(f"M8[{unit}]")
            if np.array_equal(coarse, values):
                return tuple(coarse)
        return tuple(values)
    flat = values.tolist()
    return tuple(flat) if set(map(type, flat)) <= {str, int} else tuple(_label(v) for v in flat)


def _label(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return plain_labels(np.array([value.replace(tzinfo=None)], dtype="M8[us]"))[0]
    if isinstance(value, datetime.date):
        return np.datetime64(value, "D")
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, str | int | float | np.datetime64) else str(value)


def _mask(mask: np.ndarray) -> np.ndarray | None:
    return mask if mask.any() else None


def _full_mask(given: Given) -> np.ndarray:
    return np.zeros(given.values.shape, bool) if given.missing is None else given.missing
