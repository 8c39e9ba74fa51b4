"""Types of variables: from the base type, bounds and use of a declaration."""

from __future__ import annotations

from emfppl.compiler.distributions import STANDARD
from emfppl.compiler.from_stan.build import call, names_in, number
from emfppl.compiler.from_stan.context import Context
from emfppl.compiler.from_stan.distribution_table import HALF
from emfppl.compiler.from_stan.values import Refused, Variable
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.source import Span

STRUCTURED = {
    "simplex": "simplex", "ordered": "ordered", "positive_ordered": "positive_ordered", "sum_to_zero_vector": "sum_to_zero",
    "corr_matrix": "corr", "cov_matrix": "cov", "cholesky_factor_corr": "corr_cholesky", "cholesky_factor_cov": "cov_cholesky",
}  # fmt: skip
NATURAL = {"simplex": "Dirichlet", "cholesky_factor_corr": "LKJCholesky", "corr_matrix": "LKJ", "cov_matrix": "Wishart"}


def constant(expr: ast.Expr | None) -> float | None:
    """The value of a number with its sign."""
    match expr:
        case ast.Number(text):
            return float(text)
        case ast.Unary("-", ast.Number(text)):
            return -float(text)
    return None


def bounds_type(c: Context, v: Variable, span: Span, on_data: bool = False) -> ast.TypeExpr | None:
    """``positive`` from ``<lower=0>``; None for no bounds. Bounds of data are numbers, others are left out."""
    sides: dict[str, ast.Expr] = {k: b for k, b in v.bounds.items() if k in ("lower", "upper") and isinstance(b, ast.Expr)}
    if on_data:
        sides = {k: b for k, b in sides.items() if constant(b) is not None}
    lower, upper = (constant(sides.get(k)) for k in ("lower", "upper"))
    whole = v.core == "int"
    if whole and (set(sides), lower, upper) == ({"lower"}, 0, None):
        return ast.TypeExpr("count", span=span)
    if whole:
        args = tuple(ast.Argument(k, b, span) for k, b in sides.items())
        both = tuple(ast.Argument(None, sides[k], span) for k in ("lower", "upper") if k in sides)
        return ast.TypeExpr("int", both if len(both) == 2 else args, span=span)
    if not sides:
        return None
    if (set(sides), lower) == ({"lower"}, 0):
        return ast.TypeExpr("nonnegative" if on_data and v.stan not in c.scale_names else "positive", span=span)
    if (lower, upper) == (0, 1):
        return ast.TypeExpr("unit", span=span)
    args = tuple(ast.Argument(k if len(sides) == 1 else None, sides[k], span) for k in ("lower", "upper") if k in sides)
    return ast.TypeExpr("real", args, span=span)


def data_type(c: Context, v: Variable, span: Span) -> ast.TypeExpr:
    if v.index_of is not None:
        return ast.TypeExpr("index", (ast.Argument(None, ast.Name(v.index_of, span), span),), span=span)
    if v.base in STRUCTURED:
        return ast.TypeExpr(STRUCTURED[v.base], span=span)
    if v.stan in c.bool_names:
        return ast.TypeExpr("bool", span=span)
    return bounds_type(c, v, span, on_data=True) or ast.TypeExpr("real", span=span)


def prior_type(c: Context, v: Variable, dist: ast.Call, span: Span) -> tuple[ast.TypeExpr | None, ast.Call]:
    """The type to write with a prior, and the prior: half of a distribution that is cut at its middle."""
    if v.base in STRUCTURED:
        natural = NATURAL.get(v.base) == dist.func or dist.func == "LKJCholesky"
        if v.base == "sum_to_zero_vector" and c.depends(dist):
            _note_normaliser(c, dist)
        return None if natural else ast.TypeExpr(STRUCTURED[v.base], span=span), dist
    kind = bounds_type(c, v, span) if v.core != "int" else None
    if kind is None or not _narrower(kind, dist):
        return None, dist
    args = [a.value for a in dist.args]
    if kind.name == "positive" and dist.func in HALF and constant(args[0]) == 0:
        return None, call(HALF[dist.func], *args[1:], span=span)
    if c.depends(dist) or c.depends(tuple(a.value for a in kind.args)):
        _note_normaliser(c, dist)
    return kind, dist


def _narrower(kind: ast.TypeExpr, dist: ast.Call) -> bool:
    """Whether a type cuts off some of a distribution's support."""
    row = STANDARD.get(dist.func)
    support = row.support if row else ""
    if support == "positive" and kind.name == "positive" or support == "unit" and kind.name == "unit":
        return False
    if dist.func == "Uniform":
        low, high = (constant(a.value) for a in dist.args)
        bounds = {"positive": (0.0, None), "unit": (0.0, 1.0)}.get(kind.name) or _numbers(kind)
        inside = [low is not None and (bounds[0] is None or bounds[0] <= low), high is not None]
        return not (all(inside) and (bounds[1] is None or (high or 0.0) <= bounds[1]))
    return True


def _numbers(kind: ast.TypeExpr) -> tuple[float | None, float | None]:
    found = {a.name or ("lower", "upper")[i]: constant(a.value) for i, a in enumerate(kind.args)}
    return found.get("lower"), found.get("upper")


def _note_normaliser(c: Context, dist: ast.Call) -> None:
    names = sorted(names_in(dist) & c.latent)
    what = f", which depends on {', '.join(names)}" if names else ""
    c.notes.append(f"# Stan leaves out the normalising constant of the cut{what}; it is here, so the posteriors differ")


def flat_prior(c: Context, v: Variable, span: Span) -> tuple[ast.TypeExpr | None, ast.Call]:
    """Stan's prior where none is written: uniform over the declared type, proper where that is bounded."""
    if v.base == "cholesky_factor_corr":
        return None, call("LKJCholesky", number(1, span), span=span)
    if v.base == "simplex":
        return None, call("Dirichlet", number(1, span), span=span)
    if v.base in ("corr_matrix", "cov_matrix", "cholesky_factor_cov", "unit_vector") and STANDARD.get("LKJ") is None:
        raise Refused("E1402", f"`{v.stan}` is a {v.base} without a distribution.", span, "give it one")
    if v.base == "corr_matrix":
        return None, call("LKJ", number(1, span), span=span)
    if v.base in STRUCTURED:
        return ast.TypeExpr(STRUCTURED[v.base], span=span), call("Flat", span=span)
    kind = bounds_type(c, v, span)
    both = {"unit": (number(0, span), number(1, span))}.get(kind.name) if kind else None
    if kind is not None and kind.name == "real" and len(kind.args) == 2 and not c.depends(tuple(a.value for a in kind.args)):
        both = (kind.args[0].value, kind.args[1].value)
    if both is not None:
        return None, call("Uniform", *both, span=span)
    return kind, call("Flat", span=span)
