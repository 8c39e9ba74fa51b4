"""The support's transform T from unconstrained space, with its log-determinant, for every support."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp
from numpyro.distributions import biject_to, constraints
from numpyro.distributions.transforms import ZeroSumTransform

from emfppl.runtime.bijections import partial_correlations, stick_breaking, triangles
from emfppl.runtime.bijections.interval import Interval

Map = Callable[[jax.Array], tuple[jax.Array, jax.Array]]


def _numpyro(constraint: constraints.Constraint) -> tuple[Map, Map]:
    """NumPyro's transform to a constraint, and back, with log-determinants."""
    transform = ZeroSumTransform(1) if constraint is SUM_TO_ZERO else biject_to(constraint)

    def forward(y: jax.Array) -> tuple[jax.Array, jax.Array]:
        x = transform(y)
        return x, transform.log_abs_det_jacobian(y, x)

    def inverse(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        y = transform.inv(x)
        return y, -transform.log_abs_det_jacobian(y, x)

    return forward, inverse


SUM_TO_ZERO = constraints.zero_sum(1)
CONSTRAINTS: Mapping[str, constraints.Constraint] = MappingProxyType(
    {
        "simplex": constraints.simplex,
        "ordered": constraints.ordered_vector,
        "positive_ordered": constraints.positive_ordered_vector,
        "sum_to_zero": SUM_TO_ZERO,
        "real_vector": constraints.real_vector,
        "corr_cholesky": constraints.corr_cholesky,
        "corr": constraints.corr_matrix,
        "cov_cholesky": constraints.lower_cholesky,
        "cov": constraints.positive_definite,
    }
)


def _positive_ordered(y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """x_k = exp y_1 + … + exp y_k."""
    return jnp.cumsum(jnp.exp(y), axis=-1), jnp.sum(y, axis=-1)


def _from_positive_ordered(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    y = jnp.log(jnp.diff(x, axis=-1, prepend=0.0))
    return y, -jnp.sum(y, axis=-1)


STRUCTURED: Mapping[str, tuple[Map, Map]] = MappingProxyType(
    {name: _numpyro(constraint) for name, constraint in CONSTRAINTS.items()}
    | {
        "simplex": (stick_breaking.forward, stick_breaking.inverse),
        "positive_ordered": (_positive_ordered, _from_positive_ordered),
        "corr_cholesky": (partial_correlations.forward, partial_correlations.inverse),
        "corr": (triangles.correlation, triangles.from_correlation),
        "cov_cholesky": (triangles.cholesky, triangles.from_cholesky),
        "cov": (triangles.covariance, triangles.from_covariance),
    }
)


def structured_noise_shape(name: str, event_shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the unconstrained vector of a structured support; of the event itself for others."""
    n = event_shape[-1] if event_shape else 1
    sizes = {
        "simplex": n - 1,
        "sum_to_zero": n - 1,
        "corr_cholesky": math.comb(n, 2),
        "corr": math.comb(n, 2),
        "cov_cholesky": math.comb(n + 1, 2),
        "cov": math.comb(n + 1, 2),
    }
    return (sizes[name],) if name in sizes else event_shape


def forward(support: str | Interval, y: jax.Array, rank: int) -> tuple[jax.Array, jax.Array]:
    """T(y) and log |det T'(y)|, summed over the last `rank` axes of y."""
    if isinstance(support, Interval):
        return support.point(y).x, _summed(jnp.broadcast_to(support.log_slope(y), jnp.shape(y)), rank)
    return STRUCTURED[support][0](y)


def inverse(support: str | Interval, x: jax.Array, rank: int) -> tuple[jax.Array, jax.Array]:
    """T⁻¹(x) and its log-determinant."""
    if isinstance(support, Interval):
        y = support.unconstrained(support.at(x))
        return y, -_summed(jnp.broadcast_to(support.log_slope(y), jnp.shape(y)), rank)
    return STRUCTURED[support][1](x)


def _summed(a: jax.Array, rank: int) -> jax.Array:
    return jnp.sum(a, axis=tuple(range(-rank, 0))) if rank else a
