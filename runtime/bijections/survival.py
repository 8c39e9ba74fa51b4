"""Laws of positive numbers whose distribution function is in closed form, as of times to an event.

With E = −log Φ(−u), which is exponential, and Λ the cumulative hazard, Λ(x) = E.
"""

from __future__ import annotations

from abc import abstractmethod

import jax
import jax.numpy as jnp

from emfppl.runtime.bijections import normal
from emfppl.runtime.bijections.half_line import POSITIVE
from emfppl.runtime.bijections.interval import Interval, Point
from emfppl.runtime.bijections.laws import Law
from emfppl.runtime.bijections.real_line import within_reach


class ByHazard(Law):
    """1 − F(x) = exp(−Λ(x))."""

    interval = POSITIVE

    @abstractmethod
    def hazard(self, p: Point) -> jax.Array:
        """Λ(x)."""

    def log_sf(self, p: Point) -> jax.Array:
        return -self.hazard(p)

    def log_cdf(self, p: Point) -> jax.Array:
        return normal.log1mexp(-self.hazard(p))


class Weibull(ByHazard):
    """Λ = (x / scale)^k, k the concentration: y = log scale + log E / k."""

    def __init__(self, scale: jax.Array, concentration: jax.Array):
        self.scale, self.concentration = scale, concentration

    def _log_hazard(self, p: Point) -> jax.Array:
        return self.concentration * (p.log_above - jnp.log(self.scale))

    def hazard(self, p: Point) -> jax.Array:
        return jnp.exp(self._log_hazard(p))

    def log_prob(self, p: Point) -> jax.Array:
        log_hazard = self._log_hazard(p)
        return jnp.log(self.concentration) - p.log_above + log_hazard - jnp.exp(log_hazard)

    def from_noise(self, u: jax.Array) -> jax.Array:
        return jnp.log(self.scale) + jnp.log(-normal.log_sf(within_reach(u))) / self.concentration


class Frechet(Law):
    """1 / x ~ Weibull(1 / scale, concentration)."""

    interval = POSITIVE

    def __init__(self, scale: jax.Array, concentration: jax.Array):
        self._inverse = Weibull(1 / scale, concentration)

    def _mirrored(self, p: Point) -> Point:
        return POSITIVE.point(-p.log_above)

    def log_prob(self, p: Point) -> jax.Array:
        return self._inverse.log_prob(self._mirrored(p)) - 2 * p.log_above

    def log_cdf(self, p: Point) -> jax.Array:
        return self._inverse.log_sf(self._mirrored(p))

    def log_sf(self, p: Point) -> jax.Array:
        return self._inverse.log_cdf(self._mirrored(p))

    def from_noise(self, u: jax.Array) -> jax.Array:
        return -self._inverse.from_noise(-u)


class LogLogistic(Law):
    """log x is logistic: y = log scale + (log Φ(u) − log Φ(−u)) / concentration."""

    interval = POSITIVE

    def __init__(self, scale: jax.Array, concentration: jax.Array):
        self.scale, self.concentration = scale, concentration

    def _log_odds(self, p: Point) -> jax.Array:
        return self.concentration * (p.log_above - jnp.log(self.scale))

    def log_prob(self, p: Point) -> jax.Array:
        z = self._log_odds(p)
        return jnp.log(self.concentration) - p.log_above + jax.nn.log_sigmoid(z) + jax.nn.log_sigmoid(-z)

    def log_cdf(self, p: Point) -> jax.Array:
        return jax.nn.log_sigmoid(self._log_odds(p))

    def log_sf(self, p: Point) -> jax.Array:
        return jax.nn.log_sigmoid(-self._log_odds(p))

    def from_noise(self, u: jax.Array) -> jax.Array:
        return jnp.log(self.scale) + (normal.log_cdf(u) - normal.log_sf(u)) / self.concentration


class Gompertz(ByHazard):
    """Λ = concentration (exp(rate x) − 1)."""

    def __init__(self, concentration: jax.Array, rate: jax.Array):
        self.concentration, self.rate = concentration, rate

    def hazard(self, p: Point) -> jax.Array:
        return self.concentration * jnp.expm1(self.rate * p.x)

    def log_prob(self, p: Point) -> jax.Array:
        return jnp.log(self.concentration) + jnp.log(self.rate) + self.rate * p.x - self.hazard(p)

    def from_noise(self, u: jax.Array) -> jax.Array:
        return jnp.log(jnp.log1p(-normal.log_sf(within_reach(u)) / self.concentration)) - jnp.log(self.rate)


class Pareto(ByHazard):
    """Λ = alpha log (x / scale) for x > scale."""

    def __init__(self, scale: jax.Array, alpha: jax.Array):
        self.scale, self.alpha = scale, alpha
        self.interval = Interval(scale)

    def _log_ratio(self, p: Point) -> jax.Array:
        return jax.nn.softplus(p.log_above - jnp.log(self.scale))

    def hazard(self, p: Point) -> jax.Array:
        return self.alpha * self._log_ratio(p)

    def log_prob(self, p: Point) -> jax.Array:
        return jnp.log(self.alpha) - jnp.log(self.scale) - (self.alpha + 1) * self._log_ratio(p)

    def from_noise(self, u: jax.Array) -> jax.Array:
        grown = -normal.log_sf(within_reach(u)) / self.alpha
        return jnp.log(self.scale) + grown + normal.log1mexp(-grown)
