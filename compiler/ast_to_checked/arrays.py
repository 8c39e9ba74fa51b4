"""Functions of whole vectors and matrices: what their arguments and results run over."""

from __future__ import annotations

from emfppl.compiler.ast_to_checked import calls, dims
from emfppl.compiler.ast_to_checked.context import Context, Env, near
from emfppl.compiler.expressions import ArrayCall, Axis, Const, Expr, Kind, Type
from emfppl.compiler.functions import ARRAY, MATRICES, SOLVERS, ArrayFunction
from emfppl.compiler.types import describe
from emfppl.grammar import ast_nodes as ast


def array(c: Context, node: ast.Call, env: Env) -> Expr | None:
    """The value of a call of a function of arrays."""
    name = node.func
    if name == "identity":
        return _identity(c, node, env)
    over = next((a for a in node.args if a.name == "over"), None)
    rest = ast.Call(name, tuple(a for a in node.args if a is not over), node.func_span, node.span)
    row = ARRAY.get(name) or SOLVERS.get(name) or MATRICES[name]
    args = calls.positional(c, rest, len(row.params), env, calls.usage(name, row.params))
    if args is None:
        return None
    if not isinstance(row, ArrayFunction):
        matrix = _core(c, node, args[0], 2, True, rest.args[0].value, over, env)
        if matrix is None:
            return None
        return _solve(c, node, args, matrix) if name in SOLVERS else _add_diag(c, node, args, matrix)
    cores = [
        _core(c, node, arg, rank, row.square, given.value, over, env)
        for arg, rank, given in zip(args, row.args, rest.args, strict=True)
    ]
    known = [core for core in cores if core is not None]
    return _call(c, node, row, args, known) if len(known) == len(cores) else None


def _call(
    c: Context, node: ast.Call, row: ArrayFunction, args: list[Expr], cores: list[tuple[str, ...]]
) -> Expr | None:
    """A call of a function from the table, its cores known."""
    out, batch = _out(row, cores), batch_axes(c, args, cores, node)
    if batch is None:
        return None
    ends = [
        next(a for a in arg.type.axes if a.label == label)
        for arg, core in zip(args, cores, strict=True)
        for label in core
    ]
    type_ = Type(Kind.REAL, (*batch, *_named(out, ends)))
    return ArrayCall(row.name, tuple(args), tuple(cores), out, type_, node.span)


def _identity(c: Context, node: ast.Call, env: Env) -> Expr | None:
    """``identity(k)``: k is the name of a dim."""
    named = node.args[0].value if len(node.args) == 1 and node.args[0].name is None else None
    label = dims.label_of(c, named.id, env) if isinstance(named, ast.Name) else None
    if named is None or label is None:
        hint = "write identity(k) with dim k" + (f"; {near(named.id, c.dims.sizes)}" if isinstance(named, ast.Name) else "")
        return c.error("E0314", "`identity` takes the name of a dim.", node.span, hint.rstrip("; "))
    axis = next((a for v in env.locals.values() if v is not None for a in v.type.axes if a.label == label), Axis.whole(label))
    second = Axis(label + "'", axis.lower, axis.upper)
    one = Const(1.0, Type(Kind.REAL, (axis,)), node.span)
    out = (label, second.label)
    return ArrayCall("diag", (one,), ((label,),), out, Type(Kind.REAL, (axis, second)), node.span)


def _add_diag(c: Context, node: ast.Call, args: list[Expr], matrix: tuple[str, ...]) -> Expr | None:
    """``add_diag(A, v)`` with A over (k, k'): v a number, or over k."""
    row, column = matrix
    labels = {a.label for a in args[1].type.axes}
    if column in labels:
        message = f"What is added to the diagonal is over `{row}` or a single number; this is {describe(args[1].type)}."
        return c.error("E0314", message, node.args[1].span)
    cores: list[tuple[str, ...]] = [matrix, (row,) if row in labels else ()]
    batch = batch_axes(c, args, cores, node)
    if batch is None or not agree(c, args, row, node):
        return None
    ends = tuple(a for label in matrix for a in args[0].type.axes if a.label == label)
    return ArrayCall("add_diag", tuple(args), tuple(cores), matrix, Type(Kind.REAL, (*batch, *ends)), node.span)


