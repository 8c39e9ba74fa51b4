"""Lanes of training: runs of Adam from several seeds, in one compiled program that does many steps at a call.

A step goes along the gradient of the mean log density of a batch. A gradient longer than four times the running average of its
length is shortened to that, whatever the units and the dimension; one that is not finite is left out, and counted. Weights of
networks decay (Loshchilov and Hutter 2019). What is judged and kept are parameters averaged over the last tenth of the steps or
so (Polyak and Juditsky 1992), which follow the noise of single batches less.

On a CPU lanes run one after another, whose matrices then are those of one network; elsewhere side by side.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax

from emfppl.runtime.compile import for_long, on_cpu

ADAM = optax.scale_by_adam(b1=0.9, b2=0.99)
LONGEST, MEMORY = 4.0, 0.95  # of a gradient, in units of the running average; of that average

DECAY = 0.03  # of the weights of networks, times the rate, at each step
RECENT = 0.1  # of the steps of a run: over about so many of the last ones parameters are averaged

Tree = Any


class Trained(Protocol):
    """What is trained: the log density of one sample, given what belongs to it, less a cost of the parameters."""

    def log_prob(self, params: Tree, x: jax.Array, given: Any) -> jax.Array: ...

    def cost(self, params: Tree) -> jax.Array: ...


class Lanes(NamedTuple):
    """The state of all lanes, leading axis lanes: parameters, Adam's moments, the running average of the gradient's length, how
    many steps were not finite, and the average of recent parameters, which is what is judged and kept."""

    params: Tree
    adam: Tree
    length: Any
    skipped: Any
    mean: Tree


def begin(params: Tree) -> Lanes:
    """Lanes at the start, for parameters with a leading axis of lanes."""
    count, dtype = len(jax.tree.leaves(params)[0]), jax.tree.leaves(params)[0].dtype
    adam = optax.ScaleByAdamState(np.zeros(count, np.int32), *(jax.tree.map(np.zeros_like, params) for _ in range(2)))
    return Lanes(params, adam, np.zeros(count, dtype), np.zeros(count, np.int32), params)


class Program(NamedTuple):
    """`chunk(lanes, active, rates, batches, factors)` does a step for each batch with the rate times its factor, and gives
    the lanes and the mean log density before each step (lanes, steps). `score(params, blocks)` gives log densities
    (lanes, K, B) and costs (lanes,)."""

    chunk: Callable[..., tuple[Lanes, jax.Array]]
    score: Callable[..., jax.Array]


def compiled(trained: Trained, numbers: int = 0) -> Program:
    """The programs of training, on batches of so many numbers; shapes of lanes and batches are seen from the arguments."""

    def log_probs(params: Tree, x: jax.Array, given: Any) -> jax.Array:
        return jax.vmap(trained.log_prob, (None, 0, 0))(params, x, given)

    def loss(params: Tree, x: jax.Array, given: Any) -> jax.Array:
        return -jnp.mean(log_probs(params, x, given)) + trained.cost(params)

    def one_lane(lane: Lanes, active: Any, rate: Any, batches: Any, factors: jax.Array) -> tuple[Lanes, jax.Array]:
        def step(lane: Lanes, now: Any) -> tuple[Lanes, jax.Array]:
            (x, given), factor = now
            value, gradient = jax.value_and_grad(loss)(lane.params, x, given)
            return _moved(lane, value, gradient, rate * factor), trained.cost(lane.params) - value

        def run(lane: Lanes) -> tuple[Lanes, jax.Array]:
            return jax.lax.scan(step, lane, (batches, factors))

        def stay(lane: Lanes) -> tuple[Lanes, jax.Array]:
            return lane, jnp.full(len(factors), jnp.nan, factors.dtype)

        return jax.lax.cond(active, run, stay, lane)

    def chunk(lanes: Lanes, active: Any, rates: Any, batches: Any, factors: jax.Array) -> tuple[Lanes, jax.Array]:
        def one(state: tuple[Lanes, Any, Any]) -> tuple[Lanes, jax.Array]:
            return one_lane(*state, batches, factors)

        return _over(one, (lanes, active, rates))

    def score(params: Tree, blocks: Any) -> tuple[jax.Array, jax.Array]:
        return _over(lambda one: (jax.lax.map(lambda block: log_probs(one, *block), blocks), trained.cost(one)), params)

    return Program(for_long(chunk, numbers), for_long(score))


def _over(function: Callable[[Any], Any], many: Any) -> Any:
    """`function` of every lane."""
    if len(jax.tree.leaves(many)[0]) == 1:
        return jax.tree.map(lambda x: x[None], function(jax.tree.map(lambda x: x[0], many)))
    return jax.lax.map(function, many) if on_cpu() else jax.vmap(function)(many)


def _moved(lane: Lanes, value: Any, gradient: Tree, rate: Any) -> Lanes:
    """One step of Adam downhill, if value and gradient are finite."""
    length = jnp.sqrt(sum((jnp.sum(g**2) for g in jax.tree.leaves(gradient)), jnp.zeros_like(value)))
    fine = jnp.isfinite(value) & jnp.isfinite(length)
    usual = jnp.where(lane.length > 0, lane.length, length)
    cut = jnp.minimum(1.0, LONGEST * usual / jnp.maximum(length, jnp.finfo(length.dtype).tiny))
    average = MEMORY * usual + (1 - MEMORY) * cut * length
    direction, adam = ADAM.update(jax.tree.map(lambda g: cut * g, gradient), lane.adam)
    params = jax.tree_util.tree_map_with_path(partial(_stepped, rate), lane.params, direction)
    keep = lambda new, old: jax.tree.map(lambda a, b: jnp.where(fine, a, b), new, old)  # noqa: E731
    skipped = lane.skipped + (1 - fine).astype(lane.skipped.dtype)
    params = keep(params, lane.params)
    share = 1 / (1 + RECENT * adam.count)
    mean = jax.tree.map(lambda m, p: m + (share * (p - m)).astype(m.dtype), lane.mean, params)
    return Lanes(params, keep(adam, lane.adam), jnp.where(fine, average, lane.length), skipped, mean)


def _stepped(rate: Any, path: tuple[Any, ...], p: jax.Array, direction: jax.Array) -> jax.Array:
    """A parameter after a step; weights of networks, which have names of that kind, are also drawn towards zero."""
    decay = DECAY if str(path[-1].key).startswith("weights") else 0.0
    return p - (rate * (direction + decay * p)).astype(p.dtype)
