"""A gate over a scalar law: ŷ = λ g̃(u) + (1 − λ) u in unconstrained space, elementwise."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from emfppl.runtime.bijections.laws import Law
from emfppl.runtime.bijections.root_search import increasing_root


def forward(law: Law, u: jax.Array, gate: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    """ŷ and log dŷ/du; without a gate ŷ = g̃(u)."""
    if gate is None:
        y = law.from_noise(u)
        return y, law.log_slope(u, y)
    if law.affine is not None:
        m, s = law.affine
        slope = gate * s + (1 - gate)
        return gate * m + slope * u, jnp.log(slope)
    shut = gate == 0
    inner = jnp.where(shut, 0.0, u)  # where the gate is shut g̃(u), which may overflow, is not wanted
    y = law.from_noise(inner)
    out = jnp.where(shut, u, gate * y + (1 - gate) * u)
    return out, log_mixed_slope(gate, jnp.where(shut, 0.0, law.log_slope(inner, y)))


def inverse(law: Law, y: jax.Array, gate: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    """u and log du/dŷ at ŷ."""
    if gate is None:
        u = law.to_noise(y)
        return u, -law.log_slope(u, y)
    if law.affine is not None:
        m, s = law.affine
        slope = gate * s + (1 - gate)
        return (y - gate * m) / slope, -jnp.log(slope)
    shut = gate == 0
    inner = ungated(law, jnp.where(shut, 0.0, y), jnp.where(shut, 1.0, gate))
    u = law.to_noise(inner)
    return jnp.where(shut, y, u), -log_mixed_slope(gate, jnp.where(shut, 0.0, law.log_slope(u, inner)))


def ungated(law: Law, target: jax.Array, gate: jax.Array) -> jax.Array:
    """y = g̃(u) at ŷ: the root of λ y + (1 − λ) g̃⁻¹(y) = ŷ, which needs the distribution function only."""

    def evaluate(y: jax.Array) -> tuple[jax.Array, jax.Array]:
        u = law.to_noise(y)
        return gate * y + (1 - gate) * u - target, gate + (1 - gate) * jnp.exp(-law.log_slope(u, y))

    return increasing_root(evaluate, target)


def log_mixed_slope(gate: jax.Array, log_slope: jax.Array) -> jax.Array:
    """log (λ exp(log_slope) + 1 − λ), finite with its gradient at λ = 0 and 1."""
    top = jax.lax.stop_gradient(jnp.maximum(log_slope, 0.0))
    return top + jnp.log(gate * jnp.exp(log_slope - top) + (1 - gate) * jnp.exp(-top))
