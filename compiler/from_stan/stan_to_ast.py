"""From a Stan program to a program of this language, block by block.

Sizes become dims, arrays run over them by name; a parameter is declared by its prior; statements are put into an order in which
each name is drawn before it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from emfppl.compiler.from_stan import scan
from emfppl.compiler.from_stan.build import names_in, number
from emfppl.compiler.from_stan.context import Context
from emfppl.compiler.from_stan.expressions import translated
from emfppl.compiler.from_stan.functions import function_of
from emfppl.compiler.from_stan.order import defines, ordered
from emfppl.compiler.from_stan.statements import body, tell, variable_of
from emfppl.compiler.from_stan.types import data_type, flat_prior
from emfppl.compiler.from_stan.values import Refused, Variable
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.diagnostics import Diagnostic
from emfppl.grammar.source import SourceText
from emfppl.grammar.stan import stan_nodes as stan


def program_of(program: stan.StanProgram, source: SourceText) -> tuple[ast.Program, tuple[Diagnostic, ...]]:
    """The translated program, and what could not be translated."""
    found: list[Diagnostic] = []
    c = Context(
        size_names=scan.size_names(program), index_names=scan.index_names(program), bool_names=scan.zero_one(program),
        scale_names=scan.scale_names(program), declared=scan.declared(program),
    )  # fmt: skip
    functions = _each(found, source, program.functions, lambda f: function_of(c, f))
    known = _each(found, source, program.data, lambda s: _data(c, s))
    before = [x for s in program.transformed_data for x in _transformed_data(c, s, source, found)]
    parameters = _each(found, source, program.parameters, lambda s: _parameter(c, s))
    middle = body(c, program.transformed_parameters, source, found)
    c.scopes.append({})
    model = body(c, program.model, source, found)
    c.scopes.pop()
    model += _each(found, source, parameters, lambda v: _without_prior(c, v))
    core = ordered([*middle, *_with_comments_of(model, parameters)])
    data = [_data_statement(c, v) for v in known]
    c.scopes.append({})
    after, notes = _generated(c, program, source)
    groups: list[Sequence[ast.Statement]] = [c.dim_statements, data, functions, before, core, after]
    statements = _named_versions(_grouped(_head(program), groups), c.versions)
    tail = (*(("", *notes) if notes else ()), *program.tail)
    return ast.Program(tuple(statements), tail), tuple(sorted(found, key=lambda d: d.span.start if d.span else 0))


def _each(found: list[Diagnostic], source: SourceText, items: Sequence[Any], make: Callable[[Any], list]) -> list:
    """What is made of each item; what is refused is told."""
    out: list = []
    for item in items:
        try:
            out += make(item)
        except Refused as why:
            tell(found, why, source)
    return out


# ---------------------------------------------------------------- data


def _data(c: Context, s: stan.Statement) -> list[Variable]:
    if not isinstance(s, stan.Declared):
        raise Refused("E1401", "Blocks of data hold declarations.", s.span)
    if s.base == "int" and not s.array and s.name in c.size_names:
        name = c.fresh(s.name)
        c.add(Variable(s.name, name, "size", "int"))
        c.dims[((s.name, 1),)] = name
        c.sizes[name] = {s.name: 1}
        c.dim_statements.append(ast.Dim(name, None, s.comments, s.span, s.span))
        return []
    variable = c.add(variable_of(c, s, "size" if _plain_int(s) else "data"))
    _bounds(c, variable, s)
    if s.name in c.index_names and s.base == "int" and not _plain_int(s):
        variable.index_of = _indexed_dim(c, s)
    return [variable]


def _plain_int(s: stan.Declared) -> bool:
    return s.base == "int" and not s.array


def _indexed_dim(c: Context, s: stan.Declared) -> str | None:
    """The dim that stands for ``upper=J``; None where the first subscript tells."""
    upper = s.bound("upper")
    said = c.linear(upper) if upper is not None else None
    if said is None:
        return None
    key = tuple(sorted((k, v) for k, v in said.items() if v))
    return c.dims.get(key) or (c.dim_of(upper) if upper is not None else None)


def _bounds(c: Context, v: Variable, s: stan.Declared) -> None:
    v.bounds = {side: _bound(c, expr) for side, expr in s.bounds if side in ("lower", "upper")}


def _bound(c: Context, expr: stan.Expr) -> ast.Expr | None:
    try:
        return translated(c, expr).expr
    except Refused:
        return None


def _data_statement(c: Context, v: Variable) -> ast.Data:
    comments = v.comments
    if v.index_of is not None and not comments.behind:
        comments = replace(comments, behind="# counts from 0; from 1 in Stan")
    over = tuple(ast.DimRef(d, None, v.span) for d in v.dims)
    return ast.Data(v.name, over, data_type(c, v, v.span), None, comments, v.span, v.span)


def _transformed_data(c: Context, s: stan.Statement, source: SourceText, found: list[Diagnostic]) -> list[ast.Statement]:
    """A size that is computed from others is a dim."""
    if isinstance(s, stan.Declared) and _plain_int(s) and s.name in c.size_names and s.value is not None:
        said = c.linear(s.value)
        if said is not None:
            name = c.fresh(s.name)
            c.add(Variable(s.name, name, "size", "int"))
            c.dims[((s.name, 1),)] = name
            c.sizes[name] = {s.name: 1}
            size = c.size_expr(said, s.span) if any(said.values()) else number(0, s.span)
            c.dim_statements.append(ast.Dim(name, size, s.comments, s.span, s.span))
            return []
    return body(c, (s,), source, found)


# ---------------------------------------------------------------- parameters


def _parameter(c: Context, s: stan.Statement) -> list[Variable]:
    if not isinstance(s, stan.Declared):
        raise Refused("E1401", "The block of parameters holds declarations.", s.span)
    if s.base == "int":
        raise Refused("E1404", f"`{s.name}` is a parameter of whole numbers, which Stan does not take either.", s.span)
    variable = c.add(variable_of(c, s, "parameter"))
    _bounds(c, variable, s)
    c.latent.add(variable.name)
    return [variable]


def _without_prior(c: Context, v: Variable) -> list[ast.Statement]:
    """What has no `~` is flat in Stan."""
    full = ((None, None),) * len(v.dims)
    if full in v.drawn or (v.drawn and not v.dims):
        return []
    kind, dist = flat_prior(c, v, v.span)
    targets = [tuple(ast.Name(d, v.span) for d in v.dims)] if not v.drawn else list(_gaps(v))
    return [ast.Random(ast.Target(v.name, items, v.span, v.span), kind, dist, span=v.span) for items in targets]


def _gaps(v: Variable) -> list[tuple[ast.Expr, ...]]:
    """The parts of a parameter in front of the first and behind the last one that is drawn, along its one divided axis."""
    axes = {i for region in v.drawn for i, part in enumerate(region) if part != (None, None)}
    if len(axes) != 1:
        return []
    (axis,) = axes
    parts = [region[axis] for region in v.drawn]
    starts = [low or 0 for low, _ in parts if low is None or (isinstance(low, int) and low >= 0)]
    ends = [high for _, high in parts]
    out = []
    if len(starts) == len(parts) and min(starts) > 0:
        out.append(_part(v, axis, 0 if min(starts) == 1 else None, min(starts)))
    if None not in ends and all(isinstance(e, int) and e < 0 for e in ends):
        out.append(_part(v, axis, -1 if max(ends) == -1 else None, max(ends)))
    return out


def _part(v: Variable, axis: int, position: int | None, bound: int) -> tuple[ast.Expr, ...]:
    items: list[ast.Expr] = [ast.Name(d, v.span) for d in v.dims]
    if position is not None:
        items[axis] = number(position, v.span)
    else:
        cut = ast.SliceItem(None, number(bound, v.span)) if bound > 0 else ast.SliceItem(number(bound, v.span), None)
        items[axis] = ast.Subscript(ast.Name(v.dims[axis], v.span), (cut,), v.span)
    return tuple(items)


def _with_comments_of(model: Sequence[ast.Statement], parameters: Sequence[Variable]) -> list[ast.Statement]:
    """The comments at a parameter's declaration go to its prior."""
    out = list(model)
    for v in parameters:
        at = next((i for i, s in enumerate(out) if v.name in defines(s)), None)
        if at is None or v.comments == ast.Comments():
            continue
        mine = out[at].comments
        extra = () if not mine.behind else (v.comments.behind,) if v.comments.behind else ()
        both = ast.Comments((*v.comments.above, *extra, *mine.above), mine.behind or v.comments.behind)
        out[at] = replace(out[at], comments=both)
    return out


