"""Which dim a loop of Stan runs over, and which part of it."""

from __future__ import annotations

from collections.abc import Iterator

from emfppl.compiler.from_stan.build import number
from emfppl.compiler.from_stan.context import Context
from emfppl.compiler.from_stan.renaming import base
from emfppl.compiler.from_stan.subscripts import flattened, range_bounds
from emfppl.compiler.from_stan.values import Refused
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.stan import stan_nodes as stan


def loop_dim(c: Context, s: stan.For) -> str:
    """The dim that the loop variable subscripts; without subscripts that of the upper bound's size."""
    used = list(dict.fromkeys(_subscripted_by(c, s.var, s.body)))
    upper = c.linear(s.upper)
    named = [d for d, size in c.sizes.items() if upper is not None and _same(size, upper)]
    if len(used) == 1:
        return used[0]
    if len(used) > 1:
        names = " and ".join(f"`{d}`" for d in used)
        hint = "declare the arrays with the same size; start a loop at 2 in place of declaring a shorter array"
        raise Refused("E1405", f"The loop variable `{s.var}` stands in subscripts of different dims, {names}.", s.span, hint)
    if named:
        return named[0]
    raise Refused("E1405", "No array tells which dim this loop runs over.", s.span, "write the loop over a size of the data")


def _same(a: dict[str, int], b: dict[str, int]) -> bool:
    return all(a.get(k, 0) == b.get(k, 0) for k in {*a, *b})


def _subscripted_by(c: Context, var: str, node: object) -> Iterator[str]:
    """The dims that a loop variable subscripts in statements."""
    if isinstance(node, tuple):
        for one in node:
            yield from _subscripted_by(c, var, one)
        return
    if isinstance(node, stan.Index):
        inner, indices = flattened(node)
        dims = _dims(c, inner)
        for index, dim in zip(indices, dims, strict=False):
            if not isinstance(index, stan.Range) and _affine_in(index, var):
                yield base(dim)
    for name in getattr(node, "__slots__", ()):
        part = getattr(node, name)
        if isinstance(part, tuple) or hasattr(part, "__slots__"):
            yield from _subscripted_by(c, var, part)


def _dims(c: Context, node: stan.Expr) -> tuple[str, ...]:
    if not isinstance(node, stan.Name):
        return ()
    found = c.find(node.id)
    return found.dims if found is not None else ()


def _affine_in(index: stan.Expr, var: str) -> bool:
    match index:
        case stan.Name(name):
            return name == var
        case stan.Operation(_, operands):
            return any(_affine_in(o, var) for o in operands)
    return False


def loop_range(c: Context, s: stan.For, dim: str) -> tuple[ast.SliceItem | None, tuple[object, object]]:
    """The part of the dim, and the same as a pair for what is covered."""
    lower, upper = range_bounds(c, s.lower, s.upper, dim, s.span)
    if lower is None and upper is None:
        return None, (None, None)
    sides = [number(b, s.span) if isinstance(b, int) else b for b in (lower, upper)]
    return ast.SliceItem(sides[0], sides[1], s.span), (lower, upper)
