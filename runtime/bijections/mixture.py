"""Mixtures of laws: distribution function in closed form, quantile by root search."""

from __future__ import annotations

import jax
from jax.scipy.special import logsumexp

from emfppl.runtime.bijections.interval import Interval, Point
from emfppl.runtime.bijections.laws import Law


class Mixture(Law):
    """Σ_k w_k p_k(x), with the components along one more axis, last, of the component's parameters and of log w."""

    def __init__(self, log_weights: jax.Array, component: Law, interval: Interval):
        self.log_weights = log_weights - logsumexp(log_weights, axis=-1, keepdims=True)
        self.component, self.interval = component, interval

    def _sum(self, each: jax.Array) -> jax.Array:
        return logsumexp(self.log_weights + each, axis=-1)

    def log_prob(self, p: Point) -> jax.Array:
        return self._sum(self.component.log_prob(p.expanded(-1)))

    def log_cdf(self, p: Point) -> jax.Array:
        return self._sum(self.component.log_cdf(p.expanded(-1)))

    def log_sf(self, p: Point) -> jax.Array:
        return self._sum(self.component.log_sf(p.expanded(-1)))

    def log_tails(self, p: Point) -> tuple[jax.Array, jax.Array]:
        below, above = self.component.log_tails(p.expanded(-1))
        return self._sum(below), self._sum(above)
