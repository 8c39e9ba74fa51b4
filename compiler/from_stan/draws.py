"""`left ~ dist(args)`: a prior, an observation, or, for what is no variable of its own, a factor."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches

from emfppl.compiler.distributions import STANDARD
from emfppl.compiler.from_stan.build import call, filled
from emfppl.compiler.from_stan.context import Context
from emfppl.compiler.from_stan.densities import density
from emfppl.compiler.from_stan.distribution_table import GLM, TABLE, Row
from emfppl.compiler.from_stan.expressions import elementwise, formula, lined_up, product, translated
from emfppl.compiler.from_stan.renaming import fresh_label, renamed
from emfppl.compiler.from_stan.subscripts import Place, dims_of, flattened, place, target_of
from emfppl.compiler.from_stan.types import prior_type
from emfppl.compiler.from_stan.values import Refused, Value, Variable
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.source import Span
from emfppl.grammar.stan import stan_nodes as stan


def drawn(c: Context, s: stan.Drawn) -> list[ast.Statement]:
    """The statement as it is here."""
    row = _row(s)
    values = _arguments(c, s)
    if s.dist in GLM:
        s = replace(s, dist=GLM[s.dist][0])
        row = TABLE[s.dist]
    if len(values) != len(row.kinds):
        raise Refused("E1403", f"`{s.dist}` takes {len(row.kinds)} arguments here.", s.span)
    left, indices = flattened(_unwrapped(s.left))
    variable = c.find(left.id) if isinstance(left, stan.Name) else None
    if variable is None or variable.role not in ("data", "parameter"):
        return _weight(c, s, values)
    places = [place(c, i, d, translated) for i, d in zip(indices, variable.dims, strict=False)]
    region = region_of(c, variable.dims, places)
    if any(p.dims not in ((), (d,)) for p, d in zip(places, variable.dims, strict=False)):
        raise Refused("E1402", "A gather can't be drawn.", s.left.span, "loop over the whole array, and gather on the right")
    if variable.role == "parameter" and (_again(variable, region) or _structured_part(variable, region)):
        return _weight(c, s, values)
    target = target_of(c, variable.name, variable.dims, places, s.left.span)
    free = tuple(d for p in places for d in p.dims) + variable.dims[len(places) :]
    dist = _distribution(c, s, row, values, free, target)
    if variable.role == "data":
        return [ast.Random(target, None, dist, span=s.span)]
    variable.drawn.append(region)
    kind, dist = prior_type(c, variable, dist, s.span)
    return [ast.Random(target, kind, dist, span=s.span)]


def _row(s: stan.Drawn) -> Row:
    row = TABLE.get(GLM.get(s.dist, (s.dist, ""))[0])
    if row is None:
        near = get_close_matches(s.dist, [*TABLE, *GLM], n=1)
        hint = f"did you mean {near[0]}?" if near else "write its log density with factor in the translated program"
        raise Refused("E1403", f"The distribution `{s.dist}` has no counterpart here.", s.span, hint)
    name = row.template.partition("(")[0]
    if STANDARD.get(name) is None:
        hint = "register one from Python, see docs/api.md"
        raise Refused("E1403", f"This version has no distribution for `{s.dist}`.", s.span, hint)
    return row


def _arguments(c: Context, s: stan.Drawn) -> list[Value]:
    values = [translated(c, a) for a in s.args]
    if s.dist in GLM and len(values) >= 3:
        x, alpha, beta, *rest = values
        inner = product(c, replace(x, core="matrix" if len(x.dims) == 2 else "row_vector"), beta, s.span)
        return [elementwise(c, "a + b", [alpha, inner], s.span), *rest]
    return values


def _unwrapped(node: stan.Expr) -> stan.Expr:
    """``to_vector(z)`` as ``z``: each entry is drawn alike."""
    while isinstance(node, stan.Call) and node.name in ("to_vector", "to_row_vector", "to_array_1d") and len(node.args) == 1:
        node = node.args[0]
    return node


def region_of(c: Context, dims: tuple[str, ...], places: list[Place]) -> tuple:
    """The part of every dim that a target covers, (None, None) being all of it."""
    parts: list[tuple] = []
    for p in places:
        if p.part == ("loop", "loop"):
            loop = next((one for one in c.loops if isinstance(p.item, ast.Name) and p.item.id == one.var), None)
            parts.append(loop.part if loop else ("?", "?"))
        else:
            parts.append(p.part)
    return tuple(parts) + ((None, None),) * (len(dims) - len(places))


def _again(v: Variable, region: tuple) -> bool:
    """Whether an entry has its distribution already."""
    full = ((None, None),) * len(region)
    return full in v.drawn or region in v.drawn or (region == full and bool(v.drawn))


STRUCTURED = ("simplex", "ordered", "positive_ordered", "sum_to_zero_vector", "corr_matrix", "cov_matrix", "cholesky_factor_corr")


def _structured_part(v: Variable, region: tuple) -> bool:
    """One entry of a simplex or of an ordered vector has no draw of its own."""
    return v.base in STRUCTURED and region[-1:] != ((None, None),)


def _distribution(c: Context, s: stan.Drawn, row: Row, values: list[Value], free: tuple[str, ...], target: ast.Target) -> ast.Call:
    batch, event = (free[: len(free) - row.event], free[len(free) - row.event :]) if row.event else (free, ())
    exprs: dict[str, ast.Expr] = {}
    for letter, kind, value in zip("abcd", row.kinds, values, strict=False):
        exprs[letter] = _argument(c, kind, value, batch, event, s.span)
    if s.dist == "multinomial":
        exprs["y"] = ast.Subscript(ast.Name(target.name), target.indices, s.span) if c.loops else ast.Name(target.name, s.span)
    dist = filled(row.template, exprs, s.span)
    assert isinstance(dist, ast.Call)
    if s.truncated is None:
        return dist
    bounds = {k: translated(c, b).expr for k, b in zip(("lower", "upper"), s.truncated, strict=True) if b is not None}
    return call("truncated", dist, span=s.span, **bounds)


def _argument(c: Context, kind: str, value: Value, batch: tuple[str, ...], event: tuple[str, ...], span: Span) -> ast.Expr:
    if kind == "s":
        return lined_up(c, value, batch, span)
    if kind == "v":
        wanted = (*batch, *event) if len(value.dims) > 1 else event
        return lined_up(c, value, wanted, span) if wanted else value.expr
    if kind == "m" and len(value.dims) == 2 and event:
        wanted = (event[0], event[1] if len(event) > 1 else fresh_label(event[0], {event[0]}))
        return renamed(value.expr, dict(zip(value.dims, wanted, strict=True)), dims_of(c))
    return value.expr


def _weight(c: Context, s: stan.Drawn, values: list[Value]) -> list[ast.Statement]:
    """What is drawn is no variable of its own, or has its distribution already: its log density is a weight."""
    text = density(s.dist, "density", len(values))
    if text is None or s.truncated is not None:
        message = f"`{s.dist}` stands here for something that is no data and no parameter without a distribution of its own."
        hint = "give every parameter one `~`; write other parts of the log density as target += …"
        raise Refused("E1402", message, s.span, hint)
    left = translated(c, _unwrapped(s.left))
    value = formula(c, text, [left, *values], s.span)
    return [ast.Factor(value, span=s.span)]

