"""What every backbone is: an invertible map from standard normal noise eps to the noise u that the program takes.

A backbone is an *affine family* (`elementwise`, `full_rank`, `low_rank`), with an optional autoregressive flow (`iaf`)
between eps and it, and stands in a *frame*, a fixed change of coordinates::

    eps -> flow -> affine -> frame -> u

The frame whitens: between the rounds of the optimiser the affine map learned so far becomes the frame, so that steps
are always measured in units of the posterior, however correlated or badly scaled it is. When the fit is done the frame
is multiplied into the affine map and vanishes. All functions take one point (D,); callers vmap.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.guides.iaf import Iaf

Params = dict[str, Any]


@dataclass(frozen=True)
class Frame:
    """Fixed coordinates u = loc + scale · v, before any learning: scale (D,), or (D, D) lower triangular."""

    loc: np.ndarray
    scale: np.ndarray

    @property
    def widths(self) -> np.ndarray:
        """The standard deviation of every coordinate for standard normal v: (D,)."""
        return np.abs(self.scale) if self.scale.ndim == 1 else np.linalg.norm(self.scale, axis=1)


class Affine(ABC):
    """A family of affine maps u = loc + A v of dimension `dim`, parameters a flat dict of arrays."""

    name: str

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


@dataclass(frozen=True)
class Backbone:
    """An affine family with an optional flow under it.

    Parameters: ``{"affine": …}``, with ``"flow"`` if there is one and ``"frame"``, parameters of the affine family
    `affine.outer` held constant, while it is being fitted.
    """

    affine: Affine
    flow: Iaf | None = None

    @property
    def dim(self) -> int:
        return self.affine.dim

    @property
    def name(self) -> str:
        return self.flow.name if self.flow else self.affine.name

    def init(self, frame: Frame, rng: np.random.Generator) -> Params:
        """Parameters of the affine map nearest to the frame, any flow being the identity."""
        flow = {"flow": self.flow.init(rng)} if self.flow else {}
        return {"affine": self.affine.start(frame, rng), **flow}

    def forward_and_log_det(self, params: Params, eps: jax.Array) -> tuple[jax.Array, jax.Array]:
        """u and log |det du/deps|."""
        total = jnp.zeros((), eps.dtype)
        if self.flow:
            eps, total = self.flow.forward_and_log_det(params["flow"], eps)
        u, log_det = self.affine.forward_and_log_det(params["affine"], eps)
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
        if self.flow:
            u, log_det = self.flow.inverse_and_log_det(params["flow"], u)
            total = total + log_det
        return u, total

    def score(self, params: Params, eps: jax.Array) -> jax.Array:
        """The gradient of log q(u) in u at u = forward(eps)."""
        score = self.flow.score(params["flow"], eps) if self.flow else -eps
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
