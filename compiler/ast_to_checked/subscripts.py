"""What the brackets behind a name mean: positions, ranges, gathers, and the axes that are left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from emfppl.compiler.ast_to_checked import dims, names, types, windows
from emfppl.compiler.ast_to_checked.context import Context, Env, VariableInfo
from emfppl.compiler.expressions import At, Axis, Expr, Gather, Index, Kind, Let, Ref, Type, Whole
from emfppl.compiler.sizes import Size
from emfppl.compiler.types import describe, kind_text
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.source import Span
from emfppl.grammar.words import plural

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")
Item = ast.Expr | ast.SliceItem


def ordinal(n: int) -> str:
    return ORDINALS[n] if n < len(ORDINALS) else f"{n + 1}th"


def subscript(c: Context, node: ast.Subscript, env: Env) -> Expr | None:
    """The value of ``base[…]``."""
    if not isinstance(node.base, ast.Name):
        return _of_value(c, types.type_of(c, node.base, env), node, env, c.text(node.base))
    name = node.base.id
    if name in env.locals:
        return _of_value(c, env.locals[name], node, env, name)
    info = types.find_variable(c, name, env)
    if info is None:
        return _not_a_variable(c, node, node.base, env)
    return reference(c, info, node.indices, env, node.span)


def _not_a_variable(c: Context, node: ast.Subscript, base: ast.Name, env: Env) -> Any:
    if env.loop(base.id):
        return c.error(
            "E0304", f"`{base.id}` is a loop variable, a single number; it takes no subscripts.", node.span
        )
    if dims.label_of(c, base.id, env) is not None:
        hint = "a slice of a dim stands in brackets (x[time[1:]]) or in the head of a loop"
        return c.error("E0209", f"`{c.text(node)}` is a part of a dim, not a value.", node.span, hint)
    if base.id in types.CONSTANT_VALUES:
        return c.error("E0304", f"`{base.id}` is a single number; it takes no subscripts.", node.span)
    return names.undefined(c, base, env)


def _of_value(c: Context, base: Expr | None, node: ast.Subscript, env: Env, what: str) -> Expr | None:
    """A subscript of a function's argument or of an expression in parentheses: a local name, subscripted."""
    if base is None:
        return None
    found = resolve(c, node.indices, base.type.axes, env, what, node.span, local=True)
    if found is None:
        return None
    name = c.fresh(what if what.isidentifier() else "value")
    indices, axes = found
    kind = Type(base.type.kind, axes, base.type.of)
    return Let(((name, base),), Ref(name, indices, kind, node.span), kind, node.span)


def reference(c: Context, info: VariableInfo, items: Sequence[Item], env: Env, span: Span) -> Expr | None:
    """A variable with subscripts; trailing ones left out mean whole dims."""
    c.used.add(info.name)
    kind = types.kind_of(c, info)
    if kind is None or info.dims is None:
        return None
    outer = tuple(At(loop, 1, Size()) for loop in info.loops)
    axes = tuple(Axis.whole(d) for d in info.dims[len(outer) :])
    found = resolve(c, items, axes, env, info.name, span)
    if found is None:
        return None
    return Ref(info.graph_name or info.name, (*outer, *found[0]), Type(kind[0], found[1], kind[1]), span)


def resolve(
    c: Context,
    items: Sequence[Item],
    axes: Sequence[Axis],
    env: Env,
    what: str,
    span: Span,
    local: bool = False,
) -> tuple[tuple[Index, ...], tuple[Axis, ...]] | None:
    """One index for each axis, and the axes of the result (a gather's in the place of the dim it indexes)."""
    if len(items) > len(axes):
        has = dims.dims_text([a.label for a in axes])
        message = f"`{what}` is {has}, but has {plural(len(items), 'subscript')} here."
        return c.error(
            "E0304",
            message,
            items[len(axes)].span,
            f"`{what}` takes at most {len(axes)}" if axes else "leave the brackets out",
        )
    out: list[Index] = []
    left: list[Axis] = []
    wholes: set[str] = set()
    fine = True
    for n, axis in enumerate(axes):
        index = (
            _index(c, items[n], axis, env, f"the {ordinal(n)} subscript of `{what}`", local)
            if n < len(items)
            else Whole(axis)
        )
        if index is None:
            fine = False
            continue
        out.append(index)
        fine = _leave(c, index, left, wholes, what, items[n].span if n < len(items) else span) and fine
    return (tuple(out), tuple(left)) if fine else None


def _leave(c: Context, index: Index, left: list[Axis], wholes: set[str], what: str, span: Span) -> bool:
    """Append the axes that an index leaves. Gathers over one dim align; a whole dim stands alone."""
    whole = isinstance(index, Whole)
    mine = (
        (index.axis,)
        if isinstance(index, Whole)
        else index.index.type.axes
        if isinstance(index, Gather)
        else ()
    )
    for axis in mine:
        other = next((a for a in left if a.label == axis.label), None)
        if other is None:
            left.append(axis)
        elif whole or axis.label in wholes:
            hint = f"prime one of them: {axis.label}'"
            c.error("E0307", f"`{what}` would have the dim `{axis.label}` twice.", span, hint)
            return False
        elif not dims.same_length(c, other, axis):
            message = f"`{dims.axis_text(other)}` and `{dims.axis_text(axis)}` differ in length."
            c.error("E0301", message, span)
            return False
    if isinstance(index, Whole):
        wholes.add(index.axis.label)
    return True


