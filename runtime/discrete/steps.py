"""The steps of an elimination: sum out all elements of a grid at once, or those of some grids along a chain.

Every step runs forward with a sum or a maximum (`semiring`), and backward to choose values of what it has summed out, given those
of what was left: a draw, or the best.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.discrete.factors import Arrays, Factor, Grid, Projection, added, summed
from emfppl.runtime.discrete.semiring import Reduce
from emfppl.runtime.named import Named, arranged, filled

Chosen = dict[str, Any]  # by grid: the position of each element's value among its values


class Choose(Protocol):
    def __call__(self, logits: Any, key: Any) -> Any:
        """The position along the last axis that is chosen."""


def drawn(logits: Any, key: Any) -> Any:
    """A draw with probabilities ∝ exp(logits), by the largest of logits + Gumbel noise."""
    return jnp.argmax(logits + jax.random.gumbel(key, jnp.shape(logits)), axis=-1)


def best(logits: Any, key: Any) -> Any:
    """The most probable."""
    return jnp.argmax(logits, axis=-1)


@dataclass(frozen=True, eq=False)
class Other:
    """Elements of another grid that a table depends on: for each element of the grid summed out, which one."""

    grid: str
    label: str
    values: int
    ids: np.ndarray

    def chosen(self, chosen: Chosen) -> Any:
        """The values that these elements have."""
        return jnp.reshape(chosen[self.grid], (-1,))[jnp.maximum(self.ids, 0)]


# ---------------------------------------------------------------- all elements of a grid at once


@dataclass(frozen=True, eq=False)
class SumOut:
    """All elements of a grid, none of which meets another in any statement."""

    grid: Grid
    label: str
    projections: tuple[Projection, ...]
    others: tuple[Other, ...]
    out: int

    def run(self, arrays: Arrays, reduce: Reduce) -> Named:
        """The table summed over the values, which becomes a factor; the table itself is given back."""
        table = added([p.run(arrays) for p in self.projections])
        if self.label not in table.labels:
            shape = (*jnp.shape(table.array), self.grid.values)
            table = Named(jnp.broadcast_to(table.array[..., None], shape), (*table.labels, self.label))
        axis = table.labels.index(self.label)
        arrays[self.out] = Named(reduce(table.array, (axis,)), tuple(n for n in table.labels if n != self.label))
        return table

    def choose(self, table: Named, chosen: Chosen, choose: Choose, key: Any) -> None:
        others = [o.chosen(chosen) for o in self.others]
        labels = (*self.grid.labels, *(o.label for o in self.others), self.label)
        shape = (*self.grid.shape, *(o.values for o in self.others), self.grid.values)
        array = filled(table, labels, shape)
        places = jnp.indices(self.grid.shape, sparse=True) if self.grid.shape else ()
        chosen[self.grid.name] = choose(array[(*places, *others)], key)


# ---------------------------------------------------------------- a chain


TIME = "chain"


def at_lag(grid: str, lag: int) -> str:
    return f"{grid}@{lag}"


@dataclass(frozen=True, eq=False)
class Link:
    """A grid of the chain and which of its axes is that of the chain."""

    grid: Grid
    axis: int


@dataclass(frozen=True, eq=False)
class Chain:
    """Elements of some grids along a chain, each statement reaching back `lag` steps at most: the forward algorithm.

    ``a_t(z_t … z_{t−lag+1}) = Σ over z_{t−lag} of a_{t−1}(z_{t−1} … z_{t−lag}) F_t(z_t … z_{t−lag})`` in logarithms, with F_t the
    product of the factors whose latest element is at t, all computed beforehand. Batches, and elements that stay the same along
    the chain (`others`), are further axes.
    """

    links: tuple[Link, ...]
    length: int
    lag: int
    batch: tuple[str, ...]
    batch_shape: tuple[int, ...]
    projections: tuple[Projection, ...]
    others: tuple[Other, ...]
    out: int

    # ------------------------------------------------------------ layout

    @property
    def _state(self) -> dict[str, int]:
        """The labels of the state and how many values each has, all of one lag together, newest first."""
        return {at_lag(k.grid.name, n): k.grid.values for n in range(self.lag) for k in self.links}

    @property
    def _oldest(self) -> dict[str, int]:
        return {at_lag(k.grid.name, self.lag): k.grid.values for k in self.links}

    @property
    def _carried(self) -> dict[str, int]:
        batch = dict(zip(self.batch, self.batch_shape, strict=True))
        return {**batch, **{o.label: o.values for o in self.others}, **self._state}

    def _shifted(self, value: Named) -> Named:
        """What was at lag n is now at lag n + 1."""
        new = {at_lag(k.grid.name, n): at_lag(k.grid.name, n + 1) for k in self.links for n in range(self.lag)}
        return value.renamed(new.get(label, label) for label in value.labels)

    def _parts(self, arrays: Arrays) -> list[tuple[Named, int, int]]:
        """The factors, each with the range of steps that it belongs to; one without the axis of the chain is the same in all."""
        return [(p.run(arrays, TIME), *p.span(TIME)) for p in self.projections]

    def _at(self, parts: Sequence[tuple[Named, int, int]], t: int) -> list[Named]:
        """The factors of one of the first steps, without the axes of elements before the chain's first."""
        before = {at_lag(k.grid.name, n) for k in self.links for n in range(t + 1, self.lag + 1)}
        found = []
        for value, lower, upper in parts:
            if lower <= t < upper:
                here = _row(value, TIME, t - lower)
                for label in before & set(here.labels):
                    here = _row(here, label, 0)
                found.append(here)
        return found

    def _later(self, parts: Sequence[tuple[Named, int, int]]) -> tuple[list[Named], list[Named]]:
        """The factors of the steps from `lag` on: those that move, the chain's axis first, and those that don't."""
        moving, still = [], []
        for value, lower, upper in parts:
            if TIME not in value.labels and lower <= self.lag and upper == self.length:
                still.append(value)
            elif upper > self.lag:
                moving.append(_from(value, lower, upper, self.lag, self.length))
        return moving, still

    # ------------------------------------------------------------ forward

    def run(self, arrays: Arrays, reduce: Reduce) -> tuple[Any, ...]:
        """The sum over all paths, which becomes a factor; what choosing a path needs is given back."""
        parts = self._parts(arrays)
        alpha = added([])
        for t in range(min(self.lag, self.length)):
            alpha = added([self._shifted(alpha), *self._at(parts, t)])
        last, before = alpha, None
        moving, still = self._later(parts)
        if self.length > self.lag:
            labels, shape = tuple(self._carried), tuple(self._carried.values())

            def step(carry: Any, rows: Any) -> tuple[Any, Any]:
                here = [Named(row, m.labels[1:]) for row, m in zip(rows, moving, strict=True)]
                total = added([self._shifted(Named(carry, labels)), *here, *still])
                axes = tuple(total.labels.index(n) for n in self._oldest)
                left = Named(reduce(total.array, axes), tuple(n for n in total.labels if n not in self._oldest))
                return filled(left, labels, shape), carry

            start = filled(alpha, labels, shape)
            end, before = jax.lax.scan(step, start, [m.array for m in moving], length=self.length - self.lag)
            last = Named(end, labels)
        axes = tuple(n for n, label in enumerate(last.labels) if label in self._state)
        arrays[self.out] = Named(reduce(last.array, axes), tuple(n for n in last.labels if n not in self._state))
        return last, before, moving, still

    # ------------------------------------------------------------ backward

    def choose(self, kept: tuple[Any, ...], chosen: Chosen, choose: Choose, key: Any) -> None:
        """A path for each batch, from its end to its start."""
        last, before, moving, still = kept
        steps = min(self.lag, self.length)
        state = {at_lag(k.grid.name, n): k.grid.values for n in range(steps) for k in self.links}
        others = {o.label: o.chosen(chosen) for o in self.others}
        newest = self._pick(last, state, others, choose, jax.random.fold_in(key, self.length))
        rows = [[newest[at_lag(k.grid.name, n)] for n in range(steps)] for k in self.links]
        if self.length > self.lag:
            labels = tuple(self._carried)

            def step(known: Any, xs: Any) -> tuple[Any, Any]:
                t, alpha, moved = xs
                here = [Named(row, m.labels[1:]) for row, m in zip(moved, moving, strict=True)]
                total = added([self._shifted(Named(alpha, labels)), *here, *still])
                given = {at_lag(k.grid.name, n): known[i][n] for i, k in enumerate(self.links) for n in range(self.lag)}
                found = self._pick(total, self._oldest, {**others, **given}, choose, jax.random.fold_in(key, t))
                old = [found[at_lag(k.grid.name, self.lag)] for k in self.links]
                return [jnp.concatenate([w[1:], o[None]]) for w, o in zip(known, old, strict=True)], old

            xs = (jnp.arange(self.length - self.lag), before, [m.array for m in moving])
            window = [jnp.stack(r) for r in rows]
            _, olds = jax.lax.scan(step, window, xs, reverse=True)
            paths = [jnp.concatenate([old, jnp.stack(r[::-1])]) for old, r in zip(olds, rows, strict=True)]
        else:
            paths = [jnp.stack(r[::-1]) for r in rows]
        for k, path in zip(self.links, paths, strict=True):
            chosen[k.grid.name] = jnp.moveaxis(path, 0, k.axis)

    def _pick(self, table: Named, unknown: Mapping[str, int], given: Mapping[str, Any], choose: Choose, key: Any) -> dict[str, Any]:
        """Values (batch) of the unknown elements, jointly, given those of the others."""
        lengths = {n: table.length(n) for n in table.labels}
        sizes = [unknown[n] for n in unknown]
        known = [n for n in given if n in lengths]
        labels = (*self.batch, *known, *unknown)
        shape = (*self.batch_shape, *(lengths[n] for n in known), *sizes)
        array = filled(table, labels, shape)
        places = jnp.indices(self.batch_shape, sparse=True) if self.batch_shape else ()
        logits = array[(*places, *(given[n] for n in known))] if (places or known) else array
        flat = choose(jnp.reshape(logits, (*self.batch_shape, -1)), key)
        found = jnp.unravel_index(flat, tuple(sizes))
        return dict(zip(unknown, found, strict=True))


