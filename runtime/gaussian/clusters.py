"""Sites for rows that depend on the same few latents: one pseudo-observation of all k of them in the place of many of one number.

Rows whose predictors are linear in the same z_f = (z_i, …, z_j) have between them a likelihood that is a function of z_f, and sites
whose product is a normal density in z_f. That is what is learned, with k (k + 3) / 2 numbers, however many rows there are::

    site_f(z) = N(loc; T z_f, diag(scale²)),      T lower triangular with ones on its diagonal
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.gaussian.footprints import NONE

RIDGE = 1e-6  # of the largest precision in a cluster: what rows do not tell of some direction is told by so much


@dataclass(frozen=True, eq=False)
class Clusters:
    """The sets of latents (clusters, k), `NONE` behind smaller ones, and the cluster of every row (rows,)."""

    ids: np.ndarray
    which: np.ndarray

    @staticmethod
    def of(ids: np.ndarray) -> Clusters:
        """Of the sets of all rows (…, k)."""
        rows = ids.reshape(-1, ids.shape[-1])
        top = int(rows.max(initial=0)) + 2
        if rows.shape[1] * np.log2(top) < 62:
            codes = (rows + 1) @ (np.int64(top) ** np.arange(rows.shape[1]))
            _, first, which = np.unique(codes, return_index=True, return_inverse=True)
            return Clusters(rows[first], which.reshape(-1).astype(np.int32))
        found, which = np.unique(rows, axis=0, return_inverse=True)
        return Clusters(found, which.reshape(-1).astype(np.int32))

    @property
    def width(self) -> int:
        return self.ids.shape[1]

    @property
    def size(self) -> int:
        """How many numbers `predicted` gives."""
        return self.ids.size

    @property
    def mixes(self) -> int:
        """How many numbers there are in all T."""
        return len(self.ids) * (self.width * (self.width - 1) // 2)

    @property
    def num_params(self) -> int:
        return 2 * self.size + self.mixes

    @cached_property
    def _present(self) -> np.ndarray:
        return self.ids != NONE

    def taken(self, z: jax.Array) -> jax.Array:
        """z_f (clusters, k), zero where there is none."""
        return jnp.where(self._present, z[np.maximum(self.ids, 0).astype(np.int32)], 0.0)

    def predicted(self, z: jax.Array, mix: jax.Array) -> jax.Array:
        """T z_f (clusters · k,)."""
        parts = self.taken(z)
        strict = np.tril_indices(self.width, -1)
        lower = jnp.zeros((len(self.ids), self.width, self.width), mix.dtype)
        lower = lower.at[:, strict[0], strict[1]].set(mix.reshape(len(self.ids), -1))
        lower = lower * self._present[:, :, None]
        return jnp.ravel(parts + jnp.einsum("fij,fj->fi", lower, parts))

    def initial(
        self, z: jax.Array, coefficients: jax.Array, slope: jax.Array, precision: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """loc, log_scale and mix that have the slopes and precisions of the rows, with the rows' coefficients (rows, k): a Newton
        step. The precision of a cluster is P = Tᵀ diag(1/scale²) T."""
        count = len(self.ids)
        outer = precision[:, None, None] * coefficients[:, :, None] * coefficients[:, None, :]
        matrix = jax.ops.segment_sum(outer, self.which, count)
        gradient = jax.ops.segment_sum(slope[:, None] * coefficients, self.which, count)
        largest = jnp.max(jnp.diagonal(matrix, axis1=1, axis2=2), axis=1)
        absent = jnp.where(self._present, 0.0, 1.0)
        ridge = (RIDGE * largest[:, None] + RIDGE) + absent
        matrix = matrix + ridge[:, :, None] * jnp.eye(self.width)
        centre = self.taken(z) + jnp.linalg.solve(matrix, gradient[..., None])[..., 0]
        upper = jnp.linalg.cholesky(matrix[:, ::-1, ::-1])[:, ::-1, ::-1]  # U with P = U Uᵀ
        diagonal = jnp.diagonal(upper, axis1=1, axis2=2)
        triangle = jnp.swapaxes(upper / diagonal[:, None, :], 1, 2)
        strict = np.tril_indices(self.width, -1)
        mix = triangle[:, strict[0], strict[1]]
        return jnp.einsum("fij,fj->fi", triangle, centre).ravel(), -jnp.log(diagonal).ravel(), mix.ravel()
