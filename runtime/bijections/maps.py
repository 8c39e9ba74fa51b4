"""What a node's map from noise can do, and the maps that are elementwise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from emfppl.runtime.bijections import gated, unconstrain
from emfppl.runtime.bijections.interval import Interval
from emfppl.runtime.bijections.laws import Law

LogDensity = Callable[[jax.Array], jax.Array]


class EventMap(ABC):
    """The bijection between a node's noise and its value, with the node's density.

    Values are ``(…, *batch_shape, *event_shape)``, noise ``(…, *batch_shape, *noise_event_shape)``, log-determinants and
    log densities ``(…, *batch_shape)``; gates broadcast to the noise.
    """

    batch_shape: tuple[int, ...]
    event_shape: tuple[int, ...]
    noise_event_shape: tuple[int, ...]
    exact: bool = True  # standard normal noise gives the node's law

    @abstractmethod
    def forward(self, u: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """x and log |det dx/du|."""

    @abstractmethod
    def inverse(self, x: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """u and log |det du/dx|."""

    @abstractmethod
    def log_prob(self, x: jax.Array) -> jax.Array:
        """log p(x); −∞ outside the support."""

    def _filled(self, u: jax.Array, gate: jax.Array | None) -> tuple[jax.Array, jax.Array | None]:
        """Noise (or unconstrained values) in full shape and real, and the gate likewise."""
        u = jnp.asarray(u, float)
        u = jnp.broadcast_to(u, jnp.broadcast_shapes(u.shape, (*self.batch_shape, *self.noise_event_shape)))
        return u, None if gate is None else jnp.broadcast_to(jnp.asarray(gate, u.dtype), u.shape)


@dataclass(frozen=True)
class Scalar(EventMap):
    """A law of one real number."""

    law: Law
    batch_shape: tuple[int, ...]
    event_shape: tuple[int, ...] = ()
    noise_event_shape: tuple[int, ...] = ()

    def forward(self, u: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        y, log_slope = gated.forward(self.law, *self._filled(u, gate))
        return self.law.interval.point(y).x, log_slope + self.law.interval.log_slope(y)

    def inverse(self, x: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        x = jnp.asarray(x, float)
        y, gate = self._filled(self.law.interval.unconstrained(self.law.interval.at(x)), gate)
        u, log_slope = gated.inverse(self.law, y, gate)
        return u, log_slope - self.law.interval.log_slope(y)

    def log_prob(self, x: jax.Array) -> jax.Array:
        return log_density(self.law, x, self.batch_shape)


def log_density(law: Law, x: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """log p(x), elementwise; −∞ outside the law's interval, with a finite gradient."""
    x = jnp.asarray(x, float)
    x = jnp.broadcast_to(x, jnp.broadcast_shapes(x.shape, shape))
    inside = law.interval.holds(x)
    safe = jnp.where(inside, x, law.interval.middle(x))
    return jnp.where(inside, law.log_prob(law.interval.at(safe)), -jnp.inf)


@dataclass(frozen=True)
class Plain(EventMap):
    """The support's transform alone, x = T(u), for a node without a prior map (``Flat`` and the like); gates do nothing."""

    support: str | Interval
    density: LogDensity
    batch_shape: tuple[int, ...]
    event_shape: tuple[int, ...]
    exact: bool = False

    @property
    def noise_event_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        if isinstance(self.support, Interval):
            return self.event_shape
        return unconstrain.structured_noise_shape(self.support, self.event_shape)

    def forward(self, u: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        return unconstrain.forward(self.support, self._filled(u, None)[0], len(self.noise_event_shape))

    def inverse(self, x: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        return unconstrain.inverse(self.support, jnp.asarray(x, float), len(self.event_shape))

    def log_prob(self, x: jax.Array) -> jax.Array:
        return self.density(jnp.asarray(x, float))


@dataclass(frozen=True)
class Stretched(Law):
    """A law in the coordinate y = (y' − shift) / stretch, y' being its own."""

    base: Law
    shift: jax.Array
    stretch: float

    def log_prob(self, p):  # type: ignore[no-untyped-def]
        return self.base.log_prob(p)

    def log_cdf(self, p):  # type: ignore[no-untyped-def]
        return self.base.log_cdf(p)

    def log_sf(self, p):  # type: ignore[no-untyped-def]
        return self.base.log_sf(p)

    def to_noise(self, y: jax.Array) -> jax.Array:
        return self.base.to_noise(self.stretch * y + self.shift)

    def from_noise(self, u: jax.Array) -> jax.Array:
        return (self.base.from_noise(u) - self.shift) / self.stretch

    def log_slope(self, u: jax.Array, y: jax.Array) -> jax.Array:
        return self.base.log_slope(u, self.stretch * y + self.shift) - jnp.log(self.stretch)


@dataclass(frozen=True)
class Structured(EventMap):
    """Independent elements of an unconstrained vector, each with a law, under the transform T of a structured support."""

    support: str
    law: Law
    density: LogDensity
    batch_shape: tuple[int, ...]
    event_shape: tuple[int, ...]

    @property
    def noise_event_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return unconstrain.structured_noise_shape(self.support, self.event_shape)

    def forward(self, u: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        y, log_slope = gated.forward(self.law, *self._filled(u, gate))
        x, log_det = unconstrain.forward(self.support, y, 1)
        return x, log_det + jnp.sum(log_slope, axis=-1)

    def inverse(self, x: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        y, log_det = unconstrain.inverse(self.support, jnp.asarray(x, float), 1)
        u, log_slope = gated.inverse(self.law, *self._filled(y, gate))
        return u, log_det + jnp.sum(log_slope, axis=-1)

    def log_prob(self, x: jax.Array) -> jax.Array:
        return self.density(jnp.asarray(x, float))
