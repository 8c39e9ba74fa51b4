"""The law that a gate makes of a node's: by pseudo-observations, or by opening location and scale apart.

The geometric gate (Gorinova et al. 2020, their λ being 1 − opening) takes y = f + g u to

    y = f + g^o_s (u − (1 − o_l) f),

the prior's map where both openings are 1 and the identity where both are 0. That is again a location and a scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from emfppl.compiler.distributions import Table
from emfppl.runtime.bijections.laws_by_name import arguments
from emfppl.runtime.bijections.pseudo_observations import FAMILIES, Parts
from emfppl.runtime.bijections.values import DistValue

LOC, SCALE = "open_loc", "open_scale"


def canonical(dist: DistValue, table: Table) -> dict[str, Any]:
    """The arguments in the form of the distribution's family."""
    return dict(FAMILIES[dist.name][1](arguments(dist, table)))


def updated(dist: DistValue, parts: Parts, table: Table) -> DistValue:
    """The law that a gate with these parts makes of a law."""
    family, args = FAMILIES[dist.name][0], canonical(dist, table)
    made = geometric(args, parts) if LOC in parts else family.updated(args, parts)
    return DistValue(family.law, made)


def geometric(args: Mapping[str, Any], parts: Parts) -> dict[str, jax.Array]:
    """Location and scale opened apart."""
    scale = jnp.exp(parts[SCALE] * jnp.log(args["scale"]))
    return {"loc": args["loc"] * (1 - scale * (1 - parts[LOC])), "scale": scale}