def agree(c: Context, args: list[Expr], label: str, node: ast.Call) -> bool:
    """Whether the axes of one label are equally long."""
    first, *rest = [a for arg in args for a in arg.type.axes if a.label == label]
    for other in rest:
        if not dims.same_length(c, first, other):
            message = f"`{dims.axis_text(first)}` and `{dims.axis_text(other)}` differ in length."
            c.error("E0301", message, node.span)
            return False
    return True


def _core(
    c: Context,
    node: ast.Call,
    arg: Expr,
    rank: int,
    square: bool,
    shown: ast.Expr,
    over: ast.Argument | None,
    env: Env,
) -> tuple[str, ...] | None:
    """The labels that the function works on: the last ones, or those behind ``over =``."""
    if over is not None:
        labels = calls.over_labels(c, over, arg, env)
        if labels is None:
            return None
    else:
        labels = env.own(a.label for a in arg.type.axes)[-rank:]
    if len(labels) != rank:
        needs = (
            "a vector: a value over one dim"
            if rank == 1
            else "a matrix: a value over two dims, such as [k, k']"
        )
        message = f"`{node.func}` needs {needs}; `{c.text(shown)}` is {describe(arg.type)}."
        hint = f"give it a dim first: v[k] = {c.text(shown)}, and then {node.func}(v)" if rank == 1 else ""
        return c.error("E0314", message, shown.span, hint)
    if rank == 2 and square:
        one, two = (next(a for a in arg.type.axes if a.label == label) for label in labels)
        if not dims.same_length(c, one, two):
            message = f"`{node.func}` needs a square matrix; this one is {one.label} by {two.label}."
            return c.error("E0314", message, shown.span)
    return tuple(labels)


def _out(row: ArrayFunction, cores: list[tuple[str, ...]]) -> tuple[str, ...]:
    first = cores[0]
    match row.name:
        case "diag":
            return (first[0], first[0] + "'")
        case "outer":
            other = cores[1][0]
            return (first[0], other + "'" if other == first[0] else other)
        case "qr_r":
            return (first[1], first[1] + "'")
    return first[: row.result]


def _solve(c: Context, node: ast.Call, args: list[Expr], matrix: tuple[str, ...]) -> Expr | None:
    """``solve(A, b)`` with A over (k, k'): b over one of them, the result over the other. So b over k' solves with Aᵀ."""
    labels = [a.label for a in args[1].type.axes]
    mine = next((m for m in matrix if m in labels), None)
    if mine is None:
        message = (
            f"The right side of `{node.func}` is {dims.dims_text(labels)}; it needs `{matrix[0]}` or `{matrix[1]}`."
        )
        return c.error("E0314", message, node.args[1].span)
    other = matrix[1] if mine == matrix[0] else matrix[0]
    if other in labels:
        message = f"The right side of `{node.func}` runs over both `{mine}` and `{other}`, as the matrix does."
        hint = f"name its second dim otherwise: solve(A, B[{matrix[0]}, {matrix[1]}'])"
        return c.error("E0315", message, node.args[1].span, hint)
    cores = [matrix, (mine,)]
    batch = batch_axes(c, args, cores, node)
    if batch is None or not agree(c, args, mine, node):
        return None
    end = next(a for a in args[0].type.axes if a.label == other)
    return ArrayCall(node.func, tuple(args), tuple(cores), (other,), Type(Kind.REAL, (*batch, end)), node.span)


def batch_axes(
    c: Context, args: list[Expr], cores: list[tuple[str, ...]], node: ast.Call
) -> tuple[Axis, ...] | None:
    """The axes that the function leaves alone."""
    out: list[Axis] = []
    for arg, core in zip(args, cores, strict=True):
        for axis in arg.type.axes:
            if axis.label in core:
                continue
            other = next((a for a in out if a.label == axis.label), None)
            if other is None:
                out.append(axis)
            elif not dims.same_length(c, other, axis):
                message = f"`{dims.axis_text(other)}` and `{dims.axis_text(axis)}` differ in length."
                return c.error("E0301", message, node.span)
    return tuple(out)


def _named(out: tuple[str, ...], ends: list[Axis]) -> tuple[Axis, ...]:
    """The axes of the result's core, each as long as the argument's axis it comes from."""
    known = {a.label: a for a in ends}
    return tuple(known.get(label) or Axis(label, ends[-1].lower, ends[-1].upper) for label in out)
