"""Pseudo-observations in the place of what is not Gaussian: ``site_i(z) = N(loc_i; η_i(z), scale_i²)``.

The η are the predictors of the block's terms, affine in the inner latents: an array for each affine part of a term, a number for
each entry that the part has. A part that is an inner latent itself has one site an element. So has every element that a term
touches where no parts are known (sums over discrete latents). Many rows that depend on the same latents share a site (`clusters`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.compiler import expressions as x
from emfppl.compiler import graph as g
from emfppl.compiler.affine import degrees
from emfppl.compiler.expressions import At, Expr, Whole
from emfppl.compiler.passes.affine_parts import with_affine_parts
from emfppl.compiler.sizes import Size
from emfppl.runtime.bijections.normal import HALF_LOG_2PI
from emfppl.runtime.evaluate import Scope, evaluate
from emfppl.runtime.execute import ranges_of
from emfppl.runtime.gaussian.clusters import Clusters
from emfppl.runtime.gaussian.footprints import NONE, over
from emfppl.runtime.named import Named

if TYPE_CHECKING:
    from emfppl.runtime.gaussian.block import Block

Values = Mapping[str, Any]
LONGEST_STEP = 50.0  # a site's loc is at most so many of its scales² times the slope away from where it was made
FLATTEST = 1e-6  # the least precision of a site
PROBES = 16
CLUSTERED = 10  # times as many numbers as rows may have sites


def most(dim: int) -> int:
    """How many entries of predictors are worth a site each."""
    return max(4 * dim, 2000)


@dataclass(frozen=True, eq=False)
class Predictor:
    """An affine part of a node: over which axes it runs, and which inner latents are in each entry (labels …, k), and which places
    of z (labels …, m). An `element` is an inner latent itself, taken or gathered."""

    position: int
    node: g.Node
    expr: Expr
    labels: tuple[str, ...]
    shape: tuple[int, ...]
    ids: np.ndarray
    places: np.ndarray
    element: bool

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=int))


class Sites:
    """The sites of a block: of rows (`whole`), then of elements, then of clusters of rows."""

    def __init__(self, block: Block):
        self.block, self.program, standing = block, block.program, block.standing
        found = block.division.predictors if standing.terms_stand else ()
        self.parts = self._predictors(found)
        clusters = {n: Clusters.of(p.ids) for n, p in enumerate(self.parts) if not p.element}
        kinds = {n: self._kind(self.parts[n], c) for n, c in clusters.items()}
        self.by_element = bool(self.parts) and (bool(standing.sums) or "element" in kinds.values())
        mine = {} if self.by_element else kinds
        self.clusters = {n: clusters[n] for n, kind in mine.items() if kind == "cluster"}
        self.whole = [self.parts[n] for n, kind in mine.items() if kind == "row"]
        single = self.parts if self.by_element else [p for p in self.parts if p.element]
        ids = np.unique(np.concatenate([p.ids.ravel() for p in single])) if single else np.zeros(0, int)
        self.elements = ids[ids != NONE].astype(np.int32)

    def _kind(self, part: Predictor, clusters: Clusters) -> str:
        """What a part has sites for: clusters, if these need fewer numbers and their rows' coefficients stay the same; rows, if
        there are not too many of them; or else clusters, or elements."""
        limit = most(self.block.dim)
        if clusters.num_params < 2 * part.size and self.block.reads_no_outer(part.expr):
            return "cluster"
        if part.size <= limit:
            return "row"
        return "cluster" if clusters.num_params <= CLUSTERED * limit else "element"

    def _predictors(self, found: Sequence[tuple[int, Expr]]) -> list[Predictor]:
        if not found:
            return []
        nodes = [self.program.keyed[n][1] for n, _ in found]

        def values(z: jax.Array) -> list[Named]:
            variables = self._variables_at(z)
            return [self._value(node, e, variables) for node, (_, e) in zip(nodes, found, strict=True)]

        shaped = jax.eval_shape(values, jnp.zeros(self.block.dim))
        return [self._predictor(n, node, e, v) for (n, e), node, v in zip(found, nodes, shaped, strict=True)]

    def _predictor(self, position: int, node: g.Node, expr: Expr, value: Named) -> Predictor:
        coordinates, shape = self.block.coordinates, tuple(value.array.shape)
        mine, plain = coordinates.footprints.of(expr, node), coordinates.plain.of(expr, node)
        assert mine is not None and plain is not None
        element = isinstance(expr, x.Ref) and expr.name in self.block.inner
        ids, places = (over(f, value.labels, shape) for f in (plain, mine))
        return Predictor(position, node, expr, value.labels, shape, ids, places, element)

    def _variables_at(self, z: jax.Array) -> Values:
        """All variables at z and at the outer latents that the middle of the noise gives."""
        noise = {key: jnp.zeros(shape) for key, shape in self.program.noise_shapes.items()}
        values = self.program.forward(noise)[0]
        return self.block.coordinates.variables(z, values, None)

    def _value(self, node: g.Node, expr: Expr, variables: Values) -> Named:
        sizes = self.program.layout.sizes
        found = evaluate(expr, Scope(sizes, ranges_of(node, sizes), variables))
        return Named(jnp.asarray(found.array, float), found.labels)

    @property
    def count(self) -> int:
        return sum(p.size for p in self.whole) + len(self.elements) + sum(c.size for c in self.clusters.values())

    @property
    def footprints(self) -> list[np.ndarray]:
        """The sets of places of z that each site ties together."""
        if not self.count:
            return []
        latents = self.block.coordinates.places_of_latents()
        clusters = [np.where(c.ids[..., None] == NONE, NONE, latents[c.ids]) for c in self.clusters.values()]
        return [*(p.places for p in self.whole), latents[self.elements], *(c.reshape(len(c), -1) for c in clusters)]

    def predicted(self, variables: Values, sites: Values) -> jax.Array:
        """η (count,)."""
        rows = [jnp.ravel(self._value(p.node, p.expr, variables).array) for p in self.whole]
        latents, mixed, start = self.block.coordinates.ravel(variables), [], 0
        for c in self.clusters.values():
            mixed.append(c.predicted(latents, sites["mix"][start : start + c.mixes] if c.mixes else jnp.zeros(0)))
            start += c.mixes
        return jnp.concatenate([*rows, latents[self.elements], *mixed])

    def residual(self, variables: Values, sites: Values) -> tuple[jax.Array, jax.Array]:
        """r and log_norm (count,) with log site = log_norm − ½ r²."""
        log_scale = sites["log_scale"]
        return (self.predicted(variables, sites) - sites["loc"]) * jnp.exp(-log_scale), -log_scale - HALF_LOG_2PI

    # ------------------------------------------------------------ where they start

    def initial(self, z: jax.Array, outer: Values, data: Any) -> dict[str, jax.Array]:
        """Sites with the terms' slope d and curvature −1/scale² in η at z: loc = η + scale² d."""
        values = {**outer, **self.block.values(z, outer, data)}
        vector = self.block.coordinates.ravel(values)
        if self.by_element:
            slope, curvature = self._by_element(vector, outer, data)
            return _as_sites([_step(vector[self.elements], slope, curvature)])
        slopes, curvatures = self._by_part(values, data)
        etas, coefficients = self._affine(vector, outer, data)
        rows = [
            _step(jnp.ravel(etas[n]), jnp.ravel(slopes[n]), jnp.ravel(curvatures[n]))
            for n, p in enumerate(self.parts)
            if p in self.whole
        ]
        element = _step(vector[self.elements], self._of_elements(slopes), self._of_elements(curvatures))
        clustered = [
            c.initial(vector, coefficients[n], jnp.ravel(slopes[n]), _precision(jnp.ravel(slopes[n]), jnp.ravel(curvatures[n])))
            for n, c in self.clusters.items()
        ]
        found = _as_sites([*rows, element, *((loc, log_scale) for loc, log_scale, _ in clustered)])
        mixes = [mix for *_, mix in clustered if mix.size]
        return {**found, "mix": jnp.concatenate(mixes)} if mixes else found

    def _affine(self, vector: jax.Array, outer: Values, data: Any) -> tuple[list[jax.Array], dict[int, jax.Array]]:
        """The predictors at values of the latents, and of those with clusters the coefficients of each row's latents (rows, k)."""

        coordinates = self.block.coordinates

        def predictors(vector: jax.Array) -> list[jax.Array]:
            variables = coordinates.computed({**outer, **coordinates.unravel(vector)}, data)
            return [self._value(p.node, p.expr, variables).array for p in self.parts]

        if not self.clusters:
            return predictors(vector), {}
        found, product = jax.linearize(predictors, vector)
        colours = self.block.pattern.colours
        moved = jax.vmap(product)(self.block.pattern.vectors(vector.dtype))
        return found, {n: _coefficients(moved[n], self.parts[n].ids, colours) for n in self.clusters}

    def _by_element(self, vector: jax.Array, outer: Values, data: Any) -> tuple[jax.Array, jax.Array]:
        """Slopes in the elements of the latents, and the diagonal of the Hessian from products with random signs (Hutchinson 1990),
        which is exact where the terms are sums over elements."""
        unravel = self.block.coordinates.unravel
        slope = jax.grad(lambda v: self.block.term_log_density({**outer, **unravel(v)}, data))
        signs = np.random.default_rng(0).choice([-1.0, 1.0], (PROBES, self.block.dim))
        d, product = jax.linearize(slope, vector)
        diagonal = jnp.mean(jax.vmap(lambda v: v * product(v))(jnp.asarray(signs, d.dtype)), axis=0)
        return d[self.elements], diagonal[self.elements]

    def _by_part(self, values: Values, data: Any) -> tuple[list[jax.Array], list[jax.Array]]:
        """Slopes in the predictors, and the Hessian's row sums within each of them: its diagonal where each entry of a predictor
        has its own term."""
        moved = _Moved(self)
        slope = jax.grad(lambda shifts: moved.log_density(shifts, values, data))
        d, product = jax.linearize(slope, [jnp.zeros(p.shape) for p in self.parts])
        count = len(self.parts)
        ones = [jnp.zeros((count, *p.shape)).at[n].set(1.0) for n, p in enumerate(self.parts)]
        rows = jax.vmap(product)(ones)
        return d, [a[n] for n, a in enumerate(rows)]

    def _of_elements(self, parts: Sequence[jax.Array]) -> jax.Array:
        """Numbers of the predictors that are latents themselves, summed for each of these."""
        total = jnp.zeros(len(self.elements))
        for p, a in zip(self.parts, parts, strict=True):
            if p.element:
                total = total.at[np.searchsorted(self.elements, p.ids[..., 0])].add(a)
        return total


