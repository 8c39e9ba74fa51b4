"""Which loops there are: their variables and ranges, and the way into their bodies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from emfppl.compiler.ast_to_checked import dims, names
from emfppl.compiler.ast_to_checked.context import Context, Env, Loop
from emfppl.compiler.expressions import Axis
from emfppl.grammar import ast_nodes as ast


@dataclass(frozen=True, slots=True)
class Placed:
    """A statement other than a loop, with the loops around it, outermost first."""

    node: ast.Statement
    around: tuple[ast.For, ...]


def placed(statements: tuple[ast.Statement, ...], around: tuple[ast.For, ...] = ()) -> Iterator[Placed]:
    """Every statement of the program with its loops."""
    for node in statements:
        if isinstance(node, ast.For):
            yield from placed(node.body, (*around, node))
        else:
            yield Placed(node, around)


def declare_loops(c: Context, program: ast.Program) -> None:
    """Resolve the head of every loop."""
    targets = {
        p.node.target.name for p in placed(program.statements) if isinstance(p.node, ast.Random | ast.Assign)
    }
    for node in program.statements:
        if isinstance(node, ast.For):
            _declare(c, node, Env(), targets)


def _declare(c: Context, node: ast.For, env: Env, targets: set[str]) -> None:
    loop = _head(c, node, env)
    if _name_is_free(c, node, env, targets) is False:
        loop = None
    c.loops[id(node)] = loop
    inner = enter(c, node, env)
    for statement in node.body:
        if isinstance(statement, ast.For):
            _declare(c, statement, inner, targets)
        elif not isinstance(statement, ast.Random | ast.Assign | ast.Factor):
            kind = type(statement).__name__.lower()
            word = {"function": "def"}.get(kind, kind)
            c.error(
                "E0605",
                f"`{word}` can't stand inside a loop.",
                statement.span,
                "move it in front of the loop",
            )


def _head(c: Context, node: ast.For, env: Env) -> Loop | None:
    label = dims.need_label(c, node.range, env)
    if label is None:
        return None
    axis: Axis | None = Axis.whole(label)
    if node.range.bounds is not None and axis is not None:
        axis = dims.slice_axis(c, axis, node.range.bounds, env)
    if axis is None:
        return None
    return Loop(node.var, axis.dim, axis.lower, axis.upper, label)


def _name_is_free(c: Context, node: ast.For, env: Env, targets: set[str]) -> bool:
    name = node.var
    around = env.loop(name)
    what = (
        names.taken(c, name)
        or ("the variable of a loop around this one" if around or name in env.locals else None)
        or ("a dim" if name in c.dims else None)
        or ("a function" if name in c.functions else None)
        or ("a variable" if name in c.variables or name in targets else None)
    )
    if what is None:
        return True
    c.error(
        "E0204",
        f"`{name}` is {what}; a loop needs a name of its own.",
        node.var_span,
        f"choose another, such as {_free(c, env, targets)}",
    )
    return False


def _free(c: Context, env: Env, targets: set[str]) -> str:
    """A letter that is no name yet."""
    known = {*c.dims.sizes, *c.variables, *targets, *(loop.label for loop in env.loops)}
    return next((letter for letter in "tijknsuvw" if letter not in known), "t1")


def enter(c: Context, node: ast.For, env: Env) -> Env:
    """The surroundings of a statement in the body of a loop."""
    loop = c.loops[id(node)]
    helpers = {**env.helpers, **c.helpers.get(id(node), {})}
    if loop is None:
        return replace(env, helpers=helpers, locals={**env.locals, node.var: None})
    return replace(env, loops=(*env.loops, loop), helpers=helpers)


def env_of(c: Context, around: tuple[ast.For, ...]) -> Env:
    env = Env()
    for node in around:
        env = enter(c, node, env)
    return env


def loops_in(node: ast.Expr | ast.SliceItem | None, around: tuple[str, ...]) -> set[str]:
    """The loop variables that a subscript mentions."""
    match node:
        case ast.Name(name):
            return {name} & set(around)
        case ast.Unary(_, operand):
            return loops_in(operand, around)
        case ast.Binary(_, left, right):
            return loops_in(left, around) | loops_in(right, around)
        case ast.SliceItem(lower, upper):
            return loops_in(lower, around) | loops_in(upper, around)
        case ast.Subscript(base, indices):
            return loops_in(base, around).union(*(loops_in(i, around) for i in indices))
        case ast.Call():
            return set().union(*(loops_in(a.value, around) for a in node.args))
    return set()
