"""Where the numbers of a model's nodes lie in a flat vector: variables one after the other, each in C order of its own dims.

A node's numbers come over its domain, in the order of its loops; in the vector they stand at the places of the node's part of its
variable (``x[0]``, ``x[1:]``), so that noise and values of one element have the same place. Slices both ways, no gathers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.compiler import graph as g
from emfppl.compiler.expressions import At
from emfppl.runtime.density.event import cut
from emfppl.runtime.evaluate import Scope
from emfppl.runtime.execute import place_of, put, ranges_of
from emfppl.runtime.program import Program


@dataclass(frozen=True)
class Place:
    """A node's part of its variable: NumPy subscripts, and for each axis of the node the axis of that part."""

    variable: str
    part: tuple[int | slice, ...]
    order: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Places:
    """The nodes of the program's latents; `names`: the variables, in the order of the vector."""

    program: Program
    names: tuple[str, ...]

    @cached_property
    def _of(self) -> dict[str, Place]:
        """The place of each node's noise, by key."""
        return {key: self._place(key, node) for key, node in self.program.latent_items}

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every variable on the real line."""
        out: dict[str, tuple[int, ...]] = {}
        for key, node in self.program.latent_items:
            own = self.program.noise_shapes[key][len(node.domain) :]
            rank = g.event_rank(node.dist, node.support)
            whole = self.program.shapes[node.target.name]
            batch, event = whole[: len(whole) - rank], whole[len(whole) - rank :]
            out[node.target.name] = (*batch, *(own if _changes(node) else event))
        return {name: out[name] for name in self.names}

    @property
    def dim(self) -> int:
        return sum(int(np.prod(shape)) for shape in self.shapes.values())

    def _place(self, key: str, node: g.RandomNode) -> Place:
        sizes, whole = self.program.layout.sizes, self.program.shapes[node.target.name]
        ranges = ranges_of(node, sizes)
        rank = g.event_rank(node.dist, node.support)
        kept = len(whole) - rank if _changes(node) else len(whole)
        target = g.Target(node.target.name, node.target.indices[:kept])
        part = place_of(target, Scope(sizes, ranges, {}), whole[:kept])
        loops = [i.loop for i in target.indices[: len(whole) - rank] if isinstance(i, At) and i.loop is not None]
        events = len(self.program.noise_shapes[key]) - len(loops)
        order = (*(loops.index(label) for label in ranges), *range(len(loops), len(loops) + events))
        return Place(node.target.name, part, order)

    # ------------------------------------------------------------ both ways

    def apart(self, flat: jax.Array) -> dict[str, jax.Array]:
        """The numbers of each node, by key, of a vector (D,)."""
        whole = cut(flat, self.shapes)
        return {key: jnp.transpose(whole[p.variable][p.part], p.order) for key, p in self._of.items()}

    def together(self, parts: Mapping[str, Any]) -> jax.Array:
        """The vector (D,)."""
        whole: dict[str, Any] = {}
        for key, p in self._of.items():
            value = jnp.broadcast_to(parts[key], self.program.noise_shapes[key])
            value, shape = jnp.transpose(value, tuple(np.argsort(p.order).tolist())), self.shapes[p.variable]
            if value.shape == shape and not any(isinstance(i, int) for i in p.part):
                whole[p.variable] = value
            else:
                part = (*p.part, *(slice(None),) * (len(shape) - len(p.part)))
                whole[p.variable] = put(whole.get(p.variable, jnp.zeros(shape, value.dtype)), part, value)
        return jnp.concatenate([jnp.reshape(whole[name], -1) for name in self.names])


def _changes(node: g.RandomNode) -> bool:
    """Whether noise of one draw may have another shape than its value."""
    return isinstance(node.support, g.Structured) and node.support.name not in ("ordered", "positive_ordered", "real_vector")
