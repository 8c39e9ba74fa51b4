"""From a distribution with its arguments evaluated to a law on the line, or to NumPyro's own distribution."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpyro.distributions as dist

from emfppl.compiler.distributions import COUNT, Distribution, Table
from emfppl.runtime.bijections.families import DISCRETE, LAWS, continuous, with_defaults
from emfppl.runtime.bijections.integrated import Integrated
from emfppl.runtime.bijections.interval import Interval
from emfppl.runtime.bijections.laws import Law
from emfppl.runtime.bijections.mixture import Mixture
from emfppl.runtime.bijections.registered import Registered, row_density
from emfppl.runtime.bijections.truncated import Truncated
from emfppl.runtime.bijections.values import DistValue


def row_of(value: DistValue, table: Table) -> Distribution:
    """The row of the table."""
    row = table.get(value.name)
    assert row is not None, value.name
    return row


def arguments(value: DistValue, table: Table) -> dict[str, Any]:
    """All arguments as real arrays, counts as whole ones, defaults filled in; distributions as they are."""
    row = row_of(value, table)
    counts = {p.name for form in row.forms for p in form if p.kind == COUNT}
    full = with_defaults(row, value.args)
    plain = {k: jnp.asarray(v).astype(int if k in counts else float) for k, v in full.items() if not isinstance(v, DistValue)}
    return {**full, **plain}


def is_discrete(value: DistValue, table: Table) -> bool:
    """Whether draws are whole numbers."""
    inner = next((v for v in value.args.values() if isinstance(v, DistValue)), None)
    return is_discrete(inner, table) if isinstance(inner, DistValue) else row_of(value, table).discrete


def law_of(value: DistValue, table: Table) -> Law | None:
    """The law of a distribution of single real numbers; None if it has no distribution function."""
    row, args = row_of(value, table), arguments(value, table)
    if row.integrated and row.log_prob is not None:
        return Integrated(lambda x: row_density(row, x, args), interval_of(row, args))
    if row.log_prob is not None:
        known = row.event_rank == 0 and (row.cdf is not None or row.quantile is not None)
        return Registered(row, args, interval_of(row, args)) if known else None
    if value.name == "Mixture":
        component = law_of(args["component"], table)
        return component and Mixture(log_of(args["weights"]), component, _without_components(component.interval))
    if value.name == "truncated":
        base = law_of(args["base"], table)
        if base is None:
            return None
        own = base.interval
        return Truncated(base, Interval(args.get("lower", own.lower), args.get("upper", own.upper)))
    return LAWS[value.name](**args) if value.name in LAWS else None


def log_of(p: jax.Array) -> jax.Array:
    """log, with a finite value and gradient at 0."""
    return jnp.log(jnp.maximum(p, jnp.finfo(p.dtype).tiny))


def _without_components(interval: Interval) -> Interval:
    """Bounds of a component, which are the same for all, without the axis of the components."""
    bounds = (interval.lower, interval.upper)
    return Interval(*(b if b is None or jnp.ndim(b) == 0 else b[..., 0] for b in bounds))


def interval_of(row: Distribution, args: dict[str, Any]) -> Interval:
    """The interval that a row of the table names as its support, of whole numbers too."""
    name, _, inside = row.support.partition("(")
    bounds = [n.strip() for n in inside.rstrip(")").split(",")] if inside else []
    inner = [args[n] if n in args else jnp.asarray(float(n)) for n in bounds]
    zero, one = jnp.zeros(()), jnp.ones(())
    match name:
        case "positive" | "nonnegative" | "count":
            return Interval(zero)
        case "unit" | "bool":
            return Interval(zero, one)
        case "upto":
            return Interval(zero, inner[0])
        case "interval" | "whole":
            return Interval(inner[0], inner[1])
        case "above":
            return Interval(inner[0])
        case "below":
            return Interval(None, inner[0])
        case "circular":
            return Interval(-math.pi * one, math.pi * one)
    return Interval()


def native(value: DistValue, batch: tuple[int, ...], event: tuple[int, ...], table: Table) -> dist.Distribution | None:
    """NumPyro's distribution of the same law, with these shapes; None where it has none."""
    if row_of(value, table).log_prob is not None:
        return None
    args, where = arguments(value, table), {"validate_args": False}
    match value.name:
        case "Mixture":
            return _mixture(args, batch, table)
        case "LKJCholesky" | "LKJ":
            return getattr(dist, value.name)(event[-1], jnp.broadcast_to(args["concentration"], batch), **where)
        case "GaussianRandomWalk":
            return dist.GaussianRandomWalk(jnp.broadcast_to(args["scale"], batch), event[-1], **where)
        case "Categorical" | "OrderedLogistic":
            ranks = {"predictor": 0}
            return DISCRETE[value.name](**{k: _over(v, batch, ranks.get(k, 1)) for k, v in args.items()}, **where)
        case "Dirichlet" | "MultivariateNormal":
            ranks = {p.name: p.rank for form in row_of(value, table).forms for p in form}
            shaped = {k: jnp.broadcast_to(v, batch + event[-1:] * ranks[k]) for k, v in args.items()}
            return getattr(dist, value.name)(**shaped, **where)
    build = DISCRETE.get(value.name) or (continuous(value.name) if value.name in LAWS else None)
    return build and build(**{k: jnp.broadcast_to(v, batch) for k, v in args.items()}, **where)


def _over(array: jax.Array, batch: tuple[int, ...], rank: int) -> jax.Array:
    """The array over the batch, its last axes kept."""
    return jnp.broadcast_to(array, batch + array.shape[array.ndim - rank :])


def above_zero(component: DistValue) -> DistValue:
    """The component with a rate of 0, as for inflated zeros, raised to the least number above it: there the density of a count
    above 0 is as good as 0, where that of rate 0 has no finite gradient and leaves none to the mixture."""
    name = {"Poisson": "rate", "NegativeBinomial2": "mean"}.get(component.name)
    if name is None:
        return component
    rate = jnp.asarray(component.args[name], float)  # type: ignore[arg-type]
    return replace(component, args={**component.args, name: jnp.where(rate == 0, jnp.finfo(rate.dtype).tiny, rate)})


def _mixture(args: dict[str, Any], batch: tuple[int, ...], table: Table) -> dist.Distribution | None:
    weights = _over(args["weights"], batch, 1)
    component = native(above_zero(args["component"]), weights.shape, (), table)
    if component is None:
        return None
    mixing = dist.Categorical(probs=weights, validate_args=False)
    return dist.MixtureSameFamily(mixing, component, validate_args=False)
