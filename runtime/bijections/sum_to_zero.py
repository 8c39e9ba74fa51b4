"""Independent normals of one scale, given that they sum to zero: x = scale B u, B an orthonormal basis of that space."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from emfppl.runtime.bijections import unconstrain
from emfppl.runtime.bijections.maps import EventMap
from emfppl.runtime.bijections.normal import log_density


@dataclass(frozen=True)
class SumToZero(EventMap):
    """T is the basis B itself, so the gated map is x = B (λ scale u + (1 − λ) u); `scale` (*batch_shape)."""

    scale: jax.Array
    batch_shape: tuple[int, ...]
    event_shape: tuple[int, ...]

    @property
    def noise_event_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return (self.event_shape[-1] - 1,)

    def _stretch(self, gate: jax.Array | None, shape: tuple[int, ...]) -> jax.Array:
        scale = self.scale[..., None]
        return jnp.broadcast_to(scale if gate is None else gate * scale + 1 - gate, shape)

    def forward(self, u: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        u, gate = self._filled(u, gate)
        stretch = self._stretch(gate, u.shape)
        x, _ = unconstrain.forward("sum_to_zero", stretch * u, 1)
        return x, jnp.sum(jnp.log(stretch), axis=-1)

    def inverse(self, x: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        y, _ = unconstrain.inverse("sum_to_zero", jnp.asarray(x, float), 1)
        y, gate = self._filled(y, gate)
        stretch = self._stretch(gate, y.shape)
        return y / stretch, -jnp.sum(jnp.log(stretch), axis=-1)

    def log_prob(self, x: jax.Array) -> jax.Array:
        u, log_det = self.inverse(x)
        return jnp.sum(log_density(u), axis=-1) + log_det
