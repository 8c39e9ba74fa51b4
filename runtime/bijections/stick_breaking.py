"""A simplex from its sticks: x_k = v_k Π_{j<k} (1 − v_j), v_k = σ(l_k); under a Dirichlet law the v_k are independent,
v_k ~ Beta(α_k, Σ_{j>k} α_j).

Unconstrained space is y_k = l_k + log (K − k), k = 1 … K − 1, where 0 is the middle of the simplex.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np


def shift(size: int) -> np.ndarray:
    """l − y, of K − 1 sticks."""
    return -np.log(np.arange(size - 1, 0, -1))


def forward(y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """x (…, K) and log |det dx_{1:K−1} / dy| at y (…, K − 1)."""
    logits = y + jnp.asarray(shift(y.shape[-1] + 1), y.dtype)
    taken, left = jax.nn.log_sigmoid(logits), jax.nn.log_sigmoid(-logits)
    rest = jnp.cumsum(left, axis=-1)
    before = rest - left
    x = jnp.exp(jnp.concatenate([taken + before, rest[..., -1:]], axis=-1))
    return x, jnp.sum(taken + left + before, axis=-1)


def inverse(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """y (…, K − 1) and its log-determinant at x (…, K); what is left of the stick is summed from its end, so nothing cancels."""
    x = jnp.maximum(x, jnp.finfo(x.dtype).tiny)
    rest = jnp.cumsum(x[..., ::-1], axis=-1)[..., ::-1]
    logits = jnp.log(x[..., :-1]) - jnp.log(rest[..., 1:])
    y = logits - jnp.asarray(shift(x.shape[-1]), x.dtype)
    return y, -forward(y)[1]


def sticks(concentration: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The parameters of the sticks' Beta laws (…, K − 1) of a Dirichlet law with α (…, K)."""
    rest = jnp.cumsum(concentration[..., ::-1], axis=-1)[..., ::-1]
    return concentration[..., :-1], rest[..., 1:]
