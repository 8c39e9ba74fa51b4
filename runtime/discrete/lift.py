"""Statements with every discrete element that they read turned into an axis over its values.

A reference to a discrete variable becomes the position along an axis of the statement's own (``z?0``), which stands for all values
of the element that is read there. Elements that one point of the domain reads several of (``sum(z * w, over = k)``) have an
axis each. A variable computed from discrete ones is lifted in the same way, with axes of its own behind its dims.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from emfppl.compiler import expressions as x
from emfppl.compiler import graph as g
from emfppl.compiler.expressions import At, Gather, Kind, Ref, Type, Whole, walk
from emfppl.compiler.sizes import Size
from emfppl.runtime.discrete.factors import LARGEST_TABLE, Grid, Spot, TooLarge
from emfppl.runtime.evaluate import Scope, evaluate
from emfppl.runtime.execute import place_of, ranges_of, target_labels
from emfppl.runtime.named import Named, filled

INT, BOOL = Type(Kind.INT), Type(Kind.BOOL)
Env = Mapping[str, str | None]  # labels inside an expression -> the label of the domain that they are, None: a local one
ALL = "*"


@dataclass(frozen=True, eq=False)
class Slot:
    """An element that each entry of a computed variable depends on: of which grid, which one (over the variable's shape)."""

    grid: str
    ids: np.ndarray


@dataclass(frozen=True, eq=False)
class Lifted:
    """A lifted statement. `labels`, `shape`: of its own domain; `spots`: the elements; `target`: the axis of the element that it
    draws, if it draws one."""

    node: g.Node
    labels: tuple[str, ...]
    shape: tuple[int, ...]
    spots: tuple[Spot, ...]
    target: str | None = None


@dataclass
class Lifting:
    """Lifts the statements of a graph, one after the other, noting the computed variables on the way."""

    sizes: Mapping[str, int]
    data: Mapping[str, Any]
    grids: Mapping[str, Grid]
    kinds: Mapping[str, Kind]
    shapes: Mapping[str, tuple[int, ...]]
    computed: dict[str, list[Slot]] = field(default_factory=dict)

    def lifted(self, node: g.Node) -> Lifted:
        """The statement, all of whose axes are independent."""
        node = _spread(node) if isinstance(node, g.FactorNode) else node
        one = _One(self, node)
        return one.lifted()

    def note(self, found: list[tuple[g.ComputedNode, Lifted]]) -> list[Lifted]:
        """All pieces of one computed variable: with as many axes each, and noted for those that read it."""
        name = found[0][0].target.name
        wanted: list[str] = []
        for _, lifted in found:
            mine = [s.grid for s in lifted.spots]
            for grid in dict.fromkeys(mine):
                wanted += [grid] * (mine.count(grid) - wanted.count(grid))
        slots = [Slot(grid, np.full(self.shapes[name], -1)) for grid in wanted]
        out = [self._piece(node, lifted, slots) for node, lifted in found]
        self.computed[name] = slots
        return out

    def _piece(self, node: g.ComputedNode, lifted: Lifted, slots: list[Slot]) -> Lifted:
        """A piece with an axis for each slot; its elements put into the slots."""
        left = list(lifted.spots)
        scope = Scope(self.sizes, ranges_of(node, self.sizes), {})
        place = place_of(node.target, scope, self.shapes[node.target.name])
        order = target_labels(node.target)
        axes: list[g.DomainAxis] = []
        indices: list[At | Whole] = list(node.target.indices)
        for n, slot in enumerate(slots):
            spot = next((s for s in left if s.grid == slot.grid), None)
            grid = self.grids[slot.grid]
            label = spot.label if spot is not None else f"{slot.grid}?none{n}"
            if spot is not None:
                left.remove(spot)
                slot.ids[place] = np.transpose(spot.ids, [lifted.labels.index(label) for label in order])
            axes.append(axis_of(label, grid))
            indices.append(At(label, 1, Size.const(-grid.low)))
        target = g.Target(node.target.name, tuple(indices))
        assert isinstance(lifted.node, g.ComputedNode)
        return replace(lifted, node=replace(lifted.node, target=target, domain=(*node.domain, *axes)))


def without_law(node: g.Node, latent: Collection[str]) -> g.Node:
    """A continuous latent below discrete ones that are summed out, or data with entries that are `latent`: its law is part of the
    sum, so that by itself it may be anything in its support."""
    if not isinstance(node, g.RandomNode) or isinstance(node.support, g.Integers):
        return node
    free = not node.observed or node.target.name in latent
    return replace(node, dist=replace(node.dist, name="Flat", args=()), narrowed=False) if free else node


def axis_of(label: str, grid: Grid) -> g.DomainAxis:
    """The axis of a domain that runs over the values of an element."""
    return g.DomainAxis(label, label, Size.const(grid.low), Size.const(grid.low + grid.values))


def _spread(node: g.FactorNode) -> g.FactorNode:
    """A factor with the axes that it is summed over as axes of its domain."""
    value = node.value
    while isinstance(value, x.Reduce) and value.op == "sum" and set(value.over) <= {a.label for a in value.arg.type.axes}:
        value = value.arg
    own = {a.label for a in node.domain}
    axes = [a for a in value.type.axes if a.label not in own]
    domain = (*node.domain, *(g.DomainAxis(a.label, a.dim, a.lower, a.upper) for a in axes))
    return replace(node, domain=domain, value=value)


class _One:
    """The lifting of one statement."""

    def __init__(self, lifting: Lifting, node: g.Node):
        self.lifting, self.node = lifting, node
        self.scope = Scope(lifting.sizes, ranges_of(node, lifting.sizes), lifting.data)
        self.labels = tuple(self.scope.loops)
        self.shape = tuple(max(b - a, 0) for a, b in self.scope.loops.values())
        self.spots: list[Spot] = []

    def lifted(self) -> Lifted:
        node, target = self.node, None
        if isinstance(node, g.FactorNode):
            lifted: g.Node = replace(node, value=self.expr(node.value, {}))
        elif isinstance(node, g.ComputedNode):
            lifted = replace(node, value=self.expr(node.value, {}))
        else:
            lifted = replace(node, dist=self.dist(node.dist), support=self.support(node.support))
            if node.target.name in self.lifting.grids:
                target = self._target(node)
        domain = node.domain if target is None else _needed(lifted)
        axes = tuple(axis_of(s.label, self.lifting.grids[s.grid]) for s in self.spots)
        return Lifted(replace(lifted, domain=(*domain, *axes)), self.labels, self.shape, tuple(self.spots), target)

    def _target(self, node: g.RandomNode) -> str:
        name = node.target.name
        return self._elements(Ref(name, node.target.indices, INT), name, self._ids(name), {})[0][0]

    def dist(self, dist: g.Dist) -> g.Dist:
        args = tuple((n, self.dist(v) if isinstance(v, g.Dist) else self.expr(v, {})) for n, v in dist.args)
        return replace(dist, args=args)

    def support(self, support: g.Support) -> g.Support:
        if isinstance(support, g.Structured):
            return support
        lower, upper = (None if b is None else self.expr(b, {}) for b in (support.lower, support.upper))
        return replace(support, lower=lower, upper=upper)

    # ------------------------------------------------------------ expressions

    def expr(self, e: x.Expr, env: Env) -> x.Expr:
        """The expression with all discrete references replaced."""
        match e:
            case Ref():
                return self._reference(e, env)
            case x.Apply() | x.Stack():
                return replace(e, args=tuple(self.expr(a, env) for a in e.args))
            case x.Reduce():
                return replace(e, arg=self.expr(e.arg, {**env, **dict.fromkeys(e.over)}))
            case x.MatMul():
                inner = {**env, e.over: None}
                return replace(e, left=self.expr(e.left, inner), right=self.expr(e.right, inner))
            case x.ArrayCall() | x.Ode():
                pairs = zip(e.args, e.cores, strict=True)
                return replace(e, args=tuple(self.expr(a, {**env, **dict.fromkeys(core)}) for a, core in pairs))
            case x.Relabel():
                renamed = {old: self._outer(new, env) for old, new in zip(e.old, e.new, strict=True)}
                return replace(e, arg=self.expr(e.arg, {**env, **renamed}))
            case x.Let():
                return self._let(e, env)
        return e

    def _let(self, e: x.Let, env: Env) -> x.Let:
        """A local array of which parts are taken has all of its elements on axes of their own."""
        parts = {r.name for r in walk(e) if isinstance(r, Ref) and r.indices}
        bindings = tuple((n, self.expr(v, {ALL: None} if n in parts else env)) for n, v in e.bindings)
        return replace(e, bindings=bindings, body=self.expr(e.body, env))

    def _outer(self, label: str, env: Env) -> str | None:
        if label in env:
            return env[label]
        return label if label in self.labels and ALL not in env else None

    def _reference(self, e: Ref, env: Env) -> x.Expr:
        e = replace(e, indices=tuple(Gather(self.expr(i.index, env)) if isinstance(i, Gather) else i for i in e.indices))
        if e.name not in self.lifting.grids and e.name not in self.lifting.computed:
            return e
        moving = [n for n, i in enumerate(e.indices) if isinstance(i, Gather) and self._unknown(i.index)]
        if moving:
            return self._gathered(e, env, moving)
        return self._value(e, env) if e.name in self.lifting.grids else self._of_computed(e, env)

    def _unknown(self, index: x.Expr) -> bool:
        """Whether a position depends on the value of a discrete element."""
        own = {s.label for s in self.spots}
        return any(isinstance(part, x.LoopVar) and part.label in own for part in walk(index)) or any(
            isinstance(i, At) and i.loop in own for part in walk(index) if isinstance(part, Ref) for i in part.indices
        )

    def _gathered(self, e: Ref, env: Env, moving: list[int]) -> x.Expr:
        """An element at a position that depends on other elements: all that it may be, and then one of these."""
        shape = self.lifting.shapes[e.name]
        axes = {n: x.Axis(f"at {n} of {e.name}", Size(), Size.const(shape[n])) for n in moving}
        whole = replace(e, indices=tuple(Whole(axes[n]) if n in moving else i for n, i in enumerate(e.indices)))
        value = self._value(whole, env) if e.name in self.lifting.grids else self._of_computed(whole, env)
        every = tuple(dict.fromkeys((*value.type.axes, *axes.values())))
        value = replace(value, type=replace(value.type, axes=every))
        positions = {axes[n]: e.indices[n] for n in moving}
        name = f"all of {e.name}"
        part = Ref(name, tuple(positions.get(a, Whole(replace(a, lower=Size(), upper=a.length))) for a in every), e.type)
        return x.Let(((name, value),), part, e.type)

    def _value(self, e: Ref, env: Env) -> x.Expr:
        """The value of an element: the position along its axis."""
        return self._chosen([(self._number(label, e), where) for label, where in self._elements(e, e.name, self._ids(e.name), env)])

    def _number(self, label: str, e: Ref) -> x.Expr:
        position = x.LoopVar(label, INT)
        if self.lifting.kinds[e.name] is Kind.BOOL:
            return x.Apply("!=", (position, x.Const(0, INT)), BOOL)
        return position

    def _of_computed(self, e: Ref, env: Env) -> x.Expr:
        """The value of an entry of a computed variable: it has an axis for each of its elements."""
        choices: list[tuple[tuple[x.Index, ...], list[x.Expr]]] = [(e.indices, [])]
        for slot in self.lifting.computed[e.name]:
            grown = []
            for label, where in self._elements(e, slot.grid, slot.ids, env):
                index = At(label, 1, Size.const(-self.lifting.grids[slot.grid].low))
                grown += [((*i, index), [*w, *([] if where is None else [where])]) for i, w in choices]
            choices = grown
        out: x.Expr | None = None
        for indices, wheres in choices:
            value: x.Expr = replace(e, indices=indices)
            where = wheres[0] if wheres else None
            for more in wheres[1:]:
                assert where is not None
                where = x.Apply("and", (where, more), Type(Kind.BOOL, tuple(dict.fromkeys((*where.type.axes, *more.type.axes)))))
            out = value if out is None or where is None else x.Apply("if", (where, value, out), e.type)
        assert out is not None
        return out

    def _chosen(self, parts: list[tuple[x.Expr, x.Expr | None]]) -> x.Expr:
        """The value that stands at each position of the local axes."""
        out = parts[0][0] if parts else x.Const(0, INT)
        for value, where in parts[1:]:
            assert where is not None
            out = x.Apply("if", (where, value, out), replace(value.type, axes=where.type.axes))
        return out

    # ------------------------------------------------------------ elements

    def _ids(self, name: str) -> np.ndarray:
        shape = self.lifting.shapes[name]
        return np.arange(int(np.prod(shape, dtype=int))).reshape(shape)

    def _elements(self, e: Ref, grid: str, ids: np.ndarray, env: Env) -> list[tuple[str, x.Expr | None]]:
        """The axes of the elements that a reference means, and for each where along the local axes it is meant."""
        found = evaluate(Ref("?", e.indices, e.type), replace(self.scope, variables={**self.scope.variables, "?": ids}))
        outer = {n: self._outer(n, env) for n in found.labels}
        local = [n for n in found.labels if outer[n] is None]
        lengths = [found.length(n) for n in local]
        out: list[tuple[str, x.Expr | None]] = []
        for place in np.ndindex(*lengths):
            array = np.asarray(found.array)[tuple(place[local.index(n)] if n in local else slice(None) for n in found.labels)]
            kept = Named(array, tuple(str(outer[n]) for n in found.labels if n not in local))
            label = self._label(grid, np.asarray(filled(kept, self.labels, self.shape)))
            out.append((label, _one_hot(place, local, lengths) if local else None))
        return out

    def _label(self, grid: str, ids: np.ndarray) -> str:
        """The axis of these elements, one and the same for equal ones."""
        for spot in self.spots:
            if spot.grid == grid and np.array_equal(spot.ids, ids):
                return spot.label
        label = f"{grid}?{len(self.spots)}"
        self.spots.append(Spot(grid, label, ids))
        entries = prod(self.lifting.grids[s.grid].values for s in self.spots)
        if entries > LARGEST_TABLE:
            raise TooLarge(entries, [s.grid for s in self.spots], frozenset())
        return label


def _one_hot(place: tuple[int, ...], labels: list[str], lengths: list[int]) -> x.Array:
    """True at one position of these axes."""
    hot = np.zeros(lengths, bool)
    hot[place] = True
    axes = tuple(x.Axis(n, Size(), Size.const(length)) for n, length in zip(labels, lengths, strict=True))
    return x.Array(_tuples(hot.tolist()), Type(Kind.BOOL, axes))


def _tuples(values: Any) -> Any:
    return tuple(map(_tuples, values)) if isinstance(values, list) else values


def _needed(node: g.Node) -> tuple[g.DomainAxis, ...]:
    """The axes of a domain that the expressions of a node mention."""
    named: set[str] = set()
    for root in g.node_exprs(node):
        for e in walk(root):
            if isinstance(e, x.LoopVar):
                named.add(e.label)
            elif isinstance(e, Ref):
                for i in e.indices:
                    named |= {i.loop or ""} if isinstance(i, At) else {i.axis.label} if isinstance(i, Whole) else set()
    return tuple(a for a in node.domain if a.label in named)
