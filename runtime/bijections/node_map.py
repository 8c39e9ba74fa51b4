"""One random node as the runtime sees it: the map from standard normal noise to its value, its gate, its density, its sampler.

Which map a node has is told by its distribution and its support:

=========================================  =======================================================================
a law of one real number                   ``maps.Scalar``: closed form, or root search on the distribution function
the same, narrowed to an interval          ``truncated.Truncated`` inside ``maps.Scalar``
whole vectors and matrices                 ``vectors``: a map for each distribution
identical draws, ordered                   ``ordered.Ordered``: order statistics
identical normals that sum to zero         ``sum_to_zero.SumToZero``
censored and rounded numbers               ``censored.Observation``: density and sampler only
whole numbers                              ``discrete.Discrete``: density and sampler only
``Flat``, nearly improper ones, others     ``maps.Plain``: the support's transform, no prior map
=========================================  =======================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from numpyro.distributions import Distribution

from emfppl.compiler import graph as g
from emfppl.compiler.distributions import STANDARD, Table
from emfppl.compiler.expressions import Const
from emfppl.runtime.bijections import multinomial, unconstrain
from emfppl.runtime.bijections.censored import censored, rounded
from emfppl.runtime.bijections.counts import Counts, truncated
from emfppl.runtime.bijections.counts_by_name import counts_of
from emfppl.runtime.bijections.discrete import single
from emfppl.runtime.bijections.families import LAWS
from emfppl.runtime.bijections.interval import Interval
from emfppl.runtime.bijections.laws import Law
from emfppl.runtime.bijections.laws_by_name import arguments, is_discrete, law_of, row_of
from emfppl.runtime.bijections.maps import EventMap, LogDensity, Plain, Scalar, log_density
from emfppl.runtime.bijections.ordered import Ordered, sorted_log_prob
from emfppl.runtime.bijections.ordering import log_in_order
from emfppl.runtime.bijections.registered import row_density
from emfppl.runtime.bijections.sum_to_zero import SumToZero
from emfppl.runtime.bijections.truncated import Truncated
from emfppl.runtime.bijections.values import DistValue, SupportValue
from emfppl.runtime.bijections.vectors import MAPS as VECTORS

__all__ = ["DistValue", "NodeMap", "SupportValue", "is_exact", "nearly_improper", "node_map", "noise_event_shape"]

Shape = tuple[int, ...]


@dataclass(frozen=True)
class NodeMap:
    """A random node with its arguments evaluated; all methods are pure and can be traced."""

    dist: DistValue
    support: SupportValue
    narrowed: bool
    batch_shape: Shape
    event_shape: Shape
    table: Table
    alone: bool = False  # the support's transform alone: the gate is shut for good, or there is no prior map worth having

    @property
    def event_map(self) -> EventMap:
        """The bijection and the density; made anew at each use, since what is made under a trace must not outlive it."""
        if self.alone:
            support = self.interval if self.support.name in ("interval", "integers") else self.support.name
            return Plain(support, self._own_map().log_prob, self.batch_shape, self.event_shape)
        return self._own_map()

    def _own_map(self) -> EventMap:
        if is_discrete(self.dist, self.table):
            return self._discrete()
        if self.support.name not in ("interval", "integers") and self.support.name != "real_vector":
            return self._structured()
        return self._vector() or self._observation() or self._scalar()

    @property
    def noise_event_shape(self) -> Shape:
        return noise_event_shape(self.dist.name, self.support.name, self.event_shape)

    @property
    def exact(self) -> bool:
        """Whether standard normal noise gives the node's law."""
        return self.event_map.exact

    def forward(self, u: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """x and log |det dx/du| (batch_shape), with gate openings λ, or as the prior has it."""
        x, log_det = self.event_map.forward(u, gate)
        return x, self._over_batch(log_det)

    def inverse(self, x: jax.Array, gate: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """u and log |det du/dx| (batch_shape)."""
        u, log_det = self.event_map.inverse(x, gate)
        return u, self._over_batch(log_det)

    def log_prob(self, x: jax.Array) -> jax.Array:
        """log p(x) (batch_shape)."""
        return self._over_batch(self.event_map.log_prob(x))

    def _over_batch(self, a: jax.Array) -> jax.Array:
        return jnp.broadcast_to(a, jnp.broadcast_shapes(jnp.shape(a), self.batch_shape))

    def sample(self, key: jax.Array) -> jax.Array:
        """One draw (batch_shape + event_shape)."""
        from emfppl.runtime.bijections.sampling import draw

        return draw(self, key)

    @property
    def numpyro(self) -> Distribution:
        """A NumPyro distribution of the same law."""
        from emfppl.runtime.bijections.as_numpyro import as_numpyro

        return as_numpyro(self)

    # ------------------------------------------------------------ which map

    @property
    def interval(self) -> Interval:
        """The support, where it is an interval."""
        bounds = (self.support.lower, self.support.upper)
        return Interval(*(None if b is None else jnp.asarray(b, float) for b in bounds))

    def _scalar(self) -> EventMap:
        law = law_of(self.dist, self.table)
        if law is None:
            support = self.support.name if self.support.name == "real_vector" else self.interval
            return Plain(support, self._density(), self.batch_shape, self.event_shape)
        return Scalar(Truncated(law, self.interval) if self.narrowed else law, self.batch_shape, self.event_shape)

    def _observation(self) -> EventMap | None:
        """The likelihood of numbers that are known in part."""
        args = self.dist.args
        law = law_of(args["base"], self.table) if self.dist.name in ("censored", "rounded") else None
        if law is None:
            return None
        if self.dist.name == "rounded":
            return rounded(law, args["step"], self.batch_shape)
        return censored(law, args.get("lower"), args.get("upper"), self.batch_shape)

    def _vector(self) -> EventMap | None:
        """The map of a distribution of whole vectors or matrices, over its own support."""
        if self.narrowed or self.dist.name not in VECTORS:
            return None
        return VECTORS[self.dist.name](arguments(self.dist, self.table), self.batch_shape, self.event_shape)

    def _discrete(self) -> EventMap:
        if self.dist.name in multinomial.NAMES:
            return multinomial.multinomial(
                self.dist.name, arguments(self.dist, self.table), self.batch_shape, self.event_shape
            )
        return single(self.counts, self.batch_shape, self.event_shape)

    @property
    def counts(self) -> Counts:
        """The law of a node of single whole numbers."""
        law = counts_of(self.dist, self.table)
        return truncated(law, self.support.lower, self.support.upper) if self.narrowed else law

    def _structured(self) -> EventMap:
        name, args = self.support.name, arguments(self.dist, self.table)
        shapes = (self.batch_shape, self.event_shape)
        found = self._vector()
        if found is not None:
            return found
        if self._identical() and name in ("ordered", "positive_ordered"):
            law = self._positive(law_of(_without_event(self.dist), self.table))
            return Ordered(law, *shapes)
        if self._identical() and name == "sum_to_zero" and self.dist.name == "Normal":
            return SumToZero(args["scale"][..., 0] if args["scale"].ndim else args["scale"], *shapes)
        return Plain(name, self._density(), *shapes)

    def _identical(self) -> bool:
        """Whether the elements of an ordered (…) vector all have the same law, which is of single numbers."""
        return law_of(self.dist, self.table) is not None and _all_identical(self.dist)

    def _positive(self, law: Law | None) -> Law:
        """The law of one element, cut at 0 where the vector is positive and the law is not."""
        assert law is not None
        cut = self.support.name == "positive_ordered" and law.interval.lower is None
        return Truncated(law, Interval(jnp.zeros(()))) if cut else law

    # ------------------------------------------------------------ densities of nodes without a law on the line

    def _density(self) -> LogDensity:
        row = row_of(self.dist, self.table)
        if self.dist.name == "Flat":
            return lambda x: jnp.zeros(self._outer(x))
        if row.event_rank == 0 and self.event_shape:
            return self._product()
        if row.log_prob is not None:
            args = arguments(self.dist, self.table)
            return lambda x: row_density(row, x, args)
        if is_discrete(self.dist, self.table):
            return self._discrete().log_prob
        if self.dist.name not in VECTORS:
            return self._scalar().log_prob
        return VECTORS[self.dist.name](arguments(self.dist, self.table), self.batch_shape, self.event_shape).log_prob

    def _outer(self, x: jax.Array) -> Shape:
        """The shape of the batch of x."""
        return jnp.broadcast_shapes(jnp.shape(x)[: jnp.ndim(x) - len(self.event_shape)], self.batch_shape)

    def _product(self) -> LogDensity:
        """The product of the elements' densities; in order, divided by the probability of that order."""
        law = law_of(self.dist, self.table)
        ordered = self.support.name in ("ordered", "positive_ordered")
        own = None if law is None else self._positive(law)
        each = (lambda x: log_density(own, x, ())) if own is not None else self._registered_each
        differ = ordered and own is not None and _differ(self.dist)
        log_mass = log_in_order(own, self.batch_shape, self.event_shape[-1]) if differ and own is not None else None

        def density(x: jax.Array) -> jax.Array:
            product = jnp.sum(each(x), axis=-1)
            return sorted_log_prob(x, product, log_mass) if ordered else product

        return density

    def _registered_each(self, x: jax.Array) -> jax.Array:
        row, args = row_of(self.dist, self.table), arguments(self.dist, self.table)
        return row_density(row, x, args)


def node_map(
    dist: DistValue, support: SupportValue, narrowed: bool, batch_shape: Shape, event_shape: Shape, table: Table = STANDARD
) -> NodeMap:
    """The map of a node; `narrowed` says that the support is narrower than the distribution's own."""
    return NodeMap(dist, support, narrowed, tuple(batch_shape), tuple(event_shape), table)


def noise_event_shape(dist_name: str, support_name: str, event_shape: Shape) -> Shape:
    """The shape of the noise of one draw."""
    if support_name in ("interval", "integers"):
        return tuple(event_shape)
    return unconstrain.structured_noise_shape(support_name, tuple(event_shape))


def _all_identical(value: DistValue) -> bool:
    if value.name == "Mixture":
        return False
    inner = (v for v in value.args.values())
    return all(_all_identical(v) if isinstance(v, DistValue) else _constant_along_event(v) for v in inner)


def _differ(value: DistValue) -> bool:
    """Whether the elements differ in law; not told of mixtures, whose elements are alike where the checker let them pass."""
    if value.name == "Mixture":
        return False
    return any(_differ(v) if isinstance(v, DistValue) else not _constant_along_event(v) for v in value.args.values())


def _constant_along_event(array: Any) -> bool:
    return jnp.ndim(array) == 0 or jnp.shape(array)[-1] == 1


def _without_event(value: DistValue) -> DistValue:
    """The law of one element: arguments without the event's axis, along which they do not vary."""
    args = {
        k: _without_event(v) if isinstance(v, DistValue) else (v if jnp.ndim(v) == 0 else jnp.asarray(v)[..., 0])
        for k, v in value.args.items()
    }
    return DistValue(value.name, args)


# ---------------------------------------------------------------- before there are values


def is_exact(
    dist: g.Dist, support: g.Support, narrowed: bool, table: Table = STANDARD, event: tuple[str, ...] | None = None
) -> bool:
    """Whether a node has a prior map. `event` holds the labels of the target's event axes: an ordered vector whose arguments vary
    along its own axis has none; without `event` arguments with any axis count as such."""
    row = table.get(dist.name)
    assert row is not None
    if nearly_improper(dist):
        return False
    if isinstance(support, g.Structured) and row.event_rank == 0:
        return _has_law(dist, table) and _exact_vector(dist, support.name, event)
    if row.event_rank:
        return row.log_prob is None and not narrowed
    return _has_law(dist, table)


def nearly_improper(dist: g.Dist) -> bool:
    """Whether a law is meant to say nothing, as the Gamma(0.001, 0.001) of BUGS: half of its draws are smaller than a millionth
    of its mean, or leave the floating-point numbers. A map from noise to such draws helps no guide, so the node has none."""
    concentration = dict(dist.args).get("concentration")
    return dist.name in ("Gamma", "InverseGamma") and isinstance(concentration, Const) and concentration.value < 0.05


def _exact_vector(dist: g.Dist, support: str, event: tuple[str, ...] | None) -> bool:
    axes = {a.label for e in g.dist_exprs(dist) for a in e.type.axes}
    varies = bool(axes if event is None else axes & set(event))
    fits = support in ("ordered", "positive_ordered") or (support == "sum_to_zero" and dist.name == "Normal")
    return fits and not varies and dist.name != "Mixture"


def _has_law(dist: g.Dist, table: Table) -> bool:
    """Whether a distribution of single numbers has a distribution function."""
    inner = next((v for _, v in dist.args if isinstance(v, g.Dist)), None)
    if inner is not None:
        return _has_law(inner, table)
    row = table.get(dist.name)
    assert row is not None
    if row.integrated:
        return True
    return dist.name in LAWS if row.log_prob is None else row.cdf is not None or row.quantile is not None
