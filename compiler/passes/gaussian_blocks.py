"""Latents that are jointly Gaussian given the others: found by the degree of every location and scale in them.

A latent is *inner* if its law is a plain normal one (or flat on the whole line), with a location that is affine in inner latents
and a scale free of them. Where a law depends on a latent in another way that latent is *outer*, with all latents above it; where a
location is a product of two, the one that costs less is. The rest is inner: the largest set that these rules leave.

An observation of a plain normal law, or log-normal one, whose location is affine in inner latents is *exact*. All else that depends
on inner latents is a *term*, and its *predictors* are the largest affine expressions in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

from emfppl.compiler.affine import AFFINE, FREE, OTHER, degree, degrees
from emfppl.compiler.dependences import carried_axes
from emfppl.compiler.expressions import Axis, Expr, Kind, Ref, Type, Whole
from emfppl.compiler.graph import (
    REAL_LINE,
    ComputedNode,
    Dist,
    FactorNode,
    GaussianBlock,
    Graph,
    Interval,
    Node,
    RandomNode,
    Role,
    Structured,
    Support,
    node_exprs,
)
from emfppl.compiler.passes.affine_parts import affine_parts, products
from emfppl.compiler.references import names_read

LAWS = ("Normal", "MultivariateNormal", "Flat")
LOCATIONS = ("loc", "logits", "probs", "rate", "mean", "predictor")  # the arguments that say where the observations are


def gaussian_blocks(graph: Graph) -> Graph:
    """The graph with its Gaussian block."""
    return replace(graph, gaussian=gaussian_block(graph))


def gaussian_block(graph: Graph, imputed: frozenset[str] = frozenset()) -> GaussianBlock | None:
    """The Gaussian block of a graph where missing entries of the data `imputed` are latents too: outer ones."""
    search = _Search(graph, imputed)
    inner = search.closed(search.candidates)
    while inner:
        outer = {name for node in graph.nodes for name in search.misplaced(node, inner)}
        if not outer:
            return search.block(inner)
        inner = search.closed(inner - outer)
    return None


@dataclass(frozen=True)
class _Search:
    graph: Graph
    imputed: frozenset[str]

    @cached_property
    def latents(self) -> frozenset[str]:
        """The continuous latents of the guide."""
        found = {v.name for v in self.graph.of_role(Role.LATENT) if v.kind is Kind.REAL}
        return frozenset(found - self.graph.barren)

    @cached_property
    def summed(self) -> frozenset[int]:
        """The statements that have part in a sum over discrete variables."""
        return frozenset(n for m in self.graph.marginals for n in m.nodes)

    @property
    def candidates(self) -> frozenset[str]:
        """Latents of plain laws."""
        numbers = {id(node): n for n, node in enumerate(self.graph.nodes)}
        summed = {n for n in self.latents if any(numbers[id(d)] in self.summed for d in self.graph.defining(n))}
        return frozenset(n for n in self.latents - summed if all(is_plain(d) for d in self.graph.defining(n)))

    @cached_property
    def above(self) -> Mapping[str, frozenset[str]]:
        """The latents above every variable, itself among them if it is one."""
        found = {v.name: frozenset({v.name} & self.latents) for v in self.graph.variables}
        defined = {n.target.name: n for n in self.graph.nodes if not isinstance(n, FactorNode)}
        observed = {v.name for v in self.graph.of_role(Role.OBSERVED)} - self.imputed
        changed = True
        while changed:
            before = dict(found)
            for node in (n for name in defined if name not in observed for n in self.graph.defining(name)):
                found[node.target.name] = found[node.target.name].union(*(found[n] for n in names_read(node)))
            changed = found != before
        return found

    def closed(self, inner: frozenset[str]) -> frozenset[str]:
        """Without what stands above an outer latent or imputed data."""
        outer = (self.latents - inner) | self.imputed
        return inner.difference(*(self.above[n] for n in outer)) if outer else inner

    def below(self, node: Node, inner: frozenset[str]) -> frozenset[str]:
        """The inner latents that a node reads, itself or through computed variables."""
        return frozenset(self._read(names_read(node), inner))

    def _read(self, names: frozenset[str], inner: frozenset[str]) -> set[str]:
        found, todo = set(names), list(names)
        while todo:
            name = todo.pop()
            if self.graph.variable(name).role is Role.COMPUTED:
                fresh = frozenset().union(*(names_read(d) for d in self.graph.defining(name))) - found
                found |= fresh
                todo += fresh
        return found & inner

    @cached_property
    def _known(self) -> dict[frozenset[str], dict[str, int]]:
        return {}

    def degrees(self, inner: frozenset[str]) -> dict[str, int]:
        """The degree of every variable in inner latents."""
        if inner not in self._known:
            self._known[inner] = degrees(self.graph.nodes, inner)
        return self._known[inner]

    # ------------------------------------------------------------ what can't be inner

    def misplaced(self, node: Node, inner: frozenset[str]) -> set[str]:
        """Inner latents that must be outer, or had better be, for the sake of a node."""
        near = self.below(node, inner)
        if not near or isinstance(node, ComputedNode):
            return set()
        if isinstance(node, RandomNode) and node.target.name in inner:
            return {n for name, e in arguments(node) for n in self._against(e, AFFINE if name == "loc" else FREE, near)}
        if isinstance(node, FactorNode) or not node.observed or node.target.name in self.imputed:
            return self._of_products(node, near)
        return self._of_observation(node, near)

    def _against(self, expr: Expr, limit: int, near: frozenset[str]) -> set[str]:
        """What to take out of `near` for the degree of an expression to keep to a limit."""
        alone = {v for v in near if degree(expr, self.degrees(frozenset({v}))) > limit}
        if alone or degree(expr, self.degrees(near)) <= limit:
            return alone
        pairs = [p for p in combinations(sorted(near), 2) if degree(expr, self.degrees(frozenset(p))) > limit]
        return {min(pair, key=self._cost) for pair in pairs} or set(near)

    def _cost(self, name: str) -> tuple:
        """What it costs to have a latent among the outer ones: the latents that come with it, and its dims."""
        position = [v.name for v in self.graph.variables].index(name)
        return len(self.above[name]), self._carried(name), len(self._dims(name)), position

    def _carried(self, name: str) -> bool:
        return any(carried_axes(node) for node in self.graph.defining(name))

    def _of_observation(self, node: RandomNode, near: frozenset[str]) -> set[str]:
        """A scale that observations share is worth having among the outer latents, so that these may be exact; so is a number that
        their location is not affine in. Scales that form a series, or that are one an observation, are not."""
        dims = self.graph.variable(node.target.name).dims
        found = set() if is_plain_observation(node) else self._of_products(node, near)
        for name, expr in arguments(node):
            if name not in LOCATIONS:
                against = self._against(expr, FREE, near)
                found |= {v for v in against if not (self._carried(v) or (dims and set(self._dims(v)) == set(dims)))}
            elif is_plain_observation(node):
                alone = {v for v in near if degree(expr, self.degrees(frozenset({v}))) > AFFINE}
                found |= {v for v in alone if not self._dims(v)} if alone else self._against(expr, AFFINE, near)
        return found

    def _dims(self, name: str) -> tuple[str, ...]:
        return self.graph.variable(name).dims

    def _of_products(self, node: Node, near: frozenset[str]) -> set[str]:
        """Of two inner latents that are multiplied one is outer."""
        own = self.degrees(near)
        exprs = [e for n in (node, *self._computed_above(node)) for e in node_exprs(n)]
        found = (self._against(p, AFFINE, near) for e in exprs for p in products(e, own) if self._bilinear(p, near))
        return set().union(*found)

    def _bilinear(self, expr: Expr, near: frozenset[str]) -> bool:
        """Whether a product is affine in each latent by itself."""
        return all(degree(expr, self.degrees(frozenset({v}))) <= AFFINE for v in near)

    def _computed_above(self, node: Node) -> Iterator[ComputedNode]:
        """The computed variables that a node reads, itself or through others."""
        seen, todo = set(), list(names_read(node))
        while todo:
            name = todo.pop()
            if name not in seen and self.graph.variable(name).role is Role.COMPUTED:
                nodes = [d for d in self.graph.defining(name) if isinstance(d, ComputedNode)]
                yield from nodes
                todo += [r for d in nodes for r in names_read(d)]
            seen.add(name)

    # ------------------------------------------------------------ the block

    def block(self, inner: frozenset[str]) -> GaussianBlock:
        """The block of these inner latents."""
        own = self.degrees(inner)
        exact: list[int] = []
        terms: list[int] = []
        for n, node in enumerate(self.graph.nodes):
            if self._counts(n, node) and self.below(node, inner):
                exacting = n not in self.summed and self._exact(node, own)
                (exact if exacting else terms).append(n)
        order = [v.name for v in self.graph.variables if v.name in self.latents]
        kept, others = tuple(n for n in order if n in inner), tuple(n for n in order if n not in inner)
        return GaussianBlock(kept, others, tuple(exact), tuple(terms), tuple(self._predictors(terms, inner, own)))

    def _counts(self, n: int, node: Node) -> bool:
        """Whether a node is an observation or a factor, or draws a discrete variable that is summed out."""
        if isinstance(node, FactorNode):
            return True
        return isinstance(node, RandomNode) and (n in self.summed or (node.observed and node.target.name not in self.imputed))

    def _exact(self, node: Node, own: Mapping[str, int]) -> bool:
        if not isinstance(node, RandomNode) or not is_plain_observation(node):
            return False
        return all(degree(e, own) <= (AFFINE if name == "loc" else FREE) for name, e in arguments(node))

    def _predictors(self, terms: list[int], inner: frozenset[str], own: Mapping[str, int]) -> Iterator[tuple[int, Expr]]:
        """The affine parts of each term, then of the computed variables on the way; of a sum over discrete variables the latents
        themselves."""
        numbers = {id(node): n for n, node in enumerate(self.graph.nodes)}
        through: dict[int, None] = {}
        for n in terms:
            node = self.graph.nodes[n]
            if n in self.summed:
                yield from ((n, self._whole(name)) for name in sorted(self.below(node, inner)))
                continue
            through[n] = None
            through |= {numbers[id(c)]: None for c in self._computed_above(node) if own.get(c.target.name) == OTHER}
        for n in through:
            parts = [p for e in node_exprs(self.graph.nodes[n]) for p in affine_parts(e, own)]
            yield from ((n, p) for p in dict.fromkeys(parts))

    def _whole(self, name: str) -> Ref:
        """All of a variable."""
        dims = self.graph.variable(name).dims
        axes = tuple(Axis.whole(d) for d in dims)
        return Ref(name, tuple(map(Whole, axes)), Type(Kind.REAL, axes))


def arguments(node: RandomNode) -> Iterator[tuple[str, Expr]]:
    """The arguments of a node by name; those of a distribution inside another by their own names."""
    return _arguments(node.dist)


def _arguments(dist: Dist) -> Iterator[tuple[str, Expr]]:
    for name, value in dist.args:
        if isinstance(value, Dist):
            yield from _arguments(value)
        else:
            yield name, value


def is_plain(node: Node) -> bool:
    """Whether a node's law is normal, or flat, on the whole line or space."""
    if not isinstance(node, RandomNode) or node.dist.name not in LAWS or node.narrowed:
        return False
    whole: Support = Structured("real_vector") if node.dist.name == "MultivariateNormal" else REAL_LINE
    return node.support == whole


def is_plain_observation(node: Node) -> bool:
    """Whether a node's law is a plain one, or its logarithm's is."""
    if isinstance(node, RandomNode) and node.dist.name == "LogNormal":
        return not node.narrowed and isinstance(node.support, Interval)
    return is_plain(node)
