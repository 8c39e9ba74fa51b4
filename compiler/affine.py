"""Which scans are affine: every round an affine function of the rounds before and of the noise.

``x[t] ~ Normal(a * x[t-1] + b, s)`` is ``x[t] = a x[t-1] + b + s u[t]``: compositions of affine maps are
affine, so such a scan can be done as a parallel one. Required of every statement of the scan: a draw from a
location-scale family on the whole real line whose location, or a computed value that, is affine in the
scan's own variables, everything else being free of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from emfppl.compiler.dependences import carried_axes
from emfppl.compiler.distributions import STANDARD
from emfppl.compiler.expressions import Apply, ArrayCall, Expr, Let, MatMul, Reduce, Ref, Relabel, Stack, children
from emfppl.compiler.graph import (
    ComputedNode,
    Dist,
    DomainAxis,
    FactorNode,
    Graph,
    Interval,
    Node,
    RandomNode,
    dist_exprs,
)

FREE, AFFINE, OTHER = 0, 1, 2
Degrees = Mapping[str, int]
LINEAR_ARRAYS = ("diag", "diagonal", "trace", "transpose", "add_diag")


def classify(nodes: tuple[Node, ...], known: frozenset[str] = frozenset()) -> dict[int, str]:
    """For each block ``"affine"`` or ``"general"``. Reading a variable in `known` carries nothing."""
    scans: dict[int, list[tuple[Node, bool]]] = {}
    for node in nodes:
        axes = carried_axes(node)
        for axis in axes:
            assert axis.block is not None
            scans.setdefault(axis.block, []).append((node, axis is axes[-1]))
    return {b: "affine" if _scan_is_affine(scan, known) else "general" for b, scan in scans.items()}


def mark_affine(nodes: tuple[Node, ...], known: frozenset[str]) -> tuple[Node, ...]:
    """The nodes with `affine` set on the axes of affine scans and on no other."""
    kinds = classify(nodes, known)

    def marked(axis: DomainAxis) -> DomainAxis:
        return replace(axis, affine=axis.block is not None and kinds[axis.block] == "affine")

    return tuple(replace(n, domain=tuple(marked(a) for a in n.domain)) for n in nodes)


def has_bent_loop(graph: Graph) -> bool:
    """Whether latents are drawn in a loop in which a round is no affine function of those before."""
    away = graph.barren | graph.summed_out
    latents = (n for n in graph.nodes if isinstance(n, RandomNode) and not n.observed and n.target.name not in away)
    return any(axis.carried and not axis.affine for node in latents for axis in node.domain)


def _scan_is_affine(scan: list[tuple[Node, bool]], known: frozenset[str]) -> bool:
    own = {n.target.name: AFFINE for n, _ in scan if not isinstance(n, FactorNode) and n.target.name not in known}
    return all(innermost and _is_affine(node, own) for node, innermost in scan)


def _is_affine(node: Node, own: Degrees) -> bool:
    if isinstance(node, ComputedNode):
        return degree(node.value, own) <= AFFINE
    return isinstance(node, RandomNode) and _draw_is_affine(node, own)


def _draw_is_affine(node: RandomNode, own: Degrees) -> bool:
    row = STANDARD.get(node.dist.name)
    if row is None or not row.location_scale or node.narrowed or node.support != Interval():
        return False
    return all(_degree_of_argument(v, own) <= (AFFINE if n == "loc" else FREE) for n, v in node.dist.args)


def _degree_of_argument(value: Expr | Dist, own: Degrees) -> int:
    return max((degree(e, own) for e in (dist_exprs(value) if isinstance(value, Dist) else (value,))), default=FREE)


def degree(expr: Expr, own: Degrees) -> int:
    """0: free of the variables in `own`; 1: affine in them; 2: anything else."""
    match expr:
        case Let():
            local = dict(own)
            for name, value in expr.bindings:
                local[name] = degree(value, local)
            return degree(expr.body, local)
        case Ref():
            return OTHER if any(degree(e, own) for e in children(expr)) else own.get(expr.name, FREE)
    parts = [degree(e, own) for e in children(expr)]
    if not any(parts):
        return FREE
    if is_product(expr):
        return min(sum(parts), OTHER)
    return max(parts) if _is_linear(expr, parts) else OTHER


def degrees(nodes: tuple[Node, ...], names: Collection[str]) -> dict[str, int]:
    """The degree of these variables, which is 1, and of all that is computed from them."""
    own = dict.fromkeys(names, AFFINE)
    computed = [n for n in nodes if isinstance(n, ComputedNode)]
    changed = True
    while changed:
        before = dict(own)
        for node in computed:
            own[node.target.name] = max(own.get(node.target.name, FREE), degree(node.value, own))
        changed = own != before
    return own


def is_product(expr: Expr) -> bool:
    """Whether an operation is linear in each of two arguments."""
    return (
        isinstance(expr, MatMul)
        or (isinstance(expr, Apply) and expr.op == "*")
        or (isinstance(expr, ArrayCall) and expr.op == "outer")
    )


def _is_linear(expr: Expr, parts: list[int]) -> bool:
    """Whether an operation keeps sums and multiples of the arguments that are not free."""
    match expr:
        case Apply("+" | "-" | "neg"):
            return True
        case Apply("/"):
            return parts[1] == FREE
        case Apply("if"):
            return parts[0] == FREE
        case Reduce():
            return expr.op in ("sum", "mean", "cumsum")
        case ArrayCall("solve" | "solve_lower" | "solve_upper"):
            return parts[0] == FREE
        case Stack():
            return True
        case ArrayCall():
            return expr.op in LINEAR_ARRAYS
    return isinstance(expr, Relabel)
