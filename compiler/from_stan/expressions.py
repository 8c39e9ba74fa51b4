"""Expressions of Stan. Arrays that Stan lines up by position are lined up by the names of their dims here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches

from emfppl.compiler.from_stan.build import binary, call, filled, number
from emfppl.compiler.from_stan.context import Context
from emfppl.compiler.from_stan.densities import LEFT_OUT, density
from emfppl.compiler.from_stan.function_table import CONSTANTS, ELEMENTWISE, REDUCTIONS, SAME_VALUE, why_refused
from emfppl.compiler.from_stan.renaming import base, fresh_label, renamed
from emfppl.compiler.from_stan.subscripts import dims_of, subscripted
from emfppl.compiler.from_stan.values import Refused, Value
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.source import Span
from emfppl.grammar.stan import stan_nodes as stan

OPERATORS = {"||": "or", "&&": "and", ".*": "*", "./": "/", ".^": "^", "%/%": "//"}
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=", "||", "&&")


def translated(c: Context, node: stan.Expr) -> Value:
    """An expression of Stan as one of here."""
    match node:
        case stan.Number(text, span):
            return Value(ast.Number(text, span), "int" if text.isdigit() else "real")
        case stan.Name(name, span):
            return _name(c, name, span)
        case stan.Index():
            return subscripted(c, node, translated)
        case stan.Operation():
            return _operation(c, node)
        case stan.Call():
            return _call(c, node)
        case stan.Items(items, span):
            return _items(c, items, span)
    raise AssertionError(node)


def _name(c: Context, name: str, span: Span) -> Value:
    found = c.variable(name, span)
    here = ast.Name(found.name, span)
    if found.role == "loop":
        return Value(binary("+", here, number(1, span), span), "int", (), here, found.index_of)
    if found.stan in c.index_names and found.role == "data":
        return Value(binary("+", here, number(1, span), span), found.core, found.dims, here, found.index_of)
    if found.index_of is not None:
        return Value(binary("+", here, number(1, span), span), "int", found.dims, here, found.index_of)
    return Value(here, found.core, found.dims)


def _items(c: Context, items: Sequence[stan.Expr], span: Span) -> Value:
    inner = [translated(c, i) for i in items]
    if not all(isinstance(v.expr, ast.Number | ast.Unary | ast.ListLiteral) for v in inner):
        hint = "declare a vector, and set or draw its entries one by one"
        raise Refused("E1402", "Lists hold constants here.", span, hint)
    dim = c.dim_of(stan.Number(str(len(items)), span))
    return Value(ast.ListLiteral(tuple(v.expr for v in inner), span), "row_vector", (dim, *inner[0].dims))


# ---------------------------------------------------------------- operators


def _operation(c: Context, node: stan.Operation) -> Value:
    if node.op == "?":
        condition, yes, no = (translated(c, o) for o in node.operands)
        if not _is_condition(node.operands[0]):
            condition = condition.with_expr(binary("!=", condition.expr, number(0, node.span), node.span))
        return elementwise(c, "if(a, b, c)", [condition, yes, no], node.span)
    if len(node.operands) == 1:
        return _unary(c, node)
    left, right = (translated(c, o) for o in node.operands)
    if node.op in COMPARISONS and left.position is not None and right.position is not None:
        left, right = replace(left, expr=left.position), replace(right, expr=right.position)
    if node.op == "*" and left.dims and right.dims:
        return product(c, left, right, node.span)
    if node.op == "\\":
        return _array_call(c, "mdivide_left", [left, right], node.span)
    op = OPERATORS.get(node.op, node.op)
    if op == "/" and left.core == right.core == "int" and not left.dims and not right.dims:
        op = "//"
    out = elementwise(c, f"a {op} b", [left, right], node.span)
    whole = left.core == right.core == "int" and op != "^"
    return replace(out, core="int") if whole or node.op in COMPARISONS else out


def _is_condition(node: stan.Expr) -> bool:
    return isinstance(node, stan.Operation) and node.op in (*COMPARISONS, "!")


def _unary(c: Context, node: stan.Operation) -> Value:
    one = translated(c, node.operands[0])
    if node.op == "'":
        flipped = {"vector": "row_vector", "row_vector": "vector"}.get(one.core, one.core)
        return replace(one, core=flipped, dims=one.dims[::-1] if one.core == "matrix" else one.dims)
    if node.op == "!":
        text = "not a" if _is_condition(node.operands[0]) else "a == 0"
        return one.with_expr(filled(text, {"a": one.expr}, node.span))
    return one.with_expr(ast.Unary(node.op, one.expr, node.span))


def elementwise(c: Context, template: str, values: Sequence[Value], span: Span) -> Value:
    """A template applied entry by entry; axes in the same place get the same name."""
    widest = max(values, key=lambda v: len(v.dims))
    exprs = {letter: lined_up(c, v, widest.dims, span) for letter, v in zip("abcdxyz", values, strict=False)}
    core = widest.core if widest.dims else "int" if all(v.core == "int" for v in values) and "/" not in template else "real"
    out = Value(filled(template, exprs, span), core, widest.dims)
    return replace(out, spread=bool(out.dims) and all(v.spread or not v.dims for v in values), core=_real(core, template))


def _real(core: str, template: str) -> str:
    return "real" if core == "int" and "(" in template and not template.startswith(("abs", "minimum", "maximum", "if")) else core


def lined_up(c: Context, value: Value, dims: tuple[str, ...], span: Span) -> ast.Expr:
    """The value with its axes named as `dims`, which are of the same sizes in Stan."""
    if not value.dims or value.dims == dims:
        return value.expr
    wanted = dims[len(dims) - len(value.dims) :] if len(value.dims) <= len(dims) else dims
    same = [base(a) == base(b) for a, b in zip(value.dims, wanted, strict=False)]
    if len(value.dims) > len(dims) or not all(same):
        if isinstance(value.expr, ast.ListLiteral) or value.spread:
            return value.expr
        raise differing(value.dims, wanted, span)
    return renamed(value.expr, dict(zip(value.dims, wanted, strict=True)), dims_of(c))


def differing(found: tuple[str, ...], wanted: tuple[str, ...], span: Span) -> Refused:
    a, b = (", ".join(f"`{d}`" for d in dims) or "a single number" for dims in (found, wanted))
    hint = "declare both with the same size, so that both run over one dim"
    return Refused("E1405", f"Arrays over {a} and over {b} are of one size in Stan, but run over different dims here.", span, hint)


def product(c: Context, left: Value, right: Value, span: Span) -> Value:
    """A product of vectors and matrices, the dim that is summed having one name on both sides."""
    if left.spread or right.spread:
        raise Refused("E1402", "A product with a repeated number is a sum.", span, "write it with sum(…)")
    if left.core == "vector" and right.core == "row_vector":
        second = fresh_label(right.dims[0], {left.dims[0]})
        there = renamed(right.expr, {right.dims[0]: second}, dims_of(c))
        return Value(binary("*", left.expr, there, span), "matrix", (left.dims[0], second))
    rows, columns = left.dims[:-1], right.dims[1:]
    if base(left.dims[-1]) != base(right.dims[0]):
        raise differing(left.dims[-1:], right.dims[:1], span)
    new_columns = tuple(fresh_label(d, set(rows)) if d in rows else d for d in columns)
    summed = left.dims[-1]
    if summed in rows + new_columns:
        summed = fresh_label(summed, {*rows, *new_columns})
    first = renamed(left.expr, {left.dims[-1]: summed}, dims_of(c))
    names = dict(zip(right.dims, (summed, *new_columns), strict=True))
    second_expr = renamed(right.expr, names, dims_of(c))
    core = {(0, 0): "real", (1, 0): "vector", (0, 1): "row_vector", (1, 1): "matrix"}[(len(rows), len(columns))]
    return Value(binary("@", first, second_expr, span), core, rows + new_columns)


# ---------------------------------------------------------------- calls


def _call(c: Context, node: stan.Call) -> Value:
    name, span = node.name, node.span
    if name.endswith("_rng"):
        hint = "give the draw a name of its own: z = normal_rng(…);"
        raise Refused("E1402", f"`{name}` stands inside an expression.", span, hint)
    if name in c.functions:
        return _user_function(c, node)
    if name.endswith(("_lpdf", "_lpmf", "_lupdf", "_lupmf", "_lcdf", "_lccdf")):
        return _density_call(c, node)
    if name in CONSTANTS and not node.args:
        return Value(filled(CONSTANTS[name], {}, span))
    if name in ("rep_vector", "rep_row_vector", "rep_matrix"):
        return _repeated(c, node)
    if name in ("size", "num_elements", "rows", "cols") and node.args:
        return _size_of(c, node)
    if name != "log_sum_exp" and name not in ELEMENTWISE and (why := why_refused(name)):
        raise Refused("E1402", f"`{name}` has no counterpart here.", span, why)
    values = [translated(c, a) for a in node.args]
    if name in SAME_VALUE and len(values) == 1 and (len(values[0].dims) == 1 or name == "to_matrix"):
        return replace(values[0], core={"to_row_vector": "row_vector", "to_matrix": "matrix"}.get(name, "vector"))
    return _known_call(c, name, values, span)


def _known_call(c: Context, name: str, values: list[Value], span: Span) -> Value:
    if name == "log_sum_exp" and len(values) == 2:
        return elementwise(c, "logaddexp(a, b)", values, span)
    if name in ("min", "max"):
        text = f"{name}imum(a, b)" if len(values) == 2 else f"{name}(a)"
        return elementwise(c, text, values, span) if len(values) == 2 else _reduced(c, text, values, span)
    if name in REDUCTIONS and len(values) == 1:
        return _reduced(c, REDUCTIONS[name], values, span)
    if name in ELEMENTWISE and len(values) == len(set(ELEMENTWISE[name]) & set("abc") & _letters(ELEMENTWISE[name])):
        return elementwise(c, ELEMENTWISE[name], values, span)
    return _array_call(c, name, values, span)


def _letters(template: str) -> set[str]:
    import re

    return set(re.findall(r"\b[a-d]\b", template))


def _reduced(c: Context, text: str, values: list[Value], span: Span) -> Value:
    (one,) = values
    if one.spread or not one.dims:
        raise Refused("E1402", "A sum or mean of a repeated number is not translated.", span, "write the product with its size")
    core = "int" if one.core == "int" and text.startswith(("sum", "min", "max", "prod")) else "real"
    return Value(filled(text, {"a": one.expr}, span), core)


def _repeated(c: Context, node: stan.Call) -> Value:
    one = translated(c, node.args[0])
    dims = tuple(c.dim_of(size) for size in node.args[1:])
    if one.dims or (len(dims) > 1 and dims[0] == dims[1]):
        hint = "leave the repetition out: dims line up by name"
        raise Refused("E1402", "Only single numbers are repeated here.", node.span, hint)
    core = {"rep_vector": "vector", "rep_row_vector": "row_vector"}.get(node.name, "matrix")
    return Value(one.expr, core, dims, spread=True)


def _size_of(c: Context, node: stan.Call) -> Value:
    one = translated(c, node.args[0])
    at = {"rows": -2, "cols": -1}.get(node.name, 0) if len(one.dims) > 1 else 0
    if not one.dims or (node.name == "num_elements" and len(one.dims) > 1):
        raise Refused("E1402", f"`{node.name}` of this is not translated.", node.span, "write its size")
    return Value(ast.Name(base(one.dims[at]), node.span), "int")


ARRAY_CALLS = {
    # name: ranks of the arguments, template, axes of the result by (argument, axis)
    "cholesky_decompose": ((2,), "cholesky(a)"), "inverse": ((2,), "inverse(a)"), "inverse_spd": ((2,), "inverse(a)"),
    "softmax": ((1,), "softmax(a)"), "log_softmax": ((1,), "log_softmax(a)"), "cumulative_sum": ((1,), "cumsum(a)"),
    "log_determinant": ((2,), "logdet(a)"), "log_determinant_spd": ((2,), "logdet(a)"), "trace": ((2,), "sum(diagonal(a))"),
}  # fmt: skip


def _array_call(c: Context, name: str, values: list[Value], span: Span) -> Value:
    ranks = tuple(len(v.dims) for v in values)
    if name in ARRAY_CALLS and ranks == ARRAY_CALLS[name][0]:
        text = ARRAY_CALLS[name][1]
        kept = values[0].dims if text.split("(")[0] in ("cholesky", "inverse", "softmax", "log_softmax", "cumsum") else ()
        return Value(filled(text, {"a": values[0].expr}, span), values[0].core if kept else "real", kept)
    if name == "dot_product" and ranks == (1, 1):
        return product(c, replace(values[0], core="row_vector"), replace(values[1], core="vector"), span)
    if name == "diag_matrix" and ranks == (1,):
        (d,) = values[0].dims
        return Value(call("diag", values[0].expr, span=span), "matrix", (d, fresh_label(d, {d})))
    if name == "diag_pre_multiply" and ranks == (1, 2):
        return _scaled(c, values[1], values[0], 0, span)
    if name == "diag_post_multiply" and ranks == (2, 1):
        return _scaled(c, values[0], values[1], 1, span)
    if name == "quad_form_diag" and ranks == (2, 1):
        return _scaled(c, _scaled(c, values[0], values[1], 0, span), values[1], 1, span)
    if name in ("multiply_lower_tri_self_transpose", "tcrossprod") and ranks == (2,):
        return product(c, values[0], replace(values[0], dims=values[0].dims[::-1]), span)
    if name == "crossprod" and ranks == (2,):
        return product(c, replace(values[0], dims=values[0].dims[::-1]), values[0], span)
    if name == "mdivide_left" and ranks == (2, 1):
        first, second = values
        there = renamed(second.expr, {second.dims[0]: first.dims[0]}, dims_of(c))
        return Value(call("solve", first.expr, there, span=span), "vector", (first.dims[1],))
    known = [*ELEMENTWISE, *REDUCTIONS, *ARRAY_CALLS, "dot_product", "diag_matrix", "diag_pre_multiply", "quad_form_diag"]
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near and near[0] != name else "write it out with others"
    raise Refused("E1403", f"The function `{name}` has no counterpart here for these arguments.", span, hint)


def _scaled(c: Context, matrix: Value, scale: Value, axis: int, span: Span) -> Value:
    """Rows (axis 0) or columns (axis 1) of a matrix times a number each."""
    label = matrix.dims[axis]
    there = renamed(scale.expr, {scale.dims[0]: label}, dims_of(c))
    pair = (there, matrix.expr) if axis == 0 else (matrix.expr, there)
    return Value(binary("*", *pair, span), "matrix", matrix.dims)


def _user_function(c: Context, node: stan.Call) -> Value:
    values = [translated(c, a) for a in node.args]
    wanted = c.functions[node.name]
    if len(values) != len(wanted.args):
        raise Refused("E1403", f"`{node.name}` takes {len(wanted.args)} arguments.", node.span)
    vector = next((v for v, (_, kind) in zip(values, wanted.args, strict=True) if kind != "real" and v.dims), None)
    dims = vector.dims if vector is not None and wanted.returns != "real" else ()
    return Value(call(node.name, *(v.expr for v in values), span=node.span), wanted.returns.split()[-1] if dims else "real", dims)


def _density_call(c: Context, node: stan.Call) -> Value:
    """A log density or log probability that is written as a function."""
    name, _, kind = node.name.rpartition("_")
    if not c.formulas:
        raise Refused("E1402", "Log densities of single observations come with the fit.", node.span, "see fit.to_arviz()")
    values = [translated(c, a) for a in node.args]
    text = density(name, "density" if kind in ("lpdf", "lpmf", "lupdf", "lupmf") else kind, len(values) - 1)
    if text is None:
        hint = "draw with `~` where that is possible, or write the formula out"
        raise Refused("E1403", f"`{node.name}` is not known as a formula here.", node.span, hint)
    wide = max(values, key=lambda v: len(v.dims))
    constant = LEFT_OUT.get(name, "") if kind in ("lpdf", "lupdf") else ""
    value = formula(c, text + constant, values, node.span)
    return Value(call("sum", value, span=node.span) if wide.dims else value)


def formula(c: Context, text: str, values: Sequence[Value], span: Span) -> ast.Expr:
    """A log density, the variable first; a last term that is constant is left out."""
    wide = max(values, key=lambda v: len(v.dims))
    exprs = {k: lined_up(c, v, wide.dims, span) for k, v in zip("xabcd", values, strict=False)}
    first = exprs.get("a")
    if isinstance(first, ast.Number) and float(first.text) == 0:
        text = text.replace("(x - a)", "x").replace("(a - x)", "(-x)")
    if text.endswith(" - log(b)") and not c.depends(exprs["b"]):
        text = text.removesuffix(" - log(b)")
    return filled(text, exprs, span)
