"""The dim that the subscripts of a variable reach to the end of, where no subscript names it: ``x[2*i]`` and ``x[2*i+1]``."""

from __future__ import annotations

from collections.abc import Sequence

from emfppl.compiler.ast_to_checked import dims
from emfppl.compiler.ast_to_checked.context import Context, Env
from emfppl.compiler.sizes import Size
from emfppl.grammar import ast_nodes as ast


def dim_reached(c: Context, items: Sequence[tuple[ast.Expr | ast.SliceItem, Env]]) -> str | None:
    """The one dim that some subscript with a loop in it reaches to the end of; backwards, the dim of the loop itself."""
    back: set[str] = set()
    ends: list[Size] = []
    for item, env in items:
        if isinstance(item, ast.SliceItem) or (position := dims.affine(c, item, env)) is None or position.loop is None:
            continue
        loop = env.loop(position.loop)
        assert loop is not None
        if position.scale == -1:
            back.add(loop.dim)
        elif position.scale > 1:
            ends.append((loop.upper - 1) * position.scale + position.offset + 1)
    farthest = [end for end in ends if not any(c.dims.negative(end - other) for other in ends)]
    found = back | {d for d in c.dims.sizes for end in farthest if c.dims.same(Size.of(d), end)}
    return found.pop() if len(found) == 1 else None
