"""Distributions that a program defines: rows of the table whose log density is evaluated from the program's expression."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax.numpy as jnp

from emfppl.compiler.distributions import Distribution, Table
from emfppl.compiler.graph import Graph, UserDistribution
from emfppl.runtime.evaluate import Scope, evaluate
from emfppl.runtime.named import Named, filled


def table_of(graph: Graph, table: Table) -> Table:
    """The table with the rows that a program defines."""
    return table.extended(*map(_row, graph.distributions)) if graph.distributions else table


def _row(own: UserDistribution) -> Distribution:
    return replace(own.row, log_prob=lambda x, **args: density(own, x, args))


def density(own: UserDistribution, x: Any, args: dict[str, Any]) -> Any:
    """The log density of every entry of x; x and the arguments broadcast as arrays do."""
    arrays = jnp.broadcast_arrays(x, *(args[name] for name, _ in own.arguments))
    labels = tuple(f"#{n}" for n in range(arrays[0].ndim))
    places = (own.variable, *(local for _, local in own.arguments))
    known = {place: (Named(array, labels), ()) for place, array in zip(places, arrays, strict=True)}
    return filled(evaluate(own.density, Scope({}, {}, {}, known)), labels, arrays[0].shape) + 0.0
