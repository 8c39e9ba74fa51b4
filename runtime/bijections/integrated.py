"""A law known by its log density alone: mode, width and tails by search and quadrature in the interval's coordinate y.

With ℓ(y) = log p(T(y)) + log T'(y), a tail beyond y is exp ℓ(y) ∫₀^∞ exp(ℓ(y ± s) − ℓ(y)) ds, taken outward from the mode by the
double exponential rule of `tails` with s scaled by the distance where ℓ has fallen by one. The law is normalised by the
sum of both tails at the mode. Right for one mode; gradients go through the integrals.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import logsumexp

from emfppl.runtime.bijections import normal
from emfppl.runtime.bijections.interval import Interval, Point
from emfppl.runtime.bijections.laws import Law

_T, _STEP = np.linspace(-4.0, 16.0, 220, retstep=True)
_RATIO = np.exp(_T - np.exp(-_T))
_LOG_WEIGHT = _T - np.exp(-_T) + np.log1p(np.exp(-_T)) + np.log(_STEP)
_COARSE = np.sinh(np.linspace(-12.0, 12.0, 193))
_DISTANCES = 2.0 ** np.arange(-36, 21)
ZOOMS = 8


class Integrated(Law):
    """`density` is the log density as it was written; the map from noise is that of the normalised law."""

    def __init__(self, density: Callable[[jax.Array], jax.Array], interval: Interval):
        self.density, self.interval = density, interval
        self.mode = self._mode()
        tails = [self._log_tail(self.mode, sign) for sign in (-1.0, 1.0)]
        self.log_mass = jnp.logaddexp(*tails)

    def log_prob(self, p: Point) -> jax.Array:
        return self.density(p.x)

    def _height(self, y: jax.Array) -> jax.Array:
        """ℓ(y), −∞ where it is not a number."""
        x = self.interval.point(y).x
        if self.interval.lower is not None:
            x = jnp.maximum(x, self.interval.lower + jnp.finfo(x.dtype).tiny)
        found = self.density(x) + self.interval.log_slope(y)
        return jnp.where(jnp.isnan(found) | (found == jnp.inf), -jnp.inf, found)

    def _mode(self) -> jax.Array:
        """Where ℓ is greatest: on a coarse grid, then on finer and finer ones around the best place."""
        start = jnp.asarray(_COARSE)
        shape = jnp.shape(lax.stop_gradient(self._height(jnp.zeros(()))))
        axis = (-1, *(1 for _ in shape))
        best, which = self._best(start.reshape(axis))
        gaps = jnp.asarray(np.gradient(_COARSE))[which]
        fine = jnp.linspace(-1.5, 1.5, 25)
        zoom = lambda _, found: (self._best(found[0] + found[1] * fine.reshape(axis))[0], found[1] / 8)  # noqa: E731
        return lax.stop_gradient(lax.fori_loop(0, ZOOMS, zoom, (best, jnp.broadcast_to(gaps, best.shape)))[0])

    def _best(self, places: jax.Array) -> tuple[jax.Array, jax.Array]:
        heights = lax.stop_gradient(self._height(places))
        which = jnp.argmax(heights, axis=0)
        wide = jnp.broadcast_to(places, heights.shape)
        return lax.stop_gradient(jnp.take_along_axis(wide, which[None], axis=0)[0]), which

    def _log_tail(self, y: jax.Array, sign: jax.Array | float) -> jax.Array:
        """log of the mass beyond y, upward for sign 1."""
        here = self._height(y)
        axis = (-1, *(1 for _ in here.shape))
        distances = jnp.asarray(_DISTANCES, here.dtype).reshape(axis)
        fallen = lax.stop_gradient(here - self._height(y + sign * distances)) > 1
        scale = jnp.asarray(_DISTANCES, here.dtype)[jnp.argmax(fallen, axis=0)]
        ratio, weight = (jnp.asarray(a, here.dtype).reshape(axis) for a in (_RATIO, _LOG_WEIGHT))
        heights = self._height(lax.stop_gradient(y) * 0 + y + sign * scale * ratio)
        return jnp.log(scale) + logsumexp(jnp.where(heights > -jnp.inf, heights + weight, -1e30), axis=0)

    def _tails(self, y: jax.Array) -> tuple[jax.Array, jax.Array]:
        left = y < self.mode
        near = jnp.minimum(self._log_tail(y, jnp.where(left, -1.0, 1.0)) - self.log_mass, -1e-300)
        far = normal.log1mexp(near)
        return jnp.where(left, near, far), jnp.where(left, far, near)

    def log_cdf(self, p: Point) -> jax.Array:
        return self._tails(self.interval.unconstrained(p))[0]

    def log_sf(self, p: Point) -> jax.Array:
        return self._tails(self.interval.unconstrained(p))[1]

    def to_noise(self, y: jax.Array) -> jax.Array:
        return normal.noise_of(*self._tails(y))

    def start(self, u: jax.Array) -> jax.Array:
        return jnp.broadcast_to(self.mode, jnp.broadcast_shapes(jnp.shape(u), self.mode.shape)) + 0 * u

    def log_slope(self, u: jax.Array, y: jax.Array) -> jax.Array:
        return normal.log_density(u) - self._height(y) + self.log_mass
