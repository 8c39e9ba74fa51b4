"""The log density of a statement for all values of the discrete elements in it: exact at probabilities of 0 and 1, with gradients
that are finite there.

Arguments and values broadcast against each other: an axis along which nothing varies stays of length one.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln

from emfppl.runtime.bijections.laws_by_name import arguments
from emfppl.runtime.discrete.semiring import log_of, log_of_rest, log_sum, times
from emfppl.runtime.execute import Site


def log_prob(site: Site, value: Any) -> Any:
    """log p(value) over the node's domain."""
    exact = {"Bernoulli": _bernoulli, "Binomial": _binomial, "Categorical": _categorical, "Poisson": _poisson}.get(site.dist.name)
    if exact is None or site.node.narrowed:
        return site.map.log_prob(value)
    args = arguments(site.dist, site.table)
    if "logits" in args and site.dist.name != "Categorical":
        return site.map.log_prob(value)
    return exact(args, jnp.asarray(value))


def of_own_values(site: Site, label: str, values: Any) -> Any:
    """log p over the values of a discrete latent, which lie along `label`: normalised over those in its support."""
    axis = site.batch.index(label)
    if site.dist.name == "Categorical" and not site.node.narrowed:
        return _own_categories(site, axis)
    shaped = jnp.reshape(values, tuple(len(values) if n == axis else 1 for n in range(len(site.batch))))
    table = log_prob(site, shaped)
    inside = _inside(site, shaped)
    table = table if inside is None else jnp.where(inside, table, -jnp.inf)
    return table - jnp.expand_dims(log_sum(table, (axis,)), axis) if site.node.narrowed else table


def _own_categories(site: Site, axis: int) -> Any:
    """The probabilities themselves, their last axis in the place of the one of length 1 that stands for the values."""
    logits = _normalised(arguments(site.dist, site.table))
    return jnp.moveaxis(jnp.squeeze(logits, axis), -1, axis)


def _inside(site: Site, values: Any) -> Any:
    """Which values are within bounds that vary over the domain."""
    inside = None
    for bound, sign in ((site.support.lower, 1), (site.support.upper, -1)):
        if bound is not None:
            here = sign * (values - bound) >= 0
            inside = here if inside is None else inside & here
    return inside


def _bernoulli(args: dict[str, Any], x: Any) -> Any:
    p = args["probs"]
    return jnp.where(x != 0, log_of(p), log_of_rest(p))


def _binomial(args: dict[str, Any], x: Any) -> Any:
    n, p = args["total_count"], args["probs"]
    inside = (x >= 0) & (x <= n)
    x = jnp.where(inside, x, 0)
    ways = gammaln(n + 1.0) - gammaln(x + 1.0) - gammaln(n - x + 1.0)
    return jnp.where(inside, ways + times(x, log_of(p)) + times(n - x, log_of_rest(p)), -jnp.inf)


def _poisson(args: dict[str, Any], x: Any) -> Any:
    rate = args["rate"]
    return times(x, log_of(rate)) - rate - gammaln(x + 1.0)


def _categorical(args: dict[str, Any], x: Any) -> Any:
    logits = _normalised(args)
    shape = jnp.broadcast_shapes(logits.shape[:-1], x.shape)
    index = jnp.broadcast_to(x, shape)[..., None].astype(int)
    return jnp.take_along_axis(jnp.broadcast_to(logits, (*shape, logits.shape[-1])), index, axis=-1)[..., 0]


def _normalised(args: dict[str, Any]) -> jax.Array:
    """Log probabilities of the categories, along the last axis."""
    logits = args["logits"] if "logits" in args else log_of(args["probs"])
    return logits - log_sum(logits, (logits.ndim - 1,))[..., None]