# ---------------------------------------------------------------- generated quantities


def _generated(c: Context, program: stan.StanProgram, source: SourceText) -> tuple[list[ast.Statement], tuple[str, ...]]:
    """What can be translated of the generated quantities, and a note on what is left out."""
    problems: list[Diagnostic] = []
    c.formulas = False
    out: list[ast.Statement] = [s for s in body(c, program.generated, source, problems) if not isinstance(s, ast.Factor)]
    lost = {name for d in problems for name in _set_around(program.generated, d)}
    kept = _without(tuple(out), lost)
    while kept != tuple(out):
        gone = set().union(*map(defines, out)) - set().union(set(), *map(defines, kept))
        lost |= gone
        out = list(kept)
        kept = _without(kept, lost)
    lost -= set().union(set(), *map(defines, out))
    declared = dict.fromkeys(d.name for d in scan.nodes(program.generated) if isinstance(d, stan.Declared))
    names = ", ".join(n for n in declared if n in lost)
    return out, (f"# left out of the generated quantities: {names}",) if names else ()


def _set_around(statements: tuple, problem: Diagnostic) -> set[str]:
    """The variables that the statement with a problem would set."""
    around = [s for s in scan.nodes(statements) if isinstance(s, stan.Declared | stan.Assigned | stan.For | stan.Choice)]
    at = problem.span.start if problem.span else 0
    here = [s for s in around if s.span.start <= at < s.span.end]
    return set().union(*map(_set_by, here[-1:])) if here else set()


