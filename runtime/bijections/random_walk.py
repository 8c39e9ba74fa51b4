"""Gaussian random walks as one vector: x = scale · cumsum(u)."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import lax

from emfppl.runtime.bijections.maps import EventMap
from emfppl.runtime.bijections.normal import log_density


@dataclass(frozen=True)
class GaussianRandomWalk(EventMap):
    """Gated, x_k = λ_k s_k + (1 − λ_k) u_k with s_k = s_(k−1) + scale u_k, the ungated walk; `scale` (*batch_shape)."""

    scale: jax.Array
    batch_shape: tuple[int, ...]
    event_shape: tuple[int, ...]

    @property
    def noise_event_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.event_shape

    def _slope(self, gate: jax.Array | None, shape: tuple[int, ...]) -> jax.Array:
        scale = jnp.asarray(self.scale)[..., None]
        return jnp.broadcast_to(scale if gate is None else gate * scale + 1 - gate, shape)

    def forward(self, u: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        u, gate = self._filled(u, gate)
        walk = jnp.asarray(self.scale)[..., None] * jnp.cumsum(u, axis=-1)
        x = walk if gate is None else gate * walk + (1 - gate) * u
        return x, jnp.sum(jnp.log(self._slope(gate, u.shape)), axis=-1)

    def inverse(self, x: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        x, gate = self._filled(x, gate)
        slope = self._slope(gate, x.shape)
        log_det = -jnp.sum(jnp.log(slope), axis=-1)
        if gate is None:
            return jnp.diff(x, axis=-1, prepend=0.0) / slope, log_det

        def step(before: jax.Array, given: tuple) -> tuple:
            value, opening, stretch = given
            u = (value - opening * before) / stretch
            return before + self.scale * u, u

        inputs = tuple(jnp.moveaxis(a, -1, 0) for a in (x, gate, slope))
        u: jax.Array
        _, u = lax.scan(step, jnp.zeros(x.shape[:-1], x.dtype), inputs)
        return jnp.moveaxis(u, 0, -1), log_det

    def log_prob(self, x: jax.Array) -> jax.Array:
        u, log_det = self.inverse(x)
        return jnp.sum(log_density(u), axis=-1) + log_det
