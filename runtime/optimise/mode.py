"""The mode of a smooth density and the curvature there, by Newton steps that survive bad scales and indefinite Hessians.

Each step works in coordinates scaled by the Hessian's diagonal, takes absolute values of the eigenvalues (so that it goes
uphill even where the density is not concave), and tries step lengths 2, 1, 1/2, 1/4 at once, then shorter ones down to 2⁻¹⁸,
keeping the best. Correlations of .99999 and scales 1e4 apart are no trouble in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.compile import once
from emfppl.runtime.guides.backbone import Frame
from emfppl.runtime.threads import one_thread_each

LENGTHS = 2.0 ** np.arange(1, -19, -1).reshape(5, 4)  # tried row by row, until one is higher
SMALL = 1e-7  # nats that the last step gains: the next one would gain next to nothing
FLOOR = 1e-9  # of eigenvalues of the scaled Hessian, relative to the largest


class _State(NamedTuple):
    point: jax.Array
    value: jax.Array
    gradient: jax.Array
    hessian: jax.Array
    gain: jax.Array
    step: jax.Array


@dataclass(frozen=True)
class Mode:
    """A mode: `point` (D,), log density `value` there, `hessian` (D, D) of minus the log density; `settled` if the steps
    ran out of gain."""

    point: np.ndarray
    value: float
    hessian: np.ndarray
    settled: bool

    def frame(self) -> Frame:
        """The normal approximation: loc the mode, scale the Cholesky factor of the inverse Hessian."""
        d = _scales(self.hessian)
        values, vectors = np.linalg.eigh(self.hessian / np.outer(d, d))
        values = np.maximum(np.abs(values), FLOOR * np.abs(values).max())
        root = (vectors / np.sqrt(values)) / d[:, None]
        factor = np.asarray(np.linalg.qr(root.T, mode="r")).T
        return Frame(self.point, factor * np.sign(np.diag(factor))[None, :])

    @property
    def concave(self) -> bool:
        """Whether the Hessian is positive definite, that is the point a proper mode."""
        d = _scales(self.hessian)
        return bool(np.linalg.eigvalsh(self.hessian / np.outer(d, d)).min() > FLOOR)

    @property
    def log_evidence(self) -> float:
        """Laplace's approximation: log density + D/2 log 2π − ½ log |H|."""
        scale = np.diag(self.frame().scale)
        return self.value + 0.5 * len(scale) * float(np.log(2 * np.pi)) + float(np.sum(np.log(scale)))


def _scales(hessian: Any) -> Any:
    """Square roots of the absolute diagonal, zeros replaced by the largest (or one)."""
    xp = np if isinstance(hessian, np.ndarray) else jnp
    d = xp.sqrt(xp.abs(xp.diagonal(hessian)))
    top = xp.max(d)
    return xp.where(d > 1e-12 * top, d, xp.where(top > 0, top, 1.0))


def _direction(gradient: jax.Array, hessian: jax.Array) -> jax.Array:
    """The uphill Newton direction for a gradient of the log density and the Hessian of minus it."""
    d = _scales(hessian)
    values, vectors = jnp.linalg.eigh(hessian / jnp.outer(d, d))
    values = jnp.maximum(jnp.abs(values), FLOOR * jnp.max(jnp.abs(values)) + 1e-300)
    return (vectors @ ((vectors.T @ (gradient / d)) / values)) / d


Density = Callable[[jax.Array, Any], jax.Array]
Second = Callable[[Callable[[jax.Array], jax.Array], jax.Array], tuple[jax.Array, jax.Array]]


def newton(log_density: Density, starts: np.ndarray, data: Any, steps: int, second: Second) -> dict[str, jax.Array]:
    """Climb from each start (K, D); arrays over K: point, value, hessian, gain (of the last step). To be jitted.

    One start after the other, each as long as it needs; solvers of differential equations, whose many small steps cost the same for
    one as for some, climb from all at once.
    """
    lengths, together = jnp.asarray(LENGTHS), second is differences
    dim = starts.shape[1]

    def climb(state: _State) -> _State:
        direction = _direction(state.gradient, state.hessian)

        def lower(tried: tuple[Any, ...]) -> jax.Array:
            number, _, value = tried
            return (number < len(lengths)) & ~(value > state.value)

        def shorter(tried: tuple[Any, ...]) -> tuple[Any, ...]:
            number, point, value = tried
            points = state.point + lengths[number][:, None] * direction
            values = jax.vmap(log_density, (0, None))(points, data)
            values = jnp.where(jnp.isfinite(values), values, -jnp.inf)
            best = jnp.argmax(values)
            better = values[best] > value
            return number + 1, jnp.where(better, points[best], point), jnp.where(better, values[best], value)

        _, point, value = jax.lax.while_loop(lower, shorter, (jnp.asarray(0), state.point, state.value))
        gradient, jacobian = second(lambda x: log_density(x, data), point)
        return _State(point, value, gradient, -jacobian, value - state.value, state.step + 1)

    def climbing(state: _State) -> jax.Array:
        return (state.step < steps) & ((state.gain > SMALL) | (state.step < 3))

    def run(x: jax.Array) -> dict[str, jax.Array]:
        # the first step stays where it is, for value and derivatives there
        never = jnp.asarray(-jnp.inf, x.dtype)
        start = _State(x, never, jnp.zeros(dim), jnp.eye(dim), -never, jnp.asarray(0))
        end = jax.lax.while_loop(climbing, climb, start)
        return {"point": end.point, "value": end.value, "gain": end.gain, "hessian": end.hessian}

    points = jnp.asarray(starts)
    return jax.vmap(run)(points) if together else jax.lax.map(run, points)


def derivatives(function: Callable[[jax.Array], jax.Array], x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Gradient (D,) and Hessian (D, D), forward over reverse, in one pass."""
    gradient, push = jax.linearize(jax.grad(function), x)
    return gradient, jax.vmap(push)(jnp.eye(x.size, dtype=x.dtype))


def differences(function: Callable[[jax.Array], jax.Array], x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The same by central differences of gradients, for functions that can only be differentiated backwards (solvers of
    differential equations). Coordinates are noise, of unit scale."""
    slope, step = jax.grad(function), 1e-4
    away = step * jnp.eye(x.size, dtype=x.dtype)
    rows = jax.vmap(lambda d: slope(x + d) - slope(x - d))(away) / (2 * step)
    return slope(x), (rows + rows.T) / 2


@lru_cache(maxsize=1)  # fits to other data of the same program come one after the other
def _compiled(log_density: Density, steps: int, second: Second) -> Callable[..., dict[str, jax.Array]]:
    return once(lambda starts, data: newton(log_density, starts, data, steps, second))


def find_mode(log_density: Density, starts: np.ndarray, data: Any, steps: int = 200, second: Second = derivatives) -> Mode | None:
    """The best mode over several starts by Laplace's evidence; None if the density is finite at none of them. `second` gives
    first and second derivatives."""
    with one_thread_each():
        found = jax.device_get(_compiled(log_density, steps, second)(starts, data))
    modes = []
    for point, value, gain, hessian in zip(found["point"], found["value"], found["gain"], found["hessian"], strict=True):
        if np.isfinite(value) and np.all(np.isfinite(hessian)):
            settled = bool(gain <= 1e-3)
            hessian = np.asarray(hessian, np.float64)
            modes.append(Mode(np.asarray(point, np.float64), float(value), (hessian + hessian.T) / 2, settled))
    return max(modes, key=lambda m: (m.concave and m.settled, m.log_evidence), default=None)
