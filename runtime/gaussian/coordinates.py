"""The vector z of the inner latents: in which order they stand in it, and by what.

A latent of a plate stands in z by what it exceeds its location by, ``z = x − loc``, if that depends on other inner latents. Where
its scale σ is small the Schur complement of the others would otherwise be a difference of numbers of the size of 1/σ²; so it is one
of what the data say. The change of coordinates is triangular with ones on its diagonal, so that no density changes. Latents of a
series stand in z as they are: their excess would make the precision dense.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.compiler import graph as g
from emfppl.runtime.execute import Item, Site, State, grouped, run, target_labels
from emfppl.runtime.gaussian.footprints import IDS, NONE, Footprint, Footprints, joined, over
from emfppl.runtime.gaussian.residuals import location
from emfppl.runtime.gaussian.standing import Standing
from emfppl.runtime.named import Named, filled

if TYPE_CHECKING:
    from emfppl.runtime.program import Program

WIDEST = 8  # latents that an excess may bring into every statement that reads its latent

Values = Mapping[str, Any]


class Coordinates:
    """The layout of z, and which latents are `shifted`.

    `footprints` are those of all variables in z, `plain` those in the latents themselves, `positions` the latents alone.
    """

    def __init__(self, program: Program, standing: Standing, inner: tuple[str, ...]):
        self.program, self.standing, self.inner = program, standing, inner
        sizes = [int(np.prod(program.shapes[n], dtype=int)) for n in inner]
        ends = np.cumsum(sizes).tolist()
        self.pieces = [(end - size, end) for end, size in zip(ends, sizes, strict=True)]
        self.dim = ends[-1]
        self.positions, self.plain, self.footprints = self._positions(), self._positions(), self._positions()
        self.plain.run(standing.computed)
        self.shifted = frozenset(self._shifted())
        self.flow = standing.items({n for n in standing.prior.values() if standing.name(n) in self.shifted})

    def _positions(self) -> Footprints:
        """Every inner latent with its own position."""
        program, found = self.program, {}
        for name, (start, end) in zip(self.inner, self.pieces, strict=True):
            shape = program.shapes[name]
            found[name] = Named(np.arange(start, end).reshape(*shape, 1), (*map(str, range(len(shape))), IDS))
        return Footprints(program.layout.sizes, program.shapes, program.data, found)

    def _shifted(self) -> list[str]:
        """The latents that stand by their excess, in order; the footprints follow."""
        priors = self.standing.items(set(self.standing.prior.values()))
        shifted = []
        for name, group in _runs(priors):
            above = self._above(group[0][1])
            if above is None:
                self.footprints.run(group)
            else:
                mine = self.footprints.variables[name]
                self.footprints.variables[name] = joined([mine, above])  # type: ignore[assignment]
                shifted.append(name)
        return shifted

    def _above(self, node: g.Node) -> Footprint:
        """What the location of a latent depends on, over its variable's dims, if it is to stand by its excess."""
        defined = () if isinstance(node, g.FactorNode) else self.program.graph.defining(node.target.name)
        if not isinstance(node, g.RandomNode) or len(defined) > 1 or any(a.carried for n in defined for a in n.domain):
            return None
        args = dict(node.dist.args)
        if "loc" not in args:
            return None
        found = self.footprints.of(args["loc"], node)  # type: ignore[arg-type]
        if found is None or found.length(IDS) > WIDEST:
            return None
        dims = {label: str(n) for n, label in enumerate(target_labels(node.target))}
        return found.renamed(dims.get(label, label) for label in found.labels)

    # ------------------------------------------------------------ layout

    def ravel(self, values: Values) -> jax.Array:
        """One vector (dim,) of arrays for the inner latents."""
        return jnp.concatenate([jnp.ravel(jnp.asarray(values[n], float)) for n in self.inner])

    def unravel(self, vector: jax.Array) -> dict[str, jax.Array]:
        """Arrays for the inner latents from one vector (dim,)."""
        shapes = self.program.shapes
        return {n: vector[start:end].reshape(shapes[n]) for n, (start, end) in zip(self.inner, self.pieces, strict=True)}

    # ------------------------------------------------------------ there and back

    def state(self, items: list[Item], z: jax.Array, outer: Values, data: Any, weigh: Callable[..., Any] | None = None) -> State:
        """The nodes run at z and values of the outer latents; each random one weighed by its value, or excess, and which of its
        draws are seen."""
        program, excess = self.program, self.unravel(z)
        latents = program._latents({**outer, **excess}, data)
        known = {**program._given(data), **outer, **latents}

        def visit(site: Site) -> tuple[Any, Any]:
            value, shifted = program.value_at(site, known), site.node.target.name in self.shifted
            term = jnp.zeros(()) if weigh is None else weigh(site, value, program.seen(site), shifted)
            return (value + location(site), term) if shifted else (None, term)

        before = {n: v for n, v in {**program.fixed(data), **latents}.items() if n not in self.shifted}
        return run(items, program.layout, program.state(before), {}, visit)

    def variables(self, z: jax.Array, outer: Values, data: Any) -> Values:
        """All variables at z."""
        return self.state(self.flow, z, outer, data).variables

    def computed(self, values: Values, data: Any) -> Values:
        """All variables at values of the latents."""
        program = self.program
        before = program.state({**program.fixed(data), **program._latents(values, data)})
        return run(self.standing.computed, program.layout, before, {}, lambda _: (None, None)).variables

    def places_of_latents(self) -> np.ndarray:
        """The places of z that each inner latent depends on (dim, k)."""
        rows = []
        for name in self.inner:
            shape, found = self.program.shapes[name], self.footprints.variables[name]
            rows.append(over(found, tuple(map(str, range(len(shape)))), shape).reshape(-1, found.length(IDS)))
        width = max(r.shape[1] for r in rows)
        return np.concatenate([np.pad(r, ((0, 0), (0, width - r.shape[1])), constant_values=NONE) for r in rows])

    def values(self, z: jax.Array, outer: Values, data: Any) -> dict[str, Any]:
        """The inner latents at z."""
        if not self.shifted:
            return self.unravel(z)
        variables = self.variables(z, outer, data)
        return {n: variables[n] for n in self.inner}

    def of_values(self, values: Values, data: Any) -> jax.Array:
        """z at values of all latents."""
        if not self.shifted:
            return self.ravel(values)
        program = self.program
        latents = program._latents(values, data)
        locations: dict[str, Any] = {}

        def visit(site: Site) -> tuple[Any, Any]:
            events = [label for label in target_labels(site.node.target) if label not in site.batch]
            full = jnp.broadcast_to(location(site), (*site.batch_shape, *site.event_shape))
            name, labels = site.node.target.name, target_labels(site.node.target)
            locations[name] = filled(Named(full, (*site.batch, *events)), labels, program.shapes[name])
            return None, jnp.zeros(())

        run(self.flow, program.layout, program.state({**program.fixed(data), **latents}), {}, visit)
        return self.ravel({n: latents[n] - locations.get(n, 0.0) for n in self.inner})


def _runs(items: list[Item]) -> list[tuple[str, list[Item]]]:
    """Random nodes one by one, computed ones of a scan together, with the name of the first one's variable."""
    return [(group[0][1].target.name, group) for _, group in grouped(items)]  # type: ignore[union-attr]
