"""Location-scale laws on the real line: x = loc + scale z, with z = g(u) the standard law's quantile of Φ(u)."""

from __future__ import annotations

from abc import abstractmethod

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr

from emfppl.runtime.bijections import normal
from emfppl.runtime.bijections.interval import LOG_2, Point
from emfppl.runtime.bijections.laws import Law
from emfppl.runtime.bijections.root_search import increasing_root
from emfppl.runtime.bijections.tails import log_beta_tails, stirling

LOG_PI = 1.1447298858494002


class LocationScale(Law):
    """A symmetric standard law moved and stretched; subclasses say what z is."""

    def __init__(self, loc: jax.Array, scale: jax.Array):
        self.loc, self.scale = loc, scale

    @abstractmethod
    def standard_log_prob(self, z: jax.Array) -> jax.Array:
        """log f(z)."""

    @abstractmethod
    def standard_log_cdf(self, z: jax.Array) -> jax.Array:
        """log F(z)."""

    def standard_log_sf(self, z: jax.Array) -> jax.Array:
        """log (1 − F(z)), by symmetry log F(−z)."""
        return self.standard_log_cdf(-z)

    @abstractmethod
    def standard_quantile(self, u: jax.Array) -> jax.Array:
        """z with F(z) = Φ(u)."""

    def _z(self, p: Point) -> jax.Array:
        return (p.x - self.loc) / self.scale

    def log_prob(self, p: Point) -> jax.Array:
        return self.standard_log_prob(self._z(p)) - jnp.log(self.scale)

    def log_cdf(self, p: Point) -> jax.Array:
        return self.standard_log_cdf(self._z(p))

    def log_sf(self, p: Point) -> jax.Array:
        return self.standard_log_sf(self._z(p))

    def from_noise(self, u: jax.Array) -> jax.Array:
        return self.loc + self.scale * self.standard_quantile(u)


class Normal(LocationScale):
    """z = u."""

    def __init__(self, loc: jax.Array, scale: jax.Array):
        super().__init__(loc, scale)
        self.affine = (loc, scale)

    def standard_log_prob(self, z: jax.Array) -> jax.Array:
        return normal.log_density(z)

    def standard_log_cdf(self, z: jax.Array) -> jax.Array:
        return normal.log_cdf(z)

    def log_tails(self, p: Point) -> tuple[jax.Array, jax.Array]:
        return normal.log_tails(self._z(p))

    def standard_quantile(self, u: jax.Array) -> jax.Array:
        return u

    def to_noise(self, y: jax.Array) -> jax.Array:
        return (y - self.loc) / self.scale


class Laplace(LocationScale):
    """z = log 2Φ(u) below, −log 2Φ(−u) above."""

    def standard_log_prob(self, z: jax.Array) -> jax.Array:
        return -jnp.abs(z) - LOG_2

    def standard_log_cdf(self, z: jax.Array) -> jax.Array:
        below, above = normal.halves(z)
        return jnp.where(z < 0, below - LOG_2, jnp.log1p(-jnp.exp(-above - LOG_2)))

    def standard_quantile(self, u: jax.Array) -> jax.Array:
        return jnp.where(u < 0, LOG_2 + normal.log_cdf(u), -LOG_2 - normal.log_sf(u))


class Logistic(LocationScale):
    """z = log Φ(u) − log Φ(−u)."""

    def standard_log_prob(self, z: jax.Array) -> jax.Array:
        return jax.nn.log_sigmoid(z) + jax.nn.log_sigmoid(-z)

    def standard_log_cdf(self, z: jax.Array) -> jax.Array:
        return jax.nn.log_sigmoid(z)

    def standard_quantile(self, u: jax.Array) -> jax.Array:
        return normal.log_cdf(u) - normal.log_sf(u)


class Gumbel(LocationScale):
    """z = −log (−log Φ(u))."""

    def standard_log_prob(self, z: jax.Array) -> jax.Array:
        return -z - jnp.exp(-z)

    def standard_log_cdf(self, z: jax.Array) -> jax.Array:
        return -jnp.exp(-z)

    def standard_log_sf(self, z: jax.Array) -> jax.Array:
        return normal.log1mexp(-jnp.exp(-z))

    def standard_quantile(self, u: jax.Array) -> jax.Array:
        return -jnp.log(-normal.log_cdf(within_reach(u)))


class Cauchy(LocationScale):
    """z = −cot πΦ(u)."""

    def standard_log_prob(self, z: jax.Array) -> jax.Array:
        return -LOG_PI - log1p_square(z)

    def standard_log_cdf(self, z: jax.Array) -> jax.Array:
        return jnp.log(jnp.arctan2(jnp.ones_like(z), -z)) - LOG_PI

    def standard_quantile(self, u: jax.Array) -> jax.Array:
        u = within_reach(u)
        below, above = normal.halves(u)
        return jnp.where(u < 0, -1 / jnp.tan(jnp.pi * ndtr(below)), 1 / jnp.tan(jnp.pi * ndtr(-above)))


