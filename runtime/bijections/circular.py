"""Angles on (−π, π]: the von Mises law, its distribution function by quadrature."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import i0e, logsumexp

from emfppl.runtime.bijections.interval import Interval, Point
from emfppl.runtime.bijections.laws import Law
from emfppl.runtime.bijections.normal import LOG_2PI

_PLACES, _WEIGHTS = np.polynomial.legendre.leggauss(80)
_PLACES, _LOG_WEIGHTS = 0.5 * (_PLACES + 1), np.log(0.5 * _WEIGHTS)


class VonMises(Law):
    """∝ exp(κ cos(x − loc)), cut open at ±π.

    The law is integrated from either end in the angle φ with tan(t / 2) = r tan(φ / 2), t = x − loc and r = 1 / √(1 + κ): a map of
    the circle onto itself under which the density is as wide as the circle whatever κ is. All integrands are positive, so the
    relative accuracy holds in both tails.
    """

    def __init__(self, loc: jax.Array, concentration: jax.Array):
        self.interval = Interval(-math.pi * jnp.ones(()), math.pi * jnp.ones(()))
        self.loc, self.kappa = loc, concentration
        self.log_constant = -LOG_2PI - jnp.log(i0e(concentration))
        self.r = 1 / jnp.sqrt(1 + concentration)

    def log_prob(self, p: Point) -> jax.Array:
        return self.log_constant - 2 * self.kappa * jnp.sin(0.5 * (p.x - self.loc)) ** 2

    def log_cdf(self, p: Point) -> jax.Array:
        return self._log_integral(jnp.exp(p.log_above), 1.0)

    def log_sf(self, p: Point) -> jax.Array:
        return self._log_integral(jnp.exp(p.log_below), -1.0)

    def _log_integral(self, gap: jax.Array, sign: float) -> jax.Array:
        """The log mass of the arc of length `gap` that starts at ±π and goes up (sign 1) or down."""
        end = -sign * math.pi - self.loc
        cos, sin = self.r * jnp.cos(0.5 * end), jnp.sin(0.5 * end)
        other = 0.5 * (end + sign * gap)
        dot = self.r * jnp.cos(other) * cos + jnp.sin(other) * sin
        arc = 2 * jnp.arctan2(self.r * jnp.sin(0.5 * gap), dot)
        start = 2 * jnp.arctan2(sin, cos)
        places = jnp.asarray(_PLACES, arc.dtype)
        phi = 0.5 * (jnp.asarray(start)[..., None] + sign * arc[..., None] * places)
        r, kappa = jnp.asarray(self.r)[..., None], jnp.asarray(self.kappa)[..., None]
        square = jnp.cos(phi) ** 2 + (r * jnp.sin(phi)) ** 2
        log_density = -2 * kappa * (r * jnp.sin(phi)) ** 2 / square + jnp.log(r) - jnp.log(square)
        return self.log_constant + jnp.log(arc) + logsumexp(log_density + jnp.asarray(_LOG_WEIGHTS, arc.dtype), axis=-1)
