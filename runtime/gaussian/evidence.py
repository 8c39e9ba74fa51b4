"""The evidence by quadrature, where at most two numbers are left to integrate over.

The inner latents of a Gaussian block are integrated out in closed form; what is left is the density of the noise of the outer ones,
up to a constant that is the evidence. It is smooth and dies off on all sides, so that the trapezoidal rule converges faster than
any power of its step (Trefethen and Weideman 2014). The grid lies in the coordinates in which the guide's draws are white. How fine
it gets is a matter of work, not of seconds, so that equal fits have equal figures on any machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import logsumexp

from emfppl.runtime.bijections.normal import LOG_2PI
from emfppl.runtime.precision import precision

if TYPE_CHECKING:
    from emfppl.runtime.weighing import Weighing

LARGEST = 2  # numbers to integrate over
NEGLIGIBLE = 40.0  # nats below the top
NUDGE, ROUGH = 1e-8, 1e-3  # a step, and the change of a log density over it that only rounding can make
CLOSE = 1e-9  # between two resolutions, in nats: closer is not asked for
COARSE, FINEST = 24, {1: 12_288, 2: 384}  # steps along an axis
SEARCHES = 20
A_POINT = 2  # evaluations at a point: there and beside it
WORK = 600_000_000  # numbers to work on, some 5 seconds


def exact_evidence(weighing: Weighing, params: Any, work: int = WORK) -> tuple[float, float] | None:
    """The log evidence and an estimate of its error, the difference between two resolutions; None where more than two numbers are
    left, something was not Gaussian, the density is nothing but rounding where the guide is, or two resolutions are more than so
    much `work`: evaluations of the density times the numbers that one works on. The guide is best one without layers, whose
    coordinates are smooth."""
    if weighing.dim > LARGEST or "sites" in params:
        return None
    with precision("float64"):
        if weighing.dim == 0:
            return float(weighing.at(params, np.zeros((1, 0)))[0]), 0.0
        resolutions = _resolutions(weighing.dim, work // weighing.work)
        if len(resolutions) < 2:
            return None
        density = _Density(weighing, params)
        box = _box(density)
        return None if box is None else _integral(density, *box, resolutions)


class _Density:
    """The log density of outer noise, in the coordinates in which the guide is white: its log weight and log N(w)."""

    def __init__(self, weighing: Weighing, params: Any):
        self.dim, self._weighing, self._params = weighing.dim, weighing, params

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """At points (N, dim): (N,), −∞ where it is not a number, or nothing but rounding: where a scale is nearly 0 terms as large
        as its inverse square may cancel, and a step next to nothing changes the sum."""
        found, beside = self._at_points(points), self._at_points(points + NUDGE)
        return np.where(np.abs(found - beside) < ROUGH, found, -np.inf)

    def _at_points(self, points: np.ndarray) -> np.ndarray:
        return self._weighing.at(self._params, points) - 0.5 * np.sum(points**2, axis=1) - 0.5 * self.dim * LOG_2PI


def _grid(low: np.ndarray, high: np.ndarray, steps: int) -> np.ndarray:
    """Points (steps + 1, …, dim) of a box."""
    axes = [np.linspace(a, b, steps + 1) for a, b in zip(low, high, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def _values(density: _Density, grid: np.ndarray) -> np.ndarray:
    return density(grid.reshape(-1, grid.shape[-1])).reshape(grid.shape[:-1])


def _box(density: _Density) -> tuple[np.ndarray, np.ndarray] | None:
    """A box outside which the density is negligible; None where no density was found."""
    low, high = np.full(density.dim, -8.0), np.full(density.dim, 8.0)
    for _ in range(SEARCHES):
        values = _values(density, _grid(low, high, COARSE))
        inside = values > values.max() - NEGLIGIBLE
        if not inside.any():
            return None
        step, before = (high - low) / COARSE, high - low
        first, last = np.array([_ends(inside, axis) for axis in range(density.dim)]).T
        open_low, open_high = first == 0, last == COARSE
        low, high = (
            np.where(open_low, low - 0.5 * before, low + (first - 1) * step),
            np.where(open_high, high + 0.5 * before, low + (last + 1) * step),
        )
        if not (open_low | open_high).any() and np.all(high - low > 0.8 * before):
            break
    return low, high


def _ends(inside: np.ndarray, axis: int) -> tuple[int, int]:
    """The first and last position along an axis with anything inside."""
    found = np.flatnonzero(inside.any(axis=tuple(n for n in range(inside.ndim) if n != axis)))
    return int(found[0]), int(found[-1])


def _resolutions(dim: int, evaluations: int) -> list[int]:
    """Steps along an axis of finer and finer grids, which take no more than so many evaluations together."""
    found, steps = [], COARSE
    while (steps := 2 * steps) <= FINEST[dim]:
        evaluations -= A_POINT * (steps + 1) ** dim
        if evaluations < 0:
            break
        found.append(steps)
    return found


def _integral(density: _Density, low: np.ndarray, high: np.ndarray, resolutions: list[int]) -> tuple[float, float]:
    """Finer and finer grids, until two agree or there are no more."""
    value, error = np.inf, np.inf
    for steps in resolutions:
        values = _values(density, _grid(low, high, steps))
        before, value = value, float(logsumexp(values) + np.log((high - low) / steps).sum())
        error = abs(value - before)
        if error < CLOSE:
            break
    return value, error
