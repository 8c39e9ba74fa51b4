"""What each statement says: draws, values and factors, checked one by one."""

from __future__ import annotations

import math
from collections.abc import Sequence

from emfppl.compiler import types as kinds
from emfppl.compiler.ast_to_checked import composed, declared, dims, dists, loops, observed, targets, types
from emfppl.compiler.ast_to_checked.argument_values import Goal
from emfppl.compiler.ast_to_checked.context import Context, Env, VariableInfo
from emfppl.compiler.checked_nodes import (
    CheckedAssign,
    CheckedFactor,
    CheckedFor,
    CheckedRandom,
    CheckedStatement,
)
from emfppl.compiler.expressions import Axis, Kind, Type, Whole
from emfppl.compiler.graph import Integers, Interval, Role, Structured, Support, Target
from emfppl.compiler.supports import DeclaredType, limits, narrow
from emfppl.grammar import ast_nodes as ast


def check_body(c: Context, body: Sequence[ast.Statement], env: Env) -> tuple[CheckedStatement, ...]:
    """The statements of a program or a loop that hold what they say."""
    out: list[CheckedStatement] = []
    for node in body:
        one: CheckedStatement | None = None
        match node:
            case ast.Random():
                one = _random(c, node, env)
            case ast.Assign():
                one = _assign(c, node, env)
            case ast.Factor():
                one = _factor(c, node, env)
            case ast.For():
                one = _for(c, node, env)
        if one is not None:
            out.append(one)
    return tuple(out)


def _for(c: Context, node: ast.For, env: Env) -> CheckedFor | None:
    body = check_body(c, node.body, loops.enter(c, node, env))
    loop = c.loops[id(node)]
    return None if loop is None else CheckedFor(loop.label, loop.dim, loop.lower, loop.upper, body, node.span)


def _info(c: Context, target: ast.Target, env: Env) -> VariableInfo | None:
    return env.helpers.get(target.name) or c.variables.get(target.name)


def _axes(target: Target) -> tuple[Axis, ...]:
    return tuple(i.axis for i in target.indices if isinstance(i, Whole))


# ---------------------------------------------------------------- name ~ distribution


def _random(c: Context, node: ast.Random, env: Env) -> CheckedRandom | None:
    info = _info(c, node.target, env)
    c.target_spans[node.span] = node.target.span
    if info is None or info.role is Role.PARAM:
        return None
    target = targets.resolve(c, node.target, info, env, True)
    if isinstance(node.dist, ast.Call) and node.dist.func in c.models:
        info.incomplete, info.kind = True, info.kind or Kind.REAL  # a use that could not be expanded, or not yet
        return None
    one = None if target is None else _draw(c, node, info, target, env)
    if one is None:
        info.incomplete = True
        if target is None:
            _skim(c, node.dist, env)
        _kind_from_table(c, node, info)
    return one


def _draw(c: Context, node: ast.Random, info: VariableInfo, target: Target, env: Env) -> CheckedRandom | None:
    axes = _axes(target)
    said = declared.declared_type(c, node.type, len(axes), env) if node.type is not None else None
    known = said or info.declared
    goal = Goal(axes, c.text(node.target) or info.name, info.name, of=known.of if known else None)
    typed = dists.dist_of(c, node.dist, env, goal)
    if typed is None or (node.type is not None and said is None):
        return None
    if info.role is Role.OBSERVED:
        if not observed.agrees(c, node, info, typed, said):
            return None
        return CheckedRandom(target, typed.dist, typed.support, False, True, node.span)
    if typed.dist.name in composed.OBSERVED_ONLY:
        message = f"`{info.name}` is not data; only what is observed is {typed.dist.name}."
        hint = f"declare the recorded values as data, or draw from what is inside `{typed.dist.name}`"
        return c.error("E0510", message, node.dist.span, hint)
    found = _support(c, node, said, typed, axes)
    if found is None:
        return None
    _note_kind(info, typed.kind, typed.of)
    info.declared = info.declared or said
    support, narrowed = found
    if narrowed and typed.dist.name == "truncated" and isinstance(support, Interval | Integers):
        return CheckedRandom(
            target, composed.cut(typed.dist, support, node.span), support, False, False, node.span
        )
    return CheckedRandom(target, typed.dist, support, narrowed, False, node.span)


def _support(
    c: Context, node: ast.Random, said: DeclaredType | None, typed: dists.TypedDist, axes: tuple[Axis, ...]
) -> tuple[Support, bool] | None:
    """The support of a latent: what its distribution and its written type have in common."""
    if said is None:
        return typed.support, False
    if said.optional:
        return c.error(
            "E0406", "Only data may have missing entries.", said.span, f"write {said.text.rstrip('?')}"
        )
    if not _bounds_fit(c, node, said, axes):
        return None
    if typed.dist.name == "Flat":
        return _flat_support(c, said)
    family = typed.dist.name
    clash = f"`{c.text(node.target)}` is declared {said.text}, but `{family}` draws {_draws(typed)}."
    if (said.kind is Kind.REAL) != (typed.kind is Kind.REAL) or (
        said.kind is Kind.INDEX and said.of != typed.of
    ):
        return c.error("E0506", clash, said.span, "leave the type out, or choose another distribution")
    found = narrow(said.support, typed.support)
    if found is None:
        return c.error("E0506", clash, said.span, "leave the type out, or choose another distribution")
    return found


