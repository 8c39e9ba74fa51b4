"""The inverse of a node's map where the noise that gave the value is known: nothing is searched for, only derivatives are wanted.

With x = f(u; θ) elementwise and u known, the inverse function and its log-determinant have the derivatives

    du = (dx − ∂f/∂θ dθ) / f'(u)                d log |du/dx| = −∂ log f'/∂θ dθ − (log f')'(u) du

so one forward pass with its slope in u gives all. Where an inverse is in closed form that is used instead.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from emfppl.runtime.bijections.maps import Scalar
from emfppl.runtime.bijections.node_map import NodeMap


def inverse_near(node: NodeMap, x: jax.Array, gate: Any, noise: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    """u and log |det du/dx| at x, with first derivatives in x, the gate and the node's arguments; `noise` is u, if it is known."""
    if noise is None or gate is None or not _searches(node):
        return node.inverse(x, gate)
    at = jax.lax.stop_gradient(jnp.broadcast_to(noise, jnp.shape(x)))
    (value, log_slope), (_, bend) = jax.jvp(lambda u: node.forward(u, gate), (at,), (jnp.ones_like(at),))
    u = at + _change(x - value) * jnp.exp(-jax.lax.stop_gradient(log_slope))
    return u, -(log_slope + jax.lax.stop_gradient(bend) * (u - at))


def _searches(node: NodeMap) -> bool:
    """Whether the inverse of the node's gated map is a root search."""
    found = node.event_map
    return isinstance(found, Scalar) and found.law.affine is None


def _change(x: jax.Array) -> jax.Array:
    """Zero, with the derivatives of x."""
    return x - jax.lax.stop_gradient(x)
