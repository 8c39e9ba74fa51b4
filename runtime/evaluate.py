"""Expressions to arrays. Axes align by label; a loop label is an axis like any other.

`Scope` says what names mean: variables are arrays over their dims in declared order, loops are ranges of positions.
Subscripts that are affine in a loop become slices; only index data and repeated labels become gathers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import jax.numpy as jnp

from emfppl.compiler import expressions as x
from emfppl.compiler.expressions import At, Gather, Index, Kind, Whole
from emfppl.runtime import ode, operations
from emfppl.runtime.named import Labels, Named, aligned, arranged, filled, union


@dataclass(frozen=True)
class Scope:
    """Sizes of dims, ranges ``[lower, upper)`` of the loops around, variables by name, and local names of a `Let`.

    `locals` map a name to its value and to its own axes (a value may run over loops besides them).
    """

    sizes: Mapping[str, int]
    loops: Mapping[str, tuple[int, int]]
    variables: Mapping[str, Any]
    locals: Mapping[str, tuple[Named, tuple[x.Axis, ...]]] = field(default_factory=dict)


def evaluate(expr: x.Expr, scope: Scope) -> Named:
    """The value of an expression, over its own axes and those of the loops that it mentions."""
    match expr:
        case x.Const():
            return Named(expr.value)
        case x.Array():
            return Named(jnp.asarray(expr.values), tuple(a.label for a in expr.type.axes))
        case x.Stack():
            arrays, labels = aligned([evaluate(a, scope) for a in expr.args])
            return Named(jnp.stack(jnp.broadcast_arrays(*arrays), axis=-1), (*labels, expr.label))
        case x.SizeOf():
            return Named(expr.size.evaluate(scope.sizes))
        case x.LoopVar():
            return Named(jnp.arange(*scope.loops[expr.label]), (expr.label,))
        case x.Positions():
            starts = expr.scale * jnp.arange(*scope.loops[expr.loop]) + expr.offset.evaluate(scope.sizes)
            within = jnp.arange(expr.axis.length.evaluate(scope.sizes))
            return Named(starts[:, None] + within, (expr.loop, expr.axis.label))
        case x.Ref():
            return _reference(expr, scope)
        case x.Apply():
            arrays, labels = aligned([evaluate(a, scope) for a in expr.args])
            return Named(operations.ELEMENTWISE[expr.op](*arrays), labels)
        case x.Reduce():
            return _reduce(expr, scope)
        case x.MatMul():
            return _matmul(expr, scope)
        case x.ArrayCall() if expr.op in operations.SOLVERS:
            return _solved(expr, scope)
        case x.ArrayCall() if expr.op in operations.BASES:
            return _basis(expr, scope)
        case x.ArrayCall():
            return _array_call(expr, scope)
        case x.Ode():
            return _ode(expr, scope)
        case x.Relabel():
            value = evaluate(expr.arg, scope)
            new = dict(zip(expr.old, expr.new, strict=True))
            return value.renamed(new.get(label, label) for label in value.labels)
        case x.Let():
            return _let(expr, scope)


def _let(expr: x.Let, scope: Scope) -> Named:
    for name, value in expr.bindings:
        scope = replace(scope, locals={**scope.locals, name: (evaluate(value, scope), value.type.axes)})
    return evaluate(expr.body, scope)


def lengthened(value: Named, axes: tuple[x.Axis, ...], scope: Scope) -> Named:
    """The value with all of these axes, repeated along those that it does not vary over."""
    missing = [a for a in axes if a.label not in value.labels]
    if not missing:
        return value
    labels = (*value.labels, *(a.label for a in missing))
    lengths = [*jnp.shape(value.array), *(a.length.evaluate(scope.sizes) for a in missing)]
    return Named(jnp.broadcast_to(arranged(value, labels), lengths), labels)


def _reduce(expr: x.Reduce, scope: Scope) -> Named:
    reduced = tuple(a for a in expr.arg.type.axes if a.label in expr.over)
    value = lengthened(evaluate(expr.arg, scope), reduced, scope)
    axes = tuple(value.labels.index(label) for label in expr.over)
    kept = value.labels if expr.op in operations.CUMULATIVE else tuple(n for n in value.labels if n not in expr.over)
    return Named(operations.reduce(expr.op, value.array, axes), kept)


def _matmul(expr: x.MatMul, scope: Scope) -> Named:
    parts = [evaluate(expr.left, scope), evaluate(expr.right, scope)]
    labels = union(parts)
    letter = {label: chr(ord("a") + n) for n, label in enumerate(labels)}
    out = tuple(label for label in labels if label != expr.over)
    spell = ["".join(letter[label] for label in part) for part in (parts[0].labels, parts[1].labels, out)]
    arrays = [jnp.asarray(part.array, float) for part in parts]
    return Named(jnp.einsum(f"{spell[0]},{spell[1]}->{spell[2]}", *arrays, precision="highest"), out)


def _array_call(expr: x.ArrayCall, scope: Scope) -> Named:
    parts = [_with_core(a, core, scope) for a, core in zip(expr.args, expr.cores, strict=True)]
    batch = _batch(parts, expr.cores)
    arrays = [jnp.asarray(arranged(p, (*batch, *core)), float) for p, core in zip(parts, expr.cores, strict=True)]
    if len(arrays) > 1:
        lengths = [max(a.shape[n] for a in arrays) for n in range(len(batch))]
        arrays = [jnp.broadcast_to(a, (*lengths, *a.shape[len(batch) :])) for a in arrays]
    return Named(operations.ARRAY[expr.op](*arrays), (*batch, *expr.out))


def _with_core(expr: x.Expr, core: Labels, scope: Scope) -> Named:
    """The value, repeated along axes of its core that it does not vary over."""
    return lengthened(evaluate(expr, scope), tuple(a for a in expr.type.axes if a.label in core), scope)


def _batch(parts: list[Named], cores: tuple[Labels, ...]) -> Labels:
    """The labels that are in no core."""
    return tuple(dict.fromkeys(n for p, core in zip(parts, cores, strict=True) for n in p.labels if n not in core))


def _solved(expr: x.ArrayCall, scope: Scope) -> Named:
    """A linear system: what only the right side runs over are further columns of it."""
    rows, (mine,) = expr.cores
    a, b = (_with_core(arg, core, scope) for arg, core in zip(expr.args, expr.cores, strict=True))
    batch = tuple(n for n in a.labels if n not in rows)
    columns = tuple(n for n in b.labels if n not in batch and n != mine)
    matrix = jnp.asarray(arranged(a, (*batch, *rows)), float)
    right = jnp.asarray(arranged(b, (*batch, mine, *columns)), float)
    lengths, shape = matrix.shape[: len(batch)], right.shape[len(batch) + 1 :]
    right = jnp.broadcast_to(right, (*lengths, *right.shape[len(batch) :])).reshape(*lengths, matrix.shape[-1], -1)
    out = operations.SOLVERS[expr.op](matrix, right, mine == rows[1])
    return Named(out.reshape(*lengths, matrix.shape[-1], *shape), (*batch, *expr.out, *columns))


def _basis(expr: x.ArrayCall, scope: Scope) -> Named:
    value, knots, degree = expr.args
    assert isinstance(degree, x.Const)
    parts = [evaluate(value, scope), _with_core(knots, expr.cores[1], scope)]
    batch = _batch(parts, expr.cores[:2])
    arrays = [jnp.asarray(arranged(p, (*batch, *core)), float) for p, core in zip(parts, expr.cores, strict=False)]
    return Named(operations.BASES[expr.op](*arrays, int(degree.value)), (*batch, *expr.out))


def _ode(expr: x.Ode, scope: Scope) -> Named:
    """One equation for every point of the batch axes."""
    parts = [_with_core(arg, core, scope) for arg, core in zip(expr.args, expr.cores, strict=True)]
    batch = _batch(parts, expr.cores)
    kinds = [Kind.REAL] * 3 + [arg.type.kind for arg in expr.args[3:]]
    arrays = [
        as_type(arranged(p, (*batch, *core)), kind) for p, core, kind in zip(parts, expr.cores, kinds, strict=True)
    ]
    single = not expr.cores[2]
    arrays[2] = arrays[2][..., None] if single else arrays[2]
    out = ode.solved(_equation(expr, scope), arrays, len(batch), ode.Solver(expr.stiff, expr.rtol, expr.atol, expr.max_steps))
    where = len(batch)
    out = jnp.squeeze(out, where) if single else out
    return Named(out, (*batch, *expr.cores[2], *expr.cores[0]))


def _equation(expr: x.Ode, scope: Scope) -> Callable:
    """``f(t, y, args)``: the slopes of y over the axes of the state."""
    state = expr.cores[0]

    def f(t: Any, y: Any, args: tuple) -> Any:
        values = zip(expr.names, (t, y, *args), expr.axes, strict=True)
        local = {name: (Named(value, tuple(a.label for a in axes)), axes) for name, value, axes in values}
        slopes = evaluate(expr.body, Scope(scope.sizes, {}, {}, local))
        return jnp.asarray(filled(slopes, state, jnp.shape(y)), jnp.result_type(y))

    return f


# ---------------------------------------------------------------- references


def _reference(expr: x.Ref, scope: Scope) -> Named:
    if expr.name not in scope.locals:
        return select(scope.variables[expr.name], expr.indices, scope)
    value, axes = scope.locals[expr.name]
    if not expr.indices:
        return value
    value = lengthened(value, axes, scope)
    own = tuple(a.label for a in axes)
    extra = tuple(label for label in value.labels if label not in own)
    whole = tuple(_Kept(label) for label in extra)
    return select(arranged(value, (*extra, *own)), (*whole, *expr.indices), scope)


@dataclass(frozen=True)
class _Kept:
    """An axis that is kept in full under its label."""

    label: str


def select(array: Any, indices: tuple[Index | _Kept, ...], scope: Scope) -> Named:
    """The part of an array that the subscripts name, one for each axis."""
    found = [_labels_of(i, scope) for i in indices]
    every = [label for labels, _ in found for label in labels]
    twice = {label for label in every if every.count(label) > 1}
    gathered = [n for n, (labels, index) in enumerate(found) if index is not None or twice & set(labels)]
    array, left = _sliced(array, indices, gathered, scope)
    if not gathered:
        return Named(array, tuple(label for labels, _ in found for label in labels))
    picks = [found[n][1] or _positions(indices[n], jnp.shape(array)[left.index(n)], scope) for n in gathered]
    arrays, labels = aligned(picks)
    where = [left.index(n) for n in gathered]
    rest = [n for n in range(len(left)) if n not in where]
    array = jnp.transpose(jnp.asarray(array), (*where, *rest))
    kept = tuple(label for n in rest for label in found[left[n]][0])
    return Named(array[tuple(arrays)], (*labels, *kept))


def _labels_of(index: Index | _Kept, scope: Scope) -> tuple[Labels, Named | None]:
    """The labels that a subscript leaves, and its positions where they are a gather."""
    match index:
        case _Kept(label):
            return (label,), None
        case Whole(axis):
            return (axis.label,), None
        case At(loop):
            return ((loop,) if loop is not None else ()), None
        case Gather(expr):
            value = evaluate(expr, scope)
            return value.labels, value
    raise TypeError(index)


def _sliced(
    array: Any, indices: tuple[Index | _Kept, ...], gathered: list[int], scope: Scope
) -> tuple[Any, list[int]]:
    """The array after all slices and constant positions, axes to gather from left whole; and which subscripts' axes are left."""
    places: list[int | slice] = []
    left = []
    for n, index in enumerate(indices):
        if n in gathered or isinstance(index, _Kept):
            places.append(slice(None))
            left.append(n)
            continue
        place = _place(index, jnp.shape(array)[n], scope)
        places.append(place)
        if isinstance(place, slice):
            left.append(n)
    plain = all(p == slice(None) for p in places)
    return (array if plain else jnp.asarray(array)[tuple(places)]), left


