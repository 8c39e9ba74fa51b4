"""Expressions as text, close to what the user wrote: ``Normal(x[t-1], s)``. Used by the text forms and by drawings.

Whole dims are left out where all of a variable is meant (``theta``); positions and slices are as in the language. Labels are those
of the graph, so that two texts are equal only if the expressions are.
"""

from __future__ import annotations

from collections.abc import Iterable

from emfppl.compiler.expressions import (
    Apply,
    Array,
    ArrayCall,
    At,
    Axis,
    Const,
    Expr,
    Gather,
    Index,
    Let,
    LoopVar,
    MatMul,
    Ode,
    Positions,
    Reduce,
    Ref,
    Relabel,
    SizeOf,
    Stack,
    Whole,
)
from emfppl.compiler.graph import Dist, Integers, Interval, Structured, Support, Target
from emfppl.compiler.sizes import Size

# How tightly each operator binds; those that stand in front of one operand come by their own names.
BINDING = {
    "or": 1, "and": 2, "not": 3, "<": 4, "<=": 4, ">": 4, ">=": 4, "==": 4, "!=": 4, "+": 5, "-": 5, "*": 6, "/": 6, "//": 6,
    "%": 6, "@": 6, "neg": 7, "**": 8,
}  # fmt: skip
ATOM = 9


def dist_text(dist: Dist) -> str:
    """``Normal(mu, 1)``: arguments in the order of the table, those of other than the first form by name too."""
    args = [dist_text(v) if isinstance(v, Dist) else text(v) for _, v in dist.args]
    names = [n for n, _ in dist.args]
    plain = dist.name not in ("truncated", "MultivariateNormal") and names[:1] != ["logits"] and "logits" not in names
    inside = args if plain else [f"{n} = {a}" for n, a in zip(names, args, strict=True)]
    over = [f"over = {dist.over}"] if dist.over else []
    return f"{dist.name}({', '.join([*inside, *over])})"


def text(expr: Expr) -> str:
    """The text of an expression."""
    return _text(expr, 0)


def _text(expr: Expr, around: int) -> str:
    """The text, in parentheses if what is around binds more tightly."""
    out, binding = _bound(expr)
    return f"({out})" if binding < around else out


def _bound(expr: Expr) -> tuple[str, int]:
    """The text of an expression and how tightly it binds."""
    match expr:
        case Const(value):
            return _number(value), ATOM if not isinstance(value, int | float) or value >= 0 else BINDING["neg"]
        case Array(values):
            return _list(values), ATOM
        case Stack(args):
            return f"[{', '.join(map(text, args))}]", ATOM
        case Positions(loop, scale, offset, axis):
            ends = (offset, offset + axis.length)
            return ":".join(_at_text(At(loop, scale, end)) for end in ends), ATOM
        case SizeOf(size):
            return str(size), ATOM if len(size.terms) < 2 else BINDING["+"]
        case LoopVar(label):
            return label, ATOM
        case Ref(name, indices):
            return name + _brackets(indices), ATOM
        case Apply():
            return _apply(expr)
        case MatMul():
            left, right = _text(expr.left, BINDING["@"]), _text(expr.right, BINDING["@"] + 1)
            return f"{left} @[{expr.over}] {right}", BINDING["@"]
        case Reduce():
            return f"{expr.op}({text(expr.arg)}, over = {', '.join(expr.over)})", ATOM
        case ArrayCall():
            return f"{expr.op}({', '.join(map(text, expr.args))})", ATOM
        case Ode():
            return _ode(expr), ATOM
        case Relabel():
            pairs = ", ".join(f"{new} = {old}" for old, new in zip(expr.old, expr.new, strict=True))
            return f"relabel({text(expr.arg)}, {pairs})", ATOM
        case Let():
            bindings = ", ".join(f"{name} = {text(value)}" for name, value in expr.bindings)
            return f"let({bindings} in {text(expr.body)})", ATOM
    raise TypeError(expr)


def _ode(expr: Ode) -> str:
    """``ode(body; y0, t0, times, name = argument)``"""
    t, y, *names = expr.names
    given = [text(a) for a in expr.args[:3]] + [f"{n} = {text(a)}" for n, a in zip(names, expr.args[3:], strict=True)]
    options = [f"rtol = {expr.rtol}", f"atol = {expr.atol}", f"max_steps = {expr.max_steps}"]
    return f"ode{'_stiff' * expr.stiff}({t}, {y} -> {text(expr.body)}; {', '.join([*given, *options])})"


def _apply(expr: Apply) -> tuple[str, int]:
    if expr.op not in BINDING:
        return f"{expr.op}({', '.join(map(text, expr.args))})", ATOM
    binding = BINDING[expr.op]
    if expr.op in ("neg", "not"):
        sign = "-" if expr.op == "neg" else "not "
        return sign + _text(expr.args[0], binding), binding
    right_first = expr.op == "**"
    left, right = (_text(a, binding + (n != right_first)) for n, a in enumerate(expr.args))
    return f"{left} {expr.op} {right}", binding


def _number(value: bool | int | float) -> str:
    """A number as the language writes it; one with a point is not an int."""
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _list(values: Iterable | float) -> str:
    return f"[{', '.join(map(_list, values))}]" if isinstance(values, tuple) else _number(values)  # type: ignore[arg-type]


# ---------------------------------------------------------------- subscripts


def _brackets(indices: tuple[Index, ...]) -> str:
    """Subscripts; none at all where every one is a whole dim."""
    if all(isinstance(i, Whole) and _is_whole(i.axis) for i in indices):
        return ""
    return f"[{', '.join(map(index_text, indices))}]"


def _is_whole(axis: Axis) -> bool:
    """A whole dim under its own name."""
    return axis == Axis.whole(axis.dim)


def index_text(index: Index) -> str:
    """``t-1``, ``time[1:]``, ``county_of``."""
    match index:
        case Gather(expr):
            return text(expr)
        case Whole(axis):
            return axis_text(axis)
    return _at_text(index)


def _at_text(index: At) -> str:
    if index.loop is None:
        return str(index.offset)
    head = index.loop if index.scale == 1 else f"{index.scale}*{index.loop}"
    rest = str(index.offset).replace(" ", "")
    return head if rest == "0" else head + (rest if rest[0] == "-" else "+" + rest)


def axis_text(axis: Axis) -> str:
    """``time``, ``time[1:]``."""
    return axis.label + range_text(axis.lower, axis.upper, axis.dim)


def range_text(lower: Size, upper: Size, dim: str) -> str:
    """The part of a dim in brackets; nothing where it is all of it."""
    low = "" if lower == Size() else str(lower)
    high = "" if upper == Size.of(dim) else str(upper)
    return f"[{low}:{high}]" if low or high else ""


def target_text(target: Target) -> str:
    """The left side of a statement."""
    return target.name + (f"[{', '.join(map(index_text, target.indices))}]" if target.indices else "")


def support_text(support: Support) -> str:
    """A support by the name of its type."""
    match support:
        case Structured(name):
            return name
        case Integers(lower, upper):
            return f"int{_bounds(lower, upper)}"
        case Interval(lower, upper):
            return f"real{_bounds(lower, upper)}"
    raise TypeError(support)


def _bounds(lower: Expr | None, upper: Expr | None) -> str:
    parts = [f"{n} = {text(b)}" for n, b in (("lower", lower), ("upper", upper)) if b is not None]
    return f"({', '.join(parts)})" if parts else ""
