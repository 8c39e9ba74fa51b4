"""Block neural autoregressive layers (De Cao, Titov and Aziz 2019) towards noise: the density is one pass, x is searched for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.density.layer import Given, Layer, Params
from emfppl.runtime.guides.bnaf import Bnaf as Flow

GATE = -2.0  # the logit that each gate starts at


@dataclass(frozen=True)
class Bnaf(Layer):
    """u = (1 − σ(gate)) x + σ(gate) f(x), f triangular in blocks; of `hidden` the numbers are units per coordinate."""

    hidden: tuple[int, ...] = (8, 8)
    context: int = 0
    in_units: ClassVar[bool] = True

    @cached_property
    def _flow(self) -> Flow:
        return Flow(self.dim, 1, self.hidden, context=self.context)

    def _features(self, given: Given) -> jax.Array | None:
        return given.features if self.context else None

    def init(self, rng: np.random.Generator) -> Params:
        return {**self._flow.init_layer(rng), "gate": np.full(self.dim, GATE)}

    def inverse(self, params: Params, x: jax.Array, given: Given) -> tuple[jax.Array, jax.Array]:
        u, log_slope = self._flow.layer(params, x, self._features(given))
        return u, jnp.sum(log_slope)

    def forward(self, params: Params, u: jax.Array, given: Given) -> tuple[jax.Array, jax.Array]:
        settle = lambda _, x: self._flow.settle(params, x, u, self._features(given))  # noqa: E731
        x = jax.lax.fori_loop(0, self.dim, settle, u)
        return x, -self.inverse(params, x, given)[1]

    def settled(self, known: np.ndarray) -> np.ndarray:
        return np.logical_and.accumulate(known)
