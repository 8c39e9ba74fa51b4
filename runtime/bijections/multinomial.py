"""Counts of several categories at once: Multinomial and DirichletMultinomial, their densities and draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import gammaln, xlogy

from emfppl.runtime.bijections.discrete import Discrete

NAMES = ("Multinomial", "DirichletMultinomial")
Args = Mapping[str, Any]


def multinomial(name: str, args: Args, batch_shape: tuple[int, ...], event_shape: tuple[int, ...]) -> Discrete:
    """The density over the counts of all categories, the last axis."""
    density = _multinomial(args) if name == "Multinomial" else _dirichlet_multinomial(args)
    total = args["total_count"]

    def holds(x: jax.Array) -> jax.Array:
        return jnp.all((x >= 0) & (x == jnp.floor(x)), axis=-1) & (jnp.sum(x, axis=-1) == total)

    return Discrete(density, holds, batch_shape, event_shape)


def _multinomial(args: Args) -> Any:
    """n! Π p_k^x_k / x_k!."""
    n = args["total_count"]

    def density(x: jax.Array) -> jax.Array:
        log_p = jax.nn.log_softmax(args["logits"], axis=-1) if "logits" in args else None
        each = xlogy(jnp.asarray(x, float), args["probs"]) if log_p is None else x * log_p
        return gammaln(n + 1.0) + jnp.sum(each - gammaln(x + 1.0), axis=-1)

    return density


def _dirichlet_multinomial(args: Args) -> Any:
    """n! Γ(Σ a) / Γ(n + Σ a) Π Γ(x_k + a_k) / (x_k! Γ(a_k))."""
    n, a = args["total_count"], args["concentration"]

    def density(x: jax.Array) -> jax.Array:
        total = jnp.sum(a, axis=-1)
        outer = gammaln(n + 1.0) + gammaln(total) - gammaln(n + total)
        return outer + jnp.sum(gammaln(x + a) - gammaln(x + 1.0) - gammaln(a), axis=-1)

    return density


def draw(name: str, args: Args, key: Any, shape: tuple[int, ...]) -> jax.Array:
    """Draws of `shape`, whose last axis holds the categories: one binomial after the other."""
    first, second = jax.random.split(key)
    if name == "DirichletMultinomial":
        probs = jax.random.dirichlet(first, jnp.broadcast_to(args["concentration"], shape))
    else:
        probs = jax.nn.softmax(args["logits"], axis=-1) if "logits" in args else args["probs"]
    probs = jnp.moveaxis(jnp.broadcast_to(probs, shape), -1, 0)
    rest = jnp.cumsum(probs[::-1], axis=0)[::-1]
    share = jnp.clip(probs / jnp.maximum(rest, jnp.finfo(probs.dtype).tiny), 0.0, 1.0).at[-1].set(1.0)
    total = jnp.broadcast_to(jnp.asarray(args["total_count"], probs.dtype), shape[:-1])

    def step(left: jax.Array, given: tuple) -> tuple:
        p, k = given
        some = jnp.where(p >= 1, left, jax.random.binomial(k, left, jnp.minimum(p, 0.9999999)))
        return left - some, some

    found: jax.Array
    _, found = lax.scan(step, total, (share, jax.random.split(second, shape[-1])))
    return jnp.moveaxis(found, 0, -1).astype(int)
