"""What a call means: elementwise functions, reductions, functions of whole arrays, and the user's own."""

from __future__ import annotations

from emfppl.compiler.ast_to_checked import arrays, bases, covariances, dims, inlining, names, odes, types
from emfppl.compiler.ast_to_checked.context import Context, Env, listed, near
from emfppl.compiler.expressions import Axis, Expr, Kind, Reduce, Type
from emfppl.compiler.functions import ARRAY, BASES, COVARIANCES, ELEMENTWISE, MATRICES, REDUCTIONS, SOLUTIONS, SOLVERS
from emfppl.compiler.sizes import Size
from emfppl.compiler.types import arithmetic, join
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.words import plural

_PAIRWISE = {"min": "minimum", "max": "maximum"}
Place = tuple[Axis, ...] | None


def call(c: Context, node: ast.Call, env: Env, place: Place = None) -> Expr | None:
    """The value of ``f(…)``; `place`: the axes of what it is for."""
    name = node.func
    if c.table.get(name) is not None:
        for arg in node.args:
            _skim(c, arg.value, env)
        hint = f"to draw from it write x ~ {name}(…)"
        return c.error(
            "E0507", f"`{name}` is a distribution; it can't be part of an expression.", node.func_span, hint
        )
    if name in c.functions:
        return inlining.inline(c, node, env, place)
    if name == "if":
        return _if(c, node, env, place)
    if name in ELEMENTWISE:
        return _elementwise(c, node, env, place)
    if name in REDUCTIONS:
        return _reduction(c, node, env)
    if name in BASES:
        return bases.basis(c, node, env, place)
    if name in SOLUTIONS:
        return odes.ode(c, node, env, place)
    if name in COVARIANCES:
        return covariances.covariance(c, node, env)
    if name in ARRAY or name in SOLVERS or name in MATRICES:
        return arrays.array(c, node, env)
    for arg in node.args:
        _skim(c, arg.value, env)
    return names.undefined_function(c, node)


def _skim(c: Context, node: ast.Expr, env: Env) -> None:
    """Look into an argument of something unknown for faults of its own."""
    named = isinstance(node, ast.Name) and node.id in c.functions
    if not named and not isinstance(node, ast.ListLiteral) and not (isinstance(node, ast.Call) and c.table.get(node.func)):
        types.type_of(c, node, env)


def positional(
    c: Context, node: ast.Call, count: int, env: Env, usage: str, place: Place = None
) -> list[Expr] | None:
    """Exactly `count` arguments without names."""
    values = [types.type_of(c, a.value, env, place) for a in node.args]
    named = next((a for a in node.args if a.name is not None), None)
    if named is not None:
        hint = "to compare write ==" if node.func == "if" else f"write {usage}"
        return c.error("E0704", f"`{node.func}` has no argument named `{named.name}`.", named.span, hint)
    if len(values) != count:
        have = f"{len(values)} {'was' if len(values) == 1 else 'were'} given"
        return c.error("E0701", f"`{node.func}` takes {plural(count, 'argument')}; {have}.", node.span, f"write {usage}")
    return None if any(v is None for v in values) else [v for v in values if v is not None]


def usage(name: str, params: tuple[str, ...]) -> str:
    return f"{name}({', '.join(params)})"


def _if(c: Context, node: ast.Call, env: Env, place: Place) -> Expr | None:
    args = positional(c, node, 3, env, "if(condition, value, otherwise)", place)
    if args is None or not types.need_bool(c, args[0], node.args[0].value, "if"):
        return None
    kind, of = join([args[1].type, args[2].type])
    return types.elementwise(c, "if", tuple(args), kind, node.span, of)


def _elementwise(c: Context, node: ast.Call, env: Env, place: Place) -> Expr | None:
    row = ELEMENTWISE[node.func]
    args = positional(c, node, len(row.params), env, usage(row.name, row.params), place)
    if args is None:
        return None
    kind = row.kind or arithmetic(a.type for a in args)
    return types.elementwise(c, row.name, tuple(args), kind, node.span)


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
    labels = env.own(have) if over is None else over_labels(c, over, value, env)
    if labels is None:
        return None
    if not labels:
        hint = "it has no dim to reduce over; leave the call out"
        return c.error(
            "E0308", f"`{c.text(node.args[0].value)}` is a single number here.", node.args[0].span, hint
        )
    if name in ("any", "all") and not types.need_bool(c, value, node.args[0].value, name):
        return None
    row = REDUCTIONS[name]
    if (row.along or row.kind is Kind.INDEX) and len(labels) != 1:
        message = f"`{name}` runs along one dim; `{c.text(node.args[0].value)}` is {dims.dims_text(have)}."
        return c.error("E0308", message, node.span, f"write {name}(…, over = {labels[-1]})")
    axes = value.type.axes if row.along else tuple(a for a in value.type.axes if a.label not in labels)
    kind, of = row.kind or arithmetic([value.type]), None
    if kind is Kind.INDEX:
        kind, of = _position(next(a for a in value.type.axes if a.label == labels[0]))
    return Reduce(name, value, tuple(labels), Type(kind, axes, of), node.span)


def _position(axis: Axis) -> tuple[Kind, str | None]:
    """What a position along an axis is: an index of the dim, or of a part of one a plain number, counted from its start."""
    return (Kind.INDEX, axis.dim) if axis.lower == Size() else (Kind.INT, None)


def over_labels(c: Context, over: ast.Argument, value: Expr, env: Env) -> list[str] | None:
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
