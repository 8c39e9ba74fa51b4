"""Sparse Cholesky factors of Gaussian precisions by a plan: log-determinant, solutions and draws, level by level.

With pivots d and the entries a of a column below it, u = a / d, each level does::

    Λ_rest −= Σ u aᵀ          h_rest −= Σ u h          z = (w / √d) − uᵀ z_rest

so that Λ = L Lᵀ up to the order, with L = (√d; u √d) in each column. All is differentiable and can be vmapped; a precision that
is not positive definite gives nan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from emfppl.runtime.gaussian.dense import cholesky, solve_lower, solve_upper
from emfppl.runtime.gaussian.placing import spread, total
from emfppl.runtime.gaussian.plan import Group, Level, Plan

ROUNDING = 64  # units in the last place of the diagonal


@dataclass(frozen=True)
class _Columns:
    """The columns of a group: pivots (m,), and u of local (k, m) and shared (s, m) neighbours."""

    pivot: Any
    local: Any
    shared: Any


@dataclass(frozen=True)
class Factor:
    """A factored precision Λ (D, D)."""

    plan: Plan
    diagonal: Any  # of Λ (D,), in order of elimination
    columns: tuple[tuple[_Columns, ...], ...]
    dense: Any  # the Cholesky factor of the remainder

    @property
    def log_det(self) -> Any:
        """log det Λ; nan where what is left of an entry of the diagonal is no more than its rounding: there Λ is singular."""
        pivots = jnp.concatenate([*(c.pivot for level in self.columns for c in level), jnp.diagonal(self.dense) ** 2])
        least = ROUNDING * jnp.finfo(pivots.dtype).eps * self.diagonal
        regular = jnp.all(jax.lax.stop_gradient(pivots) > least)
        return jnp.where(regular, jnp.sum(jnp.log(pivots)), jnp.nan)

    def whitened(self, h: Any) -> Any:
        """L⁻¹ h, in order of elimination: (D,). Its squared length is hᵀ Λ⁻¹ h."""
        h, out = spread(h, self.plan.order), []
        for level, columns in zip(self.plan.levels, self.columns, strict=True):
            mine, h = _split(h, [level.count, h.shape[0] - level.count])
            parts = _split(mine, [group.m for group in level.groups])
            out += [part / jnp.sqrt(c.pivot) for part, c in zip(parts, columns, strict=True)]
            h = h + total(_joined([_carried(c, part) for part, c in zip(parts, columns, strict=True)]), level.carried)
        return jnp.concatenate([*out, solve_lower(self.dense, h)])

    def coloured(self, w: Any) -> Any:
        """L⁻ᵀ w, of w in order of elimination, in the order of the scalars: (D,)."""
        head, w = _split(w, [self.plan.dim - self.plan.remainder, self.plan.remainder])
        z = solve_upper(self.dense, w)
        parts = _split(head, [level.count for level in self.plan.levels])
        for level, columns, part in reversed(list(zip(self.plan.levels, self.columns, parts, strict=True))):
            mine = _split(part, [group.m for group in level.groups])
            new = [_back(*pair, z) for pair in zip(level.groups, columns, mine, strict=True)]
            z = jnp.concatenate([*new, z])
        return total(z, self.plan.order)

    def solve(self, h: Any) -> Any:
        """Λ⁻¹ h: (D,)."""
        return self.coloured(self.whitened(h))

    def sample(self, eps: Any) -> Any:
        """L⁻ᵀ eps, a draw from N(0, Λ⁻¹) for standard normal eps (D,)."""
        return self.coloured(eps)


def factor(plan: Plan, entries: Any) -> Factor:
    """The factor of the precision with these entries (nnz,) in the order of the plan's pattern."""
    x, found = total(entries, plan.entries), []
    diagonal = jax.lax.stop_gradient(entries)[plan.diagonal]
    for level in plan.levels:
        head, x = _split(x, [level.rows, x.shape[0] - level.rows])
        columns, updates = _eliminate(level, head)
        found.append(columns)
        x = x + total(updates, level.updates)
    dense = spread(x, plan.square).reshape(plan.remainder, plan.remainder)
    return Factor(plan, diagonal, tuple(found), cholesky(dense))


def _eliminate(level: Level, head: Any) -> tuple[tuple[_Columns, ...], Any]:
    """The columns of a level, and the updates of what is left."""
    columns, updates = [], []
    for group, part in zip(level.groups, _split(head, [group.rows for group in level.groups]), strict=True):
        pivot, local, shared = _split(part, [group.m, group.k * group.m, group.s * group.m])
        local, shared = local.reshape(group.k, group.m), shared.reshape(group.s, group.m)
        made = _Columns(pivot, local / pivot, shared / pivot)
        columns.append(made)
        updates += [-(made.local[:, None] * local), -(made.local[:, None] * shared), -(made.shared @ shared.T)]
    return tuple(columns), _joined([jnp.ravel(update) for update in updates])


def _carried(c: _Columns, h: Any) -> Any:
    """What a right-hand side hands on to local (k m,) and shared (s,) neighbours."""
    return jnp.concatenate([-jnp.ravel(c.local * h), -(c.shared @ h)])


def _back(group: Group, c: _Columns, w: Any, z: Any) -> Any:
    """The values of a group, given those of later scalars."""
    value = w / jnp.sqrt(c.pivot)
    if group.k:
        value = value - jnp.sum(c.local * spread(z, group.near).reshape(group.k, group.m), axis=0)
    return value - z.at[group.far].get(mode="promise_in_bounds") @ c.shared if group.s else value


def _split(x: Any, sizes: list[int]) -> list[Any]:
    """Consecutive parts of these sizes."""
    return list(jax.lax.split(x, sizes))


def _joined(parts: list[Any]) -> Any:
    return jnp.concatenate(parts) if parts else jnp.zeros(0)
