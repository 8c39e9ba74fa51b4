"""What a guide is made of, as plain values: written into saved fits, read by `choose_guide.build_guide`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

RANK = 10
GATED = {"affine": "gated", "geometric": "geometric", "conjugate": "conjugate"}


@dataclass(frozen=True)
class Flow:
    """A flow between the standard normal noise and the affine part of a backbone: `kind` (a key of `flows.FLOWS`), so many layers,
    the widths of the hidden layers of their networks, and the bins of its splines, 0 where its maps are affine."""

    kind: str = "iaf"
    layers: int = 2
    hidden: tuple[int, ...] = (32, 32)
    bins: int = 0


@dataclass(frozen=True)
class Recipe:
    """An affine family (`mean_field`, `full_rank`, `low_rank`), perhaps a flow and splines of so many bins under it, and how the
    program's own maps take part.

    `gates`: the kind of the gates (`gates.KINDS`): ``affine`` opens each prior map by λ (Silvestri et al. 2022), ``geometric`` its
    location and scale apart (Gorinova et al. 2020), ``conjugate`` updates each prior law by pseudo-observations, ``exact`` by those
    that the data give, ``shut`` leaves the supports' transforms alone. `blocks`: all this for the outer latents alone, the
    inner ones of the Gaussian block being drawn given these. `amortised`: a dim, all this for latents that do not lie over it,
    those that do being inferred from their entries by a network; "" for none.
    """

    affine: str
    rank: int | None = None
    flow: Flow | None = None
    gates: str = "affine"
    splines: int = 0
    blocks: bool = False
    amortised: str = ""

    @property
    def shut(self) -> bool:
        return self.gates == "shut"

    @property
    def layered(self) -> bool:
        """Whether something more flexible is under the affine family."""
        return self.flow is not None or self.splines > 0

    @property
    def plain(self) -> Recipe:
        """The same without a flow and splines."""
        return replace(self, flow=None, splines=0)

    def extends(self, other: Recipe) -> bool:
        """Whether this is the other with a flow or splines added to it."""
        added = self.flow != other.flow or self.splines != other.splines
        return added and self.plain == other.plain and other.flow in (None, self.flow) and other.splines in (0, self.splines)

    @property
    def name(self) -> str:
        layers = [*(["splines"] if self.splines else []), *([self.flow.kind] if self.flow else [])]
        backbone = " + ".join(layers) or self.affine
        if self.gates == "exact":
            return "exact conjugate"
        whole = backbone if self.shut else f"{GATED[self.gates]} {backbone}"
        if self.amortised:
            return f"amortised, {whole}"
        return f"messages, {whole}" if self.blocks else whole

    def as_dict(self) -> dict[str, Any]:
        """Plain values, from which `recipe_from` makes it again."""
        return asdict(self)


def recipe_from(plain: Mapping[str, Any]) -> Recipe:
    """The recipe of plain values, as read from JSON."""
    flow = plain.get("flow")
    made = None if flow is None else Flow(**{**flow, "hidden": tuple(flow["hidden"])})
    return Recipe(**{**plain, "flow": made})
