"""Data that are given with each sample, as numbers for networks: standardised, indices as ones among zeros."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.compiler.expressions import Kind
from emfppl.compiler.graph import Variable
from emfppl.runtime.density.layer import Given, Params, nothing_given
from emfppl.runtime.density.layers.elementwise import location_and_width


@dataclass(frozen=True, eq=False)
class Context:
    """The variables given, and sizes of dims."""

    variables: tuple[Variable, ...]
    sizes: Mapping[str, int]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each with one sample."""
        return {v.name: tuple(self.sizes[d.rstrip("'")] for d in v.dims) for v in self.variables}

    @property
    def count(self) -> int:
        """How many numbers networks take: C."""
        return sum(int(np.prod(self.shapes[v.name])) * self._width(v) for v in self.variables)

    def _width(self, variable: Variable) -> int:
        """How many numbers stand for one entry."""
        return self.sizes[variable.of] if variable.of is not None else 1

    def _numbers(self, values: Mapping[str, Any]) -> jax.Array:
        """All numbers (C,), not standardised."""
        parts = []
        for v in self.variables:
            value = jnp.asarray(values[v.name])
            value = jax.nn.one_hot(value, self._width(v)) if v.kind is Kind.INDEX else jnp.asarray(value, float)
            parts.append(jnp.reshape(value, -1))
        return jnp.concatenate(parts)

    def init(self) -> Params:
        """Units in which numbers stay what they are."""
        return {"loc": np.zeros(self.count), "width": np.ones(self.count)} if self.variables else {}

    def warm(self, values: Mapping[str, Any]) -> Params:
        """Units in which the numbers of a batch have mean 0 and variance 1; indices are left as they are."""
        if not self.variables:
            return {}
        loc, width = location_and_width(np.asarray(jax.vmap(self._numbers)(dict(values))))
        ones = [np.full(int(np.prod(self.shapes[v.name])) * self._width(v), v.kind is Kind.INDEX) for v in self.variables]
        index = np.concatenate(ones)
        return {"loc": np.where(index, 0.0, loc), "width": np.where(index, 1.0, width)}

    def given(self, units: Params, values: Mapping[str, Any] | None) -> Given:
        """What layers take with one sample."""
        if not self.variables:
            return nothing_given()
        assert values is not None
        loc, width = (jax.lax.stop_gradient(jnp.asarray(units[name], float)) for name in ("loc", "width"))
        return Given((self._numbers(values) - loc) / width, {v.name: values[v.name] for v in self.variables})
