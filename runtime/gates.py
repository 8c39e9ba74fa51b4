"""Gates of a guide: for every latent how far the prior's map stays open, λ = sigmoid(v) with v learned, or fixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.compiler.graph import GateSpec


@dataclass(frozen=True)
class Gates:
    """The layout of the gates over a program's noise nodes.

    `shapes`: noise shape by node key; `variables`: the variable of each key; `specs`: the gate of each variable that is not
    per element at .98. `shut`: no gate is open, the map from noise is the support's transform alone.
    """

    shapes: Mapping[str, tuple[int, ...]]
    variables: Mapping[str, str]
    specs: Mapping[str, GateSpec]
    shut: bool = False
    plain: frozenset[str] = frozenset()  # nodes without an exact prior map, whose gate would do nothing

    def spec(self, key: str) -> GateSpec:
        """The gate of a node: its variable's, or that of `all`, or the default."""
        return self.specs.get(self.variables[key]) or self.specs.get("all") or GateSpec()

    def _slot(self, key: str) -> tuple[str, tuple[int, ...]] | None:
        """Name and shape of the parameter that opens a node; None if nothing is learned."""
        spec = self.spec(key)
        if self.shut or spec.mode == "off" or key in self.plain:
            return None
        return (self.variables[key], ()) if spec.mode == "per_variable" else (key, tuple(self.shapes[key]))

    def init(self) -> dict[str, np.ndarray]:
        """The logits v, by node key, or by variable where one gate serves a whole variable."""
        out: dict[str, np.ndarray] = {}
        for key in self.shapes:
            slot = self._slot(key)
            if slot is not None:
                opening = self.spec(key).init
                out[slot[0]] = np.full(slot[1], np.log(opening / (1 - opening)))
        return out

    def openings(self, logits: Mapping[str, Any]) -> dict[str, Any] | None:
        """λ by node key; a key left out is ungated (the prior's map in full), None stands for all of them."""
        if self.shut:
            return {key: np.zeros(shape) for key, shape in self.shapes.items()}
        slots = {key: self._slot(key) for key in self.shapes}
        open_ = {k: jax.nn.sigmoid(logits[s[0]]) for k, s in slots.items() if s is not None}
        return {k: jnp.broadcast_to(v, self.shapes[k]) for k, v in open_.items()}

    def describe(self) -> dict[str, Any]:
        """A JSON-able account, from which `from_description` builds the same layout."""
        specs = {name: [spec.mode, spec.init] for name, spec in self.specs.items()}
        return {"specs": specs}


def specs_from(description: Mapping[str, Any]) -> dict[str, GateSpec]:
    """The gate specifications of a description."""
    return {name: GateSpec(str(mode), float(init)) for name, (mode, init) in description["specs"].items()}
