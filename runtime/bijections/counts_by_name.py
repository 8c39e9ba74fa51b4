"""From a distribution of whole numbers with its arguments evaluated to its law, and its draws."""

from __future__ import annotations

import jax.numpy as jnp

from emfppl.compiler.distributions import Table
from emfppl.runtime.bijections import counts
from emfppl.runtime.bijections.counts import Counts
from emfppl.runtime.bijections.laws_by_name import above_zero, arguments, interval_of, log_of, row_of
from emfppl.runtime.bijections.registered import row_density
from emfppl.runtime.bijections.values import DistValue


def counts_of(value: DistValue, table: Table) -> Counts:
    """The law of a distribution of single whole numbers."""
    row, args = row_of(value, table), arguments(value, table)
    if row.log_prob is not None:
        own = interval_of(row, args)
        return Counts(lambda x: row_density(row, x, args), None, -jnp.inf if own.lower is None else own.lower, own.upper)
    match value.name:
        case "Mixture":
            return counts.mixture(log_of(args["weights"]), counts_of(above_zero(args["component"]), table))
        case "truncated":
            return counts.truncated(counts_of(args["base"], table), args.get("lower"), args.get("upper"))
        case "censored":
            return counts.censored(counts_of(args["base"], table), args.get("lower"), args.get("upper"))
        case "ZeroInflated":
            return counts.zero_inflated(counts_of(args["base"], table), *counts.log_gates(args))
    return counts.LAWS[value.name](**args)

