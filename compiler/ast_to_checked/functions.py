"""User functions: each checked once by itself, then inlined where it is called."""

from __future__ import annotations

from dataclasses import replace

from emfppl.compiler.ast_to_checked import declared, dims, names, types
from emfppl.compiler.ast_to_checked.context import Context, Env, FunctionInfo, listed, near
from emfppl.compiler.expressions import Axis, Const, Expr, Kind, Let, LoopVar, Ref, Relabel, SizeOf, Type
from emfppl.compiler.sizes import Size
from emfppl.compiler.types import describe, fits, kind_text
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.source import Span

CHEAP = (Const, Ref, LoopVar, SizeOf)
DEEPEST = 20  # calls within calls


def check_function(c: Context, name: str, calls: tuple[str, ...] = ()) -> FunctionInfo:
    """Check a definition by itself, its arguments standing for any of their types."""
    info = c.functions[name]
    if info.checked:
        return info
    info.checked = True
    before = len(c.found)
    node = info.node
    labels = {d.name.rstrip("'"): d.name.rstrip("'") for arg in node.args for d in arg.dims}
    own = tuple(Axis.whole(label) for label in dict.fromkeys(labels.values())) or (Axis.whole("@"), Axis.whole("@'"))
    env = Env(labels=labels, function=name, standing=True, place=own, calls=(*calls, name))
    locals_: dict[str, Expr | None] = {}
    for arg in node.args:
        if arg.name in locals_:
            c.error("E0203", f"The function `{name}` has two arguments named `{arg.name}`.", arg.span)
        elif names.taken(c, arg.name):
            c.error(
                "E0204", f"`{arg.name}` is {names.taken(c, arg.name)}; it can't name an argument.", arg.span
            )
        locals_[arg.name] = _stand_in(c, arg, env)
    _body(c, node, replace(env, locals=locals_))
    info.broken = any(d.is_error for d in c.found[before:])
    return info


def _stand_in(c: Context, arg: ast.FunctionArgument, env: Env) -> Expr | None:
    """Any value of an argument's type."""
    labels = dims.declared_dims(c, arg.name, arg.dims, env)
    kind, of = Kind.REAL, None
    if arg.type is not None:
        found = declared.declared_type(c, arg.type, len(arg.dims), env)
        if found is None:
            return None
        kind, of = found.kind, found.of
    if labels is None:
        return None
    return Ref(c.fresh(arg.name), (), Type(kind, tuple(Axis.whole(d) for d in labels), of), arg.span)


def _body(c: Context, node: ast.Function, env: Env) -> Expr | None:
    """The value a function returns, its local names bound by a Let."""
    local = dict(env.locals)
    bindings: list[tuple[str, Expr]] = []
    for statement in node.body:
        inner = replace(env, locals=local)
        if isinstance(statement, ast.Return):
            if statement is not node.body[-1]:
                return c.error(
                    "E0703",
                    f"Nothing after `return` is reached in `{node.name}`.",
                    statement.span,
                    "return is the last statement",
                )
            return _returned(c, node, statement, inner, bindings)
        _assign(c, statement, inner, local, bindings)
    return c.error(
        "E0703",
        f"The function `{node.name}` returns nothing.",
        node.name_span,
        "end it with return and an expression",
    )


def _assign(
    c: Context, node: ast.Assign, env: Env, local: dict[str, Expr | None], bindings: list[tuple[str, Expr]]
) -> None:
    name = node.target.name
    value = types.type_of(c, node.value, env, _written_axes(c, node, env))
    if name in local:
        message = f"`{name}` already has a value in `{env.function}`."
        return c.error("E0203", message, node.target.name_span, "give the new value a new name")
    meaning = names.taken(c, name)
    if meaning:
        return c.error("E0204", f"`{name}` is {meaning}; it can't name a value.", node.target.name_span)
    local[name] = None
    if value is None or not _target_fits(c, node, value, env):
        return None
    if node.type is not None:
        wanted = declared.declared_type(c, node.type, len(value.type.axes), env)
        if wanted is not None and not fits(value.type, wanted.kind, wanted.of):
            return c.error(
                "E0405",
                f"`{name}` is declared {wanted.text}, but its value is {describe(value.type)}.",
                node.value.span,
            )
    local[name] = _bound(c, name, value, bindings)
    return None


