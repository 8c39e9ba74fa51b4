"""The optimum of a small guide on fixed noise, by L-BFGS.

With the noise of N draws held fixed the ELBO is a smooth function of the parameters, φ ↦ L_N(φ) = mean_n log w(φ, ε_n). Its optimum
is found in some dozens of steps, and tells how much is left to gain: as E max L_N ≥ max E L_N, from any φ that was found without
this noise the true gain is in expectation at most L_N(φ*) − L_N(φ). P parameters leave the optimum on N draws some P/2N nats
below the true one, so that the last hundredths of that are not worth a step.

The noise is spread evenly, has every point's opposite, and exactly the moments of a standard normal distribution up to the
third, so that an affine guide of a normal posterior comes out exact.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from scipy.linalg import solve_triangular
from scipy.optimize import OptimizeResult, minimize

from emfppl.runtime.noise import even_noise
from emfppl.runtime.threads import one_thread_each

STEPS = 200
MEMORY = 30  # pairs of steps and slopes that L-BFGS keeps
WINDOW = 5  # steps that are looked at together, to see whether they still gain something
FORBIDDEN = 1e100  # minus the ELBO, or a log density, where it is not finite

Tree = Any
Looker = Callable[[int, int], None]  # step, most steps


class Climb(NamedTuple):
    """What a climb came to: parameters, the gain on its noise in nats, whether it ended at an optimum, and the steps taken."""

    params: Tree
    gain: float
    settled: bool
    steps: int


def balanced_noise(count: int, dim: int, seed: int) -> np.ndarray:
    """Noise (count, dim), `count` even and more than 2 dim, with mean 0 and covariance I exactly."""
    half = even_noise(count // 2, dim, seed)
    if not dim:
        return np.zeros((count, 0))
    factor = np.linalg.cholesky(half.T @ half / len(half))
    half = solve_triangular(factor, half.T, lower=True).T
    return np.concatenate([half, -half])


class FixedNoise:
    """The compiled ELBO of one guide on noise that is given, with its slope; `objective(params, fixed, eps, data)` is one draw's
    log weight, whose gradient must be the whole one; up to `batch` draws are worked on at once."""

    def __init__(self, objective: Callable[..., jax.Array], batch: int, compiled: Callable[..., Any]):
        self.objective, self.batch = objective, batch
        self._compiled: Callable[..., Any] = compiled
        self._elbo: Any = None

    def climb(self, params: Tree, fixed: Tree, noise: np.ndarray, data: Any, look: Looker, still: float = 0.0) -> Climb:
        """The optimum on noise (N, D) from `params`, which stay as they are if their ELBO is not finite; or where five steps
        together gain less than `still` nats."""
        flat, unravel = ravel_pytree(jax.tree.map(np.asarray, params))
        start = np.asarray(flat, np.float64)
        if self._elbo is None:
            self._elbo = self._compiled(lambda x, *rest: self._mean_and_slope(unravel, x, *rest))
        in_batches = _in_batches(noise, self.batch)

        def down(x: np.ndarray) -> tuple[float, np.ndarray]:
            value, slope = jax.device_get(self._elbo(x, fixed, in_batches, data))
            fine = np.isfinite(value) and np.all(np.isfinite(slope))
            return (-float(value), -np.asarray(slope, np.float64)) if fine else (FORBIDDEN, np.zeros_like(x))

        values: list[float] = []

        def each(intermediate_result: OptimizeResult) -> None:
            values.append(float(intermediate_result.fun))
            look(len(values), STEPS)
            if len(values) > WINDOW and values[-1 - WINDOW] - values[-1] < still:
                raise StopIteration

        with one_thread_each():  # L-BFGS calls LAPACK on small matrices, too
            before = down(start)[0]
            if before == FORBIDDEN:
                return Climb(params, 0.0, False, 0)
            options = {"maxcor": MEMORY, "maxiter": STEPS, "ftol": 1e-12, "gtol": 1e-7}
            found = minimize(down, start, jac=True, method="L-BFGS-B", callback=each, options=options)
        return Climb(jax.device_get(unravel(jnp.asarray(found.x))), before - found.fun, bool(found.nit < STEPS), int(found.nit))

    def _mean_and_slope(self, unravel: Any, x: jax.Array, fixed: Tree, noise: jax.Array, data: Any) -> tuple[jax.Array, jax.Array]:
        """The ELBO at x (P,) on noise (batches, draws, D), and its gradient (P,): sums over batches of values and gradients,
        so that no batch is worked on twice."""
        mean = lambda x, eps: jnp.mean(jax.vmap(lambda e: self.objective(unravel(x), fixed, e, data))(eps))  # noqa: E731
        one = lambda eps: jax.value_and_grad(mean)(x, eps)  # noqa: E731
        add = lambda total, eps: (jax.tree.map(jnp.add, total, one(eps)), None)  # noqa: E731
        total, _ = jax.lax.scan(add, (jnp.zeros((), x.dtype), jnp.zeros_like(x)), noise)
        return jax.tree.map(lambda t: t / len(noise), total)


def _in_batches(noise: np.ndarray, most: int) -> np.ndarray:
    """Noise (N, D) as (batches, draws, D), the draws a power of two up to `most`; where D is 0 one draw is as any other."""
    count, dim = noise.shape
    return noise.reshape(-1, int(np.gcd(count, 2 ** int(np.log2(most)))), dim) if dim else np.zeros((1, 1, 0))
