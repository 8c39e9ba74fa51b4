"""Which inner latents each entry of an affine expression depends on: the expression is run on sets in the place of numbers.

The *footprint* of a value is an array of whole numbers over the value's axes and a last one, `IDS`, that lists positions in the
vector of inner latents (`NONE`: no more). An axis along which the set stays the same is left out. A footprint may say too much,
never too little.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from emfppl.compiler import expressions as x
from emfppl.compiler import graph as g
from emfppl.compiler.expressions import At, Gather, Index, Kind, Whole, walk
from emfppl.runtime.evaluate import Scope, evaluate
from emfppl.runtime.execute import Item, grouped, ranges_of
from emfppl.runtime.named import Labels, Named, union

IDS = "#ids"
NONE = -1
Footprint = Named | None


@dataclass(frozen=True)
class Footprints:
    """The footprints of variables, over their dims by number (``0``, ``1``, …); `data` are what indices are made of."""

    sizes: Mapping[str, int]
    shapes: Mapping[str, tuple[int, ...]]
    data: Mapping[str, Any]
    variables: dict[str, Named] = field(default_factory=dict)

    def of(self, expr: x.Expr, node: g.Node) -> Footprint:
        """The footprint of an expression in a node, over those axes that it varies over."""
        return _Reader(self, Scope(self.sizes, ranges_of(node, self.sizes), self.data), {}).of(expr)

    def of_target(self, node: g.RandomNode) -> Named:
        """The footprint of what a node defines."""
        scope = Scope(self.sizes, ranges_of(node, self.sizes), self.data)
        return selected(self.variables[node.target.name], _numbered(node.target.indices), node.target.indices, scope)

    def run(self, items: Sequence[Item]) -> None:
        """Add the computed variables that these nodes define."""
        for block, group in grouped(items):
            computed = [n for _, n in group if isinstance(n, g.ComputedNode)]
            if block is not None:
                self._add_scan(computed)
            elif computed:
                self._add(computed[0], self.of(computed[0].value, computed[0]))

    def _add_scan(self, nodes: Sequence[g.ComputedNode]) -> None:
        """All that any round of a scan depends on counts for every round."""
        parts = [p for node in nodes if (p := self.of(node.value, node)) is not None]
        if parts:
            ids = np.unique(np.concatenate([np.ravel(p.array) for p in parts]))
            for node in nodes:
                self._add(node, Named(ids[ids != NONE], (IDS,)), whole=True)

    def _add(self, node: g.ComputedNode, found: Footprint, whole: bool = False) -> None:
        """Put a footprint at its place in its variable."""
        if found is None:
            return
        name, indices = node.target.name, node.target.indices
        before = self.variables.get(name)
        if whole or (before is None and len(found.labels) == 1):
            self.variables[name] = found if before is None else joined([before, found])  # type: ignore[assignment]
            return
        scope, shape = Scope(self.sizes, ranges_of(node, self.sizes), self.data), self.shapes[name]
        width = found.length(IDS)
        full = np.full((*shape, width), NONE)
        place = tuple(_slice(i, size, scope) for i, size in zip(indices, shape, strict=True))
        labels = [label for i in indices for label in _labels(i)]
        full[place] = _arranged(found, (*labels, IDS))
        mine = Named(full, (*map(str, range(len(shape))), IDS))
        self.variables[name] = mine if before is None else joined([before, mine])  # type: ignore[assignment]


@dataclass(frozen=True)
class _Reader:
    """Reads one node's expressions."""

    known: Footprints
    scope: Scope
    locals: Mapping[str, tuple[Footprint, tuple[x.Axis, ...]]]

    def of(self, expr: x.Expr) -> Footprint:
        match expr:
            case x.Ref():
                return self._reference(expr)
            case x.Let():
                return self._let(expr)
            case x.Reduce():
                return folded(self.of(expr.arg), expr.over)
            case x.MatMul():
                return folded(joined([self.of(expr.left), self.of(expr.right)]), (expr.over,))
            case x.ArrayCall() | x.Ode():
                return joined([folded(self.of(a), core) for a, core in zip(expr.args, expr.cores, strict=True)])
            case x.Stack():
                return _stacked([self.of(a) for a in expr.args], expr.label)
            case x.Relabel():
                found, new = self.of(expr.arg), dict(zip(expr.old, expr.new, strict=True))
                return found and found.renamed(new.get(label, label) for label in found.labels)
        return joined([self.of(child) for child in x.children(expr)])

    def _let(self, expr: x.Let) -> Footprint:
        reader = self
        for name, value in expr.bindings:
            found, scope = reader.of(value), reader.scope
            if found is None and value.type.kind is not Kind.REAL and reader._given(value):
                scope = replace(scope, locals={**scope.locals, name: (evaluate(value, scope), value.type.axes)})
            reader = replace(reader, scope=scope, locals={**reader.locals, name: (found, value.type.axes)})
        return reader.of(expr.body)

    def _given(self, value: x.Expr) -> bool:
        """Whether a value follows from the data."""
        names = {e.name for e in walk(value) if isinstance(e, x.Ref)}
        return names <= set(self.scope.variables) | set(self.scope.locals)

    def _reference(self, expr: x.Ref) -> Footprint:
        if expr.name not in self.locals:
            found = self.known.variables.get(expr.name)
            return found and selected(found, _numbered(expr.indices), expr.indices, self.scope)
        found, axes = self.locals[expr.name]
        if found is None or not expr.indices:
            return found
        return selected(found, tuple(a.label for a in axes), expr.indices, self.scope)


