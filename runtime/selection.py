"""Which nodes of a graph a program runs for what, and the keys that nodes go by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from emfppl.compiler import graph as g
from emfppl.compiler.expressions import At, Kind, Let, Ref, Whole, walk
from emfppl.compiler.graph import Role
from emfppl.compiler.passes.eliminate_discrete import marginals
from emfppl.compiler.sizes import Size


def names_read(node: g.Node) -> set[str]:
    """The variables and local names that a node refers to."""
    return {e.name for expr in g.node_exprs(node) for e in walk(expr) if isinstance(e, Ref)}


def _bound(node: g.Node) -> set[str]:
    """The local names that a node's expressions bind."""
    lets = (e for expr in g.node_exprs(node) for e in walk(expr) if isinstance(e, Let))
    return {name for let in lets for name, _ in let.bindings}


def node_key(node: g.Node) -> str:
    """The part of its variable that a node defines: ``x``, ``x[0]``, ``x[1:]``, ``x[:, 0]``, ``x[2*i+1]``."""
    assert not isinstance(node, g.FactorNode)
    ranges = {a.label: a for a in node.domain}
    texts = [_index_text(i, ranges) for i in node.target.indices]
    return node.target.name + ("" if all(t == ":" for t in texts) else f"[{', '.join(texts)}]")


def _index_text(index: At | Whole, ranges: dict[str, g.DomainAxis]) -> str:
    if isinstance(index, Whole):
        return ":"
    if index.loop is None:
        return str(index.offset)
    axis = ranges[index.loop]
    if index.scale != 1:
        return f"{index.scale}*{index.loop}" + (f"+{index.offset}" if index.offset != Size() else "")
    lower, upper = axis.lower + index.offset, axis.upper + index.offset
    left, right = ("" if lower.value == 0 else str(lower)), ("" if upper == Size.of(axis.dim) else str(upper))
    return f"{left}:{right}"


@dataclass(frozen=True)
class Selection:
    """The variables of a graph by their part in inference; `absent` are observed ones without data, `gappy` ones with missing
    entries that are no latents."""

    graph: g.Graph
    absent: frozenset[str] = frozenset()
    gappy: frozenset[str] = frozenset()

    @cached_property
    def keyed(self) -> tuple[tuple[str, g.Node], ...]:
        """All nodes with their keys: the name of the variable if the node defines all of it alone, else of its part."""
        out: list[tuple[str, g.Node]] = []
        for n, node in enumerate(self.graph.nodes):
            if isinstance(node, g.FactorNode):
                key = f"factor {n}"
            else:
                alone = len(self.graph.defining(node.target.name)) == 1
                key = node.target.name if alone else node_key(node)
            out.append((key if key not in dict(out) else f"{key} #{n}", node))
        return tuple(out)

    def marginals(self, missing: frozenset[str]) -> tuple[g.Marginal, ...]:
        """The discrete variables to be summed out, with the statements that have part in that; of observed ones those with
        `missing` entries."""
        names = frozenset(n for m in self.graph.marginals for n in m.names)
        needed = frozenset(n for n in names if n not in self._observed() or n in missing)
        return self.graph.marginals if needed == names else marginals(self.graph, needed)

    @cached_property
    def fixed(self) -> frozenset[str]:
        """Computed variables that depend on data and params only."""
        return self._computed() - self._below(self._latents() | self._observed())

    @cached_property
    def guided(self) -> frozenset[str]:
        """Latents that have noise of their own in the guide."""
        latents = {v.name for v in self.graph.of_role(Role.LATENT) if v.kind is Kind.REAL}
        return frozenset(latents - self.graph.barren)

    @cached_property
    def followed(self) -> frozenset[str]:
        """Computed variables that follow from the guide's latents (and observed data), and from nothing drawn later."""
        return self._following(self.guided)

    def _following(self, given: frozenset[str]) -> frozenset[str]:
        """Computed variables that need no latents but these, and no data that are absent or have yet to be drawn."""
        undrawn = self._below(self.gappy) & self.graph.barren  # what informs anything reads no such entry
        return self._computed() - self.fixed - self._below((self._latents() - given) | self.absent) - undrawn

    def in_density(self, node: g.Node, given: frozenset[str], data: frozenset[str]) -> bool:
        """Whether a node counts, or is needed, in the density of the latents `given` and the data."""
        if isinstance(node, g.FactorNode):
            return True
        name, computed = node.target.name, self._following(given)
        if isinstance(node, g.RandomNode) and node.observed:
            return name in data
        if isinstance(node, g.ComputedNode):
            return name in computed
        return name in given and not names_read(node) & (self._latents() | self._computed()) - given - computed - self.fixed

    @cached_property
    def discrete(self) -> frozenset[str]:
        """Discrete latents, and what is computed from them."""
        latents = frozenset(v.name for v in self.graph.of_role(Role.LATENT) if v.kind is not Kind.REAL)
        return latents | self._below(latents)

    @cached_property
    def reported(self) -> frozenset[str]:
        """What a draw of the guide holds: its latents, and what is computed from any of them."""
        local = {v.name for v in self.graph.variables if v.local}
        return self.guided | ((self.followed & self._below(self._latents())) - local)

    @cached_property
    def simulated(self) -> frozenset[str]:
        """What a simulation holds: everything random, and what is computed from it."""
        local = {v.name for v in self.graph.variables if v.local}
        return (self._latents() | self._observed() | self._computed()) - self.fixed - local

    def computed_from(self, known: set[str]) -> list[tuple[str, g.Node]]:
        """The nodes of the fixed variables that need nothing but `known` and each other, in order."""
        nodes = [(key, n) for key, n in self.keyed if isinstance(n, g.ComputedNode) and n.target.name in self.fixed]
        names = {n.target.name for _, n in nodes}
        before: set[str] = set()
        while names != before:  # a variable falls out with any of its pieces
            before = names
            names = before - {n.target.name for _, n in nodes if not names_read(n) - _bound(n) <= known | before}
        return [(key, n) for key, n in nodes if n.target.name in names]

    def _latents(self) -> frozenset[str]:
        return frozenset(v.name for v in self.graph.of_role(Role.LATENT))

    def _observed(self) -> frozenset[str]:
        return frozenset(v.name for v in self.graph.of_role(Role.OBSERVED))

    def _computed(self) -> frozenset[str]:
        return frozenset(v.name for v in self.graph.of_role(Role.COMPUTED))

    def _below(self, names: frozenset[str]) -> frozenset[str]:
        """The computed variables that depend on any of these."""
        found: set[str] = set()
        changed = True
        while changed:
            more = {
                n.target.name
                for n in self.graph.nodes
                if isinstance(n, g.ComputedNode) and names_read(n) & (names | found)
            }
            changed = not more <= found
            found |= more
        return frozenset(found)


def read_early(items: list[tuple[str, g.Node]], graph: g.Graph) -> frozenset[str]:
    """The observed variables that a node reads before all of their own nodes have run, other than in one scan with them."""
    last: dict[str, int] = {}
    for n, (_, node) in enumerate(items):
        if isinstance(node, g.RandomNode) and node.observed:
            last[node.target.name] = n
    return frozenset(
        name
        for n, (_, node) in enumerate(items)
        for name in names_read(node) & set(last)
        if n <= last[name] and not _together(node, items[last[name]][1])
    )


def _together(one: g.Node, other: g.Node) -> bool:
    """Whether two nodes are carried in the same scan."""
    return bool({a.block for a in one.domain if a.carried} & {a.block for a in other.domain if a.carried})
