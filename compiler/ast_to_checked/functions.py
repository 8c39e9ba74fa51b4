"""User functions: each is checked once by itself; `inlining` then writes it out where it is called."""

from __future__ import annotations

from dataclasses import replace

from emfppl.compiler.ast_to_checked import declared, dims, names, types
from emfppl.compiler.ast_to_checked.context import Context, Env, FunctionInfo
from emfppl.compiler.expressions import Axis, Const, Expr, Kind, Let, LoopVar, Ref, SizeOf, Type
from emfppl.compiler.types import describe, fits
from emfppl.grammar import ast_nodes as ast

CHEAP = (Const, Ref, LoopVar, SizeOf)


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
        check_default(c, arg, env)
    body(c, node, replace(env, locals=locals_))
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


def check_default(c: Context, arg: ast.FunctionArgument, env: Env) -> None:
    """A default is a value of the argument's type, made of constants; one that runs over dims has none."""
    if arg.default is None:
        return
    if arg.dims:
        c.error("E0407", f"`{arg.name}` runs over dims of the call; it can't have a default.", arg.default.span)
        return
    value = types.type_of(c, arg.default, Env(function=env.function))
    wanted = declared.declared_type(c, arg.type, 0, env) if arg.type is not None else None
    if value is not None and wanted is not None and not fits(value.type, wanted.kind, wanted.of):
        message = f"`{arg.name}` is declared {wanted.text}, but its default is {describe(value.type)}."
        c.error("E0405", message, arg.default.span, whole_hint(wanted.kind, value.type.kind))


def body(c: Context, node: ast.Function, env: Env) -> Expr | None:
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
        f"The {'distribution' if node.law else 'function'} `{node.name}` returns nothing.",
        node.name_span,
        "end it with return and " + ("its log density" if node.law else "an expression"),
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
    local[name] = bound(c, name, value, bindings)
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


def bound(c: Context, name: str, value: Expr, bindings: list[tuple[str, Expr]]) -> Expr:
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


def whole_hint(wanted: Kind, have: Kind) -> str:
    return "use int(…) or round(…), or declare it real" if wanted is Kind.INT and have is Kind.REAL else ""
