"""Coupling layers (Dinh, Sohl-Dickstein and Bengio 2017; with splines Durkan et al. 2019): one half of the coordinates moves the
other.

::

    x_B = t(u_A) + exp(s(u_A)) u_B     or     u_B = spline(x_B; x_A)          x_A = u_A          then A and B change places

A are the coordinates at even places, B those at odd ones. Either direction is one pass of a network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.density.layer import Given, Layer, Pair, Params
from emfppl.runtime.density.layers.networks import Network
from emfppl.runtime.density.layers.transforms import Move, Transform, transform_of


@dataclass(frozen=True)
class Coupling(Layer):
    """Two couplings, after which both halves have moved; splines of `bins` bins, affine maps where that is 0."""

    hidden: tuple[int, ...]
    bins: int = 0
    context: int = 0
    in_units: ClassVar[bool] = True

    @property
    def _transform(self) -> Transform:
        return transform_of(self.bins)

    def _moves(self, i: int) -> int:
        """Which half moves, 0 or 1; a single coordinate moves alone."""
        return 0 if self.dim == 1 else (i + 1) % 2

    def _network(self, i: int) -> Network:
        move = (self.dim + 1 - self._moves(i)) // 2
        numbers, scale = self._transform.numbers, self._transform.scale
        return Network(self.dim - move, move, numbers, self.hidden, self.context, scale=scale)

    def init(self, rng: np.random.Generator) -> Params:
        return {f"network{i}": self._network(i).init(rng) for i in range(2)}

    def forward(self, params: Params, u: jax.Array, given: Given) -> Pair:
        total = jnp.zeros((), u.dtype)
        for i in range(2):
            u, log_slope = self._couple(i, self._transform.to_data, params, u, given)
            total = total + jnp.sum(log_slope)
        return u, total

    def inverse(self, params: Params, x: jax.Array, given: Given) -> Pair:
        total = jnp.zeros((), x.dtype)
        for i in reversed(range(2)):
            x, log_slope = self._couple(i, self._transform.to_noise, params, x, given)
            total = total + jnp.sum(log_slope)
        return x, total

    def _couple(self, i: int, move: Move, params: Params, v: jax.Array, given: Given) -> Pair:
        moves = self._moves(i)
        rows = self._network(i)(params[f"network{i}"], v[1 - moves :: 2], given)
        out, log_slope = move(rows, v[moves::2])
        return _merged(v, out, moves), log_slope

    def settled(self, known: np.ndarray) -> np.ndarray:
        for i in reversed(range(2)):
            moves = self._moves(i)
            if self.dim > 1 and not known[1 - moves :: 2].all():
                known = known & (np.arange(self.dim) % 2 != moves)
        return known


def _merged(v: jax.Array, moved: jax.Array, place: int) -> jax.Array:
    """v with the coordinates at every second place, from `place` on, replaced: by interleaving, which needs no scatter."""
    halves = [v[0::2], v[1::2]]
    halves[place] = moved
    even, odd = halves
    paired = jnp.stack([even[: odd.size], odd], axis=1).reshape(-1)
    return jnp.concatenate([paired, even[odd.size :]])
