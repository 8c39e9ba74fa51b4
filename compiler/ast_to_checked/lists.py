"""Lists, ``[a, b, c]``: which dims they run over, and what they hold.

A list runs over the last dims of the place it stands in that its own entries do not have: one dim for a plain list, two for a
list of lists.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from emfppl.compiler.ast_to_checked import constants, dims, types
from emfppl.compiler.ast_to_checked.context import Context, Env
from emfppl.compiler.expressions import Array, Axis, Const, Expr, Kind, Stack, Type
from emfppl.compiler.types import describe, join
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.source import Span

Tree = Expr | tuple["Tree", ...]


def list_value(
    c: Context, node: ast.ListLiteral, env: Env, axes: Sequence[Axis] | None, exact: bool = False
) -> Expr | None:
    """The value of a list at a place with these axes; `exact`: it must run over all of them."""
    tree = _typed(c, node, env)
    if tree is None:
        return None
    if not axes:
        return _no_place(c, node, axes)
    over = _over(c, node, tree, axes, exact)
    if over is None or not (env.standing or _lengths(c, node, over)):
        return None
    return _stacked(c, node, tree, over)


def constant_list(c: Context, node: ast.ListLiteral, axes: Sequence[Axis], what: str) -> Expr | None:
    """A list of constants over all of the axes: a default or a start."""
    for item in leaves(node):
        if constants.number_of(c, item) is None:
            hint = "write numbers; a list of computed values is the value of a variable"
            return c.error("E0407", f"{what} holds constants; `{c.text(item)}` is not one.", item.span, hint)
    return list_value(c, node, Env(), axes, exact=True)


def leaves(node: ast.ListLiteral) -> Iterator[ast.Expr]:
    """The entries that are no lists themselves."""
    for item in node.items:
        if isinstance(item, ast.ListLiteral):
            yield from leaves(item)
        else:
            yield item


def _typed(c: Context, node: ast.ListLiteral, env: Env) -> tuple[Tree, ...] | None:
    """Every entry typed, in the shape of the list."""
    out = [
        _typed(c, item, env) if isinstance(item, ast.ListLiteral) else types.type_of(c, item, env) for item in node.items
    ]
    if any(one is None for one in out):
        return None
    return tuple(constants.fold(one) if not isinstance(one, tuple) else one for one in out if one is not None)


def _no_place(c: Context, node: ast.ListLiteral, axes: Sequence[Axis] | None) -> Expr | None:
    if axes is None:
        hint = "give the list a name and a dim first: w[k] = [0.2, 0.8]"
        return c.error("E0310", "A list can't stand here: nothing says which dim it runs over.", node.span, hint)
    return c.error("E0310", "A list was given for a single number.", node.span, "write a single number")


# ---------------------------------------------------------------- the dims it runs over


def _depth(tree: Tree) -> int:
    return 1 + max(map(_depth, tree), default=0) if isinstance(tree, tuple) else 0


def _entries(tree: Tree) -> Iterator[Expr]:
    if isinstance(tree, tuple):
        for one in tree:
            yield from _entries(one)
    else:
        yield tree


def _over(
    c: Context, node: ast.ListLiteral, tree: tuple[Tree, ...], axes: Sequence[Axis], exact: bool
) -> list[Axis] | None:
    """The axes of the place that the list runs over, outermost first."""
    depth, taken = _depth(tree), {a.label for e in _entries(tree) for a in e.type.axes}
    free = [a for a in axes if a.label not in taken]
    if exact and depth < len(axes):
        hint = f"nest the lists: one inner list a row, over {axes[-1].label}"
        first = node.items[0] if node.items else node
        return c.error("E0310", f"Here a list over `{axes[-1].label}` is needed.", first.span, hint)
    if len(free) >= depth:
        return free[len(free) - depth :]
    if depth > len(axes):
        return c.error("E0310", "This list is nested more deeply than there are dims.", _deepest(node).span)
    entry = next(e for e in _entries(tree) if any(a.label in {x.label for x in axes} for a in e.type.axes))
    message = f"An entry of this list is {describe(entry.type)}, which leaves the list no dim of its own."
    return c.error("E0310", message, entry.span, "entries run over other dims than the list itself")


def _deepest(node: ast.ListLiteral) -> ast.ListLiteral:
    inner = next((i for i in node.items if isinstance(i, ast.ListLiteral)), None)
    return node if inner is None else _deepest(inner)


def _lengths(c: Context, node: ast.ListLiteral, over: Sequence[Axis]) -> bool:
    """Whether there are as many entries as their dim has."""
    axis, rest = over[0], over[1:]
    known = c.dims.known(axis.length)
    if known is None:
        hint = f"give it: dim {axis.dim} = {len(node.items)}"
        c.error("E0310", f"This list stands for `{axis.label}`, whose size the file does not give.", node.span, hint)
        return False
    if len(node.items) != known:
        have = f"{len(node.items)} {'entry' if len(node.items) == 1 else 'entries'}"
        c.error("E0310", f"This list has {have}, but `{axis.label}` has {known}.", node.span)
        return False
    for item in node.items:
        if rest and not isinstance(item, ast.ListLiteral):
            hint = f"nest the lists: one inner list a row, over {rest[0].label}"
            c.error("E0310", f"Here a list over `{rest[0].label}` is needed.", item.span, hint)
            return False
        if isinstance(item, ast.ListLiteral) and not _lengths(c, item, rest):
            return False
    return True


# ---------------------------------------------------------------- the value


def _stacked(c: Context, node: ast.ListLiteral, tree: tuple[Tree, ...], over: Sequence[Axis]) -> Expr | None:
    entries = list(_entries(tree))
    if all(isinstance(e, Const) for e in entries):
        return _array(tree, tuple(over), node.span)
    kind, of = join([e.type for e in entries])
    return _stack(c, tree, over, Type(kind, (), of), node.span)


def _stack(c: Context, tree: tuple[Tree, ...], over: Sequence[Axis], entry: Type, span: Span) -> Expr | None:
    parts = [_stack(c, one, over[1:], entry, span) if isinstance(one, tuple) else one for one in tree]
    args = [p for p in parts if p is not None]
    axes = dims.union(c, args, span)
    if axes is None or len(args) < len(parts):
        return None
    return Stack(tuple(args), over[0].label, Type(entry.kind, (*axes, over[0]), entry.of), span)


def _array(tree: tuple[Tree, ...], axes: tuple[Axis, ...], span: Span) -> Array:
    """A list of constants."""
    values = _values(tree)
    flat = list(constants.flat(values))
    real, all_bool = any(isinstance(v, float) for v in flat), all(isinstance(v, bool) for v in flat)
    return Array(values, Type(Kind.REAL if real else Kind.BOOL if all_bool else Kind.INT, axes), span)


def _values(tree: tuple[Tree, ...]) -> tuple:
    return tuple(_values(one) if isinstance(one, tuple) else one.value for one in tree)  # type: ignore[union-attr]
