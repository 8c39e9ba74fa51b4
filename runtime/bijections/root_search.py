"""The root of an increasing function of one variable, elementwise: safeguarded Newton steps inside a bracket that widens
until it holds the root.

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


Evaluate = Callable[[jax.Array], tuple[jax.Array, jax.Array]]


def increasing_root(evaluate: Evaluate, start: jax.Array) -> jax.Array:
    """y with f(y) = 0, elementwise, from `start`; `evaluate` gives f and its slope. Differentiable in all that f closes over."""
    return lax.custom_root(lambda y: evaluate(y)[0], start, lambda _, y: _search(evaluate, y), _divide)


def _divide(linear: Callable[[jax.Array], jax.Array], target: jax.Array) -> jax.Array:
    return target / linear(jnp.ones_like(target))


def _search(evaluate: Evaluate, start: jax.Array) -> jax.Array:
    start = lax.stop_gradient(start)
    inf = jnp.full_like(start, jnp.inf)
    one = jnp.ones_like(start)
    first = _State(start, -inf, inf, inf, one, jnp.ones(start.shape, bool), jnp.zeros((), jnp.int32))
    more = lambda s: jnp.any(s.busy) & (s.rounds < MAX_ROUNDS)  # noqa: E731
    return lax.while_loop(more, lambda s: _round(s, evaluate), first).y


def _round(s: _State, evaluate: Evaluate) -> _State:
    """One evaluation, the bracket tightened, and the next point: Newton's where it is trusted, else the middle or a step out."""
    eps = float(jnp.finfo(s.y.dtype).eps)
    residual, slope = evaluate(s.y)
    low = jnp.where(residual < 0, s.y, s.low)
    high = jnp.where(residual > 0, s.y, s.high)
    bracketed = jnp.isfinite(low) & jnp.isfinite(high)
    newton = s.y - residual / slope
    slow = bracketed & (jnp.abs(residual) > 0.5 * jnp.abs(s.residual))
    leap = ~bracketed & ~(jnp.abs(newton - s.y) < 8.0 * s.stride + 2.0 * jnp.abs(s.y))
    still = jnp.abs(newton - s.y) <= 2.0 * eps * jnp.abs(s.y)
    flat = still & (jnp.abs(residual) > eps**0.5 * (1.0 + jnp.abs(s.y)))  # f has saturated: its slope tells nothing
    trusted = (newton >= low) & (newton <= high) & ~slow & ~leap & ~flat
    out = jnp.where(residual < 0, s.y + s.stride, s.y - s.stride)
    middle = 0.5 * jnp.where(bracketed, low, 0.0) + 0.5 * jnp.where(bracketed, high, 0.0)
    following = jnp.where(trusted, newton, jnp.where(bracketed, middle, out))
    moved = jnp.abs(following - s.y) > 2.0 * eps * jnp.abs(s.y)
    busy = s.busy & (jnp.abs(residual) > 4.0 * eps) & jnp.isfinite(following)
    y = jnp.where(busy, following, s.y)
    stride = jnp.where(bracketed, s.stride, 2.0 * s.stride)
    return _State(y, low, high, residual, stride, busy & moved, s.rounds + 1)