def _draws(typed: dists.TypedDist) -> str:
    """What a distribution's draws are, in a word."""
    if isinstance(typed.support, Structured):
        return {"real_vector": "a real vector", "simplex": "a simplex"}.get(
            typed.support.name, typed.support.name
        )
    if typed.kind is not Kind.REAL:
        return {Kind.BOOL: "bool", Kind.INT: "whole numbers", Kind.INDEX: f"index({typed.of})"}[typed.kind]
    low, high = limits(typed.support)
    if low == -math.inf and high == math.inf:
        return "real numbers"
    if low == 0 and high == math.inf:
        return "positive numbers"
    known = low is not None and high is not None
    return f"numbers between {low:g} and {high:g}" if known else "numbers within bounds of its own"


def _flat_support(c: Context, said: DeclaredType) -> tuple[Support, bool] | None:
    if said.kind is Kind.REAL:
        return said.support, False
    return c.error("E0506", f"`Flat` is a prior on real numbers; {said.text} is discrete.", said.span)


def _bounds_fit(c: Context, node: ast.Random, said: DeclaredType, axes: tuple[Axis, ...]) -> bool:
    if isinstance(said.support, Structured):
        return True
    bounds = [b for b in (said.support.lower, said.support.upper) if b is not None]
    text = c.text(node.target)
    return all(dims.check_within(c, b, axes, f"A bound of {said.text}", text, said.span) for b in bounds)


def _note_kind(info: VariableInfo, kind: Kind, of: str | None) -> None:
    """Widen the kind of a variable by that of one more piece."""
    if info.kind is None:
        info.kind, info.of = kind, of
    else:
        info.kind, info.of = kinds.join([Type(info.kind, (), info.of), Type(kind, (), of)])


def _kind_from_table(c: Context, node: ast.Random, info: VariableInfo) -> None:
    """After a fault in its arguments a draw still has the kind that its distribution says."""
    row = dists.row_of(c, node.dist)
    if info.kind is None and (row is None or row.discrete):
        info.broken = True
    elif info.kind is None:
        info.kind = Kind.REAL


def _skim(c: Context, node: ast.Expr, env: Env) -> None:
    """Look for faults in the arguments of a distribution whose target is faulty."""
    if not isinstance(node, ast.Call) or c.table.get(node.func) is None:
        return
    for arg in node.args:
        if isinstance(arg.value, ast.Call) and c.table.get(arg.value.func):
            _skim(c, arg.value, env)
        elif not isinstance(arg.value, ast.ListLiteral):
            types.type_of(c, arg.value, env)


# ---------------------------------------------------------------- name = value, factor


def _assign(c: Context, node: ast.Assign, env: Env) -> CheckedAssign | None:
    info = _info(c, node.target, env)
    c.target_spans[node.span] = node.target.span
    if info is None or info.role in (Role.DATA, Role.OBSERVED, Role.PARAM):
        types.type_of(c, node.value, env) if not isinstance(node.value, ast.ListLiteral) else None
        return None
    one = _value(c, node, info, env)
    if one is None:
        info.incomplete = True
        info.broken = info.broken or info.kind is None
    return one


def _value(c: Context, node: ast.Assign, info: VariableInfo, env: Env) -> CheckedAssign | None:
    if dists.row_of(c, node.value) is not None and isinstance(node.value, ast.Call):
        hint = f"write {c.text(node.target)} ~ {c.text(node.value)}"
        return c.error(
            "E0507", f"`{node.value.func}` is a distribution; = takes a value.", node.value.func_span, hint
        )
    target = targets.resolve(c, node.target, info, env, False)
    axes = _axes(target) if target is not None else ()
    value = types.type_of(c, node.value, env, axes if target is not None else None)
    if value is None or target is None:
        return None
    said = declared.declared_type(c, node.type, len(axes), env) if node.type is not None else None
    if node.type is not None and said is None:
        return None
    if said is not None and not _asserted(c, node, said, value.type):
        return None
    kind, of = (said.kind, said.of) if said is not None else (value.type.kind, value.type.of)
    _note_kind(info, kind, of)
    info.declared = info.declared or said
    if not dims.check_within(c, value, axes, "The value", c.text(node.target) or info.name, node.value.span):
        info.broken = True
        return None
    return CheckedAssign(target, value, node.span)


def _asserted(c: Context, node: ast.Assign, said: DeclaredType, value: Type) -> bool:
    """A type on ``=`` says which kind the value is."""
    if said.optional:
        c.error("E0406", "Only data may have missing entries.", said.span, f"write {said.text.rstrip('?')}")
        return False
    if kinds.fits(value, said.kind, said.of):
        return True
    message = (
        f"`{node.target.name}` is declared {said.text}, but its value is "
        f"{kinds.kind_text(value.kind, value.of)}."
    )
    hint = "use int(…) or round(…)" if said.kind is Kind.INT and value.kind is Kind.REAL else ""
    c.error("E0405", message, node.value.span, hint)
    return False


def _factor(c: Context, node: ast.Factor, env: Env) -> CheckedFactor | None:
    if dists.row_of(c, node.value) is not None and isinstance(node.value, ast.Call):
        hint = "factor takes a log density; for an observation write y ~ …"
        return c.error(
            "E0507", f"`{node.value.func}` is a distribution, not a number.", node.value.func_span, hint
        )
    value = types.type_of(c, node.value, env)
    if value is None or not types.need_number(c, value, node.value, "`factor`"):
        return None
    return CheckedFactor(value, node.span)
