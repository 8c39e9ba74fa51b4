"""Laws on the positive numbers; their coordinate is y = log x."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.scipy.special import erf, erfinv, gammaln, ndtr

from emfppl.runtime.bijections import normal
from emfppl.runtime.bijections.bounded import Beta
from emfppl.runtime.bijections.interval import LOG_2, Interval, Point
from emfppl.runtime.bijections.laws import Law
from emfppl.runtime.bijections.normal_coordinate import NormalCoordinate
from emfppl.runtime.bijections.real_line import LOG_PI, StudentT, log1p_square, within_reach
from emfppl.runtime.bijections.tails import log_gamma_kernel, log_gamma_tails

POSITIVE = Interval(lower=0.0)
SQRT_2, HALF_PI = 1.4142135623730951, 1.5707963267948966


class LogNormal(NormalCoordinate):
    """log x = loc + scale u."""

    interval = POSITIVE

    def log_stretch(self, p: Point) -> jax.Array:
        return p.log_above


class HalfNormal(Law):
    """x = scale z, erf(z / √2) = Φ(u)."""

    interval = POSITIVE

    def __init__(self, scale: jax.Array):
        self.scale = scale

    def log_prob(self, p: Point) -> jax.Array:
        return LOG_2 + normal.log_density(p.x / self.scale) - jnp.log(self.scale)

    def log_cdf(self, p: Point) -> jax.Array:
        return jnp.log(erf(p.x / (SQRT_2 * self.scale)))

    def log_sf(self, p: Point) -> jax.Array:
        return LOG_2 + normal.log_sf(p.x / self.scale)

    def from_noise(self, u: jax.Array) -> jax.Array:
        u = within_reach(u)
        low, high = normal.halves(u)
        below = SQRT_2 * erfinv(ndtr(low))
        above = -normal.lower_noise(normal.log_sf(high) - LOG_2)
        return jnp.log(self.scale) + jnp.log(jnp.where(u < 0, below, above))


class HalfCauchy(Law):
    """x = scale tan (π Φ(u) / 2)."""

    interval = POSITIVE

    def __init__(self, scale: jax.Array):
        self.scale = scale

    def log_prob(self, p: Point) -> jax.Array:
        return LOG_2 - LOG_PI - log1p_square(p.x / self.scale) - jnp.log(self.scale)

    def log_cdf(self, p: Point) -> jax.Array:
        return LOG_2 - LOG_PI + jnp.log(jnp.arctan2(p.x, jnp.broadcast_to(self.scale, jnp.shape(p.x))))

    def log_sf(self, p: Point) -> jax.Array:
        return LOG_2 - LOG_PI + jnp.log(jnp.arctan2(self.scale * jnp.ones_like(p.x), p.x))

    def from_noise(self, u: jax.Array) -> jax.Array:
        u = within_reach(u)
        low, high = normal.halves(u)
        below, above = jnp.log(jnp.tan(HALF_PI * ndtr(low))), -jnp.log(jnp.tan(HALF_PI * ndtr(-high)))
        return jnp.log(self.scale) + jnp.where(u < 0, below, above)


class Exponential(Law):
    """rate x = −log Φ(−u)."""

    interval = POSITIVE

    def __init__(self, rate: jax.Array):
        self.rate = rate

    def log_prob(self, p: Point) -> jax.Array:
        return jnp.log(self.rate) - self.rate * p.x

    def log_cdf(self, p: Point) -> jax.Array:
        return normal.log1mexp(-self.rate * p.x)

    def log_sf(self, p: Point) -> jax.Array:
        return -self.rate * p.x

    def from_noise(self, u: jax.Array) -> jax.Array:
        return jnp.log(-normal.log_sf(within_reach(u))) - jnp.log(self.rate)


class Gamma(Law):
    """y = log x by root search on the distribution function of Gamma(concentration, 1)."""

    interval = POSITIVE

    def __init__(self, concentration: jax.Array, rate: jax.Array):
        self.concentration, self.rate = concentration, rate

    def _log_z(self, p: Point) -> jax.Array:
        return p.log_above + jnp.log(self.rate)

    def log_prob(self, p: Point) -> jax.Array:
        return log_gamma_kernel(self.concentration, self._log_z(p)) - p.log_above

    def log_cdf(self, p: Point) -> jax.Array:
        return log_gamma_tails(self.concentration, self._log_z(p))[0]

    def log_sf(self, p: Point) -> jax.Array:
        return log_gamma_tails(self.concentration, self._log_z(p))[1]

    def to_noise(self, y: jax.Array) -> jax.Array:
        return normal.noise_of(*log_gamma_tails(self.concentration, y + jnp.log(self.rate)))

    def start(self, u: jax.Array) -> jax.Array:
        """Wilson and Hilferty's (1931) cube, and the power law of the lower tail where that fails."""
        a = self.concentration
        root = 1 - 1 / (9 * a) + u / (3 * jnp.sqrt(a))
        cube = jnp.log(a) + 3 * jnp.log(jnp.maximum(root, 0.1))
        power = (normal.log_cdf(u) + gammaln(a + 1)) / a
        return jnp.where((root > 0.2) & (a > 0.3), cube, power) - jnp.log(self.rate)


