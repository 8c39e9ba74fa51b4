"""What is known of each entry of a dim, as inputs of a network, and the network.

Inputs are all data over the dim that the statements about its local latents read or observe: numbers standardised, those that are
not negative as logarithms too, indices one-hot and by the noise of the global latents that they pick. The network is the same for
all entries::

    h = tanh(W₁ tanh(W₀ x + b₀) + b₁),    outputs = W₂ h + S x + b₂,    W₂, S and b₂ zero at the start
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.compiler import graph as g
from emfppl.compiler.expressions import Kind
from emfppl.runtime.batchable import over
from emfppl.runtime.guides import perceptron
from emfppl.runtime.selection import names_read

if TYPE_CHECKING:
    from emfppl.runtime.program import Program

HIDDEN = (32, 32)
CHUNK = 4096  # entries that the network takes at once
LEVELS = 64  # of an index, up to which it is an input
FARTHEST = 8.0  # standard deviations: numbers further out are taken as so far out
FLOOR = 0.1  # means: added to numbers before the logarithm

Params = dict[str, Any]
Noise = Mapping[str, Any]


# ---------------------------------------------------------------- which data


def names_about(program: Program, local: frozenset[str], dim: str) -> frozenset[str]:
    """The variables that are read, drawn or observed by the statements over `dim` about the variables `local`, or about what is
    computed from these, or for them."""
    known = _known(program)
    statements = [n for n in program.graph.nodes if over(n, dim) and not _names(n) <= known]
    computed = {n.target.name for n in statements if isinstance(n, g.ComputedNode)} - known
    about, before = set(local), set[str]()
    while about != before:
        before = set(about)
        about |= {name for n in statements if _names(n) & before for name in _names(n) & computed}
    return frozenset(name for n in statements if _names(n) & about for name in _names(n))


def data_about(program: Program, names: frozenset[str], dim: str) -> tuple[str, ...]:
    """The data over `dim` among these variables."""
    found = names & _known(program)
    return tuple(v.name for v in program.graph.variables if v.name in found and dim in (d.rstrip("'") for d in v.dims))


def _known(program: Program) -> frozenset[str]:
    """The variables whose values are data, or computed from data alone."""
    data = set(program.binding.values)
    return frozenset(data | {node.target.name for _, node in program.selection.computed_from(data)})  # type: ignore[union-attr]


def _names(node: g.Node) -> set[str]:
    return names_read(node) | (set() if isinstance(node, g.FactorNode) else {node.target.name})


# ---------------------------------------------------------------- inputs


@dataclass(frozen=True)
class Column:
    """An array of data with the dim as its axis `axis`; `levels` values of an index, or 0 for numbers, of which `centre` and `unit`
    are the means and deviations over the dim. `logged`: log(x + floor) is taken of x."""

    name: str
    axis: int
    levels: int = 0
    logged: bool = False
    floor: float = 0.0
    centre: tuple[float, ...] = ()
    unit: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """Inputs for an entry."""
        return len(self.centre)

    def flat(self, data: Mapping[str, Any]) -> Any:
        """(entries, numbers)."""
        value = jnp.moveaxis(jnp.asarray(data[self.name]), self.axis, 0)
        value = value.reshape(value.shape[0], -1)
        if self.levels:
            return jax.nn.one_hot(value.astype(int), self.levels, dtype=float).reshape(value.shape[0], -1)
        return jnp.log(value.astype(float) + self.floor) if self.logged else value.astype(float)

    def of(self, data: Mapping[str, Any]) -> Any:
        """The inputs of all entries: (entries, width)."""
        scaled = (self.flat(data) - np.asarray(self.centre)) / np.asarray(self.unit)
        return jnp.clip(scaled, -FARTHEST, FARTHEST)


@dataclass(frozen=True)
class Pick:
    """For each entry the noise, under `key`, of the global latents that its index `name` picks along their axis `along`; the dim is
    the index's axis `axis`. `width` inputs for an entry."""

    name: str
    axis: int
    key: str
    along: int
    width: int

    def of(self, data: Mapping[str, Any], noise: Mapping[str, Any]) -> Any:
        """The inputs of all entries: (entries, width)."""
        index = jnp.moveaxis(jnp.asarray(data[self.name]).astype(int), self.axis, 0)
        picked = jnp.moveaxis(noise[self.key], self.along, 0)[index]
        return jnp.clip(picked.reshape(index.shape[0], -1), -FARTHEST, FARTHEST)


