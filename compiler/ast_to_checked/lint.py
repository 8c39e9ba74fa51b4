"""What is legal and likely wrong."""

from __future__ import annotations

from collections.abc import Sequence

from emfppl.compiler import trees
from emfppl.compiler.ast_to_checked.context import Context, VariableInfo
from emfppl.compiler.ast_to_checked.limits import informed, leaves
from emfppl.compiler.ast_to_checked.lint_values import lint_values
from emfppl.compiler.ast_to_checked.lint_windows import lint_windows
from emfppl.compiler.ast_to_checked.order import Leaf, leaf_exprs
from emfppl.compiler.checked_nodes import CheckedRandom, CheckedStatement
from emfppl.compiler.distributions import POSITIVE
from emfppl.compiler.expressions import Apply, Ref, SizeOf, walk
from emfppl.compiler.graph import Dist, Interval, Role
from emfppl.compiler.supports import limits
from emfppl.grammar import ast_nodes as ast


def lint(c: Context, statements: Sequence[CheckedStatement]) -> None:
    """All warnings about a program without errors."""
    _unused(c)
    lint_values(c, statements)
    below = informed(statements)
    negative = _may_be_negative(c, statements)
    for node in leaves(statements):
        _sizes_compared(c, node)
        lint_windows(c, node)
        if isinstance(node, CheckedRandom):
            _scales(c, node.dist, negative)
            if node.dist.name == "Flat" and node.target.name not in below:
                message = (
                    f"`{node.target.name}` has a flat prior and no observation below it: its "
                    "posterior is improper."
                )
                c.error("W0104", message, node.span, "give it a proper prior")


def _sizes_compared(c: Context, node: Leaf) -> None:
    """``if(k == 0, …)``: a dim's name is its size, not a position."""
    for expr in (e for root in leaf_exprs(node) for e in walk(root)):
        if not isinstance(expr, Apply) or expr.op not in ("==", "!=", "<", "<=", ">", ">="):
            continue
        for size in expr.args:
            if isinstance(size, SizeOf):
                text = c.source.text[size.span.start : size.span.end] or str(size.size)
                message = f"`{text}` is the size of the dim, one number, not a position in it."
                c.error(
                    "W0108", message, size.span, f"for positions write a loop: for i in {text} {{ … i … }}"
                )


def _unused(c: Context) -> None:
    c.used_dims |= {n.name for model in c.models.values() for n in trees.walk(model) if isinstance(n, ast.DimRef)}
    for name, span in c.dims.spans.items():
        in_variables = any(name in (d.rstrip("'") for d in v.dims or ()) for v in c.variables.values())
        if (
            not in_variables
            and name not in c.used_dims
            and all(name not in s.dims for s in c.dims.sizes.values() if s is not None)
        ):
            c.error("W0101", f"The dim `{name}` is not used.", span, "delete it")
    for info in c.variables.values():
        if info.role is Role.DATA and info.name not in c.used and not _gives_size(c, info):
            c.error(
                "W0102",
                f"The data `{info.name}` are not used.",
                info.span,
                "delete the line, or observe them with ~",
            )


def _gives_size(c: Context, info: VariableInfo) -> bool:
    return info.name in c.dims.numbers


def _may_be_negative(c: Context, statements: Sequence[CheckedStatement]) -> set[str]:
    """Latents whose support goes below 0."""
    out: set[str] = set()
    for node in leaves(statements):
        if isinstance(node, CheckedRandom) and not node.observed and isinstance(node.support, Interval):
            lower = limits(node.support)[0]
            if lower is not None and lower < 0:
                out.add(node.target.name)
    return out


def _scales(c: Context, dist: Dist, negative: set[str]) -> None:
    """A latent straight in the place of something positive."""
    row = c.table.get(dist.name)
    kinds = {p.name: p.kind for form in row.forms for p in form} if row else {}
    for name, value in dist.args:
        if isinstance(value, Dist):
            _scales(c, value, negative)
        elif kinds.get(name) == POSITIVE and isinstance(value, Ref) and value.name in negative:
            message = f"`{value.name}` may be negative, but is the {name} of `{dist.name}`."
            hint = f"give it a type: {value.name}: positive ~ …, or use exp({value.name})"
            c.error("W0105", message, value.span, hint)
