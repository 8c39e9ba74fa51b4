"""A density estimator: layers one after the other from standard normal noise to data, and its density.

::

    u (D,)  ->  layers  ->  real line (D,)  ->  supports  ->  x (E,)          log p(x) = log N(u) + log |det ∂u/∂x|

Parameters: ``{"layers": {"layer0": …}, "units": …, "given": …}``. The last two are not learned. `units` bring data to mean 0 and
variance 1 where they reach layers below which there is no model any more (``units["data"]``); above it numbers stay in the model's
own units, and layers with networks or splines work between units of their own (``units["layer2"]``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.compiler import graph as g
from emfppl.compiler.distributions import STANDARD, Table
from emfppl.compiler.graph import DensitySpec, LayerSpec
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.runtime.bijections.normal import HALF_LOG_2PI
from emfppl.runtime.bind import Binding
from emfppl.runtime.compile import once
from emfppl.runtime.density.context import Context
from emfppl.runtime.density.event import Event
from emfppl.runtime.density.layer import Given, Layer, Pair, Params
from emfppl.runtime.density.layers.elementwise import units_of
from emfppl.runtime.density.layers.structured import Structured, latents_of, program_of
from emfppl.runtime.density.make_layers import KINDS

Values = Mapping[str, Any]
Move = Callable[[Params, jax.Array, Given], Pair]
GATE = 0.03  # nats that an open gate costs in training
SHUT = -1e4  # a logit whose λ is 0 in any precision


class Stack:
    """The layers of a density's description, with data and sizes of dims. Methods take one draw; callers jit and vmap."""

    def __init__(self, spec: DensitySpec, binding: Binding, table: Table = STANDARD):
        """Raises `EmfError` E1526."""
        self.spec, self.binding, self.table = spec, binding, table
        data = {v.name: v for v in spec.data}
        self.context = Context(tuple(data[name] for name in spec.given), binding.sizes)
        self.event = Event(spec.variables, binding.sizes, binding.values, self._spreads, table)
        self.dim = self.event.dim
        self.layers = tuple(self._make(n, layer) for n, layer in enumerate(spec.layers) if layer.kind != "dequantize")

    @property
    def _spreads(self) -> bool:
        """Whether uniform noise is added to whole numbers."""
        return any(layer.kind == "dequantize" for layer in self.spec.layers)

    # ------------------------------------------------------------ the layers

    def _make(self, place: int, layer: LayerSpec) -> Layer:
        options = dict(layer.options)
        if layer.kind != "structured":
            return KINDS[layer.kind](options, self.dim, self.context.count, place)
        assert layer.model is not None
        program = program_of(layer.model, self.binding, self.spec.given, self.table)
        title = str(options.get("model", "structured"))
        made = Structured(self.dim, program, self._names(layer.model), _gated(options), title)
        if made.places.dim != self.dim:
            raise EmfError([self._unequal(layer, made.places.dim)])
        return made

    def _names(self, model: g.Graph) -> tuple[str, ...]:
        """The model's variables in the order of the event's, where all have the same names and dims; else in their own."""
        mine = {v.name: v.dims for v in latents_of(model)}
        event = {v.name: v.dims for v in self.event.variables}
        return tuple(event) if mine == event else tuple(mine)

    def _unequal(self, layer: LayerSpec, count: int) -> Diagnostic:
        message = f"This model has {count} numbers on the real line, and a sample of `{self.spec.name}` has {self.dim}."
        hint = "a structured layer needs a model of as many; write its variables over the same dims"
        return Diagnostic("E1526", message, layer.span, hint, self.binding.graph.source)

    @cached_property
    def _natural(self) -> bool:
        """Whether the last layer is a model whose variables are the event's, supports included: neither needs a transform then."""
        last = self.layers[-1] if self.layers else None
        if not isinstance(last, Structured) or self._spreads:
            return False
        mine = {v.name: (v.dims, _bounds(v)) for v in latents_of(last.program.graph)}
        return mine == {v.name: (v.dims, _bounds(v)) for v in self.event.variables}

    @cached_property
    def _unit_place(self) -> int:
        """How many layers lie below the place of the units; 0 for nowhere, where a model is at the bottom."""
        models = [n for n, layer in enumerate(self.layers) if isinstance(layer, Structured)]
        return models[0] if models else len(self.layers)

    # ------------------------------------------------------------ parameters

    def init(self, rng: np.random.Generator) -> Params:
        """NumPy parameters at or next to the identity, models aside."""
        layers = {f"layer{n}": layer.init(rng) for n, layer in enumerate(self.layers)}
        units = {name: {"loc": np.zeros(self.dim), "width": np.ones(self.dim)} for name in ("data", *self._in_units)}
        return {"layers": layers, "units": units, "given": self.context.init()}

    @cached_property
    def _in_units(self) -> tuple[str, ...]:
        """The layers that work in units of their own."""
        return tuple(f"layer{n}" for n, layer in enumerate(self.layers) if layer.in_units)

    def warm(self, params: Params, x: np.ndarray, given: Values | None = None, models: bool = True) -> Params:
        """Parameters to start from, told by a batch (N, E) and what is given with each sample, layer by layer from data; with or
        without those of `models`."""
        layers, units = dict(params["layers"]), dict(params["units"])
        params = {"layers": layers, "units": units, "given": self.context.warm(given or {})}
        beside = jax.vmap(lambda v: self.context.given(params["given"], v), axis_size=len(x))(given or {})
        if self._natural and models:
            real, name = once(jax.vmap(lambda x: self.event.to_real(x)[0]))(jnp.asarray(x, float)), f"layer{self._top}"
            layers[name] = self.layers[-1].warm(layers[name], np.asarray(real), beside)
        v = self._below_data(params, jnp.asarray(x, float), beside)
        for n in reversed(range(self._top)):
            name = f"layer{n}"
            if n == self._unit_place - 1:
                units["data"] = units_of(v)
                v = (v - units["data"]["loc"]) / units["data"]["width"]
            if name in units:
                units[name] = units_of(v)
            if models or not isinstance(self.layers[n], Structured):
                layers[name] = self.layers[n].warm(layers[name], np.asarray(v), beside)
            v = once(jax.vmap(lambda v, b, n=n: self._back(n, params, v, b)[0]))(v, beside)
        return params

    @property
    def _top(self) -> int:
        """How many layers there are between noise and what `_below_data` gives."""
        return len(self.layers) - self._natural

    def _below_data(self, params: Params, x: jax.Array, given: Given) -> jax.Array:
        """A batch, as the layer number `_top` has to bring it about."""
        return once(jax.vmap(lambda x, b: self._from_data(params, x, b)[0]))(x, given)

    def num_params(self, params: Params) -> int:
        """How many numbers are learned."""
        return sum(int(np.size(leaf)) for leaf in jax.tree.leaves(params["layers"]))

    # ------------------------------------------------------------ the map

    def _from_data(self, params: Params, x: jax.Array, given: Given) -> Pair:
        """From data to below the last layer where that is a natural one, else to the real line."""
        if not self._natural:
            return self.event.to_real(x)
        last = self.layers[-1]
        assert isinstance(last, Structured)
        return last.from_values(params["layers"][f"layer{self._top}"], self.event.by_name(x), given)

    def _to_data(self, params: Params, v: jax.Array, given: Given) -> Pair:
        if not self._natural:
            return self.event.from_real(v)
        last = self.layers[-1]
        assert isinstance(last, Structured)
        values, log_det = last.to_values(params["layers"][f"layer{self._top}"], v, given)
        return self.event.flat(values), log_det

    @staticmethod
    def _units(params: Params, name: str) -> Pair:
        loc, width = (jax.lax.stop_gradient(jnp.asarray(params["units"][name][part], float)) for part in ("loc", "width"))
        return loc, width

    def _on(self, n: int, params: Params, u: jax.Array, given: Given) -> Pair:
        """Through a layer towards data, in its own units where it has some: x = loc + width f((u − loc) / width), whose
        log-determinant is that of f."""
        return self._through(self.layers[n].forward, f"layer{n}", params, u, given)

    def _back(self, n: int, params: Params, x: jax.Array, given: Given) -> Pair:
        """Through a layer towards noise."""
        return self._through(self.layers[n].inverse, f"layer{n}", params, x, given)

    def _through(self, move: Move, name: str, params: Params, v: jax.Array, given: Given) -> Pair:
        if name not in self._in_units:
            return move(params["layers"][name], v, given)
        loc, width = self._units(params, name)
        out, log_det = move(params["layers"][name], (v - loc) / width, given)
        return loc + width * out, log_det

    def forward(self, params: Params, u: jax.Array, given: Values | None = None) -> Pair:
        """A draw (E,) from noise (D,), and log |det ∂x/∂u|."""
        beside, total = self.context.given(params["given"], given), jnp.zeros((), u.dtype)
        for n in range(self._top):
            u, log_det = self._on(n, params, u, beside)
            total = total + log_det
            if n == self._unit_place - 1:
                loc, width = self._units(params, "data")
                u, total = loc + width * u, total + jnp.sum(jnp.log(width))
        x, log_det = self._to_data(params, u, beside)
        return x, total + log_det

    def inverse(self, params: Params, x: jax.Array, given: Values | None = None) -> Pair:
        """The noise (D,) of a draw (E,), and log |det ∂u/∂x|."""
        beside = self.context.given(params["given"], given)
        u, total = self._from_data(params, x, beside)
        for n in reversed(range(self._top)):
            if n == self._unit_place - 1:
                loc, width = self._units(params, "data")
                u, total = (u - loc) / width, total - jnp.sum(jnp.log(width))
            u, log_det = self._back(n, params, u, beside)
            total = total + log_det
        return u, total

    def log_prob(self, params: Params, x: jax.Array, given: Values | None = None) -> jax.Array:
        """log p(x) of a draw (E,)."""
        u, log_det = self.inverse(params, x, given)
        return log_det - jnp.sum(0.5 * u * u + HALF_LOG_2PI)

    def cost(self, params: Params) -> jax.Array:
        """What the gates of models cost in training, in nats a sample: `GATE` for each that is open, so that those close which no
        sample pays for."""
        found = ((layer, params["layers"][f"layer{n}"]) for n, layer in enumerate(self.layers))
        return GATE * sum((layer.open(mine) for layer, mine in found if isinstance(layer, Structured)), jnp.zeros(()))

    @cached_property
    def _with_gates(self) -> tuple[str, ...]:
        return tuple(f"layer{n}" for n, layer in enumerate(self.layers) if isinstance(layer, Structured) and layer.may_shut)

    @property
    def gated(self) -> int:
        """How many models have gates that may shut."""
        return len(self._with_gates)

    def shut(self, params: Params, model: int) -> Params:
        """Parameters with the gates of a model, by its number among those that have some, shut for good: the logit of λ = 0 has no
        slope."""
        name = self._with_gates[model]
        mine = params["layers"][name]
        shut = {**mine, "gates": jax.tree.map(lambda logit: np.full_like(logit, SHUT), mine["gates"])}
        return {**params, "layers": {**params["layers"], name: shut}}

    # ------------------------------------------------------------ looking at it

    def gates(self, params: Params) -> list[tuple[str, dict[str, np.ndarray]]]:
        """Of every structured layer, from noise to data: its name, and how far its gates are open, by variable."""
        found = ((layer, params["layers"][f"layer{n}"]) for n, layer in enumerate(self.layers))
        return [(layer.title, layer.openings(mine)) for layer, mine in found if isinstance(layer, Structured)]

    def model_params(self, params: Params) -> list[tuple[str, dict[str, np.ndarray]]]:
        """Of every structured layer: its name, and the values of its model's `param`s."""
        found = ((layer, params["layers"][f"layer{n}"]) for n, layer in enumerate(self.layers))
        return [(layer.title, layer.learned(mine)) for layer, mine in found if isinstance(layer, Structured)]

    def settled(self, known: np.ndarray) -> tuple[np.ndarray, int | None]:
        """Which coordinates of noise (D,) belong to the `known` ones of the data on the real line (D,), so that these can be held
        while the others are drawn; and the number of the first layer, from the data, that does not let them."""
        for n in reversed(range(len(self.layers))):
            below = self.layers[n].settled(known)
            if below.sum() < known.sum():
                return below, n
            known = below
        return known, None


def _gated(options: Mapping[str, object]) -> bool | str:
    gated = options.get("gated", True)
    assert isinstance(gated, bool | str)
    return gated


def _bounds(variable: g.Variable) -> Any:
    """What tells supports apart: 0 may be in a half-line or not."""
    support = variable.support or g.REAL_LINE
    return (support.lower, support.upper) if isinstance(support, g.Interval) else support
