"""What every backbone is: an invertible map from standard normal noise eps to the noise u that the program takes.

A backbone is an *affine family* (`elementwise`, `full_rank`, `low_rank`), perhaps with layers between eps and it, a flow
(`iaf`) and a monotone spline on every coordinate (`splines`), and stands in a *frame*, a fixed change of coordinates::

    eps -> flow -> splines -> affine -> frame -> u

The frame whitens: between the rounds of the optimiser the affine map learned so far becomes the frame, so that steps
are always measured in units of the posterior, however correlated or badly scaled it is. When the fit is done the frame
is multiplied into the affine map and vanishes. All functions take one point (D,); callers vmap.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

Params = dict[str, Any]


@dataclass(frozen=True)
class Frame:
    """Fixed coordinates u = loc + scale · v, before any learning: scale (D,), or (D, D) lower triangular; with `weights` W (D, k)
    and scale (D,) u = loc + scale ∘ (v + W Wᵀ v)."""

    loc: np.ndarray
    scale: np.ndarray
    weights: np.ndarray | None = None

    @property
    def widths(self) -> np.ndarray:
        """The standard deviation of every coordinate for standard normal v: (D,)."""
        if self.weights is not None:  # (I + W Wᵀ)² = I + W (2 I + Wᵀ W) Wᵀ
            core = 2 * np.eye(self.weights.shape[1]) + self.weights.T @ self.weights
            return np.abs(self.scale) * np.sqrt(1 + np.sum((self.weights @ core) * self.weights, axis=1))
        return np.abs(self.scale) if self.scale.ndim == 1 else np.linalg.norm(self.scale, axis=1)


class Affine(ABC):
    """A family of affine maps u = loc + A v of dimension `dim`, parameters a flat dict of arrays."""

    name: str
    rank: int | None = 0  # how many directions a start may stretch beside a diagonal; None: any covariance

    def __init__(self, dim: int):
        self.dim = dim

    @property
    def outer(self) -> Affine:
        """The family of the frames of this family."""
        return self

    @abstractmethod
    def start(self, frame: Frame, rng: np.random.Generator) -> Params:
        """The member of the family nearest to a frame."""

    @abstractmethod
    def forward_and_log_det(self, params: Params, v: jax.Array) -> tuple[jax.Array, jax.Array]:
        """u = loc + A v and log |det A|."""

    @abstractmethod
    def inverse_and_log_det(self, params: Params, u: jax.Array) -> tuple[jax.Array, jax.Array]:
        """v = A⁻¹ (u − loc) and −log |det A|."""

    @abstractmethod
    def score(self, params: Params, v: jax.Array) -> jax.Array:
        """The gradient of log q(u) in u for standard normal v: −A⁻ᵀ v, shape (D,)."""

    @abstractmethod
    def framed(self, params: Params) -> tuple[Params, Params]:
        """The same map as a frame (of the family `outer`) and what is left to do before it."""

    @abstractmethod
    def fold(self, frame: Params, inner: Params) -> Params:
        """The one member equal to `inner` followed by `frame`."""


class Layer(Protocol):
    """An invertible map of the noise, the identity at its start; parameters are a pytree of arrays."""

    @property
    def name(self) -> str: ...

    def init(self, rng: np.random.Generator) -> Params:
        """Parameters of the identity."""

    def forward_and_log_det(self, params: Params, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """y and log |det dy/dx|."""

    def inverse_and_log_det(self, params: Params, y: jax.Array) -> tuple[jax.Array, jax.Array]:
        """x and log |det dx/dy|."""

    def push(self, params: Params, x: jax.Array, score: jax.Array) -> tuple[jax.Array, jax.Array]:
        """y, and the gradient of log q(y) in y from that of log q(x) in x: J⁻ᵀ (score − ∇ log |det J|), J = dy/dx."""


@dataclass(frozen=True)
class Backbone:
    """An affine family with a flow and splines under it, each or both of which may be missing.

    Parameters: ``{"affine": …}``, with ``"flow"`` and ``"splines"`` where there are such layers, and ``"frame"``, parameters of
    the affine family `affine.outer` held constant, while it is being fitted.
    """

    affine: Affine
    flow: Layer | None = None
    splines: Layer | None = None

    @property
    def dim(self) -> int:
        return self.affine.dim

    @property
    def layers(self) -> dict[str, Layer]:
        """The layers by the names of their parameters, in the order in which noise goes through them."""
        return {name: layer for name, layer in (("flow", self.flow), ("splines", self.splines)) if layer is not None}

    def init(self, frame: Frame, rng: np.random.Generator) -> Params:
        """Parameters of the affine map nearest to the frame, all layers being the identity."""
        return self.grown({"affine": self.affine.start(frame, rng)}, rng)

    def grown(self, params: Params, rng: np.random.Generator) -> Params:
        """Parameters of the same map, with those of layers that it lacks."""
        return {**{name: layer.init(rng) for name, layer in self.layers.items()}, **params}

    def forward_and_log_det(self, params: Params, eps: jax.Array) -> tuple[jax.Array, jax.Array]:
        """u and log |det du/deps|."""
        u, total = eps, jnp.zeros((), eps.dtype)
        for name, layer in self.layers.items():
            u, log_det = layer.forward_and_log_det(params[name], u)
            total = total + log_det
        u, log_det = self.affine.forward_and_log_det(params["affine"], u)
        total = total + log_det
        if "frame" in params:
            u, log_det = self.affine.outer.forward_and_log_det(params["frame"], u)
            total = total + log_det
        return u, total

    def inverse_and_log_det(self, params: Params, u: jax.Array) -> tuple[jax.Array, jax.Array]:
        """eps and log |det deps/du|."""
        total = jnp.zeros((), u.dtype)
        if "frame" in params:
            u, total = self.affine.outer.inverse_and_log_det(params["frame"], u)
        u, log_det = self.affine.inverse_and_log_det(params["affine"], u)
        total = total + log_det
        for name, layer in reversed(self.layers.items()):
            u, log_det = layer.inverse_and_log_det(params[name], u)
            total = total + log_det
        return u, total

    def score(self, params: Params, eps: jax.Array) -> jax.Array:
        """The gradient of log q(u) in u at u = forward(eps)."""
        x, score = eps, -eps
        for name, layer in self.layers.items():
            x, score = layer.push(params[name], x, score)
        score = self.affine.score(params["affine"], -score)
        return self.affine.outer.score(params["frame"], -score) if "frame" in params else score

    def framed(self, params: Params) -> Params:
        """The same map with the affine part moved into the frame."""
        frame, inner = self.affine.framed(self.folded(params)["affine"])
        return {**params, "affine": inner, "frame": frame}

    def folded(self, params: Params) -> Params:
        """The same map without a frame."""
        if "frame" not in params:
            return params
        rest = {k: v for k, v in params.items() if k != "frame"}
        return {**rest, "affine": self.affine.fold(params["frame"], params["affine"])}
