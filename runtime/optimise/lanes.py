"""Lanes: several runs of Adam side by side in one compiled program, step sizes and numbers of steps being arguments.

Lanes share the noise of every step. The rate of a round falls along a cosine to zero, and the iterates of its last
quarter are averaged. A step whose value or gradient is not finite is not taken, and counted.
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
    """The state of all lanes, leading axis lanes: parameters, Adam's moments, the running average of the parameters
    with its count, and how many steps of the round were not finite."""

    params: Tree
    adam: Tree
    mean: Tree
    averaged: Any
    skipped: Any


class Span(NamedTuple):
    """The steps ``[first, last)`` of a round of `steps` steps, as traced numbers."""

    first: Any
    last: Any
    steps: Any


def begin(params: Tree) -> Lanes:
    """Lanes at the start of a round, for parameters with a leading axis of lanes; NumPy, so that nothing has to be compiled."""
    params = jax.tree.map(np.asarray, params)
    count = len(jax.tree.leaves(params)[0])
    moments = [jax.tree.map(np.zeros_like, params) for _ in range(2)]
    return Lanes(params, optax.ScaleByAdamState(np.zeros(count, np.int32), *moments), params, np.zeros(count), np.zeros(count))


def antithetic(key: jax.Array, draws: int, dim: int) -> jax.Array:
    """Standard normal noise (draws, dim), `draws` even, in pairs of opposite sign."""
    half = jax.random.normal(key, (draws // 2, dim))
    return jnp.concatenate([half, -half])


def mean_and_slope(objective: Callable[..., jax.Array], together: int) -> Callable[..., tuple[jax.Array, Tree]]:
    """``(params, fixed, eps, data)`` to the mean of an objective over draws (N, D) and its gradient: `together` of them at a time,
    and the gradient of these before the next, for arrays that a processor's cache holds are worked on several times faster."""

    def mean_of(params: Tree, fixed: Tree, eps: jax.Array, data: Any) -> jax.Array:
        return jnp.mean(jax.vmap(objective, (None, None, 0, None))(params, fixed, eps, data))

    one = jax.value_and_grad(mean_of)

    def in_turns(params: Tree, fixed: Tree, eps: jax.Array, data: Any) -> tuple[jax.Array, Tree]:
        if len(eps) <= together:
            return one(params, fixed, eps, data)
        parts = eps.reshape(-1, together, *eps.shape[1:])
        found = jax.lax.map(lambda part: one(params, fixed, part, data), parts)
        return jax.tree.map(lambda leaf: jnp.mean(leaf, axis=0), found)

    return in_turns


Chunk = Callable[[Lanes, jax.Array, Span, Tree, Any, jax.Array], Lanes]


def make_chunk(
    objective: Callable[..., jax.Array],
    draws: int,
    dim: int,
    compiled: Callable[..., Any] = jax.jit,
    pick: Callable[[Any, jax.Array], Any] | None = None,
    together: int | None = None,
) -> Chunk:
    """The compiled ``chunk(lanes, rates, span, fixed, data, key) -> lanes``; `fixed` has a leading axis of lanes.

    `objective(params, fixed, eps, data)` is one draw's log weight; each step climbs its mean over `draws` draws, of which so many
    are worked on `together`, by default all. `pick(data, key)` gives the data of a step, by default all.
    """
    slope_of = mean_and_slope(objective, together or draws)

    def advance(lane: Lanes, rate: Any, keep: Any, fixed: Tree, eps: jax.Array, data: Any) -> Lanes:
        value, gradient = slope_of(lane.params, fixed, eps, data)
        finite = [jnp.isfinite(value), *(jnp.all(jnp.isfinite(g)) for g in jax.tree.leaves(gradient))]
        fine = jnp.all(jnp.stack(finite))
        step, adam = ADAM.update(gradient, lane.adam)
        moved = jax.tree.map(lambda p, s: p + rate * s, lane.params, step)
        params, adam = jax.tree.map(lambda a, b: jnp.where(fine, a, b), (moved, adam), (lane.params, lane.adam))
        averaged = lane.averaged + keep
        weight = keep / jnp.maximum(averaged, 1)
        mean = jax.tree.map(lambda m, p: m + weight * (p - m), lane.mean, params)
        return Lanes(params, adam, mean, averaged, lane.skipped + (1 - fine))

    def chunk(lanes: Lanes, rates: jax.Array, span: Span, fixed: Tree, data: Any, key: jax.Array) -> Lanes:
        def body(step: jax.Array, lanes: Lanes) -> Lanes:
            part = step / span.steps
            own = jax.random.fold_in(key, step)
            eps = antithetic(own, draws, dim)
            part_of = data if pick is None else pick(data, jax.random.fold_in(own, 1))
            keep = jnp.where(part >= AVERAGED, 1.0, 0.0).astype(lanes.averaged.dtype)
            falling = (0.5 * rates * (1 + jnp.cos(jnp.pi * part))).astype(rates.dtype)
            return jax.vmap(advance, (0, 0, None, 0, None, None))(lanes, falling, keep, fixed, eps, part_of)

        return jax.lax.fori_loop(span.first, span.last, body, lanes)

    return compiled(chunk)


def settled(lanes: Lanes) -> Tree:
    """What a round has found: the averages, or the parameters themselves where it was broken off before averaging."""
    done = np.asarray(lanes.averaged) > 0
    return jax.tree.map(lambda m, p: np.where(_along(done, p), m, p), lanes.mean, lanes.params)


def _along(flags: np.ndarray, leaf: Any) -> np.ndarray:
    return flags.reshape(flags.shape + (1,) * (leaf.ndim - 1))