def _written_axes(c: Context, node: ast.Assign, env: Env) -> tuple[Axis, ...] | None:
    """The axes written behind a local name: of the lengths that the arguments have."""
    labels = [dims.label_of(c, i.id, env) if isinstance(i, ast.Name) else None for i in node.target.indices]
    known = {a.label: a for value in env.locals.values() if value is not None for a in value.type.axes}
    axes = tuple(known.get(label, Axis.whole(label)) for label in labels if label is not None)
    return axes if axes and len(axes) == len(labels) else None


def _target_fits(c: Context, node: ast.Assign, value: Expr, env: Env) -> bool:
    """Whether dims written behind a local name are those of its value."""
    if not node.target.indices:
        return True
    labels = [dims.label_of(c, i.id, env) if isinstance(i, ast.Name) else None for i in node.target.indices]
    have = [a.label for a in value.type.axes]
    if sorted(label or "" for label in labels) == sorted(have):
        return True
    hint = f"write {node.target.name} = …; its dims follow from the value"
    c.error(
        "E0302",
        f"`{c.text(node.target)}` is set to a value that is {dims.dims_text(have)}.",
        node.target.span,
        hint,
    )
    return False


def _bound(c: Context, name: str, value: Expr, bindings: list[tuple[str, Expr]]) -> Expr:
    """A value to use in place of a name: itself if cheap, else a reference to a binding."""
    if isinstance(value, CHEAP):
        return value
    fresh = c.fresh(name)
    bindings.append((fresh, value))
    return Ref(fresh, (), value.type, value.span)


def _returned(
    c: Context, node: ast.Function, statement: ast.Return, env: Env, bindings: list[tuple[str, Expr]]
) -> Expr | None:
    value = types.type_of(c, statement.value, env, env.place)
    if value is None:
        return None
    if node.returns is not None:
        wanted = declared.declared_type(c, node.returns, None, env)
        if wanted is None:
            return None
        if not fits(value.type, wanted.kind, wanted.of):
            message = (
                f"`{node.name}` is declared to return {wanted.text}, but returns {describe(value.type)}."
            )
            return c.error("E0405", message, statement.value.span, whole_hint(wanted.kind, value.type.kind))
    return Let(tuple(bindings), value, value.type, statement.span) if bindings else value


# ---------------------------------------------------------------- calls


def inline(c: Context, node: ast.Call, env: Env, place: tuple[Axis, ...] | None = None) -> Expr | None:
    """The body of a function with the arguments of a call in place; `place`: the axes of what the call is for."""
    name = node.func
    if name in env.calls:
        way = " → ".join((*env.calls[env.calls.index(name) :], name))
        c.functions[name].broken = True
        return c.error(
            "E0702",
            f"The function `{name}` calls itself ({way}).",
            node.func_span,
            "functions are not recursive; use a for loop",
        )
    if len(env.calls) >= DEEPEST:
        message = f"Calls of functions nest more than {DEEPEST} deep here."
        return c.error("E0110", message, node.func_span, "write some of the functions out where they are called")
    info = check_function(c, name, env.calls)
    if info.broken:
        for arg in node.args:
            types.type_of(c, arg.value, env)
        return None
    values = _arguments(c, node, env)
    if values is None:
        return None
    bindings: list[tuple[str, Expr]] = []
    labels: dict[str, str] = {}
    lengths: dict[str, Size] = {}
    local: dict[str, Expr | None] = {}
    for wanted in info.node.args:
        value = _unify(c, node, wanted, values[wanted.name], labels)
        if value is None or not _kind_fits(c, node, wanted, value, labels, values[wanted.name].span):
            return None
        for axis, d in ((x, d) for d in wanted.dims for x in value.type.axes):
            if axis.label == _bound_label(d.name, labels):
                lengths.setdefault(d.name, axis.length)
        local[wanted.name] = _bound(c, wanted.name, value, bindings)
    before = len(c.found)
    axes = {a.label: a for value in local.values() if value is not None for a in value.type.axes}
    batch = frozenset(set(axes) - set(labels.values()))
    own = tuple(axes[label] for label in dict.fromkeys(labels.values()) if label in axes)
    inner = Env(
        locals=local,
        labels=labels,
        lengths=lengths,
        batch=batch,
        function=name,
        standing=env.standing,
        place=place or own or None,
        calls=(*env.calls, name),
    )
    body = _body(c, info.node, inner)
    c.found[before:] = [replace(d, notes=(*d.notes, (node.span, "called here"))) for d in c.found[before:]]
    if body is None:
        return None
    return Let(tuple(bindings), body, body.type, node.span) if bindings else body


