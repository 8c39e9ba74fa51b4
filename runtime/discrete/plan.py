"""In which order discrete elements are summed out, and what that costs; known before anything is traced.

Greedy: of the grids whose elements can be summed out all at once, the one with the smallest table comes next. Where there is none,
elements that meet their own neighbours are a chain. What is no chain either is split: positions along a short dim become grids of
their own, and the plan is made anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from math import prod

import numpy as np

from emfppl.compiler.passes.recurrences import reachable
from emfppl.runtime.discrete.factors import (
    LARGEST_TABLE,
    NONE,
    Factor,
    Grid,
    Part,
    Projection,
    Spot,
    TooLarge,
    cut,
    project,
    tidied,
)
from emfppl.runtime.discrete.steps import TIME, Chain, Close, Link, Other, SumOut, at_lag

MOST_GRIDS = 64


class _Stuck(Exception):
    """No grid can be summed out as it is; `choices` are dims (grid, dim) to split."""

    def __init__(self, choices: list[tuple[str, int]], nodes: frozenset[int]):
        super().__init__()
        self.choices, self.nodes = choices, nodes


@dataclass(frozen=True, eq=False)
class Plan:
    """Parts to cut the factors into, steps in order with further parts between them, and what is left; grids by name."""

    grids: dict[str, Grid]
    work: tuple[Part | SumOut | Chain, ...]
    closes: tuple[Close, ...]
    entries: int


def plan(factors: Sequence[Factor], grids: Sequence[Grid]) -> Plan:
    """The plan; raises `TooLarge`."""
    first = max((f.number for f in factors), default=-1) + 1
    by_name = {grid.name: grid for grid in grids}
    splits: list[tuple[str, int]] = []
    while True:
        try:
            return _Planner(by_name, list(factors), first, splits).plan()
        except _Stuck as stuck:
            if not stuck.choices:
                raise TooLarge(0, list(by_name), stuck.nodes) from None
            splits.append(min(stuck.choices, key=lambda c: by_name[c[0]].shape[c[1]]))


class _Planner:
    def __init__(self, grids: dict[str, Grid], factors: list[Factor], first: int, splits: list[tuple[str, int]]):
        self.numbers, self.labels = count(first), count()
        self.grids, self.factors = dict(grids), factors
        self.work: list[Part | SumOut | Chain] = []
        self.entries = 0
        self.whole = grids
        self.done: set[str] = set()
        self._tidy()
        by_variable: dict[str, list[int]] = {}
        for name, dim in splits:
            by_variable.setdefault(name, []).append(dim)
        for name, dims in by_variable.items():
            self._split(name, sorted(dims))

    def plan(self) -> Plan:
        for f in self.factors:
            self._weigh(self._entries(f), [s.grid for s in f.spots], f.nodes)
        while alive := [g for g in self.grids if g not in self.done]:
            found = [s for s in (self._sum_out(self.grids[name]) for name in alive) if s is not None]
            if found:
                best = min(found, key=self._table)
                self._weigh(self._table(best), [best.grid.name, *(o.grid for o in best.others)], _nodes(best.projections))
                self._apply(best, {best.grid.name}, best.grid.labels, best.grid.shape)
            else:
                chain = self._chain(alive)
                self._weigh(self._chain_table(chain), [k.grid.name for k in chain.links], _nodes(chain.projections))
                self._apply(chain, {k.grid.name for k in chain.links}, chain.batch, chain.batch_shape)
        closes = tuple(Close(f) for f in self.factors)
        return Plan(self.grids, tuple(self.work), closes, self.entries)

    # ------------------------------------------------------------ costs

    def _entries(self, f: Factor) -> int:
        return f.points * prod(self.grids[s.grid].values for s in f.spots)

    def _table(self, step: SumOut) -> int:
        return step.grid.size * step.grid.values * prod(o.values for o in step.others)

    def _chain_table(self, chain: Chain) -> int:
        """The largest of what moves along the chain, and the table of one step."""
        step = prod(chain.batch_shape) * prod(k.grid.values ** (chain.lag + 1) for k in chain.links)
        return max(step * prod(o.values for o in chain.others), chain.length)

    def _weigh(self, entries: int, grids: Sequence[str], nodes: frozenset[int]) -> None:
        self.entries += entries
        if entries > LARGEST_TABLE:
            raise TooLarge(entries, [self.grids[name].variable for name in grids], nodes)

    # ------------------------------------------------------------ steps

    def _sum_out(self, grid: Grid) -> SumOut | None:
        projections: list[Projection] = []
        others: list[Other] = []
        own = f"{grid.name}~"
        for f in self.factors:
            spots = f.touches(grid.name)
            if not spots:
                continue
            found = project(f, spots[0], grid) if len(spots) == 1 else None
            if found is None:
                return None
            names = {spots[0].label: own}
            for spot, ids in found[1]:
                names[spot.label] = self._other(others, spot, ids)
            projections.append(replace(found[0], renamed=names))
        return SumOut(grid, own, tuple(projections), tuple(others), next(self.numbers))

    def _other(self, others: list[Other], spot: Spot, ids: np.ndarray) -> str:
        """The label of the same elements among `others`, which grow if they are not there."""
        for n, o in enumerate(others):
            both = (o.ids != NONE) & (ids != NONE)
            if o.grid == spot.grid and (o.ids[both] == ids[both]).all():
                others[n] = replace(o, ids=np.maximum(o.ids, ids))
                return o.label
        label = f"{spot.grid}~{next(self.labels)}"
        others.append(Other(spot.grid, label, self.grids[spot.grid].values, ids))
        return label

    def _apply(self, step: SumOut | Chain, gone: set[str], labels: tuple[str, ...], shape: tuple[int, ...]) -> None:
        """Take a step: the factors that touch what is gone become one."""
        self.work.append(step)
        self.done |= gone
        nodes = _nodes(step.projections)
        spots = tuple(Spot(o.grid, o.label, o.ids) for o in step.others)
        self.factors = [f for f in self.factors if not any(s.grid in gone for s in f.spots)]
        self._admit(Factor(step.out, labels, shape, spots, nodes))

    def _admit(self, factor: Factor) -> None:
        for part, found in tidied(factor, self.numbers):
            if part is not None:
                self.work.append(part)
            self.factors.append(found)

    def _tidy(self) -> None:
        given, self.factors = self.factors, []
        for f in given:
            self._admit(f)

    # ------------------------------------------------------------ chains

    def _chain(self, alive: Sequence[str]) -> Chain:
        """The elements of grids that meet their own neighbours."""
        links = self._links(alive)
        names = {k.grid.name for k in links}
        touching = [f for f in self.factors if any(s.grid in names for s in f.spots)]
        axes = {k.grid.name: k.axis for k in links}
        batch_shape = _without(links[0].grid.shape, links[0].axis)
        lengths = {k.grid.shape[k.axis] for k in links}
        if len(lengths) > 1 or any(_without(k.grid.shape, k.axis) != batch_shape for k in links):
            raise self._stuck(names)
        batch = tuple(f"{links[0].grid.name}/{n}" for n in range(len(batch_shape)))
        others: list[Other] = []
        projections, lags = [], [1]
        for f in touching:
            projections.append(self._projected(f, axes, batch, others, lags))
        return Chain(links, lengths.pop(), max(lags), batch, batch_shape, tuple(projections), tuple(others), next(self.numbers))

    def _links(self, alive: Sequence[str]) -> tuple[Link, ...]:
        """The grids connected with the first that meets itself, which do so too, and along which axis."""
        axes: dict[str, set[int]] = {}
        near: dict[str, set[str]] = {name: {name} for name in alive}
        for f in self.factors:
            for s in f.spots:
                near[s.grid] |= {t.grid for t in f.spots}
                for t in f.touches(s.grid):
                    if t is not s:
                        axes.setdefault(s.grid, set()).update(self._differing(s, t))
        if not axes:
            raise self._stuck(set(alive))
        found = reachable(next(name for name in alive if name in axes), near) & set(axes)
        if any(len(axes[name]) != 1 for name in found):
            raise self._stuck({name for name in found if len(axes[name]) != 1})
        return tuple(Link(self.grids[name], min(axes[name])) for name in alive if name in found)

    def _differing(self, s: Spot, t: Spot) -> set[int]:
        """The dims of a grid along which two spots lie apart."""
        shape = self.grids[s.grid].shape
        pairs = zip(np.unravel_index(s.ids, shape), np.unravel_index(t.ids, shape), strict=True)
        return {n for n, (a, b) in enumerate(pairs) if (a != b).any()}

    def _projected(
        self, f: Factor, axes: dict[str, int], batch: tuple[str, ...], others: list[Other], lags: list[int]
    ) -> Projection:
        """A factor onto the grid of its latest element, its elements named by how far they lie back."""
        inside = [s for s in f.spots if s.grid in axes]
        places = {s.label: self._place(s, axes[s.grid]) for s in inside}
        latest = np.max([places[s.label][0] for s in inside], axis=0)
        back = {s.label: np.unique(latest - places[s.label][0]) for s in inside}
        anchor = next((s for s in inside if (back[s.label] == 0).all()), None)
        same = all((places[s.label][1] == places[inside[0].label][1]).all() for s in inside)
        if anchor is None or not same or any(len(b) > 1 for b in back.values()):
            raise self._stuck(set(axes), f.nodes)
        lags.extend(int(b[0]) for b in back.values())
        grid = self.grids[anchor.grid]
        found = project(f, anchor, grid)
        if found is None:
            raise self._stuck(set(axes), f.nodes)
        projection, rest = found
        names = {s.label: at_lag(s.grid, int(back[s.label][0])) for s in inside}
        for spot, ids in rest:
            if spot.grid not in axes:
                names[spot.label] = self._other(others, spot, self._along(ids, axes[anchor.grid], set(axes), f.nodes))
        labels = list(batch)
        labels.insert(axes[anchor.grid], TIME)
        new = dict(zip(grid.labels, labels, strict=True))
        return replace(
            projection,
            grid_labels=tuple(labels),
            moved={k: (new[to], first, size) for k, (to, first, size) in projection.moved.items()},
            placed={new[k]: v for k, v in projection.placed.items()},
            renamed=names,
        )

    def _along(self, ids: np.ndarray, axis: int, names: set[str], nodes: frozenset[int]) -> np.ndarray:
        """The elements, the same all along the chain, for each batch."""
        one = ids.max(axis=axis)
        if not ((ids == NONE) | (ids == np.expand_dims(one, axis))).all():
            raise self._stuck(names, nodes)
        return one

    def _place(self, s: Spot, axis: int) -> tuple[np.ndarray, np.ndarray]:
        """The position of each element along the chain, and its batch."""
        shape = self.grids[s.grid].shape
        where = np.unravel_index(s.ids, shape)
        rest = [w for n, w in enumerate(where) if n != axis]
        batch = np.ravel_multi_index(rest, _without(shape, axis)) if rest else np.zeros_like(s.ids)
        return where[axis], batch

    # ------------------------------------------------------------ splitting

    def _stuck(self, names: set[str], nodes: frozenset[int] = frozenset()) -> _Stuck:
        """What could be split: the dims, of two positions or more, of these grids, as dims of the variable's own grid."""
        choices = []
        for name in sorted(names):
            grid = self.grids[name]
            fixed = {dim for dim, _ in grid.fixed}
            left = [n for n in range(len(self.whole[grid.variable].shape)) if n not in fixed]
            choices += [(grid.variable, dim) for dim, size in zip(left, grid.shape, strict=True) if size > 1]
        nodes = nodes or frozenset(n for f in self.factors for n in f.nodes if len(f.spots) > 1)
        return _Stuck([c for c in choices if len(self.grids) * self.whole[c[0]].shape[c[1]] <= MOST_GRIDS], nodes)

    def _split(self, name: str, dims: list[int]) -> None:
        """Each position along some dims of a variable becomes a grid of its own."""
        whole = self.grids.pop(name)
        rest = [n for n in range(len(whole.shape)) if n not in dims]
        shape = tuple(whole.shape[n] for n in rest)
        for place in np.ndindex(*(whole.shape[n] for n in dims)):
            fixed = tuple(zip(dims, place, strict=True))
            own = f"{name}{list(place)}"
            self.grids[own] = Grid(own, whole.variable, shape, whole.values, whole.low, fixed)
        given, self.factors = self.factors, []
        for f in given:
            for found in self._parts(f, whole, dims):
                self.factors.append(self._renamed(found, whole, dims, rest, shape))

    def _parts(self, f: Factor, whole: Grid, dims: list[int]) -> list[Factor]:
        """The factor in parts, in each of which every spot of the variable has one position along the dims."""
        spots = f.touches(whole.name)
        if not spots:
            return [f]
        codes = np.zeros(f.shape, np.int64)
        for s in spots:
            codes = codes * whole.size + self._fixed(s.ids, whole, dims)
            _, codes = np.unique(codes, return_inverse=True)
            codes = np.reshape(codes, f.shape)
        if (codes == codes.reshape(-1)[0]).all():
            return [f]
        out = []
        for part, found in cut(f, codes, self.numbers):
            self.work.append(part)
            out.append(found)
        return out

    @staticmethod
    def _fixed(ids: np.ndarray, whole: Grid, dims: list[int]) -> np.ndarray:
        where = np.unravel_index(ids, whole.shape)
        return np.ravel_multi_index([where[n] for n in dims], [whole.shape[n] for n in dims])

    def _renamed(self, f: Factor, whole: Grid, dims: list[int], rest: list[int], shape: tuple[int, ...]) -> Factor:
        spots = []
        for s in f.spots:
            if s.grid == whole.name:
                where = np.unravel_index(s.ids, whole.shape)
                place = [int(where[n].reshape(-1)[0]) for n in dims]
                ids = np.ravel_multi_index([where[n] for n in rest], shape) if rest else np.zeros_like(s.ids)
                s = Spot(f"{whole.name}{place}", s.label, np.asarray(ids))
            spots.append(s)
        return replace(f, spots=tuple(spots))


def _nodes(projections: Sequence[Projection]) -> frozenset[int]:
    return frozenset().union(*(p.nodes for p in projections))


def _without(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return shape[:axis] + shape[axis + 1 :]
