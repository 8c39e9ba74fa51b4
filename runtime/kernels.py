"""Covariance functions of points that are divided by their length already.

Points a (…, n, *coordinates) and b (…, m, *coordinates), scale (…): covariances (…, n, m). Formulas as in Rasmussen and Williams,
*Gaussian Processes for Machine Learning*, chapter 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp


def _differences(a: jax.Array, b: jax.Array, batch: int) -> tuple[jax.Array, tuple[int, ...]]:
    """a − b for all pairs, (…, n, m, *coordinates), and the axes of the coordinates."""
    gap = jnp.expand_dims(a, batch + 1) - jnp.expand_dims(b, batch)
    return gap, tuple(range(batch + 2, gap.ndim))


def _squares(a: jax.Array, b: jax.Array, scale: jax.Array) -> jax.Array:
    """d², exactly 0 between equal points."""
    gap, coordinates = _differences(a, b, scale.ndim)
    return jnp.sum(gap * gap, axis=coordinates)


def _distances(a: jax.Array, b: jax.Array, scale: jax.Array) -> jax.Array:
    """d, whose slope is taken as 0 where d is: that of √ would be infinite."""
    squares = _squares(a, b, scale)
    apart = squares > 0
    return jnp.where(apart, jnp.sqrt(jnp.where(apart, squares, 1)), 0)


def _square(scale: jax.Array) -> jax.Array:
    return (scale * scale)[..., None, None]


def exp_quad(a: jax.Array, b: jax.Array, scale: jax.Array) -> jax.Array:
    """scale² exp(−d² / 2)."""
    return _square(scale) * jnp.exp(-0.5 * _squares(a, b, scale))


def matern12(a: jax.Array, b: jax.Array, scale: jax.Array) -> jax.Array:
    """scale² exp(−d)."""
    return _square(scale) * jnp.exp(-_distances(a, b, scale))


def matern32(a: jax.Array, b: jax.Array, scale: jax.Array) -> jax.Array:
    """scale² (1 + r) exp(−r), r = √3 d."""
    r = math.sqrt(3) * _distances(a, b, scale)
    return _square(scale) * (1 + r) * jnp.exp(-r)


def matern52(a: jax.Array, b: jax.Array, scale: jax.Array) -> jax.Array:
    """scale² (1 + r + r² / 3) exp(−r), r = √5 d."""
    r = math.sqrt(5) * _distances(a, b, scale)
    return _square(scale) * (1 + r + r * r / 3) * jnp.exp(-r)


def periodic(a: jax.Array, b: jax.Array, scale: jax.Array, length: jax.Array) -> jax.Array:
    """scale² exp(−2 Σ sin²(π (a − b)) / length²); a and b are divided by the period."""
    gap, coordinates = _differences(a, b, scale.ndim)
    waves = jnp.sum(jnp.sin(math.pi * gap) ** 2, axis=coordinates)
    return _square(scale) * jnp.exp(-2 * waves / _square(length))


KERNELS: Mapping[str, Callable] = MappingProxyType(
    {"exp_quad": exp_quad, "matern12": matern12, "matern32": matern32, "matern52": matern52, "periodic": periodic}
)
