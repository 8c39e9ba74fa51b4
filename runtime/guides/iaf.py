"""Inverse autoregressive flows (Kingma et al. 2016): v_i = eps_i exp(s_i(eps_<i)) + t_i(eps_<i).

Shifts t and log scales s come from a masked multilayer perceptron (MADE, Germain et al. 2015); its last layer starts at zero,
so that the flow starts as the identity. Every second layer runs through the coordinates backwards. Log scales are
bounded by ±`BOUND` so that no single step of an optimiser can overflow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

BOUND = 3.0


def degrees(dim: int, widths: tuple[int, ...]) -> list[np.ndarray]:
    """For each layer of units, inputs first, the highest input (from 1) that each may see."""
    hidden = [1 + np.arange(w) % max(1, dim - 1) for w in widths]
    return [np.arange(1, dim + 1), *hidden]


def masks(dim: int, widths: tuple[int, ...]) -> list[np.ndarray]:
    """For each matrix (out, in) which entries are free: hidden unit h sees inputs <= its degree, output i hidden units < i."""
    layers = degrees(dim, widths)
    inner = [b[:, None] >= a[None, :] for a, b in zip(layers, layers[1:], strict=False)]
    last = np.arange(1, dim + 1)[:, None] > layers[-1][None, :]
    return [*inner, np.concatenate([last, last])]


@dataclass(frozen=True)
class Iaf:
    """`layers` autoregressive layers over `dim` coordinates, each a perceptron with hidden layers of the given widths."""

    dim: int
    layers: int = 1
    hidden: tuple[int, ...] = (32, 32)
    name: str = "iaf"

    def init(self, rng: np.random.Generator) -> dict[str, Any]:
        """``{"layer0": {"weights0", "biases0", …}, …}``: random inside, zero in each last matrix."""
        return {f"layer{i}": self._init_layer(rng) for i in range(self.layers)}

    def _init_layer(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        out: dict[str, np.ndarray] = {}
        shapes = masks(self.dim, self.hidden)
        for i, mask in enumerate(shapes):
            spread = 0.0 if i == len(shapes) - 1 else 1.0
            fan_in = np.maximum(mask.sum(1, keepdims=True), 1)
            out[f"weights{i}"] = spread * mask * rng.normal(size=mask.shape) / np.sqrt(fan_in)
            out[f"biases{i}"] = np.zeros(mask.shape[0])
        return out

    def _shift_and_log_scale(self, params: dict[str, jax.Array], x: jax.Array) -> tuple[jax.Array, jax.Array]:
        shapes = masks(self.dim, self.hidden)
        for i, mask in enumerate(shapes):
            x = (params[f"weights{i}"] * mask) @ x + params[f"biases{i}"]
            x = jnp.tanh(x) if i < len(shapes) - 1 else x
        return x[: self.dim], BOUND * jnp.tanh(x[self.dim :] / BOUND)

    def forward_and_log_det(self, params: dict[str, Any], eps: jax.Array) -> tuple[jax.Array, jax.Array]:
        """v and log |det dv/deps| = Σ s."""
        total = jnp.zeros((), eps.dtype)
        for i in range(self.layers):
            x = eps[::-1] if i % 2 else eps
            shift, log_scale = self._shift_and_log_scale(params[f"layer{i}"], x)
            x = x * jnp.exp(log_scale) + shift
            eps = x[::-1] if i % 2 else x
            total = total + jnp.sum(log_scale)
        return eps, total

    def inverse_and_log_det(self, params: dict[str, Any], v: jax.Array) -> tuple[jax.Array, jax.Array]:
        """eps, coordinate after coordinate, and log |det deps/dv|."""
        total = jnp.zeros((), v.dtype)
        for i in reversed(range(self.layers)):
            y = v[::-1] if i % 2 else v
            x, log_scale = self._invert_layer(params[f"layer{i}"], y)
            v = x[::-1] if i % 2 else x
            total = total - jnp.sum(log_scale)
        return v, total

    def _invert_layer(self, params: dict[str, jax.Array], y: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Each of `dim` passes settles one more coordinate."""

        def settle(_: Any, x: jax.Array) -> jax.Array:
            shift, log_scale = self._shift_and_log_scale(params, x)
            return (y - shift) * jnp.exp(-log_scale)

        x = jax.lax.fori_loop(0, self.dim, settle, y)
        return x, self._shift_and_log_scale(params, x)[1]
