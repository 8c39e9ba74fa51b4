"""Continuous laws of one real number, elementwise over a batch: density and distribution function in log space."""

from __future__ import annotations

from abc import ABC, abstractmethod

import jax
import jax.numpy as jnp

from emfppl.runtime.bijections import normal
from emfppl.runtime.bijections.interval import Interval, Point
from emfppl.runtime.bijections.root_search import increasing_root


class Law(ABC):
    """A law on an interval. Methods take a `Point` of that interval and broadcast over the law's parameters.

    With g the quantile of Φ(u) and T the interval's coordinate, `from_noise` is g̃ = T⁻¹ ∘ g and `to_noise` its inverse.
    """

    interval: Interval = Interval()
    affine: tuple[jax.Array, jax.Array] | None = None  # (m, s) where g̃(u) = m + s u

    @abstractmethod
    def log_prob(self, p: Point) -> jax.Array:
        """log p(x)."""

    @abstractmethod
    def log_cdf(self, p: Point) -> jax.Array:
        """log F(x)."""

    @abstractmethod
    def log_sf(self, p: Point) -> jax.Array:
        """log (1 − F(x))."""

    def log_tails(self, p: Point) -> tuple[jax.Array, jax.Array]:
        """log F(x) and log (1 − F(x)), which may be cheaper together."""
        return self.log_cdf(p), self.log_sf(p)

    def to_noise(self, y: jax.Array) -> jax.Array:
        """u = Φ⁻¹(F(T(y)))."""
        return normal.noise_of(*jnp.broadcast_arrays(*self.log_tails(self.interval.point(y))))

    def from_noise(self, u: jax.Array) -> jax.Array:
        """y with F(T(y)) = Φ(u): by root search unless a law knows better."""

        def evaluate(y: jax.Array) -> tuple[jax.Array, jax.Array]:
            reached = self.to_noise(y)
            return reached - u, jnp.exp(-self.log_slope(reached, y))

        return increasing_root(evaluate, self.start(u))

    def start(self, u: jax.Array) -> jax.Array:
        """Where a root search begins."""
        return u

    def log_slope(self, u: jax.Array, y: jax.Array) -> jax.Array:
        """log g̃'(u) at a matching pair: log φ(u) − log p(T(y)) − log T'(y)."""
        if self.affine is not None:
            return jnp.log(self.affine[1]) + jnp.zeros_like(u)
        return normal.log_density(u) - self.log_prob(self.interval.point(y)) - self.interval.log_slope(y)
