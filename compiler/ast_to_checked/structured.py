"""Vectors and matrices of constrained form: from what they may be drawn."""

from __future__ import annotations

from collections.abc import Sequence

from emfppl.compiler.ast_to_checked.context import Context
from emfppl.compiler.ast_to_checked.limits import leaves, refs
from emfppl.compiler.ast_to_checked.order import Leaf
from emfppl.compiler.checked_nodes import CheckedFactor, CheckedRandom, CheckedStatement
from emfppl.compiler.expressions import Whole
from emfppl.compiler.graph import Dist, Role, Structured, dist_exprs

ORDERED = ("ordered", "positive_ordered")


def check_structured(c: Context, statements: Sequence[CheckedStatement]) -> None:
    """Report what there is no normalised density for."""
    unknown = _unknown(c, statements)
    for node in leaves(statements):
        if isinstance(node, CheckedRandom) and not node.observed and isinstance(node.support, Structured):
            _normalised(c, node, unknown)


def _normalised(c: Context, node: CheckedRandom, unknown: set[str]) -> None:
    """An ordering cuts off the same part whatever its parameters are if all elements have one distribution; a sum of zero only
    for normal ones."""
    assert isinstance(node.support, Structured)
    if not node.narrowed or node.dist.name == "Flat":
        return
    name, varies = node.target.name, _varies(node)
    span = c.target_spans.get(node.span, node.span)
    if node.support.name == "sum_to_zero" and (varies or node.dist.name != "Normal"):
        message = f"`{name}` sums to zero; in this version that goes with elements that share one Normal."
        c.error("E0805", message, span, f"write {name}[…]: sum_to_zero ~ Normal(0, s)")
    integrated = not node.dist.event and _has_law(c, node.dist)
    if node.support.name in ORDERED and varies and not integrated and any(r.name in unknown for r in refs(node)):
        message = (
            f"The elements of `{name}` are ordered and differ in distribution, by values that are not known: how much "
            "of it the order cuts off can't be worked out."
        )
        hint = f"give all elements the same arguments, or draw positive steps and set {name} = cumsum(steps)"
        c.error("E0805", message, span, hint)


def _varies(node: CheckedRandom) -> bool:
    """Whether the elements of the vector differ in distribution."""
    last = node.target.indices[-1]
    assert isinstance(last, Whole)
    return bool(node.dist.event) or last.axis.label in _labels(node.dist)


def _has_law(c: Context, dist: Dist) -> bool:
    """Whether a distribution of single numbers has a distribution function: then the probability of an order is integrated."""
    row = c.table.get(dist.name)
    inner = [v for _, v in dist.args if isinstance(v, Dist)]
    known = row is not None and dist.over is None and (row.log_prob is None or row.cdf is not None or row.quantile is not None)
    return known and all(_has_law(c, d) for d in inner)


def _labels(dist: Dist) -> set[str]:
    """The labels that the arguments run over, those that a mixture sums over left out."""
    return {a.label for e in dist_exprs(dist) for a in e.type.axes} - {dist.over}


def _unknown(c: Context, statements: Sequence[CheckedStatement]) -> set[str]:
    """Latents, params, and what is computed from them."""
    out = {n for n, i in c.variables.items() if i.role in (Role.LATENT, Role.PARAM)}
    nodes: list[Leaf] = [n for n in leaves(statements) if not isinstance(n, CheckedFactor | CheckedRandom)]
    before = -1
    while before < len(out):
        before = len(out)
        out |= {n.target.name for n in nodes if not isinstance(n, CheckedFactor) and any(r.name in out for r in refs(n))}
    return out
