"""Discrete latents that observations depend on: which of them are summed out together, and by which statements.

The nodes stay as they are, in generative order, for whoever simulates or draws the graph. What changes is the density: the
statements of a `Marginal` no longer count by themselves; their sum over all values of its variables does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from emfppl.compiler.expressions import At, Index, Kind
from emfppl.compiler.graph import ComputedNode, FactorNode, Graph, Marginal, Node, RandomNode, Role
from emfppl.compiler.references import names_read, node_refs


def eliminate_discrete(graph: Graph) -> Graph:
    """The graph with its marginals."""
    return replace(graph, marginals=marginals(graph, hidden(graph)))


def hidden(graph: Graph) -> frozenset[str]:
    """The discrete variables with unknown values that matter: latents with an observation or a factor below, and observed data
    that may have missing entries and that other statements read."""
    read = frozenset(name for node in graph.nodes for name in names_read(node))
    return frozenset(
        v.name
        for v in graph.variables
        if v.kind is not Kind.REAL
        and (
            (v.role is Role.LATENT and v.name not in graph.barren)
            or (v.role is Role.OBSERVED and v.optional and v.name in read)
        )
    )


def marginals(graph: Graph, names: frozenset[str]) -> tuple[Marginal, ...]:
    """The groups that these variables fall into."""
    involved = {n: part for n, part in enumerate(involvement(graph, names)) if part}
    order = [v.name for v in graph.variables if v.name in names]
    out = []
    for group in _groups(order, list(involved.values())):
        nodes = tuple(n for n, part in involved.items() if part & group)
        members = tuple(name for name in order if name in group)
        out.append(Marginal(members, nodes, tuple(_chain(graph, nodes, name) for name in members)))
    return tuple(out)


def involvement(graph: Graph, names: frozenset[str]) -> list[frozenset[str]]:
    """For each node those of the variables that it draws or depends on; none for nodes that nothing observed depends on."""
    above = above_computed(graph, names)
    out = []
    for node in graph.nodes:
        own = frozenset() if isinstance(node, FactorNode) else {node.target.name} & names
        idle = not isinstance(node, FactorNode) and node.target.name in graph.barren
        out.append(frozenset() if idle else frozenset(own | depends_on(node, names, above)))
    return out


def depends_on(node: Node, names: frozenset[str], above: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The variables of `names` that a node reads, itself or through computed ones."""
    read = names_read(node)
    return (read & names).union(*(above.get(name, frozenset()) for name in read))


def above_computed(graph: Graph, names: frozenset[str]) -> dict[str, frozenset[str]]:
    """For each computed variable those of `names` that it is computed from."""
    above: dict[str, frozenset[str]] = {}
    changed = True
    while changed:
        before = dict(above)
        for node in graph.nodes:
            if isinstance(node, ComputedNode):
                name = node.target.name
                above[name] = above.get(name, frozenset()) | depends_on(node, names, above)
        changed = before != above
    return above


def _groups(order: list[str], together: list[frozenset[str]]) -> list[frozenset[str]]:
    """The names in groups, such that names that stand together in some statement are in one."""
    groups = [frozenset({name}) for name in order]
    for part in together:
        touched = [g for g in groups if g & part]
        rest = [g for g in groups if not g & part]
        groups = [*rest, frozenset().union(*touched)]
    return sorted(groups, key=lambda g: min(order.index(name) for name in g))


# ---------------------------------------------------------------- chains


def _chain(graph: Graph, nodes: tuple[int, ...], name: str) -> str | None:
    """The dim along which neighbouring elements of a variable meet in some statement."""
    for n in nodes:
        node = graph.nodes[n]
        places = {r.indices for r in node_refs(node) if r.name == name}
        if isinstance(node, RandomNode) and node.target.name == name:
            places.add(node.target.indices)
        for dim in _moving(places, node):
            return dim
    return None


def _moving(places: set[tuple[Index, ...]], node: Node) -> Iterator[str]:
    """The dims of loops in which elements at two positions, `t` and `t - 1`, are read together."""
    axes = {a.label: a.dim for a in node.domain}
    for one in places:
        for other in places:
            for i, j in zip(one, other, strict=True):
                if isinstance(i, At) and isinstance(j, At) and i.loop and i.loop == j.loop and i != j:
                    yield axes[i.loop]


