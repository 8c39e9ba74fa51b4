"""Sizes at which a program is run in thought: one for each free dim, larger than any offset."""

from __future__ import annotations

from collections.abc import Sequence

from emfppl.compiler.ast_to_checked.context import Context
from emfppl.compiler.checked_nodes import CheckedAssign, CheckedFactor, CheckedFor, CheckedRandom, CheckedStatement
from emfppl.compiler.expressions import At, Expr, Gather, Index, Positions, Ref, Whole, walk
from emfppl.compiler.graph import dist_exprs, support_exprs
from emfppl.compiler.sizes import Size

Leaf = CheckedRandom | CheckedAssign | CheckedFactor


def leaf_exprs(node: Leaf) -> list[Expr]:
    """The expressions of one statement."""
    if isinstance(node, CheckedRandom):
        return [
            *dist_exprs(node.dist),
            *(support_exprs(node.support) if node.narrowed or node.dist.name == "Flat" else ()),
        ]
    return [node.value]


def trial_sizes(c: Context, statements: Sequence[CheckedStatement]) -> dict[str, int]:
    """Sizes for the free dims, larger than any offset in the program."""
    offsets = [abs(k) for s in _polynomials(statements) for _, k in s.terms]
    small = [k for k in offsets if k <= 1000]
    base = 7 + 2 * max(small, default=0)
    free = [n for n, s in c.dims.sizes.items() if s is None] + sorted(c.dims.numbers)
    return {name: base + n % 5 for n, name in enumerate(free)}


def _polynomials(statements: Sequence[CheckedStatement]) -> list[Size]:
    out: list[Size] = []
    for s in statements:
        if isinstance(s, CheckedFor):
            out += [s.lower, s.upper, *_polynomials(s.body)]
            continue
        indices: list[Index] = [] if isinstance(s, CheckedFactor) else list(s.target.indices)
        for expr in leaf_exprs(s):
            indices += [i for e in walk(expr) if isinstance(e, Ref) for i in e.indices]
        out += [i.offset for i in indices if isinstance(i, At)]
        moving = [i.index for i in indices if isinstance(i, Gather) and isinstance(i.index, Positions)]
        out += [p for i in moving for p in (i.offset, i.axis.upper)]
        out += [p for i in indices if isinstance(i, Whole) for p in (i.axis.lower, i.axis.upper)]
    return out
