"""Tables over values of discrete elements, and how they are cut, merged and summed onto the elements of one grid.

A *grid* holds the elements of a discrete variable, or those with some of its positions fixed. A *factor* is a statement, or the
product of several with some elements summed out: for every point of its domain a table over the values of the elements that it
has there (its *spots*). Which elements these are is known before anything is traced. The numbers come as a `Named` over the
factor's domain and one axis a spot; an axis of the domain that it lacks is one along which it does not vary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.named import Named, arranged, filled

Arrays = dict[int, Named]
NONE = -1
LARGEST_TABLE = 20_000_000


class TooLarge(Exception):
    """A table of more than `LARGEST_TABLE` numbers (at least `entries`): the grids it is over, and the statements that couple
    them."""

    def __init__(self, entries: int, grids: Sequence[str], nodes: frozenset[int]):
        super().__init__(entries)
        self.entries, self.grids, self.nodes = entries, tuple(dict.fromkeys(grids)), nodes


@dataclass(frozen=True, eq=False)
class Grid:
    """Elements of `variable`: the positions `fixed` (dim, position) of some dims, all of the others, which have `shape`; each
    takes `values` values from `low` up."""

    name: str
    variable: str
    shape: tuple[int, ...]
    values: int
    low: int = 0
    fixed: tuple[tuple[int, int], ...] = ()

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=int))

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(f"{self.name}.{n}" for n in range(len(self.shape)))


@dataclass(frozen=True, eq=False)
class Spot:
    """One element a point of the domain: flat positions in a grid (`NONE`: no element there), and the label of its axis."""

    grid: str
    label: str
    ids: np.ndarray


@dataclass(frozen=True, eq=False)
class Factor:
    """A table for each point of a domain; `nodes`: the statements in it."""

    number: int
    labels: tuple[str, ...]
    shape: tuple[int, ...]
    spots: tuple[Spot, ...]
    nodes: frozenset[int] = frozenset()

    def touches(self, grid: str) -> list[Spot]:
        return [s for s in self.spots if s.grid == grid]

    @property
    def points(self) -> int:
        return int(np.prod(self.shape, dtype=int))


# ---------------------------------------------------------------- parts of a factor


@dataclass(frozen=True, eq=False)
class Part:
    """Some points of a factor's domain: a box, or flat positions under a new label. Axes of spots that have no element there are
    dropped; of two that are the same element there the diagonal is taken."""

    source: int
    out: int
    labels: tuple[str, ...]
    shape: tuple[int, ...]
    boxes: Mapping[str, tuple[int, int]]
    flat: np.ndarray | None
    label: str
    dropped: tuple[str, ...]
    merged: tuple[tuple[str, str], ...]

    def run(self, arrays: Arrays) -> None:
        value = arrays[self.source]
        for name in self.dropped:
            value = _at(value, name, 0, 1, keep=False)
        for one, other in self.merged:
            value = _diagonal(value, one, other)
        if self.flat is None:
            for name, (lower, upper) in self.boxes.items():
                value = _at(value, name, lower, upper)
        else:
            value = self._flat(value)
        arrays[self.out] = value

    def _flat(self, value: Named) -> Named:
        rest = tuple(n for n in value.labels if n not in self.labels)
        lengths = [value.length(n) for n in rest]
        array = filled(value, (*self.labels, *rest), (*self.shape, *lengths))
        return Named(jnp.reshape(array, (-1, *lengths))[self.flat], (self.label, *rest))


def _at(value: Named, label: str, lower: int, upper: int, keep: bool = True) -> Named:
    if label not in value.labels:
        return value
    axis = value.labels.index(label)
    array = jax.lax.slice_in_dim(jnp.asarray(value.array), lower, upper, axis=axis)
    if keep:
        return Named(array, value.labels)
    return Named(jnp.squeeze(array, axis), value.labels[:axis] + value.labels[axis + 1 :])


def _diagonal(value: Named, one: str, other: str) -> Named:
    if other not in value.labels:
        return value
    if one not in value.labels:
        return value.renamed(one if n == other else n for n in value.labels)
    axes = value.labels.index(one), value.labels.index(other)
    labels = tuple(n for n in value.labels if n not in (one, other))
    return Named(jnp.diagonal(value.array, 0, *axes), (*labels, one))


def cut(factor: Factor, codes: np.ndarray, numbers: Iterator[int]) -> Iterator[tuple[Part, Factor]]:
    """The factor in parts, one for each value of `codes` over its domain, with those spots that have elements there, each once."""
    for code in np.unique(codes):
        mask = codes == code
        boxes = _box(mask, factor.labels)
        number = next(numbers)
        flat = None if boxes is not None else np.flatnonzero(mask)
        spots = [replace(s, ids=_taken(s.ids, mask, flat, factor.labels, boxes)) for s in factor.spots]
        dropped = tuple(s.label for s in spots if (s.ids == NONE).all())
        kept = [s for s in spots if s.label not in dropped]
        merged = tuple(_same(kept))
        gone = {other for _, other in merged}
        left = tuple(s for s in kept if s.label not in gone)
        label = f"part {number}"
        part = Part(factor.number, number, factor.labels, factor.shape, boxes or {}, flat, label, dropped, merged)
        if boxes is None:
            yield part, Factor(number, (label,), (int(mask.sum()),), left, factor.nodes)
        else:
            shape = tuple(boxes[n][1] - boxes[n][0] for n in factor.labels)
            yield part, Factor(number, factor.labels, shape, left, factor.nodes)


def _box(mask: np.ndarray, labels: Sequence[str]) -> dict[str, tuple[int, int]] | None:
    """The ranges of a mask that is a box; None if it is none."""
    found = {}
    for n, label in enumerate(labels):
        inside = np.flatnonzero(mask.any(axis=tuple(a for a in range(mask.ndim) if a != n)))
        found[label] = (int(inside[0]), int(inside[-1]) + 1)
    return found if mask[tuple(slice(*r) for r in found.values())].all() else None


def _taken(
    ids: np.ndarray, mask: np.ndarray, flat: np.ndarray | None, labels: Sequence[str], boxes: Mapping[str, tuple[int, int]] | None
) -> np.ndarray:
    if boxes is None:
        return ids.reshape(-1)[flat]
    return ids[tuple(slice(*boxes[n]) for n in labels)]


def _same(spots: Sequence[Spot]) -> Iterator[tuple[str, str]]:
    """Pairs of labels of spots that are the same element throughout; each later one once."""
    gone: set[str] = set()
    for one, other in combinations(spots, 2):
        if one.grid == other.grid and not {one.label, other.label} & gone and np.array_equal(one.ids, other.ids):
            gone.add(other.label)
            yield one.label, other.label


def tidied(factor: Factor, numbers: Iterator[int]) -> Iterator[tuple[Part | None, Factor]]:
    """The factor in parts in each of which a spot has an element everywhere and no two spots are the same element anywhere."""
    if not factor.points:
        return
    questions = [s.ids == NONE for s in factor.spots]
    for one, other in combinations(factor.spots, 2):
        if one.grid == other.grid:
            questions.append(one.ids == other.ids)
    if not any(q.any() for q in questions):
        yield None, factor
        return
    codes = np.zeros(factor.shape, np.int64)
    for q in questions:
        codes = 2 * codes + q
    _, codes = np.unique(codes, return_inverse=True)
    yield from cut(factor, np.reshape(codes, factor.shape), numbers)


# ---------------------------------------------------------------- onto a grid


@dataclass(frozen=True, eq=False)
class Projection:
    """How a factor is summed onto a grid: domain axes along which the element stays the same are `summed`; the others are the
    axes of the grid from some position on (`moved`), or, where the elements lie in no such order, sums of `segments`."""

    source: int
    grid_labels: tuple[str, ...]
    grid_shape: tuple[int, ...]
    summed: tuple[tuple[str, int], ...]
    moved: Mapping[str, tuple[str, int, int]]  # domain label -> grid label, first position, length
    placed: Mapping[str, int]  # grid label -> the position of all
    segments: tuple[tuple[str, ...], tuple[int, ...], np.ndarray] | None
    renamed: Mapping[str, str]
    nodes: frozenset[int] = field(default=frozenset())

    def run(self, arrays: Arrays, loose: str | None = None) -> Named:
        """The numbers over the grid; along the axis `loose` only where the factor is (see `span`)."""
        value = arrays[self.source]
        for label, length in self.summed:
            value = summed(value, label, length)
        value = self._segmented(value) if self.segments is not None else self._moved(value, loose)
        return value.renamed(self.renamed.get(n, n) for n in value.labels)

    def span(self, label: str) -> tuple[int, int]:
        """The range of positions along an axis of the grid."""
        if self.segments is None:
            for to, first, length in self.moved.values():
                if to == label:
                    return first, first + length
            return self.placed[label], self.placed[label] + 1
        return 0, self.grid_shape[self.grid_labels.index(label)]

    def _segmented(self, value: Named) -> Named:
        assert self.segments is not None
        labels, shape, ids = self.segments
        rest = tuple(n for n in value.labels if n not in labels)
        lengths = [value.length(n) for n in rest]
        array = jnp.reshape(filled(value, (*labels, *rest), (*shape, *lengths)), (-1, *lengths))
        size = int(np.prod(self.grid_shape, dtype=int))
        array = jax.ops.segment_sum(array, jnp.asarray(ids.reshape(-1)), size)
        return Named(jnp.reshape(array, (*self.grid_shape, *lengths)), (*self.grid_labels, *rest))

    def _moved(self, value: Named, loose: str | None) -> Named:
        sizes = dict(zip(self.grid_labels, self.grid_shape, strict=True))
        value = value.renamed(self.moved[n][0] if n in self.moved else n for n in value.labels)
        for to, first, length in self.moved.values():
            if to != loose:
                value = _padded(value, to, first, length, sizes[to])
        for to, position in self.placed.items():
            if to != loose:
                value = _padded(value, to, position, 1, sizes[to])
        return value


def summed(value: Named, label: str, length: int) -> Named:
    """The sum along an axis of the domain, which the value may lack."""
    if label not in value.labels:
        return Named(value.array * length, value.labels) if length != 1 else value
    axis = value.labels.index(label)
    return Named(jnp.sum(value.array, axis=axis), value.labels[:axis] + value.labels[axis + 1 :])


def _padded(value: Named, label: str, first: int, length: int, size: int) -> Named:
    """The value along an axis of the grid of which it has a part: 0 elsewhere."""
    if (first, length) == (0, size):
        return value
    if label not in value.labels:
        value = Named(jnp.broadcast_to(value.array, (length, *jnp.shape(value.array))), (label, *value.labels))
    widths = [(first, size - first - length) if n == label else (0, 0) for n in value.labels]
    return Named(jnp.pad(value.array, widths), value.labels)


def project(factor: Factor, spot: Spot, grid: Grid) -> tuple[Projection, list[tuple[Spot, np.ndarray]]] | None:
    """How a factor is summed onto the grid of one of its spots, and for each of its other spots which element it is at each
    element of the grid (`NONE` where the factor is not); None where there are several."""
    ids, plates = spot.ids, []
    others = [s for s in factor.spots if s is not spot]
    arrays = [s.ids for s in others]
    for axis in reversed(range(ids.ndim)):
        if _constant(ids, axis):
            if not all(_constant(a, axis) for a in arrays):
                return None
            plates.append((factor.labels[axis], factor.shape[axis]))
            ids, *arrays = (np.take(a, 0, axis) for a in (ids, *arrays))
    found = []
    for s, array in zip(others, arrays, strict=True):
        over = np.full(grid.size, NONE)
        over[ids.reshape(-1)] = array.reshape(-1)
        if not np.array_equal(over[ids], array):
            return None
        found.append((s, over.reshape(grid.shape)))
    left = tuple(n for n in factor.labels if n not in dict(plates))
    return _projection(factor, grid, ids, left, tuple(plates)), found


def _constant(a: np.ndarray, axis: int) -> bool:
    return a.shape[axis] <= 1 or bool((np.diff(a, axis=axis) == 0).all())


def _projection(
    factor: Factor, grid: Grid, ids: np.ndarray, labels: tuple[str, ...], plates: tuple[tuple[str, int], ...]
) -> Projection:
    moved, placed, used = {}, {}, []
    regular = True
    for to, position in zip(grid.labels, np.unravel_index(ids, grid.shape) if grid.shape else (), strict=True):
        along = [n for n in range(ids.ndim) if not _constant(position, n)]
        if not along:
            placed[to] = int(position.reshape(-1)[0])
        elif len(along) == 1 and (np.diff(position, axis=along[0]) == 1).all():
            moved[labels[along[0]]] = (to, int(position.reshape(-1)[0]), ids.shape[along[0]])
            used.append(labels[along[0]])
        else:
            regular = False
    regular = regular and sorted(used) == sorted(labels)
    segments = None if regular else (labels, ids.shape, ids)
    nodes = factor.nodes
    return Projection(factor.number, grid.labels, grid.shape, plates, moved, placed, segments, {}, nodes)


def added(parts: Sequence[Named]) -> Named:
    """The sum of arrays, aligned by label."""
    total: Any = 0.0
    labels = tuple(dict.fromkeys(n for p in parts for n in p.labels))
    for part in parts:
        total = total + (arranged(part, labels) if labels else part.array)
    return Named(jnp.reshape(total, (1,) * len(labels)) if jnp.ndim(total) < len(labels) else total, labels)
