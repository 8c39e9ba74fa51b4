"""FlowJAX's masked autoregressive and spline coupling flows, on the same data with the same number of steps.

They get what our flows do for themselves: data on the real line (logarithm, logit of the support), standardised, a cosine to zero
of Adam's rate, and the weights of the best epoch. Needs `pip install 'emfppl[bench]'`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.density.targets import Target

Array = np.ndarray
RATE = 1e-3


@dataclass(frozen=True)
class Trained:
    """A flow of FlowJAX after training: its log density of data (N, *shape) → (N,), how many numbers were learned, seconds a
    step, seconds of all."""

    log_density: Callable[[Array], Array]
    num_params: int
    step: float
    seconds: float


@dataclass(frozen=True)
class Line:
    """The way from data to standardised numbers on the real line, D of them, with its log-determinant."""

    support: tuple[float, float] | None
    loc: Array
    scale: Array

    @classmethod
    def of(cls, target: Target, x: Array) -> Line:
        flat, _ = to_real_line(x.reshape(len(x), -1), target.support)
        return cls(target.support, flat.mean(axis=0), flat.std(axis=0) + 1e-6)

    def __call__(self, x: Array) -> tuple[Array, Array]:
        """x: (N, *shape) → (N, D) and (N,)."""
        flat, log_det = to_real_line(x.reshape(len(x), -1), self.support)
        return (flat - self.loc) / self.scale, log_det - np.log(self.scale).sum()


def to_real_line(x: Array, support: tuple[float, float] | None) -> tuple[Array, Array]:
    """log(x − a) on (a, ∞), log (x − a)/(b − x) on (a, b), and the log-determinant of it: x (N, D) → (N, D), (N,)."""
    if support is None:
        return x, np.zeros(len(x))
    low, high = support
    if np.isinf(high):
        logs = np.log(x - low)
        return logs, -logs.sum(axis=1)
    inside = np.clip((x - low) / (high - low), 1e-6, 1 - 1e-6)
    given = np.log(inside) - np.log1p(-inside)
    return given, (-np.log(inside) - np.log1p(-inside) - np.log(high - low)).sum(axis=1)


def build(method: str, dim: int, width: int, seed: int) -> Any:
    """`flowjax_maf`: two layers, two hidden layers each; `flowjax_nsf`: six couplings with eight bins on [-4, 4]."""
    import jax.numpy as jnp
    import jax.random as jr
    from flowjax.bijections import RationalQuadraticSpline
    from flowjax.distributions import Normal
    from flowjax.flows import coupling_flow, masked_autoregressive_flow

    key, base = jr.key(seed), Normal(jnp.zeros(dim))
    if method == "flowjax_maf":
        return masked_autoregressive_flow(key, base_dist=base, flow_layers=2, nn_width=width, nn_depth=2)
    spline = RationalQuadraticSpline(knots=8, interval=4)
    return coupling_flow(key, base_dist=base, transformer=spline, flow_layers=6, nn_width=32, nn_depth=2)


def train(method: str, target: Target, x: Array, width: int, steps: int, batch: int, seed: int) -> Trained:
    """A flow by FlowJAX's own `fit_to_data`, a tenth of the data held out to stop by."""
    import jax
    import jax.numpy as jnp
    import jax.random as jr
    import optax
    from flowjax.train import fit_to_data

    x = dequantized(target, x, seed)
    line = Line.of(target, x)
    flow = build(method, target.dim, width, seed)
    epoch = int(0.9 * len(x)) // batch
    rate = optax.cosine_decay_schedule(RATE, steps)
    began = time.perf_counter()
    flow, losses = fit_to_data(
        jr.key(seed + 1),
        flow,
        jnp.asarray(line(x)[0], jnp.float32),
        optimizer=optax.adam(rate),
        max_epochs=max(1, steps // epoch),
        max_patience=10,
        batch_size=batch,
        show_progress=False,
    )
    seconds = time.perf_counter() - began
    log_prob = jax.jit(lambda part: flow.log_prob(part))

    def log_density(test: Array) -> Array:
        z, log_det = line(dequantized(target, test, 0))
        parts = [jnp.asarray(z[at : at + 2000], jnp.float32) for at in range(0, len(z), 2000)]
        return np.concatenate([np.asarray(log_prob(part), float) for part in parts]) + log_det

    return Trained(log_density, learned(flow), seconds / (epoch * len(losses["train"])), seconds)


def dequantized(target: Target, x: Array, seed: int) -> Array:
    """Whole numbers with uniform noise on top."""
    return x + np.random.default_rng([seed, 2]).uniform(size=x.shape) if target.whole else x


def learned(flow: Any) -> int:
    """How many numbers of a flow are trained."""
    import equinox as eqx
    import jax
    import paramax

    fixed = lambda leaf: isinstance(leaf, paramax.NonTrainable)  # noqa: E731
    trained, _ = eqx.partition(flow, eqx.is_inexact_array, is_leaf=fixed)
    return sum(leaf.size for leaf in jax.tree.leaves(trained))
