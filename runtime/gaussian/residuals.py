"""What a node of a Gaussian block adds to the quadratic form: whitened residuals that are affine in the inner latents.

::

    log p(x) = log_norm − ½ |r|²,       r = (x − loc) / scale   or   L⁻¹ (x − loc)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from emfppl.runtime.bijections.laws_by_name import arguments
from emfppl.runtime.bijections.multivariate_normal import MultivariateNormal, scale_tril
from emfppl.runtime.bijections.normal import HALF_LOG_2PI
from emfppl.runtime.execute import Site


class Residual(NamedTuple):
    """r (batch + event shape), log_norm (batch shape), and how many numbers of r there are."""

    r: jax.Array
    log_norm: jax.Array
    size: jax.Array


def location(site: Site) -> Any:
    """The location of a node's law: over its domain, and its event's axis if it has one."""
    return arguments(site.dist, site.table)["loc"]


def residual(site: Site, value: Any, seen: Any = None, shifted: bool = False) -> Residual:
    """What a node adds at a value, or at its excess over the location (`shifted`); nothing where it was not `seen`."""
    if site.dist.name == "Flat":
        return Residual(jnp.zeros(0), jnp.zeros(()), jnp.zeros(()))
    args = arguments(site.dist, site.table)
    args = {**args, "loc": jnp.zeros_like(args["loc"])} if shifted else args
    r, log_det = (_vector if site.dist.name == "MultivariateNormal" else _scalar)(site, args, jnp.asarray(value, float))
    width = math.prod(site.event_shape)
    log_norm = log_det - HALF_LOG_2PI * width
    if seen is None:
        return Residual(r, log_norm, jnp.asarray(float(math.prod(site.batch_shape) * width)))
    seen = jnp.broadcast_to(seen, site.batch_shape)
    wide = jnp.reshape(seen, (*site.batch_shape, *(1 for _ in site.event_shape)))
    return Residual(jnp.where(wide, r, 0.0), jnp.where(seen, log_norm, 0.0), jnp.sum(seen) * float(width))


def _scalar(site: Site, args: Mapping[str, Any], value: jax.Array) -> tuple[jax.Array, jax.Array]:
    log = site.dist.name == "LogNormal"
    x = jnp.log(value) if log else value
    log_det = -jnp.log(args["scale"]) - (x if log else 0.0)
    return (x - args["loc"]) / args["scale"], jnp.broadcast_to(log_det, site.batch_shape)


def _vector(site: Site, args: Mapping[str, Any], value: jax.Array) -> tuple[jax.Array, jax.Array]:
    return MultivariateNormal(args["loc"], scale_tril(args), site.batch_shape, site.event_shape).inverse(value)
