"""Bases of splines on [first knot, last knot]: x (…), knots (…, q) in ascending order, giving (…, q + degree − 1).

The outer knots are repeated so that the functions can end there (de Boor, *A Practical Guide to Splines*, chapter 9).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp


def _ratio(a: jax.Array, b: jax.Array) -> jax.Array:
    """a / b, and 0 between knots that coincide."""
    apart = b > 0
    return jnp.where(apart, a / jnp.where(apart, b, 1), 0)


def bspline(x: jax.Array, knots: jax.Array, degree: int) -> jax.Array:
    """The B-splines by their recurrence, B_{i,0} = [t_i ≤ x < t_{i+1}] and
    B_{i,p} = (x − t_i) / (t_{i+p} − t_i) B_{i,p−1} + (t_{i+p+1} − x) / (t_{i+p+1} − t_{i+1}) B_{i+1,p−1}.
    Outside of the knots they are 0."""
    ends = [jnp.repeat(knots[..., e], degree, axis=-1) for e in (slice(None, 1), slice(-1, None))]
    t, x, last = jnp.concatenate([ends[0], knots, ends[1]], axis=-1), x[..., None], knots[..., -1:]
    inside = (t[..., :-1] <= x) & (x < t[..., 1:])
    closed = (x == last) & (t[..., 1:] == last) & (t[..., :-1] < last)  # the last piece holds its right end
    out = jnp.asarray(inside | closed, t.dtype)
    for p in range(1, degree + 1):
        rising = _ratio(x - t[..., : -p - 1], t[..., p:-1] - t[..., : -p - 1])
        falling = _ratio(t[..., p + 1 :] - x, t[..., p + 1 :] - t[..., 1:-p])
        out = rising * out[..., :-1] + falling * out[..., 1:]
    return out


def ispline(x: jax.Array, knots: jax.Array, degree: int) -> jax.Array:
    """I_j(x) = Σ_{i > j} B_i(x) with the B-splines of one degree more: rising from 0 to 1 (Ramsay, 1988, *Statistical
    Science* 3)."""
    held = jnp.clip(x, knots[..., 0], knots[..., -1])
    b = bspline(held, knots, degree + 1)
    return jnp.cumsum(b[..., ::-1], axis=-1)[..., ::-1][..., 1:]
