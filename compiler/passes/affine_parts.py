"""The parts of an expression that are affine in some variables, and the products of two such parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from emfppl.compiler.affine import AFFINE, FREE, OTHER, degree, is_product
from emfppl.compiler.expressions import Apply, Expr, Let, children, with_children

Degrees = Mapping[str, int]
Change = Callable[[Expr, Expr], Expr]
"""Called with a part with its local names bound, and with it as it stands: what comes in its place."""


def affine_parts(expr: Expr, own: Degrees) -> tuple[Expr, ...]:
    """The largest sub-expressions that are affine in the variables in `own`, and not free of them, up to a sign; with local names
    bound."""
    return _noted(expr, own, _is_part)


def with_affine_parts(expr: Expr, own: Degrees, change: Change) -> Expr:
    """The expression with other things in the place of its affine parts."""
    return _Rewriting(_is_part, change).expr(expr, own, ())


def products(expr: Expr, own: Degrees) -> tuple[Expr, ...]:
    """The products of two parts that are each affine, with local names bound."""
    return _noted(expr, own, _is_product)


def _is_part(expr: Expr, own: Degrees) -> bool:
    return degree(expr, own) == AFFINE and not (isinstance(expr, Apply) and expr.op == "neg")


def _is_product(expr: Expr, own: Degrees) -> bool:
    return is_product(expr) and degree(expr, own) == OTHER and all(degree(c, own) <= AFFINE for c in children(expr))


def _noted(expr: Expr, own: Degrees, stop: Callable[[Expr, Degrees], bool]) -> tuple[Expr, ...]:
    found: list[Expr] = []

    def note(part: Expr, standing: Expr) -> Expr:
        found.append(part)
        return standing

    _Rewriting(stop, note).expr(expr, own, ())
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class _Rewriting:
    """Changes the outermost sub-expressions that `stop` holds of.

    Of local values only those are looked into that are neither free nor affine: what is affine is a part where it is used.
    """

    stop: Callable[[Expr, Degrees], bool]
    change: Change

    def expr(self, expr: Expr, own: Degrees, bound: tuple[tuple[str, Expr], ...]) -> Expr:
        if self.stop(expr, own):
            return self.change(Let(bound, expr, expr.type, expr.span) if bound else expr, expr)
        if degree(expr, own) == FREE:
            return expr
        if isinstance(expr, Let):
            return self._let(expr, own, bound)
        return with_children(expr, tuple(self.expr(c, own, bound) for c in children(expr)))

    def _let(self, expr: Let, own: Degrees, bound: tuple[tuple[str, Expr], ...]) -> Let:
        local, bindings = dict(own), []
        for name, value in expr.bindings:
            local[name] = degree(value, local)
            bindings.append((name, self.expr(value, local, bound) if local[name] == OTHER else value))
            bound = (*bound, (name, value))
        return replace(expr, bindings=tuple(bindings), body=self.expr(expr.body, local, bound))