def _arguments(c: Context, node: ast.Call, env: Env) -> dict[str, Expr] | None:
    """The values of a call's arguments by name."""
    wanted = [a.name for a in c.functions[node.func].node.args]
    usage = f"write {node.func}({', '.join(wanted)})"
    given: dict[str, Expr | None] = {}
    fine = True
    for position, arg in enumerate(node.args):
        name = arg.name or (wanted[position] if position < len(wanted) else None)
        value = types.type_of(c, arg.value, env)
        if name is None or (name not in wanted):
            message = (
                f"`{node.func}` takes {dims.plural(len(wanted), 'argument')}; here are {len(node.args)}."
                if arg.name is None
                else f"`{node.func}` has no argument named `{arg.name}`."
            )
            c.error(
                "E0701" if arg.name is None else "E0704", message, arg.span, near(name or "", wanted) or usage
            )
            fine = False
        elif name in given:
            c.error("E0704", f"The argument `{name}` is given twice.", arg.span)
            fine = False
        else:
            given[name] = value
    missing = [w for w in wanted if w not in given]
    if missing and fine:
        return c.error(
            "E0701",
            f"`{node.func}` misses the argument{'s' if len(missing) > 1 else ''} {listed(missing)}.",
            node.span,
            usage,
        )
    return (
        {k: v for k, v in given.items() if v is not None}
        if fine and all(v is not None for v in given.values())
        else None
    )


def _unify(
    c: Context, node: ast.Call, arg: ast.FunctionArgument, value: Expr, labels: dict[str, str]
) -> Expr | None:
    """Bind the dims of ``v[k]`` to axes of the value: those bound before by label, the others to its last
    axes in order."""
    wanted = [d.name for d in arg.dims]
    free = [a.label for a in value.type.axes]
    for name in wanted:
        bound = _bound_label(name, labels)
        if bound is not None:
            if bound not in free:
                message = (
                    f"`{arg.name}` of `{node.func}` is over `{name}`, which is `{bound}` here, "
                    f"but this is {dims.dims_text(free)}."
                )
                return c.error("E0301", message, value.span)
            free.remove(bound)
    new = [name for name in wanted if _bound_label(name, labels) is None]
    if len(free) < len(new):
        have = dims.dims_text([a.label for a in value.type.axes])
        return c.error(
            "E0304",
            f"`{arg.name}` of `{node.func}` is over [{', '.join(wanted)}], but this is {have}.",
            value.span,
        )
    pairs = list(zip(new, free[len(free) - len(new) :], strict=True))
    return _relabelled(value, pairs, labels)


def _bound_label(name: str, labels: dict[str, str]) -> str | None:
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
    c.error("E0405", message, span, whole_hint(found.kind, value.type.kind))
    return False


def whole_hint(wanted: Kind, have: Kind) -> str:
    return "use int(…) or round(…), or declare it real" if wanted is Kind.INT and have is Kind.REAL else ""
