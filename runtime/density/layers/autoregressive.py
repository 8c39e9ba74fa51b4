"""Autoregressive layers: a coordinate moves as a masked network says that sees those before it (and what is given).

===========  =====================================  =====================================================
maf          u_i = (x_i − t(x_<i)) exp(−s(x_<i))    Papamakarios, Pavlakou and Murray 2017
spline_flow  u_i = spline_i(x_i; x_<i)              Durkan et al. 2019
iaf          x_i = t(u_<i) + exp(s(u_<i)) u_i       Kingma et al. 2016
===========  =====================================  =====================================================

The first two look at x: noise, and so the density, is one pass; x is found coordinate after coordinate. The third is the other
way round.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.density.layer import Given, Layer, Pair, Params
from emfppl.runtime.density.layers.networks import Network
from emfppl.runtime.density.layers.transforms import Move, Transform, transform_of


@dataclass(frozen=True)
class Autoregressive(Layer):
    """`bins` of a spline, 0 for affine maps; `by_noise`: the network looks at u instead of x."""

    hidden: tuple[int, ...]
    bins: int = 0
    context: int = 0
    by_noise: bool = False
    in_units: ClassVar[bool] = True

    @property
    def _transform(self) -> Transform:
        return transform_of(self.bins)

    @cached_property
    def _network(self) -> Network:
        numbers, scale = self._transform.numbers, self._transform.scale
        return Network(self.dim, self.dim, numbers, self.hidden, self.context, masked=True, scale=scale)

    def init(self, rng: np.random.Generator) -> Params:
        return self._network.init(rng)

    def forward(self, params: Params, u: jax.Array, given: Given) -> Pair:
        return self._moved(self._transform.to_data, params, u, given, self.by_noise)

    def inverse(self, params: Params, x: jax.Array, given: Given) -> Pair:
        return self._moved(self._transform.to_noise, params, x, given, not self.by_noise)

    def settled(self, known: np.ndarray) -> np.ndarray:
        return np.logical_and.accumulate(known)

    def _moved(self, move: Move, params: Params, v: jax.Array, given: Given, seen: bool) -> Pair:
        """v moved, as the network says that has `seen` it; else that sees what comes out: then each of D passes settles one more
        coordinate."""
        if seen:
            looked_at = v
        else:
            step = lambda _, out: move(self._network(params, out, given), v)[0]  # noqa: E731
            looked_at = jax.lax.fori_loop(0, self.dim - 1, step, jnp.zeros_like(v))
        out, log_slopes = move(self._network(params, looked_at, given), v)
        return out, jnp.sum(log_slopes)
