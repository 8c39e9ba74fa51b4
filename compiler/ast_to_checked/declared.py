"""What a written type means: ``real(0, a)``, ``index(county)``, ``simplex``."""

from __future__ import annotations

import math

from emfppl.compiler.ast_to_checked import dims, types
from emfppl.compiler.ast_to_checked.constants import fold
from emfppl.compiler.ast_to_checked.context import Context, Env, listed, near
from emfppl.compiler.expressions import Const, Expr, Kind, SizeOf, Type
from emfppl.compiler.graph import Integers, Interval, Structured
from emfppl.compiler.sizes import Size
from emfppl.compiler.supports import (
    SCALAR_TYPES,
    STRUCTURED_TYPES,
    TYPE_NAMES,
    DeclaredType,
    const_bound,
    number,
)
from emfppl.grammar import ast_nodes as ast

FOREIGN = {
    "float": "real", "double": "real", "number": "real", "integer": "int", "boolean": "bool",
    "logical": "bool",
    "vector": "real", "matrix": "real", "array": "real", "string": "index(dim)", "factor": "index(dim)",
    "categorical": "index(dim)", "probability": "unit", "natural": "count", "nat": "count",
    "nonneg": "nonnegative",
    "pos": "positive", "cov_matrix": "cov", "corr_matrix": "corr", "cholesky_factor_corr": "corr_cholesky",
    "cholesky_factor_cov": "cov_cholesky",
}  # fmt: skip


def declared_type(c: Context, node: ast.TypeExpr, rank: int | None, env: Env) -> DeclaredType | None:
    """The meaning of a type on something with `rank` dims (None: not known)."""
    text = c.text(node) or node.name + ("?" if node.optional else "")
    if node.name in STRUCTURED_TYPES:
        return _structured(c, node, rank, text)
    if node.name == "index":
        return _index(c, node, env, text)
    if node.name not in SCALAR_TYPES:
        other = FOREIGN.get(node.name.lower())
        hint = (
            f"here that is {other}"
            if other
            else near(node.name, TYPE_NAMES) or f"types are {listed(TYPE_NAMES)}"
        )
        return c.error("E0403", f"There is no type named `{node.name}`.", node.span, hint)
    kind, support = SCALAR_TYPES[node.name]
    if node.args:
        bounds = _bounds(c, node, kind, env)
        if bounds is None:
            return None
        support = Interval(*bounds) if kind is Kind.REAL else Integers(*bounds)
    return DeclaredType(kind, support, None, node.optional, text, node.span)


def _structured(c: Context, node: ast.TypeExpr, rank: int | None, text: str) -> DeclaredType | None:
    if node.args:
        return c.error("E0403", f"The type `{node.name}` takes no arguments.", node.span)
    if node.optional:
        return c.error(
            "E0406", f"Entries of a {node.name} can't be missing one by one.", node.span, f"write {node.name}"
        )
    support = Structured(node.name)
    if rank is not None and rank < support.event_rank:
        needs = "a dim, the last one, to run over" if support.event_rank == 1 else "two dims, such as [k, k']"
        return c.error("E0403", f"The type `{node.name}` needs {needs}.", node.span)
    return DeclaredType(Kind.REAL, support, None, False, text, node.span)


def _index(c: Context, node: ast.TypeExpr, env: Env, text: str) -> DeclaredType | None:
    if len(node.args) != 1 or not isinstance(node.args[0].value, ast.Name) or node.args[0].name is not None:
        return c.error("E0403", "The type index names one dim.", node.span, "write index(county)")
    name = node.args[0].value
    label = dims.need_label(c, ast.DimRef(name.id, None, name.span), env)
    if label is None:
        return None
    base = label.rstrip("'")
    top = Size.of(base) - 1
    support = Integers(number(0), dims_number(top))
    return DeclaredType(Kind.INDEX, support, base, node.optional, text, node.span)


def dims_number(size: Size) -> Expr:
    """A size as an expression."""
    return number(size.value) if size.value is not None else SizeOf(size, Type(Kind.INT))


def _bounds(c: Context, node: ast.TypeExpr, kind: Kind, env: Env) -> tuple[Expr | None, Expr | None] | None:
    if node.name not in ("real", "int"):
        hint = f"only real and int take bounds: real(lower, upper); `{node.name}` has its own"
        return c.error("E0403", f"The type `{node.name}` takes no arguments.", node.span, hint)
    given: dict[str, Expr | None] = {}
    for position, arg in enumerate(node.args):
        name = arg.name or ("lower", "upper")[min(position, 1)]
        if name not in ("lower", "upper") or name in given:
            hint = f"write {node.name}(lower, upper), {node.name}(lower = a) or {node.name}(upper = b)"
            return c.error(
                "E0403",
                f"A type takes one lower and one upper bound; `{c.text(arg.value)}` is neither.",
                arg.span,
                hint,
            )
        bound = _bound(c, arg.value, kind, env)
        if bound is None:
            return None
        given[name] = None if isinstance(bound, Const) and math.isinf(bound.value) else bound
    lower, upper = given.get("lower"), given.get("upper")
    low, high = const_bound(lower, -math.inf), const_bound(upper, math.inf)
    if low is not None and high is not None and (low > high or (kind is Kind.REAL and low == high)):
        message = f"The lower bound {low:g} of `{c.text(node)}` is not below the upper bound {high:g}."
        return c.error(
            "E0403", message, node.span, f"write {node.name}({high:g}, {low:g})" if low > high else ""
        )
    return lower, upper


def _bound(c: Context, node: ast.Expr, kind: Kind, env: Env) -> Expr | None:
    value = types.type_of(c, node, env)
    if value is None:
        return None
    value = fold(value)
    if value.type.kind in (Kind.BOOL, Kind.INDEX) or (kind is Kind.INT and value.type.kind is Kind.REAL):
        finite = not (isinstance(value, Const) and math.isinf(value.value))
        if finite:
            wanted = "a whole number" if kind is Kind.INT else "a number"
            return c.error(
                "E0403", f"A bound of this type is {wanted}, not {value.type.kind.value}.", node.span
            )
    return value
