"""Terms of nodes, laid out as the entries of their variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from emfppl.compiler import graph as g
from emfppl.runtime.evaluate import Scope
from emfppl.runtime.execute import place_of, ranges_of
from emfppl.runtime.named import Named, filled

if TYPE_CHECKING:
    from emfppl.runtime.program import Program


def lay_out(program: Program, out: dict[str, Any], node: g.RandomNode, term: Any) -> None:
    """Put the terms of a node into an array over the batch dims of its variable; nan where the entry is missing."""
    name, rank = node.target.name, g.event_rank(node.dist, node.support)
    shape = program.shapes[name][: len(program.shapes[name]) - rank]
    target = g.Target(name, node.target.indices[: len(node.target.indices) - rank])
    scope = Scope(program.layout.sizes, ranges_of(node, program.layout.sizes), {})
    labels = tuple(i.loop for i in target.indices if i.loop is not None)  # type: ignore[union-attr]
    mask = program.binding.missing.get(name)
    term = filled(Named(term, tuple(scope.loops)), labels, [np.subtract(*scope.loops[n][::-1]) for n in labels])
    full = out.get(name, jnp.full(shape, jnp.nan)).at[place_of(target, scope, shape)].set(term)
    if mask is not None:
        full = jnp.where(mask.any(axis=tuple(range(len(shape), mask.ndim))), jnp.nan, full)
    out[name] = full