def _precision(slope: jax.Array, curvature: jax.Array) -> jax.Array:
    """1/scale² of sites: what the curvature says, but not so little that a step of a row would be long."""
    return jnp.maximum(jnp.maximum(-curvature, jnp.abs(slope) / LONGEST_STEP), FLATTEST)


def _step(eta: jax.Array, slope: jax.Array, curvature: jax.Array) -> tuple[jax.Array, jax.Array]:
    """loc and log_scale of sites that have the slope and curvature at η."""
    precision = _precision(slope, curvature)
    return eta + slope / precision, -0.5 * jnp.log(precision)


def _as_sites(parts: Sequence[tuple[jax.Array, jax.Array]]) -> dict[str, jax.Array]:
    return {"loc": jnp.concatenate([loc for loc, _ in parts]), "log_scale": jnp.concatenate([scale for _, scale in parts])}


def _coefficients(moved: jax.Array, ids: np.ndarray, colours: np.ndarray) -> jax.Array:
    """What each row takes of each of its latents (rows, k): those of a row have different colours."""
    flat, rows = moved.reshape(len(moved), -1), ids.reshape(-1, ids.shape[-1])
    found = flat[colours[np.maximum(rows, 0)], np.arange(len(rows), dtype=np.int32)[:, None]]
    return jnp.where(rows != NONE, found, 0.0)


