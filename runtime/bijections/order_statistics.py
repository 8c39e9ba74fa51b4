"""Order statistics of K independent draws of one law, one after the other (Rényi 1953).

The k-th smallest given the one before it, x', is the least of m = K − k + 1 draws above x': its survival function is
``((1 − F(x)) / (1 − F(x')))^m``. With all survivals in log space, ``log S_k = log S_(k−1) + log Φ(−u_k) / m``.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from emfppl.runtime.bijections import normal
from emfppl.runtime.bijections.interval import Interval, Point
from emfppl.runtime.bijections.laws import Law


class LeastAbove(Law):
    """The least of m draws of `base` above `lower`, where log (1 − F) is `log_survival`; from the base's start if there is none."""

    def __init__(self, base: Law, m: jax.Array, lower: jax.Array | None, log_survival: jax.Array):
        self.base, self.m, self.log_survival = base, m, log_survival
        self.interval = base.interval if lower is None else Interval(lower, base.interval.upper)
        self.whole = lower is None

    def _inner(self, p: Point) -> Point:
        return p if self.whole else self.base.interval.at(p.x)

    def log_prob(self, p: Point) -> jax.Array:
        inner = self._inner(p)
        rest = (self.m - 1) * (self.base.log_sf(inner) - self.log_survival)
        return jnp.log(self.m) + self.base.log_prob(inner) - self.log_survival + rest

    def log_sf(self, p: Point) -> jax.Array:
        return self.m * (self.base.log_sf(self._inner(p)) - self.log_survival)

    def log_cdf(self, p: Point) -> jax.Array:
        return normal.log1mexp(self.log_sf(p))

    def from_noise(self, u: jax.Array) -> jax.Array:
        survival = self.log_survival + normal.log_sf(u) / self.m
        inner = self.base.from_noise(normal.noise_of(normal.log1mexp(survival), survival))
        return inner if self.whole else self.interval.unconstrained(self.interval.at(self.base.interval.point(inner).x))
