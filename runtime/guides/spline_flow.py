"""Neural spline flows, autoregressive (Durkan et al. 2019): y_i = spline_i(x_i), its bins and slopes given by x_<i.

A masked perceptron gives the 2 K − 1 numbers of each coordinate's rational-quadratic spline (`splines`). Its last matrix starts at
zero, which is the identity. Logarithms of slopes are bounded by ±`BOUND`, so that no step of an optimiser overflows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.guides import perceptron
from emfppl.runtime.guides.autoregressive import Autoregressive, LayerParams
from emfppl.runtime.guides.iaf import BOUND
from emfppl.runtime.guides.splines import Splines


def spline_numbers(out: jax.Array, dim: int, bins: int) -> dict[str, jax.Array]:
    """The parameters of `Splines` from a network's outputs, (2 K − 1, dim) flattened."""
    table = BOUND * jnp.tanh(jnp.reshape(out, (2 * bins - 1, dim)).T / BOUND)
    return {"rise": table[:, :bins], "slope": table[:, bins:]}


@dataclass(frozen=True)
class SplineFlow(Autoregressive):
    """A spline of `bins` bins for every coordinate, given those before it."""

    bins: int = 8

    @property
    def name(self) -> str:
        return "spline"

    @cached_property
    def _masks(self) -> list[np.ndarray]:
        return perceptron.masks(self.dependences, self.hidden, 2 * self.bins - 1)

    @property
    def _splines(self) -> Splines:
        return Splines(self.dim, self.bins)

    def init_layer(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        return perceptron.init(self._masks, rng)

    def _numbers(self, params: LayerParams, x: jax.Array) -> dict[str, jax.Array]:
        return spline_numbers(perceptron.apply(self._masks, params, x), self.dim, self.bins)

    def layer(self, params: LayerParams, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return self._splines.forward(self._numbers(params, x), x)

    def settle(self, params: LayerParams, x: jax.Array, y: jax.Array) -> jax.Array:
        return self._splines.inverse(self._numbers(params, x), y)
