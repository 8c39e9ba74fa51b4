"""What every coordinate of a posterior needs of the others: a faithful inverse of its Markov network (Webb et al. 2018, NaMI).

The Markov network has an edge where ∂² log p / ∂u_i ∂u_j is not zero; it is read off Hessians at random points, so that it is
that of the very coordinates that a flow works in, with the data, whatever the program. Coordinates are eliminated one after the
other, first those whose elimination joins the fewest others anew (min-fill). Drawn in the opposite order, each needs only those
that it was joined with when it was eliminated: the groups of a hierarchy need its scales, and not each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from emfppl.runtime.compile import once
from emfppl.runtime.precision import precision

TINY = 1e-10  # of the diagonal: what counts as zero
POINTS = 3
SPREAD = 0.5  # of the points around the centre


@dataclass(frozen=True)
class Inverse:
    """The coordinates in the order in which they are drawn; for each place in this order, the earlier places that it needs."""

    order: tuple[int, ...]
    needs: tuple[tuple[int, ...], ...] = ()  # of every place all earlier ones

    @property
    def seen(self) -> int:
        """The first so many places hold all that any coordinate needs; at least one."""
        return max((place + 1 for needed in self.needs for place in needed), default=1) if self.needs else len(self.order)


def markov_network(log_density: Callable[[jax.Array, Any], jax.Array], centre: np.ndarray, data: Any, seed: int = 0) -> np.ndarray:
    """Which pairs of coordinates interact (D, D); all of them, where the density is finite at none of the points."""
    points = centre + SPREAD * np.random.default_rng(seed).normal(size=(POINTS, centre.size))
    with precision("float64"):
        second = np.asarray(once(jax.vmap(jax.hessian(log_density), (0, None)))(points, data))
    found = [h for h in second if np.all(np.isfinite(h))]
    if not found:
        return ~np.eye(centre.size, dtype=bool)
    scales = [np.sqrt(np.abs(np.diag(h)) + np.finfo(float).tiny) for h in found]
    joined = np.any([np.abs(h) > TINY * np.outer(d, d) for h, d in zip(found, scales, strict=True)], axis=0)
    return (joined | joined.T) & ~np.eye(centre.size, dtype=bool)


def faithful_inverse(network: np.ndarray, preferred: Sequence[int]) -> Inverse:
    """The inverse by min-fill elimination; of coordinates that cost the same the one that comes last in `preferred` goes first."""
    graph, left = network.copy(), list(preferred)
    if np.all(graph | np.eye(len(graph), dtype=bool)):
        return Inverse(tuple(preferred))
    drawn: list[tuple[int, np.ndarray]] = []
    while left:
        costs = [_fill(graph, i) for i in left]
        at = max(range(len(left)), key=lambda n: (-costs[n], n))
        i = left.pop(at)
        near = np.flatnonzero(graph[i])
        graph[np.ix_(near, near)] = ~np.eye(len(near), dtype=bool)
        graph[i] = graph[:, i] = False
        drawn.append((i, near))
    order = tuple(i for i, _ in reversed(drawn))
    places = {i: place for place, i in enumerate(order)}
    return Inverse(order, tuple(tuple(sorted(places[j] for j in near)) for _, near in reversed(drawn)))


def _fill(graph: np.ndarray, i: int) -> int:
    """How many pairs the elimination of i would join anew."""
    near = np.flatnonzero(graph[i])
    return len(near) * (len(near) - 1) - int(graph[np.ix_(near, near)].sum())