def _index(c: Context, item: Item, axis: Axis, env: Env, where: str, local: bool) -> Index | None:
    if isinstance(item, ast.SliceItem):
        moving = windows.window(c, axis, item, env, local)
        if moving is not None:
            return Gather(moving)
        part = dims.slice_axis(c, axis, item, env, local)
        return None if part is None else Whole(part)
    named = named_dim(c, item, env)
    if named is not None:
        return _whole(c, item, named, axis, env, where, local)
    found = dims.affine(c, item, env)
    if found is not None:
        return _at(c, item, found, axis, env, where, local)
    value = types.type_of(c, item, env)
    return None if value is None else _gather(c, item, value, axis, env, where)


def named_dim(c: Context, item: Item, env: Env) -> tuple[str, ast.SliceItem | None] | None:
    """A dim by name, or a slice of one, as in ``x[time]`` and ``x[time[1:]]``."""
    if isinstance(item, ast.Name):
        label = dims.label_of(c, item.id, env)
        return None if label is None else (label, None)
    if isinstance(item, ast.Subscript) and isinstance(item.base, ast.Name) and len(item.indices) == 1:
        label, part = dims.label_of(c, item.base.id, env), item.indices[0]
        return (label, part) if label is not None and isinstance(part, ast.SliceItem) else None
    return None


def _whole(
    c: Context,
    item: Item,
    named: tuple[str, ast.SliceItem | None],
    axis: Axis,
    env: Env,
    where: str,
    local: bool,
) -> Whole | None:
    label, part = named
    if label.rstrip("'") != axis.dim:
        hint = f"subscripts stand in the order of the declaration; here {axis.label} belongs"
        return c.error("E0303", f"`{label}` is {where}, which is over `{axis.label}`.", item.span, hint)
    renamed = Axis(label, axis.lower, axis.upper)
    if part is not None:
        sliced = dims.slice_axis(c, renamed, part, env, local)
        return None if sliced is None else Whole(sliced)
    return Whole(Axis(label, Size(), axis.length) if local else renamed)


def _at(
    c: Context, item: Item, found: dims.Affine, axis: Axis, env: Env, where: str, local: bool
) -> At | None:
    length = axis.length if local else Size.of(axis.label)
    if found.loop is None:
        return _constant(c, item, found.offset, axis, length)
    loop = env.loop(found.loop)
    assert loop is not None
    shifted = found.offset != Size() and c.dims.related(loop.dim, axis.dim)
    plain = found.scale == 1 and not shifted and not c.dims.akin(loop.dim, axis.dim)
    if loop.dim != axis.dim and plain:
        message = f"`{found.loop}` runs over `{loop.dim}`, but {where} is over `{axis.label}`."
        hint = f"use a loop over {axis.dim}, or index data declared as index({axis.dim})"
        return c.error("E0303", message, item.span, hint)
    if found.scale < 0 and c.dims.negative(loop.lower * found.scale + found.offset):
        return At(found.loop, found.scale, found.offset + length)  # x[-t], from the end
    return At(found.loop, found.scale, found.offset)


def _constant(c: Context, item: Item, offset: Size, axis: Axis, length: Size) -> At | None:
    value = offset.value
    position = offset + length if value is not None and value < 0 else offset
    if c.dims.negative(position) or c.dims.negative(length - position - 1):
        size = c.dims.resolve(length)
        hint = f"positions count from 0 to {size - 1}"
        return c.error(
            "E0306",
            f"Position {c.text(item)} is outside `{axis.label}`, which has size {size}.",
            item.span,
            hint,
        )
    return At(None, 1, position)


def _gather(c: Context, item: Item, value: Expr, axis: Axis, env: Env, where: str) -> Gather | None:
    kind, of = value.type.kind, value.type.of
    if kind is Kind.INDEX and of == axis.dim:
        return Gather(value)
    text = c.text(item)
    if kind is Kind.INDEX:
        hint = f"declare it index({axis.dim}), or use it on something over {of}"
        return c.error(
            "E0303", f"`{text}` indexes `{of}`, but {where} is over `{axis.label}`.", item.span, hint
        )
    if kind is Kind.INT and isinstance(item, ast.Name | ast.Subscript):
        message = f"`{text}` is {describe(value.type)}; only an index({axis.dim}) may index `{axis.label}`."
        return c.error(
            "E0402", message, item.span, f"declare it: data {text.split('[')[0]}[…]: index({axis.dim})"
        )
    if kind is Kind.INT and _mentions_loop(item, env):
        message = f"`{text}` is not of the form a * t + b with whole numbers a and b and one loop variable t."
        return c.error("E0404", message, item.span, f"give it as data declared index({axis.dim})")
    if kind is Kind.INT:
        message = f"`{text}` is a plain int: arithmetic on an index gives up which dim it indexes."
        return c.error("E0404", message, item.span, f"give the positions as data declared index({axis.dim})")
    hint = f"subscripts are positions, dims or index({axis.dim}) data"
    if kind is Kind.BOOL:
        hint = f"write if({text}, …, …); or draw positions in `{axis.dim}`, with Categorical"
    return c.error("E0402", f"`{text}` is {kind_text(kind, of)} and can't be a subscript.", item.span, hint)


def _mentions_loop(item: Item, env: Env) -> bool:
    match item:
        case ast.Name(name):
            return env.loop(name) is not None
        case ast.Unary(_, operand):
            return _mentions_loop(operand, env)
        case ast.Binary(_, left, right):
            return _mentions_loop(left, env) or _mentions_loop(right, env)
    return False
