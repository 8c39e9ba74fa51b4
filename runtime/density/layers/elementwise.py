"""Elementwise affine maps, and monotone splines, of every coordinate by itself.

=========  ==========================  ======================================================
affine     x_i = loc_i + exp(s_i) u_i   starts as the identity
actnorm    the same                     starts from the mean and the width of a batch of data
splines    u_i = spline_i(x_i)          starts as the identity (`rational_quadratic`)
=========  ==========================  ======================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.density.layer import Given, Layer, Params
from emfppl.runtime.density.layers import rational_quadratic

NARROWEST = 1e-6  # standard deviation of a coordinate that hardly varies


def location_and_width(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of every column of x (N, D), the latter never 0."""
    x = np.asarray(x, np.float64)
    width = x.std(axis=0)
    return x.mean(axis=0), np.where(width > NARROWEST, width, 1.0)


def units_of(x: np.ndarray | jax.Array) -> dict[str, np.ndarray]:
    """Units in which x (N, D) has mean 0 and variance 1."""
    loc, width = location_and_width(np.asarray(x))
    return {"loc": loc, "width": width}


@dataclass(frozen=True)
class Elementwise(Layer):
    """A layer whose coordinates go each their own way."""

    def settled(self, known: np.ndarray) -> np.ndarray:
        return known


@dataclass(frozen=True)
class Affine(Elementwise):
    """Location and log scale of every coordinate."""

    def init(self, rng: np.random.Generator) -> Params:
        return {"loc": np.zeros(self.dim), "log_scale": np.zeros(self.dim)}

    def forward(self, params: Params, u: jax.Array, given: Given) -> tuple[jax.Array, jax.Array]:
        return params["loc"] + jnp.exp(params["log_scale"]) * u, jnp.sum(params["log_scale"])

    def inverse(self, params: Params, x: jax.Array, given: Given) -> tuple[jax.Array, jax.Array]:
        return (x - params["loc"]) * jnp.exp(-params["log_scale"]), -jnp.sum(params["log_scale"])


@dataclass(frozen=True)
class Actnorm(Affine):
    """An affine map that starts where noise has mean 0 and variance 1 (Kingma and Dhariwal 2018)."""

    def warm(self, params: Params, x: np.ndarray, given: Given) -> Params:
        loc, width = location_and_width(x)
        return {"loc": loc, "log_scale": np.log(width)}


@dataclass(frozen=True)
class Splines(Elementwise):
    """A spline of `bins` bins on every coordinate."""

    bins: int = 8
    in_units: ClassVar[bool] = True

    def init(self, rng: np.random.Generator) -> Params:
        return {"table": np.zeros((self.dim, rational_quadratic.numbers(self.bins)))}

    def forward(self, params: Params, u: jax.Array, given: Given) -> tuple[jax.Array, jax.Array]:
        x, log_slope = rational_quadratic.backward(params["table"], u)
        return x, -jnp.sum(log_slope)

    def inverse(self, params: Params, x: jax.Array, given: Given) -> tuple[jax.Array, jax.Array]:
        u, log_slope = rational_quadratic.forward(params["table"], x)
        return u, jnp.sum(log_slope)
