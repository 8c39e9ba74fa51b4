"""Lower triangular matrices with a positive diagonal, and the covariance and correlation matrices they are factors of.

A vector of K (K + 1) / 2 unconstrained numbers holds the entries below the diagonal, row by row, then the logs of the diagonal.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.bijections import partial_correlations
from emfppl.runtime.bijections.interval import LOG_2


def lower(y: jax.Array) -> jax.Array:
    """The matrix (…, K, K) of a vector."""
    size = round((np.sqrt(1 + 8 * y.shape[-1]) - 1) / 2)
    below = jnp.zeros((*y.shape[:-1], size, size), y.dtype).at[..., *np.tril_indices(size, -1)].set(y[..., :-size])
    return below + jnp.exp(y[..., -size:])[..., None] * jnp.eye(size, dtype=y.dtype)


def cholesky(y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The matrix and its log-determinant over the entries of the triangle."""
    factor = lower(y)
    return factor, jnp.sum(y[..., -factor.shape[-1] :], axis=-1)


def from_cholesky(factor: jax.Array) -> tuple[jax.Array, jax.Array]:
    logs = jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1))
    below = factor[..., *np.tril_indices(factor.shape[-1], -1)]
    return jnp.concatenate([below, logs], axis=-1), -jnp.sum(logs, axis=-1)


def covariance(y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """L Lᵀ: |det d(L Lᵀ) / dL| = 2^K Π L_kk^(K − k), k from 0, over the entries of the triangle."""
    factor, log_det = cholesky(y)
    return factor @ jnp.swapaxes(factor, -1, -2), log_det + _squared(factor)


def from_covariance(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    factor = jnp.linalg.cholesky(x)
    y, log_det = from_cholesky(factor)
    return y, log_det - _squared(factor)


def _squared(factor: jax.Array) -> jax.Array:
    size = factor.shape[-1]
    logs = jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1))
    return size * LOG_2 + jnp.sum(jnp.arange(size, 0, -1) * logs, axis=-1)


def correlation(y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """R = L Lᵀ of partial correlations: |det dR / dL| = Π L_kk^(K − 1 − k), k from 0, over the entries below the diagonal."""
    factor, log_det = partial_correlations.forward(y)
    size = factor.shape[-1]
    matrix = factor @ jnp.swapaxes(factor, -1, -2)
    eye = jnp.eye(size, dtype=matrix.dtype)
    return jnp.where(eye == 1, 1.0, matrix), log_det + _crossed(factor)


def from_correlation(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    factor = jnp.linalg.cholesky(x)
    y, log_det = partial_correlations.inverse(factor)
    return y, log_det - _crossed(factor)


def _crossed(factor: jax.Array) -> jax.Array:
    size = factor.shape[-1]
    logs = jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1))
    return jnp.sum(jnp.arange(size - 1, -1, -1) * logs, axis=-1)