class _Moved:
    """The terms with something added to each of their affine parts."""

    def __init__(self, sites: Sites):
        self.block, self.parts = sites.block, sites.parts
        program, division = sites.program, sites.block.division
        self._own = degrees(program.graph.nodes, division.inner)
        self._number = {(p.position, p.expr): n for n, p in enumerate(self.parts)}
        positions = {key: n for n, (key, _) in enumerate(program.keyed)}
        touched = {p.position for p in self.parts}
        changed = [(k, self._node(positions[k], n) if positions[k] in touched else n) for k, n in sites.block.standing.terms]
        self._items = program.with_all_known(changed)

    def log_density(self, shifts: Sequence[jax.Array], values: Values, data: Any) -> jax.Array:
        added = {f"|site {n}": shift for n, shift in enumerate(shifts)}
        return self.block.log_density(self._items, (), values, data, added)

    def _node(self, position: int, node: g.Node) -> g.Node:
        def moved(expr: Expr) -> Expr:
            return with_affine_parts(expr, self._own, lambda part, standing: self._sum(self._number[position, part], standing))

        if not isinstance(node, g.RandomNode):
            return replace(node, value=moved(node.value))
        support = node.support
        if isinstance(support, g.Interval | g.Integers):
            lower, upper = (None if b is None else moved(b) for b in (support.lower, support.upper))
            support = replace(support, lower=lower, upper=upper)
        return replace(node, dist=_with_arguments(node.dist, moved), support=support)

    def _sum(self, number: int, standing: Expr) -> Expr:
        part = self.parts[number]
        lowers = {a.label: a.lower for a in part.node.domain}
        indices = tuple(
            At(label, 1, -lowers[label]) if label in lowers else Whole(x.Axis(label, Size(), Size.const(length)))
            for label, length in zip(part.labels, part.shape, strict=True)
        )
        return x.Apply("+", (standing, x.Ref(f"|site {number}", indices, standing.type)), standing.type)


def _with_arguments(dist: g.Dist, change: Any) -> g.Dist:
    args = tuple((n, _with_arguments(v, change) if isinstance(v, g.Dist) else change(v)) for n, v in dist.args)
    return replace(dist, args=args)
