"""Cholesky factors of dense matrices: small ones written out column by column, which compiles to a few loops over all draws, where
calls of LAPACK go draw by draw; others by LAPACK."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular

WRITTEN_OUT = 8  # rows


def cholesky(matrix: Any) -> Any:
    """L with L Lᵀ = matrix (r, r), lower triangular; nan where there is none."""
    size = matrix.shape[0]
    if not 0 < size <= WRITTEN_OUT:
        return jnp.linalg.cholesky(matrix)
    columns = []
    for n in range(size):
        column = matrix[:, 0] / jnp.sqrt(matrix[0, 0])
        columns.append(jnp.concatenate([jnp.zeros(n, matrix.dtype), column]))
        matrix = matrix[1:, 1:] - column[1:, None] * column[None, 1:]
    return jnp.stack(columns, axis=1)


def solve_lower(factor: Any, h: Any) -> Any:
    """L⁻¹ h."""
    size = h.shape[0]
    if not 0 < size <= WRITTEN_OUT:
        return solve_triangular(factor, h, lower=True)
    found = []
    for n in range(size):
        found.append(h[0] / factor[n, n])
        h = h[1:] - factor[n + 1 :, n] * found[-1]
    return jnp.stack(found)


def solve_upper(factor: Any, w: Any) -> Any:
    """L⁻ᵀ w."""
    size = w.shape[0]
    if not 0 < size <= WRITTEN_OUT:
        return solve_triangular(factor, w, lower=True, trans="T")
    found = []
    for n in reversed(range(size)):
        found.append(w[n] / factor[n, n])
        w = w[:n] - factor[n, :n] * found[-1]
    return jnp.stack(found[::-1])
