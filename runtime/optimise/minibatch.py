"""Steps on batches: B of the N entries of a dim at a time, with the log weight scaled so that its expectation is that of all.

::

    log ŵ = log p(z) − log q(z)  +  N/B Σ_{n in batch} [log p(y_n, l_n | z) − log q(l_n)]

for global latents z and *local* ones l, which lie over the dim. The batch is a window of B entries at a random place of a circle on
which the entries stand in random order, so that each entry is in it with chance B/N, and the data of a batch are one slice.

A batch is a program of its own, the same graph with a dim of size B. Few local latents have parameters of their own: the backbone
is elementwise, and the batch's guide takes the parameters of its entries out of those of all. Many are *amortised*: a network
infers them from the data of their entries, and the batch's guide has the parameters of the whole one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.batchable import check_batch, over, refused
from emfppl.runtime.bijections.normal import LOG_2PI
from emfppl.runtime.bind import Binding
from emfppl.runtime.choose_guide import FULL_RANK_UP_TO, dimension, rebuild_guide
from emfppl.runtime.guide import Guide, latent_nodes
from emfppl.runtime.guides.amortised import Amortised, local_axes
from emfppl.runtime.program import Program
from emfppl.runtime.recipe import Recipe

Tree = Any
ELEMENTWISE = "mean_field"
FEW, MANY = 200, 5_000  # local numbers: up to few they have parameters of their own, from many on a network
FIRST_STEPS, VISITS = 1000, 100  # of a fit's first round; of an entry in these, that its own parameters need


class Scaled(Program):
    """The program of a batch: statements over `dim` count `scale` times."""

    def __init__(self, whole: Program, dim: str, size: int):
        super().__init__(_part(whole.binding, dim, size), whole.table)
        self.dim, self.scale = dim, whole.binding.sizes[dim] / size

    def log_density(self, values: Mapping[str, Any], data: Any = None) -> Any:
        terms = self.log_terms(values, data)
        return sum(((self.scale if over(node, self.dim) else 1.0) * jnp.sum(term) for node, term in terms), jnp.zeros(()))


def batch_of(program: Program, batch: Mapping[str, int] | None) -> tuple[str, int] | None:
    """The dim that steps take batches of, and how many entries; None where all fit into one. Raises `EmfError` E1109."""
    if not batch:
        return None
    ((dim, size),) = batch.items()
    check_batch(program, dim)
    return (dim, size) if size < program.binding.sizes[dim] else None


def in_batches(program: Program, drawn: tuple[str, int], recipes: tuple[Recipe, ...]) -> tuple[Recipe, ...]:
    """The guides of a ladder that can be fitted in batches of so many entries of a dim: where latents lie over the dim, one with a
    network for them, or, where they are few and a `guide` block may lay out their gates, an elementwise one."""
    local = _local(program, drawn[0])
    if not local:
        return recipes
    count = sum(int(np.prod(program.noise_shapes[key], dtype=int)) for key in local)
    if not program.graph.guide.gates and _many(count, drawn[1] / program.binding.sizes[drawn[0]]):
        affine = "full_rank" if dimension(program) - count <= FULL_RANK_UP_TO else ELEMENTWISE
        return (Recipe(affine, amortised=drawn[0]),)
    return (Recipe(ELEMENTWISE, gates="shut" if recipes[0].gates == "shut" else "affine"),)


def _many(count: int, share: float) -> bool:
    """Whether so many local numbers, a share of which are in a batch, are better inferred by a network: own parameters of theirs
    would be moved too rarely, or be more than a network has by far."""
    return count > FEW and (count > MANY or share * FIRST_STEPS < VISITS)


def _local(program: Program, dim: str) -> dict[str, int]:
    """The noise keys of the latents over a dim, each with the axis of its noise that is the dim."""
    return local_axes(dict(latent_nodes(program)), dim)


def _part(binding: Binding, dim: str, size: int) -> Binding:
    """The first entries of a dim alone."""
    dims = {v.name: v.dims for v in binding.graph.variables}
    values = {name: _first(value, dims[name], dim, size) for name, value in binding.values.items()}
    coords = {d: c[:size] if d == dim else c for d, c in binding.coords.items()}
    return replace(binding, sizes={**binding.sizes, dim: size}, coords=coords, values=values)


def _first(value: np.ndarray, dims: tuple[str, ...], dim: str, size: int) -> np.ndarray:
    return value[tuple(slice(size) if d.rstrip("'") == dim else slice(None) for d in dims)]


class Minibatch:
    """Batches of `size` entries of `dim`, which has passed `check_batch`, for a guide of all of them.

    Raises `EmfError` E1109 where latents lie over the dim and the guide's backbone is not elementwise.
    """

    def __init__(self, guide: Guide, dim: str, size: int, seed: int):
        self.guide, self.dim, self.size = guide, dim, size
        self.total = guide.program.binding.sizes[dim]
        self.small = rebuild_guide(Scaled(guide.program, dim, size), guide.describe())
        self.order = np.random.default_rng(seed).permutation(self.total)
        if guide.recipe.blocks:
            raise refused("Messages are passed over all data at once.", hint="leave `guide` out")
        if self.local and not guide.recipe.amortised and not (guide.recipe.affine == ELEMENTWISE and not guide.backbone.layers):
            text = f"`{next(iter(self.local))}` lies over `{dim}`, so that the guide must be `mean_field` or `gated`."
            raise refused(text, hint="leave `guide` out")

    # ------------------------------------------------------------ what lies over the dim

    @cached_property
    def local(self) -> dict[str, int]:
        """The noise keys of local latents, each with the axis of its noise that is the dim."""
        return _local(self.guide.program, self.dim)

    @cached_property
    def _axes(self) -> dict[str, int]:
        """The data with an entry for each of the dim, and the axis of these."""
        data = self.guide.program.data
        dims = {v.name: [d.rstrip("'") for d in v.dims] for v in self.guide.program.graph.variables}
        return {name: dims[name].index(self.dim) for name in data if self.dim in dims.get(name, ())}

    @cached_property
    def given(self) -> dict[str, Any]:
        """What a step takes a batch of: the data in random order, their beginning once more at the end, so that a window may
        run over it; the other data; the order."""
        data = self.guide.program.data
        circle = np.concatenate([self.order, self.order[: self.size - 1]]).astype(np.int32)
        turned = {name: np.take(data[name], circle, axis) for name, axis in self._axes.items()}
        return {"turned": turned, "rest": {n: v for n, v in data.items() if n not in turned}, "circle": circle}

    def pick(self, given: dict[str, Any], key: jax.Array) -> dict[str, Any]:
        """A batch at random."""
        return self.window(given, jax.random.randint(key, (), 0, self.total))

    def window(self, given: dict[str, Any], start: Any) -> dict[str, Any]:
        """The batch at a place of the circle: its data, and which entries they are."""
        cut = lambda array, axis: jax.lax.dynamic_slice_in_dim(array, start, self.size, axis)  # noqa: E731
        data = {name: cut(array, self._axes[name]) for name, array in given["turned"].items()}
        return {"data": {**given["rest"], **data}, "entries": cut(given["circle"], 0)}

    # ------------------------------------------------------------ the estimate

    def log_weight(self, params: Tree, eps: jax.Array, batch: dict[str, Any]) -> jax.Array:
        """log ŵ at noise eps of the batch's own size, gradients without the guide's score (see `Guide.sticking_log_weight`)."""
        if isinstance(self.small, Amortised):
            return self.small.sticking_log_weight_of_part(params, eps, batch["data"], self.total / self.size)
        if not self.local:
            return self.small.sticking_log_weight(params, eps, batch["data"])
        params, small = self.params_of(params, batch["entries"]), self.small
        held, data = jax.lax.stop_gradient(params), batch["data"]
        forward = lambda e: small.backbone.forward_and_log_det(params["backbone"], e)[0]  # noqa: E731
        u, slope = jax.jvp(forward, (eps,), (jnp.ones_like(eps),))
        values, _ = small.program.forward(small.unravel(u), small.gates.openings(params["gates"]), small.given(params, data))
        near = small.unravel(jax.lax.stop_gradient(u))
        noise, back = small.program.inverse_terms(values, small.gates.openings(held["gates"]), small.given(held, data), near)
        score = jax.lax.stop_gradient(small.backbone.score(held["backbone"], eps) * self._shares)
        log_q_u = jax.lax.stop_gradient(self._shares @ (-0.5 * (eps**2 + LOG_2PI) - jnp.log(jnp.abs(slope))))
        moved = small.ravel(noise)
        log_q = log_q_u + score @ (moved - jax.lax.stop_gradient(moved)) + self._shared(back)
        return small.program.log_density(values, small.given(params, data)) - log_q

    def _shared(self, terms: Mapping[str, Any]) -> jax.Array:
        return sum((self._share(key) * jnp.sum(term) for key, term in terms.items()), jnp.zeros(()))

    def _share(self, key: str) -> float:
        return self.total / self.size if key in self.local else 1.0

    @cached_property
    def _shares(self) -> np.ndarray:
        """How often each coordinate of a batch's noise counts: (D of the batch,)."""
        shapes = self.small.program.noise_shapes
        return np.concatenate([np.full(int(np.prod(s, dtype=int)), self._share(k)) for k, s in shapes.items()])

    def params_of(self, params: Tree, entries: jax.Array) -> Tree:
        """The parameters of the batch's guide out of those of all."""
        places = self._places(entries)
        backbone = jax.tree.map(lambda leaf: leaf[places], params["backbone"])
        return {**params, "backbone": backbone, "gates": {k: self._gate(k, v, entries) for k, v in params["gates"].items()}}

    def _places(self, entries: jax.Array) -> jax.Array:
        """Where the batch's noise stands in that of all."""
        parts, first = [], 0
        for key, shape in self.guide.shapes.items():
            size = int(np.prod(shape, dtype=int))
            axes = [jnp.arange(n) for n in shape]
            if key in self.local:
                axes[self.local[key]] = entries
            place = jnp.zeros((), jnp.int32)
            for axis, length in zip(axes, shape, strict=True):
                place = place[..., None] * length + axis
            parts.append(first + jnp.ravel(place))
            first += size
        return jnp.concatenate(parts)

    def _gate(self, key: str, leaves: Tree, entries: jax.Array) -> Tree:
        """A gate's numbers for the batch; one that serves a whole variable stays."""
        if key not in self.local:
            return leaves
        shape = self.guide.program.noise_shapes[key]
        own = lambda leaf: jnp.take(leaf, entries, self.local[key]) if jnp.shape(leaf) == shape else leaf  # noqa: E731
        return jax.tree.map(own, leaves)
