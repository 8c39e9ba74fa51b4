"""The standard normal in log space, accurate in both tails: log φ, log Φ, and the noise of a probability given by logs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.scipy.special import erfc, ndtri

LOG_2PI = 1.8378770664093453
HALF_LOG_2PI = LOG_2PI / 2
SQRT_HALF = 0.7071067811865476


def log_density(u: jax.Array) -> jax.Array:
    """log φ(u), elementwise."""
    return -0.5 * u * u - HALF_LOG_2PI


def _smaller_and_larger(u: jax.Array) -> tuple[jax.Array, jax.Array]:
    """log Φ(−|u|), far out by the tail's asymptotic series, and log Φ(|u|) as log1p(−Φ(−|u|)), which keeps its relative accuracy
    where Φ rounds to 1."""
    size = jnp.abs(u)
    tail = 0.5 * erfc(size * SQRT_HALF)
    far = tail < 4 * jnp.finfo(tail.dtype).tiny
    w = 1 / jnp.where(far, size, 1.0) ** 2
    series = log_density(u) - jnp.log(jnp.where(far, size, 1.0)) + jnp.log1p(-w * (1 - w * (3 - 15 * w)))
    return jnp.where(far, series, jnp.log(jnp.where(far, 0.5, tail))), jnp.log1p(-tail)


@jax.custom_jvp
def log_tails(u: jax.Array) -> tuple[jax.Array, jax.Array]:
    """log Φ(u) and log Φ(−u), elementwise."""
    smaller, larger = _smaller_and_larger(u)
    return jnp.where(u > 0, larger, smaller), jnp.where(u > 0, smaller, larger)


@log_tails.defjvp
def _log_tails_jvp(primals: tuple, tangents: tuple) -> tuple:
    (u,), (du,) = primals, tangents
    below, above = log_tails(u)
    log_slope = log_density(u)
    return (below, above), (jnp.exp(log_slope - below) * du, -jnp.exp(log_slope - above) * du)


@jax.custom_jvp
def log_cdf(u: jax.Array) -> jax.Array:
    """log Φ(u), elementwise."""
    smaller, larger = _smaller_and_larger(u)
    return jnp.where(u > 0, larger, smaller)


@log_cdf.defjvp
def _log_cdf_jvp(primals: tuple, tangents: tuple) -> tuple:
    (u,), (du,) = primals, tangents
    out = log_cdf(u)
    return out, jnp.exp(log_density(u) - out) * du


def log_sf(u: jax.Array) -> jax.Array:
    """log (1 − Φ(u)), elementwise."""
    return log_cdf(-u)


def log1mexp(a: jax.Array) -> jax.Array:
    """log (1 − exp(a)) for a < 0, elementwise; −∞ at 0 with a finite gradient."""
    safe = jnp.where(a < 0, a, -1.0)
    far = safe < -0.6931471805599453
    out = jnp.where(far, jnp.log1p(-jnp.exp(jnp.where(far, safe, -1.0))), jnp.log(-jnp.expm1(jnp.where(far, -0.5, safe))))
    return jnp.where(a < 0, out, -jnp.inf)


@jax.custom_jvp
def lower_noise(log_p: jax.Array) -> jax.Array:
    """u ≤ 0 with log Φ(u) = log_p ≤ log ½, elementwise; far out, where exp underflows, by the tail's asymptotic series."""
    smallest = jnp.log(jnp.finfo(log_p.dtype).tiny) + 2.0
    near = log_p > smallest
    return jnp.where(near, ndtri(jnp.exp(jnp.where(near, log_p, -1.0))), -_far(jnp.minimum(log_p, smallest)))


def _far(log_p: jax.Array) -> jax.Array:
    """z with log Φ(−z) = log_p by three rounds of z² = −2 (log_p + log(z √2π) + 1/z²)."""
    z = jnp.sqrt(-2.0 * jnp.maximum(log_p, -1e30))
    for _ in range(3):
        z = jnp.sqrt(-2.0 * (jnp.maximum(log_p, -1e30) + jnp.log(z) + HALF_LOG_2PI + 1 / (z * z)))
    return z


@lower_noise.defjvp
def _lower_noise_jvp(primals: tuple, tangents: tuple) -> tuple:
    (log_p,), (d,) = primals, tangents
    u = lower_noise(log_p)
    return u, jnp.exp(log_cdf(u) - log_density(u)) * d


def halves(u: jax.Array) -> tuple[jax.Array, jax.Array]:
    """u where it is negative, and where it is not; zero elsewhere. Unlike minimum it keeps the whole gradient at 0."""
    return jnp.where(u < 0, u, 0.0), jnp.where(u < 0, 0.0, u)


def noise_of(log_below: jax.Array, log_above: jax.Array) -> jax.Array:
    """u with Φ(u) = exp(log_below) and 1 − Φ(u) = exp(log_above), from the smaller of the two."""
    below = log_below < log_above
    u = lower_noise(jnp.where(below, log_below, log_above))
    return jnp.where(below, u, -u)
