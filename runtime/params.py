"""The `param` variables of a program: where they start, and the map from unconstrained space to their types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from emfppl.compiler import graph as g
from emfppl.compiler.distributions import Table
from emfppl.runtime.bijections.node_map import DistValue, NodeMap, SupportValue, node_map
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
    found = param_map(program, name, {})
    noise = jnp.zeros((*found.batch_shape, *found.noise_event_shape))
    return np.asarray(found.forward(noise)[0], np.float64)


def param_map(program: Program, name: str, data: Mapping[str, Any]) -> NodeMap:
    """The transform of the param's support, whose bounds may be data."""
    return support_map(program.graph.variable(name), program.shapes[name], program.layout.sizes, data, program.table)


def support_map(
    variable: g.Variable, shape: tuple[int, ...], sizes: Mapping[str, int], data: Mapping[str, Any], table: Table
) -> NodeMap:
    """The transform from unconstrained space to a variable's type; between whole numbers that of the interval around them, from
    the lowest to one above the highest."""
    support = variable.support or g.REAL_LINE
    rank = support.event_rank if isinstance(support, g.Structured) else 0
    batch, event = shape[: len(shape) - rank], shape[len(shape) - rank :]
    bounds: list[Any] = [None, None]
    if not isinstance(support, g.Structured):
        scope, dims = Scope(sizes, {}, data), variable.dims[: len(batch)]
        bounds = [None if b is None else filled(evaluate(b, scope), dims, batch) for b in (support.lower, support.upper)]
    if isinstance(support, g.Integers) and bounds[1] is not None:
        bounds[1] = bounds[1] + 1
    kind = support.name if isinstance(support, g.Structured) else "interval"
    return node_map(DistValue("Flat", {}), SupportValue(kind, *bounds), False, batch, event, table)
