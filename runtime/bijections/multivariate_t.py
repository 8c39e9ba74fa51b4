"""Multivariate Student t nodes: x = loc + L z, the elements of z one after the other.

z_k given z_1 … z_(k−1) is √((df + S) / df_k) t(df_k) with S = Σ_{j<k} z_j² and df_k = df + k − 1, so with τ_k = the quantile
of t(df_k) at Φ(u_k): z_k = τ_k √((df + S) / df_k) and log (df + S) = log df + Σ_{j<k} log (1 + τ_j² / df_j). As many noises
as elements.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.linalg import solve_triangular
from jax.scipy.special import gammaln

from emfppl.runtime.bijections import gated
from emfppl.runtime.bijections.maps import EventMap
from emfppl.runtime.bijections.multivariate_normal import log_diagonal
from emfppl.runtime.bijections.real_line import LOG_PI, StudentT, log1p_square


@dataclass(frozen=True)
class MultivariateStudentT(EventMap):
    """Gated, x_i = λ_i (loc + L z)_i + (1 − λ_i) u_i with z the ungated one: lower triangular."""

    df: jax.Array
    loc: jax.Array
    scale_tril: jax.Array
    batch_shape: tuple[int, ...]
    event_shape: tuple[int, ...]

    @property
    def noise_event_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.event_shape

    @property
    def _steps(self) -> jax.Array:
        """df_k."""
        return jnp.asarray(self.df)[..., None] + jnp.arange(self.event_shape[-1], dtype=float)

    def _stretch(self, tau: jax.Array) -> jax.Array:
        """log √((df + S) / df_k)."""
        grown = log1p_square(tau / jnp.sqrt(self._steps))
        before = jnp.cumsum(grown, axis=-1) - grown
        return 0.5 * (jnp.log(jnp.asarray(self.df))[..., None] + before - jnp.log(self._steps))

    def forward(self, u: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        u, gate = self._filled(u, gate)
        law = StudentT(self._steps, jnp.zeros(()), jnp.ones(()))
        tau = law.from_noise(u)
        stretch = self._stretch(tau)
        x = self.loc + jnp.einsum("...ij,...j->...i", self.scale_tril, tau * jnp.exp(stretch))
        slope = law.log_slope(u, tau) + stretch + jnp.log(jnp.diagonal(self.scale_tril, axis1=-2, axis2=-1))
        if gate is None:
            return x, jnp.sum(slope, axis=-1)
        return gate * x + (1 - gate) * u, jnp.sum(gated.log_mixed_slope(gate, slope), axis=-1)

    def inverse(self, x: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        x, gate = self._filled(x, gate)
        if gate is None:
            return self._exact_inverse(x)
        triangle = jnp.broadcast_to(self.scale_tril, (*x.shape, x.shape[-1]))
        loc, steps = jnp.broadcast_to(self.loc, x.shape), jnp.broadcast_to(self._steps, x.shape)
        order = jnp.arange(x.shape[-1])
        inputs = (order, *(jnp.moveaxis(a, -1, 0) for a in (x, gate, loc, steps)), jnp.moveaxis(triangle, -2, 0))

        def step(state: tuple, given: tuple) -> tuple:
            (z, log_scale), (k, value, opening, centre, df, row) = state, given
            diagonal = jnp.take(row, k, axis=-1)
            scale = diagonal * jnp.exp(0.5 * (log_scale - jnp.log(df)))
            law = StudentT(df, centre + jnp.sum(row * z, axis=-1), scale)
            u, log_slope = gated.inverse(law, value, opening)
            tau = StudentT(df, jnp.zeros(()), jnp.ones(())).from_noise(u)
            z = z.at[..., k].set(tau * scale / diagonal)
            return (z, log_scale + log1p_square(tau / jnp.sqrt(df))), (u, log_slope)

        begin = (jnp.zeros_like(x), jnp.broadcast_to(jnp.log(jnp.asarray(self.df, x.dtype)), x.shape[:-1]))
        u: jax.Array
        slopes: jax.Array
        _, (u, slopes) = lax.scan(step, begin, inputs)
        return jnp.moveaxis(u, 0, -1), jnp.sum(slopes, axis=0)

    def _exact_inverse(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = self._standard(x)
        squares = jnp.cumsum(z * z, axis=-1) - z * z
        stretch = 0.5 * (jnp.log(jnp.asarray(self.df)[..., None] + squares) - jnp.log(self._steps))
        law = StudentT(self._steps, jnp.zeros(()), jnp.ones(()))
        tau = z * jnp.exp(-stretch)
        u = law.to_noise(tau)
        return u, -jnp.sum(law.log_slope(u, tau) + stretch, axis=-1) - log_diagonal(self.scale_tril)

    def _standard(self, x: jax.Array) -> jax.Array:
        """z = L⁻¹ (x − loc)."""
        triangle = jnp.broadcast_to(self.scale_tril, (*x.shape, x.shape[-1]))
        return solve_triangular(triangle, (x - self.loc)[..., None], lower=True)[..., 0]

    def log_prob(self, x: jax.Array) -> jax.Array:
        x = jnp.asarray(x, float)
        x = jnp.broadcast_to(x, jnp.broadcast_shapes(x.shape, (*self.batch_shape, *self.event_shape)))
        size, df = x.shape[-1], jnp.asarray(self.df)
        square = jnp.sum(self._standard(x) ** 2, axis=-1)
        constant = gammaln(0.5 * (df + size)) - gammaln(0.5 * df) - 0.5 * size * (LOG_PI + jnp.log(df))
        return constant - log_diagonal(self.scale_tril) - 0.5 * (df + size) * jnp.log1p(square / df)


def scale_tril(args: Mapping[str, jax.Array]) -> jax.Array:
    """L, whichever form was given."""
    return args["scale_tril"] if "scale_tril" in args else jnp.linalg.cholesky(args["scale_matrix"])
