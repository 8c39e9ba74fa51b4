"""The guide that passes messages: inner latents are drawn exactly given the outer ones, which alone are learned.

::

    eps = (eps_o, eps_i)    eps_o -> backbone -> u -> outer latents x            z = Λ⁻¹ h + L⁻ᵀ eps_i,   Λ = L Lᵀ

with the quadratic form (Λ, h, constant) of the Gaussian block at x (`gaussian.block`) and the messages of its sparse elimination
(`gaussian.elimination`). Integrated over z it is the evidence of x,

    log Z(x) = constant + ½ hᵀ Λ⁻¹ h − ½ log det Λ + dim/2 log 2π

so that, where all that z explains is Gaussian, log p(x) + log Z(x) − log q(x) is the weight of a draw, without any noise from z.
Other terms t are given *sites* s, pseudo-observations that are learned, and the weight is
log p(x) + log Z(x; s) − log q(x) + Σ (log t(z) − log s(z)).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.bijections.normal import LOG_2PI
from emfppl.runtime.compile import once
from emfppl.runtime.gaussian.centre import Prepare, centred, preparation
from emfppl.runtime.gaussian.elimination import Factor, factor
from emfppl.runtime.gaussian.outer import Outer
from emfppl.runtime.guide import Guide, log_normal
from emfppl.runtime.guides.backbone import Frame, Params
from emfppl.runtime.precision import precision

NEWTON_STEPS = 20  # to the mode of the inner latents at given outer ones

Values = dict[str, jax.Array]


class Conditional(NamedTuple):
    """The inner latents given the outer ones, counted from a centre: factor of the precision, h, L⁻¹ h, and the log evidence."""

    factor: Factor
    linear: jax.Array
    white: jax.Array
    log_evidence: jax.Array
    entries: jax.Array
    centre: jax.Array

    def draw(self, eps: jax.Array) -> jax.Array:
        """z at standard normal noise."""
        return self.centre + self.factor.coloured(self.white + eps)

    def log_prob(self, z: jax.Array) -> jax.Array:
        """log q(z | outer)."""
        rows, cols = (a.astype(np.int32) for a in self.factor.plan.pattern)
        twice, z = np.where(rows == cols, 1.0, 2.0), z - self.centre
        square = jnp.sum(twice * self.entries * z[rows] * z[cols]) - 2 * self.linear @ z + self.white @ self.white
        return 0.5 * (self.factor.log_det - square - z.size * LOG_2PI)


class Messages(Guide):
    """A guide whose backbone takes the outer latents only.

    Parameters beside those of every guide: ``{"sites": {…}}`` (`gaussian.sites`) where something is not Gaussian.
    """

    _prepared: tuple[Any, Any] | None = None

    @property
    def name(self) -> str:
        return self.recipe.name if self.backbone.dim else "messages"

    @cached_property
    def block(self) -> Any:
        block = self.program.block
        assert block is not None
        return block

    @cached_property
    def _outer(self) -> Outer:
        return Outer(self.block)

    @property
    def dim(self) -> int:
        return self.backbone.dim + self.block.dim

    @property
    def swept(self) -> bool:
        """Whether most inner latents are eliminated so."""
        return 2 * self.block.plan.swept >= self.block.dim

    @property
    def weight_dim(self) -> int:
        return self.dim if self.block.num_sites else self.backbone.dim

    @property
    def data(self) -> Any:
        """The data with the sums over rows that the block needs of them, made once for each data and in double precision."""
        if self._prepared is None or self._prepared[0] is not self.program.data:
            with precision("float64"):
                self._prepared = self.program.data, centred(self.block, self._prepare, self.program.data)
        return self._prepared[1]

    @cached_property
    def _prepare(self) -> Prepare:
        return cast(Prepare, once(preparation(self.block)))

    # ------------------------------------------------------------ parameters

    def init(self, seed: int = 0, frame: Frame | None = None) -> Params:
        """Sites are those of Laplace's approximation at the centre of the frame."""
        frame = frame or self.centre()
        params = super().init(seed, frame)
        if not self.block.num_sites:
            return params
        return {**params, "sites": jax.device_get(self._settled_at(params, frame.loc, self.data))}

    @cached_property
    def _settled_at(self) -> Callable[..., Values]:
        def settled(params: Params, u: jax.Array, data: Any) -> Values:
            return self._settled(self._values(params, u, data)[0], self.given(params, data))

        return once(settled)

    def _settled(self, outer: Values, data: Any) -> Values:
        """The sites at the mode of the inner latents given the outer ones, by Newton's steps from the middle of the prior, until
        they stand still."""
        middle = jnp.zeros(self.block.dim)
        sites_at = lambda z: dict(self.block.initial_sites(z, outer, data))  # noqa: E731
        first = self._conditional(outer, None, data).draw(middle)
        first = jnp.where(jnp.isfinite(first), first, middle)

        def size(move: jax.Array) -> jax.Array:
            return jnp.max(jnp.abs(move), initial=0.0)

        def moving(state: tuple[Any, ...]) -> jax.Array:
            step, before, at, _ = state
            return (step < NEWTON_STEPS) & (size(at - before) > jnp.finfo(at.dtype).eps ** 0.5 * (1 + size(at)))

        def better(state: tuple[Any, ...]) -> tuple[Any, ...]:
            step, _, at, sites = state
            z = self._conditional(outer, sites, data).draw(middle)
            return step + 1, at, z, sites_at(z)

        far = jnp.full_like(middle, jnp.inf)
        return jax.lax.while_loop(moving, better, (jnp.asarray(0), far, first, sites_at(first)))[-1]

    # ------------------------------------------------------------ the outer latents

    def forward(self, noise: Params, gates: Params | None, data: Any) -> tuple[Values, jax.Array]:
        return self._outer.forward(noise, gates, data)

    def _inverse(
        self, values: Mapping[str, jax.Array], gates: Params | None, data: Any, near: Params | None = None
    ) -> tuple[Values, jax.Array]:
        outer = {name: values[name] for name in self.block.outer}
        return self._outer.inverse(outer, gates, data, near)

    # ------------------------------------------------------------ the inner latents

    def _conditional(self, outer: Values, sites: Values | None, data: Any) -> Conditional:
        entries, linear, constant = self.block.quadratic(outer, sites, data)
        made = factor(self.block.plan, entries)
        white = made.whitened(linear)
        evidence = constant + 0.5 * (white @ white - made.log_det + self.block.dim * LOG_2PI)
        return Conditional(made, linear, white, evidence, entries, self.block.centre(data))

    def _split(self, eps: jax.Array) -> tuple[jax.Array, jax.Array]:
        return eps[: self.backbone.dim], eps[self.backbone.dim :]

    # ------------------------------------------------------------ the map

    def transform(self, params: Params, eps: jax.Array, data: Any = None) -> tuple[Values, jax.Array]:
        """Values at the noise eps (D,), outer before inner, and log q(values)."""
        own, rest = self._split(eps)
        u, log_det = self.backbone.forward_and_log_det(params["backbone"], own)
        outer, log_det_outer = self._values(params, u, data)
        inner = self._conditional(outer, params.get("sites"), self.given(params, data))
        values = {**outer, **self.block.values(inner.draw(rest), outer, self.given(params, data))}
        log_q = log_normal(eps) - log_det - log_det_outer + 0.5 * inner.factor.log_det
        return self._outer.completed(values, self.given(params, data)), log_q

    def log_noise_density(self, params: Params, u: jax.Array, data: Any = None) -> jax.Array:
        """log p(outer(u)) + log Z(outer(u)) + log |det douter/du|: the posterior of u with the inner latents integrated out."""
        outer, log_det = self._values(params, u, data)
        data = self.given(params, data)
        return self._collapsed(outer, self._conditional(outer, params.get("sites"), data), data) + log_det

    @property
    def blank(self) -> Values:
        return self._outer.blank()

    def log_density(self, values: Mapping[str, jax.Array], data: Any = None) -> jax.Array:
        outer, data = dict(values), self.program.data if data is None else data
        return self._collapsed(outer, self._conditional(outer, None, data), data)

    def _collapsed(self, outer: Values, inner: Conditional, data: Any) -> jax.Array:
        """log p of the outer latents with the inner ones, whose conditional is given, integrated out."""
        return self.block.outer_log_density(outer, data) + inner.log_evidence

    def log_start_density(self, params: Params, u: jax.Array, data: Any = None) -> jax.Array:
        """The same with Laplace's approximation of the integral over inner latents, at every u anew."""
        if not self.block.num_sites:
            return self.log_noise_density(params, u, data)
        (outer, log_det), data = self._values(params, u, data), self.given(params, data)
        held = jax.lax.stop_gradient
        sites = held(self._settled(jax.tree.map(held, outer), jax.tree.map(held, data)))
        inner = self._conditional(outer, sites, data)
        z = held(inner.draw(jnp.zeros(self.block.dim)))
        return self._collapsed(outer, inner, data) + log_det + self._surplus(outer, z, sites, data)

    def _surplus(self, outer: Values, z: jax.Array, sites: Values, data: Any) -> jax.Array:
        """Σ log term(z) − log site(z)."""
        values = {**outer, **self.block.values(z, outer, data)}
        return self.block.term_log_density(values, data) - self.block.site_log_density(z, outer, sites, data)

    def log_prob(self, params: Params, values: Mapping[str, jax.Array], data: Any = None) -> jax.Array:
        """log q at given values of the latents."""
        outer = {name: values[name] for name in self.block.outer}
        inner = self._conditional(outer, params.get("sites"), self.given(params, data))
        return super().log_prob(params, values, data) + inner.log_prob(self.block.of_values(values, self.given(params, data)))

    def log_weight(self, params: Params, eps: jax.Array, data: Any = None) -> jax.Array:
        """log p − log q at the noise eps, of which the first `weight_dim` numbers are needed."""
        own, rest = self._split(eps)
        u, log_det = self.backbone.forward_and_log_det(params["backbone"], own)
        outer, log_det_outer = self._values(params, u, data)
        log_joint = self._log_joint(params, params.get("sites"), outer, rest, data)
        return log_joint - log_normal(own) + log_det + log_det_outer

    def _log_joint(self, params: Params, held: Values | None, outer: Values, eps: jax.Array, data: Any) -> jax.Array:
        """log p(outer, …) with the inner latents integrated out, or, with sites, log p − log q(inner) at the draw that eps gives, q
        being that of the sites `held`, which are those of params."""
        data, sites = self.given(params, data), params.get("sites")
        if sites is None or held is None:
            return self._collapsed(outer, self._conditional(outer, None, data), data)
        inner = self._conditional(outer, sites, data)
        other = inner if held is sites else self._conditional(outer, held, data)
        return self._collapsed(outer, other, data) + self._surplus(outer, inner.draw(eps), held, data)

    def sticking_log_weight(self, params: Params, eps: jax.Array, data: Any = None) -> jax.Array:
        own, rest = self._split(eps)
        log_q, outer = self._sticking_log_prob(params, own, data)
        return self._log_joint(params, jax.lax.stop_gradient(params.get("sites")), outer, rest, data) - log_q
