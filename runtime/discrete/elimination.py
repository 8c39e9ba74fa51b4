"""One marginal of a program with its data: its sum, draws of its variables, and what is most probable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.compiler import graph as g
from emfppl.compiler.expressions import Expr, Kind
from emfppl.compiler.references import names_read
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.runtime.discrete import tables
from emfppl.runtime.discrete.factors import LARGEST_TABLE, Arrays, Factor, Grid, Spot, TooLarge
from emfppl.runtime.discrete.lift import Lifted, Lifting
from emfppl.runtime.discrete.plan import Part, Plan, plan
from emfppl.runtime.discrete.semiring import Reduce, log_max, log_of, log_sum
from emfppl.runtime.discrete.steps import Choose, Chosen, best, drawn
from emfppl.runtime.evaluate import Scope, as_type, evaluate
from emfppl.runtime.execute import Item, Site, ranges_of, run
from emfppl.runtime.named import Named, filled

if TYPE_CHECKING:
    from emfppl.runtime.program import Program

Values = Mapping[str, Any]
FLOOR = 30.0


@dataclass(frozen=True, eq=False)
class Table:
    """A lifted statement that counts: its key, where its numbers go, and the factor that they are."""

    key: str
    lifted: Lifted
    factor: Factor


class Elimination:
    """A marginal, planned for the sizes and index data of a program. Raises `EmfError` E0811 where it would take too much."""

    def __init__(self, program: Program, marginal: g.Marginal):
        self.program, self.marginal = program, marginal
        self.items: list[Item] = self._items()
        self.grids: dict[str, Grid] = {}
        for name in marginal.names:
            self.grids[name] = self._grid(name)
        self.computed: list[tuple[str, Lifted]] = []
        self.lifted_last: g.Node = self.items[0][1]
        self.tables: list[Table] = []
        try:
            self._lift()
            self.evidence = self._evidence()
            self.plan = self._plan()
        except TooLarge as found:
            raise EmfError([self._too_large(found)]) from None

    # ------------------------------------------------------------ the statements

    def _items(self) -> list[Item]:
        """The statements in an order in which each comes after what it is computed from; all values are known."""
        keyed = self.program.selection.keyed
        items = [keyed[n] for n in self.marginal.nodes]
        absent = self.program.binding.absent
        there = [(k, n) for k, n in items if isinstance(n, g.FactorNode) or n.target.name not in absent]
        return self.program.with_all_known(there)

    def _grid(self, name: str) -> Grid:
        bounds = [self._bounds(n) for _, n in self.items if isinstance(n, g.RandomNode) and n.target.name == name]
        low, high = min(b[0] for b in bounds), max(b[1] for b in bounds)
        return Grid(name, name, self.program.shapes[name], high - low + 1, low)

    def _bounds(self, node: g.RandomNode) -> tuple[int, int]:
        """The smallest and the largest value that a statement can draw; for data without a bound, that of its type."""
        declared = self.program.graph.variable(node.target.name).support
        assert isinstance(node.support, g.Integers)
        own = (node.support.lower, node.support.upper)
        other = (declared.lower, declared.upper) if isinstance(declared, g.Integers) else (None, None)
        lower, upper = (b if b is not None else c for b, c in zip(own, other, strict=True))
        return self._bound(node, lower, np.min), self._bound(node, upper, np.max)

    def _bound(self, node: g.RandomNode, bound: Expr | None, extreme: Any) -> int:
        assert bound is not None
        sizes, shapes = self.program.layout.sizes, self.program.shapes
        found = []
        for most in (0, 1):  # a bound may be another discrete latent: its smallest and its largest value
            ends = {n: np.full(shapes[n], grid.low + most * (grid.values - 1)) for n, grid in self.grids.items()}
            scope = Scope(sizes, ranges_of(node, sizes), {**self.program.data, **ends})
            found.append(np.ravel(np.asarray(evaluate(bound, scope).array)))
        values = np.concatenate(found)
        return int(extreme(values)) if values.size else 0

    def _lift(self) -> None:
        program = self.program
        lifting = Lifting(program.layout.sizes, program.data, self.grids, program.layout.kinds, program.shapes)
        computed = [(k, n) for k, n in self.items if isinstance(n, g.ComputedNode)]
        for name in _by_last([n.target.name for _, n in computed]):
            pieces = [(k, n) for k, n in computed if n.target.name == name]
            self.lifted_last = pieces[-1][1]
            found = lifting.note([(n, lifting.lifted(n)) for _, n in pieces])
            self.computed += [(k, lifted) for (k, _), lifted in zip(pieces, found, strict=True)]
        for number, (key, node) in enumerate(i for i in self.items if not isinstance(i[1], g.ComputedNode)):
            self.lifted_last = node
            self._add(key, lifting.lifted(node), number)
        self.lifting = lifting

    def _add(self, key: str, lifted: Lifted, number: int) -> None:
        position = [k for k, _ in self.program.selection.keyed].index(key)
        factor = Factor(number, lifted.labels, lifted.shape, lifted.spots, frozenset({position}))
        if factor.points:
            self.tables.append(Table(key, lifted, factor))

    def _evidence(self) -> list[tuple[str, Factor]]:
        """For each observed variable with missing entries the factor that holds the others where they are."""
        out: list[tuple[str, Factor]] = []
        for name, grid in self.grids.items():
            if name in self.program.binding.values:
                labels = tuple(f"{name}:{n}" for n in range(len(grid.shape)))
                ids = np.arange(grid.size).reshape(grid.shape)
                number = len(self.items) + len(out)
                out.append((name, Factor(number, labels, grid.shape, (Spot(name, f"{name}?", ids),))))
        return out

    def _plan(self) -> Plan:
        return plan([*(t.factor for t in self.tables), *(f for _, f in self.evidence)], list(self.grids.values()))

    def _too_large(self, found: TooLarge) -> Diagnostic:
        names = " and ".join(f"`{n}`" for n in dict.fromkeys(self.grids[name].variable for name in found.grids))
        keyed = self.program.selection.keyed
        coupling = max((keyed[n][1] for n in found.nodes), key=lambda n: len(_names(n, self.grids)), default=self.lifted_last)
        size = f"a table of at least {found.entries:,} numbers" if found.entries else "more tables than can be kept"
        message = f"Summing out {names} takes {size}; at most {LARGEST_TABLE:,} can be. This statement couples them."
        hint = "let each of its entries depend on fewer discrete elements, give these fewer values, or make them continuous"
        if isinstance(coupling, g.FactorNode):
            hint = "a factor is summed over its dims by itself: write factor a * z in place of factor a * sum(z)"
        return Diagnostic("E0811", message, coupling.span, hint, self.program.graph.source)

    # ------------------------------------------------------------ the tables

    def arrays(self, variables: Values, given: Values) -> Arrays:
        """The log density of every statement for all values of its elements, by the number of its factor. `variables`: what
        statements may read; `given`: the values of the other random variables."""
        program = self.program
        state = program.state(variables)
        shapes = dict(state.shapes)
        for _, lifted in self.computed:
            node = lifted.node
            assert isinstance(node, g.ComputedNode)
            slots = self.lifting.computed[node.target.name]
            shapes[node.target.name] = (*program.shapes[node.target.name], *(self.grids[s.grid].values for s in slots))
        state = replace(state, shapes=shapes)
        items = [*((k, found.node) for k, found in self.computed), *((t.key, t.lifted.node) for t in self.tables)]
        targets = {t.key: t for t in self.tables}
        terms = run(items, program.layout, state, {}, lambda site: (None, self._term(site, targets[site.key], given))).terms
        out = {t.factor.number: _compact(terms[t.key], t) for t in self.tables}
        return out | {f.number: self._held(name, f, given) for name, f in self.evidence}

    def _term(self, site: Site, table: Table, given: Values) -> Any:
        node = site.node
        if table.lifted.target is not None:
            grid = self.grids[node.target.name]
            return tables.of_own_values(site, table.lifted.target, jnp.arange(grid.low, grid.low + grid.values))
        own = replace(site, batch=table.lifted.labels, node=replace(node, domain=node.domain[: len(table.lifted.labels)]))
        value = self.program.value_at(own, given)
        batch, event = jnp.shape(value)[: len(own.batch)], jnp.shape(value)[len(own.batch) :]
        value = jnp.reshape(value, (*batch, *(1,) * (len(site.batch) - len(own.batch)), *event))
        term = tables.log_prob(site, value)
        seen = self.program.seen(own)
        if seen is None:
            return term
        return jnp.where(jnp.reshape(seen, (*jnp.shape(seen), *(1,) * (len(site.batch) - len(own.batch)))), term, 0.0)

    def _held(self, name: str, factor: Factor, given: Values) -> Named:
        """0 at what was observed and −∞ at all else; 0 everywhere for a missing entry."""
        grid, spot = self.grids[name], factor.spots[0]
        value = as_type(given[name], Kind.INT)[..., None]
        held = value == jnp.arange(grid.low, grid.low + grid.values)
        missing = self.program.binding.missing.get(name)
        free = held if missing is None else held | jnp.asarray(missing)[..., None]
        return Named(jnp.where(free, 0.0, -jnp.inf), (*factor.labels, spot.label))

    # ------------------------------------------------------------ what comes of them

    def log_sum(self, arrays: Arrays) -> Any:
        """log Σ over all values of the variables."""
        return self._run(arrays, log_sum)[0]

    def _run(self, arrays: Arrays, reduce: Reduce) -> tuple[Any, list[Any]]:
        """The sum (or maximum), and what every step keeps for choosing values."""
        arrays = dict(arrays)
        kept: list[Any] = []
        for step in self.plan.work:
            if isinstance(step, Part):
                step.run(arrays)
                kept.append(None)
            else:
                kept.append(step.run(arrays, reduce))
        return sum((c.run(arrays) for c in self.plan.closes), jnp.zeros(())), kept

    def draw(self, key: Any, arrays: Arrays) -> dict[str, Any]:
        """A draw of the variables given all others."""
        return self._chosen(arrays, log_sum, drawn, key)

    def mode(self, arrays: Arrays) -> dict[str, Any]:
        """The values, of all variables together, with the largest sum of these tables."""
        return self._chosen(arrays, log_max, best, jax.random.key(0))

    def _chosen(self, arrays: Arrays, reduce: Reduce, choose: Choose, key: Any) -> dict[str, Any]:
        _, kept = self._run(arrays, reduce)
        chosen: Chosen = {}
        for n, (step, table) in reversed(list(enumerate(zip(self.plan.work, kept, strict=True)))):
            if not isinstance(step, Part):
                step.choose(table, chosen, choose, jax.random.fold_in(key, n))
        return dict(self._assembled(chosen))

    def _assembled(self, chosen: Chosen) -> Iterator[tuple[str, Any]]:
        """Whole variables from the grids that they were split into."""
        for name, grid in self.grids.items():
            array = jnp.zeros(grid.shape, int)
            for part in self.plan.grids.values():
                if part.variable == name:
                    fixed = dict(part.fixed)
                    place = tuple(fixed.get(n, slice(None)) for n in range(len(grid.shape)))
                    array = array.at[place].set(chosen[part.name])
            yield name, as_type(array + grid.low, self.program.layout.kinds[name])

    def probabilities(self, arrays: Arrays) -> dict[str, Any]:
        """For each variable the probability of every value of each element given all others: (shape, values).

        The derivative of the log sum in the log probability of a case is the probability of that case.
        """
        own = [t for t in self.tables if t.lifted.target is not None]
        full = {t.factor.number: self._full(t, arrays[t.factor.number]) for t in own}

        def total(own: dict[int, Any]) -> Any:
            return self.log_sum({**arrays, **{n: replace(full[n], array=v) for n, v in own.items()}})

        slopes = jax.grad(total)({n: v.array for n, v in full.items()})
        out = {name: jnp.zeros((grid.size, grid.values)) for name, grid in self.grids.items()}
        for t in own:
            spot = next(s for s in t.factor.spots if s.label == t.lifted.target)
            named = full[t.factor.number]
            over = tuple(n for n, label in enumerate(named.labels) if label not in (*t.factor.labels, spot.label))
            table = jnp.reshape(jnp.sum(slopes[t.factor.number], axis=over), (-1, self.grids[spot.grid].values))
            out[spot.grid] = out[spot.grid].at[spot.ids.reshape(-1)].set(table)
        return {name: jnp.reshape(table, (*self.grids[name].shape, -1)) for name, table in out.items()}

    def pointwise(self, arrays: Arrays) -> dict[str, Any]:
        """For every observed statement log p(entry | all other data, continuous latents) over its domain, by key.

        Let π(s) be the probability, given all data, of the case s of the elements of an entry (a derivative, as in
        `probabilities`), and F(s) the log density of the entry then. Without the entry s has probability q(s) ∝ π(s) exp(−F(s)),
        and the answer is log Σ q(s) exp F(s). Where F(s) is far below the best, or −∞, π says nothing of q any more: for π
        F is raised to `FLOOR` below the best.
        """
        seen = [t for t in self.tables if t.lifted.target is None and getattr(t.lifted.node, "observed", False)]
        full = {t.factor.number: self._full(t, arrays[t.factor.number]) for t in seen}
        held = {n: jnp.maximum(v.array, self._best(v, t) - FLOOR) for t, (n, v) in zip(seen, full.items(), strict=True)}

        def total(tables: dict[int, Any]) -> Any:
            return self.log_sum({**arrays, **{n: replace(full[n], array=v) for n, v in tables.items()}})

        slopes = jax.grad(total)(held)
        out = {}
        for t in seen:
            n, over = t.factor.number, tuple(range(len(t.factor.labels), len(full[t.factor.number].labels)))
            others = log_of(slopes[n]) - held[n]
            out[t.key] = log_sum(others + full[n].array, over) - log_sum(others, over)
        return out

    @staticmethod
    def _best(value: Named, t: Table) -> Any:
        """The largest log density of each entry, 0 where none is possible."""
        over = tuple(range(len(t.factor.labels), len(value.labels)))
        top = jnp.max(value.array, axis=over, keepdims=True)
        return jnp.where(jnp.isfinite(top), top, 0.0)

    def _full(self, t: Table, named: Named) -> Named:
        """Numbers along every axis, the domain's first and that of the target, if there is one, last."""
        rest = [s for s in t.factor.spots if s.label != t.lifted.target]
        last = [s for s in t.factor.spots if s.label == t.lifted.target]
        labels = (*t.factor.labels, *(s.label for s in (*rest, *last)))
        shape = (*t.factor.shape, *(self.grids[s.grid].values for s in (*rest, *last)))
        return Named(filled(named, labels, shape), labels)


def _compact(term: Any, t: Table) -> Named:
    """A term over the axes along which it varies."""
    labels = tuple(a.label for a in t.lifted.node.domain)
    lengths = dict(zip(t.lifted.labels, t.lifted.shape, strict=True))
    if jnp.ndim(term) < len(labels):
        term = jnp.reshape(term, (1,) * (len(labels) - jnp.ndim(term)) + jnp.shape(term))
    gone = tuple(n for n, label in enumerate(labels) if jnp.shape(term)[n] == 1 and lengths.get(label, 2) != 1)
    return Named(jnp.squeeze(term, gone), tuple(label for n, label in enumerate(labels) if n not in gone))


def _by_last(names: list[str]) -> list[str]:
    """Each name once, in the order of its last appearance."""
    return list(dict.fromkeys(reversed(names)))[::-1]


def _names(node: g.Node, grids: Mapping[str, Grid]) -> set[str]:
    own = set() if isinstance(node, g.FactorNode) else {node.target.name}
    return {*names_read(node), *own} & set(grids)
