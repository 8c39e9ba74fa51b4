"""Warnings about values: probabilities that leave (0, 1), rates that may be negative, precisions in the place of standard
deviations, comparisons that never hold, weights that are constant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from emfppl.compiler.ast_to_checked.context import Context
from emfppl.compiler.ast_to_checked.limits import leaves
from emfppl.compiler.ast_to_checked.order import Leaf, leaf_exprs
from emfppl.compiler.checked_nodes import CheckedAssign, CheckedFactor, CheckedRandom, CheckedStatement
from emfppl.compiler.distributions import POSITIVE, UNIT
from emfppl.compiler.expressions import Apply, Expr, Ref, walk
from emfppl.compiler.graph import Dist, Interval, Role
from emfppl.compiler.supports import const_bound

LINEAR = ("+", "-", "*", "neg")
PRECISIONS = (1e-3, 1e-4, 1e-5, 1e-6)


def lint_values(c: Context, statements: Sequence[CheckedStatement]) -> None:
    nodes = list(leaves(statements))
    free, uncertain = _free(nodes), _uncertain(c, nodes)
    for node in nodes:
        _equalities(c, node, free)
        if isinstance(node, CheckedRandom):
            _arguments(c, node.dist, free)
            _precision(c, node)
        if isinstance(node, CheckedFactor) and not _refs(node) & uncertain and not _in_model(c, node.span.start):
            message = "This factor is a constant: no latent and no param is in it."
            c.error("W0113", message, node.span, "delete it, or let it depend on what is unknown")


def _in_model(c: Context, start: int) -> bool:
    """Whether a place is inside a model, whose arguments are constant in one use and not in another."""
    part = c.source.part_at(start)
    written_out = part is not None and part.used is not None
    return written_out or any(m.span.start <= start < m.span.end for m in c.models.values())


def _refs(node: Leaf) -> set[str]:
    return {e.name for root in leaf_exprs(node) for e in walk(root) if isinstance(e, Ref)}


def _free(nodes: Sequence[Leaf]) -> set[str]:
    """Variables that take any real value: latents on the whole line, and sums and products of them."""
    drawn: dict[str, bool] = {}
    for node in nodes:
        if isinstance(node, CheckedRandom) and not node.observed:
            s = node.support
            whole = isinstance(s, Interval) and s.lower is None and s.upper is None
            drawn[node.target.name] = drawn.get(node.target.name, True) and whole
    out = {name for name, whole in drawn.items() if whole}
    for node in nodes:  # in source order, so that what is used is known
        if isinstance(node, CheckedAssign) and unbounded(node.value, out):
            out.add(node.target.name)
    return out


def _uncertain(c: Context, nodes: Sequence[Leaf]) -> set[str]:
    """Latents, params and missing entries, and what is computed from them."""
    out = {v.graph_name or n for n, v in c.variables.items() if v.role is Role.PARAM or (v.declared and v.declared.optional)}
    out |= {node.target.name for node in nodes if isinstance(node, CheckedRandom) and not node.observed}
    for _ in range(2):
        for node in nodes:
            if isinstance(node, CheckedAssign) and _refs(node) & out:
                out.add(node.target.name)
    return out


def unbounded(expr: Expr, free: set[str]) -> bool:
    """Whether an expression takes any real value: a sum or product with a free variable in it."""
    if isinstance(expr, Ref):
        return expr.name in free
    if not isinstance(expr, Apply) or expr.op not in LINEAR or _square(expr):
        return False
    return any(unbounded(a, free) for a in expr.args)


def _square(expr: Apply) -> bool:
    """``x * x`` is no negative number."""
    return expr.op == "*" and len(expr.args) == 2 and expr.args[0] == expr.args[1]


def _parameters(c: Context, dist: Dist) -> Iterator[tuple[str, str, Expr | Dist]]:
    row = c.table.get(dist.name)
    kinds = {p.name: p.kind for form in row.forms for p in form} if row else {}
    return ((name, kinds.get(name, ""), value) for name, value in dist.args)


def _arguments(c: Context, dist: Dist, free: set[str]) -> None:
    for name, kind, value in _parameters(c, dist):
        if isinstance(value, Dist):
            _arguments(c, value, free)
        elif kind == UNIT and unbounded(value, free):
            message = f"This may be any real number, but `{name}` of `{dist.name}` is a probability."
            row = c.table.get(dist.name)
            logits = row is not None and any(p.name == "logits" for form in row.forms for p in form)
            hint = "did you mean logits = …? Or write inv_logit(…)" if logits else "write inv_logit(…)"
            c.error("W0115", message, value.span, hint)
        elif kind == POSITIVE and unbounded(value, free) and not isinstance(value, Ref):
            message = f"This may be any real number, but the {name} of `{dist.name}` is above 0."
            c.error("W0111", message, value.span, "did you mean exp(…)?")


def _precision(c: Context, node: CheckedRandom) -> None:
    """``Normal(0, 0.001)``: a precision, as BUGS has it."""
    args = dict(node.dist.args)
    loc, scale = args.get("loc"), args.get("scale")
    if node.observed or node.dist.name != "Normal" or isinstance(loc, Dist | None) or isinstance(scale, Dist | None):
        return
    middle, spread = const_bound(loc, 1.0), const_bound(scale, 1.0)
    if middle == 0 and spread in PRECISIONS:
        message = f"A standard deviation of {spread:g} holds this at 0."
        hint = f"if {spread:g} is a precision, as in BUGS, write Normal(0, {spread ** -0.5:.3g})"
        c.error("W0112", message, scale.span, hint)


def _equalities(c: Context, node: Leaf, free: set[str]) -> None:
    """``x == 0`` never holds for a continuous latent."""
    for expr in (e for root in leaf_exprs(node) for e in walk(root)):
        if isinstance(expr, Apply) and expr.op in ("==", "!=") and any(unbounded(a, free) for a in expr.args):
            never = "never" if expr.op == "==" else "always"
            message = f"A continuous latent {never} {'equals' if expr.op == '==' else 'differs from'} a number: this is constant."
            c.error("W0114", message, expr.span, "compare with < or >")
