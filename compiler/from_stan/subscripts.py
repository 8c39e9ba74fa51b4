"""Subscripts: counted from 1 with both ends included in Stan, from 0 and half-open here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from emfppl.compiler.from_stan.build import dim_part, number
from emfppl.compiler.from_stan.context import Context
from emfppl.compiler.from_stan.renaming import base, renamed
from emfppl.compiler.from_stan.values import RANK, Linear, Refused, Value
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.source import Span
from emfppl.grammar.stan import stan_nodes as stan

Translate = Callable[[Context, stan.Expr], Value]


def dims_of(c: Context) -> Callable[[str], tuple[str, ...] | None]:
    """The dims of what goes by a name here; None for names of dims and loops."""

    def look(name: str) -> tuple[str, ...] | None:
        for scope in reversed(c.scopes):
            for v in scope.values():
                if v.name == name and v.role not in ("size", "loop"):
                    return v.dims
        return None

    return look


@dataclass(frozen=True)
class Place:
    """One subscript: what stands in the brackets, the dims that it leaves, and for a target the part of the dim that it covers."""

    item: ast.Expr | ast.SliceItem
    dims: tuple[str, ...]
    part: tuple[object, object] = (None, None)
    whole: bool = False


def flattened(node: stan.Expr) -> tuple[stan.Expr, tuple[stan.Expr | stan.Range, ...]]:
    """``x[i][j]`` as ``x`` and ``i, j``, where the first subscripts are single positions."""
    if isinstance(node, stan.Index):
        inner, before = flattened(node.base)
        return inner, before + node.indices
    return node, ()


def subscripted(c: Context, node: stan.Index, translate: Translate) -> Value:
    inner, indices = flattened(node)
    value = translate(c, inner)
    if len(indices) > len(value.dims):
        raise Refused("E1405", "There are more subscripts than sizes in the declaration.", node.span)
    places = [place(c, i, d, translate) for i, d in zip(indices, value.dims, strict=False)]
    rest = value.dims[len(indices) :]
    dims = tuple(d for p in places for d in p.dims) + rest
    keep = len(places)
    while keep and places[keep - 1].whole:
        keep -= 1
    expr = value.position if value.position is not None else value.expr
    if keep:
        items = tuple(p.item for p in places[:keep])
        expr = ast.Subscript(expr, items, node.span)
    if len(set(dims)) < len(dims):
        raise Refused("E1405", "Two axes of this run over one dim.", node.span, "use loops")
    core = _core(value.core, len(value.dims), places, len(rest))
    if value.position is None:
        return Value(expr, core, dims)
    one = ast.Binary("+", expr, number(1, node.span), node.span, node.span)
    return Value(one, core, dims, expr, value.of)


def _core(core: str, rank: int, places: list[Place], rest: int) -> str:
    """What is left of a vector or a matrix."""
    inside = RANK[core]
    kept = [bool(p.dims) for p in places[rank - inside :]] + [True] * min(rest, inside)
    if core == "matrix":
        rows, columns = kept[-2:]
        return "matrix" if rows and columns else "vector" if rows else "row_vector" if columns else "real"
    return core if not inside or all(kept[-inside:]) else "real"


def place(c: Context, index: stan.Expr | stan.Range, dim: str, translate: Translate) -> Place:
    """One subscript into `dim`."""
    if isinstance(index, stan.Range):
        return _range(c, index, dim)
    said = c.linear(index)
    if said is not None:
        return _position(c, said, dim, index.span)
    value = translate(c, index)
    if value.position is not None:
        _need_index(c, index, value, dim)
        return Place(value.position, value.dims)
    hint = "gather with data that hold positions, array[N] int<lower=1, upper=J>"
    raise Refused("E1402", "Positions are loop variables, constants and index data here.", index.span, hint)


def _need_index(c: Context, index: stan.Expr, value: Value, dim: str) -> None:
    """Index data index one dim; the first use says which where the declaration does not."""
    if value.of is not None and value.of != base(dim):
        message = f"These positions are those of `{value.of}`, and the array runs over `{base(dim)}`."
        raise Refused("E1405", message, index.span, f"declare the array with the size {value.of}")
    if value.of is None:
        inner, _ = flattened(index)
        if isinstance(inner, stan.Name):
            c.variable(inner.id, index.span).index_of = base(dim)


def _position(c: Context, said: Linear, dim: str, span: Span) -> Place:
    """A sum of loop variables, sizes and a constant. A loop variable holds its position, one less than in Stan."""
    variables = [(c.variable(n, span), k) for n, k in said.items() if n]
    loops = [v for v, k in variables if v.role == "loop" and k]
    for v in loops:
        if v.index_of != base(dim):
            message = f"The loop over `{v.stan}` runs over `{v.index_of}`, and this array over `{base(dim)}`."
            raise Refused("E1405", message, span, "declare both with the same size")
    shift = sum(k for v, k in variables if v.role == "loop") - 1
    there = {**said, "": said.get("", 0) + shift}
    size = c.sizes.get(base(dim), {})
    from_end = {k: there.get(k, 0) - size.get(k, 0) for k in {*there, *size}}
    if not loops and not any(v for k, v in from_end.items() if k) and from_end.get("", 0) < 0 and any(k for k in size):
        at = from_end[""]
        return Place(number(at, span), (), (at, at + 1 or None))
    constant = there.get("", 0) if not any(v for k, v in there.items() if k) else None
    if constant is not None and constant < 0:
        raise Refused("E1405", "Positions count from 1 in Stan.", span)
    part = (constant, constant + 1) if constant is not None else ("loop", "loop")
    return Place(c.size_expr(there, span), (), part)


def _range(c: Context, index: stan.Range, dim: str) -> Place:
    lower, upper = range_bounds(c, index.lower, index.upper, dim, index.span)
    whole = lower is None and upper is None
    return Place(ast.SliceItem(_bound(lower, index.span), _bound(upper, index.span), index.span), (dim,), (lower, upper), whole)


Bound = int | None | ast.Expr


def _bound(value: Bound, span: Span) -> ast.Expr | None:
    return number(value, span) if isinstance(value, int) else value


def range_bounds(
    c: Context, lower: stan.Expr | None, upper: stan.Expr | None, dim: str, span: Span
) -> tuple[Bound, Bound]:
    """A range of Stan as a half-open one; None is the end of the dim, a negative bound counts from it."""
    size = c.sizes.get(base(dim), {})
    low = c.linear(lower) if lower is not None else {"": 1}
    high = c.linear(upper) if upper is not None else dict(size)
    if low is None or high is None or any(c.variable(n, span).role == "loop" for n in {*low, *high} if n):
        hint = "ranges have fixed bounds: sizes and whole numbers; for groups of unequal length gather with index data"
        raise Refused("E1402", "The bounds of this range move or are data.", span, hint)
    start = _relative({**low, "": low.get("", 0) - 1}, size, 0)
    end = _relative(high, size, None)
    first = None if start == 0 else start if start is not None else c.size_expr({**low, "": low.get("", 0) - 1}, span)
    missing = {k: high.get(k, 0) - size.get(k, 0) for k in {*high, *size}}
    last = None if not any(missing.values()) else end if end is not None else c.size_expr(high, span)
    return first, last


def _relative(said: Linear, size: Linear, _: object) -> int | None:
    """A bound as a number, from the start or (negative) from the end; None if it is neither."""
    if not any(v for k, v in said.items() if k):
        return said.get("", 0)
    rest = {k: said.get(k, 0) - size.get(k, 0) for k in {*said, *size}}
    return rest.get("", 0) if not any(v for k, v in rest.items() if k) and rest.get("", 0) < 0 else None


def target_of(c: Context, name: str, dims: tuple[str, ...], places: list[Place], span: Span) -> ast.Target:
    """The left side: every dim by name, by its part, or by a position."""
    items: list[ast.Expr | ast.SliceItem] = []
    for p, d in zip(places, dims, strict=False):
        item = p.item
        items.append(dim_part(d, item.lower, item.upper, span) if isinstance(item, ast.SliceItem) else item)
    items += [ast.Name(d, span) for d in dims[len(places) :]]
    return ast.Target(name, tuple(items), span, span)


def relabelled(c: Context, value: Value, dims: tuple[str, ...]) -> ast.Expr:
    return renamed(value.expr, dict(zip(value.dims, dims, strict=True)), dims_of(c))
