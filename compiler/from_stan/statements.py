"""Statements of Stan one after another; what is refused is kept, and the rest is translated on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from emfppl.compiler.from_stan.build import names_in
from emfppl.compiler.from_stan.context import Context, Loop
from emfppl.compiler.from_stan.draws import drawn, region_of
from emfppl.compiler.from_stan.expressions import differing, lined_up, translated
from emfppl.compiler.from_stan.loops import loop_dim, loop_range
from emfppl.compiler.from_stan.subscripts import flattened, place, target_of
from emfppl.compiler.from_stan.values import Refused, Variable
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.diagnostics import Diagnostic
from emfppl.grammar.source import SourceText
from emfppl.grammar.stan import stan_nodes as stan

WHY_OTHER = {
    "while": ("`while` loops have no counterpart: the number of rounds is fixed by a dim.", "write `for` over a range"),
    "foreach": ("Loops run over ranges of positions here.", "write for (i in 1:N) … x[i]"),
    "jump": ("`break` and `continue` have no counterpart.", "choose with a condition ? value : otherwise"),
    "print": ("Nothing is printed by a program.", "delete it"),
    "reject": ("A program can't reject values.", "declare bounds on the variable"),
}
DENSITY_ENDINGS = ("_lpdf", "_lpmf", "_lupdf", "_lupmf")


def body(c: Context, statements: Iterable[stan.Statement], source: SourceText, found: list[Diagnostic]) -> list[ast.Statement]:
    """All that can be translated; the rest is told in `found`."""
    out: list[ast.Statement] = []
    for s in statements:
        c.notes.clear()
        try:
            new = _statement(c, s, source, found)
        except Refused as why:
            tell(found, why, source)
            continue
        out += _commented(new, s.comments, tuple(c.notes))
        c.notes.clear()
    return out


def tell(found: list[Diagnostic], why: Refused, source: SourceText) -> None:
    """Keep what was refused, unless it follows from something that was told."""
    if why.code:
        found.append(Diagnostic(why.code, why.message, why.span, why.hint, source))


def _commented(new: list[ast.Statement], comments: ast.Comments, notes: tuple[str, ...]) -> list[ast.Statement]:
    if not new:
        return []
    first = new[0]
    kept = ast.Comments((*comments.above, *notes, *first.comments.above), comments.behind or first.comments.behind)
    return [replace(first, comments=kept), *new[1:]]


def _statement(c: Context, s: stan.Statement, source: SourceText, found: list[Diagnostic]) -> list[ast.Statement]:
    match s:
        case stan.Declared():
            return declared(c, s)
        case stan.Assigned():
            return assigned(c, s)
        case stan.Drawn():
            return _over_range(c, s, source, found) or drawn(c, s)
        case stan.Increment():
            return _increment(c, s)
        case stan.Block():
            return body(c, s.body, source, found)
        case stan.For():
            return _for(c, s, source, found)
        case stan.Choice():
            return _choice(c, s)
        case stan.Result():
            raise Refused("E1402", "`return` stands outside of a function.", s.span)
    message, hint = WHY_OTHER.get(s.kind, (f"`{s.kind}` can't be called by itself.", "delete it"))
    raise Refused("E1402", message, s.span, hint)


# ---------------------------------------------------------------- declarations and values


def variable_of(c: Context, s: stan.Declared, role: str) -> Variable:
    """A declared variable, its sizes as dims; a dim that comes twice gets a prime."""
    dims: list[str] = []
    square = s.base in ("corr_matrix", "cov_matrix", "cholesky_factor_corr", "cholesky_factor_cov") and len(s.sizes) == 1
    for size in (*s.array, *s.sizes, *(s.sizes if square else ())):
        label = c.dim_of(size)
        while label in dims:
            label += "'"
        dims.append(label)
    core = "matrix" if square else s.base if s.base in ("int", "real", "matrix", "row_vector") else "vector"
    if s.base in ("complex", "tuple", "complex_vector", "unit_vector"):
        raise Refused("E1402", f"There is no type `{s.base}` here.", s.span, "write it with real numbers")
    loops = tuple(one.var for one in c.loops)
    return Variable(s.name, c.fresh(s.name), role, core, tuple(dims), s.base, loops=loops, span=s.span, comments=s.comments)


def declared(c: Context, s: stan.Declared) -> list[ast.Statement]:
    """A variable that is computed, with its value where it has one."""
    variable = c.add(variable_of(c, s, "computed"))
    if s.value is None:
        return []
    return _set(c, variable, [], s.value, s)


def assigned(c: Context, s: stan.Assigned) -> list[ast.Statement]:
    left, indices = flattened(s.left)
    if not isinstance(left, stan.Name):
        raise Refused("E1402", "This can't be set.", s.left.span)
    variable = c.variable(left.id, s.left.span)
    value = s.value
    if s.op not in ("=", "<-"):
        value = stan.Operation(s.op[:-1], (s.left, s.value), s.span)
    if variable.role != "computed":
        raise Refused("E1402", f"`{left.id}` can't be set here.", s.span)
    return _set(c, variable, list(indices), value, s)


def _set(c: Context, v: Variable, indices: list, value: stan.Expr, s: stan.Declared | stan.Assigned) -> list[ast.Statement]:
    places = [place(c, i, d, translated) for i, d in zip(indices, v.dims, strict=False)]
    around = [one.var for one in c.loops if one.var not in v.loops]
    missing = [name for name in around if not any(name in names_in(p.item) for p in places)]
    if missing:
        hint = "write sum(…), or set an entry in each round"
        raise Refused("E1402", f"`{v.stan}` is set anew in every round of the loop; here a variable has one value.", s.span, hint)
    if isinstance(value, stan.Call) and value.name.endswith("_rng"):
        return _simulated(c, v, places, value, s)
    new = translated(c, value)
    region = region_of(c, v.dims, places)
    _new_version(c, v, region, s)
    target = target_of(c, v.name, v.dims, places, s.span)
    free = tuple(d for p in places for d in p.dims) + v.dims[len(places) :]
    if len(new.dims) > len(free):
        raise differing(new.dims, free, s.span)
    expr = lined_up(c, new, free, s.span)
    if c.depends(expr):
        c.latent.add(v.name)
    if new.position is not None and v.core == "int":
        expr, v.index_of = new.position, new.of
    return [ast.Assign(target, None, expr, span=s.span)]


def _new_version(c: Context, v: Variable, region: tuple, s: stan.Declared | stan.Assigned) -> None:
    """A variable that is set again is another one from here on."""
    full = ((None, None),) * len(region)
    if v.pieces and (region == full or full in v.pieces or region in v.pieces):
        if region != full:
            hint = "give the sum a name of its own"
            raise Refused("E1402", f"Parts of `{v.stan}` are set twice; here a variable has one value.", s.span, hint)
        v.version += 1
        v.name = f"{v.name.partition('@')[0]}@{v.version}"
        c.versions[v.name.partition("@")[0]] = v.version
        v.pieces.clear()
    v.pieces.append(region)


def _simulated(c: Context, v: Variable, places: list, value: stan.Call, s: stan.Declared | stan.Assigned) -> list[ast.Statement]:
    """``y_rep = normal_rng(mu, sigma)``: drawn forward."""
    as_parameter = Variable(v.stan, v.name, "parameter", v.core, v.dims, v.base)
    c.scopes.append({v.stan: as_parameter})
    try:
        left = s.left if isinstance(s, stan.Assigned) else stan.Name(s.name, s.span)
        out = drawn(c, stan.Drawn(left, value.name[:-4], value.args, span=s.span))
    finally:
        c.scopes.pop()
    c.latent.add(v.name)
    c.random.add(v.name)
    return out


# ---------------------------------------------------------------- weights


def _increment(c: Context, s: stan.Increment) -> list[ast.Statement]:
    """``target += a + b``: each part by itself, a log density of a variable as its `~`."""
    match s.value:
        case stan.Operation("+", (left, right)):
            return [x for one in (left, right) for x in _increment(c, replace(s, value=one))]
        case stan.Call(name, args) if name.endswith(DENSITY_ENDINGS) and name not in c.functions:
            return drawn(c, stan.Drawn(args[0], name.rpartition("_")[0], args[1:], span=s.span))
    _need_no_sum_over_states(s.value)
    value = translated(c, s.value)
    if not c.depends(value.expr):
        return []
    inner = value.expr
    if isinstance(inner, ast.Call) and inner.func == "sum" and len(inner.args) == 1:  # a factor adds up by itself
        inner = inner.args[0].value
    return [ast.Factor(inner, span=s.span)]


def _need_no_sum_over_states(node: object) -> None:
    """A discrete variable that is summed out by hand is written in the open here."""
    if isinstance(node, stan.Call) and node.name in ("log_mix", "log_sum_exp"):
        hint = "draw it in the open, z[obs] ~ Categorical(w) and y[obs] ~ Normal(mu[z], s), or write Mixture(w, …)"
        raise Refused("E1404", f"`{node.name}` sums a discrete variable out by hand.", node.span, hint)
    for part in getattr(node, "operands", None) or getattr(node, "args", None) or ():
        _need_no_sum_over_states(part)


# ---------------------------------------------------------------- loops and choices


def _for(c: Context, s: stan.For, source: SourceText, found: list[Diagnostic]) -> list[ast.Statement]:
    dim = loop_dim(c, s)
    bounds, part = loop_range(c, s, dim)
    name = c.fresh(s.var)
    c.taken.discard(name)
    variable = Variable(s.var, name, "loop", "int", (), index_of=dim)
    c.scopes.append({s.var: variable})
    c.loops.append(Loop(name, dim, part))
    try:
        inner = body(c, s.body, source, found)
    finally:
        c.scopes.pop()
        c.loops.pop()
    if not inner:
        return []
    comments = inner[0].comments
    if comments.above[:1] == ("",):
        inner[0] = replace(inner[0], comments=replace(comments, above=comments.above[1:]))
    return [ast.For(name, ast.DimRef(dim, bounds, s.span), tuple(inner), span=s.span, var_span=s.span)]


def _over_range(c: Context, s: stan.Drawn, source: SourceText, found: list[Diagnostic]) -> list[ast.Statement]:
    """``x[2:T] ~ normal(x[1:(T - 1)], s)`` is a loop: each entry is drawn from one before it."""
    match s.left:
        case stan.Index(stan.Name(name), (stan.Range(lower, upper),)) if lower is not None and upper is not None:
            pass
        case _:
            return []
    if not any(_uses(a, name) for a in s.args):
        return []
    var = "t" if c.find("t") is None else "t_"
    step = stan.Name(var, s.span)

    def at(node: stan.Expr) -> stan.Expr:
        match node:
            case stan.Index(inner, (stan.Range(first, _),)) if first is not None:
                moved = stan.Operation("-", (stan.Operation("+", (step, first)), lower))
                return stan.Index(inner, (moved,), node.span)
            case stan.Operation(op, operands):
                return stan.Operation({".*": "*", "./": "/"}.get(op, op), tuple(map(at, operands)), node.span)
            case stan.Call(func, args):
                return stan.Call(func, tuple(map(at, args)), node.span)
        return node

    draw = replace(s, left=stan.Index(s.left.base, (step,), s.left.span), args=tuple(map(at, s.args)), comments=ast.Comments())
    return _for(c, stan.For(var, lower, upper, (draw,), span=s.span), source, found)


def _uses(node: object, name: str) -> bool:
    if isinstance(node, stan.Name):
        return node.id == name
    parts = [getattr(node, f, ()) for f in ("operands", "args", "indices", "items")]
    return any(_uses(p, name) for part in parts for p in part) or _uses(getattr(node, "base", None), name) if node else False


def _choice(c: Context, s: stan.Choice) -> list[ast.Statement]:
    """``if (a) x = b; else x = c;`` sets one variable."""
    match s.yes, s.no:
        case (stan.Assigned(left, "=", yes),), (stan.Assigned(other, "=", no),) if left == other:
            return assigned(c, stan.Assigned(left, "=", stan.Operation("?", (s.condition, yes, no), s.span), span=s.span))
    hint = "choose a value with condition ? value : otherwise; leave out what a switch in the data turns off"
    raise Refused("E1402", "A choice between statements has no counterpart.", s.span, hint)
