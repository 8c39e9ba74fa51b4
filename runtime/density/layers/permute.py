"""Coordinates in another order: `reverse`, and `permute` at random."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.density.layer import Given, Layer, Params
from emfppl.runtime.gaussian.placing import Placing, spread


@dataclass(frozen=True)
class Reverse(Layer):
    """x_i = u_{D+1−i}."""

    def init(self, rng: np.random.Generator) -> Params:
        return {}

    def forward(self, params: Params, u: jax.Array, given: Given) -> tuple[jax.Array, jax.Array]:
        return u[::-1], jnp.zeros((), u.dtype)

    def inverse(self, params: Params, x: jax.Array, given: Given) -> tuple[jax.Array, jax.Array]:
        return x[::-1], jnp.zeros((), x.dtype)

    def settled(self, known: np.ndarray) -> np.ndarray:
        return known[::-1]


@dataclass(frozen=True)
class Permute(Layer):
    """x_i = u_π(i), π at random by `seed`, and not the identity."""

    seed: int = 0

    @cached_property
    def order(self) -> np.ndarray:
        """π."""
        rng, same = np.random.default_rng(self.seed), np.arange(self.dim)
        drawn = rng.permutation(self.dim)
        while self.dim > 1 and np.array_equal(drawn, same):
            drawn = rng.permutation(self.dim)
        return drawn

    @cached_property
    def _there(self) -> Placing:
        return Placing(self.order, self.dim)

    @cached_property
    def _back(self) -> Placing:
        return Placing(np.argsort(self.order), self.dim)

    def init(self, rng: np.random.Generator) -> Params:
        return {}

    def forward(self, params: Params, u: jax.Array, given: Given) -> tuple[jax.Array, jax.Array]:
        return spread(u, self._there), jnp.zeros((), u.dtype)

    def inverse(self, params: Params, x: jax.Array, given: Given) -> tuple[jax.Array, jax.Array]:
        return spread(x, self._back), jnp.zeros((), x.dtype)

    def settled(self, known: np.ndarray) -> np.ndarray:
        return known[np.argsort(self.order)]
