"""Running the nodes of a graph in order: what is independent at once, what is carried in a scan (`carry`).

A *visitor* says what happens at a random node: a value is made from noise, taken from data, drawn … and a term (a log density or
a log-determinant, over the node's domain) comes back. Arrays that belong to a node, such as its noise, are its *inputs*.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.compiler import graph as g
from emfppl.compiler.distributions import Distribution, Table
from emfppl.compiler.expressions import At, Expr, Kind, Whole
from emfppl.runtime.bijections.node_map import DistValue, NodeMap, SupportValue, nearly_improper, node_map
from emfppl.runtime.bijections.updated_laws import updated
from emfppl.runtime.evaluate import Scope, affine_slice, as_type, evaluate
from emfppl.runtime.named import Labels, Named, arranged, filled

Inputs = Mapping[str, Mapping[str, Named]]
Item = tuple[str, g.Node]
PART = "gate."  # begins the names of the inputs that are parts of a gate


@dataclass(frozen=True)
class Layout:
    """What is fixed while a program runs: sizes, the table of distributions, kinds of the variables, and how scans are done."""

    sizes: Mapping[str, int]
    table: Table
    kinds: Mapping[str, Kind]
    scan: Any = jax.lax.scan


@dataclass(frozen=True)
class State:
    """Variables by name (those defined so far), their shapes, and the terms of the nodes that ran: arrays over their domains."""

    variables: Mapping[str, Any]
    shapes: Mapping[str, tuple[int, ...]]
    terms: Mapping[str, Any]


@dataclass(frozen=True)
class Site:
    """A random node with its arguments evaluated."""

    key: str
    node: g.RandomNode
    dist: DistValue
    support: SupportValue
    batch: Labels
    batch_shape: tuple[int, ...]
    event_shape: tuple[int, ...]
    inputs: Mapping[str, Named]
    table: Table

    @property
    def map(self) -> NodeMap:
        """The node's map from noise, density and sampler."""
        shapes = (self.batch_shape, self.event_shape)
        found = node_map(self.dist, self.support, self.node.narrowed, *shapes, self.table)
        return replace(found, alone=True) if "shut" in self.inputs or nearly_improper(self.node.dist) else found

    @property
    def guided(self) -> NodeMap:
        """The node's map in a guide: that of the law that a gate with parts makes of its own."""
        parts = {name.removeprefix(PART): self.input(name) for name in self.inputs if name.startswith(PART)}
        if not parts:
            return self.map
        dist = updated(self.dist, parts, self.table)
        return node_map(dist, self.support, self.node.narrowed, self.batch_shape, self.event_shape, self.table)

    def input(self, name: str) -> Any:
        """An input, axes of the domain first; None if it was not given."""
        if name not in self.inputs:
            return None
        value = self.inputs[name]
        return arranged(value, (*self.batch, *(n for n in value.labels if n not in self.batch)))


def gate_inputs(gate: Any) -> dict[str, Any]:
    """The inputs of a gate: an opening, or parts by name."""
    return {PART + name: value for name, value in gate.items()} if isinstance(gate, Mapping) else {"gate": gate}


class Visitor(Protocol):
    def __call__(self, site: Site) -> tuple[Any, Any]:
        """The node's value (batch + event shape; None if the variable has it already) and its term (batch shape)."""


def run(items: Sequence[Item], layout: Layout, state: State, inputs: Inputs, visit: Visitor) -> State:
    """Run all nodes in order."""
    from emfppl.runtime.carry import run_carried

    for block, group in grouped(items):
        if block is not None:
            state = run_carried(block, group, layout, state, inputs, visit)
        else:
            state = _run_one(group[0], layout, state, inputs, visit)
    return state


def grouped(items: Sequence[Item]) -> Iterator[tuple[int | None, list[Item]]]:
    """Consecutive nodes of one scan together, others alone."""
    group: list[Item] = []
    current: int | None = None
    for item in items:
        block = next((a.block for a in item[1].domain if a.carried), None)
        if group and (block is None or block != current):
            yield current, group
            group = []
        current = block
        group.append(item)
    if group:
        yield current, group


