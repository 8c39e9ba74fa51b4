"""Coupling flows (Dinh et al. 2017; with splines Durkan et al. 2019): one half of the coordinates bends the other.

::

    e = shape(eps)                                       each coordinate its own skew and tails (`shape`)
    y_B = spline(x_B; x_A)  or  x_B exp(s(x_A)) + t(x_A)      y_A = x_A      in each layer, A and B changing places

Of the coordinates, in a given order, the first `seen` are dealt out to the halves A and B in turns. All others move in every
layer, so that where many depend on few (the groups of a hierarchy on its scales) they hear of both halves. Both directions cost
the same, one pass of a network.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.guides import perceptron, shape
from emfppl.runtime.guides.iaf import BOUND
from emfppl.runtime.guides.spline_flow import spline_numbers
from emfppl.runtime.guides.splines import Splines


@dataclass(frozen=True)
class Coupling:
    """`layers` couplings over `dim` coordinates, by networks whose hidden layers have the given widths: splines of `bins` bins, or
    affine maps where that is 0. `order`, `seen` as in `Autoregressive`."""

    dim: int
    layers: int = 4
    hidden: tuple[int, ...] = (32, 32)
    order: tuple[int, ...] = ()
    seen: int = 0
    bins: int = 8

    @property
    def name(self) -> str:
        return "coupling"

    @property
    def _halves(self) -> tuple[int, int]:
        """How many coordinates A and B hold."""
        looked_at = min(self.seen or self.dim, self.dim)
        return (looked_at + 1) // 2, looked_at // 2

    @cached_property
    def _deal(self) -> np.ndarray:
        """The coordinates of A, those of B, and the others."""
        order, looked_at = np.asarray(self.order or range(self.dim), np.int32), sum(self._halves)
        return np.concatenate([order[:looked_at:2], order[1:looked_at:2], order[looked_at:]])

    @property
    def _turns(self) -> range:
        return range(self.layers if self.dim > 1 else 0)

    def _by_b(self, layer: int) -> bool:
        """Whether B stays, and A moves."""
        return layer % 2 == 1 and self._halves[1] > 0

    def _apart(self, layer: int, v: jax.Array) -> tuple[jax.Array, jax.Array]:
        """What stays, and what moves, of coordinates as dealt."""
        a, b = self._halves
        if self._by_b(layer):
            return v[a : a + b], jnp.concatenate([v[:a], v[a + b :]])
        return v[:a], v[a:]

    def _together(self, layer: int, stays: jax.Array, moves: jax.Array) -> jax.Array:
        a = self._halves[0]
        return jnp.concatenate([moves[:a], stays, moves[a:]] if self._by_b(layer) else [stays, moves])

    def _masks(self, layer: int) -> list[np.ndarray]:
        given = self._halves[self._by_b(layer)]
        return perceptron.full(given, self.hidden, (self.dim - given) * (2 * self.bins - 1 if self.bins else 2))

    def init(self, rng: np.random.Generator) -> dict[str, Any]:
        """``{"skew", "tail", "layer0": {"weights0", "biases0", …}, …}``: the identity."""
        return {**shape.start(self.dim), **{f"layer{i}": perceptron.init(self._masks(i), rng) for i in self._turns}}

    # ------------------------------------------------------------ one coupling

    def _numbers(self, params: Any, layer: int, stays: jax.Array) -> dict[str, jax.Array]:
        """What a coupling's network says: the parameters of splines, or shifts and log scales."""
        count = self.dim - stays.size
        out = perceptron.apply(self._masks(layer), params[f"layer{layer}"], stays)
        if self.bins:
            return spline_numbers(out, count, self.bins)
        return {"shift": out[:count], "log_scale": BOUND * jnp.tanh(out[count:] / BOUND)}

    def _couple(self, numbers: dict[str, jax.Array], x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """y_B and the logarithms of its slopes."""
        if self.bins:
            return Splines(x.size, self.bins).forward(numbers, x)
        return x * jnp.exp(numbers["log_scale"]) + numbers["shift"], numbers["log_scale"]

    def _uncouple(self, numbers: dict[str, jax.Array], y: jax.Array) -> jax.Array:
        if self.bins:
            return Splines(y.size, self.bins).inverse(numbers, y)
        return (y - numbers["shift"]) * jnp.exp(-numbers["log_scale"])

    # ------------------------------------------------------------ all of them

    def forward_and_log_det(self, params: dict[str, Any], eps: jax.Array) -> tuple[jax.Array, jax.Array]:
        """v and log |det dv/deps|."""
        v, total = shape.forward(params, eps)
        v = v[self._deal]
        for i in self._turns:
            stays, moves = self._apart(i, v)
            y, log_slope = self._couple(self._numbers(params, i, stays), moves)
            v, total = self._together(i, stays, y), total + jnp.sum(log_slope)
        return v[np.argsort(self._deal)], total

    def inverse_and_log_det(self, params: dict[str, Any], v: jax.Array) -> tuple[jax.Array, jax.Array]:
        """eps and log |det deps/dv|."""
        total, v = jnp.zeros((), v.dtype), v[self._deal]
        for i in reversed(self._turns):
            stays, y = self._apart(i, v)
            numbers = self._numbers(params, i, stays)
            x = self._uncouple(numbers, y)
            v, total = self._together(i, stays, x), total - jnp.sum(self._couple(numbers, x)[1])
        eps, log_det = shape.inverse(params, v[np.argsort(self._deal)])
        return eps, total + log_det

    def push(self, params: dict[str, Any], eps: jax.Array, score: jax.Array) -> tuple[jax.Array, jax.Array]:
        """v, and the gradient of log q(v) in v from that of log q(eps) in eps, coupling by coupling."""
        v, score = shape.push(params, eps, score)
        v, score = v[self._deal], score[self._deal]
        for i in self._turns:
            v, score = self._push_coupling(params, i, v, score)
        back = np.argsort(self._deal)
        return v[back], score[back]

    def _push_coupling(self, params: Any, i: int, v: jax.Array, score: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Of one coupling::

        score_y_B = (score_x_B − ∂_B Σ log slope) / slope     score_y_A = score_x_A − ∂_A Σ log slope − (∂y_B/∂x_A)ᵀ score_y_B
        """
        stays, moves = self._apart(i, v)
        score_stays, score_moves = self._apart(i, score)
        numbers = self._numbers(params, i, stays)
        (y, log_slope), (_, bend) = jax.jvp(lambda x: self._couple(numbers, x), (moves,), (jnp.ones_like(moves),))
        mine = (score_moves - bend) * jnp.exp(-log_slope)
        _, pull = jax.vjp(lambda a: self._couple(self._numbers(params, i, a), moves), stays)
        (away,) = pull((mine, jnp.ones_like(log_slope)))
        return self._together(i, stays, y), self._together(i, score_stays - away, mine)
