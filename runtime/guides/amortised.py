"""The guide whose local latents, those over a dim with many entries, are inferred from their entries' data by one network.

::

    eps_g -> backbone -> u_g                                             noise of the global latents
    (entry n, u_g, eps_g) -> network -> m_n, s_n, gates of entry n       the same network for all entries
    u_n = m_n + exp(s_n) ∘ eps_n                                         noise of the local latents of entry n

    log q = log N(eps_g) − log |det du_g| + Σ_n [log N(eps_n) − Σ s_n] − log |det dvalues/du|

A local latent with a conjugate prior has no m and s: the network gives its pseudo-observations, by which the prior at the global
values just drawn is updated. Global latents have gates and a backbone as in any other guide. The network starts at zero: local
latents follow their prior, but for gates that are open by .98 and pseudo-observations of a tenth of its weight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.compiler.graph import GateSpec, RandomNode
from emfppl.runtime.bijections.normal import LOG_2PI
from emfppl.runtime.compile import once
from emfppl.runtime.gates import Gates
from emfppl.runtime.guide import WIDEST, Guide, log_normal
from emfppl.runtime.guides.backbone import Backbone, Frame, Params
from emfppl.runtime.guides.elementwise import Elementwise
from emfppl.runtime.guides.entry_network import HIDDEN, Column, Network, Pick, columns_of, data_about, names_about, picks_of
from emfppl.runtime.precision import precision
from emfppl.runtime.pseudo_starts import kept, placed
from emfppl.runtime.recipe import Recipe

if TYPE_CHECKING:
    from emfppl.runtime.program import Program

LOOKED_AT = 32  # coordinates of the global noise that are inputs of the network

Tree = Any
Constants = tuple[tuple[Column, ...], tuple[Pick, ...], np.ndarray, np.ndarray]
Noise = dict[str, jax.Array]


class Amortised(Guide):
    """A guide with a network for the latents over `recipe.amortised`.

    `backbone` and `gates` are those of the global latents; `order`: their coordinates, in the order in which the network takes
    them; `constants` (`describe`): inputs and units of the network, by default measured on the program's data.
    """

    def __init__(
        self,
        program: Program,
        backbone: Backbone,
        nodes: Mapping[str, RandomNode],
        specs: Mapping[str, GateSpec],
        recipe: Recipe,
        order: tuple[int, ...],
        constants: Mapping[str, Any] | None = None,
    ):
        self.axes = local_axes(nodes, recipe.amortised)
        shapes = program.noise_shapes
        own = {k: GateSpec("conjugate") for k in (nodes[key].target.name for key in self.axes)}
        among = {key: shape for key, shape in shapes.items() if key not in self.axes}
        self.everything = Gates(nodes, {**among, **{k: shapes[k] for k in self.axes}}, {**specs, **own}, "affine", program.plain)
        super().__init__(program, backbone, Gates(nodes, among, specs, "affine", program.plain), recipe)
        self.order = order[:LOOKED_AT]
        columns, picks, self.offset, self.unit = self._measured() if constants is None else _read(constants)
        self.network = Network(columns, picks, len(self.order), self.offset.size)

    # ------------------------------------------------------------ layout

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The global noise, then the local one."""
        return self.everything.shapes

    @property
    def entries(self) -> int:
        """How many entries the dim has."""
        return self.program.binding.sizes[self.recipe.amortised]

    @property
    def further_work(self) -> int:
        """The hidden units of all entries."""
        return self.entries * sum(HIDDEN)

    @cached_property
    def _nearby(self) -> Gates:
        """The gates of the local latents."""
        e = self.everything
        return Gates(e.nodes, {key: e.shapes[key] for key in self.axes}, e.specs, e.kind, e.plain)

    @cached_property
    def _template(self) -> Tree:
        """What the network gives, as arrays over the local latents: numbers to start from."""
        moved = [key for key in self.axes if key not in self._nearby.conjugate]
        noise = {key: {name: np.zeros(self.shapes[key]) for name in ("loc", "log_scale")} for key in moved}
        return {"gates": {key: self._nearby.init()[key] for key in self._nearby.init()}, "noise": noise}

    @cached_property
    def _leaves(self) -> list[tuple[int, tuple[int, ...]]]:
        """Of each leaf of the template the axis of the entries, and its shape without it."""
        with_keys = jax.tree_util.tree_leaves_with_path(self._template)
        found = [(self.axes[path[1].key], np.shape(leaf)) for path, leaf in with_keys]
        return [(axis, (*shape[:axis], *shape[axis + 1 :])) for axis, shape in found]

    def _laid_out(self, outputs: jax.Array) -> Tree:
        """The outputs (entries, numbers) as the template's arrays."""
        ends = np.cumsum([0, *(int(np.prod(rest, dtype=int)) for _, rest in self._leaves)])
        parts = [outputs[:, a:b] for a, b in zip(ends, ends[1:], strict=False)]
        shaped = [jnp.moveaxis(p.reshape(-1, *rest), 0, axis) for p, (axis, rest) in zip(parts, self._leaves, strict=True)]
        return jax.tree.unflatten(jax.tree.structure(self._template), shaped)

    # ------------------------------------------------------------ parameters

    def _measured(self) -> Constants:
        """Inputs, and what the network's outputs are added to and measured in: the mean over entries of pseudo-observations that
        weigh a tenth of the prior at its centre, and this prior's width."""
        local, dim = frozenset(self.everything.nodes[key].target.name for key in self.axes), self.recipe.amortised
        names = names_about(self.program, local, dim)
        columns = columns_of(self.program, data_about(self.program, names, dim), dim)
        picks = picks_of(self.program, names, [*self.gates.shapes], dim)
        tree, ones = self._template, jax.tree.map(np.ones_like, self._template)
        for key, leaves in self._pseudo_observations().items():
            tree = {**tree, "gates": {**tree["gates"], key: leaves}}
            if "loc" in leaves:
                width = np.sqrt(_LITTLE) * np.exp(-0.5 * leaves["log_weight"])
                ones = {**ones, "gates": {**ones["gates"], key: {**ones["gates"][key], "loc": width}}}
        return columns, picks, self._mean(tree), self._mean(ones)

    def _mean(self, tree: Tree) -> np.ndarray:
        leaves = zip(jax.tree.leaves(tree), self._leaves, strict=True)
        return np.concatenate([np.ravel(np.mean(leaf, axis=axis)) for leaf, (axis, _) in leaves])

    def _pseudo_observations(self) -> Tree:
        """Of the local latents at the prior's centre, by key."""
        shapes, program = self.shapes, self.program
        dim = sum(int(np.prod(s, dtype=int)) for s in shapes.values())
        gates = Gates(self.everything.nodes, shapes, self.everything.specs, "affine", self.everything.plain)
        whole = Guide(program, Backbone(Elementwise(dim)), gates, Recipe("mean_field"))
        ratios = {key: np.full(shapes[key], _LITTLE) for key in gates.conjugate}
        noise = {key: np.zeros(shape) for key, shape in shapes.items()}

        def start(noise: Noise, ratios: Noise, data: Any) -> Tree:
            return placed(whole, noise, ratios, data)

        with precision("float64"):
            found = jax.device_get(once(start)(noise, ratios, program.with_params(program.param_starts())))
        return {key: found[key] for key in self.axes if key in found}

    def init(self, seed: int = 0, frame: Frame | None = None) -> Params:
        return {**super().init(seed, frame), "network": self.network.init(np.random.default_rng(seed))}

    # ------------------------------------------------------------ the local latents

    def _about_entries(self, params: Params, eps: jax.Array, noise: Mapping[str, jax.Array], data: Any) -> Tree:
        """What the network says of the local latents, given the global noise eps (G,) before the backbone, and after it, by key."""
        outputs = self.network(params["network"], data, noise, eps[np.asarray(self.order, int)], self.entries)
        return self._laid_out(self.offset + self.unit * outputs)

    def _openings(self, params: Params, about: Tree) -> Params:
        return self.everything.openings({**params["gates"], **about["gates"]}) or {}

    def _moved(self, about: Tree, eps: Noise) -> Noise:
        """The local noise, by key."""
        noise = about["noise"]
        return {k: noise[k]["loc"] + jnp.exp(noise[k]["log_scale"]) * e if k in noise else e for k, e in eps.items()}

    def _split(self, eps: jax.Array) -> tuple[jax.Array, Noise]:
        """The global noise (G,), and the local one by key."""
        return eps[: self.backbone.dim], {k: v for k, v in self.unravel(eps).items() if k in self.axes}

    def _global(self, noise: Mapping[str, jax.Array]) -> jax.Array:
        """The global noise by key as (G,)."""
        return jnp.concatenate([jnp.zeros(0), *(jnp.ravel(noise[key]) for key in self.gates.shapes)])

    # ------------------------------------------------------------ the map

    def _run(self, params: Params, eps: jax.Array, data: Any) -> tuple[dict[str, jax.Array], Noise, jax.Array]:
        """Values, their noise by key, and log q."""
        own, rest = self._split(eps)
        u, log_det = self.backbone.forward_and_log_det(params["backbone"], own)
        among = self._named(u)
        about = self._about_entries(params, own, among, data)
        noise = {**among, **self._moved(about, rest)}
        values, log_det_program = self.forward(noise, self._openings(params, about), data)
        log_q = log_normal(eps) - log_det - _log_scales(about) - log_det_program
        return values, noise, log_q

    def _named(self, u: jax.Array) -> Noise:
        """The global noise (G,) by key."""
        padded = jnp.concatenate([u, jnp.zeros(self.dim - u.size, u.dtype)])
        return {key: value for key, value in self.unravel(padded).items() if key not in self.axes}

    def transform(self, params: Params, eps: jax.Array, data: Any = None) -> tuple[dict[str, jax.Array], jax.Array]:
        values, _, log_q = self._run(params, eps, self.given(params, data))
        return values, log_q

    def _values(self, params: Params, u: jax.Array, data: Any) -> tuple[dict[str, jax.Array], jax.Array]:
        """At global noise u (G,), the local latents in the middle of what the network starts from."""
        data = self.given(params, data)
        about = self._about_entries(params, jnp.zeros_like(u), self._named(u), data)
        middle = self._moved(about, {key: jnp.zeros(self.shapes[key]) for key in self.axes})
        return self.forward({**self._named(u), **middle}, self._openings(params, about), data)

    def log_prob(self, params: Params, values: Mapping[str, jax.Array], data: Any = None) -> jax.Array:
        return self._log_q(params, values, self.given(params, data))

    def _log_q(self, params: Params, values: Mapping[str, jax.Array], data: Any, near: Any = None, share: float = 1.0) -> jax.Array:
        """log q at values of the latents, the terms of local ones counting `share` times. The global noise comes first, since the
        network takes it; then, with the gates that the network gives, the local one."""
        first = self.everything.openings({**params["gates"], **self._template["gates"]})
        noise, terms = self.program.inverse_terms(values, first, data, near)
        own, log_det = self.backbone.inverse_and_log_det(params["backbone"], self._global(noise))
        among = log_normal(own) + log_det + _total(terms[key] for key in self.gates.shapes)
        about = self._about_entries(params, own, noise, data)
        noise, terms = self.program.inverse_terms(values, self._openings(params, about), data, near)
        eps = [self._unmoved(about, key, noise[key]) for key in self.axes]
        nearby = _total(-0.5 * (e**2 + LOG_2PI) for e in eps) - _log_scales(about) + _total(terms[key] for key in self.axes)
        return among + share * nearby

    def _unmoved(self, about: Tree, key: str, noise: jax.Array) -> jax.Array:
        """eps of the local noise of a node."""
        if key not in about["noise"]:
            return noise
        return (noise - about["noise"][key]["loc"]) * jnp.exp(-about["noise"][key]["log_scale"])

    def sticking_log_weight(self, params: Params, eps: jax.Array, data: Any = None) -> jax.Array:
        return self.sticking_log_weight_of_part(params, eps, data)

    def sticking_log_weight_of_part(self, params: Params, eps: jax.Array, data: Any = None, share: float = 1.0) -> jax.Array:
        """`sticking_log_weight` of a program of a part of the entries, each of which counts `share` times."""
        held = jax.lax.stop_gradient(params)
        values, noise, _ = self._run(params, eps, self.given(params, data))
        log_q = self._log_q(held, values, self.given(held, data), jax.lax.stop_gradient(noise), share)
        return self.program.log_density(values, self.given(params, data)) - log_q

    def kept(self, params: Params) -> dict[str, Any]:
        data = self.given(params)
        own = jnp.zeros(self.backbone.dim)
        u, _ = self.backbone.forward_and_log_det(params["backbone"], own)
        about = self._about_entries(params, own, self._named(u), data)
        openings = self._openings(params, about)
        updates = {key: openings[key] for key in self.everything.conjugate}
        values = self.transform(params, jnp.zeros(self.dim))[0]
        return {**openings, **(kept(self.program, self.everything, values, updates, data) if updates else {})}

    # ------------------------------------------------------------ description

    def describe(self) -> dict[str, Any]:
        constants = {"offset": self.offset.tolist(), "unit": self.unit.tolist()}
        inputs = {name: [asdict(p) for p in getattr(self.network, name)] for name in ("columns", "picks")}
        return {**super().describe(), "network": {**constants, **inputs}}


_LITTLE = float(1 / WIDEST**2 - 1)  # weight of the pseudo-observations at the start, in weights of the prior


def local_axes(nodes: Mapping[str, RandomNode], dim: str) -> dict[str, int]:
    """The noise keys of the latents over a dim, each with the axis of its noise that is the dim."""
    found = {key: [a.dim for a in node.domain] for key, node in nodes.items()}
    return {key: dims.index(dim) for key, dims in found.items() if dim in dims}


def _log_scales(about: Tree) -> jax.Array:
    return _total(part["log_scale"] for part in about["noise"].values())


def _total(terms: Any) -> jax.Array:
    return sum((jnp.sum(term) for term in terms), jnp.zeros(()))


def _read(constants: Mapping[str, Any]) -> Constants:
    """The constants of `describe`."""
    columns = tuple(Column(**{**c, "centre": tuple(c["centre"]), "unit": tuple(c["unit"])}) for c in constants["columns"])
    picks = tuple(Pick(**pick) for pick in constants["picks"])
    return columns, picks, np.asarray(constants["offset"], float), np.asarray(constants["unit"], float)
