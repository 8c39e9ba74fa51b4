"""Laws on a bounded interval; their coordinate is the logit of the place within it."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from emfppl.runtime.bijections import normal
from emfppl.runtime.bijections.interval import Interval, Point
from emfppl.runtime.bijections.laws import Law
from emfppl.runtime.bijections.tails import log_beta_kernel, log_beta_tails

UNIT = Interval(lower=0.0, upper=1.0)


class Uniform(Law):
    """y = logit Φ(u)."""

    def __init__(self, low: jax.Array, high: jax.Array):
        self.interval = Interval(low, high)

    def log_prob(self, p: Point) -> jax.Array:
        return -jnp.log(self.interval.width) + jnp.zeros_like(p.x)

    def log_cdf(self, p: Point) -> jax.Array:
        return p.log_above - jnp.log(self.interval.width)

    def log_sf(self, p: Point) -> jax.Array:
        return p.log_below - jnp.log(self.interval.width)

    def to_noise(self, y: jax.Array) -> jax.Array:
        return normal.noise_of(jax.nn.log_sigmoid(y), jax.nn.log_sigmoid(-y))

    def from_noise(self, u: jax.Array) -> jax.Array:
        return normal.log_cdf(u) - normal.log_sf(u)


class Beta(Law):
    """y = logit x by root search on the distribution function."""

    interval = UNIT

    def __init__(self, concentration1: jax.Array, concentration0: jax.Array):
        self.a, self.b = concentration1, concentration0

    def log_prob(self, p: Point) -> jax.Array:
        return log_beta_kernel(self.a, self.b, p.log_above, p.log_below) - p.log_above - p.log_below

    def log_cdf(self, p: Point) -> jax.Array:
        return log_beta_tails(self.a, self.b, p.log_above, p.log_below)[0]

    def log_sf(self, p: Point) -> jax.Array:
        return log_beta_tails(self.a, self.b, p.log_above, p.log_below)[1]

    def to_noise(self, y: jax.Array) -> jax.Array:
        return normal.noise_of(*log_beta_tails(self.a, self.b, jax.nn.log_sigmoid(y), jax.nn.log_sigmoid(-y)))

    def log_slope(self, u: jax.Array, y: jax.Array) -> jax.Array:
        log_p = log_beta_kernel(self.a, self.b, jax.nn.log_sigmoid(y), jax.nn.log_sigmoid(-y))
        return normal.log_density(u) - log_p

    def start(self, u: jax.Array) -> jax.Array:
        """A normal law of the logit with the same mode and curvature."""
        return jnp.log(self.a) - jnp.log(self.b) + u * jnp.sqrt(1 / self.a + 1 / self.b)
