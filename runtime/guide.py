"""The guide: an approximation to a program's posterior that can be sampled and evaluated.

::

    eps ~ N(0, I) (D,)  ->  backbone  ->  u, laid out as the program's noise  ->  Program.forward(u, gates)  ->  values

    log q(values) = log N(eps) − log |det du/deps| − log |det dvalues/du|

Parameters are one pytree: ``{"backbone": …, "gates": {…}, "params": {…}}``, the last the program's `param` variables
in unconstrained space. Functions take one draw; callers vmap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.compiler.graph import GateSpec, RandomNode
from emfppl.runtime.bijections.normal import LOG_2PI
from emfppl.runtime.bijections.updated_laws import LOC, SCALE
from emfppl.runtime.compile import once
from emfppl.runtime.gates import Gates
from emfppl.runtime.guides.backbone import Backbone, Frame, Params
from emfppl.runtime.guides.inverse_graph import Inverse
from emfppl.runtime.pseudo_starts import kept, placed
from emfppl.runtime.recipe import Recipe

if TYPE_CHECKING:
    from emfppl.runtime.program import Program

CENTRE_WIDTH = 0.1  # backbones start narrow, at the prior's centre
NARROWEST, WIDEST = 1e-4, 0.95  # of a law with pseudo-observations at the start, in widths of the law without


def log_normal(eps: jax.Array) -> jax.Array:
    """The log density of standard normal noise, summed."""
    return -0.5 * jnp.sum(eps**2) - 0.5 * LOG_2PI * eps.size


def latent_nodes(program: Program) -> list[tuple[str, RandomNode]]:
    """The nodes that have noise, with the keys of their noise."""
    return [(program.noise_key(key), node) for key, node in program.latent_items]


class Guide:
    """A program, a backbone over its noise, and gates."""

    def __init__(self, program: Program, backbone: Backbone, gates: Gates, recipe: Recipe, inverse: Inverse | None = None):
        self.program, self.backbone, self.gates, self.recipe = program, backbone, gates, recipe
        self.inverse = inverse  # the graph that a flow of the backbone goes by
        self._sizes = [int(np.prod(s, dtype=int)) for s in self.shapes.values()]
        self._ends = np.cumsum(self._sizes).tolist()

    @property
    def name(self) -> str:
        return self.recipe.name

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shapes of the noise by node key, in the order in which a flat vector holds it."""
        return self.gates.shapes

    @property
    def dim(self) -> int:
        """Standard normal numbers behind a draw."""
        return sum(self._sizes)

    @property
    def weight_dim(self) -> int:
        """How many of these, from the first, its weight depends on."""
        return self.dim

    @property
    def further_work(self) -> int:
        """Numbers that a draw works on beside the program's own."""
        return 0

    @property
    def swept(self) -> bool:
        """Whether most of the work of a weight is a scan over pieces of long chains."""
        return False

    @property
    def data(self) -> Any:
        """The data as the loops of a fit are to be given them: the program's own, with what can be made of them beforehand."""
        return self.program.data

    # ------------------------------------------------------------ layout

    def unravel(self, u: jax.Array) -> dict[str, jax.Array]:
        """The noise by node key of a flat vector (D,)."""
        shapes = self.shapes.items()
        ends = zip(self._ends, self._sizes, strict=True)
        return {k: u[end - n : end].reshape(s) for (k, s), (end, n) in zip(shapes, ends, strict=True)}

    def ravel(self, noise: Mapping[str, jax.Array]) -> jax.Array:
        """The flat vector (D,) of noise by node key."""
        parts = [jnp.ravel(noise[k]) for k in self.shapes]
        return jnp.concatenate(parts) if parts else jnp.zeros(0)

    # ------------------------------------------------------------ parameters

    def init(self, seed: int = 0, frame: Frame | None = None) -> Params:
        """NumPy parameters: the guide nearest to `frame`, by default narrow at the prior's centre; gates as specified."""
        rng = np.random.default_rng(seed)
        frame = frame or self.centre()
        backbone = self.backbone.init(frame, rng)
        return {"backbone": backbone, "gates": self.gates.init(self._updates(frame)), "params": self.program.param_starts()}

    @cached_property
    def _placed(self) -> Callable[..., Params]:
        return once(lambda u, ratio, data: placed(self, u, ratio, data))

    def _updates(self, frame: Frame) -> Params | None:
        """The pseudo-observations that make the guide what the frame says where the backbone does not, and else weigh as much as
        the gates' first opening leaves to them."""
        if not self.gates.conjugate:
            return None
        widths = np.clip(frame.widths, NARROWEST, WIDEST)
        widths[getattr(self.backbone.affine, "learned", slice(None))] = np.sqrt(GateSpec().init)
        u, ratio = (self.unravel(jnp.asarray(v)) for v in (frame.loc, 1 / widths**2 - 1))
        data = self.program.with_params(self.program.param_starts())
        return dict(jax.device_get(self._placed(u, ratio, data)))

    def centre(self) -> Frame:
        """Narrow noise at the prior's centre, in the coordinates that the backbone works in."""
        dim = self.backbone.dim
        loc = np.asarray(self._centre_unconstrained(self.program.data)) if self.gates.shut and dim else np.zeros(dim)
        return Frame(loc, np.full(dim, CENTRE_WIDTH))

    @cached_property
    def _centre_unconstrained(self) -> Callable[[Any], jax.Array]:
        def centre(data: Any) -> jax.Array:
            data = self.program.with_params(self.program.param_starts(), data)
            values, _ = self.forward(self.unravel(jnp.zeros(self.backbone.dim)), None, data)
            noise, _ = self._inverse(values, self.gates.openings({}), data)
            return self.ravel(noise)

        return cast(Callable[[Any], jax.Array], once(centre))

    # ------------------------------------------------------------ the map

    def transform(self, params: Params, eps: jax.Array, data: Any = None) -> tuple[dict[str, jax.Array], jax.Array]:
        """Values at the noise eps (D,), and log q(values)."""
        u, log_det = self.backbone.forward_and_log_det(params["backbone"], eps)
        values, log_det_program = self._values(params, u, data)
        return values, log_normal(eps) - log_det - log_det_program

    def _values(self, params: Params, u: jax.Array, data: Any) -> tuple[dict[str, jax.Array], jax.Array]:
        data = self.given(params, data)
        return self.forward(self.unravel(u), self.gates.openings(params["gates"]), data)

    def forward(self, noise: Params, gates: Params | None, data: Any) -> tuple[dict[str, jax.Array], jax.Array]:
        return self.program.forward(noise, gates, data)

    def _inverse(
        self, values: Mapping[str, jax.Array], gates: Params | None, data: Any, near: Params | None = None
    ) -> tuple[dict[str, jax.Array], jax.Array]:
        return self.program.inverse(values, gates, data, near)

    def given(self, params: Params, data: Any = None) -> Any:
        """The data, the program's own by default, with the `param` variables as they are in params."""
        return self.program.with_params(params["params"], self.program.data if data is None else data)

    def log_noise_density(self, params: Params, u: jax.Array, data: Any = None) -> jax.Array:
        """log p(values(u), data) + log |det dvalues/du|: the posterior, unnormalised, of the noise u (D,)."""
        values, log_det = self._values(params, u, data)
        return self.program.log_density(values, self.given(params, data)) + log_det

    @property
    def blank(self) -> dict[str, jax.Array]:
        """Something in the place of the latents that `log_density` does not take."""
        return {}

    def log_density(self, values: Mapping[str, jax.Array], data: Any = None) -> jax.Array:
        """log p(values, data) of the latents that the backbone gives, all others being integrated out."""
        return self.program.log_density(values, data)

    def log_start_density(self, params: Params, u: jax.Array, data: Any = None) -> jax.Array:
        """What a fit looks for the mode of, to start there."""
        return self.log_noise_density(params, u, data)

    def log_prob(self, params: Params, values: Mapping[str, jax.Array], data: Any = None) -> jax.Array:
        """log q at given values of the latents."""
        openings = self.gates.openings(params["gates"])
        noise, log_det_program = self._inverse(values, openings, self.given(params, data))
        eps, log_det = self.backbone.inverse_and_log_det(params["backbone"], self.ravel(noise))
        return log_normal(eps) + log_det + log_det_program

    def log_weight(self, params: Params, eps: jax.Array, data: Any = None) -> jax.Array:
        """log p(values, data) − log q(values) at the noise eps: its mean is the ELBO."""
        values, log_q = self.transform(params, eps, data)
        return self.program.log_density(values, self.given(params, data)) - log_q

    def sticking_log_weight(self, params: Params, eps: jax.Array, data: Any = None) -> jax.Array:
        """`log_weight` in value, and in gradient without the guide's score (Roeder et al. 2017).

        The gradient of log q(values; φ) in φ at fixed values has mean zero and is left out, so that the gradient has no
        noise where the guide is exact: log q is taken at parameters held constant, through the inverse of the map.
        """
        log_q, values = self._sticking_log_prob(params, eps, data)
        return self.program.log_density(values, self.given(params, data)) - log_q

    def _sticking_log_prob(self, params: Params, eps: jax.Array, data: Any) -> tuple[jax.Array, dict[str, jax.Array]]:
        """log q of the values at eps under parameters held constant, and the values."""
        held = jax.lax.stop_gradient(params)
        u, log_det = self.backbone.forward_and_log_det(params["backbone"], eps)
        values, log_det_program = self._values(params, u, data)
        noise, back = self._held_noise(held, params, u, values, log_det_program, data)
        score = jax.lax.stop_gradient(self.backbone.score(held["backbone"], eps))
        log_q_u = jax.lax.stop_gradient(log_normal(eps) - log_det) + score @ (noise - jax.lax.stop_gradient(noise))
        return log_q_u + back, values

    def _held_noise(
        self, held: Params, params: Params, u: jax.Array, values: dict[str, jax.Array], log_det: jax.Array, data: Any
    ) -> tuple[jax.Array, jax.Array]:
        """The noise (D,) of the values, and log |det dnoise/dvalues|, both under the parameters held constant: in value u and
        −log_det."""
        if not (params["gates"] or params["params"]):
            return u, -log_det
        openings, near = self.gates.openings(held["gates"]), self.unravel(jax.lax.stop_gradient(u))
        noise, back = self._inverse(values, openings, self.given(held, data), near)
        return self.ravel(noise), back - jax.lax.stop_gradient(back + log_det)

    def kept(self, params: Params) -> dict[str, Any]:
        """By node key how far the prior's map stays open, from 0 to 1."""
        openings = dict(self.gates.openings(params["gates"]) or {})
        parts = {key: v for key, v in openings.items() if isinstance(v, Mapping)}
        apart = {key: (v[LOC] + v[SCALE]) / 2 for key, v in parts.items() if LOC in v}
        updates: dict[str, Any] = {key: v for key, v in parts.items() if LOC not in v}
        if updates:
            values = self.transform(params, jnp.zeros(self.dim))[0]
            updates = kept(self.program, self.gates, values, updates, self.given(params))
        return {**openings, **apart, **updates}

    # ------------------------------------------------------------ description

    def num_params(self, params: Params) -> int:
        """How many numbers are learned."""
        if self.gates.kind == "exact":
            return 0
        return sum(int(np.size(leaf)) for leaf in jax.tree.leaves(params))

    def describe(self) -> dict[str, Any]:
        """A JSON-able account, from which `choose_guide.rebuild_guide` builds the same guide."""
        inverse = {} if self.inverse is None else {"inverse": asdict(self.inverse)}
        return {"recipe": self.recipe.as_dict(), "gates": self.gates.describe(), **inverse}
