"""Nodes of whole numbers: there is a density and a sampler, and no map from noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from emfppl.runtime.bijections.counts import Counts
from emfppl.runtime.bijections.maps import EventMap, LogDensity


@dataclass(frozen=True)
class Discrete(EventMap):
    """A law of whole numbers: its log density and which numbers (or vectors of them) it allows."""

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
        x = jnp.broadcast_to(x, jnp.broadcast_shapes(x.shape, (*self.batch_shape, *self.event_shape)))
        x = x.astype(int) if x.dtype == bool else x
        inside = self.holds(x)
        wide = inside.reshape(inside.shape + (1,) * len(self.event_shape))
        return jnp.where(inside, self.density(jnp.where(wide, x, jnp.zeros_like(x))), -jnp.inf)


def single(law: Counts, batch_shape: tuple[int, ...], event_shape: tuple[int, ...] = ()) -> Discrete:
    """A node of single whole numbers."""
    return Discrete(law.log_density, law.holds, batch_shape, event_shape)
