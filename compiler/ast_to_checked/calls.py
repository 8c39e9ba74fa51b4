"""What a call means: elementwise functions, reductions, functions of whole arrays, and the user's own."""

from __future__ import annotations

from emfppl.compiler.ast_to_checked import dims, functions, names, types
from emfppl.compiler.ast_to_checked.context import Context, Env, listed, near
from emfppl.compiler.expressions import ArrayCall, Axis, Expr, Kind, Reduce, Type
from emfppl.compiler.functions import (
    ARRAY,
    CUMULATIVE,
    ELEMENTWISE_BOOL,
    ELEMENTWISE_INT,
    ELEMENTWISE_REAL,
    ELEMENTWISE_SAME,
    REDUCTIONS,
    ArrayFunction,
)  # fmt: skip
from emfppl.compiler.types import arithmetic, describe, join
from emfppl.grammar import ast_nodes as ast

_ARRAY = {f.name: f for f in ARRAY}
_ARITY = {**ELEMENTWISE_REAL, **ELEMENTWISE_SAME, **ELEMENTWISE_INT, **ELEMENTWISE_BOOL}
_PAIRWISE = {"min": "minimum", "max": "maximum"}


def call(c: Context, node: ast.Call, env: Env) -> Expr | None:
    """The value of ``f(…)``."""
    name = node.func
    if c.table.get(name) is not None:
        for arg in node.args:
            _skim(c, arg.value, env)
        hint = f"to draw from it write x ~ {name}(…)"
        return c.error(
            "E0507", f"`{name}` is a distribution; it can't be part of an expression.", node.func_span, hint
        )
    if name in c.functions:
        return functions.inline(c, node, env)
    if name == "if":
        return _if(c, node, env)
    if name in _ARITY:
        return _elementwise(c, node, env)
    if name in REDUCTIONS or name in CUMULATIVE:
        return _reduction(c, node, env)
    if name in _ARRAY:
        return _array(c, node, _ARRAY[name], env)
    for arg in node.args:
        _skim(c, arg.value, env)
    return names.undefined_function(c, node)


def _skim(c: Context, node: ast.Expr, env: Env) -> None:
    """Look into an argument of something unknown for faults of its own."""
    if not isinstance(node, ast.ListLiteral) and not (isinstance(node, ast.Call) and c.table.get(node.func)):
        types.type_of(c, node, env)


def positional(c: Context, node: ast.Call, count: int, env: Env, usage: str) -> list[Expr] | None:
    """Exactly `count` arguments without names."""
    values = [types.type_of(c, a.value, env) for a in node.args]
    named = next((a for a in node.args if a.name is not None), None)
    if named is not None:
        hint = "to compare write ==" if node.func == "if" else f"write {usage}"
        return c.error("E0704", f"`{node.func}` has no argument named `{named.name}`.", named.span, hint)
    if len(values) != count:
        have = f"{len(values)} {'was' if len(values) == 1 else 'were'} given"
        plural = "argument" if count == 1 else "arguments"
        return c.error("E0701", f"`{node.func}` takes {count} {plural}; {have}.", node.span, f"write {usage}")
    return None if any(v is None for v in values) else [v for v in values if v is not None]


def _usage(name: str, count: int) -> str:
    return f"{name}({', '.join('xyz'[:count])})"


def _if(c: Context, node: ast.Call, env: Env) -> Expr | None:
    args = positional(c, node, 3, env, "if(condition, value, otherwise)")
    if args is None or not types.need_bool(c, args[0], node.args[0].value, "if"):
        return None
    kind, of = join([args[1].type, args[2].type])
    return types.elementwise(c, "if", tuple(args), kind, node.span, of)


def _elementwise(c: Context, node: ast.Call, env: Env) -> Expr | None:
    name = node.func
    args = positional(c, node, _ARITY[name], env, _usage(name, _ARITY[name]))
    if args is None:
        return None
    of = None
    if name in ELEMENTWISE_SAME:
        kind = arithmetic(a.type for a in args)
    else:
        kind = Kind.REAL if name in ELEMENTWISE_REAL else Kind.INT if name in ELEMENTWISE_INT else Kind.BOOL
    return types.elementwise(c, name, tuple(args), kind, node.span, of)


# ---------------------------------------------------------------- reductions


def _reduction(c: Context, node: ast.Call, env: Env) -> Expr | None:
    name = node.func
    plain = [a for a in node.args if a.name is None]
    over = next((a for a in node.args if a.name == "over"), None)
    values = [types.type_of(c, a.value, env) for a in plain]
    stray = next((a for a in node.args if a.name not in (None, "over")), None)
    if stray is not None:
        hint = f"write {name}(x, over = dim)"
        return c.error("E0704", f"`{name}` has no argument named `{stray.name}`.", stray.span, hint)
    if len(plain) != 1:
        if len(plain) == 2 and name in _PAIRWISE:
            hint = f"for the {'smaller' if name == 'min' else 'larger'} of two write {_PAIRWISE[name]}(a, b)"
        else:
            hint = f"write {name}(x, over = dim)"
        return c.error("E0701", f"`{name}` takes one array; {len(plain)} were given.", node.span, hint)
    return None if values[0] is None else _reduce(c, node, values[0], over, env)


