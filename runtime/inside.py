"""Whether values of the latents are in their supports, whose bounds may depend on other latents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from emfppl.runtime.bijections.node_map import SupportValue
from emfppl.runtime.bijections.unconstrain import CONSTRAINTS
from emfppl.runtime.execute import Site
from emfppl.runtime.program import Program


def inside(program: Program, values: Mapping[str, Any]) -> Mapping[str, jax.Array]:
    """For every node of a latent, by key, whether its draws are in their support: over its domain."""

    def look(site: Site, value: Any) -> jax.Array:
        return contains(site.support, value, len(site.event_shape))

    return program.at_values(values, look)


def contains(support: SupportValue, x: jax.Array, event_rank: int = 0) -> jax.Array:
    """Whether draws x (batch + event) are in the support: (batch)."""
    if support.name in CONSTRAINTS:
        return CONSTRAINTS[support.name](x)
    fine = jnp.isfinite(x)
    for bound, sign in ((support.lower, 1), (support.upper, -1)):
        if bound is not None:
            fine &= sign * (x - _aligned(bound, x)) >= 0
    if support.name == "integers":
        fine &= x == jnp.round(x)
    return jnp.all(fine, axis=tuple(range(jnp.ndim(x) - event_rank, jnp.ndim(x))))


def _aligned(bound: Any, x: jax.Array) -> jax.Array:
    """A bound over the batch, with axes of length one for the event."""
    return jnp.reshape(bound, jnp.shape(bound) + (1,) * (jnp.ndim(x) - jnp.ndim(bound)))
