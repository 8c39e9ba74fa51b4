"""What a density is over: variables with their supports, laid out flat, and their way to the real line and back.

The samples of one draw lie in one vector (E,), the variables in order of declaration, each in C order. On the real line the vector
is (D,), shorter where a support has fewer degrees of freedom than numbers (a simplex).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.compiler.distributions import STANDARD, Table
from emfppl.compiler.graph import Integers, Variable
from emfppl.runtime.bijections.node_map import NodeMap
from emfppl.runtime.params import support_map


@dataclass(frozen=True, eq=False)
class Event:
    """The variables, sizes of their dims, and data that bounds of types may refer to; `spread`: whole numbers n are numbers of
    [n, n + 1)."""

    variables: tuple[Variable, ...]
    sizes: Mapping[str, int]
    data: Mapping[str, Any]
    spread: bool = False
    table: Table = STANDARD

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every variable in one draw."""
        return {v.name: tuple(self.sizes[d.rstrip("'")] for d in v.dims) for v in self.variables}

    @property
    def size(self) -> int:
        """How many numbers one draw has: E."""
        return sum(int(np.prod(shape)) for shape in self.shapes.values())

    @cached_property
    def real_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every variable on the real line."""
        with jax.ensure_compile_time_eval():
            maps = {v.name: self._map(v) for v in self.variables}
        return {name: (*m.batch_shape, *m.noise_event_shape) for name, m in maps.items()}

    @property
    def dim(self) -> int:
        """How many numbers one draw has on the real line: D."""
        return sum(int(np.prod(shape)) for shape in self.real_shapes.values())

    def _map(self, variable: Variable) -> NodeMap:
        return support_map(variable, self.shapes[variable.name], self.sizes, self.data, self.table)

    # ------------------------------------------------------------ layout

    def flat(self, values: Mapping[str, Any]) -> Any:
        """Draws (…, *shape) by name as vectors (…, E)."""
        xp = np if all(isinstance(v, np.ndarray) for v in values.values()) else jnp
        parts = []
        for name, shape in self.shapes.items():
            value = xp.asarray(values[name])
            parts.append(value.reshape(*value.shape[: value.ndim - len(shape)], -1))
        return xp.concatenate(parts, axis=-1)

    def by_name(self, flat: Any) -> dict[str, Any]:
        """Vectors (…, E) as draws (…, *shape) by name."""
        return cut(flat, self.shapes)

    # ------------------------------------------------------------ supports

    def to_real(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The vector on the real line (D,) of one draw (E,), and the log-determinant of the way there."""
        values = self.by_name(x)
        pairs = [self._map(v).inverse(values[v.name]) for v in self.variables]
        return _joined(pairs)

    def from_real(self, y: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The way back."""
        parts = cut(y, self.real_shapes)
        pairs = [self._map(v).forward(parts[v.name]) for v in self.variables]
        return _joined(pairs)

    # ------------------------------------------------------------ whole numbers

    @cached_property
    def whole(self) -> np.ndarray:
        """Which numbers of a draw (E,) are whole."""
        kinds = [np.full(self.shapes[v.name], isinstance(v.support, Integers)).reshape(-1) for v in self.variables]
        return np.concatenate(kinds)

    def spread_out(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draws (…, E) with uniform noise added to whole numbers, where the density is one of such sums."""
        return x + np.where(self.whole, rng.random(x.shape), 0.0) if self.spread else x

    def rounded(self, x: np.ndarray) -> np.ndarray:
        """The whole numbers that draws were made of."""
        return np.where(self.whole, np.floor(x), x) if self.spread else x


def cut(flat: Any, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """Consecutive parts of the last axis, in these shapes."""
    out, start = {}, 0
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        out[name] = flat[..., start : start + size].reshape((*flat.shape[:-1], *shape))
        start += size
    return out


def _joined(pairs: list[tuple[jax.Array, jax.Array]]) -> tuple[jax.Array, jax.Array]:
    values = jnp.concatenate([jnp.reshape(value, -1) for value, _ in pairs])
    return values, sum((jnp.sum(log_det) for _, log_det in pairs), jnp.zeros((), values.dtype))
