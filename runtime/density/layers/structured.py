"""Structured layers: a program's own map from noise to its variables, gated, with its `param`s trained (Silvestri et al. 2022).

::

    u  ->  x_j = f_j(u_j; x_<j)  ->  y_j = T_j⁻¹(x_j)          f_j(u) ~ p_j(· | x_<j) for u ~ N(0, 1)

T_j is the transform from the real line to the node's support. Each gate mixes f_j with T_j: λ = 1 is the model, whose density is
that of the layer on standard normal noise, λ = 0 is y = u. From y to u all x are known, so that nothing is carried along a loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.compiler import graph as g
from emfppl.compiler.distributions import STANDARD, Table
from emfppl.compiler.expressions import Kind, Ref, walk
from emfppl.runtime.bind import Binding
from emfppl.runtime.compile import once
from emfppl.runtime.density.event import cut
from emfppl.runtime.density.layer import Given, Layer, Pair, Params, nothing_given
from emfppl.runtime.density.layers import gated_maps
from emfppl.runtime.density.layers.places import Places
from emfppl.runtime.evaluate import as_type
from emfppl.runtime.execute import Site
from emfppl.runtime.gates import Gates
from emfppl.runtime.noise_shapes import has_exact_map
from emfppl.runtime.precision import precision
from emfppl.runtime.program import Program

RATE = 3.0  # how much faster gates and params move than the weights of networks: they are few, and have far to go
OF_LOCATIONS, OF_OTHERS = 1.0, 0.1  # how far apart a mixture's components start that would stay equal
MODES = {True: "per_element", False: "off"}


def program_of(graph: g.Graph, binding: Binding, given: tuple[str, ...], table: Table = STANDARD) -> Program:
    """The model of a structured layer with its data; those given with each sample have a place only.

    Nothing is observed, but every latent counts.
    """
    graph = replace(graph, barren=frozenset())
    data = {v.name: v for v in graph.of_role(g.Role.DATA)}
    values = {name: binding.values[name] for name in data if name in binding.values and name not in given}
    for name in set(given) & set(data):
        shape = tuple(binding.sizes[d.rstrip("'")] for d in data[name].dims)
        values[name] = np.zeros(shape, np.int32) if data[name].kind is not Kind.REAL else np.ones(shape)
    return Program(Binding(graph, dict(binding.sizes), dict(binding.coords), values), table)


def latents_of(graph: g.Graph) -> tuple[g.Variable, ...]:
    """The variables of a model, in order of declaration, each with the support that it is drawn in."""
    nodes = {n.target.name: n for n in reversed(graph.nodes) if isinstance(n, g.RandomNode)}
    return tuple(replace(v, support=nodes[v.name].support) for v in graph.of_role(g.Role.LATENT) if v.name in nodes)


@dataclass(frozen=True, eq=False)
class Structured(Layer):
    """`names`: the program's latents in the order in which they stand in a vector; `gated`: True (a gate an element), False (none:
    the model in full), or a mode of `GateSpec`."""

    program: Program
    names: tuple[str, ...]
    gated: bool | str = True
    title: str = "structured"

    @cached_property
    def places(self) -> Places:
        return Places(self.program, self.names)

    @cached_property
    def gates(self) -> Gates:
        nodes = {self.program.noise_key(key): node for key, node in self.program.latent_items}
        mode = MODES[self.gated] if isinstance(self.gated, bool) else self.gated
        plain = frozenset(key for key, node in nodes.items() if not has_exact_map(node, self.program.table))
        return Gates(nodes, self.program.noise_shapes, {"all": g.GateSpec(mode)}, plain=plain)

    # ------------------------------------------------------------ parameters

    def init(self, rng: np.random.Generator) -> Params:
        """``{"gates": …, "params": …}``, in units in which they move as fast as they should."""
        params = {name: self._apart(name, start, rng) for name, start in self.program.param_starts().items()}
        return jax.tree.map(lambda v: v / RATE, {"gates": self.gates.init(), "params": params})

    def _apart(self, name: str, start: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Starts of a mixture's components that are told apart."""
        spread = self._of_components.get(name, 0.0)
        return start + spread * rng.normal(size=start.shape) if spread and np.ptp(start) == 0 else start

    def warm(self, params: Params, x: np.ndarray, given: Given) -> Params:
        """Locations of a mixture's components that start at one number are put at quantiles of what comes to the layer."""
        coming, found = cut(np.asarray(x, np.float64), self.places.shapes), dict(params["params"])
        for name, variable in self._locations.items():
            count = self.program.shapes[name][-1]
            quantiles = np.quantile(coming[variable], (np.arange(count) + 0.5) / count, axis=0)
            found[name] = np.moveaxis(quantiles, 0, -1) / RATE
        return {**params, "params": found}

    @property
    def told_by_data(self) -> bool:
        """Whether `warm` changes anything."""
        return bool(self._locations)

    @cached_property
    def _locations(self) -> dict[str, str]:
        """Params that are the locations of mixtures, one for each element and component, all the same at the start; by variable."""
        starts, out = self.program.param_starts(), dict[str, str]()
        for node in self.program.graph.nodes:
            if isinstance(node, g.RandomNode) and node.dist.name == "Mixture" and node.support == g.REAL_LINE:
                for name in _locations_of(node.dist):
                    variable, dims = self.program.graph.variable(name), self.program.graph.variable(node.target.name).dims
                    real = (variable.support or g.REAL_LINE) == g.REAL_LINE
                    if name in starts and real and variable.dims[:-1] == dims and np.ptp(starts[name]) == 0:
                        out[name] = node.target.name
        return out

    @cached_property
    def _of_components(self) -> dict[str, float]:
        """How far apart the components of mixtures should start, by param."""
        params = {v.name for v in self.program.graph.of_role(g.Role.PARAM)}
        out: dict[str, float] = {}
        for node in self.program.graph.nodes:
            if isinstance(node, g.RandomNode) and node.dist.name == "Mixture":
                out |= dict.fromkeys(_read_by(node.dist), OF_OTHERS) | dict.fromkeys(_locations_of(node.dist), OF_LOCATIONS)
        return {name: spread for name, spread in out.items() if name in params and self.program.shapes[name]}

    def openings(self, params: Params) -> dict[str, Any]:
        """How far each gate is open, by variable: arrays over its elements, on the real line; ones where there is no gate."""
        found = self.gates.openings(jax.tree.map(lambda v: RATE * jnp.asarray(v, float), params["gates"])) or {}
        parts = {key: found.get(key, jnp.ones(shape)) for key, shape in self.program.noise_shapes.items()}
        return cut(np.asarray(self.places.together(parts)), self.places.shapes)

    @property
    def may_shut(self) -> bool:
        """Whether there are gates that are learned, and all of them logits."""
        kinds = {self.gates.kind_of(key) for key in self.gates.shapes} - {"none"}
        return bool(kinds) and kinds <= {"affine", "geometric"}

    def open(self, params: Params) -> jax.Array:
        """How many gates that are learned are open: the sum of λ."""
        return sum((jnp.sum(opening) for opening in (self._gates(params) or {}).values()), jnp.zeros(()))

    def learned(self, params: Params) -> dict[str, np.ndarray]:
        """The values of the model's params."""
        with precision("float64"):
            data = self._data(params, nothing_given())
            return {name: np.asarray(data[name]) for name in params["params"]}

    def _data(self, params: Params, given: Given) -> dict[str, Any]:
        """The program's data, with what is given with a sample and the params as they are."""
        program, data = self.program, dict(self.program.data)
        mine = {name: as_type(v, program.layout.kinds[name]) for name, v in given.values.items() if name in data}
        if mine:
            known = set(program.binding.values)
            data = dict(program.computed(program.selection.computed_from(known), {**data, **mine}))
        return program.with_params({name: RATE * v for name, v in params["params"].items()}, data)

    def _gates(self, params: Params) -> Mapping[str, Any] | None:
        return self.gates.openings(jax.tree.map(lambda v: RATE * v, params["gates"]))

    # ------------------------------------------------------------ the map, to and from values

    def to_values(self, params: Params, u: jax.Array, given: Given) -> tuple[dict[str, jax.Array], jax.Array]:
        """The model's variables by name, and log |det ∂x/∂u|."""
        noise, data = self.places.apart(u), self._data(params, given)

        def make(site: Site) -> Pair:
            return gated_maps.forward(site.guided, site.input("noise"), site.input("gate"))

        values, log_det = self.program.forward(noise, self._gates(params), data, make)
        return {name: values[name] for name in self.names}, log_det

    def from_values(self, params: Params, values: Mapping[str, Any], given: Given) -> Pair:
        """u, and log |det ∂u/∂x|."""

        def look(site: Site, value: Any) -> dict[str, Any]:
            u, log_det = gated_maps.inverse(site.guided, value, site.input("gate"))
            return {"noise": u, "log_det": log_det}

        return self._looked(values, look, self._gates(params), self._data(params, given))

    def _looked(self, values: Mapping[str, Any], look: Any, gates: Any, data: Any) -> Pair:
        """What is seen at every node, as one vector, and the sum of the log-determinants."""
        found = self.program.at_values(values, look, gates, data)
        log_dets = (jnp.sum(f["log_det"]) for f in found.values())
        return self.places.together({key: f["noise"] for key, f in found.items()}), sum(log_dets, jnp.zeros(()))

    # ------------------------------------------------------------ the map on the real line

    def forward(self, params: Params, u: jax.Array, given: Given) -> Pair:
        values, log_det = self.to_values(params, u, given)
        if self._real:
            return self._flat(values), log_det

        def look(site: Site, value: Any) -> dict[str, Any]:
            y, log_slope = replace(site.map, alone=True).inverse(value)
            return {"noise": y, "log_det": log_slope}

        y, more = self._looked(values, look, None, self._data(params, given))
        return y, log_det + more

    def inverse(self, params: Params, x: jax.Array, given: Given) -> Pair:
        values, log_det = self._supported(params, x, given)
        u, more = self.from_values(params, values, given)
        return u, log_det + more

    @cached_property
    def _real(self) -> bool:
        """Whether all supports are the real line."""
        return all(v.support == g.REAL_LINE for v in latents_of(self.program.graph))

    def _flat(self, values: Mapping[str, Any]) -> jax.Array:
        return jnp.concatenate([jnp.reshape(values[name], -1) for name in self.names])

    def _supported(self, params: Params, y: jax.Array, given: Given) -> tuple[dict[str, Any], Any]:
        """The values of all variables of a vector on the real line, and log |det ∂x/∂y|.

        Bounds that depend on other variables are found along the program, whose laws take no part.
        """
        if self._real:
            return cut(y, self.places.shapes), jnp.zeros((), y.dtype)
        make = lambda site: replace(site.map, alone=True).forward(site.input("noise"))  # noqa: E731
        values, log_det = self.program.forward(self.places.apart(y), None, self._data(params, given), make)
        return {name: values[name] for name in self.names}, log_det

    # ------------------------------------------------------------ what depends on what

    @cached_property
    def _needs(self) -> np.ndarray:
        """(D, D): which coordinates of x each of u depends on; read off Jacobians at two points, gates half open."""
        rng = np.random.default_rng(0)
        with precision("float64"):
            params = jax.tree.map(lambda v: v + 0.01 * rng.normal(size=np.shape(v)), self.init(rng))
            params["gates"] = jax.tree.map(np.zeros_like, params["gates"])
            given = Given(jnp.zeros(0), {})
            there = once(jax.vmap(lambda u: self.forward(params, u, given)[0]))
            slopes = once(jax.vmap(jax.jacfwd(lambda x: self.inverse(params, x, given)[0])))
            found = np.asarray(slopes(there(rng.normal(size=(2, self.dim)))))
        return np.any(found != 0, axis=0)

    def settled(self, known: np.ndarray) -> np.ndarray:
        return ~np.any(self._needs[:, ~known], axis=1)


def _locations_of(dist: g.Dist) -> list[str]:
    """The variables that are the location of a mixture's component, as they stand."""
    component = dict(dist.args).get("component")
    loc = dict(component.args).get("loc") if isinstance(component, g.Dist) else None
    return [loc.name] if isinstance(loc, Ref) else []


def _read_by(dist: g.Dist) -> list[str]:
    """The names in the arguments of a mixture and its component."""
    return [e.name for value in g.dist_exprs(dist) for e in walk(value) if isinstance(e, Ref)]
