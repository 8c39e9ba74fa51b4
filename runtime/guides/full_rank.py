"""Full-rank affine maps: u = loc + exp(log_scale) ∘ (v + N v), N strictly lower triangular.

The rows of the Cholesky factor L = diag(exp(log_scale)) (I + N) are scaled as a whole, so that entries of N are
correlations of a kind, of order one whatever the units of u.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular

from emfppl.runtime.guides.backbone import Affine, Frame, Params


class FullRank(Affine):
    """A normal distribution with any covariance; D + D (D + 1) / 2 parameters, N stored as its D (D − 1) / 2 entries by rows."""

    name = "full_rank"
    rank = None

    def __init__(self, dim: int):
        super().__init__(dim)
        self._below = np.tril_indices(dim, -1)
        self._place = np.zeros((dim, dim), np.int32)  # where an entry of N is in the flat vector; 0 is a zero
        self._place[self._below] = np.arange(1, len(self._below[0]) + 1)

    def _matrix(self, params: Params) -> jax.Array:
        """I + N, by a gather (a scatter is slow on CPU): (D, D)."""
        flat = jnp.concatenate([jnp.zeros_like(params["lower"], shape=(1,)), params["lower"]])
        return flat[self._place] + jnp.eye(self.dim, dtype=flat.dtype)

    def _params(self, loc: np.ndarray, factor: np.ndarray) -> Params:
        """Parameters of u = loc + factor · v, factor lower triangular with a positive diagonal."""
        scale = np.diag(factor)
        return {"loc": loc, "log_scale": np.log(scale), "lower": (factor / scale[:, None])[self._below]}

    def factor(self, params: Params) -> np.ndarray:
        """The Cholesky factor of the covariance, as a NumPy array (D, D)."""
        unit = np.eye(self.dim)
        unit[self._below] = params["lower"]
        return np.exp(np.asarray(params["log_scale"]))[:, None] * unit

    def start(self, frame: Frame, rng: np.random.Generator) -> Params:
        return self._params(frame.loc, frame.scale if frame.scale.ndim == 2 else np.diag(frame.scale))

    def forward_and_log_det(self, params: Params, v: jax.Array) -> tuple[jax.Array, jax.Array]:
        u = params["loc"] + jnp.exp(params["log_scale"]) * (self._matrix(params) @ v)
        return u, jnp.sum(params["log_scale"])

    def inverse_and_log_det(self, params: Params, u: jax.Array) -> tuple[jax.Array, jax.Array]:
        w = (u - params["loc"]) * jnp.exp(-params["log_scale"])
        v = solve_triangular(self._matrix(params), w, lower=True, unit_diagonal=True)
        return v, -jnp.sum(params["log_scale"])

    def score(self, params: Params, v: jax.Array) -> jax.Array:
        solved = solve_triangular(self._matrix(params), v, lower=True, trans="T", unit_diagonal=True)
        return -solved * jnp.exp(-params["log_scale"])

    def framed(self, params: Params) -> tuple[Params, Params]:
        return params, self._params(np.zeros(self.dim), np.eye(self.dim))

    def fold(self, frame: Params, inner: Params) -> Params:
        outer = self.factor(frame)
        return self._params(frame["loc"] + outer @ inner["loc"], outer @ self.factor(inner))
