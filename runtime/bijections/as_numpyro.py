"""A node as a NumPyro distribution: NumPyro's own where there is one, else one that wraps the node's map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from numpyro.distributions import constraints

from emfppl.compiler.distributions import Table
from emfppl.runtime.bijections.laws_by_name import native, row_of
from emfppl.runtime.bijections.sampling import draw
from emfppl.runtime.bijections.unconstrain import CONSTRAINTS
from emfppl.runtime.bijections.values import DistValue, SupportValue

if TYPE_CHECKING:
    from emfppl.runtime.bijections.node_map import NodeMap


def as_numpyro(node: NodeMap) -> dist.Distribution:
    """A NumPyro distribution with the node's law, support and shapes."""
    if node.dist.name == "Flat":
        return dist.ImproperUniform(constraint_of(node.support), node.batch_shape, node.event_shape)
    if not node.narrowed and row_of(node.dist, node.table).event_rank == len(node.event_shape):
        law = native(node.dist, node.batch_shape, node.event_shape, node.table)
        if law is not None:
            return law
    return OfNode(node.dist, node.support, node.narrowed, node.batch_shape, node.event_shape, node.table)


def constraint_of(support: SupportValue) -> constraints.Constraint:
    """The support as NumPyro's constraint."""
    lower, upper = support.lower, support.upper
    if support.name == "integers":
        return constraints.integer if lower is None else constraints.integer_greater_than(lower - 1)
    if support.name != "interval":
        return CONSTRAINTS[support.name]
    if lower is not None and upper is not None:
        return constraints.interval(lower, upper)
    if lower is not None:
        return constraints.greater_than(lower)
    return constraints.real if upper is None else constraints.less_than(upper)


class OfNode(dist.Distribution):
    """The law of a node that NumPyro has no distribution for."""

    pytree_data_fields = ("value", "where")
    pytree_aux_fields = ("narrowed", "table")

    def __init__(
        self, value: DistValue, where: SupportValue, narrowed: bool, batch: tuple[int, ...], event: tuple[int, ...], table: Table
    ):
        self.value, self.where, self.narrowed, self.table = value, where, narrowed, table
        super().__init__(batch_shape=batch, event_shape=event, validate_args=False)

    @property
    def node(self) -> NodeMap:
        from emfppl.runtime.bijections.node_map import node_map

        return node_map(self.value, self.where, self.narrowed, self.batch_shape, self.event_shape, self.table)

    @constraints.dependent_property
    def support(self) -> constraints.Constraint:
        return constraint_of(self.where)

    def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> jax.Array:
        return draw(self.node, key, sample_shape)

    def log_prob(self, value: Any) -> jax.Array:
        return jnp.asarray(self.node.event_map.log_prob(value))
