"""How the numbers of a network move a coordinate: maps between noise u and x, elementwise, of coupling and autoregressive layers.

Numbers come as rows (numbers, D), zeros being the identity.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import jax
import jax.numpy as jnp

from emfppl.runtime.density.layer import Pair
from emfppl.runtime.density.layers import rational_quadratic

Move = Callable[[jax.Array, jax.Array], Pair]  # of rows and coordinates

BOUND = 8.0  # of log scales, so that no step of an optimiser overflows


class Transform(Protocol):
    @property
    def numbers(self) -> int:
        """How many a coordinate takes."""

    @property
    def scale(self) -> int | None:
        """Which of them is a log scale; None where there is none."""

    def to_noise(self, rows: jax.Array, x: jax.Array) -> Pair:
        """u and log du/dx, elementwise."""

    def to_data(self, rows: jax.Array, u: jax.Array) -> Pair:
        """x and log dx/du, elementwise."""


@dataclass(frozen=True)
class Shift:
    """x = shift + exp(log_scale) u."""

    @property
    def numbers(self) -> int:
        return 2

    @property
    def scale(self) -> int:
        return 1

    @staticmethod
    def _log_scale(rows: jax.Array) -> jax.Array:
        return BOUND * jnp.tanh(rows[1] / BOUND)

    def to_noise(self, rows: jax.Array, x: jax.Array) -> Pair:
        log_scale = self._log_scale(rows)
        return (x - rows[0]) * jnp.exp(-log_scale), -log_scale

    def to_data(self, rows: jax.Array, u: jax.Array) -> Pair:
        log_scale = self._log_scale(rows)
        return rows[0] + u * jnp.exp(log_scale), log_scale


@dataclass(frozen=True)
class Spline:
    """u = spline(x), with `bins` bins."""

    bins: int

    @property
    def numbers(self) -> int:
        return rational_quadratic.numbers(self.bins)

    @property
    def scale(self) -> None:
        return None

    def to_noise(self, rows: jax.Array, x: jax.Array) -> Pair:
        return rational_quadratic.forward(rows.T, x)

    def to_data(self, rows: jax.Array, u: jax.Array) -> Pair:
        x, log_slope = rational_quadratic.backward(rows.T, u)
        return x, -log_slope


def transform_of(bins: int) -> Transform:
    """Splines of so many bins, or affine maps where that is 0."""
    return Spline(bins) if bins else Shift()
