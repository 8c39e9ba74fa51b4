"""Inverse autoregressive flows (Kingma et al. 2016): y_i = x_i exp(s_i(x_<i)) + t_i(x_<i).

Shifts t and log scales s come from a masked perceptron (`perceptron`), whose last matrix starts at zero, so that the flow starts
as the identity. Log scales are bounded by ±`BOUND`, so that no step of an optimiser overflows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.guides import perceptron
from emfppl.runtime.guides.autoregressive import Autoregressive, LayerParams

BOUND = 3.0


@dataclass(frozen=True)
class Iaf(Autoregressive):
    """An affine map of every coordinate, given those before it."""

    @property
    def name(self) -> str:
        return "iaf"

    @cached_property
    def _masks(self) -> list[np.ndarray]:
        return perceptron.masks(self.dependences, self.hidden)

    def init_layer(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        return perceptron.init(self._masks, rng)

    def _shift_and_log_scale(self, params: LayerParams, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        out = perceptron.apply(self._masks, params, x)
        return out[: self.dim], BOUND * jnp.tanh(out[self.dim :] / BOUND)

    def layer(self, params: LayerParams, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        shift, log_scale = self._shift_and_log_scale(params, x)
        return x * jnp.exp(log_scale) + shift, log_scale

    def settle(self, params: LayerParams, x: jax.Array, y: jax.Array) -> jax.Array:
        shift, log_scale = self._shift_and_log_scale(params, x)
        return (y - shift) * jnp.exp(-log_scale)
