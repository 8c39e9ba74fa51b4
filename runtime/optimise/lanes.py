"""Lanes: several runs of Adam side by side in one compiled program, step sizes and numbers of steps being arguments.

Lanes share the noise of every step, unless they are tied: then those of one start have each its own and one gradient, their mean,
so that they are as one lane with the draws of all. The rate of a round falls along a cosine to zero, and the iterates of its last
quarter are averaged. A step whose value or gradient is not finite is not taken, and counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

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


class Ways(NamedTuple):
    """How lanes go: the rate of each at the beginning of the round, and whether those of a start are tied."""

    rates: Any
    tied: Any = False


Chunk = Callable[[Lanes, Ways, Span, Tree, Any, jax.Array], Lanes]


def make_chunk(
    objective: Callable[..., jax.Array],
    draws: int,
    dim: int,
    compiled: Callable[..., Any] = jax.jit,
    pick: Callable[[Any, jax.Array], Any] | None = None,
    together: int | None = None,
    siblings: int = 1,
) -> Chunk:
    """The compiled ``chunk(lanes, ways, span, fixed, data, key) -> lanes``; `fixed` has a leading axis of lanes, of which so many
    `siblings` after each other are of one start.

    `objective(params, fixed, eps, data)` is one draw's log weight; each step climbs its mean over `draws` draws, of which so many
    are worked on `together`, by default all. `pick(data, key)` gives the data of a step, by default all.
    """
    slope_of = mean_and_slope(objective, together or draws)

    def shared(leaf: jax.Array, tied: Any) -> jax.Array:
        apart = leaf.reshape(-1, siblings, *leaf.shape[1:])
        return jnp.where(tied, jnp.mean(apart, axis=1, keepdims=True), apart).reshape(leaf.shape)

    def advance(lane: Lanes, value: Any, gradient: jax.Array, rate: Any, keep: Any) -> Lanes:
        fine = jnp.isfinite(value) & jnp.all(jnp.isfinite(gradient))
        step, adam = ADAM.update(gradient, lane.adam)
        moved = lane.params + rate * step
        params, adam = jax.tree.map(lambda a, b: jnp.where(fine, a, b), (moved, adam), (lane.params, lane.adam))
        averaged = lane.averaged + keep
        mean = lane.mean + keep / jnp.maximum(averaged, 1) * (params - lane.mean)
        return Lanes(params, adam, mean, averaged, lane.skipped + (1 - fine))

    def chunk(lanes: Lanes, ways: Ways, span: Span, fixed: Tree, data: Any, key: jax.Array) -> Lanes:
        rates = jnp.asarray(ways.rates)
        streams = ways.tied * (jnp.arange(len(rates)) % siblings)
        _, apart = ravel_pytree(jax.tree.map(lambda leaf: leaf[0], lanes.params))

        def value_and_slope(params: jax.Array, fixed: Tree, eps: jax.Array, data: Any) -> tuple[jax.Array, jax.Array]:
            value, slope = slope_of(apart(params), fixed, eps, data)
            return value, ravel_pytree(slope)[0]

        def body(step: jax.Array, lanes: Lanes) -> Lanes:
            part = step / span.steps
            own = jax.random.fold_in(key, step)
            noise = antithetic(own, siblings * draws, dim).reshape(draws, siblings, dim)[:, streams]
            part_of = data if pick is None else pick(data, jax.random.fold_in(own, 1))
            keep = jnp.where(part >= AVERAGED, 1.0, 0.0).astype(lanes.averaged.dtype)
            falling = (0.5 * rates * (1 + jnp.cos(jnp.pi * part))).astype(rates.dtype)
            found = jax.vmap(value_and_slope, (0, 0, 1, None))(lanes.params, fixed, noise, part_of)
            value, gradient = (shared(leaf, ways.tied) for leaf in found)
            return jax.vmap(advance, (0, 0, 0, 0, None))(lanes, value, gradient, falling, keep)

        flat = _each(lanes, jax.vmap(lambda tree: ravel_pytree(tree)[0]))
        return _each(jax.lax.fori_loop(span.first, span.last, body, flat), jax.vmap(apart))

    return compiled(chunk)


def _each(lanes: Lanes, change: Callable[[Any], Any]) -> Lanes:
    """Lanes with their parameters, moments and means changed: to one vector each (lanes, P), so that a step of Adam is one pass
    over them, or back."""
    mu, nu = change(lanes.adam.mu), change(lanes.adam.nu)
    return lanes._replace(params=change(lanes.params), adam=lanes.adam._replace(mu=mu, nu=nu), mean=change(lanes.mean))


def settled(lanes: Lanes) -> Tree:
    """What a round has found: the averages, or the parameters themselves where it was broken off before averaging."""
    done = np.asarray(lanes.averaged) > 0
    return jax.tree.map(lambda m, p: np.where(_along(done, p), m, p), lanes.mean, lanes.params)


def _along(flags: np.ndarray, leaf: Any) -> np.ndarray:
    return flags.reshape(flags.shape + (1,) * (leaf.ndim - 1))
