"""The probability that independent draws of K different laws come in order, X_1 < … < X_K.

With G_0 = 1 and G_k(x) = ∫_{−∞}^x p_k(t) G_(k−1)(t) dt it is G_K(∞). Cells are cut at quantiles of all laws; inside of a cell
functions are known at Gauss and Legendre's nodes and integrated as the polynomial through them.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from emfppl.runtime.bijections.laws import Law

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(6)
_PLACES, _WEIGHTS = 0.5 * (_NODES + 1), 0.5 * _WEIGHTS
_POWERS = np.arange(len(_PLACES))
_FROM_LEFT = (_PLACES[:, None] ** (_POWERS + 1) / (_POWERS + 1)) @ np.linalg.inv(_PLACES[:, None] ** _POWERS)
_NOISE = np.linspace(-9.0, 9.0, 97)


def log_in_order(law: Law, batch_shape: tuple[int, ...], size: int) -> jax.Array:
    """log P(X_1 < … < X_K), over the batch; the laws of the K elements lie along the last axis of the law's parameters."""
    whole = (*batch_shape, size)
    noise = jnp.asarray(_NOISE).reshape(-1, *(1 for _ in whole)) * jnp.ones(whole)
    cuts = law.interval.point(law.from_noise(noise)).x
    cuts = jnp.sort(jnp.moveaxis(lax.stop_gradient(cuts), -1, 0).reshape(-1, *batch_shape), axis=0)
    start, width = cuts[:-1], jnp.diff(cuts, axis=0)
    places = jnp.asarray(_PLACES, cuts.dtype).reshape(-1, *(1 for _ in cuts.shape))
    x = (start + width * places)[..., None]  # (nodes, cells, …, 1)
    densities = jnp.exp(law.log_prob(law.interval.at(x))) * jnp.ones(size)
    densities = jnp.where(jnp.isfinite(densities), densities, 0.0)
    inner, weights = jnp.asarray(_FROM_LEFT, cuts.dtype), jnp.asarray(_WEIGHTS, cuts.dtype)

    def step(before: jax.Array, density: jax.Array) -> tuple[jax.Array, jax.Array]:
        f = density * before
        cell = width * jnp.einsum("n,n...->...", weights, f)
        reached = jnp.cumsum(cell, axis=0)
        after = (reached - cell) + width * jnp.einsum("mn,n...->m...", inner, f)
        return after, reached[-1]

    begin = jnp.ones((len(_PLACES), *width.shape), cuts.dtype)
    _, totals = lax.scan(step, begin, jnp.moveaxis(densities, -1, 0))
    return jnp.log(jnp.asarray(totals)[-1])
