"""Multivariate normal nodes: x = loc + L u with L the Cholesky factor of the covariance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular

from emfppl.runtime.bijections.maps import EventMap
from emfppl.runtime.bijections.normal import log_density


@dataclass(frozen=True)
class MultivariateNormal(EventMap):
    """Gated, x_i = λ_i (loc + L u)_i + (1 − λ_i) u_i: still affine and lower triangular, with diagonal λ_i L_ii + 1 − λ_i."""

    loc: jax.Array
    scale_tril: jax.Array
    batch_shape: tuple[int, ...]
    event_shape: tuple[int, ...]

    @property
    def noise_event_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.event_shape

    def _triangle(self, gate: jax.Array | None) -> tuple[jax.Array, jax.Array]:
        """Location and lower triangle of the affine map."""
        if gate is None:
            return self.loc, self.scale_tril
        eye = jnp.eye(self.event_shape[-1], dtype=gate.dtype)
        return gate * self.loc, gate[..., None] * self.scale_tril + (1 - gate)[..., None] * eye

    def forward(self, u: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        u, gate = self._filled(u, gate)
        loc, triangle = self._triangle(gate)
        x = loc + jnp.einsum("...ij,...j->...i", triangle, u)
        return x, jnp.broadcast_to(log_diagonal(triangle), x.shape[:-1])

    def inverse(self, x: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        x, gate = self._filled(x, gate)
        loc, triangle = self._triangle(gate)
        triangle = jnp.broadcast_to(triangle, (*x.shape, x.shape[-1]))
        u = solve_triangular(triangle, (x - loc)[..., None], lower=True)[..., 0]
        return u, -jnp.broadcast_to(log_diagonal(triangle), x.shape[:-1])

    def log_prob(self, x: jax.Array) -> jax.Array:
        u, log_det = self.inverse(x)
        return jnp.sum(log_density(u), axis=-1) + log_det


def log_diagonal(triangle: jax.Array) -> jax.Array:
    """Σ log of the diagonal of a triangular matrix (…, K, K)."""
    return jnp.sum(jnp.log(jnp.diagonal(triangle, axis1=-2, axis2=-1)), axis=-1)


def scale_tril(args: Mapping[str, jax.Array]) -> jax.Array:
    """The Cholesky factor of the covariance, whichever form was given."""
    if "scale_tril" in args:
        return args["scale_tril"]
    if "covariance_matrix" in args:
        return jnp.linalg.cholesky(args["covariance_matrix"])
    return factor_of_inverse(args["precision_matrix"])


def factor_of_inverse(precision: jax.Array) -> jax.Array:
    """L with L Lᵀ = P⁻¹: with the axes reversed, P = Rᵀ R for R upper triangular, and L = R⁻¹."""
    flipped = jnp.linalg.cholesky(precision[..., ::-1, ::-1])
    upper = jnp.swapaxes(flipped[..., ::-1, ::-1], -2, -1)
    eye = jnp.broadcast_to(jnp.eye(precision.shape[-1], dtype=precision.dtype), precision.shape)
    return solve_triangular(upper, eye, lower=True)
