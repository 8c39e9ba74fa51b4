"""Skewed and tailed noise (Jones and Pewsey 2009): e_i = sinh(exp(tail_i) asinh(eps_i) + skew_i), zeros being the identity."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

Params = dict[str, jax.Array]


def start(dim: int) -> dict[str, np.ndarray]:
    """The identity."""
    return {"skew": np.zeros(dim), "tail": np.zeros(dim)}


def forward(params: Params, eps: jax.Array) -> tuple[jax.Array, jax.Array]:
    """e and log |det de/deps|."""
    inner = jnp.exp(params["tail"]) * jnp.arcsinh(eps) + params["skew"]
    log_cosh = jnp.logaddexp(inner, -inner) - np.log(2)
    return jnp.sinh(inner), jnp.sum(log_cosh + params["tail"] - 0.5 * jnp.log1p(eps**2))


def inverse(params: Params, e: jax.Array) -> tuple[jax.Array, jax.Array]:
    """eps and log |det deps/de|."""
    eps = jnp.sinh((jnp.arcsinh(e) - params["skew"]) * jnp.exp(-params["tail"]))
    return eps, -forward(params, eps)[1]


def push(params: Params, eps: jax.Array, score: jax.Array) -> tuple[jax.Array, jax.Array]:
    """e, and the gradient of log q(e) in e from that of log q(eps) in eps."""
    slope, bend = jax.vmap(_derivatives)(params["skew"], params["tail"], eps)
    return forward(params, eps)[0], (score - bend) / slope


def _derivatives(skew: jax.Array, tail: jax.Array, eps: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The slope of one coordinate's shape at eps, and the derivative of the logarithm of that slope."""
    value, bend = jax.value_and_grad(lambda e: forward({"skew": skew, "tail": tail}, e)[1])(eps)
    return jnp.exp(value), bend
