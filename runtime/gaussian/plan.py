"""In which order the scalars of a sparse Gaussian are eliminated, found once from the pattern of its precision.

A *level* is a set of scalars none of which is a neighbour of another: all of them are eliminated at once. Of a chain every
second one goes, of what is left every second one again (odd-even reduction), so that a chain or a tree takes O(log n) levels,
and a hierarchy one. What remains in the end, the hubs that many depend on, is small and dense.

The entries of the factor lie in the order of elimination, level after level and group after group; each column holds its pivot
first, then its neighbours. Fill is there from the start, as zeros::

    level: [group: pivots (m,), local (k, m), shared (s, m)] …          rest: later levels, then the lower triangle of the remainder

The columns of a group have equally many neighbours. Those of its *shared* neighbours, hubs of all members, need no look-up
and their updates are sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from emfppl.runtime.gaussian.chains import Pieces
from emfppl.runtime.gaussian.ordering import Column, Columns, Stages, order_by_levels
from emfppl.runtime.gaussian.placing import Placing


@dataclass(frozen=True, eq=False)
class Group:
    """Columns with k local and s shared neighbours each: m of them. `near` says which later scalars the local ones are (k m), −1
    for none, `far` the shared ones (s,), both by their position after this level."""

    m: int
    k: int
    s: int
    near: Placing
    far: np.ndarray

    @property
    def rows(self) -> int:
        """Entries of the factor."""
        return self.m * (1 + self.k + self.s)


@dataclass(frozen=True, eq=False)
class Level:
    """Groups, where their updates of later entries go (`updates`), and those of a right-hand side (`carried`)."""

    groups: tuple[Group, ...]
    updates: Placing
    carried: Placing

    @cached_property
    def rows(self) -> int:
        return sum(group.rows for group in self.groups)

    @cached_property
    def count(self) -> int:
        """Scalars that are eliminated."""
        return sum(group.m for group in self.groups)


@dataclass(frozen=True, eq=False)
class Sweep:
    """Pieces of chains that are eliminated side by side, one scalar of each a step. Entries: (steps, 1 + front, pieces), the pivot
    first; `width`: scalars of the front that move along; updates and right-hand sides as of a level, where `carried` also says
    where the front's scalars are in the end."""

    steps: int
    pieces: int
    width: int
    front: int
    updates: Placing
    carried: Placing

    @property
    def rows(self) -> int:
        return self.count * (1 + self.front)

    @property
    def count(self) -> int:
        return self.steps * self.pieces


Stage = Level | Sweep


@dataclass(frozen=True, eq=False)
class Plan:
    """Levels, or sweeps, and the dense remainder of `remainder` scalars.

    `order`: scalars by position of elimination; `pattern`: rows and columns of the entries; `entries`: where each of these goes;
    `square`: which entry of the rest each entry of the remainder's full matrix is.
    """

    dim: int
    levels: tuple[Stage, ...]
    remainder: int
    order: Placing
    entries: Placing
    square: Placing
    pattern: tuple[np.ndarray, np.ndarray]

    @property
    def swept(self) -> int:
        """Scalars that are eliminated in sweeps."""
        return sum(level.count for level in self.levels if isinstance(level, Sweep))

    @cached_property
    def diagonal(self) -> np.ndarray:
        """Where the entries of the diagonal are in the pattern, in order of elimination: (D,)."""
        rows, cols = self.pattern
        places = np.flatnonzero(rows == cols)[np.argsort(rows[rows == cols])]
        return places[self.order.target].astype(np.int32)  # as all indices: in single precision JAX has no others


def make_plan(rows: np.ndarray, cols: np.ndarray, dim: int) -> Plan | None:
    """The plan for a precision (dim, dim) whose lower triangle has entries at `rows`, `cols`, each pair once; None where the
    factor would be too wide."""
    found = order_by_levels(rows, cols, dim)
    return None if found is None else _Layout(found, dim).plan(rows, cols)


