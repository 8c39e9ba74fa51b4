"""Elementwise affine maps: u = loc + exp(log_scale) ∘ v."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.guides.backbone import Affine, Frame, Params


class Elementwise(Affine):
    """A normal distribution with independent elements; 2 D parameters."""

    name = "mean_field"

    def start(self, frame: Frame, rng: np.random.Generator) -> Params:
        return {"loc": frame.loc, "log_scale": np.log(frame.widths)}

    def forward_and_log_det(self, params: Params, v: jax.Array) -> tuple[jax.Array, jax.Array]:
        return params["loc"] + jnp.exp(params["log_scale"]) * v, jnp.sum(params["log_scale"])

    def inverse_and_log_det(self, params: Params, u: jax.Array) -> tuple[jax.Array, jax.Array]:
        return (u - params["loc"]) * jnp.exp(-params["log_scale"]), -jnp.sum(params["log_scale"])

    def score(self, params: Params, v: jax.Array) -> jax.Array:
        return -v * jnp.exp(-params["log_scale"])

    def framed(self, params: Params) -> tuple[Params, Params]:
        return params, {"loc": np.zeros(self.dim), "log_scale": np.zeros(self.dim)}

    def fold(self, frame: Params, inner: Params) -> Params:
        loc = frame["loc"] + np.exp(frame["log_scale"]) * inner["loc"]
        return {"loc": loc, "log_scale": frame["log_scale"] + inner["log_scale"]}
