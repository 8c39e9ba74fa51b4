"""Whether a density is smooth in some variables. Kinks and steps, of functions and of laws, are where it need not be: what a smooth
density is on some stretch it is everywhere, but what one with a step is cannot be told from a few points.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from emfppl.compiler.affine import FREE, Degrees, degree, degrees
from emfppl.compiler.expressions import Apply, ArrayCall, Expr, Let, Reduce, children
from emfppl.compiler.graph import ComputedNode, Dist, FactorNode, Graph, Node, node_exprs, support_exprs

KINKED = frozenset((
    "<", "<=", ">", ">=", "==", "!=", "//", "%", "abs", "sign", "minimum", "maximum", "clip", "floor", "ceil", "round", "int",
    "isnan", "min", "max", "argmin", "argmax", "any", "all", "bspline", "ispline",
))  # fmt: skip
LAWS = ("Laplace", "AsymmetricLaplace")  # with a kink at their location


def is_smooth(graph: Graph, names: Collection[str]) -> bool:
    """Whether factors and observations, and what these are computed from, have no kink or step in the variables `names`, and no
    observation a range that depends on them."""
    own = degrees(graph.nodes, names)
    return not any(_is_kinked(node, own) for node in graph.nodes if _counts(graph, node))


def _counts(graph: Graph, node: Node) -> bool:
    return isinstance(node, FactorNode) or node.target.name not in graph.barren


def _is_kinked(node: Node, own: Degrees) -> bool:
    if any(_has_kink(e, own) for e in node_exprs(node)):
        return True
    if isinstance(node, ComputedNode | FactorNode):
        return False
    ranges = (degree(e, own) != FREE for e in support_exprs(node.support))
    return any(ranges) or any(degree(e, own) != FREE for e in _locations(node.dist))


def _has_kink(expr: Expr, own: Degrees) -> bool:
    if isinstance(expr, Let):
        local, found = dict(own), False
        for name, value in expr.bindings:
            found, local[name] = found or _has_kink(value, local), degree(value, local)
        return found or _has_kink(expr.body, local)
    if isinstance(expr, Apply | Reduce | ArrayCall) and expr.op in KINKED and any(degree(c, own) for c in children(expr)):
        return True
    return any(_has_kink(c, own) for c in children(expr))


def _locations(dist: Dist) -> Iterator[Expr]:
    """Where a law has a kink, and the laws in it."""
    for name, value in dist.args:
        if isinstance(value, Dist):
            yield from _locations(value)
        elif dist.name in LAWS and name == "loc":
            yield value