def _place(index: Index, size: int, scope: Scope) -> int | slice:
    """A subscript as NumPy knows it."""
    match index:
        case Whole(axis):
            lower, upper = axis.lower.evaluate(scope.sizes), axis.upper.evaluate(scope.sizes)
            return slice(None) if (lower, upper) == (0, size) else slice(lower, upper)
        case At(None, _, offset):
            return offset.evaluate(scope.sizes)
        case At(loop, scale, offset):
            return affine_slice(scale, offset.evaluate(scope.sizes), *scope.loops[loop], size)  # type: ignore[index]
    raise TypeError(index)


def affine_slice(scale: int, offset: int, lower: int, upper: int, size: int) -> slice:
    """The positions ``scale * t + offset`` for t in ``[lower, upper)`` as a slice of an axis."""
    if upper <= lower:
        return slice(0, 0)
    first, last = scale * lower + offset, scale * (upper - 1) + offset
    if scale > 0:
        return slice(None) if (first, last, scale) == (0, size - 1, 1) else slice(first, last + 1, scale)
    return slice(first, last - 1 if last > 0 else None, scale)


def _positions(index: Index | _Kept, size: int, scope: Scope) -> Named:
    """The positions that a slice stands for, as numbers."""
    match index:
        case _Kept(label):
            return Named(jnp.arange(size), (label,))
        case Whole(axis):
            lower, upper = axis.lower.evaluate(scope.sizes), axis.upper.evaluate(scope.sizes)
            return Named(jnp.arange(lower, upper), (axis.label,))
        case At(loop, scale, offset) if loop is not None:
            steps = jnp.arange(*scope.loops[loop])
            return Named(scale * steps + offset.evaluate(scope.sizes), (loop,))
    raise TypeError(index)


def as_type(value: Any, kind: Kind) -> Any:
    """An array of the element kind that the graph says."""
    if kind is Kind.REAL:
        return jnp.asarray(value, float)
    return jnp.asarray(value, bool if kind is Kind.BOOL else int)
