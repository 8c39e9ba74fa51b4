"""Elementwise affine maps: u = loc + exp(log_scale) ∘ v, or the identity where nothing is to be learned."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.guides.backbone import Affine, Frame, Params


class Elementwise(Affine):
    """A normal distribution with independent elements; 2 parameters for each of the `learned` coordinates, by default all D."""

    name = "mean_field"

    def __init__(self, dim: int, learned: np.ndarray | None = None):
        super().__init__(dim)
        self.learned = np.arange(dim) if learned is None else np.asarray(learned, int)

    @property
    def whole(self) -> bool:
        """Whether all coordinates are learned."""
        return self.learned.size == self.dim

    def start(self, frame: Frame, rng: np.random.Generator) -> Params:
        return {"loc": frame.loc[self.learned], "log_scale": np.log(frame.widths[self.learned])}

    def _over_all(self, params: Params) -> tuple[jax.Array, jax.Array]:
        """loc and log_scale of all coordinates (D,): zero where nothing is learned."""
        if self.whole:
            return params["loc"], params["log_scale"]
        zeros = jnp.zeros(self.dim, jnp.result_type(params["loc"]))
        return zeros.at[self.learned].set(params["loc"]), zeros.at[self.learned].set(params["log_scale"])

    def forward_and_log_det(self, params: Params, v: jax.Array) -> tuple[jax.Array, jax.Array]:
        loc, log_scale = self._over_all(params)
        return loc + jnp.exp(log_scale) * v, jnp.sum(log_scale)

    def inverse_and_log_det(self, params: Params, u: jax.Array) -> tuple[jax.Array, jax.Array]:
        loc, log_scale = self._over_all(params)
        return (u - loc) * jnp.exp(-log_scale), -jnp.sum(log_scale)

    def score(self, params: Params, v: jax.Array) -> jax.Array:
        return -v * jnp.exp(-self._over_all(params)[1])

    def framed(self, params: Params) -> tuple[Params, Params]:
        return params, {"loc": np.zeros(self.learned.size), "log_scale": np.zeros(self.learned.size)}

    def fold(self, frame: Params, inner: Params) -> Params:
        loc = frame["loc"] + np.exp(frame["log_scale"]) * inner["loc"]
        return {"loc": loc, "log_scale": frame["log_scale"] + inner["log_scale"]}
