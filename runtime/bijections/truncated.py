"""A law cut to a narrower interval and renormalised, accurate far in a tail and near a bound."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from emfppl.runtime.bijections.interval import Interval, Point
from emfppl.runtime.bijections.laws import Law
from emfppl.runtime.bijections.normal import log1mexp

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_PLACES, _LOG_WEIGHTS = 0.5 * (_NODES + 1), np.log(0.5 * _WEIGHTS)
LOG_HALF = -0.6931471805599453


@dataclass(frozen=True)
class _End:
    """An end of a part of the base's interval: the number, log F there and log (1 − F)."""

    x: jax.Array
    log_cdf: jax.Array
    log_sf: jax.Array


class Truncated(Law):
    """p(x) / P(L < x < U) between the bounds of `interval`, which lies within the base's."""

    def __init__(self, base: Law, interval: Interval):
        self.base, self.interval = base, interval
        self.low = None if interval.lower is None else self._bound(interval.lower, below=True)
        self.high = None if interval.upper is None else self._bound(interval.upper, below=False)
        self.log_mass = self._log_mass()

    def _bound(self, x: jax.Array, below: bool) -> _End:
        """A bound; where it is the base's own nothing lies beyond it."""
        x = jnp.asarray(x, float)
        own = self.base.interval.lower if below else self.base.interval.upper
        inside = jnp.ones((), bool) if own is None else (x > own if below else x < own)
        p = self.base.interval.at(jnp.where(inside, x, self.base.interval.middle(x)))
        nothing, all_ = jnp.asarray(-jnp.inf, x.dtype), jnp.asarray(0.0, x.dtype)
        cdf = jnp.where(inside, self.base.log_cdf(p), nothing if below else all_)
        return _End(x, cdf, jnp.where(inside, self.base.log_sf(p), all_ if below else nothing))

    def _log_mass(self) -> jax.Array:
        if self.low is not None and self.high is not None:
            return self._between(self.low, self.high, jnp.log(self.interval.width), upward=True)
        if self.low is not None:
            return self.low.log_sf
        return jnp.zeros(()) if self.high is None else self.high.log_cdf

    def _end(self, p: Point) -> _End:
        inner = self.base.interval.at(p.x)
        return _End(p.x, self.base.log_cdf(inner), self.base.log_sf(inner))

    def log_prob(self, p: Point) -> jax.Array:
        return self.base.log_prob(self.base.interval.at(p.x)) - self.log_mass

    def log_cdf(self, p: Point) -> jax.Array:
        end = self._end(p)
        if self.low is None:
            return end.log_cdf - self.log_mass
        return self._between(self.low, end, p.log_above, upward=True) - self.log_mass

    def log_sf(self, p: Point) -> jax.Array:
        end = self._end(p)
        if self.high is None:
            return end.log_sf - self.log_mass
        return self._between(end, self.high, p.log_below, upward=False) - self.log_mass

    def _between(self, a: _End, b: _End, log_gap: jax.Array, upward: bool) -> jax.Array:
        """log (F(b) − F(a)), with log (b − a): the difference of the smaller tails, or where those cancel an integral of the
        density that starts from a (`upward`) or b."""
        below_a, below_b, above_a, above_b, log_gap = jnp.broadcast_arrays(a.log_cdf, b.log_cdf, a.log_sf, b.log_sf, log_gap)
        left = below_a < LOG_HALF
        large, small = jnp.where(left, below_b, above_a), jnp.where(left, below_a, above_b)
        gap = jnp.where(jnp.isfinite(small), small - large, -jnp.inf)
        near = gap > -(float(jnp.finfo(large.dtype).eps) ** (1 / 3))
        wide = large + log1mexp(jnp.where(near, -1.0, gap))
        inner = self._log_mean(a.x if upward else b.x, jnp.where(near, log_gap, -1e3), 1.0 if upward else -1.0, near)
        return jnp.where(near, jnp.where(near, log_gap, 0.0) + inner, wide)

    def _log_mean(self, x: jax.Array, log_gap: jax.Array, sign: float, wanted: jax.Array) -> jax.Array:
        """log of the mean density between x and x ± gap by Gauss and Legendre; the nodes are one more axis, first."""
        shape = (-1, *(1 for _ in range(log_gap.ndim)))
        place = jnp.asarray(_PLACES, log_gap.dtype).reshape(shape)
        weight = jnp.asarray(_LOG_WEIGHTS, log_gap.dtype).reshape(shape)
        x = jnp.where(wanted, x, self.base.interval.middle(log_gap))
        points = self.base.interval.at(x + sign * jnp.exp(log_gap) * place)
        return logsumexp(self.base.log_prob(points) + weight, axis=0)
