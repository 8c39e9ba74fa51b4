"""Data files: JSON, NPZ, CSV and Parquet, each as what `bind` takes."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from emfppl.grammar.diagnostics import Diagnostic, EmfError

MISSING = frozenset(("", "NA", "N/A", "NaN", "nan", "NULL", "null", "None"))
ENDINGS = "JSON (.json), NPZ (.npz), CSV (.csv) and Parquet (.parquet) can be read"


class Table(dict[str, Any]):
    """Columns by name. In a table, unlike a dict, columns that the program does not know are let be."""


def read_data(path: str | Path) -> Mapping[str, Any]:
    """What a file of data holds: a dict of arrays, or a `Table`. Raises `EmfError` E1201, E1202, E1204 to E1206."""
    path = Path(path).expanduser()
    read = READERS.get(path.suffix.lower())
    if not path.exists():
        raise _not_there(path)
    if path.is_dir():
        raise _error("E1202", f"{path} can't be read: it is a folder.")
    if read is None:
        ending = f"the ending {path.suffix}" if path.suffix else "no ending"
        raise _error("E1204", f"{path} has {ending}, which does not say how to read data.", _ending_hint(path))
    try:
        return read(path)
    except UnicodeDecodeError as error:
        raise _error("E1202", f"{path} is not a text in UTF-8 (byte {error.start}).", "save it as UTF-8") from None
    except OSError as error:
        raise _error("E1202", f"{path} can't be read: {(error.strerror or str(error)).lower()}.") from None


def _error(code: str, message: str, hint: str = "") -> EmfError:
    return EmfError([Diagnostic(code, message, hint=hint)])


def _not_there(path: Path) -> EmfError:
    if not path.parent.is_dir():
        return _error("E1201", f"There is no folder {path.parent}.")
    names = sorted(p.name for p in path.parent.iterdir() if p.suffix.lower() in READERS)
    near = get_close_matches(path.name, names, n=1, cutoff=0.5)
    return _error("E1201", f"There is no file {path}.", f"did you mean {path.with_name(near[0])}?" if near else "")


def _ending_hint(path: Path) -> str:
    special = {
        ".npy": "save arrays by name: np.savez(file, y=y)",
        ".emf": "a program comes first, then its data",
        ".xlsx": "save the sheet as CSV",
        ".nc": "open it with xarray and give the Dataset",
    }
    return special.get(path.suffix.lower(), ENDINGS)


# ---------------------------------------------------------------- JSON


def _json(path: Path) -> Mapping[str, Any]:
    text = path.read_bytes().decode("utf-8-sig")
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        message = f"{path} is not JSON: line {error.lineno}, column {error.colno} can't be read."
        raise _error("E1205", message, _json_hint(text, error)) from None
    if isinstance(content, dict):
        return content
    if isinstance(content, list) and content and all(isinstance(row, dict) for row in content):
        return _records(content)
    raise _error("E1205", f"{path} holds no data by name.", 'write {"y": [1.5, 2], "n": 3}, or a list of records')


def _json_hint(text: str, error: json.JSONDecodeError) -> str:
    found = text[error.pos :].strip()
    if not found:
        return "the file ends too early" if text.strip() else "the file is empty"
    if found.startswith("'"):
        return "JSON has double quotes"
    if found.startswith(("NA", "None", "nan")):
        return "write null for what is missing"
    return "no comma after the last entry" if found.startswith(("]", "}", ",")) else ""


def _records(rows: Sequence[Mapping[str, Any]]) -> Table:
    names = dict.fromkeys(name for row in rows for name in row)
    return Table({name: [row.get(name) for row in rows] for name in names})


# ---------------------------------------------------------------- NPZ


def _npz(path: Path) -> Mapping[str, Any]:
    not_one = _error("E1205", f"{path} is not an NPZ file.", "write it with np.savez(file, y=y)")
    if not zipfile.is_zipfile(path):
        raise not_one
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except ValueError:
        hint = "convert the array: np.asarray(y, dtype=float), or dtype=str for labels"
        raise _error("E1205", f"{path} holds Python objects, which are not read from files.", hint) from None
    except (zipfile.BadZipFile, EOFError):
        raise not_one from None


# ---------------------------------------------------------------- CSV


def _csv(path: Path) -> Table:
    text = path.read_bytes().decode("utf-8-sig")
    lines = text.splitlines(keepends=True)
    if not text.strip():
        raise _error("E1205", f"{path} is empty.", "the first line holds the names of the columns")
    reader = csv.reader(lines, delimiter=_delimiter(lines[0]), skipinitialspace=True)
    header = [name.strip() for name in next(reader)]
    twice = [name for name in header if name and header.count(name) > 1]
    if twice:
        raise _error("E1205", f"{path} has two columns named `{twice[0]}`.")
    rows = []
    for row in reader:
        if len(row) == len(header):
            rows.append(row)
        elif row:
            many = "field" if len(row) == 1 else "fields"
            fields = f"line {reader.line_num} has {len(row)} {many}, the header {len(header)}"
            raise _error("E1205", f"{path} is not a table: {fields}.", _fields_hint(header, row))
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(header)
    return Table({name: guessed(column) for name, column in zip_longest(header, columns)})


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def _fields_hint(header: list[str], row: list[str]) -> str:
    if len(row) == len(header) + 1:
        return "the header needs a name for every column, that of row names too"
    return "text with a comma in it goes in double quotes" if len(row) > len(header) else ""


def guessed(column: Sequence[str]) -> np.ndarray:
    """A column of text as whole numbers, numbers, truth values, or text, in this order; missing: NaN or None."""
    fields = [text.strip() for text in column]
    missing = np.fromiter((text in MISSING for text in fields), bool, len(fields))
    present = [text for text in fields if text not in MISSING] if missing.any() else fields
    for convert in (_whole, _real, _truth):
        values = convert(present)
        if values is not None:
            return values if not missing.any() else _spread(values.astype(float), missing, np.nan)
    kept = [text for text in column if text.strip() not in MISSING]
    return np.array(kept, dtype=str) if not missing.any() else _spread(np.array(kept, dtype=object), missing, None)


def _spread(present: np.ndarray, missing: np.ndarray, filler: Any) -> np.ndarray:
    out = np.full(missing.shape, filler, present.dtype)
    out[~missing] = present
    return out


def _whole(texts: list[str]) -> np.ndarray | None:
    return None if _hold_codes(texts) else _converted(texts, int, np.int64)


def _real(texts: list[str]) -> np.ndarray | None:
    return None if _hold_codes(texts) else _converted(texts, float, np.float64)


def _hold_codes(texts: list[str]) -> bool:
    """Whether there are codes such as 007 among them, which must stay text."""
    return any(text[0] == "0" and len(text) > 1 and text.isdigit() for text in texts)


def _converted(texts: list[str], convert: Callable[[str], Any], dtype: type) -> np.ndarray | None:
    try:
        return np.array([convert(text) for text in texts], dtype)
    except (ValueError, OverflowError):
        return None


def _truth(texts: list[str]) -> np.ndarray | None:
    lowered = [text.lower() for text in texts]
    return np.array([text == "true" for text in lowered]) if set(lowered) <= {"true", "false"} else None


# ---------------------------------------------------------------- Parquet


def _parquet(path: Path) -> Table:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        hint = "pip install pyarrow, or save the data as CSV"
        raise _error("E1206", "Parquet files need the package pyarrow, which is not installed.", hint) from None
    try:
        table = parquet.read_table(path)
    except pyarrow.ArrowInvalid:
        raise _error("E1205", f"{path} is not a Parquet file.") from None
    return Table({name: table[name] for name in table.column_names})


READERS: dict[str, Callable[[Path], Mapping[str, Any]]] = {
    ".json": _json,
    ".npz": _npz,
    ".csv": _csv,
    ".parquet": _parquet,
}
