"""Syntax trees drawn by Hypothesis, and trees written short."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import strategies as st

from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.expression_to_text import LEVEL

WORDS = {"dim", "data", "param", "def", "for", "in", "factor", "return", "guide", "if", "and", "or", "not", "true", "false"}


def short(node: object) -> str:
    """An expression with every operation in parentheses."""
    match node:
        case ast.Number(text) | ast.Name(text):
            return text
        case ast.Bool(value):
            return str(value).lower()
        case ast.Unary(op, operand):
            return f"({op} {short(operand)})"
        case ast.Binary(op, left, right):
            return f"({short(left)} {op} {short(right)})"
        case ast.ListLiteral(items):
            return f"[{' '.join(map(short, items))}]"
        case ast.Call(func, args):
            return f"{func}({' '.join(map(short, args))})"
        case ast.Argument(name, value):
            return f"{name}={short(value)}" if name else short(value)
        case ast.Subscript(base, indices):
            return f"{short(base)}[{' '.join(map(short, indices))}]"
        case ast.SliceItem(lower, upper):
            return f"{short(lower) if lower else ''}:{short(upper) if upper else ''}"
    raise AssertionError(node)


# ---------------------------------------------------------------- drawn

words = st.from_regex(r"[a-zA-Z_α-ω][a-z0-9_]{0,5}", fullmatch=True).filter(str.isidentifier).filter(lambda w: w not in WORDS)
names = st.one_of(words, st.sampled_from(["gate", "backbone", "model", "density", "off", "all", "else", "class"]))
labels = st.builds(lambda name, primes: name + "'" * primes, names, st.integers(0, 2))
numbers = st.one_of(
    st.integers(0, 10**12).map(str),
    st.floats(0, 1e300).map(repr).filter(lambda t: "inf" not in t),
    st.sampled_from([".5", "1.", "2.e3"]),
)


def arguments(expr: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(st.builds(ast.Argument, st.none() | words, expr), max_size=3).map(tuple)


def slices(expr: st.SearchStrategy) -> st.SearchStrategy:
    return st.builds(ast.SliceItem, st.none() | expr, st.none() | expr)


def _larger(expr: st.SearchStrategy) -> st.SearchStrategy:
    many = st.lists(expr, max_size=3).map(tuple)
    return st.one_of(
        st.builds(ast.ListLiteral, many),
        st.builds(ast.Unary, st.sampled_from(["-", "+", "not"]), expr),
        st.builds(ast.Binary, st.sampled_from(sorted(LEVEL)), expr, expr),
        st.builds(ast.Call, st.just("if") | names | dotted, arguments(expr)),
        st.builds(ast.Subscript, expr, st.lists(expr | slices(expr), min_size=1, max_size=3).map(tuple)),
    )


inner = words.filter(lambda w: not re.search(r"^(T|sum|mean|std|var|min|max|prod|cumsum)$|^(np|at|pt|pm|tf|tt|dist|math|jax)$", w))
dotted = st.lists(inner, min_size=2, max_size=3).map(".".join)  # inner variables of sub-models
leaves = st.one_of(st.builds(ast.Number, numbers), st.builds(ast.Bool, st.booleans()), st.builds(ast.Name, labels | dotted))
exprs = st.recursive(leaves, _larger, max_leaves=25)
small = st.recursive(leaves, _larger, max_leaves=4)

comment = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=12).map(lambda t: f"#{t}".rstrip())


def _spaced(lines: list[str]) -> tuple[str, ...]:
    """At most one blank line at a time."""
    return tuple(t for i, t in enumerate(lines) if t or i == 0 or lines[i - 1])


above = st.lists(comment | st.just(""), max_size=4).map(_spaced)
comments = st.builds(ast.Comments, above, st.just("") | comment)
dim_refs = st.builds(ast.DimRef, labels, st.none() | slices(small))
dims = st.lists(dim_refs, max_size=3).map(tuple)
types = st.builds(ast.TypeExpr, names, arguments(small), st.booleans())
targets = st.builds(ast.Target, labels, st.lists(small | slices(small), max_size=3).map(tuple))
maybe = st.none() | exprs

declarations = st.one_of(
    st.builds(ast.Dim, labels, maybe, comments),
    st.builds(ast.Data, labels, dims, types, maybe, comments),
    st.builds(ast.Param, labels, dims, types, maybe, comments),
)
assigns = st.builds(ast.Assign, targets, st.none() | types, exprs, comments)
simple = st.one_of(
    declarations,
    assigns,
    st.builds(ast.Random, targets, st.none() | types, exprs, comments),
    st.builds(ast.Factor, exprs, comments),
)
function_arguments = st.builds(ast.FunctionArgument, labels, dims, st.none() | types, st.none() | small)
returns = st.builds(ast.Return, exprs, comments)
backbones = st.builds(ast.Backbone, st.builds(ast.Call, names, arguments(small)), comments)
imports = st.builds(ast.Import, st.from_regex(r"[a-z]{1,5}(/[a-z]{1,5})?(\.emf)?", fullmatch=True), st.none() | labels, comments)
gates = st.builds(ast.Gate, labels | dotted, names, arguments(small), comments)


def _first_without_blank(body: tuple, tail: tuple[str, ...]) -> tuple[tuple, tuple[str, ...]]:
    """No blank line where a block begins or ends."""
    while tail and not tail[-1]:
        tail = tail[:-1]
    if not body:
        while tail and not tail[0]:
            tail = tail[1:]
        return body, tail
    kept = body[0].comments.above
    while kept and not kept[0]:
        kept = kept[1:]
    return (replace(body[0], comments=replace(body[0].comments, above=kept)), *body[1:]), tail


def _block(make, body: st.SearchStrategy) -> st.SearchStrategy:
    return st.builds(lambda items, tail: make(*_first_without_blank(tuple(items), tail)), st.lists(body, max_size=3), above)


def _for(body: st.SearchStrategy) -> st.SearchStrategy:
    heads = st.tuples(labels, dim_refs, comments)
    return heads.flatmap(lambda h: _block(lambda b, t: ast.For(h[0], h[1], b, h[2], t), body))


functions = st.tuples(labels, st.lists(function_arguments, max_size=3).map(tuple), st.none() | types, comments).flatmap(
    lambda h: _block(lambda b, t: ast.Function(h[0], h[1], h[2], b, h[3], t), assigns | returns)
)
model_statements = st.one_of(assigns, st.builds(ast.Random, targets, st.none() | types, exprs, comments), returns)
models = st.tuples(labels, st.lists(function_arguments, max_size=3).map(tuple), comments).flatmap(
    lambda h: _block(lambda b, t: ast.Model(h[0], h[1], b, h[2], t), model_statements)
)
guides = comments.flatmap(lambda c: _block(lambda b, t: ast.Guide(b, c, t), backbones | gates))
layers = st.builds(ast.Layer, st.builds(ast.Call, names, arguments(small)), comments)
given_names = st.lists(st.builds(ast.Name, labels), min_size=1, max_size=3).map(tuple)
event = st.builds(ast.Data, labels, dims, types, maybe, comments)
densities = st.tuples(labels, comments).flatmap(
    lambda h: _block(lambda b, t: ast.Density(h[0], b, h[1], t), layers | event | st.builds(ast.Given, given_names, comments))
)
statements = st.recursive(simple, _for, max_leaves=4) | functions | models | imports | guides | densities
programs = _block(lambda b, t: ast.Program(b, t), statements)
