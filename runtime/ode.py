"""Ordinary differential equations, solved with Diffrax: ``y(times)`` where dy/dt = f(t, y) and y(t0) = y0.

Explicit: Tsit5, of order 5 (Tsitouras, 2011, *Computers & Mathematics with Applications* 62). Stiff: Kvaerno5, of order 5 and
L-stable (Kværnø, 2004, *BIT* 44). Steps adapt to the tolerances; values at the times are interpolated. Slopes go back through
the steps that were taken. At times where the solver does not arrive (too many steps, a solution that blows up) and at those that
go back values are nan.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp

SLACK = 4  # tolerances are at least that many times the rounding error of the numbers


@dataclass(frozen=True)
class Solver:
    """How an equation is solved: by which method, how exactly, in how many steps at most."""

    stiff: bool
    rtol: float
    atol: float
    max_steps: int

    def __call__(self, f: Callable, y0: jax.Array, t0: jax.Array, times: jax.Array, args: Sequence[jax.Array]) -> jax.Array:
        """y at the times (n,) as (n, *state); ``f(t, y, args)`` gives slopes of y (*state)."""
        import diffrax

        latest = jax.lax.cummax(jnp.concatenate([t0[None], times]))[1:]
        least = SLACK * float(jnp.finfo(y0.dtype).eps)
        with _without_callbacks():
            found = diffrax.diffeqsolve(
                diffrax.ODETerm(f),
                diffrax.Kvaerno5() if self.stiff else diffrax.Tsit5(),
                t0,
                latest[-1],
                None,
                y0,
                tuple(args),
                saveat=diffrax.SaveAt(ts=latest),
                stepsize_controller=diffrax.PIDController(max(self.rtol, least), max(self.atol, least * least)),
                max_steps=self.max_steps,
                throw=False,
            )
        assert found.ys is not None
        forward = jnp.reshape(times >= latest, (-1,) + (1,) * y0.ndim)
        return jnp.where(forward & jnp.isfinite(found.ys), found.ys, jnp.nan)  # infinite where not arrived


def solved(f: Callable, arrays: Sequence[jax.Array], batch: int, solver: Solver) -> jax.Array:
    """One equation for every point of the first `batch` axes, of length 1 in arrays that don't vary along them.

    `arrays`: y0 (…, *state), t0 (…), times (…, n), and further arguments of f; gives (…, n, *state).
    """
    shape = jnp.broadcast_shapes(*(a.shape[:batch] for a in arrays))

    def one(*parts: jax.Array) -> jax.Array:
        y0, t0, times, *args = parts
        return solver(f, y0, t0, times, args)

    if not shape:
        return one(*arrays)
    flat = [jnp.broadcast_to(a, (*shape, *a.shape[batch:])).reshape(-1, *a.shape[batch:]) for a in arrays]
    out = jax.vmap(one)(*flat)
    return out.reshape(*shape, *out.shape[1:])


def _without_callbacks() -> AbstractContextManager:
    """Diffrax checks the order of the times by a callback from the compiled program, which can't be kept in the compilation
    cache then. The times are in order here."""
    import equinox.internal

    return mock.patch.object(equinox.internal, "error_if", _unchecked)


def _unchecked(value: Any, *_: Any, **__: Any) -> Any:
    return value
