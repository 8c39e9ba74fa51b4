"""Sums of terms at their places, and values read from places: one linear map with a 0/1 matrix, and its transpose.

::

    total(terms)_r = Σ { terms_p : target_p = r }            spread(values)_p = values_{target_p}, 0 where target_p < 0

Both are done by gathers alone, with tables made once: XLA's scatter runs element by element on a CPU. Either is the transpose
of the other, so that derivatives of any order are gathers too. Arrays have the places along their first axis; under `vmap` the
draws go last, so that one look-up serves all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

FEW = 4  # terms a place, that are added one table after the other


@dataclass(frozen=True, eq=False)
class Placing:
    """Which of `rows` places each term goes to: `target` (P,), −1 for nowhere."""

    target: np.ndarray
    rows: int

    @property
    def terms(self) -> int:
        return int(self.target.size)

    @cached_property
    def is_identity(self) -> bool:
        return self.rows == self.terms and bool(np.array_equal(self.target, np.arange(self.rows)))

    @cached_property
    def counts(self) -> np.ndarray:
        """How many terms go to each place: (rows,)."""
        return np.bincount(self.target[self.target >= 0], minlength=self.rows)

    @cached_property
    def _by_place(self) -> tuple[np.ndarray, np.ndarray]:
        """The terms in the order of their places, and where those of each place begin."""
        used = np.flatnonzero(self.target >= 0)
        ordered = used[np.argsort(self.target[used], kind="stable")]
        return ordered, np.cumsum(self.counts) - self.counts

    def table(self, places: np.ndarray, width: int) -> np.ndarray:
        """The terms of these places, (width, len(places)), filled up with the number of terms, where a zero stands."""
        ordered, first = self._by_place
        slots = np.arange(width)[:, None]
        held = slots < self.counts[places]
        found = ordered[np.where(held, first[places] + slots, 0)] if ordered.size else np.zeros_like(held, int)
        return np.where(held, found, self.terms).astype(np.int32)

    @cached_property
    def buckets(self) -> tuple[list[np.ndarray], np.ndarray | None]:
        """Tables of places with about equally many terms, and where each place is in what they give; None for all in order."""
        most = int(self.counts.max(initial=0))
        if most <= FEW:
            return [self.table(np.arange(self.rows), most)], None
        width = np.where(self.counts > 1, 2 ** np.ceil(np.log2(np.maximum(self.counts, 1))), self.counts).astype(int)
        groups = [np.flatnonzero(width == w) for w in np.unique(width) if w]
        tables = [self.table(group, int(self.counts[group].max())) for group in groups]
        count = sum(map(len, groups))
        place = np.full(self.rows, count, np.int32)
        place[np.concatenate(groups)] = np.arange(count)
        return tables, place


def total(terms: Any, placing: Placing) -> Any:
    """The sums of the terms (P, …) at their places: (rows, …)."""
    return terms if placing.is_identity else _placed.bind(terms, placing=placing, back=False)


def spread(values: Any, placing: Placing) -> Any:
    """For each term the value (rows, …) at its place, zero where it has none: (P, …)."""
    return values if placing.is_identity else _placed.bind(values, placing=placing, back=True)


# ---------------------------------------------------------------- the primitive


def _compute(x: Any, *, placing: Placing, back: bool) -> Any:
    padded = jnp.concatenate([x, jnp.zeros((1, *x.shape[1:]), x.dtype)])
    if back:
        return _read(padded, np.where(placing.target < 0, placing.rows, placing.target).astype(np.int32))
    tables, place = placing.buckets
    parts = [_added(padded, table) for table in tables]
    if place is None:
        return parts[0]
    return _read(jnp.concatenate([*parts, jnp.zeros((1, *x.shape[1:]), x.dtype)]), place)


def _added(padded: Any, table: np.ndarray) -> Any:
    """Σ over the rows of the table."""
    if len(table) > FEW:
        return jnp.sum(_read(padded, table), axis=0)
    parts = [_read(padded, row) for row in table]
    return sum(parts[1:], parts[0]) if parts else jnp.zeros((table.shape[1], *padded.shape[1:]), padded.dtype)


def _read(x: Any, index: np.ndarray) -> Any:
    return x.at[index].get(mode="promise_in_bounds")


def _shape(x: Any, *, placing: Placing, back: bool) -> Any:
    return x.update(shape=(placing.terms if back else placing.rows, *x.shape[1:]))


def _transpose(cotangent: Any, _: Any, *, placing: Placing, back: bool) -> list[Any]:
    return [_placed.bind(cotangent, placing=placing, back=not back)]


def _batch(args: Any, dims: Any, *, placing: Placing, back: bool) -> tuple[Any, int]:
    x = jnp.moveaxis(args[0], dims[0], -1)
    return _placed.bind(x, placing=placing, back=back), x.ndim - 1


_placed = Primitive("placed")
_placed.def_impl(lambda x, **how: _compute(x, **how))
_placed.def_abstract_eval(_shape)
ad.deflinear2(_placed, _transpose)
batching.primitive_batchers[_placed] = _batch
mlir.register_lowering(_placed, mlir.lower_fun(_compute, multiple_results=False))
