"""Inverse autoregressive flows (Kingma et al. 2016) over skewed and tailed noise (Jones and Pewsey 2009).

::

    e_i = sinh(exp(tail_i) asinh(eps_i) + skew_i)         each coordinate its own shape
    v_i = e_i exp(s_i(e_<i)) + t_i(e_<i)                  in each layer

Shifts t and log scales s come from a masked multilayer perceptron (MADE, Germain et al. 2015); its last matrix starts at
zero, as skews and tails do, so that the flow starts as the identity. Coordinates are taken in a given order, and only the
first `seen` of them are looked at: where many depend on few (the groups of a hierarchy on its scales) this costs little.
Every second layer takes these in reverse. Log scales are bounded by ±`BOUND`, so that no step of an optimiser overflows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

BOUND = 3.0


def degrees(dim: int, widths: tuple[int, ...], seen: int) -> list[np.ndarray]:
    """For each layer of units, inputs first, the highest input (from 1) that each may see."""
    hidden = [1 + np.arange(w) % max(1, min(seen, dim - 1)) for w in widths]
    return [np.arange(1, dim + 1), *hidden]


def masks(dim: int, widths: tuple[int, ...], seen: int) -> list[np.ndarray]:
    """For each matrix (out, in) which entries are free: hidden unit h sees inputs <= its degree, output i hidden units < i."""
    layers = degrees(dim, widths, seen)
    inner = [b[:, None] >= a[None, :] for a, b in zip(layers, layers[1:], strict=False)]
    last = np.arange(1, dim + 1)[:, None] > layers[-1][None, :]
    return [*inner, np.concatenate([last, last])]


@dataclass(frozen=True)
class Iaf:
    """`layers` autoregressive layers over `dim` coordinates, each a perceptron with hidden layers of the given widths.

    `order`: the coordinates, those that others depend on first (by default as they are); `seen`: how many of them are
    looked at (by default all).
    """

    dim: int
    layers: int = 2
    hidden: tuple[int, ...] = (32, 32)
    order: tuple[int, ...] = ()
    seen: int = 0
    name: str = "iaf"

    @cached_property
    def _masks(self) -> list[np.ndarray]:
        return masks(self.dim, self.hidden, self._looked_at)

    @property
    def _looked_at(self) -> int:
        return self.seen or self.dim

    @cached_property
    def _orders(self) -> list[np.ndarray]:
        """The order of the coordinates in every layer."""
        order = np.asarray(self.order or range(self.dim), np.int32)
        turned = np.concatenate([order[: self._looked_at][::-1], order[self._looked_at :]])
        return [turned if i % 2 else order for i in range(self.layers)]

    def init(self, rng: np.random.Generator) -> dict[str, Any]:
        """``{"skew", "tail", "layer0": {"weights0", "biases0", …}, …}``: random inside, zero in each last matrix."""
        shape = {"skew": np.zeros(self.dim), "tail": np.zeros(self.dim)}
        return {**shape, **{f"layer{i}": self._init_layer(rng) for i in range(self.layers)}}

    def _init_layer(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        out: dict[str, np.ndarray] = {}
        for i, mask in enumerate(self._masks):
            spread = 0.0 if i == len(self._masks) - 1 else 1.0
            fan_in = np.maximum(mask.sum(1, keepdims=True), 1)
            out[f"weights{i}"] = spread * mask * rng.normal(size=mask.shape) / np.sqrt(fan_in)
            out[f"biases{i}"] = np.zeros(mask.shape[0])
        return out

    def _shift_and_log_scale(self, params: dict[str, jax.Array], x: jax.Array) -> tuple[jax.Array, jax.Array]:
        for i, mask in enumerate(self._masks):
            x = (params[f"weights{i}"] * mask) @ x + params[f"biases{i}"]
            x = jnp.tanh(x) if i < len(self._masks) - 1 else x
        return x[: self.dim], BOUND * jnp.tanh(x[self.dim :] / BOUND)

    def forward_and_log_det(self, params: dict[str, Any], eps: jax.Array) -> tuple[jax.Array, jax.Array]:
        """v and log |det dv/deps|."""
        v, total = _shaped(params, eps)
        for i, order in enumerate(self._orders):
            x = v[order]
            shift, log_scale = self._shift_and_log_scale(params[f"layer{i}"], x)
            v = (x * jnp.exp(log_scale) + shift)[np.argsort(order)]
            total = total + jnp.sum(log_scale)
        return v, total

    def push(self, params: dict[str, Any], eps: jax.Array, score: jax.Array) -> tuple[jax.Array, jax.Array]:
        """v, and the gradient of log q(v) in v from that of log q(eps) in eps, step by step: with J = dv/dx of a step,
        score_v = J⁻ᵀ (score_x − ∇ log |det J|)."""
        v, _ = _shaped(params, eps)
        slope, bend = jax.vmap(_shape_derivatives)(params["skew"], params["tail"], eps)
        score = (score - bend) / slope
        for i, order in enumerate(self._orders):
            v, score = self._layer_score(params[f"layer{i}"], v[order], score[order])
            v, score = v[np.argsort(order)], score[np.argsort(order)]
        return v, score

    def _layer_score(self, params: dict[str, jax.Array], x: jax.Array, score: jax.Array) -> tuple[jax.Array, jax.Array]:
        """v and score_v of a layer whose Jacobian is triangular, and diagonal in the columns that no one looks at."""
        seen = min(self._looked_at, self.dim)
        shift, log_scale = self._shift_and_log_scale(params, x)
        push = lambda head: self._shift_and_log_scale(params, jnp.concatenate([head, x[seen:]]))  # noqa: E731
        of_shift, of_scale = jax.jacfwd(push)(x[:seen])
        scale = jnp.exp(log_scale)
        below = (x * scale)[:, None] * of_scale + of_shift
        wanted = score.at[:seen].add(-jnp.sum(of_scale, axis=0))
        tail = wanted[seen:] / scale[seen:]
        rest = wanted[:seen] - tail @ below[seen:]
        square = below[:seen] + jnp.diag(scale[:seen])
        head = jax.scipy.linalg.solve_triangular(square, rest, lower=True, trans="T")
        return x * scale + shift, jnp.concatenate([head, tail])

    def inverse_and_log_det(self, params: dict[str, Any], v: jax.Array) -> tuple[jax.Array, jax.Array]:
        """eps, coordinate after coordinate, and log |det deps/dv|."""
        total = jnp.zeros((), v.dtype)
        for i, order in reversed(list(enumerate(self._orders))):
            x, log_scale = self._invert_layer(params[f"layer{i}"], v[order])
            v = x[np.argsort(order)]
            total = total - jnp.sum(log_scale)
        eps = jnp.sinh((jnp.arcsinh(v) - params["skew"]) * jnp.exp(-params["tail"]))
        return eps, total - _shaped(params, eps)[1]

    def _invert_layer(self, params: dict[str, jax.Array], y: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Each pass settles one more of the coordinates that are looked at, the last one all others."""

        def settle(_: Any, x: jax.Array) -> jax.Array:
            shift, log_scale = self._shift_and_log_scale(params, x)
            return (y - shift) * jnp.exp(-log_scale)

        x = jax.lax.fori_loop(0, min(self._looked_at + 1, self.dim), settle, y)
        return x, self._shift_and_log_scale(params, x)[1]


def _shape_derivatives(skew: jax.Array, tail: jax.Array, eps: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The slope of one coordinate's shape at eps, and the derivative of the logarithm of that slope."""
    log_slope = lambda e: _shaped({"skew": skew, "tail": tail}, e)[1]  # noqa: E731
    value, bend = jax.value_and_grad(log_slope)(eps)
    return jnp.exp(value), bend


def _shaped(params: dict[str, jax.Array], eps: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The coordinates with their skews and tails, and the log determinant."""
    inner = jnp.exp(params["tail"]) * jnp.arcsinh(eps) + params["skew"]
    log_cosh = jnp.logaddexp(inner, -inner) - np.log(2)
    return jnp.sinh(inner), jnp.sum(log_cosh + params["tail"] - 0.5 * jnp.log1p(eps**2))
