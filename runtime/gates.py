"""Gates of a guide: for every latent, how the prior's map takes part in it.

=============  ====================================================================  ===================================
kind           the law of a node given its parents                                   what is learned, for each element
=============  ====================================================================  ===================================
affine         λ g(u) + (1 − λ) u in unconstrained space                             the logit of λ
geometric      f + g^o_s (u − (1 − o_l) f), for a location f and a scale g           the logits of o_l and o_s
conjugate      the prior's, updated by pseudo-observations                           their place and their weight
exact          the same with the numbers that the data give                          nothing
shut           the support's transform alone                                         nothing
=============  ====================================================================  ===================================

A node without the structure that a kind needs has an affine gate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.compiler.graph import GateSpec, RandomNode
from emfppl.runtime.bijections.pseudo_observations import Beta, Dirichlet, Family, Gamma, family_of, is_geometric
from emfppl.runtime.bijections.updated_laws import LOC, SCALE

KINDS = ("affine", "geometric", "conjugate", "exact", "shut")
MODES = {"off": "none", "per_element": "affine", "per_variable": "affine"}  # of a guide block, which are other kinds
NOTHING = -30.0  # logarithm of a weight
WIDEST = 3.0  # unit in which the place of pseudo-observations of positive or bounded numbers moves

Params = dict[str, Any]


@dataclass(frozen=True)
class Gates:
    """The layout of the gates over a program's noise nodes.

    `nodes` and `shapes`: the node and its noise shape by node key; `specs`: the gates that the program's guide block sets, by
    variable; `kind`: the kind of all others.
    """

    nodes: Mapping[str, RandomNode]
    shapes: Mapping[str, tuple[int, ...]]
    specs: Mapping[str, GateSpec]
    kind: str = "affine"
    plain: frozenset[str] = frozenset()  # nodes without an exact prior map, whose gate would do nothing

    @property
    def shut(self) -> bool:
        """Whether no gate is open: the map from noise is the support's transform alone."""
        return self.kind == "shut"

    def _given(self, key: str) -> GateSpec | None:
        return self.specs.get(self.nodes[key].target.name) or self.specs.get("all")

    def spec(self, key: str) -> GateSpec:
        """The gate of a node: its variable's, or that of `all`, or the default."""
        return self._given(key) or GateSpec()

    def kind_of(self, key: str) -> str:
        """`affine`, `geometric`, `conjugate`, or `none` where nothing is learned."""
        given = self._given(key)
        if self.kind in ("shut", "exact") or key in self.plain:
            return "none"
        kind = self.kind if given is None else MODES.get(given.mode, given.mode)
        fits = {"conjugate": self.family(key) is not None, "geometric": is_geometric(self.nodes[key])}
        return kind if fits.get(kind, True) else "affine"

    @property
    def not_kept(self) -> tuple[str, ...]:
        """What was asked for a variable by name, but its law does not have."""
        found: dict[str, str] = {}
        for key, node in ((key, self.nodes[key]) for key in self.shapes if not self.shut):
            given, kind = self.specs.get(node.target.name), self.kind_of(key)
            if given is not None and MODES.get(given.mode, given.mode) != kind:
                instead = "it has none" if kind == "none" else "its gate is per_element"
                found[node.target.name] = f"gate {node.target.name}: {given.mode} does not fit its law, {node.dist.name}; {instead}"
        return tuple(found.values())

    def family(self, key: str) -> Family | None:
        """The conjugate family of a node."""
        return family_of(self.nodes[key])

    @property
    def conjugate(self) -> tuple[str, ...]:
        """The nodes with a conjugate gate."""
        return tuple(key for key in self.shapes if self.kind_of(key) == "conjugate")

    # ------------------------------------------------------------ parameters

    def init(self, updates: Mapping[str, Params] | None = None) -> Params:
        """NumPy parameters by node key, or by variable where one gate serves a whole variable: logits as specified, and the
        pseudo-observations of `updates`, by default some that weigh as good as nothing."""
        if self.kind == "exact":
            return {key: self._no_counts(key) for key in self.shapes}
        out: Params = {}
        for key in self.shapes:
            match self.kind_of(key):
                case "affine":
                    name, shape = self._slot(key)
                    out[name] = np.full(shape, self._logit(key))
                case "geometric":
                    out[key] = {part: np.full(self.shapes[key], self._logit(key)) for part in (LOC, SCALE)}
                case "conjugate":
                    out[key] = self._nothing(key) if updates is None else dict(updates[key])
        return out

    def _slot(self, key: str) -> tuple[str, tuple[int, ...]]:
        """Name and shape of the parameter of an affine gate."""
        one = self.spec(key).mode == "per_variable"
        return (self.nodes[key].target.name, ()) if one else (key, tuple(self.shapes[key]))

    def _logit(self, key: str) -> float:
        opening = self.spec(key).init
        return float(np.log(opening / (1 - opening)))

    def _nothing(self, key: str) -> Params:
        """Pseudo-observations that weigh as good as nothing."""
        if isinstance(self.family(key), Dirichlet):
            return {"log_counts": np.full(self._counted(key), NOTHING)}
        return {"loc": np.zeros(self.shapes[key]), "log_weight": np.full(self.shapes[key], NOTHING)}

    def _no_counts(self, key: str) -> Params:
        """Natural parameters of zero."""
        if isinstance(self.family(key), Dirichlet):
            return {"a": np.zeros(self._counted(key))}
        return {"a": np.zeros(self.shapes[key]), "b": np.zeros(self.shapes[key])}

    def _counted(self, key: str) -> tuple[int, ...]:
        """The shape of the counts of a Dirichlet node: one more than its noise has."""
        *batch, size = self.shapes[key]
        return (*batch, size + 1)

    def openings(self, learned: Mapping[str, Any]) -> dict[str, Any] | None:
        """By node key λ, or the parts of a gate (`updated_laws`); a key left out is ungated (the prior's map in full)."""
        if self.shut:
            return {key: np.zeros(shape) for key, shape in self.shapes.items()}
        if self.kind == "exact":
            return dict(learned)
        found = {key: self._opening(key, learned) for key in self.shapes}
        return {key: opening for key, opening in found.items() if opening is not None}

    def _opening(self, key: str, learned: Mapping[str, Any]) -> Any:
        match self.kind_of(key):
            case "affine":
                return jnp.broadcast_to(jax.nn.sigmoid(learned[self._slot(key)[0]]), self.shapes[key])
            case "geometric":
                return {part: jax.nn.sigmoid(v) for part, v in learned[key].items()}
            case "conjugate":
                family = self.family(key)
                assert family is not None
                return family.parts(learned[key])
        return None

    # ------------------------------------------------------------ units

    def framed(self, learned: Params) -> tuple[Params, Params]:
        """The same gates in the units that suit them, and these: places move by what one of their observations is wide."""
        units = {key: self._unit(key, learned[key]) for key in self.conjugate if "loc" in learned[key]}
        inner = {key: {**learned[key], "loc": np.zeros_like(learned[key]["loc"])} for key in units}
        return {**learned, **inner}, {key: {"loc": learned[key]["loc"], "unit": unit} for key, unit in units.items()}

    def _unit(self, key: str, learned: Params) -> Any:
        unit = np.exp(-0.5 * np.asarray(learned["log_weight"]))
        counted = isinstance(self.family(key), Gamma | Beta)
        return np.minimum(unit, WIDEST) if counted else unit

    def joined(self, inner: Mapping[str, Any], frame: Mapping[str, Any]) -> dict[str, Any]:
        """The gates of `framed`, put together again."""
        return {**inner, **{k: {**inner[k], "loc": f["loc"] + f["unit"] * inner[k]["loc"]} for k, f in frame.items()}}

    # ------------------------------------------------------------ description

    def describe(self) -> dict[str, Any]:
        """A JSON-able account, from which `specs_from` builds the same layout."""
        specs = {name: [spec.mode, spec.init] for name, spec in self.specs.items()}
        return {"specs": specs}


def specs_from(description: Mapping[str, Any]) -> dict[str, GateSpec]:
    """The gate specifications of a description."""
    return {name: GateSpec(str(mode), float(init)) for name, (mode, init) in description["specs"].items()}
