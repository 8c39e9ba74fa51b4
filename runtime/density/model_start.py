"""Where models inside a flow start: at the params under which they explain the samples best by themselves.

Layers below a model begin as the identity, on units that are told by what the model leaves to them. Were these told first, they
would take the place of the model's scales, which then say nothing about the samples, however well the whole fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from emfppl.runtime.compile import once
from emfppl.runtime.density.layers.elementwise import Actnorm
from emfppl.runtime.density.layers.structured import Structured
from emfppl.runtime.density.stack import Stack

STEPS, RATE = 200, 0.03  # of Adam, in the units of the layers' params
SAMPLES, NUMBERS = 256, 2_000_000  # at most so many samples, and numbers of them and of params to each step

Tree = Any


class Started:
    """A stack whose `warm` sets the params of models first."""

    def __init__(self, stack: Stack):
        self.stack = stack
        self.init, self.log_prob, self.cost = stack.init, stack.log_prob, stack.cost
        self.gated, self.shut = stack.gated, stack.shut

    def warm(self, params: Tree, x: np.ndarray, given: Mapping[str, Any]) -> Tree:
        """Parameters to start from, told by samples (N, E) and what is given with each."""
        params = self._models(params, x, given)
        return self.stack.warm(params, x, given, models=False)

    def _models(self, params: Tree, x: np.ndarray, given: Mapping[str, Any]) -> Tree:
        """The params of models at their most likely, all else at the start; as they were where that leads nowhere."""
        learned = [f"layer{n}" for n, layer in enumerate(self.stack.layers) if isinstance(layer, Structured)]
        learned = [name for name in learned if params["layers"][name]["params"]]
        if not learned:
            return params
        if any(isinstance(layer, Actnorm) or (isinstance(layer, Structured) and layer.told_by_data) for layer in self.stack.layers):
            params = {**self.stack.warm(params, x, given), "units": params["units"]}
        own = {name: params["layers"][name]["params"] for name in learned}
        count = self._count(own, len(x))
        some = x[:count], {name: value[:count] for name, value in given.items()}
        found, gained = once(self._climb)(own, params, *some)
        return _with(params, jax.device_get(found)) if bool(gained) else params

    def _count(self, own: Tree, there: int) -> int:
        """How many samples are looked at."""
        numbers = self.stack.dim + sum(int(np.size(leaf)) for leaf in jax.tree.leaves(own))
        return min(there, max(16, min(SAMPLES, NUMBERS // numbers)))

    def _climb(self, own: Tree, params: Tree, x: jax.Array, given: Any) -> tuple[Tree, jax.Array]:
        """Adam with a rate that falls to zero; the params, and whether they are better than those at the start."""

        def loss(own: Tree) -> jax.Array:
            return -jnp.mean(jax.vmap(self.stack.log_prob, (None, 0, 0))(_with(params, own), x, given))

        adam = optax.adam(optax.cosine_decay_schedule(RATE, STEPS))

        def step(_: Any, state: tuple[Tree, Tree]) -> tuple[Tree, Tree]:
            now, moments = state
            change, moments = adam.update(jax.grad(loss)(now), moments)
            return optax.apply_updates(now, change), moments

        own = jax.tree.map(jnp.asarray, own)
        found, _ = jax.lax.fori_loop(0, STEPS, step, (own, adam.init(own)))
        return found, loss(found) < loss(own)


def _with(params: Tree, own: Tree) -> Tree:
    """All parameters, with these params of models."""
    layers = {name: {**params["layers"][name], "params": found} for name, found in own.items()}
    return {**params, "layers": {**params["layers"], **layers}}
