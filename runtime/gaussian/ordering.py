"""Which scalars of a symmetric sparse pattern are eliminated together: independent sets of small degree, level by level.

Multiple minimum degree (Liu 1985) with a bound that is loose on purpose: whatever has at most the median number of neighbours may
go, so that no level is small. *Hubs*, with far more neighbours than others, are left for later; where the members of a
level have many hubs in common these are *shared* neighbours and cost no look-up. Long chains go otherwise, in a sweep (`chains`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emfppl.runtime.gaussian.chains import Pieces, pieces_of
from emfppl.runtime.gaussian.dense import WRITTEN_OUT

WIDTH = 32  # neighbours of a scalar, but for shared hubs
REMAINDER = 500  # scalars of the dense remainder
SMALL = WRITTEN_OUT  # scalars, up to which all is dense
DENSE = 0.25  # share of the pattern that is there, from which what is left is dense
UPDATES = 20_000_000  # products of all levels
SPARE = 1000  # products that no one minds
KINDS = 4  # sets of shared hubs in a level
MANY = 16  # members that make a set of hubs shared
WIDTHS = np.array([0, 1, 2, 3, 4, 6, 8, 12, 16, 24, WIDTH])


@dataclass(frozen=True, eq=False)
class Column:
    """Scalars (m,) eliminated together, their local neighbours (k, m), −1 for none, and the shared ones (s,)."""

    members: np.ndarray
    local: np.ndarray
    shared: np.ndarray

    @property
    def entries(self) -> int:
        return len(self.members) * (1 + len(self.local) + len(self.shared))

    @property
    def updates(self) -> int:
        k, s = len(self.local), len(self.shared)
        return len(self.members) * k * (k + s) + s * s

    def fill(self, dim: int) -> list[np.ndarray]:
        """Codes ``low · dim + high`` of the edges among the neighbours of each member."""
        k, s = np.triu_indices(len(self.local), 1), np.triu_indices(len(self.shared), 1)
        pairs = [
            (self.local[k[0]], self.local[k[1]]),
            np.broadcast_arrays(self.local[:, None], self.shared[None, :, None]),
            (self.shared[s[0]], self.shared[s[1]]),
        ]
        out = []
        for a, b in pairs:
            a, b = np.ravel(a), np.ravel(b)
            there = (a >= 0) & (b >= 0)
            out.append(np.unique((np.minimum(a, b) * dim + np.maximum(a, b))[there]))
        return out


Columns = list[Column]
Stages = list[Columns | Pieces]


def order_by_levels(rows: np.ndarray, cols: np.ndarray, dim: int) -> Stages | None:
    """The levels and sweeps, what they leave being at most `REMAINDER` scalars; None where that can't be."""
    rows, cols = np.asarray(rows, np.int64), np.asarray(cols, np.int64)
    off = rows != cols
    edges = np.unique(np.minimum(rows, cols)[off] * dim + np.maximum(rows, cols)[off])
    alive, stages, work = np.ones(dim, bool), Stages(), 0
    while not _is_dense(int(alive.sum()), len(edges)):
        graph = _Neighbours(edges, dim, alive)
        stage = graph.pieces() or graph.level()
        if not stage:
            return stages if alive.sum() <= REMAINDER else None
        parts = stage if isinstance(stage, list) else [stage]
        work += sum(part.updates for part in parts)
        if work > UPDATES:
            return None
        for part in parts:
            alive[part.members] = False
        edges = _eliminated(edges, parts, dim, alive)
        stages.append(stage)
    return stages


def _is_dense(count: int, edges: int) -> bool:
    return count <= SMALL or (count <= REMAINDER and edges >= DENSE * count * (count - 1) / 2)


