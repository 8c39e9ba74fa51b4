"""Expressions of the checked program and of the graph: typed, name-aligned, free of shapes.

Every expression has an *element kind* and a tuple of *axes*. An axis is known by its label: the name of a dim
(``school``, ``state'``) where a whole dim is meant, or the name of a loop variable where the expression stands in a
loop. Two arrays always align by label. Loop labels are not part of `Type.axes` (the body of a loop is typed as one
iteration); when a loop is vectorised its label simply becomes one more axis of the value, and when it is scanned the label
stands for a traced number. So one expression serves both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

from emfppl.compiler.sizes import Size
from emfppl.grammar.source import Span, no_span


class Kind(Enum):
    """What an element is. BOOL ⊂ INT ⊂ REAL as numbers; INDEX is an int that indexes one dim only (`Type.of`)."""

    BOOL = "bool"
    INT = "int"
    INDEX = "index"
    REAL = "real"


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a value: its label (a dim, with primes) and the part ``[lower, upper)`` of the dim that it covers."""

    label: str
    lower: Size
    upper: Size

    @property
    def dim(self) -> str:
        return self.label.rstrip("'")

    @property
    def length(self) -> Size:
        return self.upper - self.lower

    @staticmethod
    def whole(label: str) -> Axis:
        return Axis(label, Size(), Size.of(label))


@dataclass(frozen=True, slots=True)
class Type:
    """Kind of an element, the dim it indexes (for INDEX), and the axes of the array."""

    kind: Kind
    axes: tuple[Axis, ...] = ()
    of: str | None = None


# ---------------------------------------------------------------- subscripts of a reference, one a dim of the variable


@dataclass(frozen=True, slots=True)
class Whole:
    """The part `axis` of the dim, kept as an axis under ``axis.label`` (``v``, ``v[time[1:]]``, ``v[1:]``, ``v[state']``)."""

    axis: Axis


@dataclass(frozen=True, slots=True)
class At:
    """Position ``scale * loop + offset``; with `loop` None the constant `offset`: ``x[0]``, ``x[-1]``, ``x[t-1]``, ``x[2*i+1]``."""

    loop: str | None
    scale: int
    offset: Size


@dataclass(frozen=True, slots=True)
class Gather:
    """Positions given by an integer expression; its axes (and loops) take the place of the dim: ``a[county_of]``, ``P[z[t-1]]``."""

    index: Expr


Index: TypeAlias = Whole | At | Gather

# ---------------------------------------------------------------- expressions


@dataclass(frozen=True, slots=True)
class Const:
    """A number (bool, int or float); with axes in its type, one that stands for all entries."""

    value: bool | int | float
    type: Type
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Array:
    """A literal list; `values` nested tuples of numbers, axes given by the declaration it stands in."""

    values: tuple
    type: Type
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Stack:
    """``[a, b, c]``: values one after the other along a new axis `label`, the last of `type`; other axes align by label."""

    args: tuple[Expr, ...]
    label: str
    type: Type
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class SizeOf:
    """A number made of sizes of dims."""

    size: Size
    type: Type
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class LoopVar:
    """The position of a loop: ``t`` used as a number or an index."""

    label: str
    type: Type
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Positions:
    """Positions that move with a loop, ``scale * loop + offset + k`` with k = 0, 1, … along `axis`: the window ``x[t-3:t]``."""

    loop: str
    scale: int
    offset: Size
    axis: Axis
    type: Type
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Ref:
    """A variable, with one subscript for each of its dims; or a local name of a `Let`: with none, all of it; else with one for each
    of its axes, positions counted from the start of the local array."""

    name: str
    indices: tuple[Index, ...]
    type: Type
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Apply:
    """An elementwise operation from `functions.ELEMENTWISE`, or an operator by their sign (``+ - * / // % ** < <= > >= == !=``,
    ``neg``, ``and``, ``or``, ``not``), ``if`` (three arguments), functions by name."""

    op: str
    args: tuple[Expr, ...]
    type: Type
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Reduce:
    """``sum mean argmax …`` over the axes with labels `over` (they vanish), or ``cumsum cumprod`` along one (it stays)."""

    op: str
    arg: Expr
    over: tuple[str, ...]
    type: Type
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class MatMul:
    """``left @ right``: the sum over the axis with label `over`, which both have."""

    left: Expr
    right: Expr
    over: str
    type: Type
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class ArrayCall:
    """A function of whole vectors or matrices from `functions` (``cholesky solve softmax exp_quad bspline …``).

    `cores[i]` names, in order, the labels of args[i] that the function works on; `out` the labels of the result's core.
    All other axes are batch axes and align by label.
    """

    op: str
    args: tuple[Expr, ...]
    cores: tuple[tuple[str, ...], ...]
    out: tuple[str, ...]
    type: Type
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Ode:
    """``ode(f, y0, t0, times, …)``: the solution of dy/dt = `body` with y(t0) = y0, at the times.

    `args` are y0, t0, the times and what f is passed besides t and y; `cores` their own axes: those of the state, none, that of
    the times (none for a single time), those that f declares. All other axes are batch axes: one equation for each point of
    them. `body` is over the axes of the state; it refers to t, y and what follows in `args` by the local names in `names`, and
    to nothing else.
    """

    args: tuple[Expr, ...]
    cores: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]
    axes: tuple[tuple[Axis, ...], ...]  # of what `names` stand for
    body: Expr
    stiff: bool
    rtol: float
    atol: float
    max_steps: int
    type: Type
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Relabel:
    """The same values under other axis labels, as when an array over ``pt`` is passed for a function's ``v[k]``."""

    arg: Expr
    old: tuple[str, ...]
    new: tuple[str, ...]
    type: Type
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Let:
    """Local names (of an inlined function) and the value that uses them."""

    bindings: tuple[tuple[str, Expr], ...]
    body: Expr
    type: Type
    span: Span = no_span()


Expr: TypeAlias = (
    Const | Array | Stack | SizeOf | LoopVar | Positions | Ref | Apply | Reduce | MatMul | ArrayCall | Ode | Relabel | Let
)


def children(expr: Expr) -> tuple[Expr, ...]:
    """The direct sub-expressions, those in subscripts included."""
    match expr:
        case Ref():
            return tuple(i.index for i in expr.indices if isinstance(i, Gather))
        case Apply() | ArrayCall() | Stack() | Ode():
            return expr.args
        case Reduce() | Relabel():
            return (expr.arg,)
        case MatMul():
            return (expr.left, expr.right)
        case Let():
            return (*(e for _, e in expr.bindings), expr.body)
    return ()


def with_children(expr: Expr, new: tuple[Expr, ...]) -> Expr:
    """The expression with others in the place of its `children`."""
    if new == children(expr):
        return expr
    match expr:
        case Ref():
            given = iter(new)
            return replace(expr, indices=tuple(Gather(next(given)) if isinstance(i, Gather) else i for i in expr.indices))
        case Apply() | ArrayCall() | Stack() | Ode():
            return replace(expr, args=new)
        case Reduce() | Relabel():
            return replace(expr, arg=new[0])
        case MatMul():
            return replace(expr, left=new[0], right=new[1])
        case Let():
            names = [name for name, _ in expr.bindings]
            return replace(expr, bindings=tuple(zip(names, new, strict=False)), body=new[-1])
    return expr


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and all below it, parents first."""
    yield expr
    for child in children(expr):
        yield from walk(child)
