"""A program as a NumPyro model: NUTS, SVI and Predictive run on it as on any other.

Sample sites go by the keys of the program's nodes: the name of a variable, or of a piece of it (``x[0]``, ``x[1:]``); the whole of
a variable in pieces, and every computed one, is a deterministic site. Nodes that a loop carries stand in a NumPyro scan, whose
sites have the loop's axis first. Entries that are missing are masked; where they are latent their noise has a site of its own
(``x[missing] noise``, standard normal) and their values a deterministic one (``x[missing]``). Observed data that were not given are
sampled. Discrete latents are left out: those that something observed depends on are summed over, in a factor that holds all
statements which they have part in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.contrib.control_flow import scan
from numpyro.primitives import Message, Messenger

from emfppl.compiler import graph as g
from emfppl.compiler.graph import Role
from emfppl.runtime.bijections.normal import log_density
from emfppl.runtime.execute import Inputs, Site, run
from emfppl.runtime.missing import completed
from emfppl.runtime.named import Named
from emfppl.runtime.program import Program


def numpyro_model(program: Program) -> Callable[[], None]:
    """A model without arguments, with the program's data filled in."""
    layout = replace(program.layout, scan=_scan)
    items = program.model_items
    own = {name: np.array(value) for name, value in program.data.items()}  # JAX keeps what it closes over, in one precision

    def model() -> None:
        data = _with_params(program, own)
        state = program.state(program.fixed(data))
        state = run(items, layout, state, _inputs(program, own), _sample)
        for key, node in items:
            if isinstance(node, g.FactorNode):
                numpyro.factor(key, jnp.sum(state.terms[key]))
        if program.eliminations:
            numpyro.factor("discrete latents", program.log_sums(state.variables, data))
        sites = {key for key, node in items if isinstance(node, g.RandomNode)}
        for name in program.selection.simulated & set(state.variables):
            if name not in sites and not _observed(program, name):
                numpyro.deterministic(name, state.variables[name])
        for key, gap in program.gaps.items():
            node = dict(program.keyed)[key]
            assert isinstance(node, g.RandomNode)
            numpyro.deterministic(gap.name, gap.gathered(program.part_of(node, state.variables[gap.variable]).array))

    return model


def _observed(program: Program, name: str) -> bool:
    return program.graph.variable(name).role is Role.OBSERVED and name in program.binding.values


def _scan(step: Callable, start: Any, xs: Any, length: int) -> Any:
    with _NoParamsInScans():
        return scan(step, start, xs, length=length)


class _NoParamsInScans(Messenger):
    """Scans see the sampled sites only of a guide that is replayed. NumPyro hands them all, and takes each for an array; those of
    `AutoIAFNormal` and `AutoBNAFNormal` are trees of networks."""

    def process_message(self, msg: Message) -> None:
        if msg["type"] == "control_flow":
            msg["kwargs"]["substitute_stack"] = _Substitutes(msg["kwargs"]["substitute_stack"])


class _Substitutes(list):
    """What handlers outside of a scan append for its sites, without the params of guides."""

    def append(self, item: tuple[str, Any]) -> None:
        kind, sites = item
        kept = {k: v for k, v in sites.items() if v["type"] != "param"} if kind == "replay" else sites
        super().append((kind, kept))


def _sample(site: Site) -> tuple[Any, Any]:
    """One sample site. An observed value, which of its draws count, and the noise of missing ones come as inputs."""
    distribution = site.map.numpyro
    counted, observed = site.input("counted"), site.input("observed")
    if "noise" in site.inputs:
        observed = _imputed(site)
    if counted is not None:
        distribution = distribution.mask(counted)
    value = numpyro.sample(site.key, distribution, obs=observed)
    return value, jnp.zeros(site.batch_shape)


def _imputed(site: Site) -> Any:
    """Data with the missing entries that their noise gives. Where noise is not the prior a factor makes up for it."""
    u = site.input("noise")
    value, log_det = completed(site, *site.map.forward(u))
    if not site.map.exact:
        noise = jnp.sum(log_density(u), axis=tuple(range(len(site.batch_shape), jnp.ndim(u))))
        density = site.map.log_prob(value) + log_det - noise
        numpyro.factor(f"{site.key} missing", jnp.sum(jnp.where(site.input("latent"), density, 0.0)))
    return value


def _inputs(program: Program, data: Mapping[str, Any]) -> Inputs:
    """Observations, and noise for the latent ones of their missing entries."""
    out = {key: dict(inputs) for key, inputs in _observations(program, data).items()}
    for key, gap in program.gaps.items():
        out[key]["latent"] = Named(gap.latent, gap.labels)
        if gap.count:
            shape = program.noise_shapes[gap.name]
            normal = dist.Normal(jnp.zeros(shape), 1.0)
            out[key]["noise"] = gap.scattered(numpyro.sample(gap.site, normal))
    return out


def _observations(program: Program, data: Mapping[str, Any]) -> Inputs:
    out: dict[str, dict[str, Named]] = {}
    for key, node in program.model_items:
        if isinstance(node, g.RandomNode) and _observed(program, node.target.name):
            out[key] = {"observed": program.part_of(node, data[node.target.name])}
            mask = program.binding.missing.get(node.target.name)
            if mask is not None:
                out[key]["counted"] = _complete(program.part_of(node, ~mask), node)
    return out


def _complete(seen: Named, node: g.RandomNode) -> Named:
    """Which draws have no missing entry, over the domain."""
    labels = tuple(a.label for a in node.domain)
    return Named(jnp.all(seen.array, axis=tuple(range(len(labels), jnp.ndim(seen.array)))), labels)


def _with_params(program: Program, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The data with each `param` as a param site, in unconstrained space."""
    starts = program.param_starts()
    values = {name: numpyro.param(f"{name} (unconstrained)", jnp.asarray(start, float)) for name, start in starts.items()}
    return program.with_params(values, data)

