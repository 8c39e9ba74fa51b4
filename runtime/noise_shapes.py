"""The shape of a node's noise, and whether it goes through the prior's own map."""

from __future__ import annotations

from collections.abc import Mapping

from emfppl.compiler import graph as g
from emfppl.compiler.distributions import Table
from emfppl.compiler.expressions import Axis
from emfppl.runtime.bijections.node_map import is_exact, noise_event_shape
from emfppl.runtime.execute import ranges_of


def noise_shape(node: g.RandomNode, sizes: Mapping[str, int], gap: int | None) -> tuple[int, ...]:
    """The shape of the noise over the node's domain, or over its `gap` latent entries."""
    batch = [max(b - a, 0) for a, b in ranges_of(node, sizes).values()] if gap is None else [gap]
    support = node.support.name if isinstance(node.support, g.Structured) else "interval"
    return (*batch, *noise_event_shape(node.dist.name, support, tuple(a.length.evaluate(sizes) for a in _event(node))))


def has_exact_map(node: g.RandomNode, table: Table) -> bool:
    """Whether normal noise gives exactly the node's law."""
    return is_exact(node.dist, node.support, node.narrowed, table, tuple(a.label for a in _event(node)))


def _event(node: g.RandomNode) -> list[Axis]:
    rank = g.event_rank(node.dist, node.support)
    return [i.axis for i in node.target.indices[len(node.target.indices) - rank :]]  # type: ignore[union-attr]