def picks_of(program: Program, names: frozenset[str], among: Collection[str], dim: str) -> tuple[Pick, ...]:
    """What the indices among the data over `dim` pick of the global latents, whose noise keys are `among`; all of them variables
    that the statements about local latents read."""
    nodes = {program.noise_key(key): node for key, node in program.latent_items}
    found = []
    for name in data_about(program, names, dim):
        variable = program.graph.variable(name)
        for key in among if variable.kind is Kind.INDEX else ():
            dims = [a.dim for a in nodes[key].domain]
            if nodes[key].target.name in names and variable.of in dims:
                along, axis = dims.index(variable.of), [d.rstrip("'") for d in variable.dims].index(dim)
                entry = np.size(program.data[name]) // program.binding.sizes[dim]
                width = entry * int(np.prod(program.noise_shapes[key], dtype=int)) // program.binding.sizes[variable.of]
                found.append(Pick(name, axis, key, along, width))
    return tuple(found)


def columns_of(program: Program, names: tuple[str, ...], dim: str) -> tuple[Column, ...]:
    """The inputs that these data give; an index of many levels gives none."""
    found: list[Column] = []
    for name in names:
        variable, value = program.graph.variable(name), np.asarray(program.data[name])
        axis = [d.rstrip("'") for d in variable.dims].index(dim)
        if variable.kind is Kind.INDEX:
            levels = program.binding.sizes[variable.of or dim]
            found += [_measured(Column(name, axis, levels=levels), program)] if levels <= LEVELS else []
            continue
        found.append(_measured(Column(name, axis), program))
        if value.size and value.min() >= 0 and value.max() > 1:
            found.append(_measured(Column(name, axis, logged=True, floor=FLOOR * float(value.mean())), program))
    return tuple(found)


def _measured(column: Column, program: Program) -> Column:
    """With the centre and the unit that standardise the inputs of all entries."""
    with jax.ensure_compile_time_eval():
        flat = np.asarray(column.flat(program.data), np.float64)
    unit = flat.std(axis=0)
    unit = np.where(unit > 1e-12 * (1 + np.abs(flat.mean(axis=0))), unit, 1.0)
    return Column(**{**column.__dict__, "centre": tuple(flat.mean(axis=0).tolist()), "unit": tuple(unit.tolist())})


# ---------------------------------------------------------------- the network


class Network:
    """From the inputs of an entry to `outputs` numbers; `shared` further inputs are the same for all entries."""

    def __init__(self, columns: tuple[Column, ...], picks: tuple[Pick, ...], shared: int, outputs: int):
        self.columns, self.picks, self.shared, self.outputs = columns, picks, shared, outputs
        self.inputs = sum(part.width for part in self.inputs_of_data) + shared
        self._masks = perceptron.full(self.inputs, HIDDEN, outputs)

    @property
    def inputs_of_data(self) -> tuple[Column | Pick, ...]:
        return (*self.columns, *self.picks)

    def init(self, rng: np.random.Generator) -> Params:
        """NumPy parameters, all outputs zero."""
        return {**perceptron.init(self._masks, rng), "straight": np.zeros((self.outputs, self.inputs))}

    def __call__(self, params: Params, data: Mapping[str, Any], noise: Noise, shared: jax.Array, entries: int) -> jax.Array:
        """The outputs of all entries, some thousand at a time: (entries, outputs). `noise` is the global one, by key."""
        parts = [*(column.of(data) for column in self.columns), *(pick.of(data, noise) for pick in self.picks)]
        rows = jnp.concatenate([jnp.zeros((entries, 0)), *parts], axis=1)
        own = rows.shape[1]
        first, straight = params["weights0"], params["straight"]
        moved = {**params, "biases0": params["biases0"] + first[:, own:] @ shared, "weights0": first[:, :own]}
        masks = [self._masks[0][:, :own], *self._masks[1:]]
        offset = straight[:, own:] @ shared
        one = lambda x: perceptron.apply(masks, moved, x) + straight[:, :own] @ x + offset  # noqa: E731
        return jax.vmap(one)(rows) if entries <= CHUNK else jax.lax.map(one, rows, batch_size=CHUNK)
