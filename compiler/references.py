"""Which variables an expression or a node reads."""

from __future__ import annotations

from collections.abc import Iterator

from emfppl.compiler.expressions import Expr, Let, Ref, children
from emfppl.compiler.graph import Node, node_exprs


def variable_refs(expr: Expr, local: frozenset[str] = frozenset()) -> Iterator[Ref]:
    """Every reference to a variable; names bound by a `Let` (`local`) are none."""
    if isinstance(expr, Ref) and expr.name not in local:
        yield expr
    if isinstance(expr, Let):
        for name, value in expr.bindings:
            yield from variable_refs(value, local)
            local |= {name}
        yield from variable_refs(expr.body, local)
        return
    for child in children(expr):
        yield from variable_refs(child, local)


def node_refs(node: Node) -> tuple[Ref, ...]:
    """Every reference to a variable in a node, once."""
    return tuple(dict.fromkeys(r for e in node_exprs(node) for r in variable_refs(e)))


def names_read(node: Node) -> frozenset[str]:
    return frozenset(r.name for r in node_refs(node))
