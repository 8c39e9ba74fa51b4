"""The elimination of long chains: cut into pieces of equal length, of all of which one scalar goes at a time, in one scan.

Each piece has a *front*: the next b scalars of its chain, the b scalars before the piece, and the s hubs, F = 2b + s in all. What
is eliminated touches nothing else, so that a step works on arrays of one shape, whatever the length::

    a = column of Λ + first row of the front            u = a / d            front ← front moved on by one scalar − u aᵀ
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from emfppl.runtime.gaussian.placing import spread
from emfppl.runtime.gaussian.plan import Sweep


@dataclass(frozen=True)
class SweepFactor:
    """The columns of the factor that belong to a sweep of m steps over c pieces: pivots d (m, c) and u (m, F, c)."""

    sweep: Sweep
    pivot: Any
    below: Any

    @property
    def pivots(self) -> Any:
        """(m c,)."""
        return jnp.ravel(self.pivot)

    def white(self, h: Any) -> tuple[Any, Any]:
        """Of a right-hand side (m c,): what is whitened, and what it hands on to later scalars."""

        def step(front: Any, at: Any) -> tuple[Any, Any]:
            below, x = at
            x = x + front[0]
            return self._moved(front) - below * x, x

        none = jnp.zeros((self.sweep.front, self.sweep.pieces), h.dtype)
        front, found = jax.lax.scan(step, none, (self.below, h.reshape(self.pivot.shape)))
        return jnp.ravel(found / jnp.sqrt(self.pivot)), jnp.ravel(front)

    def back(self, w: Any, z: Any) -> Any:
        """The values (m c,), given those of later scalars."""
        b, around = self.sweep.width, spread(z, self.sweep.carried).reshape(-1, self.sweep.pieces)

        def step(after: Any, at: Any) -> tuple[Any, Any]:
            below, x = at
            x = x - jnp.sum(below * jnp.concatenate([after, around[b:]]), axis=0)
            return jnp.concatenate([x[None], after[:-1]]), x

        steps = (self.below, w.reshape(self.pivot.shape) / jnp.sqrt(self.pivot))
        return jnp.ravel(jax.lax.scan(step, around[:b], steps, reverse=True)[1])

    def _moved(self, front: Any) -> Any:
        return moved(front, self.sweep.width)


def factor_sweep(sweep: Sweep, head: Any) -> tuple[SweepFactor, Any]:
    """The columns of a sweep from its entries, and the updates of what is left."""

    def step(front: Any, column: Any) -> tuple[Any, Any]:
        pivot, below = column[0] + front[0, 0], column[1:] + moved(front[0], sweep.width)
        u = below / pivot
        front = moved(jnp.moveaxis(moved(front, sweep.width), 1, 0), sweep.width) - u[:, None] * below
        return front, (pivot, u)

    none = jnp.zeros((sweep.front, sweep.front, sweep.pieces), head.dtype)
    front, (pivot, below) = jax.lax.scan(step, none, head.reshape(sweep.steps, 1 + sweep.front, sweep.pieces))
    return SweepFactor(sweep, pivot, below), jnp.ravel(front)


def moved(front: Any, width: int) -> Any:
    """The front after a step, along the first axis: without the scalar that went, with nothing yet for the one that comes."""
    return jnp.concatenate([front[1:width], jnp.zeros_like(front[:1]), front[width:]])
