"""A program with its data, as functions of one draw: a bijection from noise, a joint density, a simulator.

::

    noise u ~ N(0, I)  ->  forward  ->  latent and computed values           log p(values) = log N(u) − log_det   (ungated)

A latent node has its own noise, under the key of the node: the name of its variable, or of a piece of it (``x[0]``, ``x[1:]``).
Where values are known (`inverse`, `log_density`) nothing random has to be carried along a loop, so that nodes that
`forward` scans are evaluated at once. All functions are pure and take one draw; callers jit and vmap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.compiler import graph as g
from emfppl.compiler.distributions import STANDARD, Table
from emfppl.compiler.graph import Role
from emfppl.compiler.passes.recurrences import fission
from emfppl.runtime.bind import Binding, stored
from emfppl.runtime.discrete.elimination import Elimination
from emfppl.runtime.discrete.factors import Arrays
from emfppl.runtime.discrete.lift import without_law
from emfppl.runtime.entries import lay_out
from emfppl.runtime.evaluate import Scope, as_type
from emfppl.runtime.execute import Inputs, Item, Layout, Site, State, Visitor, gate_inputs, in_domain_order, ranges_of, run
from emfppl.runtime.known_noise import inverse_near
from emfppl.runtime.missing import Gap, gaps_of, make, observed_inputs, over_domain, with_data
from emfppl.runtime.named import Named
from emfppl.runtime.noise_shapes import has_exact_map, noise_shape
from emfppl.runtime.params import param_map, param_start
from emfppl.runtime.precision import precision
from emfppl.runtime.selection import Selection
from emfppl.runtime.user_distributions import table_of

if TYPE_CHECKING:
    from emfppl.runtime.gaussian.block import Block

Values = Mapping[str, Any]
Names = frozenset[str]
RANDOM = (Role.LATENT, Role.OBSERVED)


class Program:
    """A graph and its data."""

    def __init__(self, binding: Binding, table: Table = STANDARD):
        table = table_of(binding.graph, table)
        self.binding, self.graph, self.table = binding, binding.graph, table
        self.selection = Selection(self.graph, binding.absent, frozenset(self.left_out))
        kinds = {v.name: v.kind for v in self.graph.variables}
        self.layout = Layout(dict(binding.sizes), table, kinds)
        self.shapes = {v.name: tuple(binding.sizes[d.rstrip("'")] for d in v.dims) for v in self.graph.variables}
        self.marginals = self.selection.marginals(frozenset(binding.missing))
        self.hidden = frozenset(n for m in self.marginals for n in m.names)
        self._summed = frozenset(self.selection.keyed[n][0] for m in self.marginals for n in m.nodes)
        keyed = self.selection.keyed
        self.keyed: tuple[Item, ...] = tuple((k, without_law(n, binding.latent) if k in self._summed else n) for k, n in keyed)
        self._densities: dict[frozenset[str], list[Item]] = {}
        self.data: dict[str, np.ndarray] = self._data()
        self.gaps: dict[str, Gap] = gaps_of(self)
        counts = {key: gap.count for key, gap in self.gaps.items()}
        latent = [(k, self.noise_key(k), n) for k, n in self.latent_items]
        self.noise_shapes = {name: noise_shape(node, self.layout.sizes, counts.get(key)) for key, name, node in latent}
        self.noise_variables = {name: node.target.name for _, name, node in latent}
        self.plain = frozenset(name for _, name, node in latent if not has_exact_map(node, self.table))
        with jax.ensure_compile_time_eval():
            self.eliminations = tuple(Elimination(self, m) for m in self.marginals)

    # ------------------------------------------------------------ which nodes run when

    @cached_property
    def latent_items(self) -> list[tuple[str, g.RandomNode]]:
        """The nodes with noise: latents of the guide, and data with missing entries that are latent."""
        guided = self.selection.guided
        nodes = [(k, n) for k, n in self.keyed if isinstance(n, g.RandomNode)]
        return [(k, n) for k, n in nodes if n.target.name in guided or (k in self.gaps and self.gaps[k].count)]

    def noise_key(self, key: str) -> str:
        """The key of a node's noise: its own, or that of its missing entries."""
        return self.gaps[key].name if key in self.gaps else key

    @cached_property
    def _forward_items(self) -> list[Item]:
        """Latents and what is computed from them."""
        return self.forward_items(frozenset())

    def forward_items(self, given: frozenset[str]) -> list[Item]:
        """Latents, but those given, and what is computed from them."""
        names = self.selection.guided | self.selection.followed | set(self.binding.latent)
        items = [(k, n) for k, n in self.keyed if not isinstance(n, g.FactorNode) and n.target.name in names]
        made = [(k, n) for k, n in items if not (isinstance(n, g.RandomNode) and n.target.name in given)]
        return self._with_known(made, Role.OBSERVED, but=frozenset(self.binding.latent), also=given)

    @cached_property
    def block(self) -> Block | None:
        """The Gaussian block, if there is one whose precision can be factored."""
        from emfppl.runtime.gaussian.block import block_of

        found = block_of(self)
        return None if found is None or found.plan is None else found

    @cached_property
    def left_out(self) -> dict[str, np.ndarray]:
        """Masks of the missing entries that are no latents: they count nothing in the density."""
        masks = {n: m & ~self.binding.latent.get(n, np.zeros_like(m)) for n, m in self.binding.missing.items()}
        return {name: mask for name, mask in masks.items() if mask.any()}

    def _density_items(self, values: Values) -> list[Item]:
        """The nodes of the density at these values, with the values of all random variables known."""
        given = self.selection.guided | (self.graph.barren & set(values))
        if given not in self._densities:
            items = [
                (k, n)
                for k, n in self.keyed
                if k not in self._summed and self.selection.in_density(n, given, frozenset(self.data))
            ]
            self._densities[given] = self._with_known(items, *RANDOM)
        return self._densities[given]

    def with_all_known(self, items: Sequence[Item]) -> list[Item]:
        """The nodes with no loop carried through random variables."""
        return self._with_known(items, *RANDOM)

    @cached_property
    def _known_latent_items(self) -> list[Item]:
        return self._with_known(self._forward_items, *RANDOM)

    @cached_property
    def model_items(self) -> list[Item]:
        """The nodes of a NumPyro model: all but what is fixed, discrete latents, and what is computed from these; of what is summed
        over discrete ones, the continuous latents."""
        left_out = self.selection.fixed | self.selection.discrete
        return [
            (k, n)
            for k, n in self.keyed
            if (k not in self._summed and (isinstance(n, g.FactorNode) or n.target.name not in left_out))
            or (isinstance(n, g.RandomNode) and n.target.name in self.selection.guided)
        ]

    def _with_known(self, items: Sequence[Item], *roles: Role, but: Names = frozenset(), also: Names = frozenset()) -> list[Item]:
        """The nodes with no loop carried through variables of these roles, whose values are known."""
        known = (frozenset(v.name for v in self.graph.of_role(*roles)) - but) | also
        keys = {_identity(node): key for key, node in items}
        return [(keys[_identity(node)], node) for node in fission(tuple(n for _, n in items), known)]

    # ------------------------------------------------------------ shapes and data

    def _data(self) -> dict[str, np.ndarray]:
        """Data, starts of params, and what is computed from them alone, once and in double precision."""
        data = {name: stored(value, self.layout.kinds[name]) for name, value in self.binding.values.items()}
        params = {v.name for v in self.graph.of_role(Role.PARAM)}
        from_data = self.selection.computed_from(set(data))
        self._from_params = [i for i in self.selection.computed_from(set(data) | params) if i not in from_data]
        with precision("float64"):
            data |= _arrays(self.computed(from_data, data), from_data)
            data |= {name: param_start(self, name) for name in params}
            return data | _arrays(self.computed(self._from_params, data), self._from_params)

    def computed(self, items: list[Item], data: Values) -> Mapping[str, Any]:
        """The data and what these nodes compute from them."""
        if not items:
            return data
        return jax.jit(lambda d: run(items, self.layout, self.state(d), {}, _no_visit).variables)(dict(data))

    def state(self, variables: Values) -> State:
        """Where a run starts that knows these variables."""
        return State(dict(variables), self.shapes, {})

    def _given(self, data: Any) -> dict[str, Any]:
        return dict(self.data if data is None else data)

    # ------------------------------------------------------------ params

    def param_starts(self) -> dict[str, np.ndarray]:
        """Where the `param` variables start, in unconstrained space: numbers, in whatever is being traced."""
        with precision("float64"), jax.ensure_compile_time_eval():
            found = {v.name: param_map(self, v.name, self.data) for v in self.graph.of_role(Role.PARAM)}
            return {name: np.asarray(m.inverse(jnp.asarray(self.data[name], float))[0]) for name, m in found.items()}

    def with_params(self, unconstrained: Values, data: Any = None) -> dict[str, Any]:
        """The data with the `param` variables set, and what is computed from them alone."""
        data = self._given(data)
        if not unconstrained:
            return data
        data |= {name: param_map(self, name, data).forward(jnp.asarray(v, float))[0] for name, v in unconstrained.items()}
        return dict(self.computed(self._from_params, data))

    # ------------------------------------------------------------ the bijection

    def forward(self, noise: Values, gates: Values | None = None, data: Any = None, visit: Visitor = make) -> tuple[dict, Any]:
        """Latent and computed values at `noise`, and log |det dvalues/dnoise|; `gates` holds openings λ, or the parts of a gate, by
        node key; `visit` makes the value of each node.

        A gate of zeros in NumPy is shut for good: the prior's map is not even traced.
        """
        inputs = self._noise_inputs(noise, gates, self._given(data))
        state = run(self._forward_items, self.layout, self.state(self.fixed(data)), inputs, visit)
        names = self.selection.reported | set(self.binding.latent)
        return {n: v for n, v in state.variables.items() if n in names}, _total(state.terms)

    def inverse(
        self, values: Values, gates: Values | None = None, data: Any = None, near: Values | None = None, items: Any = None
    ) -> tuple[dict[str, Any], Any]:
        """The noise that `forward` takes to the values of the latents, and log |det dnoise/dvalues|. `near` holds that noise by
        node key where it is known already and its derivatives alone are wanted; `items`: the nodes, by default all latents."""
        noise, terms = self.inverse_terms(values, gates, data, near, items)
        return noise, _total(terms)

    def inverse_terms(
        self, values: Values, gates: Values | None, data: Any, near: Values | None = None, items: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """As `inverse`, with the log-determinant apart by node key."""
        known, noise = {**self.fixed(data), **self._latents(values, data)}, dict[str, Any]()

        def unmake(site: Site) -> tuple[Any, Any]:
            u, log_det = inverse_near(site.guided, self.value_at(site, known), site.input("gate"), site.input("noise"))
            gap = self.gaps.get(site.key)
            noise[self.noise_key(site.key)] = u if gap is None else gap.gathered(u)
            return None, log_det if gap is None else jnp.where(gap.latent, log_det, 0.0)

        inputs = self._noise_inputs(near or {}, gates, self._given(data))
        nodes = self._known_latent_items if items is None else items
        terms = run(nodes, self.layout, self.state(known), inputs, unmake).terms
        return {k: noise[k] for k in self.noise_shapes if k in noise}, {self.noise_key(k): t for k, t in terms.items()}

    def at_values(self, values: Values, look: Callable[[Site, Any], Any], gates: Values | None = None, data: Any = None) -> Values:
        """What `look` says of every latent node and its value, over the node's domain, by key; sites have `gates` as inputs."""
        known = {**self.fixed(data), **self._latents(values, data)}
        visit = lambda site: (None, look(site, self.value_at(site, known)))  # noqa: E731
        inputs = self._noise_inputs({}, gates, self._given(data))
        terms = run(self._known_latent_items, self.layout, self.state(known), inputs, visit).terms
        return {self.noise_key(key): terms[key] for key, _ in self.latent_items}

    def log_density(self, values: Values, data: Any = None) -> Any:
        """log p(values, data): all latents of the guide, all observed data, all factors. Missing entries count nothing.

        Latents with nothing observed below them count where `values` hold them; without them they are integrated out.
        """
        state = self._terms(self._density_items(values), values, data)
        return _total(state.terms) + sum((e.log_sum(a) for e, a in self._summands(state, values, data)), jnp.zeros(()))

    def _summands(self, state: State, values: Values, data: Any) -> list[tuple[Elimination, Arrays]]:
        """What is summed out, with the tables at these values."""
        given = {**self._given(data), **values, **self._latents(values, data)}
        return [(e, e.arrays(state.variables, given)) for e in self.eliminations]

    def log_sums(self, variables: Values, data: Any = None) -> Any:
        """The sum over discrete variables, with the values of all others known."""
        given = {**self._given(data), **variables}
        return sum((e.log_sum(e.arrays(variables, given)) for e in self.eliminations), jnp.zeros(()))

    def tables(self, values: Values, data: Any = None) -> list[tuple[Elimination, Arrays]]:
        """What is summed out, with the log density of each statement at `values` for all values of its discrete elements."""
        items: list[Item] = [(k, n) for k, n in self._density_items(values) if isinstance(n, g.ComputedNode)]
        return self._summands(self._terms(items, values, data), values, data)

    def draw_discrete(self, key: Any, values: Values, data: Any = None) -> dict[str, Any]:
        """A draw of the discrete variables that were summed out, given the other latents and the data."""
        drawn = [e.draw(jax.random.fold_in(key, n), a) for n, (e, a) in enumerate(self.tables(values, data))]
        return {name: value for part in drawn for name, value in part.items()}

    def probabilities(self, values: Values, data: Any = None) -> dict[str, Any]:
        """By discrete variable that was summed out: the probabilities of the values of each element, along a last axis."""
        parts = [e.probabilities(a) for e, a in self.tables(values, data)]
        return {name: value for part in parts for name, value in part.items()}

    def log_terms(self, values: Values, data: Any = None) -> list[tuple[g.Node, Any]]:
        """The terms of `log_density`: nodes, each with an array over its domain."""
        items = self._density_items(values)
        state = self._terms(items, values, data)
        found = [(node, state.terms[key]) for key, node in items if key in state.terms]
        return found + [(e.items[0][1], e.log_sum(a)) for e, a in self._summands(state, values, data)]

    def log_likelihood(self, values: Values, data: Any = None) -> dict[str, Any]:
        """The log density of every observed entry, by variable in declared dim order; nan where the entry is missing.

        An entry of a vector distribution is a whole draw: its event dims are gone. Of an entry that depends on discrete latents it
        is the log density given all other data.
        """
        items = self._density_items(values)
        state = self._terms(items, values, data)
        terms, out = state.terms, dict[str, Any]()
        nodes = dict(self.selection.keyed)
        for elimination, arrays in self._summands(state, values, data):
            for key, term in elimination.pointwise(arrays).items():
                lay_out(self, out, nodes[key], term)  # type: ignore[arg-type]
        for key, node in items:
            if isinstance(node, g.RandomNode) and node.observed:
                lay_out(self, out, node, terms[key])
        return out

    def _terms(self, items: list[Item], values: Values, data: Any) -> State:
        latents = self._latents(values, data)
        known = {**self._given(data), **values, **latents}

        def weigh(site: Site) -> tuple[Any, Any]:
            term = site.map.log_prob(self.value_at(site, known))
            seen = self.seen(site)
            return None, term if seen is None else jnp.where(seen, term, 0.0)

        return run(items, self.layout, self.state({**self.fixed(data), **latents}), {}, weigh)

    # ------------------------------------------------------------ visitors' help

    def fixed(self, data: Any = None) -> dict[str, Any]:
        """The variables that are known before anything runs: data, params, and what was computed from them."""
        observed = {v.name for v in self.graph.of_role(Role.OBSERVED)}
        return {k: v for k, v in self._given(data).items() if k not in observed or k in self.binding.values}

    def _latents(self, values: Values, data: Any = None) -> dict[str, Any]:
        """The values of the guide's latents, of others that are given, and of data with latent entries."""
        names = self.selection.guided | (self.graph.barren & set(values))
        latents = {name: as_type(values[name], self.layout.kinds[name]) for name in names}
        return latents | with_data(self, values, self._given(data))

    def value_at(self, site: Site, values: Values) -> Any:
        """A node's value out of whole variables: axes of its domain first."""
        return self._part_at(site, values[site.node.target.name])

    def _part_at(self, site: Site, whole: Any) -> Any:
        scope = Scope(self.layout.sizes, dict(zip(site.batch, _ranges(site.node, self.layout.sizes), strict=True)), {})
        return in_domain_order(whole, site.node.target, scope, self.shapes[site.node.target.name], site.batch)

    def seen(self, site: Site) -> Any:
        """Which draws of an observed node have no missing entry but latent ones: over its domain; None for all."""
        mask = self.left_out.get(site.node.target.name) if site.node.observed else None
        if mask is None:
            return None
        part = self._part_at(site, ~mask)
        return jnp.all(part, axis=tuple(range(len(site.batch), jnp.ndim(part))))

    def _noise_inputs(self, noise: Values, gates: Values | None, data: Values) -> Inputs:
        out = observed_inputs(self, data)
        for key, node in self.latent_items:
            name, mine = self.noise_key(key), out.setdefault(key, {})
            gate = (gates or {}).get(name)
            shut = isinstance(gate, np.ndarray) and not gate.any()
            given = {"noise": noise.get(name), **({} if shut else gate_inputs(gate))}
            mine |= {n: self._over_domain(key, node, v) for n, v in given.items() if v is not None}
            mine |= {"shut": Named(True)} if shut else {}
        return out

    def _over_domain(self, key: str, node: g.RandomNode, value: Any) -> Named:
        """Noise or a part of a gate over the node's domain; along the last axis a part may have a length of its own."""
        shape, value = self.noise_shapes[self.noise_key(key)], jnp.asarray(value, float)
        if shape and value.ndim == len(shape) and value.shape[-1] != 1:
            shape = (*shape[:-1], value.shape[-1])
        return over_domain(self, key, node, jnp.broadcast_to(value, shape))

    # ------------------------------------------------------------ simulation

    def simulate(self, key: Any, values: Values | None = None, data: Any = None, replicate: bool = True) -> dict[str, Any]:
        """A draw of every latent, computed and observed variable; latents in `values`, and latent entries of data, are kept as they
        are given. `replicate` says whether observed data are drawn anew.

        Observed data that a line reads before the line that draws them are taken as they are: what comes is the next value given
        the data up to it. So are entries that no line draws. Raises `EmfError` E1190 where these data are absent, E1191 for a
        `Flat` that is not in `values`.
        """
        from emfppl.runtime.simulation import simulate

        return simulate(self, key, {} if values is None else values, self._given(data), replicate)

    def part_of(self, node: g.RandomNode, value: Any) -> Named:
        """A node's part of its whole variable: axes of the domain first."""
        labels = tuple(a.label for a in node.domain)
        scope = Scope(self.layout.sizes, ranges_of(node, self.layout.sizes), {})
        array = in_domain_order(value, node.target, scope, self.shapes[node.target.name], labels)
        return Named(array, (*labels, *(f"#{n}" for n in range(jnp.ndim(array) - len(labels)))))


def _ranges(node: g.Node, sizes: Mapping[str, int]) -> list[tuple[int, int]]:
    return list(ranges_of(node, sizes).values())


def _identity(node: g.Node) -> Any:
    """What stays the same of a node when its axes change from carried to independent."""
    return replace(node, domain=tuple(replace(a, block=None, affine=False) for a in node.domain)), node.span


def _no_visit(site: Site) -> tuple[Any, Any]:
    raise AssertionError(f"{site.key} is random")


def _arrays(variables: Values, items: list[Item]) -> dict[str, np.ndarray]:
    """The variables that these nodes define, as NumPy arrays."""
    return {node.target.name: np.asarray(variables[node.target.name]) for _, node in items}  # type: ignore[union-attr]


def _total(terms: Mapping[str, Any]) -> Any:
    return sum((jnp.sum(t) for t in terms.values()), jnp.zeros(()))
