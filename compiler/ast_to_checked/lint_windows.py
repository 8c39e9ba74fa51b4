"""Windows that move with a loop and meet an array over another dim: entries of all pairs, where entries in step were meant."""

from __future__ import annotations

from collections.abc import Iterator

from emfppl.compiler.ast_to_checked.context import Context
from emfppl.compiler.ast_to_checked.order import Leaf, leaf_exprs
from emfppl.compiler.expressions import Apply, Expr, Gather, Positions, Ref, walk


def lint_windows(c: Context, node: Leaf) -> None:
    """``sum(x[t-7:t] * w)`` with w over a dim that isn't known to be 7 long."""
    for expr in (e for root in leaf_exprs(node) for e in walk(root)):
        if isinstance(expr, Apply):
            for ref, label in (found for arg in expr.args for found in _windows(arg)):
                _beside(c, expr, ref, label)


def _windows(expr: Expr) -> Iterator[tuple[Ref, str]]:
    """The references by a window that has kept the name of its dim, entry by entry in an expression, and that name."""
    if isinstance(expr, Apply):
        yield from (found for arg in expr.args for found in _windows(arg))
    if isinstance(expr, Ref):
        for index in expr.indices:
            moving = index.index if isinstance(index, Gather) else None
            if isinstance(moving, Positions) and moving.axis.label == moving.type.of:
                yield expr, moving.axis.label


def _beside(c: Context, expr: Apply, ref: Ref, label: str) -> None:
    for arg in expr.args:
        labels = [a.label for a in arg.type.axes]
        other = next((n for n in labels if n not in {a.label for a in ref.type.axes}), None)
        if other is not None and label not in labels:
            window = c.source.text[ref.span.start : ref.span.end]
            message = f"`{window}` stays over `{label}`, so that this runs over all pairs of `{label}` and `{other}`."
            hint = f"say how long `{other}` is (dim {other} = …): a window of that length runs over `{other}`"
            c.error("W0116", message, ref.span, hint)
            return
