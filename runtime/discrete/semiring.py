"""Sums and maxima of tables of logarithms. −∞, the logarithm of an impossible case, has a gradient of 0 everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Reduce = Callable[[Any, tuple[int, ...]], Any]


def log_sum(a: Any, axes: tuple[int, ...]) -> jax.Array:
    """log Σ exp a over axes; −∞ where all is."""
    top = jax.lax.stop_gradient(jnp.max(a, axis=axes, keepdims=True))
    top = jnp.where(jnp.isfinite(top), top, 0.0)
    total = jnp.sum(jnp.exp(a - top), axis=axes)
    possible = total > 0
    return jnp.where(possible, jnp.log(jnp.where(possible, total, 1.0)), -jnp.inf) + jnp.squeeze(top, axes)


def log_max(a: Any, axes: tuple[int, ...]) -> jax.Array:
    """The maximum over axes."""
    return jnp.max(a, axis=axes)


def log_of(p: Any) -> jax.Array:
    """log p, −∞ with a gradient of 0 at 0."""
    possible = p > 0
    return jnp.where(possible, jnp.log(jnp.where(possible, p, 1.0)), -jnp.inf)


def log_of_rest(p: Any) -> jax.Array:
    """log(1 − p), −∞ with a gradient of 0 at 1."""
    possible = p < 1
    return jnp.where(possible, jnp.log1p(-jnp.where(possible, p, 0.0)), -jnp.inf)


def times(count: Any, log_p: Any) -> jax.Array:
    """count · log p, 0 where count is 0 even if p is."""
    counted = count != 0
    impossible = jnp.isneginf(log_p)
    finite = jnp.where(impossible, 0.0, log_p)
    return jnp.where(counted, jnp.where(impossible, -jnp.inf, count * finite), 0.0)
