"""Calls of the user's functions: which argument is which, which dims they stand for, and the body written out in place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from emfppl.compiler.ast_to_checked import declared, dims, functions, types
from emfppl.compiler.ast_to_checked.context import Context, Env, FunctionInfo, listed, near
from emfppl.compiler.expressions import Axis, Expr, Let, Relabel
from emfppl.compiler.sizes import Size
from emfppl.compiler.types import describe, fits, kind_text
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.source import Span
from emfppl.grammar.words import plural

DEEPEST = 20  # calls within calls


@dataclass
class Arguments:
    """What a function's arguments are in one call: their values, its dims as labels, and the lengths of those."""

    values: dict[str, Expr | None] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    lengths: dict[str, Size] = field(default_factory=dict)


def inline(c: Context, node: ast.Call, env: Env, place: tuple[Axis, ...] | None = None) -> Expr | None:
    """The body of a function with the arguments of a call in place; `place`: the axes of what the call is for."""
    info = callee(c, node.func, node.func_span, env)
    if info is None:
        return None
    if info.broken:
        for arg in node.args:
            types.type_of(c, arg.value, env)
        return None
    values = _given(c, node, env)
    if values is None:
        return None
    bindings: list[tuple[str, Expr]] = []
    taken = Arguments()
    for wanted in info.node.args:
        value = taken_as(c, node, wanted, values[wanted.name], taken)
        if value is None:
            return None
        taken.values[wanted.name] = functions.bound(c, wanted.name, value, bindings)
    body = written_out(c, node, info, taken, env, place)
    if body is None:
        return None
    return Let(tuple(bindings), body, body.type, node.span) if bindings else body


def callee(c: Context, name: str, span: Span, env: Env) -> FunctionInfo | None:
    """The function of that name, checked; a function can't call itself."""
    if name in env.calls:
        way = " → ".join((*env.calls[env.calls.index(name) :], name))
        c.functions[name].broken = True
        message = f"The function `{name}` calls itself ({way})."
        return c.error("E0702", message, span, "functions are not recursive; use a for loop")
    if len(env.calls) >= DEEPEST:
        message = f"Calls of functions nest more than {DEEPEST} deep here."
        return c.error("E0110", message, span, "write some of the functions out where they are called")
    return functions.check_function(c, name, env.calls)


def written_out(
    c: Context, node: ast.Call, info: FunctionInfo, taken: Arguments, env: Env, place: tuple[Axis, ...] | None
) -> Expr | None:
    """The body of a function for the arguments of one call; what is wrong in it is told with a note of the call."""
    before = len(c.found)
    axes = {a.label: a for value in taken.values.values() if value is not None for a in value.type.axes}
    own = tuple(axes[label] for label in dict.fromkeys(taken.labels.values()) if label in axes)
    inner = Env(
        locals=taken.values,
        labels=taken.labels,
        lengths=taken.lengths,
        batch=frozenset(set(axes) - set(taken.labels.values())),
        function=info.node.name,
        standing=env.standing,
        place=place or own or None,
        calls=(*env.calls, info.node.name),
    )
    body = functions.body(c, info.node, inner)
    c.found[before:] = [replace(d, notes=(*d.notes, (node.span, "called here"))) for d in c.found[before:]]
    return body


# ---------------------------------------------------------------- which argument is which


def _given(c: Context, node: ast.Call, env: Env) -> dict[str, Expr] | None:
    """The values of a call's arguments by name, defaults for those left out."""
    wanted = c.functions[node.func].node.args
    given: dict[str, Expr | None] = {}
    fine = True
    for position, arg in enumerate(node.args):
        name = arg.name or (wanted[position].name if position < len(wanted) else None)
        value = types.type_of(c, arg.value, env)
        if name is None or name in given or name not in [a.name for a in wanted]:
            _misplaced(c, node, arg, name, wanted, name in given)
            fine = False
        else:
            given[name] = value
    if fine and not _complete(c, node, wanted, given):
        return None
    for one in wanted:
        if one.name not in given and one.default is not None:
            given[one.name] = types.type_of(c, one.default, Env(function=node.func))
    known = {name: value for name, value in given.items() if value is not None}
    return known if fine and len(known) == len(given) else None


