"""Laws registered from Python: a row of the table that brings its own density, distribution function or quantile."""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtr

from emfppl.compiler.distributions import Distribution
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.runtime.bijections import normal
from emfppl.runtime.bijections.interval import Interval, Point
from emfppl.runtime.bijections.laws import Law
from emfppl.runtime.bijections.root_search import increasing_root


class Registered(Law):
    """The law of a row with arguments by name. Its CDF, where it brings none, is sought as the inverse of its quantile."""

    def __init__(self, row: Distribution, args: Mapping[str, jax.Array], interval: Interval):
        assert row.log_prob is not None
        self.row, self.args, self.interval = row, dict(args), interval

    def log_prob(self, p: Point) -> jax.Array:
        return row_density(self.row, p.x, self.args)

    def log_cdf(self, p: Point) -> jax.Array:
        if self.row.cdf is None:
            return normal.log_cdf(self._noise_from_quantile(self.interval.unconstrained(p)))
        return _log(self.row.cdf(p.x, **self.args))

    def log_sf(self, p: Point) -> jax.Array:
        if self.row.cdf is None:
            return normal.log_sf(self._noise_from_quantile(self.interval.unconstrained(p)))
        return _log(1 - self.row.cdf(p.x, **self.args))

    def to_noise(self, y: jax.Array) -> jax.Array:
        return self._noise_from_quantile(y) if self.row.cdf is None else super().to_noise(y)

    def from_noise(self, u: jax.Array) -> jax.Array:
        u = _told_apart(u)
        return super().from_noise(u) if self.row.quantile is None else self._quantile(u)

    def _quantile(self, u: jax.Array) -> jax.Array:
        x = self.row.quantile(ndtr(u), **self.args)  # type: ignore[misc]
        return self.interval.unconstrained(self.interval.at(x))

    def _noise_from_quantile(self, y: jax.Array) -> jax.Array:
        def evaluate(u: jax.Array) -> tuple[jax.Array, jax.Array]:
            reached = self._quantile(u)
            return reached - y, jnp.exp(self.log_slope(u, reached))

        shape = jnp.broadcast_shapes(jnp.shape(y), *map(jnp.shape, self.args.values()))
        return increasing_root(evaluate, jnp.zeros(shape, y.dtype))


def row_density(row: Distribution, x: jax.Array, args: Mapping[str, jax.Array]) -> jax.Array:
    """The row's log density; for a law of single numbers one for every entry, or it would be counted wrongly."""
    assert row.log_prob is not None
    found = row.log_prob(x, **args)
    if row.event_rank or any(p.rank for form in row.forms for p in form):
        return found
    shape = jnp.broadcast_shapes(jnp.shape(x), *map(jnp.shape, args.values()))
    if jnp.shape(found) != shape:
        message = f"The `log_prob` of `{row.name}` gives an array of shape {jnp.shape(found)} where {shape} is needed."
        hint = "return one log density for every entry of x: without a sum, and with 0 * x added where it does not depend on x"
        raise EmfError([Diagnostic("E1302", message, hint=hint)])
    return found


def _told_apart(u: jax.Array) -> jax.Array:
    """u held where a probability given as such still differs from 0 and 1."""
    reach = 5.0 if jnp.finfo(u.dtype).bits == 32 else 8.0
    return jnp.clip(u, -reach, reach)


def _log(p: jax.Array) -> jax.Array:
    """log of a probability that may have been rounded to 0."""
    return jnp.log(jnp.maximum(p, jnp.finfo(p.dtype).tiny))
