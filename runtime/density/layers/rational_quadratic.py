"""Monotone rational-quadratic splines with learned knots (Durkan, Bekasov, Murray and Papamakarios 2019).

Between ±`REACH` there are K bins; widths w_k and heights h_k are softmaxes, slopes d_k at the inner knots softplus, those at the
ends 1, and outside the map is the identity. In bin k, with s = h_k / w_k and ξ = (x − x_k) / w_k::

    y = y_k + h_k (s ξ² + d_k ξ (1 − ξ)) / (s + (d_k+1 + d_k − 2 s) ξ (1 − ξ))

A table of zeros (D, 3 K − 1) is the identity. All functions are elementwise over x (D,), a row of the table for each.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

REACH = 4.0
LEAST = 1e-3  # of a width or height as a part of the whole, and of a slope
SLOPE_ONE = float(np.log(np.expm1(1 - LEAST)))  # softplus(SLOPE_ONE) + LEAST = 1


class Bin(NamedTuple):
    """The bin that each number lies in: its lower knot (x, y), width, height, and the slopes at its ends; arrays (D,)."""

    x: jax.Array
    y: jax.Array
    width: jax.Array
    height: jax.Array
    left: jax.Array
    right: jax.Array


class Knots(NamedTuple):
    """Places of the knots (D, K + 1), slopes at them (D, K + 1)."""

    x: jax.Array
    y: jax.Array
    slopes: jax.Array


def numbers(bins: int) -> int:
    """How many numbers a spline has."""
    return 3 * bins - 1


def knots(table: jax.Array) -> Knots:
    """The knots that rows of a table stand for."""
    bins = (table.shape[-1] + 1) // 3
    ones = jnp.ones((*table.shape[:-1], 1), table.dtype)
    inner = LEAST + jax.nn.softplus(table[..., 2 * bins :] + SLOPE_ONE)
    slopes = jnp.concatenate([ones, inner, ones], axis=-1)
    return Knots(_places(table[..., :bins]), _places(table[..., bins : 2 * bins]), slopes)


def _places(logits: jax.Array) -> jax.Array:
    """Knots whose distances are as the softmax of the logits, from −REACH to REACH exactly."""
    bins = logits.shape[-1]
    parts = LEAST + (1 - LEAST * bins) * jax.nn.softmax(logits, axis=-1)
    inner = 2 * REACH * jnp.cumsum(parts[..., :-1], axis=-1) - REACH
    end = jnp.full((*logits.shape[:-1], 1), REACH, logits.dtype)
    return jnp.concatenate([-end, inner, end], axis=-1)


def _bin(k: Knots, at: jax.Array, edges: jax.Array) -> Bin:
    """The bins that `at` lies in by their `edges`; picked by sums with zeros and ones, whose gradients need no scatter."""
    inside = at[..., None] >= edges[..., 1:-1]
    ones = jnp.ones((*at.shape, 1), bool)
    first = jnp.concatenate([ones, inside], axis=-1)  # bin 0 … the one it lies in
    chosen = first & ~jnp.concatenate([inside, ~ones], axis=-1)
    pick = lambda a: jnp.sum(jnp.where(chosen, a, 0.0), axis=-1)  # noqa: E731
    x, y = pick(k.x[..., :-1]), pick(k.y[..., :-1])
    return Bin(x, y, pick(k.x[..., 1:]) - x, pick(k.y[..., 1:]) - y, pick(k.slopes[..., :-1]), pick(k.slopes[..., 1:]))


def _log_slope(b: Bin, xi: jax.Array) -> jax.Array:
    """log dy/dx in a bin."""
    s, both = b.height / b.width, xi * (1 - xi)
    above = b.right * xi * xi + 2 * s * both + b.left * (1 - xi) ** 2
    return 2 * jnp.log(s) + jnp.log(above) - 2 * jnp.log(s + (b.right + b.left - 2 * s) * both)


def forward(table: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """y and log dy/dx."""
    k = knots(table)
    held = jnp.clip(x, -REACH, REACH)
    b = _bin(k, held, k.x)
    s, xi = b.height / b.width, (held - b.x) / b.width
    both = xi * (1 - xi)
    y = b.y + b.height * (s * xi * xi + b.left * both) / (s + (b.right + b.left - 2 * s) * both)
    outside = jnp.abs(x) >= REACH
    return jnp.where(outside, x, y), jnp.where(outside, 0.0, _log_slope(b, xi))


def backward(table: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """x and log dy/dx there: in a bin the root of a quadratic, in the stable form 2 c / (−b − √(b² − 4 a c))."""
    k = knots(table)
    held = jnp.clip(y, -REACH, REACH)
    p = _bin(k, held, k.y)
    s, up = p.height / p.width, held - p.y
    bend = p.right + p.left - 2 * s
    a, b, c = p.height * (s - p.left) + up * bend, p.height * p.left - up * bend, -s * up
    xi = 2 * c / (-b - jnp.sqrt(jnp.maximum(b * b - 4 * a * c, 0.0)))
    outside = jnp.abs(y) >= REACH
    return jnp.where(outside, y, p.x + xi * p.width), jnp.where(outside, 0.0, _log_slope(p, xi))
