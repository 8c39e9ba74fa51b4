"""Draws of a whole program: every latent, computed and observed variable, some of them given."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.compiler import graph as g
from emfppl.compiler.graph import Role
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.runtime.evaluate import Scope
from emfppl.runtime.execute import Inputs, Item, Site, ranges_of, run, target_shape
from emfppl.runtime.missing import with_data
from emfppl.runtime.named import Named
from emfppl.runtime.selection import read_early

if TYPE_CHECKING:
    from emfppl.runtime.program import Program


def simulate(
    program: Program, key: Any, values: Mapping[str, Any], data: Mapping[str, Any], replicate: bool = True
) -> dict[str, Any]:
    """See `Program.simulate`."""
    own = jax.random.fold_in(key, 2**32 - 1)
    values = {**values, **_conditional(program, own, values, data)}
    given = {v.name: values[v.name] for v in program.graph.of_role(Role.LATENT) if v.name in values}
    items = _items(program)
    known = _taken_from_data(program, items)
    observed = {v.name for v in program.graph.of_role(Role.OBSERVED)} - known
    state = program.state({k: v for k, v in data.items() if k not in observed})
    inputs = _inputs(program, key, items, given, _partly_given(program, values, data, replicate))
    variables = run(items, program.layout, state, inputs, _draw).variables
    return {n: v for n, v in variables.items() if n in program.selection.simulated}


def _items(program: Program) -> list[Item]:
    """What runs: all that is not known from data alone."""
    fixed = program.selection.fixed
    return [(k, n) for k, n in program.selection.keyed if not isinstance(n, g.FactorNode) and n.target.name not in fixed]


def not_from_parameters(program: Program) -> frozenset[str]:
    """The observed variables of which a simulation takes the data as they are: read before they are drawn, or not drawn in part."""
    return read_early(_items(program), program.graph) | _partly_drawn(program)


def _conditional(program: Program, key: Any, values: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Discrete latents that the observations inform, drawn given these and all other latents, where those are given."""
    names = program.hidden
    guided = program.selection.guided | set(program.binding.latent)
    if not values or not names or names <= set(values) or not guided <= set(values):
        return {}
    drawn = program.draw_discrete(key, {n: values[n] for n in guided}, data)
    return {n: v for n, v in drawn.items() if n not in values}


def _draw(site: Site) -> tuple[Any, Any]:
    """A node's value where it is given, else a draw of it."""
    given, terms = site.input("value"), jnp.zeros(site.batch_shape)
    if "rng" not in site.inputs:
        return given, terms
    drawn = site.map.sample(site.inputs["rng"].array)
    return (drawn if given is None else jnp.where(site.input("kept"), given, drawn)), terms


def _partly_given(
    program: Program, values: Mapping[str, Any], data: Mapping[str, Any], replicate: bool
) -> dict[str, tuple[Any, np.ndarray]]:
    """Observed variables of which some entries are given, and which: latent ones in `values`, and all data if none are to be drawn
    anew."""
    binding = program.binding
    out = {}
    for variable in program.graph.of_role(Role.OBSERVED):
        name, shape = variable.name, program.shapes[variable.name]
        if name in binding.absent:
            continue
        kept = np.zeros(shape, bool) if replicate else ~binding.missing.get(name, np.zeros(shape, bool))
        if name in binding.latent and name in values:
            kept = kept | binding.latent[name]
        whole = with_data(program, values, data).get(name, data[name])
        if name in program.hidden and name in values:
            kept, whole = kept | binding.missing[name], values[name]
        if kept.any():
            out[name] = (whole, kept)
    return out


def _inputs(
    program: Program, key: Any, items: list[Item], given: Mapping[str, Any], partly: Mapping[str, tuple[Any, np.ndarray]]
) -> Inputs:
    """For every random node its values where they are given, else keys, one for each round that it is carried through."""
    out: dict[str, dict[str, Named]] = {}
    for n, (name, node) in enumerate(items):
        if not isinstance(node, g.RandomNode):
            continue
        out[name] = {}
        if node.target.name in given:
            out[name]["value"] = program.part_of(node, given[node.target.name])
            continue
        if node.target.name in partly:
            value, kept = partly[node.target.name]
            out[name] = {"value": program.part_of(node, value), "kept": program.part_of(node, kept)}
        out[name]["rng"] = _keys(program, jax.random.fold_in(key, n), node)
    return out


def _keys(program: Program, key: Any, node: g.RandomNode) -> Named:
    ranges = ranges_of(node, program.layout.sizes)
    carried = tuple(a.label for a in node.domain if a.carried)
    shape = tuple(max(ranges[label][1] - ranges[label][0], 0) for label in carried)
    return Named(jax.random.split(key, shape) if carried else key, carried)


def _taken_from_data(program: Program, items: list[Item]) -> frozenset[str]:
    """The observed variables whose data a simulation needs; `EmfError` E1190 where they are absent."""
    needed = read_early(items, program.graph) | _partly_drawn(program)
    absent = sorted(needed & program.binding.absent)
    if absent:
        variable = program.graph.variable(absent[0])
        message = f"`{variable.name}` is used above the line that draws it, so that a simulation needs its data."
        hint = f"give {variable.name}, or put the lines into one loop that draws each entry before it is used"
        raise EmfError([Diagnostic("E1190", message, variable.span, hint, program.graph.source)])
    return needed


def _partly_drawn(program: Program) -> frozenset[str]:
    """Observed variables with entries that no node draws."""
    drawn = {v.name: 0 for v in program.graph.of_role(Role.OBSERVED)}
    for _, node in program.selection.keyed:
        if isinstance(node, g.RandomNode) and node.observed:
            scope = Scope(program.layout.sizes, ranges_of(node, program.layout.sizes), {})
            drawn[node.target.name] += math.prod(target_shape(node.target, scope))
    return frozenset(name for name, count in drawn.items() if count < math.prod(program.shapes[name]))
