"""Flows by name, with what they are made of where nothing else is said."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from emfppl.runtime.guides.backbone import Layer
from emfppl.runtime.guides.bnaf import Bnaf
from emfppl.runtime.guides.coupling import Coupling
from emfppl.runtime.guides.iaf import Iaf
from emfppl.runtime.guides.inverse_graph import Inverse
from emfppl.runtime.guides.spline_flow import SplineFlow
from emfppl.runtime.recipe import Flow

SEEN = 32  # of the latents a flow looks at that many

FLOWS: Mapping[str, Flow] = MappingProxyType(
    {
        "iaf": Flow("iaf", 2, (32, 32)),
        "coupling": Flow("coupling", 4, (32, 32)),
        "spline_flow": Flow("spline_flow", 2, (32, 32), 8),
        "bnaf": Flow("bnaf", 1, (8, 8)),
    }
)


def build_flow(flow: Flow, inverse: Inverse) -> Layer:
    """The flow that goes by a faithful inverse; others depend on the first `SEEN` coordinates of its order at most."""
    dim, needs = len(inverse.order), inverse.needs
    where = (dim, flow.layers, flow.hidden, inverse.order, min(inverse.seen, SEEN))
    if flow.kind == "coupling":
        return Coupling(*where, bins=flow.bins)
    if flow.kind == "spline_flow":
        return SplineFlow(*where, needs=needs, bins=flow.bins)
    return Bnaf(*where, needs=needs) if flow.kind == "bnaf" else Iaf(*where, needs=needs)