class InverseGamma(Law):
    """1 / x ~ Gamma(concentration, rate)."""

    interval = POSITIVE

    def __init__(self, concentration: jax.Array, rate: jax.Array):
        self.concentration, self.rate = concentration, rate
        self._gamma = Gamma(concentration, rate)

    def _log_z(self, p: Point) -> jax.Array:
        return jnp.log(self.rate) - p.log_above

    def log_prob(self, p: Point) -> jax.Array:
        return log_gamma_kernel(self.concentration, self._log_z(p)) - p.log_above

    def log_cdf(self, p: Point) -> jax.Array:
        return log_gamma_tails(self.concentration, self._log_z(p))[1]

    def log_sf(self, p: Point) -> jax.Array:
        return log_gamma_tails(self.concentration, self._log_z(p))[0]

    def to_noise(self, y: jax.Array) -> jax.Array:
        return -self._gamma.to_noise(-y)

    def from_noise(self, u: jax.Array) -> jax.Array:
        return -self._gamma.from_noise(-u)


class Chi2(Gamma):
    """Gamma(df / 2, 1 / 2)."""

    def __init__(self, df: jax.Array):
        super().__init__(0.5 * df, jnp.asarray(0.5))


class HalfStudentT(Law):
    """x² / scale² ~ F(1, df): logit B = 2 (y − log scale) − log df with B ~ Beta(½, df / 2)."""

    interval = POSITIVE

    def __init__(self, df: jax.Array, scale: jax.Array):
        self.df, self.scale = df, scale
        self._t = StudentT(df, jnp.zeros(()), scale)
        self._beta = Beta(jnp.asarray(0.5), 0.5 * df)

    def _logit(self, y: jax.Array) -> jax.Array:
        return 2 * (y - jnp.log(self.scale)) - jnp.log(self.df)

    def log_prob(self, p: Point) -> jax.Array:
        return LOG_2 + self._t.log_prob(p)

    def _inner(self, p: Point) -> Point:
        return self._beta.interval.point(self._logit(p.log_above))

    def log_cdf(self, p: Point) -> jax.Array:
        return self._beta.log_cdf(self._inner(p))

    def log_sf(self, p: Point) -> jax.Array:
        return self._beta.log_sf(self._inner(p))

    def to_noise(self, y: jax.Array) -> jax.Array:
        return self._beta.to_noise(self._logit(y))

    def from_noise(self, u: jax.Array) -> jax.Array:
        return jnp.log(self.scale) + 0.5 * (jnp.log(self.df) + self._beta.from_noise(u))