class AsymmetricLaplace(LocationScale):
    """Exponential with rate κ above 0 and 1 / κ below, κ the asymmetry: F(0) = κ² / (1 + κ²)."""

    def __init__(self, loc: jax.Array, scale: jax.Array, asymmetry: jax.Array):
        super().__init__(loc, scale)
        self.kappa = asymmetry
        self.log_low, self.log_high = jax.nn.log_sigmoid(2 * jnp.log(asymmetry)), jax.nn.log_sigmoid(-2 * jnp.log(asymmetry))

    def standard_log_prob(self, z: jax.Array) -> jax.Array:
        below, above = normal.halves(z)
        return below / self.kappa - above * self.kappa - jnp.log(self.kappa + 1 / self.kappa)

    def standard_log_cdf(self, z: jax.Array) -> jax.Array:
        below, above = normal.halves(z)
        return jnp.where(z < 0, self.log_low + below / self.kappa, jnp.log1p(-jnp.exp(self.log_high - self.kappa * above)))

    def standard_log_sf(self, z: jax.Array) -> jax.Array:
        below, above = normal.halves(z)
        return jnp.where(z < 0, jnp.log1p(-jnp.exp(self.log_low + below / self.kappa)), self.log_high - self.kappa * above)

    def standard_quantile(self, u: jax.Array) -> jax.Array:
        low, high = normal.log_cdf(u), normal.log_sf(u)
        return jnp.where(low < self.log_low, self.kappa * (low - self.log_low), (self.log_high - high) / self.kappa)


class StudentT(LocationScale):
    """z = sinh v with v the root of F(sinh v) = Φ(u); 1 − F(z) = ½ P(B < df / (df + z²)), B ~ Beta(df / 2, ½), for z > 0."""

    def __init__(self, df: jax.Array, loc: jax.Array, scale: jax.Array):
        super().__init__(loc, scale)
        self.df = df

    def standard_log_prob(self, z: jax.Array) -> jax.Array:
        half = 0.5 * self.df
        constant = stirling(half + 0.5) - stirling(half) + half * jnp.log1p(0.5 / half) - 0.5 - normal.HALF_LOG_2PI
        return constant - (half + 0.5) * log1p_square(z / jnp.sqrt(self.df))

    def standard_log_cdf(self, z: jax.Array) -> jax.Array:
        return self._tails(z)[0]

    def _tails(self, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        """(log F, log (1 − F)) at z."""
        size = jnp.where(z < 0, -z, z)
        tiny = size < jnp.finfo(z.dtype).eps ** (1 / 3) * jnp.sqrt(self.df)
        far = jnp.where(tiny, 1.0, size / jnp.sqrt(self.df))
        log_rest = -log1p_square(far)
        tail = log_beta_tails(0.5 * self.df, jnp.asarray(0.5), log_rest, 2 * jnp.log(far) + log_rest)[0] - LOG_2
        centre = jnp.exp(self.standard_log_prob(jnp.zeros_like(z)))
        small = jnp.where(tiny, jnp.log(0.5 - centre * jnp.where(tiny, size, 0.0)), tail)
        large = jnp.log1p(-jnp.exp(small))
        return jnp.where(z < 0, small, large), jnp.where(z < 0, large, small)

    def standard_quantile(self, u: jax.Array) -> jax.Array:
        u = within_reach(u)

        def evaluate(v: jax.Array) -> tuple[jax.Array, jax.Array]:
            z = jnp.sinh(v)
            reached = normal.noise_of(*self._tails(z))
            log_slope = self.standard_log_prob(z) + jnp.log(jnp.cosh(v)) - normal.log_density(reached)
            return reached - u, jnp.exp(log_slope)

        return jnp.sinh(increasing_root(evaluate, jnp.arcsinh(u)))


def log1p_square(z: jax.Array) -> jax.Array:
    """log (1 + z²) without overflow."""
    big = jnp.maximum(jnp.abs(z), 1.0)
    small = jnp.where(jnp.abs(z) > 1, 0.0, z)
    return jnp.where(jnp.abs(z) > 1, 2 * jnp.log(big) + jnp.log1p(1 / (big * big)), jnp.log1p(small * small))


def within_reach(u: jax.Array) -> jax.Array:
    """u held where Φ(u) and Φ(−u) are numbers: |u| ≤ 12 in float32, 37 in float64."""
    reach = 12.0 if jnp.finfo(u.dtype).bits == 32 else 37.0
    return jnp.clip(u, -reach, reach)
