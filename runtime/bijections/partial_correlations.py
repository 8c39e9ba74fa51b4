"""Cholesky factors of correlation matrices from partial correlations z = tanh y: L_ij = z_ij Π_{l<j} √(1 − z_il²) for j < i.

Under LKJ(η) for K rows the z of column j (from 0) are independent, (1 + z) / 2 ~ Beta(b, b) with b = η + (K − 2 − j) / 2
(Lewandowski et al. 2009). The vector y holds the rows below the diagonal, one after the other.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.bijections.interval import LOG_2


def rows_of(length: int) -> int:
    """K of a vector of K (K − 1) / 2 elements."""
    return int((1 + np.sqrt(1 + 8 * length)) / 2)


def forward(y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """L (…, K, K) and log |det dL / dy| over the entries below the diagonal."""
    size = rows_of(y.shape[-1])
    full = jnp.zeros((*y.shape[:-1], size, size), y.dtype).at[..., *np.tril_indices(size, -1)].set(y)
    log_left = log_one_minus_square(full)
    before = 0.5 * (jnp.cumsum(log_left, axis=-1) - log_left)
    factor = jnp.tril((jnp.tanh(full) + jnp.eye(size, dtype=y.dtype)) * jnp.exp(before))
    return factor, jnp.sum(jnp.tril(before + log_left, -1), axis=(-2, -1))


def inverse(factor: jax.Array) -> tuple[jax.Array, jax.Array]:
    """y and its log-determinant at L: sinh y_ij = L_ij / √Σ_{l>j} L_il²."""
    size = factor.shape[-1]
    below = np.tril_indices(size, -1)
    squares = factor * factor
    from_here = jnp.cumsum(squares[..., ::-1], axis=-1)[..., ::-1]
    rest = from_here[..., 1:][..., *below]
    y = jnp.arcsinh(factor[..., *below] / jnp.sqrt(jnp.maximum(rest, jnp.finfo(factor.dtype).tiny)))
    return y, -forward(y)[1]


def beta_parameter(concentration: jax.Array, size: int) -> jax.Array:
    """b of every element of y, given η (…)."""
    column = np.tril_indices(size, -1)[1]
    return jnp.asarray(concentration)[..., None] + 0.5 * (size - 2 - column)


def log_one_minus_square(y: jax.Array) -> jax.Array:
    """log (1 − tanh² y)."""
    return 2 * LOG_2 + jax.nn.log_sigmoid(2 * y) + jax.nn.log_sigmoid(-2 * y)
