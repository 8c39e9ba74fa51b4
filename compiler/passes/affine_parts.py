"""The parts of an expression that are affine in some variables, and the products of two such parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from emfppl.compiler.affine import AFFINE, FREE, OTHER, degree, is_product
from emfppl.compiler.expressions import Apply, Expr, Let, children

Degrees = Mapping[str, int]
Stops = Callable[[Expr, Degrees], bool]


def affine_parts(expr: Expr, own: Degrees) -> Iterator[Expr]:
    """The largest sub-expressions that are affine in the variables in `own`, and not free of them, up to a sign; with local names
    bound."""

    def is_part(e: Expr, local: Degrees) -> bool:
        return degree(e, local) == AFFINE and not (isinstance(e, Apply) and e.op == "neg")

    return _found(expr, own, is_part)


def products(expr: Expr, own: Degrees) -> Iterator[Expr]:
    """The products of two parts that are each affine, with local names bound."""

    def is_one(e: Expr, local: Degrees) -> bool:
        return is_product(e) and degree(e, local) == OTHER and all(degree(c, local) <= AFFINE for c in children(e))

    return _found(expr, own, is_one)


def _found(expr: Expr, own: Degrees, stop: Stops) -> Iterator[Expr]:
    """The outermost sub-expressions that `stop` holds of."""
    if stop(expr, own):
        yield expr
    elif degree(expr, own) == FREE:
        return
    elif isinstance(expr, Let):
        yield from _in_let(expr, own, stop)
    else:
        for child in children(expr):
            yield from _found(child, own, stop)


def _in_let(expr: Let, own: Degrees, stop: Stops) -> Iterator[Expr]:
    """A local value that is affine is a part where it is used; one that is neither that nor free is searched itself."""
    local = dict(own)
    for n, (name, value) in enumerate(expr.bindings):
        local[name] = degree(value, local)
        if local[name] == OTHER:
            bound = expr.bindings[:n]
            yield from (Let(bound, part, part.type, part.span) if bound else part for part in _found(value, local, stop))
    for part in _found(expr.body, local, stop):
        yield Let(expr.bindings, part, part.type, part.span)
