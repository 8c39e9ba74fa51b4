"""Missing entries of data that other statements read: latents with noise of their own, a number for every missing entry.

A node ``x ~ Normal(mu, s)`` of data with gaps is run over its whole domain. Where an entry is missing and latent its noise goes
through the prior's map (or the gated one), elsewhere the datum stands::

    x = where(latent, F⁻¹(u; parents), datum)        log_det = Σ over latent entries

The noise lies flat, (number of latent draws, *noise of one draw), in the order of the node's domain, and is scattered into place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.compiler import graph as g
from emfppl.runtime.execute import Site
from emfppl.runtime.named import Named

if TYPE_CHECKING:
    from emfppl.runtime.program import Program


@dataclass(frozen=True)
class Gap:
    """The latent entries of one node. `name`: the key of their noise; `latent`: which draws of the domain they are."""

    name: str
    variable: str
    labels: tuple[str, ...]
    latent: np.ndarray

    @property
    def count(self) -> int:
        return int(self.latent.sum())

    @property
    def site(self) -> str:
        """The NumPyro site of the noise."""
        return f"{self.name} noise"

    def scattered(self, flat: jax.Array) -> Named:
        """Noise or gates of the latent draws (count, *noise of one draw) over the whole domain, zero elsewhere."""
        event = tuple(f"#{n}" for n in range(flat.ndim - 1))
        whole = jnp.zeros((self.latent.size, *flat.shape[1:]), flat.dtype).at[np.flatnonzero(self.latent)].set(flat)
        return Named(whole.reshape(*self.latent.shape, *flat.shape[1:]), (*self.labels, *event))

    def gathered(self, whole: Any) -> Any:
        """What `scattered` was made of."""
        batch = self.latent.ndim
        return jnp.reshape(whole, (self.latent.size, *jnp.shape(whole)[batch:]))[np.flatnonzero(self.latent)]

    def places(self, positions: Named) -> Named:
        """The part of an array over domain and event that belongs to latent draws; one axis takes the place of the domain's."""
        events = tuple(n for n in positions.labels if n not in self.labels)
        return Named(np.asarray(self.gathered(positions.array)), ("gap", *events))

    def inputs(self, observed: Named) -> dict[str, Named]:
        """What `completed` takes beside noise and gates."""
        return {"observed": observed, "latent": Named(self.latent, self.labels)}


def gaps_of(program: Program) -> dict[str, Gap]:
    """The gaps of a program's data by the key of their node."""
    out = {}
    for key, node in program.keyed:
        if isinstance(node, g.RandomNode) and node.observed and node.target.name in program.binding.latent:
            latent = program.part_of(node, program.binding.latent[node.target.name])
            batch = len(node.domain)
            draws = np.all(latent.array, axis=tuple(range(batch, np.ndim(latent.array))))
            out[key] = Gap(f"{key}[missing]", node.target.name, latent.labels[:batch], np.asarray(draws))
    return out


def completed(site: Site, value: Any, log_det: Any) -> tuple[Any, Any]:
    """Values made from noise in the place of missing entries only, and their log-determinants."""
    observed = site.input("observed")
    if observed is None:
        return value, log_det
    latent = jnp.reshape(site.input("latent"), site.batch_shape)
    wide = jnp.reshape(latent, (*site.batch_shape, *(1 for _ in site.event_shape)))
    return jnp.where(wide, value, observed), jnp.where(latent, log_det, 0.0)


def make(site: Site) -> tuple[Any, Any]:
    """The visitor of `Program.forward`: a node's value from its noise, or its datum."""
    if "noise" not in site.inputs:
        return site.input("observed"), jnp.zeros(site.batch_shape)
    return completed(site, *site.guided.forward(site.input("noise"), site.input("gate")))


def with_data(program: Program, values: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
    """Variables with latent entries: their values there, the data elsewhere."""
    latent = program.binding.latent
    return {name: jnp.where(mask, jnp.asarray(values[name], float), data[name]) for name, mask in latent.items() if name in values}


def observed_inputs(program: Program, data: Mapping[str, Any]) -> dict[str, dict[str, Named]]:
    """The data of the nodes that have gaps, or stand beside pieces that do."""
    gaps, nodes = program.gaps, dict(program.keyed)
    return {key: gap.inputs(program.part_of(nodes[key], data[gap.variable])) for key, gap in gaps.items()}  # type: ignore[arg-type]


def over_domain(program: Program, key: str, node: g.RandomNode, noise: jax.Array) -> Named:
    """Noise or gates of a node, axes of its domain first."""
    if key in program.gaps:
        return program.gaps[key].scattered(noise)
    event = tuple(f"#{n}" for n in range(noise.ndim - len(node.domain)))
    return Named(noise, (*(a.label for a in node.domain), *event))


def noise_of_gaps(program: Program, values: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """The noise that the prior's map takes to the latent missing entries in `values`, by key, and log |det dnoise/dvalues|."""
    if not program.gaps:
        return {}, jnp.zeros(())
    noise, _ = program.inverse(values)
    log_dets = program.at_values(values, lambda site, value: site.map.inverse(value)[1])
    parts = [jnp.sum(jnp.where(gap.latent, log_dets[gap.name], 0.0)) for gap in program.gaps.values() if gap.count]
    return {gap.name: noise[gap.name] for gap in program.gaps.values() if gap.count}, sum(parts, jnp.zeros(()))
