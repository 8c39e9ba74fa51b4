"""The sparsity of a precision matrix, and how few of its products with vectors tell all its entries.

Latents that stand in one residual ``(x − μ) / σ`` together have an entry. Columns without a row in common are asked for in one
product: they have one *colour* (Curtis, Powell and Reid 1974). A *hub*, whose column is long, has a colour of its own, and its
row does not count against others, since the matrix is symmetric (Powell and Toint 1979).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.gaussian.footprints import NONE
from emfppl.runtime.gaussian.placing import Placing

LARGEST = 50_000_000  # pairs of latents in one statement


class TooDense(Exception):
    """A precision matrix with more entries than are worth having."""


@dataclass(frozen=True, eq=False)
class Pattern:
    """The entries on and below the diagonal, by row and then column; the colour of every column; where in the products, an array
    (colours, dim), each entry is found."""

    dim: int
    rows: np.ndarray
    cols: np.ndarray
    colours: np.ndarray
    places: np.ndarray

    @property
    def num_colours(self) -> int:
        return int(self.colours.max(initial=-1)) + 1

    @cached_property
    def read(self) -> Placing:
        """Where each entry is read from in the products, as one vector; its derivative is a gather as well."""
        return Placing(self.places, self.num_colours * self.dim)

    def vectors(self, dtype: Any) -> jax.Array:
        """For each colour the vector of ones at its columns: (colours, dim)."""
        return (jnp.arange(self.num_colours)[:, None] == self.colours).astype(dtype)


def pattern(cliques: Iterable[np.ndarray], dim: int, pieces: Sequence[tuple[int, int]]) -> Pattern:
    """The pattern of sets of latents (…, k) that stand together; `pieces`: the ranges of positions of the variables."""
    codes = [np.arange(dim, dtype=np.int64) * (dim + 1), *(_pairs(c.reshape(-1, c.shape[-1]), dim) for c in cliques)]
    rows, cols = np.divmod(np.unique(np.concatenate(codes)), max(dim, 1))
    hubs = _hubs(rows, cols, dim)
    colours = _coloured(rows, cols, hubs, pieces)
    by_column = hubs[cols] | ~hubs[rows]
    places = np.where(by_column, colours[cols] * dim + rows, colours[rows] * dim + cols)
    return Pattern(dim, rows, cols, colours.astype(np.int32), places.astype(np.int32))  # in single precision JAX has no others


def _pairs(ids: np.ndarray, dim: int) -> np.ndarray:
    """The codes ``row · dim + col`` of all pairs within each row of `ids`, each once."""
    width = ids.shape[-1]
    if len(ids) * width**2 > LARGEST:
        ids = np.unique(ids, axis=0)
    if len(ids) * width**2 > LARGEST:
        raise TooDense
    found = []
    for k in range(width):
        one, other = ids[:, k, None], ids[:, k:]
        codes = np.maximum(one, other).astype(np.int64) * dim + np.minimum(one, other)
        found.append(np.unique(codes[(one != NONE) & (other != NONE)]))
    return np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)


def _hubs(rows: np.ndarray, cols: np.ndarray, dim: int) -> np.ndarray:
    """The latents with more neighbours than there are latents with so many."""
    degree = np.bincount(rows, minlength=dim) + np.bincount(cols, minlength=dim) - 1
    falling = np.sort(degree)[::-1]
    enough = falling <= np.arange(1, dim + 1)
    return degree > int(np.argmax(enough)) + 1


def _coloured(rows: np.ndarray, cols: np.ndarray, hubs: np.ndarray, pieces: Sequence[tuple[int, int]]) -> np.ndarray:
    """Hubs one by one, then each variable's other elements in colours of their own."""
    colours = np.full(len(hubs), -1)
    colours[hubs] = np.arange(hubs.sum())
    below = rows != cols
    row = np.concatenate([rows, cols[below]])
    col = np.concatenate([cols, rows[below]])
    seen = ~hubs[row] & ~hubs[col]
    row, col = row[seen], col[seen]
    count = int(hubs.sum())
    for start, stop in pieces:
        mine = (col >= start) & (col < stop)
        own = _periodic(row[mine], col[mine] - start, stop - start)
        own = _greedy(row[mine], col[mine] - start, stop - start) if own is None else own
        free = ~hubs[start:stop]
        if free.any():
            used, packed = np.unique(own[free], return_inverse=True)
            colours[start:stop][free] = count + packed
            count += len(used)
    return colours


def _periodic(row: np.ndarray, col: np.ndarray, size: int) -> np.ndarray | None:
    """Colours that repeat along a variable with the shortest period that will do, up to 12."""
    for period in range(1, 13):
        codes = np.sort(row * period + col % period)
        if not (codes[1:] == codes[:-1]).any():
            return np.arange(size) % period
    return None


def _greedy(row: np.ndarray, col: np.ndarray, size: int) -> np.ndarray:
    """Colours one after the other: of the columns that have none yet, every one that comes first, in a random order, in all its
    rows takes the present colour (Luby 1986)."""
    colours, rng = np.full(size, -1), np.random.default_rng(0)
    left, colour = np.ones(size, bool), 0
    order = np.argsort(row, kind="stable")
    row, col = np.unique(row[order], return_inverse=True)[1], col[order]
    starts = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
    while left.any():
        open_ = left.copy()
        while open_.any():
            rank = np.where(open_, rng.permutation(size) + 1, 0)
            first = np.maximum.reduceat(rank[col], starts)[row] == rank[col]
            chosen = open_.copy()
            np.logical_and.at(chosen, col, first)
            colours[chosen], left[chosen] = colour, False
            touched = np.logical_or.reduceat(chosen[col], starts)[row]
            open_[chosen] = False
            np.logical_and.at(open_, col, ~touched)
        colour += 1
    return colours
