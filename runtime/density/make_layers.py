"""The layers of a density estimator, made from their descriptions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from emfppl.runtime.density.layer import Layer
from emfppl.runtime.density.layers.autoregressive import Autoregressive
from emfppl.runtime.density.layers.bnaf import Bnaf
from emfppl.runtime.density.layers.coupling import Coupling
from emfppl.runtime.density.layers.elementwise import Actnorm, Affine, Splines
from emfppl.runtime.density.layers.lu import Lu
from emfppl.runtime.density.layers.networks import usual_widths
from emfppl.runtime.density.layers.permute import Permute, Reverse

BINS = 8
Options = Mapping[str, Any]


def _widths(options: Options, dim: int) -> tuple[int, ...]:
    return tuple(int(n) for n in options["hidden"]) if "hidden" in options else usual_widths(dim)


def _autoregressive(options: Options, dim: int, context: int, by_noise: bool, bins: int) -> Layer:
    return Autoregressive(dim, _widths(options, dim), int(options.get("bins", bins)), context, by_noise)


def _coupling(options: Options, dim: int, context: int) -> Layer:
    return Coupling(dim, _widths(options, dim), int(options.get("bins", 0)), context)


def _bnaf(options: Options, dim: int, context: int) -> Layer:
    return Bnaf(dim, tuple(int(n) for n in options.get("hidden", (8, 8))), context)


Make = Callable[[Options, int, int, int], Layer]

# options, D, how many numbers are given with a sample, the layer's place in the stack
KINDS: Mapping[str, Make] = MappingProxyType(
    {
        "affine": lambda options, dim, context, place: Affine(dim),
        "actnorm": lambda options, dim, context, place: Actnorm(dim),
        "splines": lambda options, dim, context, place: Splines(dim, int(options.get("bins", BINS))),
        "reverse": lambda options, dim, context, place: Reverse(dim),
        "permute": lambda options, dim, context, place: Permute(dim, int(options.get("seed", place))),
        "lu": lambda options, dim, context, place: Lu(dim),
        "maf": lambda options, dim, context, place: _autoregressive(options, dim, context, False, 0),
        "iaf": lambda options, dim, context, place: _autoregressive(options, dim, context, True, 0),
        "spline_flow": lambda options, dim, context, place: _autoregressive(options, dim, context, False, BINS),
        "bnaf": lambda options, dim, context, place: _bnaf(options, dim, context),
        "coupling": lambda options, dim, context, place: _coupling(options, dim, context),
    }
)
