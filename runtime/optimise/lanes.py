"""Lanes: several runs of Adam side by side in one compiled program, their step sizes and numbers of steps being arguments.

Lanes share the noise of every step. The rate of a round falls along a cosine to zero, and the iterates of its last quarter
are averaged. A step whose value or gradient is not finite is not taken, and counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

ADAM = optax.scale_by_adam(b1=0.9, b2=0.99)
AVERAGED = 0.75  # iterates are averaged from this part of a round on

Tree = Any


class Lanes(NamedTuple):
    """The state of all lanes, leading axis lanes: parameters, Adam's moments, the average and what was counted since the chunk began."""

    params: Tree
    adam: Tree
    mean: Tree
    averaged: jax.Array
    total: jax.Array
    squares: jax.Array
    skipped: jax.Array


class Span(NamedTuple):
    """The steps ``[first, last)`` of a round of `steps` steps, as traced numbers."""

    first: Any
    last: Any
    steps: Any


def begin(params: Tree) -> Lanes:
    """Lanes at the start of a round, for parameters with a leading axis of lanes."""
    count = jax.tree.leaves(params)[0].shape[0]
    zeros = jnp.zeros(count)
    return Lanes(params, jax.vmap(ADAM.init)(params), params, zeros, zeros, zeros, zeros)


def antithetic(key: jax.Array, draws: int, dim: int) -> jax.Array:
    """Standard normal noise (draws, dim) in pairs of opposite sign."""
    half = jax.random.normal(key, (draws // 2, dim))
    return jnp.concatenate([half, -half])


def make_chunk(objective: Callable[..., jax.Array], draws: int, dim: int) -> Callable[..., Lanes]:
    """The compiled ``chunk(lanes, rates, span, fixed, data, key) -> lanes``.

    `objective(params, fixed, eps, data)` is one draw's log weight; each step climbs its mean over `draws` draws.
    """

    def climb(params: Tree, fixed: Tree, eps: jax.Array, data: Any) -> tuple[jax.Array, Tree]:
        mean = lambda p: jnp.mean(jax.vmap(objective, (None, None, 0, None))(p, fixed, eps, data))  # noqa: E731
        return jax.value_and_grad(mean)(params)

    def advance(lane: Lanes, rate: jax.Array, keep: jax.Array, fixed: Tree, eps: jax.Array, data: Any) -> Lanes:
        value, gradient = climb(lane.params, fixed, eps, data)
        fine = jnp.isfinite(value) & jnp.all(jnp.stack([jnp.all(jnp.isfinite(g)) for g in jax.tree.leaves(gradient)]))
        step, adam = ADAM.update(gradient, lane.adam)
        pick = lambda new, old: jax.tree.map(lambda a, b: jnp.where(fine, a, b), new, old)  # noqa: E731
        params = pick(jax.tree.map(lambda p, s: p + rate * s, lane.params, step), lane.params)
        averaged = lane.averaged + keep
        weight = keep / jnp.maximum(averaged, 1)
        mean = jax.tree.map(lambda m, p: m + weight * (p - m), lane.mean, params)
        value = jnp.where(fine, value, 0.0)
        counts = (lane.total + value, lane.squares + value**2, lane.skipped + (1 - fine))
        return Lanes(params, pick(adam, lane.adam), mean, averaged, *counts)

    def chunk(lanes: Lanes, rates: jax.Array, span: Span, fixed: Tree, data: Any, key: jax.Array) -> Lanes:
        def body(step: jax.Array, lanes: Lanes) -> Lanes:
            part = step / span.steps
            eps = antithetic(jax.random.fold_in(key, step), draws, dim)
            keep = jnp.where(part >= AVERAGED, 1.0, 0.0).astype(lanes.averaged.dtype)
            falling = (0.5 * rates * (1 + jnp.cos(jnp.pi * part))).astype(rates.dtype)
            return jax.vmap(advance, (0, 0, None, None, None, None))(lanes, falling, keep, fixed, eps, data)

        zeros = jnp.zeros_like(lanes.total)
        lanes = lanes._replace(total=zeros, squares=zeros, skipped=zeros)
        return jax.lax.fori_loop(span.first, span.last, body, lanes)

    return chunk


def chunk_figures(lanes: Lanes, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per lane: mean ELBO of a chunk, its standard error, and the part of the steps that were not finite."""
    total, squares, skipped = (np.asarray(a, np.float64) for a in (lanes.total, lanes.squares, lanes.skipped))
    count = np.maximum(steps - skipped, 1)
    mean = np.where(skipped < steps, total / count, np.nan)
    spread = np.maximum(squares / count - mean**2, 0)
    return mean, np.sqrt(spread / count), skipped / steps