class _Layout:
    """Positions of scalars and entries, by order of elimination."""

    def __init__(self, stages: Stages, dim: int):
        self.dim, self.stages = dim, stages
        parts = [part.members.ravel() for stage in stages for part in _parts(stage)]
        done = np.concatenate(parts) if parts else np.zeros(0, int)
        self.left = np.setdiff1d(np.arange(dim), done)
        self.remainder = len(self.left)
        self.order = np.concatenate([done, self.left])
        self.position = np.empty(dim, int)
        self.position[self.order] = np.arange(dim)
        self.keys, self.places, self.size = self._entries()

    def _entries(self) -> tuple[np.ndarray, np.ndarray, int]:
        """Sorted keys of all entries of the factor, their places, and how many there are."""
        keys = [key for stage in self.stages for part in _parts(stage) for key in self._keys(part)]
        low = np.tril_indices(self.remainder)
        keys.append(self._key(self.left[low[0]], self.left[low[1]]))
        flat = np.concatenate(keys)
        order = np.argsort(flat, kind="stable")
        kept = order[flat[order] >= 0]
        return flat[kept], kept, len(flat)

    def _keys(self, part: Column | Pieces) -> list[np.ndarray]:
        """Those of the entries of a group or a sweep, in order."""
        if isinstance(part, Pieces):
            whole = np.concatenate([part.members[:, None], part.neighbours], axis=1)
            return [self._key(part.members[:, None], whole).ravel()]
        members = part.members
        return [self._key(members, other).ravel() for other in (members, part.local, part.shared[:, None])]

    def _key(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """One number for each unordered pair of scalars; −1 where one is none."""
        first, second = np.minimum(self.position[a], self.position[b]), np.maximum(self.position[a], self.position[b])
        return np.where((a < 0) | (b < 0), -1, first * self.dim + second)

    def place(self, a: np.ndarray, b: np.ndarray, start: int = 0) -> np.ndarray:
        """Places of entries, from `start` on; −1 where a scalar is none."""
        key = self._key(a, b)
        found = self.places[np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)]
        return np.where(key < 0, -1, found - start)

    def plan(self, rows: np.ndarray, cols: np.ndarray) -> Plan:
        levels, start, done = list[Stage](), 0, 0
        for stage in self.stages:
            start += sum(part.entries for part in _parts(stage))
            done += sum(part.members.size for part in _parts(stage))
            levels.append(self._sweep(stage, start, done) if isinstance(stage, Pieces) else self._level(stage, start, done))
        square = self.place(self.left[:, None], self.left[None, :], start).ravel()
        entries = Placing(self.place(np.asarray(rows), np.asarray(cols)), self.size)
        order = Placing(self.order, self.dim)
        return Plan(self.dim, tuple(levels), self.remainder, order, entries, Placing(square, self.size - start), (rows, cols))

    def _level(self, columns: Columns, start: int, done: int) -> Level:
        updates = np.concatenate([self._updates(c, start) for c in columns])
        later = lambda v: np.where(v < 0, -1, self.position[v] - done)  # noqa: E731
        near = [later(c.local).ravel() for c in columns]
        far = [self.position[c.shared] - done for c in columns]
        carried = np.concatenate([part for pair in zip(near, far, strict=True) for part in pair])
        groups = tuple(
            Group(len(c.members), len(c.local), len(c.shared), Placing(n, self.dim - done), f.astype(np.int32))
            for c, n, f in zip(columns, near, far, strict=True)
        )
        return Level(groups, Placing(updates, self.size - start), Placing(carried, self.dim - done))

    def _sweep(self, pieces: Pieces, start: int, done: int) -> Sweep:
        """Of the symmetric updates (F, F, c) the upper half goes nowhere."""
        (steps, count), around = pieces.members.shape, pieces.around
        both = self.place(around[:, None], around[None, :], start)
        both[np.tril_indices(len(around), -1)] = -1
        carried = np.where(around < 0, -1, self.position[around] - done).ravel()
        updates = Placing(both.ravel(), self.size - start)
        return Sweep(steps, count, len(pieces.after), len(around), updates, Placing(carried, self.dim - done))

    def _updates(self, c: Column, start: int) -> np.ndarray:
        """Where the products of a group's neighbours go: local by local (k, k, m), local by shared (k, s, m), shared by shared
        (s, s); of symmetric ones the upper half goes nowhere."""
        both = self.place(c.local[:, None], c.local[None, :], start)
        both[np.tril_indices(len(c.local), -1)] = -1
        mixed = self.place(c.local[:, None], c.shared[None, :, None], start)
        hubs = self.place(c.shared[:, None], c.shared[None, :], start)
        hubs[np.tril_indices(len(c.shared), -1)] = -1
        return np.concatenate([both.ravel(), mixed.ravel(), hubs.ravel()])


def _parts(stage: Columns | Pieces) -> Sequence[Column | Pieces]:
    return [stage] if isinstance(stage, Pieces) else stage
