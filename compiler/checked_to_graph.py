"""From the checked program to the graph: every statement becomes one node, its loops and whole dims become
its domain.

All loops are marked carried here, each with a block number of its own, which is always right; the passes find
out which of them are independent.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from emfppl.compiler.checked_nodes import (
    CheckedAssign,
    CheckedDensity,
    CheckedFactor,
    CheckedFor,
    CheckedProgram,
    CheckedRandom,
    CheckedStatement,
)
from emfppl.compiler.expressions import At, Whole
from emfppl.compiler.graph import (
    ComputedNode,
    DensitySpec,
    DomainAxis,
    FactorNode,
    Graph,
    LayerSpec,
    Node,
    RandomNode,
    Target,
    event_rank,
)
from emfppl.compiler.sizes import Size

Domain = tuple[DomainAxis, ...]


def build(checked: CheckedProgram) -> Graph:
    """The graph of a checked program, statement by statement in source order."""
    nodes = tuple(_nodes(checked.statements, (), count(1)))
    more = {"distributions": checked.distributions, "models": checked.models, "source": checked.source}
    densities = tuple(map(_density, checked.densities))
    return Graph(checked.dims, checked.variables, nodes, checked.guide, densities=densities, **more)  # type: ignore[arg-type]


def _density(d: CheckedDensity) -> DensitySpec:
    layers = tuple(LayerSpec(one.kind, one.options, build(one.model) if one.model else None, one.span) for one in d.layers)
    return DensitySpec(d.name, d.variables, d.given, layers, d.dims, d.data, d.span)


def _nodes(statements: tuple[CheckedStatement, ...], loops: Domain, numbers: Iterator[int]) -> Iterator[Node]:
    for s in statements:
        if isinstance(s, CheckedFor):
            loop = DomainAxis(s.label, s.dim, s.lower, s.upper, next(numbers))
            yield from _nodes(s.body, (*loops, loop), numbers)
        else:
            yield _node(s, loops)


def _node(s: CheckedRandom | CheckedAssign | CheckedFactor, loops: Domain) -> Node:
    match s:
        case CheckedRandom():
            target, batch = _spread(s.target, event_rank(s.dist, s.support))
            return RandomNode(target, (*loops, *batch), s.dist, s.support, s.narrowed, s.observed, s.span)
        case CheckedAssign():
            target, batch = _spread(s.target, 0)
            return ComputedNode(target, (*loops, *batch), s.value, s.span)
    return FactorNode(loops, s.value, s.span)


def _spread(target: Target, event: int) -> tuple[Target, Domain]:
    """The target with each whole batch dim as a position of a domain axis of its own, and these axes."""
    wholes = [i.axis for i in target.indices if isinstance(i, Whole)]
    batch = wholes[: len(wholes) - event]
    indices = tuple(At(i.axis.label, 1, Size()) if isinstance(i, Whole) and i.axis in batch else i for i in target.indices)
    return Target(target.name, indices), tuple(DomainAxis(a.label, a.dim, a.lower, a.upper) for a in batch)
