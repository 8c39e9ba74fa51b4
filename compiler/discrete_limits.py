"""What can't be summed out, though the values of the discrete variables can be listed."""

from __future__ import annotations

from collections.abc import Iterator

from emfppl.compiler.graph import ComputedNode, Graph, Integers, Marginal, RandomNode, Role, event_rank, support_exprs
from emfppl.compiler.passes.eliminate_discrete import above_computed
from emfppl.compiler.passes.recurrences import fission
from emfppl.compiler.references import variable_refs
from emfppl.grammar.diagnostics import Diagnostic


def discrete_limits(graph: Graph) -> Iterator[Diagnostic]:
    """An E0801 for every statement that stands in the way of a sum."""
    for marginal in graph.marginals:
        yield from _running(graph, marginal)
        for n in marginal.nodes:
            node = graph.nodes[n]
            if isinstance(node, RandomNode) and isinstance(node.support, Integers) and event_rank(node.dist, node.support):
                message = f"`{node.target.name}` is drawn several whole numbers at a time, which can't be summed out."
                yield _told(graph, node, message, "draw its elements one by one, or make it data")
            elif isinstance(node, RandomNode) and not node.observed and not isinstance(node.support, Integers):
                yield from _bounds(graph, marginal, node)


def _running(graph: Graph, marginal: Marginal) -> Iterator[Diagnostic]:
    """Computed variables each round of which needs the rounds before: they depend on whole paths."""
    known = frozenset(v.name for v in graph.of_role(Role.LATENT, Role.OBSERVED))
    above = above_computed(graph, frozenset(marginal.names))
    for node in fission(tuple(graph.nodes[n] for n in marginal.nodes), known):
        if isinstance(node, ComputedNode) and any(a.carried for a in node.domain):
            of = next(n for n in marginal.names if n in above[node.target.name])
            name = node.target.name.split("@")[0]
            message = f"`{name}` depends on all earlier values of `{of}`, whose paths are too many to be summed over."
            yield _told(graph, node, message, f"let it depend on the last few values of {of} only, or make it a discrete chain")


def _bounds(graph: Graph, marginal: Marginal, node: RandomNode) -> Iterator[Diagnostic]:
    """Continuous latents whose support changes with the discrete ones."""
    above = above_computed(graph, frozenset(marginal.names))
    for bound in support_exprs(node.support):
        for ref in variable_refs(bound):
            if ref.name in marginal.names or above.get(ref.name):
                message = f"The bounds of `{node.target.name}` depend on `{ref.name}`, which is summed out."
                hint = "let the distribution depend on it, and the bounds on constants, data or continuous latents"
                yield _told(graph, node, message, hint)
                return


def _told(graph: Graph, node: RandomNode | ComputedNode, message: str, hint: str) -> Diagnostic:
    return Diagnostic("E0801", message, node.span, hint, graph.source)
