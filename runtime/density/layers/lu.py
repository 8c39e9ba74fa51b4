"""Linear maps with all correlations, by triangular factors: u = L U (x − loc), L with a diagonal of ones."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular

from emfppl.runtime.density.layer import Given, Layer, Params


@dataclass(frozen=True)
class Lu(Layer):
    """Noise is two products with triangular matrices, x two triangular systems; log |det ∂u/∂x| = Σ log U_ii."""

    def init(self, rng: np.random.Generator) -> Params:
        square = np.zeros((self.dim, self.dim))
        return {"loc": np.zeros(self.dim), "log_diagonal": np.zeros(self.dim), "lower": square, "upper": square.copy()}

    def _factors(self, params: Params) -> tuple[jax.Array, jax.Array]:
        ones = np.ones((self.dim, self.dim))
        lower = params["lower"] * np.tril(ones, -1) + np.eye(self.dim)
        return lower, params["upper"] * np.triu(ones, 1) + jnp.diag(jnp.exp(params["log_diagonal"]))

    def forward(self, params: Params, u: jax.Array, given: Given) -> tuple[jax.Array, jax.Array]:
        lower, upper = self._factors(params)
        inner = solve_triangular(lower, u, lower=True, unit_diagonal=True)
        return params["loc"] + solve_triangular(upper, inner), -jnp.sum(params["log_diagonal"])

    def inverse(self, params: Params, x: jax.Array, given: Given) -> tuple[jax.Array, jax.Array]:
        lower, upper = self._factors(params)
        return lower @ (upper @ (x - params["loc"])), jnp.sum(params["log_diagonal"])

    def settled(self, known: np.ndarray) -> np.ndarray:
        return known if known.all() else np.zeros_like(known)
