"""Vectors and matrices of constrained form: which of them may be drawn or learned, and from what."""

from __future__ import annotations

from collections.abc import Sequence

from emfppl.compiler.ast_to_checked.context import Context, VariableInfo
from emfppl.compiler.ast_to_checked.limits import leaves, refs
from emfppl.compiler.ast_to_checked.order import Leaf
from emfppl.compiler.checked_nodes import CheckedFactor, CheckedRandom, CheckedStatement
from emfppl.compiler.expressions import Whole
from emfppl.compiler.graph import Dist, Role, Structured, dist_exprs

DRAWN = ("real_vector", "simplex", "ordered", "positive_ordered", "sum_to_zero", "corr_cholesky")
ORDERED = ("ordered", "positive_ordered")
REMEDIES = {
    "corr": "draw its Cholesky factor, L[k, k'] ~ LKJCholesky(1), and use L[k, k''] @ L[k', k'']",
    "cov_cholesky": "draw a correlation factor, L[k, k'] ~ LKJCholesky(1), and scales of their own",
    "cov": "draw a correlation factor, L[k, k'] ~ LKJCholesky(1), and scales of their own",
}


def check_structured(c: Context, statements: Sequence[CheckedStatement]) -> None:
    """Report what this version has no density or no map for."""
    for info in c.variables.values():
        if info.role is Role.PARAM and info.declared is not None and isinstance(info.declared.support, Structured):
            _known(c, info.declared.support, info, f"`{info.name}` can't be a param")
    unknown = _unknown(c, statements)
    for node in leaves(statements):
        if isinstance(node, CheckedRandom) and not node.observed and isinstance(node.support, Structured):
            info = c.variables[node.target.name]
            if _known(c, node.support, info, f"`{info.name}` can't be drawn"):
                _normalised(c, node, unknown)


def _known(c: Context, support: Structured, info: VariableInfo, what: str) -> bool:
    if support.name in DRAWN:
        return True
    span = info.declared.span if info.declared else info.span
    c.error("E0803", f"{what}: this version has no {support.name} but as data.", span, REMEDIES.get(support.name, ""))
    return False


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
    if node.support.name in ORDERED and varies and any(r.name in unknown for r in refs(node)):
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
