"""A Gaussian block at some values of the outer latents: its quadratic form in the vector z of inner latents.

::

    log p(inner, exact observations | outer) + Σ log site(z) = constant + linear · z − ½ zᵀ Λ z

Everything quadratic in it is half the square of a residual r(z) that is affine in z (`residuals`): the prior of every inner latent,
every exact observation, and every *site*, a pseudo-observation ``N(loc; η(z), scale²)`` of a predictor η of what is not Gaussian.
With J the Jacobian of all residuals, Λ = JᵀJ and linear = −Jᵀ r(0). Λ is sparse; its entries are read off a few products Jᵀ(J V)
with vectors V of zeros and ones, one for each colour of `pattern`, so that the program is of one size whatever the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.compiler import graph as g
from emfppl.compiler.expressions import Expr
from emfppl.compiler.passes.gaussian_blocks import gaussian_block
from emfppl.runtime.execute import Item, Site, run
from emfppl.runtime.gaussian import moments
from emfppl.runtime.gaussian.footprints import IDS, Footprints, folded, joined
from emfppl.runtime.gaussian.pattern import Pattern, TooDense, pattern
from emfppl.runtime.gaussian.plan import Plan, make_plan
from emfppl.runtime.gaussian.residuals import residual
from emfppl.runtime.gaussian.sites import Sites
from emfppl.runtime.named import Named

if TYPE_CHECKING:
    from emfppl.runtime.program import Program

Values = Mapping[str, Any]
Quadratic = tuple[jax.Array, jax.Array, jax.Array]
Residuals = tuple[dict[str, jax.Array], tuple[jax.Array, jax.Array]]


class Form(NamedTuple):
    """``log_norm + linear · z − (square + zᵀ Λ z) / 2``: the entries of Λ, … and the number of residuals it is made of."""

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
        sizes = [int(np.prod(program.shapes[n], dtype=int)) for n in division.inner]
        self._ends = np.cumsum(sizes).tolist()
        self._starts = [end - size for end, size in zip(self._ends, sizes, strict=True)]
        self._standing = Standing(program, division)
        self._footprints = self._footprints_of_variables()
        self.moments = moments.Moments(self)
        self.sites = Sites(self, self._footprints)
        self.pattern: Pattern = pattern(self._cliques(), self.dim, list(zip(self._starts, self._ends, strict=True)))

    # ------------------------------------------------------------ layout

    @property
    def dim(self) -> int:
        """The number of inner scalars."""
        return self._ends[-1]

    @property
    def inner(self) -> tuple[str, ...]:
        return self.division.inner

    @property
    def outer(self) -> tuple[str, ...]:
        return self.division.outer

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

    def ravel(self, values: Values) -> jax.Array:
        """z (dim,) of the inner latents by variable."""
        return jnp.concatenate([jnp.ravel(jnp.asarray(values[n], float)) for n in self.inner])

    def unravel(self, z: jax.Array) -> dict[str, jax.Array]:
        """The inner latents by variable of z (dim,)."""
        shapes, pieces = self.program.shapes, zip(self.inner, self._starts, self._ends, strict=True)
        return {n: z[start:end].reshape(shapes[n]) for n, start, end in pieces}

    # ------------------------------------------------------------ the quadratic form

    def quadratic(self, outer: Values, sites: Values | None = None, data: Any = None) -> Quadratic:
        """The entries of Λ at `rows`, `cols`, then `linear` (dim,) and the constant, at values of the outer latents."""
        data = self.program._given(data)
        sums = data.pop(moments.KEY, None)
        if sums is None:
            form = self.form(lambda z: self.residuals(self._standing.gaussian, z, outer, sites, data))
        else:
            form = self.moments.at(sums, self.variables_at(jnp.zeros(self.dim), outer, data))
            if self.moments.partial or self.num_sites:
                form = form.plus(self.form(lambda z: self.residuals(self.moments.others, z, outer, sites, data)))
        return form.entries, form.linear, form.log_norm - 0.5 * form.square

    def prepared(self, data: Any = None) -> dict[str, Any]:
        """The data with what can be summed up of them beforehand, for many calls of `quadratic`."""
        data = self.program._given(data)
        return data if moments.KEY in data or not self.moments.groups else {**data, moments.KEY: self.moments.of(data)}

    def form(self, residuals: Callable[[jax.Array], Residuals]) -> Form:
        """The quadratic form of residuals that are affine in z: see the head of this file."""
        zero = jnp.zeros(self.dim)
        r, product, (log_norm, size) = jax.linearize(residuals, zero, has_aux=True)
        transposed = jax.linear_transpose(product, zero)
        colours = jnp.arange(self.pattern.num_colours)[:, None] == self.pattern.colours
        products = jax.vmap(lambda v: transposed(product(v))[0])(colours.astype(zero.dtype))
        square = sum((jnp.sum(a**2) for a in r.values()), jnp.zeros(()))
        return Form(products.ravel()[self.pattern.places], -transposed(r)[0], square, log_norm, size)

    def residuals(
        self, items: list[Item], z: jax.Array, outer: Values, sites: Values | None, data: Any
    ) -> Residuals:
        """The residuals of these nodes, and of the sites; the logarithm of what they are normalised by, and their number."""
        state = self._state(items, {**outer, **self.unravel(z)}, data, residual)
        found = {key: one.r for key, one in state.terms.items()}
        log_norm = sum((jnp.sum(one.log_norm) for one in state.terms.values()), jnp.zeros(()))
        size = sum((one.size for one in state.terms.values()), jnp.zeros(()))
        if self.num_sites and sites is not None:
            r, c = self.sites.residual(z, state.variables, sites)
            found, log_norm = {**found, "sites": r}, log_norm + jnp.sum(c)
        return found, (log_norm, size)

    def variables_at(self, z: jax.Array, outer: Values, data: Any) -> Values:
        """All variables at values of the latents."""
        return self._state(self._standing.computed, {**outer, **self.unravel(z)}, data, None).variables

    def _state(self, items: list[Item], values: Values, data: Any, weigh: Any, added: Values | None = None) -> Any:
        """The nodes run with the values of all latents known, each weighed by its value and which of its draws are seen; `added`
        are further variables."""
        program = self.program
        latents = program._latents(values, data)
        known = {**program._given(data), **values, **latents}

        def visit(site: Site) -> tuple[Any, Any]:
            return None, weigh(site, program.value_at(site, known), program.seen(site))

        return run(items, program.layout, program.state({**program.fixed(data), **latents, **(added or {})}), {}, visit)

    # ------------------------------------------------------------ the densities beside it

    def site_log_density(self, z: jax.Array, outer: Values, sites: Values, data: Any = None) -> jax.Array:
        """Σ log site(z)."""
        if not self.num_sites:
            return jnp.zeros(())
        r, c = self.sites.residual(z, self.variables_at(z, outer, data), sites)
        return jnp.sum(c) - 0.5 * jnp.sum(r**2)

    def outer_log_density(self, outer: Values, data: Any = None) -> jax.Array:
        """The log density of all that does not depend on inner latents: of the outer ones, and what they alone explain."""
        blank = self.unravel(jnp.zeros(self.dim))
        return self._log_density(self._standing.apart, self._standing.sums_apart, {**outer, **blank}, data)

    def term_log_density(self, values: Values, data: Any = None) -> jax.Array:
        """The log density of what depends on inner latents and is not Gaussian, at values of all latents."""
        return self._log_density(self._standing.terms, self._standing.sums, values, data)

    def _log_density(
        self, items: list[Item], sums: tuple[int, ...], values: Values, data: Any, added: Values | None = None
    ) -> jax.Array:
        state = self._state(items, values, data, _log_prob, added)
        found = sum((jnp.sum(t) for t in state.terms.values()), jnp.zeros(()))
        given = {**self.program._given(data), **values, **self.program._latents(values, data)}
        for n in sums:
            elimination = self.program.eliminations[n]
            found = found + elimination.log_sum(elimination.arrays(state.variables, given))
        return found

    def vague_sites(self) -> dict[str, jax.Array]:
        """Sites that say next to nothing."""
        return self.sites.vague()

    def initial_sites(self, z: jax.Array, outer: Values, data: Any = None) -> dict[str, jax.Array]:
        """Sites with the slope and the curvature of the terms at z: those of a Laplace approximation around it."""
        return self.sites.initial(z, outer, data)

    # ------------------------------------------------------------ the pattern

    def _footprints_of_variables(self) -> Footprints:
        program = self.program
        found = Footprints(program.layout.sizes, program.shapes, program.data)
        for name, start, end in zip(self.inner, self._starts, self._ends, strict=True):
            shape = program.shapes[name]
            ids = np.arange(start, end).reshape(*shape, 1)
            found.variables[name] = Named(ids, (*map(str, range(len(shape))), IDS))
        found.run(self._standing.computed)
        return found

    def _cliques(self) -> Iterator[np.ndarray]:
        """The sets of inner latents that stand in one residual."""
        for _, node in self._standing.gaussian:
            if not isinstance(node, g.RandomNode):
                continue
            parts = [self._footprints.of(e, node) for name, e in node.dist.args if name == "loc"]  # type: ignore[arg-type]
            if node.target.name in self.inner:
                parts.append(self._footprints.of_target(node))
            whole = tuple(i.axis.label for i in node.target.indices if isinstance(i, g.Whole))
            found = folded(joined(parts), whole)
            if found is not None:
                yield found.array
        yield from self.sites.footprints


def _log_prob(site: Site, value: Any, seen: Any) -> Any:
    term = site.map.log_prob(value)
    return term if seen is None else jnp.where(seen, term, 0.0)


class Standing:
    """The nodes of a program by their part in its Gaussian block: what is Gaussian, other terms, what stands apart; and the
    computed variables, which are in each list."""

    def __init__(self, program: Program, division: g.GaussianBlock):
        self.program, self.division = program, division
        guided, data = program.selection.guided, frozenset(program.data)
        self._in = {n for n, (_, node) in enumerate(program.keyed) if program.selection.in_density(node, guided, data)}
        by_itself = {n for n in self._in if program.keyed[n][0] not in program._summed}
        random = {n for n in by_itself if not isinstance(self._node(n), g.ComputedNode)}
        prior = {n for n in random if not isinstance(self._node(n), g.FactorNode) and self._node(n).target.name in division.inner}
        gaussian = random & (prior | set(division.exact))
        terms = random & set(division.terms)
        self.computed = self._items(set())
        self.gaussian, self.terms, self.apart = (self._items(n) for n in (gaussian, terms, random - gaussian - terms))
        touching = [set(m.nodes) & set(division.terms) for m in program.marginals]
        self.sums = tuple(n for n, them in enumerate(touching) if them)
        self.terms_stand = bool(terms or self.sums)
        self.sums_apart = tuple(n for n, them in enumerate(touching) if not them)

    def _node(self, n: int) -> Any:
        return self.program.keyed[n][1]

    def _items(self, random: set[int]) -> list[Item]:
        """These nodes with the computed ones, no loop carried through random variables."""
        kept = [n for n in sorted(self._in) if n in random or isinstance(self._node(n), g.ComputedNode)]
        return self.program.with_all_known([self.program.keyed[n] for n in kept])

    @property
    def scanned(self) -> bool:
        """Whether a Gaussian node can't be had all at once."""
        return any(a.carried for _, n in self.gaussian if not isinstance(n, g.ComputedNode) for a in n.domain)


def block_of(program: Program) -> Block | None:
    """The Gaussian block of a program; None where there is none, or none that is sparse enough to be worth having."""
    division = program.graph.gaussian
    if program.binding.latent:
        division = gaussian_block(program.graph, frozenset(program.binding.latent))
    if division is None:
        return None
    try:
        block = Block(program, division)
    except TooDense:
        return None
    return None if block._standing.scanned else block
