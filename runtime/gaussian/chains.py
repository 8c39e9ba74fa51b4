"""Long chains in a sparse pattern, and how they are cut into pieces that are eliminated side by side.

In an order of small *bandwidth* b (Cuthill and McKee 1969) no scalar has a neighbour more than b places on. Cut into pieces with at
least b scalars between one and the next, the separators, each piece is eliminated from its first scalar to its last one, and
touches nothing but the b scalars before it, the b scalars after it, and the hubs::

    | piece 0 | b | piece 1 | b | …          step t: the t-th scalar of every piece
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, reverse_cuthill_mckee

LONG = 256  # scalars of a chain
WIDEST = 4  # bandwidth
FRONT = 12  # scalars that a piece touches at a time
PIECES = range(40, 57)  # few enough that what they leave takes few levels, many enough that steps are few and wide
SHORTEST = 8  # scalars of a piece


@dataclass(frozen=True, eq=False)
class Pieces:
    """Pieces (m, c) of chains, the b scalars after and before each, (b, c), −1 for none, and the hubs of all (s,)."""

    members: np.ndarray
    after: np.ndarray
    before: np.ndarray
    shared: np.ndarray

    @property
    def entries(self) -> int:
        return self.members.size * (1 + 2 * len(self.after) + len(self.shared))

    @property
    def updates(self) -> int:
        return self.members.size * (2 * len(self.after) + len(self.shared)) ** 2

    @cached_property
    def around(self) -> np.ndarray:
        """What is left of the neighbours in the end: after, before, shared (F, c)."""
        shared = np.broadcast_to(self.shared[:, None], (len(self.shared), self.members.shape[1]))
        return np.concatenate([self.after, self.before, shared])

    @cached_property
    def neighbours(self) -> np.ndarray:
        """Those of every member when it goes: (m, F, c)."""
        b, m = len(self.after), len(self.members)
        chain = np.concatenate([self.members, self.after])
        following = np.stack([chain[n : n + m] for n in range(1, b + 1)], axis=1)
        return np.concatenate([following, np.broadcast_to(self.around[b:], (m, *self.around[b:].shape))], axis=1)

    def fill(self, dim: int) -> list[np.ndarray]:
        """Codes ``low · dim + high`` of the edges among what is left."""
        first, second = np.triu_indices(len(self.around), 1)
        a, b = self.around[first].ravel(), self.around[second].ravel()
        there = (a >= 0) & (b >= 0) & (a != b)
        return [np.unique((np.minimum(a, b) * dim + np.maximum(a, b))[there])]


def pieces_of(owner: np.ndarray, ends: np.ndarray, members: np.ndarray, hubs: np.ndarray) -> Pieces | None:
    """The pieces of the members (n,), in a graph with the edges owner–ends, each both ways; None where most of them are in no long
    chain. All of their neighbours are among them and the hubs."""
    count = len(members)
    if count < LONG:
        return None
    index = np.full(max(int(owner.max(initial=0)), int(members.max())) + 1, -1)
    index[members] = np.arange(count)
    mine = index[owner] >= 0
    rows, cols, seen = index[owner[mine]], index[ends[mine]], ends[mine]
    shared = np.intersect1d(seen[cols < 0], hubs)
    rows, cols = rows[cols >= 0], cols[cols >= 0]
    order = _narrow(rows, cols, count)
    if order is None or 2 * order[1] + len(shared) > FRONT:
        return None
    return _cut(members[order[0]], order[1], shared)


def _narrow(rows: np.ndarray, cols: np.ndarray, count: int) -> tuple[np.ndarray, int] | None:
    """An order of small bandwidth, and its bandwidth; None where there is none, or most components are short."""
    if len(rows) > 2 * WIDEST * count:
        return None
    graph = csr_array((np.ones(len(rows), np.int8), (rows, cols)), (count, count))
    labels = connected_components(graph, directed=False)[1]
    if np.sum(np.bincount(labels)[labels] >= LONG) < count / 2:
        return None
    orders = [np.arange(count), reverse_cuthill_mckee(graph, symmetric_mode=True).astype(int)]
    widths = [int(np.abs(np.argsort(order)[rows] - np.argsort(order)[cols]).max()) for order in orders]
    best = int(np.argmin(widths))
    return (orders[best], widths[best]) if widths[best] <= WIDEST else None


def _cut(order: np.ndarray, width: int, shared: np.ndarray) -> Pieces:
    """Pieces of equal length; what is over makes some separators longer by one."""
    most = len(order) // (SHORTEST + width)
    pieces = min((c for c in PIECES if c <= most), key=lambda c: c * width + len(order) % c, default=most)
    steps, over = len(order) // pieces - width, len(order) % pieces
    starts = np.arange(pieces) * (steps + width) + np.minimum(np.arange(pieces), over)
    reach = np.arange(width)[:, None]
    before = np.where(starts > 0, order[starts - width + reach], -1)
    return Pieces(order[starts + np.arange(steps)[:, None]], order[starts + steps + reach], before, shared)