def _reduce(c: Context, node: ast.Call, value: Expr, over: ast.Argument | None, env: Env) -> Expr | None:
    name, have = node.func, [a.label for a in value.type.axes]
    labels = env.own(have) if over is None else _over_labels(c, over, value, env)
    if labels is None:
        return None
    if not labels:
        hint = "it has no dim to reduce over; leave the call out"
        return c.error(
            "E0308", f"`{c.text(node.args[0].value)}` is a single number here.", node.args[0].span, hint
        )
    if name in ("any", "all") and not types.need_bool(c, value, node.args[0].value, name):
        return None
    if name in CUMULATIVE:
        if len(labels) != 1:
            message = (
                f"`{name}` runs along one dim; `{c.text(node.args[0].value)}` is {dims.dims_text(have)}."
            )
            return c.error("E0308", message, node.span, f"write {name}(…, over = {labels[-1]})")
        return Reduce(name, value, tuple(labels), Type(arithmetic([value.type]), value.type.axes), node.span)
    axes = tuple(a for a in value.type.axes if a.label not in labels)
    return Reduce(name, value, tuple(labels), Type(_reduced_kind(name, value.type), axes), node.span)


def _reduced_kind(name: str, of: Type) -> Kind:
    if name in ("any", "all"):
        return Kind.BOOL
    return arithmetic([of]) if name in ("sum", "prod", "min", "max") else Kind.REAL


def _over_labels(c: Context, over: ast.Argument, value: Expr, env: Env) -> list[str] | None:
    """The dims behind ``over =``, each an axis of the value."""
    items = over.value.items if isinstance(over.value, ast.ListLiteral) else (over.value,)
    have = [a.label for a in value.type.axes]
    labels: list[str] = []
    for item in items:
        if not isinstance(item, ast.Name):
            return c.error(
                "E0308",
                f"`over` names dims; `{c.text(item)}` is none.",
                item.span,
                "write over = school or over = [a, b]",
            )
        label = dims.label_of(c, item.id, env)
        if label is None:
            hint = near(item.id, have) or (f"it runs over {listed(have)}" if have else "")
            return c.error("E0308", f"`{item.id}` is not a dim.", item.span, hint)
        if label not in have:
            text = dims.dims_text(have)
            return c.error(
                "E0308",
                f"This is {text}; there is no `{label}` to reduce over.",
                item.span,
                near(label, have),
            )
        if label in labels:
            return c.error("E0308", f"`{label}` is named twice.", item.span)
        labels.append(label)
    return labels


# ---------------------------------------------------------------- functions of vectors and matrices


def _array(c: Context, node: ast.Call, row: ArrayFunction, env: Env) -> Expr | None:
    over = next((a for a in node.args if a.name == "over"), None)
    rest = ast.Call(node.func, tuple(a for a in node.args if a is not over), node.func_span, node.span)
    args = positional(c, rest, len(row.args), env, _usage(row.name, len(row.args)))
    if args is None:
        return None
    cores: list[tuple[str, ...]] = []
    for arg, rank, argument in zip(args, row.args, rest.args, strict=True):
        core = _core(c, node, arg, rank, argument.value, over, env)
        if core is None:
            return None
        cores.append(core)
    if row.name == "solve":
        return _solve(c, node, args, cores)
    out = _out(row, cores)
    batch = _batch(c, args, cores, node)
    if batch is None:
        return None
    ends = [
        next(a for a in arg.type.axes if a.label == core)
        for arg, cs in zip(args, cores, strict=True)
        for core in cs
    ]
    return ArrayCall(
        row.name, tuple(args), tuple(cores), out, Type(Kind.REAL, (*batch, *_named(out, ends))), node.span
    )


def _core(
    c: Context, node: ast.Call, arg: Expr, rank: int, shown: ast.Expr, over: ast.Argument | None, env: Env
) -> tuple[str, ...] | None:
    """The labels that the function works on: the last ones, or those behind ``over =``."""
    if over is not None:
        labels = _over_labels(c, over, arg, env)
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
    if rank == 2:
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
        case "diagonal":
            return first[:1]
        case "outer":
            other = cores[1][0]
            return (first[0], other + "'" if other == first[0] else other)
    return first[: row.result]


def _solve(c: Context, node: ast.Call, args: list[Expr], cores: list[tuple[str, ...]]) -> Expr | None:
    """``solve(A, b)`` with A over (k, k'): b over one of them, the result over the other."""
    matrix = cores[0]
    labels = [a.label for a in args[1].type.axes]
    mine = next((m for m in matrix if m in labels), None)
    if mine is None:
        message = (
            f"The right side of `solve` is {dims.dims_text(labels)}; it needs `{matrix[0]}` or `{matrix[1]}`."
        )
        return c.error("E0314", message, node.args[1].span)
    other = matrix[1] if mine == matrix[0] else matrix[0]
    cores = [(mine, other), (mine,)]
    batch = _batch(c, args, cores, node)
    if batch is None:
        return None
    end = next(a for a in args[0].type.axes if a.label == other)
    return ArrayCall("solve", tuple(args), tuple(cores), (other,), Type(Kind.REAL, (*batch, end)), node.span)


def _batch(
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
