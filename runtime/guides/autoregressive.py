"""What autoregressive flows have in common: y_i increases in x_i, and depends on earlier coordinates besides.

::

    e = shape(eps)                          each coordinate its own skew and tails (`shape`)
    y_i = τ(x_i; x_<i)                      in each layer

Coordinates are taken in a given order, and only the first `seen` of them are looked at by others: where many depend on few (the
groups of a hierarchy on its scales) this costs little. Every second layer takes these in reverse. Masks may leave out more: what
is known not to matter (`inverse_graph`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.guides import perceptron, shape

LayerParams = dict[str, Any]


@dataclass(frozen=True)
class Autoregressive(ABC):
    """`layers` autoregressive layers over `dim` coordinates, with networks whose hidden layers have the given widths.

    `order`: the coordinates, those that others depend on first (by default as they are); `seen`: how many of them are
    looked at (by default all); `needs`: for each place in the order the earlier places that it may depend on (by default all).
    """

    dim: int
    layers: int = 2
    hidden: tuple[int, ...] = (32, 32)
    order: tuple[int, ...] = ()
    seen: int = 0
    needs: tuple[tuple[int, ...], ...] = ()

    @property
    @abstractmethod
    def name(self) -> str: ...

    # ------------------------------------------------------------ one layer, its coordinates in order

    @abstractmethod
    def init_layer(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Parameters of the identity, or next to it."""

    @abstractmethod
    def layer(self, params: LayerParams, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """y and log ∂y_i/∂x_i: (D,) each."""

    @abstractmethod
    def settle(self, params: LayerParams, x: jax.Array, y: jax.Array) -> jax.Array:
        """x_i from y_i, every coordinate taking those before it as they are in x."""

    # ------------------------------------------------------------ all of them

    @property
    def looked_at(self) -> int:
        """How many coordinates others depend on."""
        return min(self.seen or self.dim, self.dim)

    @cached_property
    def dependences(self) -> np.ndarray:
        """(D, D): which earlier places each place may depend on."""
        known = perceptron.earlier(self.dim, self.looked_at)
        if not self.needs:
            return known
        wanted = np.zeros_like(known)
        for place, needed in enumerate(self.needs):
            wanted[place, list(needed)] = True
        return known & wanted

    @property
    def _may_turn(self) -> bool:
        """Whether what coordinates may depend on is the same with those that are looked at in reverse."""
        seen, given = self.looked_at, self.dependences
        head, rest = given[:seen, :seen], given[seen:, :seen]
        return bool(np.array_equal(head, head[::-1, ::-1].T) and np.array_equal(rest, rest[:, ::-1]))

    @cached_property
    def _orders(self) -> list[np.ndarray]:
        """The order of the coordinates in every layer."""
        order = np.asarray(self.order or range(self.dim), np.int32)
        turned = np.concatenate([order[: self.looked_at][::-1], order[self.looked_at :]])
        return [turned if i % 2 and self._may_turn else order for i in range(self.layers)]

    def init(self, rng: np.random.Generator) -> dict[str, Any]:
        """``{"skew", "tail", "layer0": {…}, …}``."""
        return {**shape.start(self.dim), **{f"layer{i}": self.init_layer(rng) for i in range(self.layers)}}

    def forward_and_log_det(self, params: dict[str, Any], eps: jax.Array) -> tuple[jax.Array, jax.Array]:
        """v and log |det dv/deps|."""
        v, total = shape.forward(params, eps)
        for i, order in enumerate(self._orders):
            v, log_slope = self.layer(params[f"layer{i}"], v[order])
            v, total = v[np.argsort(order)], total + jnp.sum(log_slope)
        return v, total

    def inverse_and_log_det(self, params: dict[str, Any], v: jax.Array) -> tuple[jax.Array, jax.Array]:
        """eps, coordinate after coordinate, and log |det deps/dv|."""
        total = jnp.zeros((), v.dtype)
        for i, order in reversed(list(enumerate(self._orders))):
            x = self._invert_layer(params[f"layer{i}"], v[order])
            total = total - jnp.sum(self.layer(params[f"layer{i}"], x)[1])
            v = x[np.argsort(order)]
        eps, log_det = shape.inverse(params, v)
        return eps, total + log_det

    def _invert_layer(self, params: LayerParams, y: jax.Array) -> jax.Array:
        """Each pass settles one more of the coordinates that are looked at, the last one all others."""
        passes = min(self.looked_at + 1, self.dim)
        return jax.lax.fori_loop(0, passes, lambda _, x: self.settle(params, x, y), y)

    def push(self, params: dict[str, Any], eps: jax.Array, score: jax.Array) -> tuple[jax.Array, jax.Array]:
        """v, and the gradient of log q(v) in v from that of log q(eps) in eps, step by step: with J = dv/dx of a step,
        score_v = J⁻ᵀ (score_x − ∇ log |det J|)."""
        v, score = shape.push(params, eps, score)
        for i, order in enumerate(self._orders):
            v, score = self._push_layer(params[f"layer{i}"], v[order], score[order])
            v, score = v[np.argsort(order)], score[np.argsort(order)]
        return v, score

    def _push_layer(self, params: LayerParams, x: jax.Array, score: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The same for a layer: its Jacobian is a diagonal D and a strictly lower triangle, so that Jᵀ z = r, the difference of the
        scores, is where z + D⁻¹ (r − Jᵀ z) stands still: in as many passes as coordinates depend on one another, or up to
        rounding in a few."""
        (y, log_slope), back = jax.vjp(lambda x: self.layer(params, x), x)
        still, ones = jnp.finfo(x.dtype).eps ** 0.5, jnp.ones_like(log_slope)

        def going(state: tuple[Any, ...]) -> jax.Array:
            passes, z, moved = state
            return (passes <= self.looked_at) & (jnp.max(jnp.abs(moved)) > still * jnp.max(jnp.abs(z)))

        def better(state: tuple[Any, ...]) -> tuple[Any, ...]:
            passes, z, _ = state
            moved = (score - back((z, ones))[0]) * jnp.exp(-log_slope)
            return passes + 1, z + moved, moved

        return y, jax.lax.while_loop(going, better, (jnp.asarray(0), jnp.zeros_like(x), jnp.ones_like(x)))[1]
