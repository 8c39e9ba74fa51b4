"""User functions of Stan: straight lines that end in a `return`."""

from __future__ import annotations

from dataclasses import replace

from emfppl.compiler.from_stan.context import Context
from emfppl.compiler.from_stan.expressions import translated
from emfppl.compiler.from_stan.values import Refused, Variable
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.stan import stan_nodes as stan

KINDS = {
    "real": "real", "int": "real", "vector": "vector", "row_vector": "row_vector", "array real": "vector", "array int": "vector",
}  # fmt: skip


def function_of(c: Context, f: stan.Function) -> list[ast.Function]:
    """A function as it is here; nothing for a declaration in advance."""
    if not f.body:
        return []
    if f.name.endswith(("_lpdf", "_lpmf", "_lp", "_rng", "_lcdf", "_lccdf")):
        hint = "write the density as a factor, or as a distribution of your own in the translated program"
        raise Refused("E1402", f"`{f.name}` is a distribution of its own.", f.span, hint)
    unknown = next((kind for _, kind in f.args if kind not in KINDS), None)
    if unknown or f.returns not in KINDS:
        raise Refused("E1402", f"Functions of numbers and vectors are translated, not of a {unknown or f.returns}.", f.span)
    c.functions[f.name] = replace(f, args=tuple((n, KINDS[k]) for n, k in f.args), returns=KINDS[f.returns])
    c.scopes.append({})
    try:
        args = tuple(_argument(c, name, KINDS[kind], f) for name, kind in f.args)
        lines = tuple(_line(c, s) for s in f.body if not (isinstance(s, stan.Declared) and s.value is None))
    finally:
        c.scopes.pop()
    if not isinstance(lines[-1], ast.Return):
        raise Refused("E1402", f"`{f.name}` does not end in a `return`.", f.span)
    kind = ast.TypeExpr("real", span=f.span)
    return [ast.Function(f.name, args, kind, lines, ast.Comments(f.comments.above), (), f.span, f.span)]


def _argument(c: Context, name: str, kind: str, f: stan.Function) -> ast.FunctionArgument:
    dims = ("k",) if kind != "real" else ()
    c.scopes[-1][name] = Variable(name, name, "argument", kind, dims, span=f.span)
    refs = tuple(ast.DimRef(d, None, f.span) for d in dims)
    return ast.FunctionArgument(name, refs, ast.TypeExpr("real", span=f.span), span=f.span)


def _line(c: Context, s: stan.Statement) -> ast.Assign | ast.Return:
    comments = s.comments
    match s:
        case stan.Result(value) if value is not None:
            return ast.Return(translated(c, value).expr, comments, s.span)
        case stan.Declared(name, value=value) if value is not None:
            return _set(c, name, value, s)
        case stan.Assigned(stan.Name(name), "=", value):
            return _set(c, name, value, s)
    raise Refused("E1402", "Functions hold assignments and one `return` here.", s.span, "write loops as whole vectors")


def _set(c: Context, name: str, value: stan.Expr, s: stan.Declared | stan.Assigned) -> ast.Assign:
    new = translated(c, value)
    if name in c.scopes[-1]:
        hint = "give the second a name of its own"
        raise Refused("E1402", f"`{name}` is set twice; here a variable has one value.", s.span, hint)
    c.scopes[-1][name] = Variable(name, name, "argument", new.core, new.dims, span=s.span)
    return ast.Assign(ast.Target(name, (), s.span, s.span), None, new.expr, s.comments, s.span)
