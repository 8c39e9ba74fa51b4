"""Rows of unequal length, where entries may be missing: the short ones are filled up with missing entries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from emfppl.runtime.data_arrays import Given, NotAnArray, to_given


def padded(value: Any, rank: int) -> Given | None:
    """Nested rows as one array of `rank` axes, missing beyond the end of each row; None if they are no such rows."""
    try:
        rows = [_row(row, rank - 1) for row in value] if rank > 1 else []
    except (NotAnArray, TypeError):
        return None
    if not rows or any(row.values.ndim != rank - 1 for row in rows):
        return None
    shape = (len(rows), *(max(row.values.shape[n] for row in rows) for n in range(rank - 1)))
    values, missing = np.full(shape, None, object), np.ones(shape, bool)
    for n, row in enumerate(rows):
        place = tuple(slice(size) for size in row.values.shape)
        values[n][place] = row.values
        missing[n][place] = False if row.missing is None else row.missing
    return Given(values, missing)


def _row(row: Any, rank: int) -> Given:
    """One row; itself perhaps of rows of unequal length."""
    try:
        return to_given(row)
    except NotAnArray:
        found = padded(row, rank) if isinstance(row, Sequence) else None
        if found is None:
            raise
        return found
