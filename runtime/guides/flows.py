"""Flows by name, with what they are made of where nothing else is said."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from emfppl.runtime.guides.backbone import Layer
from emfppl.runtime.guides.bnaf import Bnaf
from emfppl.runtime.guides.coupling import Coupling
from emfppl.runtime.guides.iaf import Iaf
from emfppl.runtime.guides.spline_flow import SplineFlow
from emfppl.runtime.recipe import Flow

FLOWS: Mapping[str, Flow] = MappingProxyType(
    {
        "iaf": Flow("iaf", 2, (32, 32)),
        "coupling": Flow("coupling", 4, (32, 32)),
        "spline_flow": Flow("spline_flow", 2, (32, 32), 8),
        "bnaf": Flow("bnaf", 1, (8, 8)),
    }
)


def build_flow(flow: Flow, dim: int, order: tuple[int, ...], seen: int) -> Layer:
    """The flow over `dim` coordinates in an order, the first `seen` of which others may depend on."""
    where = (flow.layers, flow.hidden, order, seen)
    if flow.kind == "coupling":
        return Coupling(dim, *where, bins=flow.bins)
    if flow.kind == "spline_flow":
        return SplineFlow(dim, *where, bins=flow.bins)
    return Bnaf(dim, *where) if flow.kind == "bnaf" else Iaf(dim, *where)
