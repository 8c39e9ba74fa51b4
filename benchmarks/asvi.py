"""Automatic structured variational inference (Ambrogioni et al. 2021) as TensorFlow Probability has it, on its JAX substrate.

TFP wants a model as one of its joint distributions: priors of some programs are written again by hand, with their log
likelihoods beside them. Needs ``pip install 'emfppl[bench]'``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Data = dict[str, Any]
Values = Any


@dataclass(frozen=True)
class Hand:
    """A program by hand: `prior(tfd, data)` yields the latents in order, `log_likelihood(values, data)` is that of the data."""

    prior: Callable[[Any, Data], Iterator[Any]]
    log_likelihood: Callable[[Values, Data], jax.Array]


def _normal(tfd: Any, name: str, loc: Any, scale: Any) -> Any:
    return tfd.Normal(jnp.asarray(loc, float), jnp.asarray(scale, float), name=name)


def log_normal(x: Any, loc: Any, scale: Any) -> jax.Array:
    """Of what is seen: nan counts for nothing."""
    seen = ~jnp.isnan(x)
    z = (jnp.where(seen, x, 0) - loc) / scale
    return jnp.sum(jnp.where(seen, -0.5 * z**2 - jnp.log(scale) - 0.5 * jnp.log(2 * jnp.pi), 0))


def _centred(tfd: Any, data: Data) -> Iterator[Any]:
    mu = yield _normal(tfd, "mu", 0, 5)
    log_tau = yield _normal(tfd, "log_tau", 0, 5)
    yield tfd.Sample(_normal(tfd, "effect", mu, jnp.exp(log_tau)), 8, name="theta")


def _not_centred(tfd: Any, data: Data) -> Iterator[Any]:
    yield _normal(tfd, "mu", 0, 10)
    yield _normal(tfd, "log_tau", 5, 1)
    yield tfd.Sample(_normal(tfd, "effect", 0, 1), 8, name="theta_std")


def _seeds(tfd: Any, data: Data) -> Iterator[Any]:
    log_tau = yield _normal(tfd, "log_tau", 0, 10)
    yield tfd.Sample(_normal(tfd, "coefficient", 0, 10), 4, name="a")
    yield tfd.Sample(_normal(tfd, "effect", 0, jnp.exp(-log_tau / 2)), 21, name="b")


def _seeds_likelihood(v: Values, data: Data) -> jax.Array:
    r, n, s, e = (data[k] for k in ("r", "n", "seed", "extract"))
    eta = v.a[0] + v.a[1] * s + v.a[2] * e + v.a[3] * s * e + v.b
    lg = jax.scipy.special.gammaln
    return jnp.sum(r * eta - n * jax.nn.softplus(eta) + lg(n + 1) - lg(r + 1) - lg(n - r + 1))


def _funnel(tfd: Any, data: Data, size: int) -> Iterator[Any]:
    v = yield _normal(tfd, "v", 0, 3)
    yield tfd.Sample(_normal(tfd, "scaled", 0, jnp.exp(v / 2)), size - 1, name="z")


def _brownian(tfd: Any, data: Data) -> Iterator[Any]:
    x = yield _normal(tfd, "x0", 0, 0.1)
    for t in range(1, 30):
        x = yield _normal(tfd, f"x{t}", x, 0.1)


def _lorenz(tfd: Any, data: Data) -> Iterator[Any]:
    noise = np.sqrt(0.02) * 0.1
    x = yield _normal(tfd, "x0", 0, 1)
    y = yield _normal(tfd, "y0", 0, 1)
    z = yield _normal(tfd, "z0", 0, 1)
    for t in range(1, 30):
        drift = (10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z)
        a = yield _normal(tfd, f"x{t}", x + 0.02 * drift[0], noise)
        b = yield _normal(tfd, f"y{t}", y + 0.02 * drift[1], noise)
        c = yield _normal(tfd, f"z{t}", z + 0.02 * drift[2], noise)
        x, y, z = a, b, c


def _path(v: Values, name: str = "x") -> jax.Array:
    return jnp.stack([getattr(v, f"{name}{t}") for t in range(30)])


BY_HAND = {
    "eight_schools": Hand(_centred, lambda v, d: log_normal(d["y"], v.theta, d["sigma"])),
    "eight_schools_paper": Hand(_not_centred, lambda v, d: log_normal(d["y"], v.mu + jnp.exp(v.log_tau) * v.theta_std, d["sigma"])),
    "seeds": Hand(_seeds, _seeds_likelihood),
    **{f"funnel_{n}": Hand(partial(_funnel, size=n), lambda v, d: jnp.zeros(())) for n in (10, 100, 1000)},
    **{f"brownian_{w}": Hand(_brownian, lambda v, d: log_normal(d["y"], _path(v), 0.15)) for w in ("smoothing", "bridge")},
    "lorenz_smoothing": Hand(_lorenz, lambda v, d: log_normal(d["obs"], _path(v), 1.0)),
}


def surrogate(name: str, data: Data) -> tuple[Any, Callable[[Any, jax.Array], tuple[jax.Array, Values]]]:
    """Parameters to start from, and a function from parameters and a key to a log weight and the draw that it belongs to."""
    import tensorflow_probability.substrates.jax as tfp

    hand, tfd = BY_HAND[name], tfp.distributions
    given = {k: jnp.asarray(np.asarray(v, float)) for k, v in data.items() if k != "sizes"}
    joint = tfd.JointDistributionCoroutineAutoBatched(lambda: hand.prior(tfd, given))
    init, build = tfp.experimental.vi.build_asvi_surrogate_posterior_stateless(joint)

    def log_weight(params: Any, key: jax.Array) -> tuple[jax.Array, Values]:
        values, log_q = build(params).experimental_sample_and_log_prob(seed=key)
        return joint.log_prob(values) + hand.log_likelihood(values, given) - log_q, values

    return init(seed=jax.random.PRNGKey(0)), log_weight
