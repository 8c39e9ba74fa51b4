"""Nodes of whole numbers: there is a density and a sampler (NumPyro's), and no map from noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln

from emfppl.runtime.bijections.maps import EventMap, LogDensity


def negative_binomial(mean: jax.Array, concentration: jax.Array) -> LogDensity:
    """The log density of ``NegativeBinomial2``. NumPyro's goes by JAX's ``betaln``, which is right to six digits only."""
    log_odds = jnp.log(mean) - jnp.log(concentration)
    stay, go = -jax.nn.softplus(log_odds), -jax.nn.softplus(-log_odds)

    def density(x: jax.Array) -> jax.Array:
        return gammaln(x + concentration) - gammaln(concentration) - gammaln(x + 1.0) + concentration * stay + x * go

    return density


@dataclass(frozen=True)
class Discrete(EventMap):
    """A law of whole numbers: its log density and which numbers it allows."""

    density: LogDensity
    holds: Callable[[jax.Array], jax.Array]
    batch_shape: tuple[int, ...]
    event_shape: tuple[int, ...] = ()
    noise_event_shape: tuple[int, ...] = ()
    exact: bool = False

    def forward(self, u: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        raise TypeError("a whole number is no smooth function of noise")

    def inverse(self, x: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        raise TypeError("a whole number is no smooth function of noise")

    def log_prob(self, x: jax.Array) -> jax.Array:
        x = jnp.asarray(x)
        x = jnp.broadcast_to(x, jnp.broadcast_shapes(x.shape, self.batch_shape))
        x = x.astype(int) if x.dtype == bool else x
        inside = self.holds(x)
        safe = jnp.where(inside, x, jnp.zeros_like(x))
        return jnp.where(inside, self.density(safe), -jnp.inf)
