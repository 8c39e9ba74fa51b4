"""Low-rank affine maps: u = loc + exp(log_scale) ∘ (v + W Wᵀ v), W of shape (D, r).

The covariance is diagonal plus rank r, and every such covariance is reached: (I + W Wᵀ)² = I + W (2 I + Wᵀ W) Wᵀ.
The determinant is det(I_r + Wᵀ W), the inverse I − W (I_r + Wᵀ W)⁻¹ Wᵀ.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.guides.backbone import Affine, Frame, Params
from emfppl.runtime.guides.elementwise import Elementwise


class LowRank(Affine):
    """A normal distribution whose covariance is diagonal plus rank r; D (2 + r) parameters."""

    name = "low_rank"
    rank: int

    def __init__(self, dim: int, rank: int):
        super().__init__(dim)
        self.rank = min(rank, dim)

    @property
    def outer(self) -> Affine:
        return Elementwise(self.dim)  # products of low-rank maps are not of low rank

    def start(self, frame: Frame, rng: np.random.Generator) -> Params:
        weights = 0.01 * rng.normal(size=(self.dim, self.rank))  # at zero the gradient in W vanishes
        if frame.weights is None:
            return {"loc": frame.loc, "log_scale": np.log(frame.widths), "weights": weights}
        given = frame.weights[:, : self.rank]
        return {"loc": frame.loc, "log_scale": np.log(frame.scale), "weights": np.c_[given, weights[:, given.shape[1] :]]}

    def _core(self, weights: jax.Array) -> jax.Array:
        """I_r + Wᵀ W: (r, r)."""
        return jnp.eye(weights.shape[1], dtype=weights.dtype) + weights.T @ weights

    def _log_det(self, params: Params) -> jax.Array:
        return jnp.sum(params["log_scale"]) + jnp.linalg.slogdet(self._core(params["weights"]))[1]

    def _solve(self, weights: jax.Array, v: jax.Array) -> jax.Array:
        """(I + W Wᵀ)⁻¹ v."""
        return v - weights @ jnp.linalg.solve(self._core(weights), weights.T @ v)

    def forward_and_log_det(self, params: Params, v: jax.Array) -> tuple[jax.Array, jax.Array]:
        weights = params["weights"]
        u = params["loc"] + jnp.exp(params["log_scale"]) * (v + weights @ (weights.T @ v))
        return u, self._log_det(params)

    def inverse_and_log_det(self, params: Params, u: jax.Array) -> tuple[jax.Array, jax.Array]:
        w = (u - params["loc"]) * jnp.exp(-params["log_scale"])
        return self._solve(params["weights"], w), -self._log_det(params)

    def score(self, params: Params, v: jax.Array) -> jax.Array:
        return -self._solve(params["weights"], v) * jnp.exp(-params["log_scale"])

    def framed(self, params: Params) -> tuple[Params, Params]:
        frame, inner = Elementwise(self.dim).framed({k: params[k] for k in ("loc", "log_scale")})
        return frame, {**inner, "weights": params["weights"]}

    def fold(self, frame: Params, inner: Params) -> Params:
        return {**Elementwise(self.dim).fold(frame, inner), "weights": inner["weights"]}
