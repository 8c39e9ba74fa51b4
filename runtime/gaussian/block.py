"""A Gaussian block at some values of the outer latents: its quadratic form in the vector z of inner latents.

::

    log p(inner, exact observations | outer) + Σ log site(z) = constant + linear · d − ½ dᵀ Λ d,        d = z − centre

Everything quadratic in it is half the square of a residual r(z) that is affine in z (`residuals`): the prior of every inner latent,
every exact observation, and every *site*, a pseudo-observation ``N(loc; η(z), scale²)`` of a predictor η of what is not Gaussian.
With J the Jacobian of all residuals, Λ = JᵀJ and linear = −Jᵀ r(centre), the centre being near to what the data say (`centre`), so
that residuals are of their own size and not of that of the data. Λ is sparse; its entries are read off a few products Jᵀ(J V)
with vectors V of zeros and ones, one for each colour of `pattern`, so that the program is of one size whatever the data.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.compiler import graph as g
from emfppl.compiler.expressions import Expr
from emfppl.compiler.passes.gaussian_blocks import gaussian_block
from emfppl.runtime.execute import Item, Site, run
from emfppl.runtime.gaussian import moments
from emfppl.runtime.gaussian.coordinates import Coordinates
from emfppl.runtime.gaussian.footprints import Footprint, folded, joined
from emfppl.runtime.gaussian.pattern import Pattern, TooDense, pattern
from emfppl.runtime.gaussian.placing import spread
from emfppl.runtime.gaussian.plan import Plan, make_plan
from emfppl.runtime.gaussian.residuals import residual
from emfppl.runtime.gaussian.sites import Sites
from emfppl.runtime.gaussian.standing import Standing

if TYPE_CHECKING:
    from emfppl.runtime.program import Program

Values = Mapping[str, Any]
Quadratic = tuple[jax.Array, jax.Array, jax.Array]
Residuals = tuple[dict[str, jax.Array], tuple[jax.Array, jax.Array]]


class Form(NamedTuple):
    """``log_norm + linear · d − (square + dᵀ Λ d) / 2``: the entries of Λ, … and the number of residuals it is made of."""

    entries: jax.Array
    linear: jax.Array
    square: jax.Array
    log_norm: jax.Array
    size: jax.Array

    def plus(self, other: Form) -> Form:
        return Form(*(a + b for a, b in zip(self, other, strict=True)))

    def over(self, scale: jax.Array) -> Form:
        """Of residuals that are divided by a scale."""
        weight = scale**-2
        log_norm = self.log_norm - self.size * jnp.log(scale)
        return Form(weight * self.entries, weight * self.linear, weight * self.square, log_norm, self.size)


class Block:
    """The Gaussian block of a program with its data."""

    def __init__(self, program: Program, division: g.GaussianBlock):
        self.program, self.division = program, division
        self.standing = Standing(program, division)
        self.coordinates = Coordinates(program, self.standing, division.inner)
        self.moments = moments.Moments(self)
        self.sites = Sites(self)
        self.pattern: Pattern = pattern(self._cliques(), self.dim, self.coordinates.pieces)

    @property
    def dim(self) -> int:
        """The number of inner scalars."""
        return self.coordinates.dim

    @property
    def inner(self) -> tuple[str, ...]:
        return self.division.inner

    @property
    def outer(self) -> tuple[str, ...]:
        """The other latents, and data with missing entries that are latents."""
        return *self.division.outer, *self.program.binding.latent

    @cached_property
    def outer_keys(self) -> tuple[str, ...]:
        """The keys of the noise of all that is not inner."""
        return tuple(k for k, name in self.program.noise_variables.items() if name not in self.inner)

    @property
    def rows(self) -> np.ndarray:
        return self.pattern.rows

    @property
    def cols(self) -> np.ndarray:
        return self.pattern.cols

    @cached_property
    def plan(self) -> Plan | None:
        """How the precision is factored; None where the factor would be too wide."""
        return make_plan(self.rows, self.cols, self.dim)

    @property
    def num_sites(self) -> int:
        return self.sites.count

    def reads_no_outer(self, expr: Expr) -> bool:
        """Whether an expression reads nothing but data and inner latents."""
        return self.moments.fixed(expr, self.inner)

    def values(self, z: jax.Array, outer: Values, data: Any = None) -> dict[str, jax.Array]:
        """The inner latents at z (dim,)."""
        return self.coordinates.values(z, outer, data)

    def of_values(self, values: Values, data: Any = None) -> jax.Array:
        """z (dim,) at values of all latents."""
        return self.coordinates.of_values(values, data)

    def blank(self) -> dict[str, jax.Array]:
        """Something in the place of the inner latents, for what does not depend on them."""
        return self.coordinates.unravel(jnp.zeros(self.dim))

    # ------------------------------------------------------------ the quadratic form

    def quadratic(self, outer: Values, sites: Values | None = None, data: Any = None) -> Quadratic:
        """The entries of Λ at `rows`, `cols`, then `linear` (dim,) and the constant, at values of the outer latents; about the
        centre of the data."""
        centre, data = self.centre(data), self.program._given(data)
        summed, items = data.pop(moments.KEY, None), self.standing.gaussian
        keys = None if summed is None else self.moments.others
        parts = [] if not summed or not summed.forms else [self.moments.at(summed.forms, self._variables(outer, data))]
        if keys is None or keys or self.num_sites:
            parts.append(self.form(lambda z: self.residuals(items, keys, z, outer, sites, data), centre))
        form = reduce(Form.plus, parts)
        return form.entries, form.linear, form.log_norm - 0.5 * form.square

    def _variables(self, outer: Values, data: Any) -> Values:
        """All variables, those that depend on inner latents at some value."""
        return self.coordinates.variables(jnp.zeros(self.dim), outer, data)

    def centre(self, data: Any = None) -> jax.Array:
        """The point z (dim,) about which the quadratic form of these data is told: zero where they are not prepared."""
        summed = self.program._given(data).get(moments.KEY)
        return jnp.zeros(self.dim) if summed is None else jnp.asarray(summed.centre, float)

    def prepared(self, data: Any = None, centre: jax.Array | None = None) -> dict[str, Any]:
        """The data with what can be summed up of them beforehand, about a centre, for many calls of `quadratic`."""
        data = self.program._given(data)
        centre = jnp.zeros(self.dim) if centre is None else centre
        return data if moments.KEY in data else {**data, moments.KEY: self.moments.of(data, centre)}

    def form(self, residuals: Callable[[jax.Array], Residuals], centre: jax.Array) -> Form:
        """The quadratic form of residuals that are affine in z: see the head of this file."""
        r, product, (log_norm, size) = jax.linearize(residuals, centre, has_aux=True)
        transposed = jax.linear_transpose(product, centre)
        products = jax.vmap(lambda v: transposed(product(v))[0])(self.pattern.vectors(centre.dtype))
        square = sum((jnp.sum(a**2) for a in r.values()), jnp.zeros(()))
        return Form(spread(products.ravel(), self.pattern.read), -transposed(r)[0], square, log_norm, size)

    def residuals(
        self, items: list[Item], keys: Collection[str] | None, z: jax.Array, outer: Values, sites: Values | None, data: Any
    ) -> Residuals:
        """The residuals of nodes, of those with these keys, and of the sites; the logarithm of what they are normalised by, and
        their number."""
        state = self.coordinates.state(items, z, outer, data, residual)
        parts = {key: one for key, one in state.terms.items() if keys is None or key in keys}
        found = {key: one.r for key, one in parts.items()}
        log_norm = sum((jnp.sum(one.log_norm) for one in parts.values()), jnp.zeros(()))
        size = sum((one.size for one in parts.values()), jnp.zeros(()))
        if self.num_sites and sites is not None:
            r, c = self.sites.residual(state.variables, sites)
            found, log_norm = {**found, "sites": r}, log_norm + jnp.sum(c)
        return found, (log_norm, size)

    # ------------------------------------------------------------ the densities beside it

    def site_log_density(self, z: jax.Array, outer: Values, sites: Values, data: Any = None) -> jax.Array:
        """Σ log site(z)."""
        if not self.num_sites:
            return jnp.zeros(())
        r, c = self.sites.residual(self.coordinates.variables(z, outer, data), sites)
        return jnp.sum(c) - 0.5 * jnp.sum(r**2)

    def outer_log_density(self, outer: Values, data: Any = None) -> jax.Array:
        """The log density of all that does not depend on inner latents: of the outer ones, and what they alone explain."""
        return self.log_density(self.standing.apart, self.standing.sums_apart, {**outer, **self.blank()}, data)

    def term_log_density(self, values: Values, data: Any = None) -> jax.Array:
        """The log density of what depends on inner latents and is not Gaussian, at values of all latents."""
        return self.log_density(self.standing.terms, self.standing.sums, values, data)

    def log_density(
        self, items: list[Item], sums: tuple[int, ...], values: Values, data: Any, added: Values | None = None
    ) -> jax.Array:
        """The log density of some nodes and sums over discrete latents at values of all latents; `added` are further variables."""
        program = self.program
        latents = program._latents(values, data)
        known = {**program._given(data), **values, **latents}

        def visit(site: Site) -> tuple[Any, Any]:
            term, seen = site.map.log_prob(program.value_at(site, known)), program.seen(site)
            return None, term if seen is None else jnp.where(seen, term, 0.0)

        before = program.state({**program.fixed(data), **latents, **(added or {})})
        state = run(items, program.layout, before, {}, visit)
        found = sum((jnp.sum(t) for t in state.terms.values()), jnp.zeros(()))
        for n in sums:
            elimination = program.eliminations[n]
            found = found + elimination.log_sum(elimination.arrays(state.variables, known))
        return found

    def initial_sites(self, z: jax.Array, outer: Values, data: Any = None) -> dict[str, jax.Array]:
        """Sites with the slope and the curvature of the terms at z: those of a Laplace approximation around it."""
        return self.sites.initial(z, outer, data)

    # ------------------------------------------------------------ the pattern

    def _cliques(self) -> Iterator[np.ndarray]:
        """The sets of inner latents that stand in one residual."""
        footprints, shifted = self.coordinates.footprints, self.coordinates.shifted
        for _, node in self.standing.gaussian:
            if not isinstance(node, g.RandomNode):
                continue
            parts: list[Footprint]
            if node.target.name in shifted:
                parts = [self.coordinates.positions.of_target(node)]
            else:
                parts = [footprints.of(e, node) for name, e in node.dist.args if name == "loc"]  # type: ignore[arg-type]
                parts += [footprints.of_target(node)] if node.target.name in self.inner else []
            whole = tuple(i.axis.label for i in node.target.indices if isinstance(i, g.Whole))
            found = folded(joined(parts), whole)
            if found is not None:
                yield found.array
        yield from self.sites.footprints


def block_of(program: Program) -> Block | None:
    """The Gaussian block of a program; None where there is none, or none that is sparse enough to be worth having."""
    division = program.graph.gaussian
    if program.binding.latent:
        division = gaussian_block(program.graph, frozenset(program.binding.latent))
    if division is None or Standing(program, division).scanned:
        return None
    try:
        return Block(program, division)
    except TooDense:
        return None