def _misplaced(
    c: Context,
    node: ast.Call,
    arg: ast.Argument,
    name: str | None,
    wanted: tuple[ast.FunctionArgument, ...],
    twice: bool,
) -> None:
    names = [a.name for a in wanted]
    if twice:
        c.error("E0704", f"The argument `{name}` is given twice.", arg.span)
    elif arg.name is None:
        message = f"`{node.func}` takes {plural(len(wanted), 'argument')}; here are {len(node.args)}."
        c.error("E0701", message, arg.span, usage(node.func, wanted))
    else:
        message = f"`{node.func}` has no argument named `{arg.name}`."
        c.error("E0704", message, arg.span, near(arg.name, names) or usage(node.func, wanted))


def _complete(
    c: Context, node: ast.Call, wanted: tuple[ast.FunctionArgument, ...], given: dict[str, Expr | None]
) -> bool:
    missing = [a.name for a in wanted if a.name not in given and a.default is None]
    if missing:
        message = f"`{node.func}` misses the argument{'s' if len(missing) > 1 else ''} {listed(missing)}."
        c.error("E0701", message, node.span, usage(node.func, wanted))
    return not missing


def usage(name: str, wanted: tuple[ast.FunctionArgument, ...]) -> str:
    return f"write {name}({', '.join(a.name for a in wanted)})"


# ---------------------------------------------------------------- dims and kinds


def taken_as(
    c: Context, node: ast.Call, wanted: ast.FunctionArgument, given: Expr, taken: Arguments
) -> Expr | None:
    """The value of an argument as the function declares it; binds the dims that are new in it."""
    value = _unify(c, node, wanted, given, taken.labels)
    if value is None or not _kind_fits(c, node, wanted, value, taken.labels, given.span):
        return None
    for axis, d in ((x, d) for d in wanted.dims for x in value.type.axes):
        if axis.label == bound_label(d.name, taken.labels):
            taken.labels[d.name] = axis.label  # also of a primed dim whose dim was bound before
            taken.lengths.setdefault(d.name, axis.length)
    return value


def _unify(
    c: Context, node: ast.Call, arg: ast.FunctionArgument, value: Expr, labels: dict[str, str]
) -> Expr | None:
    """Bind the dims of ``v[k]`` to axes of the value: those bound before by label, the others to its last
    axes in order."""
    wanted = [d.name for d in arg.dims]
    free = [a.label for a in value.type.axes]
    for name in wanted:
        bound = bound_label(name, labels)
        if bound is not None:
            if bound not in free:
                message = (
                    f"`{arg.name}` of `{node.func}` is over `{name}`, which is `{bound}` here, "
                    f"but this is {dims.dims_text(free)}."
                )
                return c.error("E0301", message, value.span)
            free.remove(bound)
    new = [name for name in wanted if bound_label(name, labels) is None]
    if len(free) < len(new):
        have = dims.dims_text([a.label for a in value.type.axes])
        return c.error(
            "E0304",
            f"`{arg.name}` of `{node.func}` is over [{', '.join(wanted)}], but this is {have}.",
            value.span,
        )
    pairs = list(zip(new, free[len(free) - len(new) :], strict=True))
    return _relabelled(value, pairs, labels)


def bound_label(name: str, labels: dict[str, str]) -> str | None:
    base = name.rstrip("'")
    return labels.get(name) or (labels[base] + name[len(base) :] if base in labels and name != base else None)


def _relabelled(value: Expr, pairs: list[tuple[str, str]], labels: dict[str, str]) -> Expr:
    """Bind dim names to labels; one that another dim of the function has already gets a prime of its own."""
    old: list[str] = []
    new: list[str] = []
    for name, label in pairs:
        fresh = label
        while fresh in labels.values() or (fresh != label and any(a.label == fresh for a in value.type.axes)):
            fresh += "'"
        labels[name] = fresh
        if fresh != label:
            old.append(label)
            new.append(fresh)
    if not old:
        return value
    back = dict(zip(old, new, strict=True))
    axes = tuple(replace(a, label=back.get(a.label, a.label)) for a in value.type.axes)
    return Relabel(value, tuple(old), tuple(new), replace(value.type, axes=axes), value.span)


def _kind_fits(
    c: Context, node: ast.Call, arg: ast.FunctionArgument, value: Expr, labels: dict[str, str], span: Span
) -> bool:
    if arg.type is None:
        return True
    found = declared.declared_type(c, arg.type, None, Env(labels=labels, function=node.func))
    if found is None or fits(value.type, found.kind, found.of):
        return found is not None
    message = (
        f"`{arg.name}` of `{node.func}` is declared {kind_text(found.kind, found.of)}, but this "
        f"is {describe(value.type)}."
    )
    c.error("E0405", message, span, functions.whole_hint(found.kind, value.type.kind))
    return False
