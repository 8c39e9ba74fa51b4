"""Barren variables: those with no observation or factor below. The guide leaves them out; they are drawn
forward when asked for."""

from __future__ import annotations

from dataclasses import replace

from emfppl.compiler.graph import FactorNode, Graph, RandomNode, Role
from emfppl.compiler.references import names_read


def barren(graph: Graph) -> Graph:
    """The graph with the names of its barren variables, latent and computed."""
    below = informed(graph)
    return replace(
        graph,
        barren=frozenset(v.name for v in graph.of_role(Role.LATENT, Role.COMPUTED) if v.name not in below),
    )


def informed(graph: Graph) -> set[str]:
    """The variables that some observation or factor depends on."""
    parents: dict[str, set[str]] = {}
    found: set[str] = set()
    for node in graph.nodes:
        if isinstance(node, FactorNode) or (isinstance(node, RandomNode) and node.observed):
            found |= names_read(node)
        else:
            parents.setdefault(node.target.name, set()).update(names_read(node))
    todo = list(found)
    while todo:
        fresh = parents.get(todo.pop(), set()) - found
        found |= fresh
        todo += fresh
    return found