# ---------------------------------------------------------------- sets


def joined(parts: Iterable[Footprint]) -> Footprint:
    """The union of footprints, aligned by label."""
    found = [p for p in parts if p is not None]
    if len(found) < 2:
        return found[0] if found else None
    labels = tuple(label for label in union(found) if label != IDS)
    lengths = [max(p.length(label) for p in found if label in p.labels) for label in labels]
    arrays = [_arranged(p, (*labels, IDS)) for p in found]
    return tidied(Named(np.concatenate([np.broadcast_to(a, (*lengths, a.shape[-1])) for a in arrays], -1), (*labels, IDS)))


def tidied(value: Named) -> Named:
    """Each number once in every set, and no more room than the largest set needs."""
    ids = np.sort(value.array, axis=-1)[..., ::-1]
    again = ids[..., 1:] == ids[..., :-1]
    if again.any():
        ids = ids.copy()
        ids[..., 1:][again] = NONE
        ids = np.sort(ids, axis=-1)[..., ::-1]
    used = int((ids != NONE).sum(-1).max(initial=0))
    return Named(ids[..., : max(used, 1)], value.labels)


def folded(value: Footprint, labels: Sequence[str]) -> Footprint:
    """The union along axes, which vanish."""
    if value is None or not set(labels) & set(value.labels):
        return value
    kept = tuple(n for n in value.labels if n not in labels and n != IDS)
    gone = tuple(n for n in value.labels if n in labels)
    array = _arranged(value, (*kept, *gone, IDS))
    return tidied(Named(array.reshape(*array.shape[: len(kept)], -1), (*kept, IDS)))


def over(value: Named, labels: Sequence[str], shape: Sequence[int]) -> np.ndarray:
    """The sets over exactly these axes, and the one that lists them last."""
    return np.broadcast_to(_arranged(value, (*labels, IDS)), (*shape, value.length(IDS)))


def _stacked(parts: Sequence[Footprint], label: str) -> Footprint:
    found = [p for p in parts if p is not None]
    if not found:
        return None
    width = max(p.length(IDS) for p in found)
    labels = tuple(n for n in union(found) if n != IDS)
    lengths = [max(p.length(n) for p in found if n in p.labels) for n in labels]
    rows = np.full((*lengths, len(parts), width), NONE)
    for n, part in enumerate(parts):
        if part is not None:
            rows[..., n, : part.length(IDS)] = _arranged(part, (*labels, IDS))
    return Named(rows, (*labels, label, IDS))


# ---------------------------------------------------------------- parts of arrays, in NumPy


def selected(value: Named, own: Labels, indices: Sequence[Index], scope: Scope) -> Named:
    """The part of a footprint that subscripts name, one for each of its axes `own`; those it does not vary over are passed over."""
    used = [(label, i) for label, i in zip(own, indices, strict=True) if label in value.labels]
    extra = tuple(n for n in value.labels if n not in own and n != IDS)
    array = _arranged(value, (*extra, *(label for label, _ in used), IDS))
    sizes = array.shape[len(extra) : -1]
    left = [label for _, i in used for label in _labels(i)]
    if not any(isinstance(i, Gather) for _, i in used) and len(set(left + [*extra])) == len(left) + len(extra):
        place = tuple(_slice(i, size, scope) for (_, i), size in zip(used, sizes, strict=True))
        return Named(array[(*(slice(None) for _ in extra), *place)], (*extra, *left, IDS))
    whole = [Named(np.arange(n), (label,)) for label, n in zip(extra, array.shape, strict=False)]
    picks = [*whole, *(_positions(i, size, scope) for (_, i), size in zip(used, sizes, strict=True))]
    labels = union(picks)
    return Named(array[tuple(_arranged(p, labels) for p in picks)], (*labels, IDS))


def _numbered(indices: Sequence[Index]) -> Labels:
    return tuple(map(str, range(len(indices))))


def _labels(index: Index) -> Labels:
    """The labels that a subscript without a gather leaves."""
    if isinstance(index, Whole):
        return (index.axis.label,)
    return (index.loop,) if isinstance(index, At) and index.loop is not None else ()


def _slice(index: Index, size: int, scope: Scope) -> int | slice:
    positions = _positions(index, size, scope).array
    if not np.ndim(positions):
        return int(positions)
    if len(positions) < 2:
        return slice(int(positions[0]), int(positions[0]) + 1) if len(positions) else slice(0, 0)
    step = int(positions[1] - positions[0])
    stop = int(positions[-1]) + (1 if step > 0 else -1)
    return slice(int(positions[0]), None if stop < 0 else stop, step)


def _positions(index: Index, size: int, scope: Scope) -> Named:
    match index:
        case Whole(axis):
            return Named(np.arange(axis.lower.evaluate(scope.sizes), axis.upper.evaluate(scope.sizes)), (axis.label,))
        case At(None, _, offset):
            return Named(np.asarray(offset.evaluate(scope.sizes)))
        case At(loop, scale, offset):
            return Named(scale * np.arange(*scope.loops[str(loop)]) + offset.evaluate(scope.sizes), (str(loop),))
        case Gather(expr):
            found = evaluate(expr, scope)
            return Named(np.asarray(found.array, np.int64), found.labels)
    raise TypeError(index)


def _arranged(value: Named, labels: Sequence[str]) -> np.ndarray:
    """The array with its axes in the order of `labels`, of length 1 where it has no such axis."""
    array = np.transpose(value.array, [value.labels.index(n) for n in labels if n in value.labels])
    return array.reshape([value.length(n) if n in value.labels else 1 for n in labels])
