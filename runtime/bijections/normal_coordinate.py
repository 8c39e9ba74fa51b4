"""Laws of numbers whose unconstrained coordinate is normal."""

from __future__ import annotations

from abc import abstractmethod

import jax
import jax.numpy as jnp

from emfppl.runtime.bijections import normal
from emfppl.runtime.bijections.interval import Point
from emfppl.runtime.bijections.laws import Law


class NormalCoordinate(Law):
    """x = T(y), y = loc + scale u."""

    def __init__(self, loc: jax.Array, scale: jax.Array):
        self.loc, self.scale = loc, scale
        self.affine = (loc, scale)

    @abstractmethod
    def log_stretch(self, p: Point) -> jax.Array:
        """log T'(y) at x = T(y)."""

    def _z(self, p: Point) -> jax.Array:
        return (self.interval.unconstrained(p) - self.loc) / self.scale

    def log_prob(self, p: Point) -> jax.Array:
        return normal.log_density(self._z(p)) - jnp.log(self.scale) - self.log_stretch(p)

    def log_cdf(self, p: Point) -> jax.Array:
        return normal.log_cdf(self._z(p))

    def log_sf(self, p: Point) -> jax.Array:
        return normal.log_sf(self._z(p))

    def from_noise(self, u: jax.Array) -> jax.Array:
        return self.loc + self.scale * u

    def to_noise(self, y: jax.Array) -> jax.Array:
        return (y - self.loc) / self.scale
