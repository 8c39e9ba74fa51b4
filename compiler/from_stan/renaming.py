"""Giving the axes of an expression other names, by subscripts with names of dims: ``L[K', K]``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from emfppl.grammar import ast_nodes as ast

DimsOf = Callable[[str], tuple[str, ...] | None]


def base(label: str) -> str:
    return label.rstrip("'")


def fresh_label(label: str, taken: set[str]) -> str:
    """The name of the same dim with as few primes as make it differ from all of `taken`."""
    out = base(label)
    while out in taken:
        out += "'"
    return out


def renamed(expr: ast.Expr, names: Mapping[str, str], dims_of: DimsOf) -> ast.Expr:
    """The expression with its axes renamed; axes that are summed inside get out of the way."""
    names = {k: v for k, v in names.items() if k != v}
    if not names:
        return expr
    inner = _labels(expr, dims_of)
    clash = (inner & set(names.values())) - set(names)
    taken = inner | set(names.values())
    full = dict(names)
    for label in sorted(clash):
        full[label] = fresh_label(label, taken)
        taken.add(full[label])
    return _renamed(expr, full, dims_of)


def _labels(node: Any, dims_of: DimsOf) -> set[str]:
    """All names of axes in an expression."""
    match node:
        case ast.Name(name):
            return set(dims_of(name) or ())
        case ast.Subscript(ast.Name(name), indices):
            return set(_whole(name, indices, dims_of)).union(*(_labels(i, dims_of) for i in indices))
        case ast.Subscript(inner, indices):
            return _labels(inner, dims_of)
        case ast.Unary(_, one):
            return _labels(one, dims_of)
        case ast.Binary(_, left, right):
            return _labels(left, dims_of) | _labels(right, dims_of)
        case ast.Call(_, args):
            return set().union(*(_labels(a.value, dims_of) for a in args)) if args else set()
    return set()


def _whole(name: str, indices: tuple, dims_of: DimsOf) -> list[str]:
    """The names of the axes that a subscript leaves whole or slices."""
    dims = dims_of(name) or ()
    kept = [_label(i, d, dims_of) for i, d in zip(indices, dims, strict=False)]
    return [k for k in kept if k is not None] + list(dims[len(indices) :])


def _label(index: Any, dim: str, dims_of: DimsOf) -> str | None:
    match index:
        case ast.SliceItem():
            return dim
        case ast.Name(name) if base(name) == base(dim) and dims_of(name) is None:
            return name
        case ast.Subscript(ast.Name(name), (ast.SliceItem(),)) if base(name) == base(dim) and dims_of(name) is None:
            return name
    return None


def _renamed(node: Any, names: Mapping[str, str], dims_of: DimsOf) -> Any:
    match node:
        case ast.Name(name, span):
            dims = dims_of(name)
            if dims is None:
                return replace(node, id=names.get(name, name)) if name in names else node
            if not set(dims) & set(names):
                return node
            return ast.Subscript(node, tuple(ast.Name(names.get(d, d), span) for d in dims), span)
        case ast.Subscript(ast.Name(name), indices, span):
            return replace(node, indices=_indices(name, indices, span, names, dims_of))
        case ast.Unary(_, one):
            return replace(node, operand=_renamed(one, names, dims_of))
        case ast.Binary(_, left, right):
            return replace(node, left=_renamed(left, names, dims_of), right=_renamed(right, names, dims_of))
        case ast.Call(_, args):
            return replace(node, args=tuple(replace(a, value=_renamed(a.value, names, dims_of)) for a in args))
    return node


def _indices(name: str, indices: tuple, span: Any, names: Mapping[str, str], dims_of: DimsOf) -> tuple:
    dims = dims_of(name) or ()
    out = []
    for index, dim in zip(indices, dims, strict=False):
        label = _label(index, dim, dims_of)
        if label is None:
            out.append(_renamed(index, names, dims_of))
        elif label not in names:
            out.append(index)
        else:
            new = ast.Name(names[label], span)
            item = index.indices[0] if isinstance(index, ast.Subscript) else index
            cut = isinstance(item, ast.SliceItem) and (item.lower is not None or item.upper is not None)
            out.append(ast.Subscript(new, (item,), span) if cut else new)
    rest = dims[len(indices) :]
    if set(rest) & set(names):
        out += [ast.Name(names.get(d, d), span) for d in rest]
    return tuple(out)