def _row(value: Named, label: str, position: int) -> Named:
    if label not in value.labels:
        return value
    axis = value.labels.index(label)
    return Named(jnp.take(value.array, position, axis), value.labels[:axis] + value.labels[axis + 1 :])


def _from(value: Named, lower: int, upper: int, first: int, length: int) -> Named:
    """The steps `first` to `length` of a factor, the chain's axis first; 0 where it isn't."""
    if TIME not in value.labels:
        shape = jnp.shape(value.array)
        value = Named(jnp.broadcast_to(value.array, (upper - lower, *shape)), (TIME, *value.labels))
    labels = (TIME, *(n for n in value.labels if n != TIME))
    array = jnp.asarray(arranged(value, labels))[max(first - lower, 0) :]
    widths = [(max(lower - first, 0), length - upper), *[(0, 0)] * (len(labels) - 1)]
    return Named(jnp.pad(array, widths), labels)


# ---------------------------------------------------------------- what is left


@dataclass(frozen=True, eq=False)
class Close:
    """A factor with no elements left: the sum over its domain counts."""

    factor: Factor

    def run(self, arrays: Arrays) -> Any:
        value = arrays[self.factor.number]
        for label, length in zip(self.factor.labels, self.factor.shape, strict=True):
            value = summed(value, label, length)
        return jnp.asarray(value.array)


Step = SumOut | Chain
