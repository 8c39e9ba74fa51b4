"""Recurrences: which rounds of a loop need earlier ones, and in which loops the rest may be done all at
once.

Loop distribution (Allen and Kennedy 1987). For each carried loop, outermost first: the statements and their
dependences are a graph; a strongly connected component in which no dependence crosses rounds of the loop
becomes independent of it, one in which some do stays carried, in a scan of its own. Components come in
topological order, those that may come in any order as in the source.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from heapq import heapify, heappop, heappush
from itertools import count, groupby
from typing import TypeVar

from emfppl.compiler.affine import mark_affine
from emfppl.compiler.dependences import Dependence, carried_axes, dependences
from emfppl.compiler.graph import Graph, Node

Place = TypeVar("Place", bound=Hashable)


def recurrences(graph: Graph) -> Graph:
    """Every loop independent where it can be; carried scans split as far as they can be, the affine ones
    marked."""
    return replace(graph, nodes=fission(graph.nodes))


def fission(nodes: tuple[Node, ...], known: frozenset[str] = frozenset()) -> tuple[Node, ...]:
    """Nodes with each carried axis made independent where no dependence needs it.

    The values of the variables in `known` are there beforehand: reading them is no dependence. Applied
    again, with the same or more variables known, it splits further or changes nothing.
    """
    numbers = count(1)
    out: list[Node] = []
    for block, run in groupby(nodes, _outermost):
        together = list(run)
        out += together if block is None else _split(together, 0, known, numbers)
    return mark_affine(tuple(out), known)


def _outermost(node: Node) -> int | None:
    return next((axis.block for axis in node.domain if axis.carried), None)


def _split(nodes: list[Node], depth: int, known: frozenset[str], numbers: Iterator[int]) -> Iterator[Node]:
    """Nodes that share their first `depth` + 1 carried loops, distributed over the last of these and those
    inside."""
    label = carried_axes(nodes[0])[depth].label
    outer = {axis.label for axis in carried_axes(nodes[0])[:depth]}
    inside = [d for d in dependences(nodes, known) if d.axis not in outer]
    for part in components(len(nodes), inside):
        carried = any(d.axis == label and d.writer in part and d.reader in part for d in inside)
        block = next(numbers) if carried else None
        mine = [_with_block(nodes[n], label, block) for n in part]
        yield from _deeper(mine, depth + carried, known, numbers)


def _deeper(nodes: list[Node], depth: int, known: frozenset[str], numbers: Iterator[int]) -> Iterator[Node]:
    """Each run of nodes that share one more loop is distributed over it in its turn."""
    for block, run in groupby(nodes, lambda n: _block_at(n, depth)):
        together = list(run)
        yield from together if block is None else _split(together, depth, known, numbers)


def _block_at(node: Node, depth: int) -> int | None:
    axes = carried_axes(node)
    return axes[depth].block if depth < len(axes) else None


def _with_block(node: Node, label: str, block: int | None) -> Node:
    domain = tuple(replace(a, block=block, affine=False) if a.label == label else a for a in node.domain)
    return replace(node, domain=domain)


# ---------------------------------------------------------------- strongly connected components


def components(size: int, edges: Sequence[Dependence]) -> list[list[int]]:
    """The strongly connected components of nodes 0 … size − 1, each in source order, in topological order;
    of those that could come next the one with the earliest first node does."""
    after: dict[int, set[int]] = {n: set() for n in range(size)}
    for edge in edges:
        after[edge.writer].add(edge.reader)
    reached = [reachable(n, after) for n in range(size)]
    home = [min([n, *(m for m in reached[n] if n in reached[m])]) for n in range(size)]
    later = {h: {home[m] for n in range(size) if home[n] == h for m in after[n]} - {h} for h in set(home)}
    return [[n for n in range(size) if home[n] == h] for h in _topological(later)]


def reachable(start: Place, after: Mapping[Place, set[Place]]) -> set[Place]:
    """All that follows something, in one step or more."""
    seen: set[Place] = set()
    todo = [start]
    while todo:
        fresh = after[todo.pop()] - seen
        seen |= fresh
        todo += fresh
    return seen


def _topological(later: dict[int, set[int]]) -> Iterator[int]:
    waiting = {n: sum(n in them for them in later.values()) for n in later}
    ready = [n for n, needed in waiting.items() if not needed]
    heapify(ready)
    while ready:
        first = heappop(ready)
        yield first
        for n in later[first]:
            waiting[n] -= 1
            if not waiting[n]:
                heappush(ready, n)
