"""Distributions of whole vectors and matrices: the map of each, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

from emfppl.runtime.bijections import multivariate_normal, multivariate_t, partial_correlations, stick_breaking, wishart
from emfppl.runtime.bijections.bounded import Beta
from emfppl.runtime.bijections.laws import Law
from emfppl.runtime.bijections.maps import EventMap, Stretched, Structured
from emfppl.runtime.bijections.random_walk import GaussianRandomWalk

Shape = tuple[int, ...]
Args = Mapping[str, Any]


def _dirichlet(args: Args, batch: Shape, event: Shape) -> EventMap:
    alpha = jnp.broadcast_to(args["concentration"], (*args["concentration"].shape[:-1], *event))
    shift = jnp.asarray(stick_breaking.shift(event[-1]), alpha.dtype)
    law = Stretched(Beta(*stick_breaking.sticks(alpha)), shift, 1.0)
    density = dist.Dirichlet(jnp.broadcast_to(alpha, batch + event), validate_args=False).log_prob
    return Structured("simplex", law, density, batch, event)


def _correlations(concentration: jax.Array, event: Shape) -> Law:
    b = partial_correlations.beta_parameter(concentration, event[-1])
    return Stretched(Beta(b, b), jnp.zeros((), b.dtype), 2.0)


def _lkj_cholesky(args: Args, batch: Shape, event: Shape) -> EventMap:
    eta = args["concentration"]
    density = dist.LKJCholesky(event[-1], jnp.broadcast_to(eta, batch), validate_args=False).log_prob
    return Structured("corr_cholesky", _correlations(eta, event), density, batch, event)


def _lkj(args: Args, batch: Shape, event: Shape) -> EventMap:
    eta = args["concentration"]
    density = dist.LKJ(event[-1], jnp.broadcast_to(eta, batch), validate_args=False).log_prob
    return Structured("corr", _correlations(eta, event), density, batch, event)


def _normal(args: Args, batch: Shape, event: Shape) -> EventMap:
    return multivariate_normal.MultivariateNormal(args["loc"], multivariate_normal.scale_tril(args), batch, event)


def _student(args: Args, batch: Shape, event: Shape) -> EventMap:
    return multivariate_t.MultivariateStudentT(args["df"], args["loc"], multivariate_t.scale_tril(args), batch, event)


MAPS: Mapping[str, Callable[[Args, Shape, Shape], EventMap]] = MappingProxyType(
    {
        "Dirichlet": _dirichlet,
        "LKJCholesky": _lkj_cholesky,
        "LKJ": _lkj,
        "MultivariateNormal": _normal,
        "MultivariateStudentT": _student,
        "GaussianRandomWalk": lambda args, batch, event: GaussianRandomWalk(args["scale"], batch, event),
        "Wishart": lambda args, batch, event: wishart.Wishart(args["concentration"], wishart.scale_tril(args), batch, event),
    }
)
"""Called with the distribution's arguments, the batch shape and the event shape."""
