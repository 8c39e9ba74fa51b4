"""Distribution functions of Gamma and Beta laws in log space, differentiable in everything, any number of times.

From a point on the outward side of the mode the tail is ``p(y) ∫₀^∞ exp(−h(s)) ds``, h(s) = log p(y) − log p(y ∓ s), in a
coordinate in which h grows at least linearly. The integral is taken by the double exponential rule s = S exp(t − exp(−t))
(Takahasi and Mori 1974) on fixed nodes t, S the distance where h = 1: relative accuracy holds however far out the point is.
The other tail is log (1 − exp ·).
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import gammaln

from emfppl.runtime.bijections.normal import HALF_LOG_2PI, log1mexp

NODES = 72
_T, _STEP = np.linspace(-3.7, 4.3, NODES, retstep=True)
_RATIO = np.exp(_T - np.exp(-_T))  # s / S at the nodes
_LOG_WEIGHT = _T - np.exp(-_T) + np.log1p(np.exp(-_T)) + np.log(_STEP)
LARGE = 10.0  # from here on Stirling's series


def log_gamma_tails(shape: jax.Array, log_x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(log F, log (1 − F)) of Gamma(shape, 1) at x."""
    a, log_x = jnp.broadcast_arrays(shape, log_x)
    left = log_x < jnp.log(a)
    x = jnp.exp(log_x)
    x_left, x_right = jnp.where(left, x, 0.5 * a), jnp.where(left, 2.0 * a, x)

    def height(s: jax.Array, n: Callable) -> jax.Array:
        right = s - (n(a) - 1) * jnp.log1p(s / n(x_right))
        return jnp.where(n(left), n(a) * s + n(x_left) * jnp.expm1(-s), right)

    def slope(s: jax.Array) -> jax.Array:
        return jnp.where(left, a - x_left * jnp.exp(-s), 1 - (a - 1) / (x_right + s))

    bend = jnp.where(left, x_left, (a - 1) / x_right**2)
    scale = jnp.where(left | (a > 1), _scale(height, slope, bend, jnp.where(left, a, 1.0)), 1.0)
    near = log_gamma_kernel(a, log_x) - jnp.where(left, 0.0, log_x) + _log_integral(height, scale)
    return _both(near, left)


def log_beta_tails(a: jax.Array, b: jax.Array, log_x: jax.Array, log_rest: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(log F, log (1 − F)) of Beta(a, b) at x, given log x and log (1 − x)."""
    a, b, log_x, log_rest = jnp.broadcast_arrays(a, b, log_x, log_rest)
    left = log_x + jnp.log(b) < log_rest + jnp.log(a)
    a, b = jnp.where(left, a, b), jnp.where(left, b, a)
    log_x, log_rest = jnp.where(left, log_x, log_rest), jnp.where(left, log_rest, log_x)
    odds = jnp.exp(log_x - log_rest)

    def height(s: jax.Array, n: Callable) -> jax.Array:
        return n(a) * s - (n(b) - 1) * jnp.log1p(-n(odds) * jnp.expm1(-s))

    def slope(s: jax.Array) -> jax.Array:
        return a - (b - 1) * odds * jnp.exp(-s) / (1 - odds * jnp.expm1(-s))

    found = _scale(height, slope, (b - 1) * (odds + odds * odds), a)
    near = log_beta_kernel(a, b, log_x, log_rest) - log_rest
    return _both(near + _log_integral(height, jnp.where(b > 1, found, 1 / a)), left)


def _both(near: jax.Array, left: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The tail that was integrated and its complement, in the order (below, above)."""
    far = log1mexp(near)
    return jnp.where(left, near, far), jnp.where(left, far, near)


def _log_integral(height: Callable, scale: jax.Array) -> jax.Array:
    """log ∫₀^∞ exp(−h(s)) ds; the nodes are one more axis, last."""
    scale = lax.stop_gradient(scale)
    ratio, log_weight = jnp.asarray(_RATIO, scale.dtype), jnp.asarray(_LOG_WEIGHT, scale.dtype)
    h = height(scale[..., None] * ratio, lambda v: v[..., None])
    return jnp.log(scale) + jnp.log(jnp.sum(jnp.exp(log_weight - h), axis=-1))


def _scale(height: Callable, slope: Callable, bend: jax.Array, steepest: jax.Array) -> jax.Array:
    """The distance S with h(S) = 1, for convex h with h''(0) = bend and slopes below `steepest`: a start from below, and
    three Newton steps."""
    zero = jnp.zeros_like(bend)
    first = jnp.maximum(slope(zero), 0.0)
    s = jnp.maximum(2 / (first + jnp.sqrt(first * first + 2 * jnp.maximum(bend, 0.0))), 1 / steepest)
    for _ in range(3):
        s = s - (height(s, lambda v: v) - 1) / jnp.maximum(slope(s), 0.1 / s)
    return s


# ---------------------------------------------------------------- densities of the logarithm and of the logit


def stirling(a: jax.Array) -> jax.Array:
    """Δ(a) = log Γ(a) − (a − ½) log a + a − ½ log 2π, by its asymptotic series for large a."""
    large = a > LARGE
    big, small = jnp.where(large, a, LARGE), jnp.where(large, 1.0, a)
    w = 1 / (big * big)
    series = (1 / 12 - w * (1 / 360 - w * (1 / 1260 - w * (1 / 1680 - w * (1 / 1188 - w * 691 / 360360))))) / big
    return jnp.where(large, series, gammaln(small) - (small - 0.5) * jnp.log(small) + small - HALF_LOG_2PI)


def log_gamma_kernel(a: jax.Array, log_x: jax.Array) -> jax.Array:
    """The log density of log x, x ~ Gamma(a, 1): a log x − x − log Γ(a), without cancellation for large a."""
    t = log_x - jnp.log(a)
    return -a * (jnp.expm1(t) - t) + 0.5 * jnp.log(a) - HALF_LOG_2PI - stirling(a)


def log_beta_kernel(a: jax.Array, b: jax.Array, log_x: jax.Array, log_rest: jax.Array) -> jax.Array:
    """The log density of logit x, x ~ Beta(a, b): a log x + b log (1 − x) − log B(a, b), without cancellation for large a, b."""
    total = a + b
    log_p, log_q = -jnp.log1p(b / a), -jnp.log1p(a / b)
    core = a * (log_x - log_p) + b * (log_rest - log_q)
    root = 0.5 * (jnp.log(a) + log_q)  # ½ log (a b / (a + b))
    return core + root - HALF_LOG_2PI + stirling(total) - stirling(a) - stirling(b)
