"""Slices that move with a loop and keep their length, ``x[t-3:t]``; and gathers from what the loop defines, ``x[parent[n]]``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from emfppl.compiler.ast_to_checked import dims
from emfppl.compiler.ast_to_checked.context import Context, Env
from emfppl.compiler.expressions import At, Axis, Expr, Gather, Kind, LoopVar, Positions, Ref, Type, walk
from emfppl.compiler.graph import Role
from emfppl.compiler.sizes import Size
from emfppl.grammar import ast_nodes as ast


def window(c: Context, axis: Axis, item: ast.SliceItem, env: Env, local: bool) -> Positions | None:
    """The positions of a slice both of whose bounds move with one loop alike; None for any other."""
    if item.lower is None or item.upper is None or local:
        return None
    lower, upper = dims.affine(c, item.lower, env), dims.affine(c, item.upper, env)
    if lower is None or upper is None or lower.loop is None or (lower.loop, lower.scale) != (upper.loop, upper.scale):
        return None
    length = upper.offset - lower.offset
    if c.dims.negative(length - 1):
        return None
    label = _dim_of_length(c, length) or axis.label
    kind = Type(Kind.INDEX, (Axis(label, Size(), length),), axis.dim)
    return Positions(lower.loop, lower.scale, lower.offset, Axis(label, Size(), length), kind, item.span)


def _dim_of_length(c: Context, length: Size) -> str | None:
    """The dim that a window is as long as, by name (``x[t-lag:t]``) or by number, if there is one such dim only."""
    named = [d for d in c.dims.sizes if Size.of(d) == length]
    alike = named or [d for d in c.dims.sizes if c.dims.resolve(Size.of(d)) == c.dims.resolve(length)]
    return alike[0] if len(alike) == 1 else None


def ends(moving: Positions) -> tuple[At, At]:
    """The first and the last position."""
    last = moving.offset + moving.axis.length - 1
    return At(moving.loop, moving.scale, moving.offset), At(moving.loop, moving.scale, last)


def grid(
    moving: Positions, rounds: np.ndarray, along: tuple[int, int], rank: int, size: Callable[[Size], int]
) -> np.ndarray:
    """All positions, as an array of `rank` axes: rounds along the first of `along`, the window along the second."""
    by_round, by_step = ([-1 if k == axis else 1 for k in range(rank)] for axis in along)
    starts = (moving.scale * rounds + size(moving.offset)).reshape(by_round)
    return starts + np.arange(size(moving.axis.length)).reshape(by_step)


def surely_late(c: Context, ref: Ref, late: np.ndarray, loops: int, own_loop: bool) -> np.ndarray:
    """Where a use comes too early for certain, of an array over (rounds of the loops, axes of the reference).

    A gather by data from a variable that the same loop defines may be from any element; whether that is an earlier one the data
    tell (`runtime.data_order`). Too early for certain are rounds in which all elements come later.
    """
    gathers = [i.index for i in ref.indices if isinstance(i, Gather) and not isinstance(i.index, Positions)]
    if not own_loop or not gathers or not all(_of_data(c, e) for e in gathers):
        return late
    axes = tuple(range(loops, late.ndim))
    return late & late.all(axis=axes, keepdims=True)


def _of_data(c: Context, index: Expr) -> bool:
    """Whether an index is made of data and loops only, and can't be missing."""
    for e in walk(index):
        info = c.variables.get(e.name) if isinstance(e, Ref) else None
        known = info is not None and info.role is Role.DATA
        if not known and not isinstance(e, LoopVar):
            return False
    return True