def _set_by(s: stan.Statement) -> set[str]:
    found = set()
    for node in scan.nodes(s):
        inner = node.left if isinstance(node, stan.Assigned) else None
        while isinstance(inner, stan.Index):
            inner = inner.base
        found |= {inner.id} if isinstance(inner, stan.Name) else {node.name} if isinstance(node, stan.Declared) else set()
    return found


def _without(statements: tuple[ast.Statement, ...], lost: set[str]) -> tuple[ast.Statement, ...]:
    """The statements that use nothing of what is left out."""
    out: list[ast.Statement] = []
    for s in statements:
        if isinstance(s, ast.For):
            inner = _without(s.body, lost)
            out += [replace(s, body=inner)] if inner else []
        elif isinstance(s, ast.Random | ast.Assign) and not names_in(s.dist if isinstance(s, ast.Random) else s.value) & lost:
            out.append(s)
    return tuple(out)


# ---------------------------------------------------------------- the whole text


def _head(program: stan.StanProgram) -> tuple[str, ...]:
    return program.head


def _grouped(head: tuple[str, ...], groups: Sequence[Sequence[ast.Statement]]) -> list[ast.Statement]:
    """The statements with a blank line between groups, comments of the file first."""
    out: list[ast.Statement] = []
    for group in groups:
        for i, s in enumerate(group):
            above = s.comments.above
            if i == 0 and out:
                above = ("", *above)
            if not out:
                above = (*head, *above)
            out.append(replace(s, comments=replace(s.comments, above=above)))
    return out


def _named_versions(statements: list[ast.Statement], versions: dict[str, int]) -> list[ast.Statement]:
    """The last version of a variable that was set several times keeps the name."""
    names: dict[str, str] = {}
    for name, last in versions.items():
        names[f"{name}@{last}"] = name
        names[name] = f"{name}_1"
        names |= {f"{name}@{k}": f"{name}_{k}" for k in range(2, last)}
    return [_with_names(s, names) for s in statements] if names else statements


def _with_names(node: Any, names: dict[str, str]) -> Any:
    if isinstance(node, tuple):
        return tuple(_with_names(one, names) for one in node)
    if not is_dataclass(node) or isinstance(node, type):
        return node
    changes = {f.name: _with_names(getattr(node, f.name), names) for f in fields(node)}
    if isinstance(node, ast.Name):
        changes["id"] = names.get(node.id, node.id)
    if isinstance(node, ast.Target):
        changes["name"] = names.get(node.name, node.name)
    return replace(node, **changes)
