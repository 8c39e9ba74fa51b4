"""Sparse Cholesky factors of Gaussian precisions by a plan: log-determinant, solutions and draws, level by level (`levels`), long
chains in a scan (`sweeps`).

Λ = L Lᵀ up to the order, with L = (√d; u √d) in each column, d being its pivot. All is differentiable and can be vmapped; a
precision that is not positive definite gives nan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from emfppl.runtime.gaussian.dense import cholesky, solve_lower, solve_upper
from emfppl.runtime.gaussian.levels import LevelFactor, factor_level, split
from emfppl.runtime.gaussian.placing import spread, total
from emfppl.runtime.gaussian.plan import Plan, Sweep
from emfppl.runtime.gaussian.sweeps import SweepFactor, factor_sweep

ROUNDING = 64  # units in the last place of the diagonal


@dataclass(frozen=True)
class Factor:
    """A factored precision Λ (D, D)."""

    plan: Plan
    diagonal: Any  # of Λ (D,), in order of elimination
    parts: tuple[LevelFactor | SweepFactor, ...]
    dense: Any  # the Cholesky factor of the remainder

    @property
    def log_det(self) -> Any:
        """log det Λ; nan where what is left of an entry of the diagonal is no more than its rounding: there Λ is singular."""
        pivots = jnp.concatenate([*(part.pivots for part in self.parts), jnp.diagonal(self.dense) ** 2])
        least = ROUNDING * jnp.finfo(pivots.dtype).eps * self.diagonal
        regular = jnp.all(jax.lax.stop_gradient(pivots) > least)
        return jnp.where(regular, jnp.sum(jnp.log(pivots)), jnp.nan)

    def whitened(self, h: Any) -> Any:
        """L⁻¹ h, in order of elimination: (D,). Its squared length is hᵀ Λ⁻¹ h."""
        h, out = spread(h, self.plan.order), []
        for level, part in zip(self.plan.levels, self.parts, strict=True):
            mine, h = split(h, [level.count, h.shape[0] - level.count])
            white, carried = part.white(mine)
            out.append(white)
            h = h + total(carried, level.carried)
        return jnp.concatenate([*out, solve_lower(self.dense, h)])

    def coloured(self, w: Any) -> Any:
        """L⁻ᵀ w, of w in order of elimination, in the order of the scalars: (D,)."""
        head, w = split(w, [self.plan.dim - self.plan.remainder, self.plan.remainder])
        z = solve_upper(self.dense, w)
        noise = split(head, [level.count for level in self.plan.levels])
        for part, mine in reversed(list(zip(self.parts, noise, strict=True))):
            z = jnp.concatenate([part.back(mine, z), z])
        return total(z, self.plan.order)


def factor(plan: Plan, entries: Any) -> Factor:
    """The factor of the precision with these entries (nnz,) in the order of the plan's pattern."""
    x, found = total(entries, plan.entries), list[LevelFactor | SweepFactor]()
    diagonal = jax.lax.stop_gradient(entries)[plan.diagonal]
    for level in plan.levels:
        head, x = split(x, [level.rows, x.shape[0] - level.rows])
        part, updates = factor_sweep(level, head) if isinstance(level, Sweep) else factor_level(level, head)
        found.append(part)
        x = x + total(updates, level.updates)
    dense = spread(x, plan.square).reshape(plan.remainder, plan.remainder)
    return Factor(plan, diagonal, tuple(found), cholesky(dense))
