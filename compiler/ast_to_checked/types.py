"""What type an expression has: names, operators and the way down to subscripts and calls."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from emfppl.compiler.ast_to_checked import calls, dims, lists, names, subscripts
from emfppl.compiler.ast_to_checked.context import Context, Env, VariableInfo
from emfppl.compiler.expressions import Apply, Axis, Const, Expr, Kind, LoopVar, MatMul, Relabel, SizeOf, Type
from emfppl.compiler.types import arithmetic, describe
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.source import Span

CONSTANT_VALUES = {"pi": math.pi, "e": math.e, "inf": math.inf}
BOOL, INT, REAL = Type(Kind.BOOL), Type(Kind.INT), Type(Kind.REAL)
Place = tuple[Axis, ...] | None
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")


def type_of(c: Context, node: ast.Expr, env: Env, axes: Place = None) -> Expr | None:
    """The typed expression, or None once something in it was found wrong. `axes`: those of the place that the
    value is for, which tell what a list in it runs over."""
    match node:
        case ast.Number():
            return (
                Const(int(node.text), INT, node.span)
                if node.is_int
                else Const(float(node.text), REAL, node.span)
            )
        case ast.Bool(value):
            return Const(value, BOOL, node.span)
        case ast.Name():
            return _name(c, node, env)
        case ast.ListLiteral():
            return lists.list_value(c, node, env, axes)
        case ast.Unary():
            return _unary(c, node, env, axes)
        case ast.Binary():
            return _binary(c, node, env, axes)
        case ast.Call():
            return calls.call(c, node, env, axes)
        case ast.Subscript():
            return subscripts.subscript(c, node, env)


# ---------------------------------------------------------------- names


def find_variable(c: Context, name: str, env: Env) -> VariableInfo | None:
    """The variable or helper that a name means here."""
    if env.function is not None:
        return None
    return env.helpers.get(name) or c.variables.get(name)


def kind_of(c: Context, info: VariableInfo) -> tuple[Kind, str | None] | None:
    """The kind of a variable; one not met yet is as the last round found it, or real."""
    if info.broken or info.dims is None:
        return None
    if info.kind is not None:
        return info.kind, info.of
    c.guessed.add(info.graph_name or info.name)
    return c.kinds.get(info.graph_name or info.name, (Kind.REAL, None))


def _name(c: Context, node: ast.Name, env: Env) -> Expr | None:
    if node.id in env.locals:
        value = env.locals[node.id]
        return replace(value, span=node.span) if isinstance(value, Const) else value
    if env.loop(node.id):
        return LoopVar(node.id, INT, node.span)
    info = find_variable(c, node.id, env)
    if info is not None:
        return subscripts.reference(c, info, (), env, node.span)
    label = dims.label_of(c, node.id, env) if not node.id.endswith("'") else None
    if label is not None and (env.function is None or node.id in env.labels):
        return SizeOf(env.size_of(node.id, label), INT, node.span)
    if node.id in CONSTANT_VALUES:
        return Const(CONSTANT_VALUES[node.id], REAL, node.span)
    return names.undefined(c, node, env)


# ---------------------------------------------------------------- operators


def _unary(c: Context, node: ast.Unary, env: Env, axes: Place) -> Expr | None:
    arg = type_of(c, node.operand, env, axes)
    if arg is None:
        return None
    if node.op == "not":
        return (
            Apply("not", (arg,), Type(Kind.BOOL, arg.type.axes), node.span)
            if need_bool(c, arg, node.operand, "not")
            else None
        )
    if node.op == "+":
        return arg
    if isinstance(arg, Const) and not isinstance(arg.value, bool):
        return Const(-arg.value, arg.type, node.span)
    return Apply("neg", (arg,), Type(arithmetic([arg.type]), arg.type.axes), node.span)


def _binary(c: Context, node: ast.Binary, env: Env, axes: Place) -> Expr | None:
    axes = None if node.op == "@" else axes
    left, right = type_of(c, node.left, env, axes), type_of(c, node.right, env, axes)
    if left is None or right is None:
        return None
    if node.op == "@":
        return _matmul(c, left, right, node, env)
    if node.op in ("and", "or"):
        fine = [need_bool(c, a, n, node.op) for a, n in ((left, node.left), (right, node.right))]
        return elementwise(c, node.op, (left, right), Kind.BOOL, node.span) if all(fine) else None
    if node.op in COMPARISONS:
        return _comparison(c, left, right, node)
    op = "**" if node.op == "^" else node.op
    return elementwise(c, op, (left, right), _arithmetic_kind(op, left, right), node.span)


def _arithmetic_kind(op: str, left: Expr, right: Expr) -> Kind:
    if op == "/":
        return Kind.REAL
    if op == "**" and not (isinstance(right, Const) and right.type.kind is Kind.INT and right.value >= 0):
        return Kind.REAL
    return arithmetic([left.type, right.type])


def _comparison(c: Context, left: Expr, right: Expr, node: ast.Binary) -> Expr | None:
    if isinstance(node.left, ast.Binary) and node.left.op in COMPARISONS and node.op not in ("==", "!="):
        a, b = c.text(node.left), f"{c.text(node.left.right)} {node.op} {c.text(node.right)}"
        return c.error("E0401", "Comparisons don't chain.", node.span, f"write {a} and {b}")
    both = (left.type.kind, right.type.kind)
    if both == (Kind.INDEX, Kind.INDEX) and left.type.of != right.type.of:
        message = f"This compares an index({left.type.of}) with an index({right.type.of})."
        return c.error("E0401", message, node.span, "compare positions in the same dim")
    return elementwise(c, node.op, (left, right), Kind.BOOL, node.span)


def elementwise(
    c: Context, op: str, args: tuple[Expr, ...], kind: Kind, span: Span, of: str | None = None
) -> Expr | None:
    """An operation entry by entry, over the union of the axes."""
    axes = dims.union(c, args, span)
    return None if axes is None else Apply(op, args, Type(kind, axes, of), span)


def need_bool(c: Context, arg: Expr, node: ast.Expr, what: str) -> bool:
    if arg.type.kind is Kind.BOOL:
        return True
    text = c.text(node)
    c.error(
        "E0401",
        f"`{what}` needs a condition, but `{text}` is {describe(arg.type)}.",
        node.span,
        f"write a comparison, such as {text} > 0",
    )
    return False


def need_number(c: Context, arg: Expr, node: ast.Expr, what: str) -> bool:
    """Bools are no numbers where a weight or a mean is wanted."""
    if arg.type.kind is not Kind.BOOL:
        return True
    c.error(
        "E0401",
        f"{what} needs a number, but `{c.text(node)}` is bool.",
        node.span,
        "write if(condition, 1, 0)",
    )
    return False


def _matmul(c: Context, left: Expr, right: Expr, node: ast.Binary, env: Env) -> Expr | None:
    mine, theirs = [a.label for a in left.type.axes], {a.label for a in right.type.axes}
    if len(mine) > 1 and mine[-1] == mine[-2] + "'" and mine[-2] in theirs and mine[-1] not in theirs:
        right = _relabelled(right, mine[-2], mine[-1])  # a matrix over (k, k') times a vector over k
        theirs = {a.label for a in right.type.axes}
    shared = env.own(label for label in mine if label in theirs)
    if not shared:
        sides = (
            f"the left is {dims.dims_text(mine)}, the right "
            f"{dims.dims_text([a.label for a in right.type.axes])}"
        )
        hint = "use * for numbers" if not mine or not theirs else "relabel one side, such as b[k'] or b[k]"
        return c.error("E0309", f"`@` sums over a dim that both sides have; {sides}.", node.op_span, hint)
    over = shared[-1]
    twin = next((label for label in shared[:-1] if label.rstrip("'") == over.rstrip("'")), None)
    if twin is not None:
        others = [a.label for a in right.type.axes]
        if mine[-2:] != [twin, over] or others[-2:] != [twin, over] or over + "'" in {*mine, *others}:
            return _unclear_product(c, twin, over, node)
        return _square_product(c, left, right, node, env)
    axes = dims.union(c, (left, right), node.span)
    if axes is None:
        return None
    kept = tuple(a for a in axes if a.label != over)
    return MatMul(left, right, over, Type(arithmetic([left.type, right.type]), kept), node.span)


def _unclear_product(c: Context, twin: str, over: str, node: ast.Binary) -> Any:
    message = f"Both sides of `@` are over `{twin}` and `{over}`: entries would be multiplied along `{twin}`, not summed."
    hint = f"a product of matrices has [{twin}, {over}] last on both sides; A times its transpose is A @ transpose(A)"
    return c.error("E0315", message, node.op_span, hint)


def _square_product(c: Context, left: Expr, right: Expr, node: ast.Binary, env: Env) -> Expr | None:
    """``A @ B`` of matrices that both end in (k, k'): the product of matrices, A[k, k''] @ B[k'', k']."""
    row, column = left.type.axes[-2:]
    middle = column.label + "'"
    left = _relabelled(left, column.label, middle)
    return _matmul(c, left, _relabelled(right, row.label, middle), node, env)


def _relabelled(expr: Expr, old: str, new: str) -> Expr:
    axes = tuple(replace(a, label=new) if a.label == old else a for a in expr.type.axes)
    return Relabel(expr, (old,), (new,), replace(expr.type, axes=axes), expr.span)
