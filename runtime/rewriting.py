"""The nodes of one round of a scan: the loop axis taken out, what is known beforehand handed in, carried rows by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import jax.numpy as jnp

from emfppl.compiler import expressions as x
from emfppl.compiler import graph as g
from emfppl.compiler.expressions import At, Gather, Index, Kind, Ref, Type, Whole, walk
from emfppl.compiler.sizes import Size
from emfppl.runtime.evaluate import Scope, evaluate, select
from emfppl.runtime.execute import Layout, State, ranges_of
from emfppl.runtime.named import Named


@dataclass(frozen=True)
class Place:
    """Where a carried variable is written in round t: position ``scale * t + offset`` of its axis `axis`."""

    axis: int
    scale: int
    offset: int


@dataclass(frozen=True)
class Carried:
    """One variable of a scan: the places that it is written at, how far back it is read, and whether it is read
    elsewhere than at a fixed number of rounds back."""

    name: str
    places: tuple[Place, ...]
    lag: int
    far: bool = False

    @property
    def whole(self) -> bool:
        """Whether no window will do."""
        return len(self.places) > 1 or self.places[0].scale != 1 or self.far

    @property
    def axis(self) -> int:
        return self.places[0].axis


@dataclass(frozen=True)
class Loop:
    """The loop that is scanned."""

    label: str
    lower: int
    upper: int

    @property
    def rounds(self) -> int:
        return max(self.upper - self.lower, 0)


def runs_with(index: Index, label: str) -> bool:
    return isinstance(index, At) and index.loop == label


@dataclass
class Rewriting:
    """Rewrites nodes for a round and notes what they need: hoisted values, and rows (name, scale, offset) of carried variables; all
    of one that is gathered from has the scale None."""

    loop: Loop
    carried: Mapping[str, Carried]
    layout: Layout
    state: State
    hoisted: dict[str, Named] = field(default_factory=dict)
    rows: dict[str, tuple[str, int | None, int]] = field(default_factory=dict)
    _scope: Scope | None = None
    _bound: frozenset[str] = frozenset()
    _seen: dict[x.Expr, x.Expr] = field(default_factory=dict)

    def node(self, node: g.Node) -> g.Node:
        """The node without the loop's axis."""
        self._scope = Scope(self.layout.sizes, ranges_of(node, self.layout.sizes), self.state.variables)
        self._bound = frozenset(n for e in g.node_exprs(node) for let in walk(e) if isinstance(let, x.Let) for n, _ in let.bindings)
        self._seen = {}
        domain = tuple(a for a in node.domain if a.label != self.loop.label)
        if isinstance(node, g.FactorNode):
            return replace(node, domain=domain, value=self.expr(node.value))
        target = self._target(node.target)
        if isinstance(node, g.ComputedNode):
            return replace(node, domain=domain, target=target, value=self.expr(node.value))
        return replace(node, domain=domain, target=target, dist=self._dist(node.dist), support=self._support(node.support))

    def _dist(self, dist: g.Dist) -> g.Dist:
        args = tuple((n, self._dist(v) if isinstance(v, g.Dist) else self.expr(v)) for n, v in dist.args)
        return replace(dist, args=args)

    def _support(self, support: g.Support) -> g.Support:
        if isinstance(support, g.Structured):
            return support
        lower, upper = (None if b is None else self.expr(b) for b in (support.lower, support.upper))
        return replace(support, lower=lower, upper=upper)

    def _target(self, target: g.Target) -> g.Target:
        n, index = next((n, i) for n, i in enumerate(target.indices) if runs_with(i, self.loop.label))
        assert isinstance(index, At)
        row = self._row(target.name, index)
        return g.Target(row, target.indices[:n] + target.indices[n + 1 :])

    def _row(self, name: str, index: At) -> str:
        offset = index.offset.evaluate(self.layout.sizes)
        row = f"{name}|{offset}" if index.scale == 1 else f"{name}|{index.scale}t{offset}"
        self.rows[row] = (name, index.scale, offset)
        return row

    # ------------------------------------------------------------ expressions

    def expr(self, expr: x.Expr) -> x.Expr:
        """The expression for one round."""
        if isinstance(expr, x.Const | x.SizeOf | x.Array):
            return expr
        if not self._depends(expr):
            return self._hoist(expr)
        match expr:
            case Ref():
                return self._reference(expr)
            case x.Apply() | x.ArrayCall() | x.Stack() | x.Ode():
                return replace(expr, args=tuple(map(self.expr, expr.args)))
            case x.Reduce() | x.Relabel():
                return replace(expr, arg=self.expr(expr.arg))
            case x.MatMul():
                return replace(expr, left=self.expr(expr.left), right=self.expr(expr.right))
            case x.Let():
                bindings = tuple((n, self.expr(v)) for n, v in expr.bindings)
                return replace(expr, bindings=bindings, body=self.expr(expr.body))
        raise TypeError(expr)

    def _depends(self, expr: x.Expr) -> bool:
        """Whether a value is known only within the round: it reads carried rows, or a local name."""
        return any(isinstance(e, Ref) and (e.name in self._bound or self._carried(e)) for e in walk(expr))

    def _carried(self, ref: Ref) -> bool:
        """Whether a reference is to rows of a carried variable, of this round or others; a gather may be to any of them."""
        if ref.name not in self.carried:
            return False
        index = ref.indices[self.carried[ref.name].axis]
        return isinstance(index, Gather) or runs_with(index, self.loop.label)

    def _reference(self, ref: Ref) -> Ref:
        """A row of a carried variable; or a gather by an index that is known within the round only."""
        if ref.name in self._bound:
            return replace(ref, indices=tuple(map(self._index, ref.indices)))
        if self._carried(ref):
            axis = self.carried[ref.name].axis
            index = ref.indices[axis]
            if isinstance(index, Gather):
                self.rows[whole := f"{ref.name}|*"] = (ref.name, None, 0)
                return replace(ref, name=whole, indices=tuple(map(self._index, ref.indices)))
            assert isinstance(index, At)
            rest = ref.indices[:axis] + ref.indices[axis + 1 :]
            return replace(ref, name=self._row(ref.name, index), indices=tuple(map(self._index, rest)))
        return self._row_gathered(ref)

    def _index(self, index: Index) -> Index:
        """A subscript for one round: a second use of the loop is a position to gather from."""
        if isinstance(index, Gather):
            return Gather(self.expr(index.index))
        if runs_with(index, self.loop.label):
            assert isinstance(index, At)
            integer = Type(Kind.INT)
            scaled = x.Apply("*", (x.LoopVar(self.loop.label, integer), x.Const(index.scale, integer)), integer)
            return Gather(self.expr(x.Apply("+", (scaled, x.SizeOf(index.offset, integer)), integer)))
        return index

    def _row_gathered(self, ref: Ref) -> Ref:
        """``P[t, z[t-1]]``: all of P's rows of this round, then a gather in them."""
        assert self._scope is not None
        array = self.state.variables[ref.name]
        kept = [n for n, i in enumerate(ref.indices) if not runs_with(i, self.loop.label)]
        wide = tuple(
            i if n not in kept else Whole(x.Axis(f"#{n}", Size(), Size.const(jnp.shape(array)[n])))
            for n, i in enumerate(ref.indices)
        )
        name = self._note(select(array, wide, self._scope))
        return replace(ref, name=name, indices=tuple(self._index(ref.indices[n]) for n in kept))

    def _hoist(self, expr: x.Expr) -> x.Expr:
        """A reference to the row of a value that was computed for all rounds."""
        if expr not in self._seen:
            assert self._scope is not None
            value = evaluate(expr, self._scope)
            name = self._note(value)
            labels = [label for label in value.labels if label != self.loop.label]
            self._seen[expr] = Ref(name, tuple(self._back(label, value) for label in labels), expr.type)
        return self._seen[expr]

    def _note(self, value: Named) -> str:
        name = f"|{self.loop.label}{len(self.hoisted)}"
        self.hoisted[name] = value
        return name

    def _back(self, label: str, value: Named) -> Index:
        """The subscript that keeps an axis of a hoisted value."""
        assert self._scope is not None
        if label in self._scope.loops:
            return At(label, 1, Size.const(-self._scope.loops[label][0]))
        return Whole(x.Axis(label, Size(), Size.const(value.length(label))))
