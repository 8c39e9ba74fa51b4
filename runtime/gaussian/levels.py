"""The elimination of a level: scalars none of which is a neighbour of another, all at once.

With pivots d and the entries a of a column below it, u = a / d::

    Λ_rest −= Σ u aᵀ          h_rest −= Σ u h          z = (w / √d) − uᵀ z_rest
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from emfppl.runtime.gaussian.placing import spread
from emfppl.runtime.gaussian.plan import Group, Level


@dataclass(frozen=True)
class _Columns:
    """The columns of a group: pivots (m,), and u of local (k, m) and shared (s, m) neighbours."""

    pivot: Any
    local: Any
    shared: Any


@dataclass(frozen=True)
class LevelFactor:
    """The columns of the factor that belong to a level."""

    level: Level
    columns: tuple[_Columns, ...]

    @property
    def pivots(self) -> Any:
        """(count,)."""
        return jnp.concatenate([c.pivot for c in self.columns])

    def white(self, h: Any) -> tuple[Any, Any]:
        """Of a right-hand side (count,): what is whitened, and what it hands on to later scalars."""
        parts = self._parts(h)
        carried = [part for c, x in zip(self.columns, parts, strict=True) for part in (jnp.ravel(c.local * x), c.shared @ x)]
        return jnp.concatenate([x / jnp.sqrt(c.pivot) for c, x in zip(self.columns, parts, strict=True)]), -jnp.concatenate(carried)

    def back(self, w: Any, z: Any) -> Any:
        """The values (count,), given those of later scalars."""
        return jnp.concatenate([_back(*each, z) for each in zip(self.level.groups, self.columns, self._parts(w), strict=True)])

    def _parts(self, x: Any) -> list[Any]:
        return split(x, [group.m for group in self.level.groups])


def factor_level(level: Level, head: Any) -> tuple[LevelFactor, Any]:
    """The columns of a level from its entries, and the updates of what is left."""
    columns, updates = [], []
    for group, part in zip(level.groups, split(head, [group.rows for group in level.groups]), strict=True):
        pivot, local, shared = split(part, [group.m, group.k * group.m, group.s * group.m])
        local, shared = local.reshape(group.k, group.m), shared.reshape(group.s, group.m)
        made = _Columns(pivot, local / pivot, shared / pivot)
        columns.append(made)
        updates += [-(made.local[:, None] * local), -(made.local[:, None] * shared), -(made.shared @ shared.T)]
    return LevelFactor(level, tuple(columns)), jnp.concatenate([jnp.ravel(update) for update in updates])


def _back(group: Group, c: _Columns, w: Any, z: Any) -> Any:
    """The values of a group."""
    value = w / jnp.sqrt(c.pivot)
    if group.k:
        value = value - jnp.sum(c.local * spread(z, group.near).reshape(group.k, group.m), axis=0)
    return value - z.at[group.far].get(mode="promise_in_bounds") @ c.shared if group.s else value


def split(x: Any, sizes: list[int]) -> list[Any]:
    """Consecutive parts of these sizes."""
    return list(jax.lax.split(x, sizes))