def _eliminated(edges: np.ndarray, parts: Sequence[Column | Pieces], dim: int, alive: np.ndarray) -> np.ndarray:
    """The edges among those that are left, with the fill: neighbours of an eliminated scalar become neighbours."""
    kept = edges[alive[edges // dim] & alive[edges % dim]]
    return np.unique(np.concatenate([kept, *(fill for part in parts for fill in part.fill(dim))]))


class _Neighbours:
    """The graph of what is left: neighbours of v are ``ends[first[v] : first[v + 1]]``."""

    def __init__(self, edges: np.ndarray, dim: int, alive: np.ndarray):
        a, b = edges // dim, edges % dim
        owner, other = np.concatenate([a, b]), np.concatenate([b, a])
        order = np.argsort(owner, kind="stable")
        self.owner, self.ends, self.alive, self.dim = owner[order], other[order], alive, dim
        self.degree = np.bincount(owner, minlength=dim)
        self.first = np.concatenate([[0], np.cumsum(self.degree)])
        self.hub = alive & (self.degree > max(WIDTH, 3 * float(np.median(self.degree[alive]))))
        self.local = self.degree - np.bincount(self.owner[self.hub[self.ends]], minlength=dim)

    def pieces(self) -> Pieces | None:
        """Long chains cut into pieces; None where most is something else."""
        plain = np.flatnonzero(self.alive & ~self.hub)
        return pieces_of(self.owner, self.ends, plain, np.flatnonzero(self.hub))

    def level(self) -> Columns:
        """An independent set as groups of columns; empty where none is narrow enough."""
        plain = self.alive & ~self.hub
        if not plain.any():
            return []
        bound = min(max(float(np.median(self.local[plain])), 2.0), WIDTH)
        chosen = self._independent(plain & (self.local <= bound))
        return self._grouped(chosen)

    def _independent(self, candidate: np.ndarray) -> np.ndarray:
        """Candidates no two of which are neighbours, those with few neighbours first."""
        within = candidate[self.owner] & candidate[self.ends]
        inner = np.bincount(self.owner[within], minlength=self.dim)
        free = np.flatnonzero(candidate & (inner == 0))
        bound = np.flatnonzero(candidate & (inner > 0))
        order = bound[np.argsort(self.local[bound], kind="stable")]
        ends = self.ends[within].tolist()
        first = np.concatenate([[0], np.cumsum(inner)]).tolist()
        blocked, chosen = bytearray(self.dim), []
        for v in order.tolist():
            if not blocked[v]:
                chosen.append(v)
                for w in ends[first[v] : first[v + 1]]:
                    blocked[w] = 1
        return np.sort(np.concatenate([free, np.asarray(chosen, int)]))

    def _grouped(self, chosen: np.ndarray) -> Columns:
        kinds = self._kinds(chosen)
        out = []
        for members, shared in kinds:
            common = np.zeros(self.dim + 1, bool)
            common[shared] = True
            count = self.degree[members] - len(shared)
            members, count = members[count <= WIDTH], count[count <= WIDTH]
            width = _widths(count)
            for k in np.unique(width):
                some = members[width == k]
                out.append(Column(some, self._table(some, int(k), common), shared))
        return out

    def _kinds(self, chosen: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """The members by the set of hubs that they share, with the set; the rest with none."""
        mine = np.zeros(self.dim, bool)
        mine[chosen] = True
        to_hub = mine[self.owner] & self.hub[self.ends]
        owner, hub = self.owner[to_hub], self.ends[to_hub]
        common = np.bincount(hub, minlength=self.dim) >= max(MANY, len(chosen) / 8)
        owner, hub = owner[common[hub]], hub[common[hub]]
        marks = np.random.default_rng(0).integers(1, 2**40, self.dim)
        sums = np.zeros(self.dim, np.int64)
        np.add.at(sums, owner, marks[hub])
        sets, inverse, sizes = np.unique(sums[chosen], return_inverse=True, return_counts=True)
        best = [n for n in np.argsort(-sizes)[:KINDS] if sizes[n] >= MANY and sets[n]]
        kinds = [(chosen[inverse == n], np.sort(hub[owner == chosen[inverse == n][0]])) for n in best]
        rest = chosen[~np.isin(inverse, best)]
        return [*kinds, (rest, np.zeros(0, int))] if rest.size else kinds

    def _table(self, members: np.ndarray, width: int, common: np.ndarray) -> np.ndarray:
        """Neighbours that are not in common, (width, m), filled up with −1."""
        out = np.full((width, len(members)), -1)
        column = np.full(self.dim, -1)
        column[members] = np.arange(len(members))
        mine = (column[self.owner] >= 0) & ~common[self.ends]
        owner, ends = self.owner[mine], self.ends[mine]
        rank = np.arange(len(owner)) - np.searchsorted(owner, owner)
        out[rank, column[owner]] = ends
        return out


def _widths(count: np.ndarray) -> np.ndarray:
    """The counts, rounded up to those of few groups: to the largest where that wastes little."""
    if len(count) and len(count) * count.max() ** 2 <= 1.5 * np.sum(count**2) + SPARE:
        return np.full(len(count), count.max())
    return count if len(np.unique(count)) <= KINDS else WIDTHS[np.searchsorted(WIDTHS, count)]
