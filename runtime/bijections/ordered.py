"""Ordered vectors of independent, identical draws: exact order statistics, one conditional law after the other."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import gammaln

from emfppl.runtime.bijections import gated, normal
from emfppl.runtime.bijections.laws import Law
from emfppl.runtime.bijections.maps import EventMap, log_density
from emfppl.runtime.bijections.order_statistics import LeastAbove


@dataclass(frozen=True)
class Ordered(EventMap):
    """x_1 < … < x_K, sorted draws of `law`, its parameters over the batch. The gated x_k is conditional on the gated x_(k−1)."""

    law: Law
    batch_shape: tuple[int, ...]
    event_shape: tuple[int, ...]

    @property
    def noise_event_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.event_shape

    def forward(self, u: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        u, gate = self._filled(u, gate)
        if gate is None:
            return self._exact(u)
        shape = u.shape[:-1]
        u, gate = jnp.moveaxis(u, -1, 0), jnp.moveaxis(gate, -1, 0)
        size = u.shape[0]
        first = LeastAbove(self.law, jnp.asarray(size, u.dtype), None, jnp.zeros((), u.dtype))
        start = _step(first, u[0], gate[0])

        def step(lower: jax.Array, inputs: tuple) -> tuple:
            m, noise, opening = inputs
            law = LeastAbove(self.law, m, lower, self._log_survival(lower))
            x, log_det = _step(law, noise, opening)
            return x, (x, log_det)

        counts = jnp.arange(size - 1, 0, -1, dtype=u.dtype)
        begin = jnp.broadcast_to(start[0], shape).astype(u.dtype)
        xs: jax.Array
        log_dets: jax.Array
        _, (xs, log_dets) = lax.scan(step, begin, (counts, u[1:], gate[1:]))
        x = jnp.concatenate([begin[None], xs])
        return jnp.moveaxis(x, 0, -1), start[1] + jnp.sum(log_dets, axis=0)

    def _exact(self, u: jax.Array) -> tuple[jax.Array, jax.Array]:
        """log S_k = Σ_{j≤k} log Φ(−u_j) / (K − j + 1), then the law's quantile."""
        left = jnp.arange(u.shape[-1], 0, -1, dtype=u.dtype)
        survival = jnp.cumsum(normal.log_sf(u) / left, axis=-1)
        noise = jnp.moveaxis(normal.noise_of(normal.log1mexp(survival), survival), -1, 0)
        point = self.law.interval.point(self.law.from_noise(noise))
        log_prob = gammaln(u.shape[-1] + 1.0) + jnp.sum(self.law.log_prob(point), axis=0)
        return jnp.moveaxis(point.x, 0, -1), jnp.sum(normal.log_density(u), axis=-1) - log_prob

    def _log_survival(self, x: jax.Array) -> jax.Array:
        return self.law.log_sf(self.law.interval.at(x))

    def inverse(self, x: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        x, gate = self._filled(x, gate)
        x = jnp.moveaxis(x, -1, 0)
        gates = None if gate is None else jnp.moveaxis(gate, -1, 0)
        size = x.shape[0]
        first = LeastAbove(self.law, jnp.asarray(size, x.dtype), None, jnp.zeros((), x.dtype))
        counts = jnp.arange(size - 1, 0, -1, dtype=x.dtype).reshape(-1, *(1 for _ in x.shape[1:]))
        others = LeastAbove(self.law, counts, x[:-1], self._log_survival(x[:-1]))
        u0, det0 = _back(first, x[0], None if gates is None else gates[0])
        u, dets = _back(others, x[1:], None if gates is None else gates[1:])
        return jnp.moveaxis(jnp.concatenate([u0[None], u]), 0, -1), det0 + jnp.sum(dets, axis=0)

    def log_prob(self, x: jax.Array) -> jax.Array:
        x = jnp.asarray(x, float)
        each = log_density(self.law, jnp.moveaxis(x, -1, 0), self.batch_shape)
        return sorted_log_prob(x, jnp.sum(each, axis=0))


def sorted_log_prob(x: jax.Array, product: jax.Array, log_mass: jax.Array | None = None) -> jax.Array:
    """The product's log density where x is in order, −∞ elsewhere, less the log of the probability of that order (1 / K!)."""
    in_order = jnp.all(x[..., 1:] >= x[..., :-1], axis=-1)
    log_mass = -gammaln(x.shape[-1] + 1.0) if log_mass is None else log_mass
    return jnp.where(in_order, product - log_mass, -jnp.inf)


def _step(law: Law, u: jax.Array, gate: jax.Array) -> tuple[jax.Array, jax.Array]:
    y, log_slope = gated.forward(law, u, gate)
    return law.interval.point(y).x, log_slope + law.interval.log_slope(y)


def _back(law: Law, x: jax.Array, gate: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    y = law.interval.unconstrained(law.interval.at(x))
    u, log_slope = gated.inverse(law, y, gate)
    return u, log_slope - law.interval.log_slope(y)
