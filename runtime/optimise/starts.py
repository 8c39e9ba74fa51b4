"""Where a fit starts: at the mode with the curvature there, at the best normal approximation on the way there, and narrow at the
prior's centre.

The mode is that of the noise u (and of the `param` variables, jointly), so under open gates the density has the prior's
structure taken out and a proper mode where the density of the variables themselves has none (a funnel).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from emfppl.compiler.affine import has_bent_loop
from emfppl.runtime.compile import once, seldom, solves
from emfppl.runtime.guide import CENTRE_WIDTH, Guide
from emfppl.runtime.guides.backbone import Frame
from emfppl.runtime.optimise.mode import Mode, Second, derivatives, differences, find_mode
from emfppl.runtime.optimise.pathfinder import Normal, find_normal
from emfppl.runtime.precision import precision
from emfppl.runtime.threads import one_thread_each

MODE_STARTS = 4  # fewer where the Hessians of all starts would be larger than those of 4 starts in 25 dimensions
MODE_STEPS = 200
LOOP_STARTS, LOOP_STEPS = 16, 60  # of programs with a latent loop that is not affine
PROBES = 64
MODE_MEMORY = 100_000_000  # numbers that the Hessians of all starts may hold at once
PATHS, ONE_PATH_FROM = 2, 50_000  # paths to follow; numbers a draw from which it is one

Tree = Any


@dataclass(frozen=True)
class Start:
    """Parameters to start from, and the units in which the `param` variables move."""

    params: Tree
    units: Tree


class Starts:
    """The starts of one guide."""

    def __init__(self, guide: Guide, seed: int, elements: int):
        self.guide, self.seed, self.elements = guide, seed, elements
        self.template = {**guide.init(seed), "gates": guide.gates.init()}  # the prior's own maps, to look for modes
        flat, self._unravel = ravel_pytree(self.template["params"])
        self.own = np.asarray(flat, np.float64)

    @property
    def dim(self) -> int:
        """Numbers to find a mode of: noise and `param` variables."""
        return self.guide.backbone.dim + self.own.size

    # ------------------------------------------------------------ the posterior of the noise

    def log_density(self, point: jax.Array, data: Any) -> jax.Array:
        """The log density of noise and `param` variables, laid out as one vector."""
        u, own = point[: self.guide.backbone.dim], self._unravel(point[self.guide.backbone.dim :])
        return self.guide.log_start_density({**self.template, "params": own}, u, data)

    def points(self, count: int, spread: float = 1.0) -> np.ndarray:
        """The prior's centre, and points around it: (count, dim)."""
        rng = np.random.default_rng(self.seed)
        centre = np.concatenate([self.guide.centre().loc, self.own])
        away = rng.normal(size=(count, self.dim)) * spread
        away[0] = 0.0
        return centre + away

    def find_mode(self) -> Mode | None:
        """The mode; None if there is none, or the Hessian is too large."""
        if not 0 < self.dim * self.elements <= MODE_MEMORY:
            return None
        count, steps = self.effort
        with precision("float64"):
            data = self.guide.data
            found = find_mode(self.log_density, self.points(count), data, steps, second=self.second)
            return found or self._mode_of_finite(data)

    @property
    def effort(self) -> tuple[int, int]:
        """How many starts, and how many steps from each. Paths of a loop that is not affine have modes of many kinds (the other
        side of an unstable point, say), and most climbs end in a bad one."""
        size = self.dim * self.elements
        if has_bent_loop(self.guide.program.graph) and size <= MODE_MEMORY / LOOP_STARTS:
            return LOOP_STARTS, LOOP_STEPS
        return MODE_STARTS if self.dim <= 25 and size <= MODE_MEMORY / MODE_STARTS else 1, MODE_STEPS

    def _mode_of_finite(self, data: Any) -> Mode | None:
        finite = self.finite_points()
        return find_mode(self.log_density, finite[:1], data, second=self.second) if finite.size else None

    @property
    def second(self) -> Second:
        """How second derivatives are found: solvers of differential equations have none of their own."""
        return differences if solves(self.guide.program) else derivatives

    def finite_points(self) -> np.ndarray:
        """Of many points around the centre those with a finite density, highest first: (k, dim)."""
        points = np.concatenate([self.points(PROBES, 0.1), self.points(PROBES, 1.0)[1:]])
        with precision("float64"):
            values = np.asarray(once(jax.vmap(self.log_density, (0, None)))(points, self.guide.data))
        order = np.argsort(np.where(np.isfinite(values), -values, np.inf))
        return points[order[np.isfinite(values[order])]]

    def find_normal(self) -> Normal | None:
        """The best normal approximation of the noise along paths uphill from the prior's centre and a point near it, the `param`
        variables staying where they are; None if none is better than a narrow one at the centre."""
        dim = self.guide.backbone.dim
        starts = self.points(PATHS if self.elements <= ONE_PATH_FROM else 1)[:, :dim]
        if not dim:
            return None
        with precision("float64"), one_thread_each():
            data = self.guide.data

            def slope(u: np.ndarray) -> tuple[float, np.ndarray]:
                value, gradient = jax.device_get(self._slope(u, data))
                return float(value), np.asarray(gradient, np.float64)

            least = Normal.narrow(self.guide.centre())
            return find_normal(slope, starts, self.guide.backbone.affine.rank, least, self.seed)

    @cached_property
    def _slope(self) -> Callable[..., Any]:
        """The compiled log density of the noise alone, with its gradient."""
        own = self.own
        density = lambda u, data: self.log_density(jnp.concatenate([u, own]), data)  # noqa: E731
        found: Callable[..., Any] = seldom(jax.value_and_grad(density), self.guide.program)
        return found

    # ------------------------------------------------------------ starts

    def at_normal(self, normal: Normal) -> Start:
        """A normal approximation of the noise."""
        return self._start(normal.frame(self.guide.backbone.affine.rank), self.own, np.ones(self.own.size))

    def at_mode(self, mode: Mode) -> Start:
        """The normal approximation at the mode."""
        dim = self.guide.backbone.dim
        own = mode.point[dim:]
        frame = _conditional(mode, dim) if own.size else mode.frame()
        curvature = np.abs(np.diagonal(mode.hessian)[dim:])
        units = np.clip(1 / np.sqrt(np.maximum(curvature, 1e-12)), 1e-6, 1e6)
        return self._start(frame, own, units)

    def beside(self, start: Start) -> Start:
        """Another start, half as wide and a standard deviation away, to see whether the fit comes back."""
        rng = np.random.default_rng(self.seed + 1)
        affine = self.guide.backbone.affine
        moved = affine.start(Frame(rng.normal(size=self.guide.backbone.dim), np.full(self.guide.backbone.dim, 0.5)), rng)
        folded = affine.fold(start.params["backbone"]["affine"], moved)
        return Start({**start.params, "backbone": {**start.params["backbone"], "affine": folded}}, start.units)

    def at_centre(self) -> Start:
        """Narrow at the prior's centre, or at a point near it where the density is finite."""
        return self.at_point(self.points(1)[0])

    def at_point(self, point: np.ndarray) -> Start:
        """Narrow at a point."""
        dim = self.guide.backbone.dim
        return self._start(Frame(point[:dim], np.full(dim, CENTRE_WIDTH)), point[dim:], np.ones(self.own.size))

    def _start(self, frame: Frame, own: np.ndarray, units: np.ndarray) -> Start:
        params = {**self.guide.init(self.seed, frame), "params": self._named(own)}
        return Start(params, self._named(units))

    def _named(self, own: np.ndarray) -> Tree:
        """The `param` variables of a vector, by name."""
        with precision("float64"):
            return jax.tree.map(np.asarray, self._unravel(jnp.asarray(own)))


def _conditional(mode: Mode, dim: int) -> Frame:
    """The normal approximation of the noise alone, given the `param` variables at the mode."""
    if not dim:
        return Frame(np.zeros(0), np.zeros((0, 0)))
    return Mode(mode.point[:dim], mode.value, mode.hessian[:dim, :dim], mode.settled).frame()
