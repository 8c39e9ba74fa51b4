"""Intervals and their unconstrained coordinate: x = T(y), increasing, y on the whole real line.

======================  =========================  ===========================
bounds                  T(y)                       log T'(y)
======================  =========================  ===========================
none                    y                          0
lower L                 L + exp(y)                 y
upper U                 U − exp(−y)                −y
both                    L + (U − L) σ(y)           log(U − L) + log σ(y) + log σ(−y)
======================  =========================  ===========================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

LOG_2 = 0.6931471805599453


@dataclass(frozen=True)
class Point:
    """A number x of an interval, with log (x − L) and log (U − x) where it has such bounds: they say more than x near one."""

    x: jax.Array
    log_above: Any = None
    log_below: Any = None

    def expanded(self, axis: int) -> Point:
        """The point with one more axis."""
        more = [None if v is None else jnp.expand_dims(v, axis) for v in (self.log_above, self.log_below)]
        return Point(jnp.expand_dims(self.x, axis), *more)


@dataclass(frozen=True)
class Interval:
    """The numbers between two bounds, arrays over the batch; None is no bound."""

    lower: Any = None
    upper: Any = None

    @property
    def width(self) -> Any:
        return self.upper - self.lower

    def point(self, y: jax.Array) -> Point:
        """T(y)."""
        match self.lower is None, self.upper is None:
            case True, True:
                return Point(y)
            case False, True:
                return Point(self.lower + jnp.exp(y), y)
            case True, False:
                return Point(self.upper - jnp.exp(-y), None, -y)
        log_width = jnp.log(self.width)
        below, above = jax.nn.log_sigmoid(y), jax.nn.log_sigmoid(-y)
        x = jnp.where(y < 0, self.lower + self.width * jnp.exp(below), self.upper - self.width * jnp.exp(above))
        return Point(x, log_width + below, log_width + above)

    def log_slope(self, y: jax.Array) -> jax.Array:
        """log T'(y)."""
        match self.lower is None, self.upper is None:
            case True, True:
                return jnp.zeros_like(y)
            case False, True:
                return y
            case True, False:
                return -y
        return jnp.log(self.width) + jax.nn.log_sigmoid(y) + jax.nn.log_sigmoid(-y)

    def at(self, x: jax.Array) -> Point:
        """The point of a given number; one that was rounded to a bound counts as a part of a rounding error inside it."""
        above = None if self.lower is None else _log_distance(x - self.lower, self.lower)
        below = None if self.upper is None else _log_distance(self.upper - x, self.upper)
        return Point(x, above, below)

    def unconstrained(self, p: Point) -> jax.Array:
        """T⁻¹(x)."""
        match self.lower is None, self.upper is None:
            case True, True:
                return p.x
            case False, True:
                return p.log_above
            case True, False:
                return -p.log_below
        return p.log_above - p.log_below

    def holds(self, x: jax.Array) -> jax.Array:
        """Whether a number lies within the bounds, these included."""
        inside = jnp.ones(jnp.shape(x), bool)
        if self.lower is not None:
            inside = inside & (x >= self.lower)
        return inside if self.upper is None else inside & (x <= self.upper)

    def middle(self, x: jax.Array) -> jax.Array:
        """Some number strictly inside, of the shape of x: what stands for a value that is outside."""
        return jnp.broadcast_to(self.point(jnp.zeros((), jnp.result_type(x))).x, jnp.shape(x))


def _log_distance(distance: jax.Array, bound: jax.Array) -> jax.Array:
    """log of a distance to a bound, at least a quarter of the spacing of numbers there, with a finite gradient."""
    limits = jnp.finfo(jnp.result_type(distance))
    least = jnp.maximum(0.25 * float(limits.eps) * jnp.abs(bound), float(limits.tiny))
    return jnp.log(jnp.where(distance > least, distance, least))
