"""Nodes that feed their own later rounds: a scan over one loop axis.

Before the scan every sub-expression that does not depend on what is carried is evaluated for all rounds at once (*hoisted*)
and handed in round by round. Inside a round the nodes are rewritten: the loop axis is gone from their domains and targets, a
hoisted part is a reference to its row, and ``x[t - k]`` is a reference to the row ``x|-k``. What is left is a list of nodes like
any other, which `execute.run` runs; a second carried axis becomes a scan inside the scan.

The last rows of each variable are carried in a window as long as the largest lag. A variable that is not written at one
place a round (``x[2*i]`` and ``x[2*i+1]``), or not read a fixed number of rounds back (``x[n]`` from ``x[2*n-k]``), is
carried whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

from emfppl.compiler import graph as g
from emfppl.compiler.expressions import At, Gather, Ref, walk
from emfppl.runtime.evaluate import affine_slice, as_type
from emfppl.runtime.execute import Inputs, Item, Layout, State, Visitor, base_name, grouped, put, ranges_of, run
from emfppl.runtime.named import Named, arranged, stripped
from emfppl.runtime.rewriting import Carried, Loop, Place, Rewriting, runs_with


def run_carried(block: int, items: Sequence[Item], layout: Layout, state: State, inputs: Inputs, visit: Visitor) -> State:
    """Run the nodes of one block as a scan."""
    axis = next(a for a in items[0][1].domain if a.block == block)
    loop = Loop(axis.label, axis.lower.evaluate(layout.sizes), axis.upper.evaluate(layout.sizes))
    carried = carried_variables(items, loop, layout.sizes)
    if loop.rounds == 0:
        return _no_rounds(items, layout, state)
    rewriting = Rewriting(loop, carried, layout, state)
    rows = [(key, rewriting.node(node)) for key, node in items]
    order = {key: tuple(a.label for a in node.domain) for key, node in items}
    body = Body(loop, carried, rows, order, rewriting, layout, state, visit, _split(inputs, items, loop))
    return body.scan()


def _no_rounds(items: Sequence[Item], layout: Layout, state: State) -> State:
    """Nothing runs, but every variable and term has its shape."""
    variables, terms = dict(state.variables), dict(state.terms)
    for key, node in items:
        if not isinstance(node, g.FactorNode):
            kind = layout.kinds[base_name(node.target.name)]
            variables.setdefault(node.target.name, as_type(jnp.zeros(state.shapes[node.target.name]), kind))
        if not isinstance(node, g.ComputedNode):
            terms[key] = jnp.zeros([max(b - a, 0) for a, b in ranges_of(node, layout.sizes).values()])
    return replace(state, variables=variables, terms=terms)


def carried_variables(items: Sequence[Item], loop: Loop, sizes: Mapping[str, int]) -> dict[str, Carried]:
    """The variables that the block defines."""
    places: dict[str, set[Place]] = {}
    for _, node in items:
        if not isinstance(node, g.FactorNode):
            n, index = next((n, i) for n, i in enumerate(node.target.indices) if runs_with(i, loop.label))
            assert isinstance(index, At)
            places.setdefault(node.target.name, set()).add(Place(n, index.scale, index.offset.evaluate(sizes)))
    out = {}
    for name, found in places.items():
        read = [index for _, node in items for index in _indices(node, name, loop.label)]
        first = min(p.offset for p in found)
        lags = [first - i.offset.evaluate(sizes) for i in read]
        gathered = any(_gathers(node, name, next(iter(found)).axis) for _, node in items)
        far = gathered or min([0, *lags]) < 0 or any(i.scale != 1 for i in read)
        out[name] = Carried(name, tuple(sorted(found, key=str)), max([0, *lags]), far)
    return out


def _indices(node: g.Node, name: str, label: str) -> Iterator[At]:
    """The subscripts with which a node reads rows of a variable."""
    for expr in g.node_exprs(node):
        for ref in walk(expr):
            if isinstance(ref, Ref) and ref.name == name:
                yield from (i for i in ref.indices if isinstance(i, At) and i.loop == label)


def _gathers(node: g.Node, name: str, axis: int) -> bool:
    """Whether a node gathers from a variable along an axis."""
    refs = (e for expr in g.node_exprs(node) for e in walk(expr) if isinstance(e, Ref) and e.name == name and e.indices)
    return any(isinstance(ref.indices[axis], Gather) for ref in refs)


def _split(inputs: Inputs, items: Sequence[Item], loop: Loop) -> tuple[dict, dict]:
    """Inputs that differ from round to round (the loop's axis first) and the others; labels kept aside as they are."""
    moving: dict[tuple[str, str], Named] = {}
    still: dict[tuple[str, str], Named] = {}
    for key, _ in items:
        for name, value in inputs.get(key, {}).items():
            (moving if loop.label in value.labels else still)[key, name] = value
    return moving, still


# ---------------------------------------------------------------- the scan


@dataclass
class Body:
    """One scan: what is carried, what comes in and what goes out in each round."""

    loop: Loop
    carried: Mapping[str, Carried]
    items: list[Item]
    order: Mapping[str, tuple[str, ...]]  # of the domains, the loop's axis included
    rewriting: Rewriting
    layout: Layout
    state: State
    visit: Visitor
    inputs: tuple[dict, dict]

    def scan(self) -> State:
        """Run it, and put the rows and terms of all rounds into place."""
        last, (rows, terms) = self._run()
        variables = dict(self.state.variables)
        for name, c in self.carried.items():
            variables[name] = last[name] if c.whole else self._placed(c, rows[name])
        placed = {key: self._over_domain(key, term) for key, term in terms.items()}
        return replace(self.state, variables=variables, terms={**self.state.terms, **placed})

    def _run(self) -> tuple[Any, Any]:
        moving = {name: v for name, v in self.rewriting.hoisted.items() if self.loop.label in v.labels}
        xs = {
            "hoisted": {name: stripped(v, self.loop.label)[0] for name, v in moving.items()},
            "inputs": {k: stripped(v, self.loop.label)[0] for k, v in self.inputs[0].items()},
            "bases": {n: self._base_rows(c) for n, c in self.carried.items() if not c.whole and n in self.state.variables},
            "round": jnp.arange(self.loop.lower, self.loop.upper),
        }
        return self.layout.scan(self._round, self._start(), xs, length=self.loop.rounds)

    def _zeros(self, name: str, shape: Sequence[int]) -> Any:
        return as_type(jnp.zeros(shape), self.layout.kinds[base_name(name)])

    def _row_shape(self, c: Carried) -> tuple[int, ...]:
        shape = self.state.shapes[c.name]
        return tuple(shape[: c.axis]) + tuple(shape[c.axis + 1 :])

    @property
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of variables and of rows."""
        rows = {
            row: self.state.shapes[name] if scale is None else self._row_shape(self.carried[name])
            for row, (name, scale, _) in self.rewriting.rows.items()
        }
        return {**self.state.shapes, **rows}

    def _start(self) -> dict[str, Any]:
        """Windows (lag, row shape), newest first, from what is defined before the loop; whole arrays as they are."""
        out: dict[str, Any] = {}
        for name, c in self.carried.items():
            shape = self.state.shapes[name]
            array = self.state.variables.get(name)
            array = self._zeros(name, shape) if array is None else jnp.asarray(array)
            if c.whole:
                out[name] = array
                continue
            first = self.loop.lower + c.places[0].offset
            rows = [self._before(array, c, first - 1 - k) for k in range(c.lag)]
            out[name] = jnp.stack(rows) if rows else self._zeros(name, (0, *self._row_shape(c)))
        return out

    def _before(self, array: Any, c: Carried, position: int) -> Any:
        if position < 0:
            return self._zeros(c.name, self._row_shape(c))
        return jax.lax.index_in_dim(array, position, c.axis, keepdims=False)

    def _base_rows(self, c: Carried) -> Any:
        """The rows of the loop's positions as far as they are defined already: (rounds, row shape)."""
        place = affine_slice(1, c.places[0].offset, self.loop.lower, self.loop.upper, self.state.shapes[c.name][c.axis])
        rows = jnp.moveaxis(jnp.asarray(self.state.variables[c.name]), c.axis, 0)
        return rows[place]

    def _round(self, carry: dict[str, Any], xs: dict[str, Any]) -> tuple[dict[str, Any], tuple[dict, dict]]:
        still = {n: v.array for n, v in self.rewriting.hoisted.items() if n not in xs["hoisted"]}
        inputs = self._inputs_of_round(xs["inputs"])
        known = {**self.state.variables, **still, **xs["hoisted"]}
        terms: dict[str, Any] = {}
        current: dict[str, Any] = {}
        for _, group in grouped(self.items):
            rows = self._rows(carry, current, xs)
            state = run(group, self.layout, State({**known, **rows}, self._shapes, {}), inputs, self.visit)
            terms |= state.terms
            carry, current = self._written(group, state, carry, current, xs["round"])
        window = {n: carry[n] if c.whole else self._shifted(carry[n], current[n]) for n, c in self.carried.items()}
        return window, (current, terms)

    def _inputs_of_round(self, moving: Mapping[tuple[str, str], Any]) -> Inputs:
        out: dict[str, dict[str, Named]] = {}
        for (key, name), value in self.inputs[1].items():
            out.setdefault(key, {})[name] = value
        for (key, name), array in moving.items():
            labels = tuple(n for n in self.inputs[0][key, name].labels if n != self.loop.label)
            out.setdefault(key, {})[name] = Named(array, labels)
        return out

    def _rows(self, carry: Mapping[str, Any], current: Mapping[str, Any], xs: Mapping[str, Any]) -> dict[str, Any]:
        """The rows that nodes refer to, as they are now."""
        out = {}
        for row, (name, scale, offset) in self.rewriting.rows.items():
            c = self.carried[name]
            if scale is None:
                out[row] = carry[name]
            elif c.whole:
                out[row] = jax.lax.dynamic_index_in_dim(carry[name], scale * xs["round"] + offset, c.axis, keepdims=False)
            elif (lag := c.places[0].offset - offset) > 0:
                out[row] = carry[name][lag - 1]
            elif name in current:
                out[row] = current[name]
            elif name in xs["bases"]:
                out[row] = xs["bases"][name]
        return out

    def _written(
        self, group: Sequence[Item], state: State, carry: dict, current: dict, position: Any
    ) -> tuple[dict, dict]:
        """Carry and current rows after some nodes have run."""
        carry, current = dict(carry), dict(current)
        for row in dict.fromkeys(node.target.name for _, node in group if not isinstance(node, g.FactorNode)):
            name, scale, offset = self.rewriting.rows[row]
            c = self.carried[name]
            if c.whole:
                at = scale * position + offset
                carry[name] = jax.lax.dynamic_update_index_in_dim(carry[name], state.variables[row], at, c.axis)
            else:
                current[name] = state.variables[row]
        return carry, current

    @staticmethod
    def _shifted(window: Any, row: Any) -> Any:
        """The window with the newest row in front and the oldest gone."""
        return jnp.concatenate([row[None].astype(window.dtype), window])[: window.shape[0]]

    def _placed(self, c: Carried, rows: Any) -> Any:
        """The variable with the rows (rounds, row shape) of all rounds."""
        shape = self.state.shapes[c.name]
        place = affine_slice(1, c.places[0].offset, self.loop.lower, self.loop.upper, shape[c.axis])
        rows = jnp.moveaxis(rows, 0, c.axis)
        if place == slice(None):
            return rows
        base = self.state.variables.get(c.name)
        places = [place if n == c.axis else slice(None) for n in range(len(shape))]
        return put(self._zeros(c.name, shape) if base is None else base, places, rows)

    def _over_domain(self, key: str, term: Any) -> Any:
        """A term of all rounds, loop first, with its axes in the order of the node's domain then its own; or several by name."""
        if isinstance(term, Mapping):
            return {name: self._over_domain(key, part) for name, part in term.items()}
        rest = [label for label in self.order[key] if label != self.loop.label]
        own = [f"#{n}" for n in range(jnp.ndim(term) - 1 - len(rest))]
        return arranged(Named(term, (self.loop.label, *rest, *own)), (*self.order[key], *own))
