"""The networks of coupling and autoregressive layers: perceptrons of smooth, unbounded units that end in zeros at their start.

What they see is standardised and squashed, and how narrow they make a coordinate is bounded, so that a sample a little away from
all others is unlikely, but not absurdly so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.density.layer import Given, Params
from emfppl.runtime.guides import perceptron

REACH, FARTHEST = 4.0, 1e4  # of what networks see of a coordinate, in standard deviations; of what is squashed to that
VARIES = 2.0  # of a log scale, with what a network sees
NARROW, WIDE = 64, 512  # hidden layers of a network, where nothing is said of them


def usual_widths(dim: int) -> tuple[int, int]:
    """Two hidden layers, a unit or more for every coordinate and place."""
    width = int(np.clip(2 ** np.ceil(np.log2(2 * max(dim, 1))), NARROW, WIDE))
    return width, width


@dataclass(frozen=True)
class Network:
    """From `inputs` coordinates and `context` given numbers to `outputs` numbers for each of `dim` coordinates: of all, or
    where it is `masked` of those before it. The outputs number `scale` are log scales, which vary with what is seen by ±`VARIES` at
    most, about values of their own."""

    inputs: int
    dim: int
    outputs: int
    hidden: tuple[int, ...]
    context: int = 0
    masked: bool = False
    scale: int | None = None

    @cached_property
    def _masks(self) -> list[np.ndarray]:
        if self.masked:
            return perceptron.masks(perceptron.earlier(self.dim, self.dim), self.hidden, self.outputs, self.context)
        return perceptron.full(self.inputs + self.context, self.hidden, self.outputs * self.dim)

    def init(self, rng: np.random.Generator) -> Params:
        return perceptron.init(self._masks, rng, biases=1.0)

    def __call__(self, params: Params, x: jax.Array, given: Given) -> jax.Array:
        """The numbers: (outputs, dim)."""
        x = squashed(x)
        known = jnp.concatenate([x, jnp.asarray(given.features, x.dtype)]) if self.context else x
        out = perceptron.apply(self._masks, params, known, jax.nn.silu)
        rows = jnp.reshape(out, (self.outputs, self.dim))
        return rows if self.scale is None else self._held(rows, params[f"biases{len(self.hidden)}"])

    def _held(self, rows: jax.Array, biases: jax.Array) -> jax.Array:
        """The numbers, log scales not far from those that stand in the last biases."""
        own = jnp.reshape(biases, rows.shape)
        held = own + VARIES * jnp.tanh((rows - own) / VARIES)
        return jnp.where(np.arange(self.outputs)[:, None] == self.scale, held, rows)


def squashed(x: jax.Array) -> jax.Array:
    """x / (1 + (x/a)⁴)^¼ for a = `REACH`: nearly x within ±a/2, never beyond ±a."""
    x = jnp.clip(x, -FARTHEST, FARTHEST)
    return x / (1 + (x / REACH) ** 4) ** 0.25
