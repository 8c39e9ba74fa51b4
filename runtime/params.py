"""The `param` variables of a program: where they start, and the map from unconstrained space to their types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from emfppl.compiler import graph as g
from emfppl.runtime.bijections.node_map import DistValue, SupportValue, node_map, noise_event_shape
from emfppl.runtime.evaluate import Scope, evaluate
from emfppl.runtime.named import filled

if TYPE_CHECKING:
    from emfppl.runtime.program import Program


def param_start(program: Program, name: str) -> np.ndarray:
    """The declared start, or the middle of the type's support."""
    variable = program.graph.variable(name)
    if variable.default is not None:
        value = evaluate(variable.default, Scope(program.layout.sizes, {}, {}))
        return np.asarray(filled(value, variable.dims, program.shapes[name]), np.float64)
    batch, event, support, _ = _layout(program, name)
    noise = jnp.zeros((*batch, *noise_event_shape("Flat", support, event)))
    return np.asarray(param_map(program, name, {}).forward(noise)[0], np.float64)


def param_map(program: Program, name: str, data: Mapping[str, Any]) -> Any:
    """The transform of the param's support, whose bounds may be data."""
    batch, event, kind, support = _layout(program, name)
    scope = Scope(program.layout.sizes, {}, data)
    bounds: list[Any] = [None, None]
    if isinstance(support, g.Interval):
        dims = program.graph.variable(name).dims[: len(batch)]
        bounds = [None if b is None else filled(evaluate(b, scope), dims, batch) for b in (support.lower, support.upper)]
    return node_map(DistValue("Flat", {}), SupportValue(kind, *bounds), False, batch, event, program.table)


def _layout(program: Program, name: str) -> tuple[tuple[int, ...], tuple[int, ...], str, g.Support]:
    """Batch and event shape, the name of the support, and the support."""
    support = program.graph.variable(name).support or g.REAL_LINE
    rank = support.event_rank if isinstance(support, g.Structured) else 0
    shape = program.shapes[name]
    kind = support.name if isinstance(support, g.Structured) else "interval"
    return shape[: len(shape) - rank], shape[len(shape) - rank :], kind, support
