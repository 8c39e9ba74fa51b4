"""Observations of which only a part is known: beyond a limit, or to the nearest step. Density and draws, no map from noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from emfppl.runtime.bijections.interval import Interval
from emfppl.runtime.bijections.laws import Law
from emfppl.runtime.bijections.maps import EventMap, log_density
from emfppl.runtime.bijections.truncated import Truncated


@dataclass(frozen=True)
class Observation(EventMap):
    """What is known of a draw of `law`: `log_likelihood` of the recorded numbers."""

    law: Law
    log_likelihood: Callable[[jax.Array], jax.Array]
    batch_shape: tuple[int, ...]
    event_shape: tuple[int, ...] = ()
    noise_event_shape: tuple[int, ...] = ()
    exact: bool = False

    def forward(self, u: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        raise TypeError("a censored number is no smooth function of noise")

    def inverse(self, x: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        raise TypeError("a censored number is no smooth function of noise")

    def log_prob(self, x: jax.Array) -> jax.Array:
        x = jnp.asarray(x, float)
        return self.log_likelihood(jnp.broadcast_to(x, jnp.broadcast_shapes(x.shape, self.batch_shape)))


def censored(law: Law, lower: Any, upper: Any, batch_shape: tuple[int, ...]) -> Observation:
    """log p(x) between the limits, log P(X ≥ upper) at and above the upper one, log P(X ≤ lower) at and below the lower one."""

    def log_likelihood(x: jax.Array) -> jax.Array:
        out = log_density(law, x, batch_shape)
        if upper is not None:
            limit = jnp.broadcast_to(jnp.asarray(upper, x.dtype), x.shape)
            out = jnp.where(x >= limit, beyond(law, limit, above=True), out)
        if lower is not None:
            limit = jnp.broadcast_to(jnp.asarray(lower, x.dtype), x.shape)
            out = jnp.where(x <= limit, beyond(law, limit, above=False), out)
        return out

    return Observation(law, log_likelihood, batch_shape)


def beyond(law: Law, limit: jax.Array, above: bool) -> jax.Array:
    """log P(X > limit), or log P(X < limit); the limit may be infinite or outside the law's interval."""
    own = law.interval
    inside = jnp.isfinite(limit)
    over = limit == jnp.inf if own.upper is None else limit >= own.upper
    under = limit == -jnp.inf if own.lower is None else limit <= own.lower
    inside = inside & ~over & ~under
    p = own.at(jnp.where(inside, limit, own.middle(limit)))
    known = law.log_sf(p) if above else law.log_cdf(p)
    nothing = over if above else under
    return jnp.where(inside, known, jnp.where(nothing, -jnp.inf, 0.0))


def rounded(law: Law, step: Any, batch_shape: tuple[int, ...]) -> Observation:
    """log P(x − step / 2 < X < x + step / 2)."""
    own, half = law.interval, 0.5 * jnp.asarray(step, float)

    def log_likelihood(x: jax.Array) -> jax.Array:
        low, high = x - half, x + half
        low = low if own.lower is None else jnp.maximum(low, own.lower)
        high = high if own.upper is None else jnp.minimum(high, own.upper)
        some = low < high
        middle = own.middle(x)
        low, high = jnp.where(some, low, middle), jnp.where(some, high, middle + half)
        return jnp.where(some, Truncated(law, Interval(low, high)).log_mass, -jnp.inf)

    return Observation(law, log_likelihood, batch_shape)


def recorded(name: str, args: dict[str, Any], x: jax.Array, whole: bool) -> jax.Array:
    """What is recorded of a draw x."""
    if name == "rounded":
        step = args["step"]
        return jnp.round(x / step) * step
    lower, upper = args.get("lower"), args.get("upper")
    if lower is not None:
        x = jnp.maximum(x, jnp.floor(lower) if whole else lower)
    if upper is not None:
        x = jnp.minimum(x, jnp.ceil(upper) if whole else upper)
    return x.astype(int) if whole else x
