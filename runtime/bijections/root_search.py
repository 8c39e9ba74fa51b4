"""The root of an increasing function of one variable, elementwise: safeguarded Newton steps inside a bracket that widens until it holds.

One compiled loop whatever the size; gradients of any order by the implicit function theorem, never through the loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

MAX_ROUNDS = 120


class _State(NamedTuple):
    """Elementwise: where to look next, the bracket (infinite where still open), the last residual, the step out; rounds so far."""

    y: jax.Array
    low: jax.Array
    high: jax.Array
    residual: jax.Array
    stride: jax.Array
    busy: jax.Array
    rounds: jax.Array


def increasing_root(
    function: Callable[[jax.Array], jax.Array], slope: Callable[[jax.Array], jax.Array], start: jax.Array
) -> jax.Array:
    """y with function(y) = 0, elementwise, `slope` its derivative, from `start`; differentiable in all that `function` closes over."""
    return lax.custom_root(function, start, lambda _, y: _search(function, slope, y), _divide)


def _divide(linear: Callable[[jax.Array], jax.Array], target: jax.Array) -> jax.Array:
    return target / linear(jnp.ones_like(target))


def _search(function: Callable, slope: Callable, start: jax.Array) -> jax.Array:
    start = lax.stop_gradient(start)
    inf = jnp.full_like(start, jnp.inf)
    one = jnp.ones_like(start)
    first = _State(start, -inf, inf, inf, one, jnp.ones(start.shape, bool), jnp.zeros((), jnp.int32))
    last = lax.while_loop(
        lambda s: jnp.any(s.busy) & (s.rounds < MAX_ROUNDS), lambda s: _round(s, function, slope), first
    )
    return last.y


def _round(s: _State, function: Callable, slope: Callable) -> _State:
    """One evaluation, the bracket tightened, and the next point: Newton's where it is trusted, else the middle or a step out."""
    residual = function(s.y)
    low = jnp.where(residual < 0, s.y, s.low)
    high = jnp.where(residual > 0, s.y, s.high)
    bracketed = jnp.isfinite(low) & jnp.isfinite(high)
    newton = s.y - residual / slope(s.y)
    slow = bracketed & (jnp.abs(residual) > 0.5 * jnp.abs(s.residual))
    leap = ~bracketed & ~(jnp.abs(newton - s.y) < 8.0 * s.stride)
    trusted = (newton > low) & (newton < high) & ~slow & ~leap
    out = jnp.where(residual < 0, s.y + s.stride, s.y - s.stride)
    middle = 0.5 * jnp.where(bracketed, low, 0.0) + 0.5 * jnp.where(bracketed, high, 0.0)
    following = jnp.where(trusted, newton, jnp.where(bracketed, middle, out))
    eps = float(jnp.finfo(s.y.dtype).eps)
    moved = jnp.abs(following - s.y) > 2.0 * eps * jnp.abs(s.y)
    y = jnp.where(s.busy & jnp.isfinite(following), following, s.y)
    busy = s.busy & moved & (jnp.abs(residual) > 4.0 * eps)
    return _State(y, low, high, residual, jnp.where(bracketed, s.stride, 2.0 * s.stride), busy, s.rounds + 1)