def ranges_of(node: g.Node, sizes: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """The positions that each axis of a node's domain runs over."""
    return {a.label: (a.lower.evaluate(sizes), a.upper.evaluate(sizes)) for a in node.domain}


def _run_one(item: Item, layout: Layout, state: State, inputs: Inputs, visit: Visitor) -> State:
    key, node = item
    scope = Scope(layout.sizes, ranges_of(node, layout.sizes), state.variables)
    if isinstance(node, g.RandomNode):
        value, term = visit(site_of(key, node, scope, layout.table, inputs.get(key, {})))
        if value is not None:
            state = write(state, node.target, value, scope, layout)
        return replace(state, terms={**state.terms, key: term})
    result = evaluate(node.value, scope)
    if isinstance(node, g.ComputedNode):
        labels = target_labels(node.target)
        shape = target_shape(node.target, scope)
        return write(state, node.target, filled(result, labels, shape), scope, layout, in_order=True)
    return replace(state, terms={**state.terms, key: _factor_term(result, scope)})


def _factor_term(value: Named, scope: Scope) -> Any:
    """The value over the domain, summed over all other axes."""
    over = tuple(n for n, label in enumerate(value.labels) if label not in scope.loops)
    kept = Named(jnp.sum(value.array, axis=over), tuple(n for n in value.labels if n in scope.loops))
    return filled(kept, tuple(scope.loops), [upper - lower for lower, upper in scope.loops.values()])


# ---------------------------------------------------------------- random nodes


def site_of(key: str, node: g.RandomNode, scope: Scope, table: Table, inputs: Mapping[str, Named]) -> Site:
    """Evaluate the arguments of a random node."""
    batch = tuple(scope.loops)
    shape = tuple(max(upper - lower, 0) for lower, upper in scope.loops.values())
    rank = g.event_rank(node.dist, node.support)
    wholes = [i.axis for i in node.target.indices[len(node.target.indices) - rank :] if isinstance(i, Whole)]
    event = tuple(a.label for a in wholes)
    lengths = tuple(a.length.evaluate(scope.sizes) for a in wholes)
    dist = dist_value(node.dist, scope, table, batch, dict(zip(event, lengths, strict=True)))
    return Site(key, node, dist, _support_value(node.support, scope, batch), batch, shape, lengths, inputs, table)


def _support_value(support: g.Support, scope: Scope, batch: Labels) -> SupportValue:
    if isinstance(support, g.Structured):
        return SupportValue(support.name)
    lower, upper = (None if b is None else arranged(evaluate(b, scope), batch) for b in (support.lower, support.upper))
    return SupportValue("interval" if isinstance(support, g.Interval) else "integers", lower, upper)


def dist_value(dist: g.Dist, scope: Scope, table: Table, batch: Labels, event: Mapping[str, int]) -> DistValue:
    """A distribution with its arguments evaluated: batch axes first, then that of a mixture's components, event axes last."""
    row = table.get(dist.name)
    assert row is not None
    inner = batch if dist.over is None else (*batch, dist.over)
    args: dict[str, Any] = {}
    for name, value in dist.args:
        if isinstance(value, g.Dist):
            args[name] = dist_value(value, scope, table, inner, event)
        elif dist.over is not None and name in ("weights", "probs", "logits", "cutpoints"):
            args[name] = _real(arranged(evaluate(value, scope), inner))
        else:
            args[name] = _argument(value, row, name, scope, batch, event)
    return DistValue(dist.name, args)


def _argument(value: Expr, row: Distribution, name: str, scope: Scope, batch: Labels, event: Mapping[str, int]) -> Any:
    rank = next(p.rank for form in row.forms for p in form if p.name == name)
    found = evaluate(value, scope)
    if rank == 2:
        return _real(arranged(found, (*batch, *_rows_and_columns(value, event))))
    if rank == 1:
        (label, length) = list(event.items())[-1]
        array = arranged(found, (*batch, label))
        return _real(jnp.broadcast_to(array, (*jnp.shape(array)[:-1], length)))
    own = row.event_rank
    labels = batch if own else (*batch, *event)  # elements of an ordered vector have arguments of their own
    return arranged(found, labels)


def _rows_and_columns(value: Expr, event: Mapping[str, int]) -> Labels:
    """The labels of a matrix argument: the event's, or over a vector's dim that dim and its twin."""
    labels = tuple(a.label for a in value.type.axes)
    if len(event) == 2 and set(event) <= set(labels):
        return tuple(event)
    row = list(event)[-1]
    column = next((label for label in labels if label != row and label.rstrip("'") == row.rstrip("'")), None)
    return labels[-2:] if row not in labels or column is None else (row, column)


def _real(x: Any) -> jax.Array:
    return jnp.asarray(x, float)


# ---------------------------------------------------------------- writing to variables


def target_labels(target: g.Target) -> Labels:
    """The labels of the axes that a target has, in its own order."""
    labels = [i.axis.label if isinstance(i, Whole) else i.loop for i in target.indices]
    return tuple(label for label in labels if label is not None)


def target_shape(target: g.Target, scope: Scope) -> tuple[int, ...]:
    """The lengths of these axes."""
    out = []
    for index in target.indices:
        if isinstance(index, Whole):
            out.append(index.axis.length.evaluate(scope.sizes))
        elif index.loop is not None:
            lower, upper = scope.loops[index.loop]
            out.append(max(upper - lower, 0))
    return tuple(out)


def place_of(target: g.Target, scope: Scope, shape: Sequence[int]) -> tuple[int | slice, ...]:
    """Where a target lies in its variable, as NumPy subscripts."""
    out: list[int | slice] = []
    for index, size in zip(target.indices, shape, strict=True):
        match index:
            case Whole(axis):
                lower, upper = axis.lower.evaluate(scope.sizes), axis.upper.evaluate(scope.sizes)
                out.append(slice(None) if (lower, upper) == (0, size) else slice(lower, upper, 1))
            case At(None, _, offset):
                out.append(offset.evaluate(scope.sizes))
            case At(loop, scale, offset):
                out.append(affine_slice(scale, offset.evaluate(scope.sizes), *scope.loops[str(loop)], size))
    return tuple(out)


def write(
    state: State, target: g.Target, value: Any, scope: Scope, layout: Layout, in_order: bool = False
) -> State:
    """Put a value, over the domain's axes and then the event's (or in the target's order), into its variable."""
    shape = state.shapes[target.name]
    kind = layout.kinds[base_name(target.name)]
    if not in_order:
        event = tuple(i.axis.label for i in target.indices if isinstance(i, Whole))
        value = Named(value, (*scope.loops, *event))
        value = arranged(value, target_labels(target))
    place = place_of(target, scope, shape)
    value = as_type(value, kind)
    if all(p == slice(None) for p in place):
        array = jnp.broadcast_to(value, shape)
    else:
        base = state.variables.get(target.name)
        array = put(jnp.zeros(shape, value.dtype) if base is None else base, place, value)
    return replace(state, variables={**state.variables, target.name: array})


def put(base: Any, place: Sequence[int | slice], value: Any) -> jax.Array:
    """`base` with `value` at a place: one block update where the place is a contiguous block."""
    base = jnp.asarray(base)
    if any(isinstance(p, slice) and p.step not in (None, 1) for p in place):
        return base.at[tuple(place)].set(value)
    starts = [p if isinstance(p, int) else (p.start or 0) for p in place]
    sizes = [1 if isinstance(p, int) else len(range(*p.indices(n))) for p, n in zip(place, base.shape, strict=True)]
    return jax.lax.dynamic_update_slice(base, jnp.reshape(value, sizes).astype(base.dtype), starts)


def base_name(name: str) -> str:
    """The variable that a row of it belongs to: rows are named ``x|0`` in a scan."""
    return name.split("|", 1)[0]


def in_domain_order(value: Any, target: g.Target, scope: Scope, shape: Any, batch: tuple[str, ...]) -> Any:
    """The part of a whole variable that a target names: axes of the domain first, event axes last."""
    xp = np if isinstance(value, np.ndarray) else jnp
    part = xp.asarray(value)[place_of(target, scope, shape)]
    labels = [getattr(i, "loop", None) or f"#{n}" for n, i in enumerate(target.indices) if getattr(i, "loop", "") is not None]
    events = [label for label in labels if label.startswith("#")]
    return xp.transpose(part, [labels.index(label) for label in (*batch, *events)])
