"""Gates of a structured layer, in the direction in which the map is in closed form.

Where g̃ is affine, as of a normal law, a gate mixes values as in a guide: ŷ = λ g̃(u) + (1 − λ) u. Of any other law of one number it
mixes noise, ::

    u = λ g̃⁻¹(y) + (1 − λ) y

which from y to u, the direction of training, needs the distribution function only: one of a mixture of a hundred components is a
sum, its inverse a search. λ = 1 is the law's own map and λ = 0 the identity either way.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from emfppl.runtime.bijections.gated import log_mixed_slope
from emfppl.runtime.bijections.laws import Law
from emfppl.runtime.bijections.maps import Scalar
from emfppl.runtime.bijections.node_map import NodeMap
from emfppl.runtime.bijections.root_search import increasing_root
from emfppl.runtime.density.layer import Pair


def _bent_law(node: NodeMap, gate: Any) -> Law | None:
    """The law of one number whose gate mixes noise."""
    found = node.event_map
    return found.law if gate is not None and isinstance(found, Scalar) and found.law.affine is None else None


def _mixed(law: Law, y: jax.Array, gate: jax.Array) -> Pair:
    """u and log du/dy at y."""
    shut = gate == 0
    inner = jnp.where(shut, 0.0, y)  # where the gate is shut g̃⁻¹(y), which may overflow, is not wanted
    own = law.to_noise(inner)
    log_slope = jnp.where(shut, 0.0, -law.log_slope(own, inner))
    return jnp.where(shut, y, gate * own + (1 - gate) * y), log_mixed_slope(gate, log_slope)


def inverse(node: NodeMap, x: jax.Array, gate: Any) -> Pair:
    """u and log |det ∂u/∂x|."""
    law = _bent_law(node, gate)
    if law is None:
        return node.inverse(x, gate)
    y = law.interval.unconstrained(law.interval.at(jnp.asarray(x, float)))
    u, log_slope = _mixed(law, y, jnp.broadcast_to(gate, jnp.shape(y)))
    return u, log_slope - law.interval.log_slope(y)


def forward(node: NodeMap, u: jax.Array, gate: Any) -> Pair:
    """x and log |det ∂x/∂u|."""
    law = _bent_law(node, gate)
    if law is None:
        return node.forward(u, gate)
    gate = jnp.broadcast_to(gate, jnp.shape(u))

    def residual(y: jax.Array) -> Pair:
        reached, log_slope = _mixed(law, y, gate)
        return reached - u, jnp.exp(log_slope)

    y = increasing_root(residual, u)
    log_slope = law.interval.log_slope(y) - _mixed(law, y, gate)[1]
    return law.interval.point(y).x, log_slope
