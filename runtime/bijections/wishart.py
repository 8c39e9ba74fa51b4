"""Wishart nodes by Bartlett's (1933) decomposition: X = C Cᵀ, C = L A, A lower triangular with A_jj² ~ χ²(ν − j) (j from 0) and
A_ij ~ N(0, 1) below the diagonal.

Unconstrained space holds the entries of C below the diagonal, row by row, then the logs of its diagonal (`triangles`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular
from jax.scipy.special import multigammaln

from emfppl.runtime.bijections import gated, triangles
from emfppl.runtime.bijections.half_line import Chi2
from emfppl.runtime.bijections.interval import LOG_2
from emfppl.runtime.bijections.maps import EventMap, Stretched
from emfppl.runtime.bijections.multivariate_normal import factor_of_inverse, log_diagonal


@dataclass(frozen=True)
class Wishart(EventMap):
    """Gated in unconstrained space: log C_jj = λ (log L_jj + log A_jj) + (1 − λ) u, C_ij = λ (L A)_ij + (1 − λ) u_ij for i > j."""

    concentration: jax.Array
    scale_tril: jax.Array
    batch_shape: tuple[int, ...]
    event_shape: tuple[int, ...]

    @property
    def _size(self) -> int:
        return self.event_shape[-1]

    @property
    def noise_event_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return (self._size * (self._size + 1) // 2,)

    @property
    def _diagonal_law(self) -> Stretched:
        """Of log L_jj + log A_jj: half the log of a χ², moved."""
        law = Chi2(jnp.asarray(self.concentration)[..., None] - jnp.arange(self._size, dtype=float))
        return Stretched(law, -2 * self._log_l, 2.0)

    @property
    def _log_l(self) -> jax.Array:
        return jnp.log(jnp.diagonal(self.scale_tril, axis1=-2, axis2=-1))

    def _below(self) -> tuple[np.ndarray, np.ndarray]:
        return np.tril_indices(self._size, -1)

    def forward(self, u: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        u, gate = self._filled(u, gate)
        n = self._size
        logs, log_slope = gated.forward(self._diagonal_law, u[..., -n:], None if gate is None else gate[..., -n:])
        open_logs = logs if gate is None else self._diagonal_law.from_noise(u[..., -n:])
        bartlett = triangles.lower(jnp.concatenate([u[..., :-n], open_logs - self._log_l], axis=-1))
        product = (self.scale_tril @ bartlett)[..., *self._below()]
        slopes = jnp.broadcast_to(self._log_l[..., self._below()[0]], product.shape)
        if gate is not None:
            opening = gate[..., :-n]
            product = opening * product + (1 - opening) * u[..., :-n]
            slopes = gated.log_mixed_slope(opening, slopes)
        x, log_det = triangles.covariance(jnp.concatenate([product, logs], axis=-1))
        return x, log_det + jnp.sum(log_slope, axis=-1) + jnp.sum(slopes, axis=-1)

    def inverse(self, x: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        y, log_det = triangles.from_covariance(jnp.asarray(x, float))
        y, gate = self._filled(y, gate)
        n = self._size
        on, log_slope = gated.inverse(self._diagonal_law, y[..., -n:], None if gate is None else gate[..., -n:])
        opening = jnp.ones_like(y[..., :-n]) if gate is None else gate[..., :-n]
        diagonal = jnp.exp(self._diagonal_law.from_noise(on) - self._log_l)
        below = self._solve(y[..., :-n], opening, diagonal)
        slopes = gated.log_mixed_slope(opening, self._log_l[..., self._below()[0]])
        u = jnp.concatenate([below, on], axis=-1)
        return u, log_det + jnp.sum(log_slope, axis=-1) - jnp.sum(slopes, axis=-1)

    def _solve(self, product: jax.Array, opening: jax.Array, diagonal: jax.Array) -> jax.Array:
        """u_ij below the diagonal: for every column j a triangular system, λ_ij Σ_{j<k≤i} L_ik u_kj + (1 − λ_ij) u_ij =
        C_ij − λ_ij L_ij A_jj."""
        n, below = self._size, self._below()
        square = lambda v: jnp.zeros((*v.shape[:-1], n, n), v.dtype).at[..., *below].set(v)  # noqa: E731
        gate, right = square(opening), square(product)
        right = right - gate * self.scale_tril * diagonal[..., None, :]
        column = lambda a: jnp.swapaxes(a, -1, -2)  # noqa: E731  (…, j, i)
        later = np.tril(np.ones((n, n)), -1).T  # (j, k): k > j
        matrix = column(gate)[..., :, :, None] * jnp.asarray(self.scale_tril)[..., None, :, :] * later[:, None, :]
        matrix = matrix + (1 - column(gate))[..., :, :, None] * jnp.eye(n, dtype=right.dtype)
        found = solve_triangular(matrix, column(right)[..., None], lower=True)[..., 0]
        return column(found)[..., *below]

    def log_prob(self, x: jax.Array) -> jax.Array:
        x = jnp.asarray(x, float)
        n, nu = self._size, jnp.asarray(self.concentration)
        factor = jnp.linalg.cholesky(x)
        whole = jnp.broadcast_shapes(factor.shape, self.scale_tril.shape)
        ratio = solve_triangular(jnp.broadcast_to(self.scale_tril, whole), jnp.broadcast_to(factor, whole), lower=True)
        constant = -0.5 * nu * n * LOG_2 - nu * log_diagonal(self.scale_tril) - multigammaln(0.5 * nu, n)
        return constant + (nu - n - 1) * log_diagonal(factor) - 0.5 * jnp.sum(ratio**2, axis=(-2, -1))


def scale_tril(args: Mapping[str, jax.Array]) -> jax.Array:
    """The Cholesky factor of the scale matrix, whichever form was given."""
    if "scale_tril" in args:
        return args["scale_tril"]
    if "scale_matrix" in args:
        return jnp.linalg.cholesky(args["scale_matrix"])
    return factor_of_inverse(args["rate_matrix"])
