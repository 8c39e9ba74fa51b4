"""The networks of coupling and autoregressive layers: perceptrons of smooth, unbounded units that end in zeros at their start."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.density.layer import Given, Params
from emfppl.runtime.guides import perceptron

NARROW, WIDE = 64, 512  # hidden layers of a network, where nothing is said of them


def usual_widths(dim: int) -> tuple[int, int]:
    """Two hidden layers, a unit or more for every coordinate and place."""
    width = int(np.clip(2 ** np.ceil(np.log2(2 * max(dim, 1))), NARROW, WIDE))
    return width, width


@dataclass(frozen=True)
class Network:
    """From `inputs` coordinates and `context` given numbers to `outputs` numbers for each of `dim` coordinates: of all, or
    where it is `masked` of those before it."""

    inputs: int
    dim: int
    outputs: int
    hidden: tuple[int, ...]
    context: int = 0
    masked: bool = False

    @cached_property
    def _masks(self) -> list[np.ndarray]:
        if self.masked:
            return perceptron.masks(perceptron.earlier(self.dim, self.dim), self.hidden, self.outputs, self.context)
        return perceptron.full(self.inputs + self.context, self.hidden, self.outputs * self.dim)

    def init(self, rng: np.random.Generator) -> Params:
        return perceptron.init(self._masks, rng, biases=1.0)

    def __call__(self, params: Params, x: jax.Array, given: Given) -> jax.Array:
        """The numbers: (outputs, dim)."""
        known = jnp.concatenate([x, jnp.asarray(given.features, x.dtype)]) if self.context else x
        out = perceptron.apply(self._masks, params, known, jax.nn.silu)
        return jnp.reshape(out, (self.outputs, self.dim))
