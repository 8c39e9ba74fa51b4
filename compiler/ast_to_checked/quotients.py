"""Dims that are a whole fraction of another: ``dim parent = leaf / 2``.

Sizes are polynomials with whole coefficients, so a fraction of a dim whose size is free is turned round: ``leaf`` is twice
``parent``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from emfppl.compiler.ast_to_checked.context import Context
from emfppl.compiler.sizes import Size
from emfppl.grammar import ast_nodes as ast

Reader = Callable[[Context, ast.Expr], Size | None]


def is_quotient(node: ast.Expr) -> bool:
    """``a / 2``: a size divided by a whole number."""
    if not isinstance(node, ast.Binary) or node.op not in ("/", "//"):
        return False
    return isinstance(node.right, ast.Number) and node.right.is_int and int(node.right.text) > 0


def declare(c: Context, nodes: Sequence[ast.Dim], size_of: Reader) -> None:
    """Set the sizes of dims declared as quotients: first those that divide without rest, then free ones turned round."""
    waiting = []
    for node in nodes:
        assert isinstance(node.size, ast.Binary) and isinstance(node.size.right, ast.Number)
        whole = size_of(c, node.size.left)
        if whole is not None:
            waiting.append((node, whole, int(node.size.right.text)))
    while waiting:
        ready = next((w for w in waiting if _divided(c.dims.resolve(w[1]), w[2]) is not None), None)
        node, whole, by = chosen = ready or waiting[0]
        waiting.remove(chosen)
        if ready:
            c.dims.sizes[node.name] = _divided(c.dims.resolve(whole), by)
        elif whole in map(Size.of, c.dims.sizes) and c.dims.sizes[next(iter(whole.dims))] is None:
            c.dims.sizes[next(iter(whole.dims))] = Size.of(node.name) * by
        else:
            assert node.size is not None
            why = f"{c.dims.resolve(whole)} is not known to be divisible by {by}"
            message = f"`{c.text(node.size)}` can't be the size of a dim: {why}."
            hint = f"turn it round: dim {node.name} without a size, and the other as {by} * {node.name}"
            c.error("E0311", message, node.size.span, hint)


def _divided(size: Size, by: int) -> Size | None:
    """The size divided by a whole number, where all its terms are divisible."""
    if any(k % by for _, k in size.terms):
        return None
    total = Size()
    for monomial, k in size.terms:
        term = Size.const(k // by)
        for name in monomial:
            term = term * Size.of(name)
        total = total + term
    return total
