"""Draws of one node: NumPyro's sampler where it has one, else the map of standard normal noise."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.runtime.bijections import multinomial
from emfppl.runtime.bijections.censored import recorded
from emfppl.runtime.bijections.counts import by_inversion
from emfppl.runtime.bijections.laws_by_name import arguments, is_discrete, native, row_of

if TYPE_CHECKING:
    from emfppl.runtime.bijections.node_map import NodeMap


class NoDraws(EmfError, NotImplementedError):
    """E1191, also as NumPyro expects it: where its automatic guides look for a start at the prior's median, they take another."""


def draw(node: NodeMap, key: jax.Array, sample_shape: tuple[int, ...] = ()) -> jax.Array:
    """Draws (sample_shape + batch_shape + event_shape)."""
    row = row_of(node.dist, node.table)
    shape = (*sample_shape, *node.batch_shape, *node.event_shape)
    if node.dist.name in ("censored", "rounded"):
        args = arguments(node.dist, node.table)
        whole = is_discrete(node.dist, node.table)
        return recorded(node.dist.name, args, draw(replace(node, dist=args["base"]), key, sample_shape), whole)
    if not node.narrowed and row.event_rank == len(node.event_shape):
        if row.sample is not None:
            return row.sample(key, shape[: len(shape) - row.event_rank], **arguments(node.dist, node.table))
        law = native(node.dist, node.batch_shape, node.event_shape, node.table)
        if law is not None:
            return law.sample(key, sample_shape)
    if node.dist.name in multinomial.NAMES:
        return multinomial.draw(node.dist.name, arguments(node.dist, node.table), key, shape)
    if is_discrete(node.dist, node.table) and node.counts.tails is not None:
        return by_inversion(node.counts, key, shape)
    if not node.exact:
        raise _no_sampler(node.dist.name, row.log_prob is not None, row.written)
    noise = jax.random.normal(key, (*sample_shape, *node.batch_shape, *node.noise_event_shape))
    return jnp.asarray(node.event_map.forward(noise)[0])


def _no_sampler(name: str, registered: bool, written: bool) -> NoDraws:
    if written:
        message = f"`{name}`, a distribution of whole numbers that the program defines, can't be drawn from."
        hint = "its density serves for data; for draws use a distribution of the language"
        return NoDraws([Diagnostic("E1191", message, hint=hint)])
    if registered:
        message = f"`{name}` was registered without a way to draw from it."
        return NoDraws([Diagnostic("E1191", message, hint="give it a quantile, a cdf or a sample function")])
    message = f"`{name}` has no draws here: its density over these values is not that of a probability."
    hint = "give it a proper prior" if name == "Flat" else "give all elements of the vector the same arguments"
    return NoDraws([Diagnostic("E1191", message, hint=hint)])
