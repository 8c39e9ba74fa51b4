"""A guide as a NumPyro guide, for `SVI` with any optimiser and objective.

Noise is drawn at an auxiliary site, as in NumPyro's autoguides; every latent is a `Delta` site, the first of which carries
the log density, so that ``Trace_ELBO`` is the guide's own ELBO. Parameters are `param` sites, a site a leaf
(``guide/backbone/affine/loc``); those of the program are shared with `numpyro_model`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
import numpyro
import numpyro.distributions as dist

from emfppl.compiler.graph import event_rank
from emfppl.runtime.choose_guide import build_guide, recipe_of
from emfppl.runtime.guide import latent_nodes, log_normal
from emfppl.runtime.missing import noise_of_gaps
from emfppl.runtime.program import Program

NOISE = "_guide_noise"


def numpyro_guide(program: Program, guide: str = "auto", seed: int = 0) -> Callable[[], None]:
    """A guide without arguments for ``numpyro_model(program)``, starting narrow at the prior's centre.

    Raises `EmfError` E1101 for a name that is none.
    """
    made = build_guide(program, recipe_of(program, guide))
    start = made.init(seed)

    def sample() -> None:
        params = {k: _params(f"guide/{k}", start[k]) for k in start if k != "params"}
        own = {name: numpyro.param(f"{name} (unconstrained)", jnp.asarray(v, float)) for name, v in start["params"].items()}
        eps = numpyro.sample(NOISE, dist.Normal(jnp.zeros(made.dim), 1).to_event(1), infer={"is_auxiliary": True})
        values, log_q = made.transform({**params, "params": own}, eps)
        _sites(program, values, log_q - log_normal(eps))

    return sample


def _params(path: str, tree: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _params(f"{path}/{name}", value)
        if isinstance(value, Mapping)
        else numpyro.param(f"{path}/{name}", jnp.asarray(value, float))
        for name, value in tree.items()
    }


def _sites(program: Program, values: Mapping[str, Any], log_density: Any) -> None:
    """A site for each latent node, laid out as in the model; the density is spread over the draws of the first."""
    noise, log_det = noise_of_gaps(program, values)
    log_density = log_density - log_det
    gaps = {gap.name: gap for gap in program.gaps.values()}
    for key, node in latent_nodes(program):
        name = gaps[key].site if key in gaps else key
        value = noise[key] if key in gaps else program.part_of(node, values[node.target.name]).array
        rank = 0 if key in gaps else event_rank(node.dist, node.support)
        batch = jnp.shape(value)[: jnp.ndim(value) - rank]
        count = math.prod(batch)
        share = jnp.broadcast_to(log_density / max(count, 1), batch)
        numpyro.sample(name, dist.Delta(value, share, event_dim=rank))
        log_density = jnp.zeros(()) if count else log_density
