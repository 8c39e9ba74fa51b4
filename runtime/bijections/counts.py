"""Laws of whole numbers: log density and, where there is one, the distribution function in log space.

``tails(x)`` gives (log P(X ≤ x), log P(X > x)), for x from the least value on. Samplers are NumPyro's where it has them
(`families`), else draws by inversion (`by_inversion`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import gammaln, xlogy

from emfppl.runtime.bijections import normal
from emfppl.runtime.bijections.tails import log_beta_tails, log_gamma_tails

Tails = Callable[[jax.Array], tuple[jax.Array, jax.Array]]
Density = Callable[[jax.Array], jax.Array]


@dataclass(frozen=True)
class Counts:
    """A law of whole numbers from `lower` to `upper` (None: no bound), elementwise over a batch."""

    log_prob: Density
    tails: Tails | None = None
    lower: Any = 0
    upper: Any = None

    def holds(self, x: jax.Array) -> jax.Array:
        inside = (x >= self.lower) & (x == jnp.floor(x))
        return inside if self.upper is None else inside & (x <= self.upper)

    def log_density(self, x: jax.Array) -> jax.Array:
        """log P(X = x), −∞ outside, with a finite gradient."""
        inside = self.holds(x)
        safe = jnp.where(inside, x, self.lower).astype(float)
        return jnp.where(inside, self.log_prob(safe), -jnp.inf)

    def all_tails(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """`tails` of any real x."""
        assert self.tails is not None
        x = jnp.floor(jnp.asarray(x, float))
        under = x < self.lower
        over = jnp.zeros_like(under) if self.upper is None else x >= self.upper
        below, above = self.tails(jnp.where(under | over, self.lower, x))
        below = jnp.where(under, -jnp.inf, jnp.where(over, 0.0, below))
        return below, jnp.where(under, 0.0, jnp.where(over, -jnp.inf, above))


# ---------------------------------------------------------------- by name


def _log_odds(args: Mapping[str, Any]) -> jax.Array:
    """log p / (1 − p) of probs or logits."""
    if "logits" in args:
        return args["logits"]
    p = args["probs"]
    return jnp.log(p) - jnp.log1p(-p)


def _log_choose(n: jax.Array, x: jax.Array) -> jax.Array:
    return gammaln(n + 1.0) - gammaln(x + 1.0) - gammaln(n - x + 1.0)


def binomial(total_count: jax.Array, **args: jax.Array) -> Counts:
    """P(X ≤ x) = P(Beta(x + 1, n − x) > p)."""
    n = jnp.asarray(total_count, float)
    if "probs" in args:
        p = args["probs"]
        log_prob = lambda x: _log_choose(n, x) + xlogy(x, p) + _xlog1m(n - x, p)  # noqa: E731
    else:
        z = args["logits"]
        log_prob = lambda x: _log_choose(n, x) + x * jax.nn.log_sigmoid(z) + (n - x) * jax.nn.log_sigmoid(-z)  # noqa: E731

    def tails(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        odds = _log_odds(args)
        last = x >= n
        above, below = log_beta_tails(
            x + 1.0, jnp.where(last, 1.0, n - x), jax.nn.log_sigmoid(odds), jax.nn.log_sigmoid(-odds)
        )  # fmt: skip
        return jnp.where(last, 0.0, below), jnp.where(last, -jnp.inf, above)

    return Counts(log_prob, tails, 0, n)


def _xlog1m(x: jax.Array, p: jax.Array) -> jax.Array:
    """x log (1 − p), 0 where x is 0."""
    safe = jnp.where(p < 1, p, 0.5)
    return jnp.where(x == 0, 0.0, x * jnp.where(p < 1, jnp.log1p(-safe), -jnp.inf))


def bernoulli(**args: jax.Array) -> Counts:
    return binomial(jnp.ones(()), **args)


def poisson(rate: jax.Array) -> Counts:
    """P(X > x) = P(Gamma(x + 1) < rate)."""

    def tails(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        above, below = log_gamma_tails(x + 1.0, jnp.log(rate))
        return below, above

    return Counts(lambda x: xlogy(x, rate) - rate - gammaln(x + 1.0), tails)


def negative_binomial(concentration: jax.Array, log_odds: jax.Array) -> Counts:
    """C(x + c − 1, x) p^x (1 − p)^c with log p / (1 − p) = `log_odds`: P(X > x) = P(Beta(x + 1, c) < p). NumPyro's goes by JAX's
    ``betaln``, which is right to six digits only."""
    c = concentration
    stay, go = jax.nn.log_sigmoid(-log_odds), jax.nn.log_sigmoid(log_odds)

    def log_prob(x: jax.Array) -> jax.Array:
        return gammaln(x + c) - gammaln(c) - gammaln(x + 1.0) + c * stay + x * go

    def tails(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        above, below = log_beta_tails(x + 1.0, c, go, stay)
        return below, above

    return Counts(log_prob, tails)


def negative_binomial_2(mean: jax.Array, concentration: jax.Array) -> Counts:
    return negative_binomial(concentration, jnp.log(mean) - jnp.log(concentration))


def geometric(**args: jax.Array) -> Counts:
    """P(X > x) = (1 − p)^(x + 1)."""
    odds = _log_odds(args)
    stay, go = jax.nn.log_sigmoid(-odds), jax.nn.log_sigmoid(odds)
    tails = lambda x: (normal.log1mexp((x + 1) * stay), (x + 1) * stay)  # noqa: E731
    return Counts(lambda x: jnp.where(x == 0, 0.0, x * jnp.where(x == 0, 0.0, stay)) + go, tails)


def beta_binomial(concentration1: jax.Array, concentration0: jax.Array, total_count: jax.Array) -> Counts:
    """C(n, x) B(a + x, b + n − x) / B(a, b)."""
    a, b, n = concentration1, concentration0, jnp.asarray(total_count, float)

    def log_prob(x: jax.Array) -> jax.Array:
        return _log_choose(n, x) + _log_beta(a + x, b + n - x) - _log_beta(a, b)

    return Counts(log_prob, None, 0, n)


def _log_beta(a: jax.Array, b: jax.Array) -> jax.Array:
    return gammaln(a) + gammaln(b) - gammaln(a + b)


def discrete_uniform(low: jax.Array, high: jax.Array) -> Counts:
    log_size = jnp.log(high - low + 1.0)
    tails = lambda x: (jnp.log(x - low + 1.0) - log_size, jnp.log(jnp.maximum(high - x, 0.0)) - log_size)  # noqa: E731
    return Counts(lambda x: -log_size + jnp.zeros_like(x, dtype=float), tails, low, high)


def ordered_logistic(predictor: jax.Array, cutpoints: jax.Array) -> Counts:
    """P(X ≤ k) = σ(c_k − η), the cutpoints along the last axis: log P(X = k) from differences on the log scale."""
    z = cutpoints - jnp.asarray(predictor)[..., None]
    first, last = jax.nn.log_sigmoid(z[..., :1]), jax.nn.log_sigmoid(-z[..., -1:])
    gap = z[..., 1:] - z[..., :-1]
    inner = jax.nn.log_sigmoid(z[..., 1:]) + jax.nn.log_sigmoid(-z[..., :-1]) + normal.log1mexp(-gap)
    each = jnp.concatenate([first, inner, last], axis=-1)

    def log_prob(x: jax.Array) -> jax.Array:
        index = jnp.asarray(x, int)
        table = jnp.broadcast_to(each, (*jnp.broadcast_shapes(index.shape, each.shape[:-1]), each.shape[-1]))
        index = jnp.broadcast_to(index, table.shape[:-1])
        return jnp.take_along_axis(table, index[..., None], axis=-1)[..., 0]

    return Counts(log_prob, None, 0, cutpoints.shape[-1])


def categorical(**args: jax.Array) -> Counts:
    """log p_x."""
    each = jax.nn.log_softmax(args["logits"]) if "logits" in args else _log_normalised(args["probs"])

    def log_prob(x: jax.Array) -> jax.Array:
        index = jnp.asarray(x, int)
        table = jnp.broadcast_to(each, (*jnp.broadcast_shapes(index.shape, each.shape[:-1]), each.shape[-1]))
        return jnp.take_along_axis(table, jnp.broadcast_to(index, table.shape[:-1])[..., None], axis=-1)[..., 0]

    return Counts(log_prob, None, 0, each.shape[-1] - 1)


def _log_normalised(p: jax.Array) -> jax.Array:
    return jnp.log(jnp.maximum(p, jnp.finfo(p.dtype).tiny)) - jnp.log(jnp.sum(p, axis=-1, keepdims=True))


# ---------------------------------------------------------------- made of others


def zero_inflated(base: Counts, log_gate: jax.Array, log_rest: jax.Array) -> Counts:
    """0 with probability exp(log_gate), else a draw of the base, with log (1 − gate) = log_rest."""

    def log_prob(x: jax.Array) -> jax.Array:
        other = log_rest + base.log_density(x)
        return jnp.where(x == 0, jnp.logaddexp(log_gate, log_rest + base.log_density(jnp.zeros_like(x))), other)

    def tails(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        below, above = base.all_tails(x)
        return jnp.logaddexp(log_gate, log_rest + below), log_rest + above

    return Counts(log_prob, None if base.tails is None else tails, base.lower, base.upper)


def log_gates(args: Mapping[str, Any]) -> tuple[jax.Array, jax.Array]:
    """log gate and log (1 − gate), of `gate` or `gate_logits`."""
    if "gate_logits" in args:
        return jax.nn.log_sigmoid(args["gate_logits"]), jax.nn.log_sigmoid(-args["gate_logits"])
    gate = jnp.asarray(args["gate"], float)
    tiny = jnp.finfo(gate.dtype).tiny
    return jnp.log(jnp.maximum(gate, tiny)), jnp.log(jnp.maximum(1 - gate, tiny))


def truncated(base: Counts, lower: Any, upper: Any) -> Counts:
    """The base on lower ≤ x ≤ upper, both included, renormalised."""
    least = base.lower if lower is None else jnp.maximum(jnp.ceil(jnp.asarray(lower, float)), base.lower)
    most = base.upper if upper is None else jnp.floor(jnp.asarray(upper, float))
    most = most if base.upper is None or upper is None else jnp.minimum(most, base.upper)
    under = base.all_tails(jnp.asarray(least, float) - 1.0)
    over = (jnp.zeros(()), jnp.asarray(-jnp.inf)) if most is None else base.all_tails(most)
    log_mass = _between(under, over)

    def tails(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        here = base.all_tails(x)
        return _between(under, here) - log_mass, _between(here, over) - log_mass

    return Counts(lambda x: base.log_density(x) - log_mass, tails, least, most)


def censored(base: Counts, lower: Any, upper: Any) -> Counts:
    """P(X ≥ upper) at and above the upper limit, P(X ≤ lower) at and below the lower one."""

    def log_prob(x: jax.Array) -> jax.Array:
        out = base.log_density(x)
        if upper is not None:
            limit = jnp.ceil(jnp.asarray(upper, float))
            out = jnp.where(x >= limit, base.all_tails(jnp.where(jnp.isfinite(limit), limit, 0.0) - 1.0)[1], out)
        if lower is not None:
            limit = jnp.floor(jnp.asarray(lower, float))
            out = jnp.where(x <= limit, base.all_tails(jnp.where(jnp.isfinite(limit), limit, 0.0))[0], out)
        return out

    return Counts(log_prob, None, base.lower, base.upper)


def _between(a: tuple[jax.Array, jax.Array], b: tuple[jax.Array, jax.Array]) -> jax.Array:
    """log (F(b) − F(a)) of two places' tails: the difference of the smaller ones."""
    left = a[0] < -0.6931471805599453
    large, small = jnp.where(left, b[0], a[1]), jnp.where(left, a[0], b[1])
    some = jnp.isfinite(small)
    gap = jnp.where(some, small - jnp.where(some, large, 0.0), -1.0)
    return large + jnp.where(some, normal.log1mexp(gap), 0.0)


def mixture(log_weights: jax.Array, component: Counts) -> Counts:
    """Σ_k w_k p_k(x), the components along one more axis, last, of all parameters."""
    add = lambda each: jax.scipy.special.logsumexp(log_weights + each, axis=-1)  # noqa: E731

    def tails(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        below, above = component.all_tails(x[..., None])
        return add(below), add(above)

    inner = lambda b, f: b if b is None or jnp.ndim(b) == 0 else f(b, axis=-1)  # noqa: E731
    bounds = (inner(component.lower, jnp.min), inner(component.upper, jnp.max))
    return Counts(lambda x: add(component.log_density(x[..., None])), None if component.tails is None else tails, *bounds)


LAWS: Mapping[str, Callable[..., Counts]] = MappingProxyType(
    {
        "Bernoulli": bernoulli,
        "Binomial": binomial,
        "Categorical": categorical,
        "Poisson": poisson,
        "NegativeBinomial2": negative_binomial_2,
        "NegativeBinomial": lambda total_count, **args: negative_binomial(total_count, _log_odds(args)),
        "Geometric": geometric,
        "BetaBinomial": beta_binomial,
        "DiscreteUniform": discrete_uniform,
        "ZeroInflatedPoisson": lambda gate, rate: zero_inflated(poisson(rate), *log_gates({"gate": gate})),
        "ZeroInflatedNegativeBinomial2": lambda mean, concentration, **gate: zero_inflated(
            negative_binomial_2(mean, concentration), *log_gates(gate)
        ),
        "OrderedLogistic": ordered_logistic,
    }
)
"""Laws of single whole numbers, called with the distribution's arguments by name."""


# ---------------------------------------------------------------- draws


def by_inversion(law: Counts, key: Any, shape: tuple[int, ...]) -> jax.Array:
    """The least x with P(X ≤ x) ≥ p, p uniform: steps of doubled length from the least value, then halving."""
    p = jax.random.uniform(key, shape, minval=jnp.finfo(float).tiny)
    low_half, log_p, log_q = p < 0.5, jnp.log(p), jnp.log1p(-p)

    def reached(x: jax.Array) -> jax.Array:
        below, above = law.all_tails(x)
        return jnp.where(low_half, below >= log_p, above <= log_q)

    start = jnp.broadcast_to(jnp.asarray(law.lower, float), shape)

    def widen(state: tuple) -> tuple:
        low, high, step = state
        short = ~reached(high)
        return jnp.where(short, high + 1, low), jnp.where(short, high + step, high), 2 * step

    going = lambda s: jnp.any(~reached(s[1])) & (s[2] < 1e12)  # noqa: E731
    low, high, _ = lax.while_loop(going, widen, (start, start, jnp.ones(())))

    def halve(state: tuple) -> tuple:
        low, high = state
        middle = jnp.floor((low + high) / 2)
        enough = reached(middle)
        return jnp.where(enough, low, middle + 1), jnp.where(enough, middle, high)

    found = lax.while_loop(lambda s: jnp.any(s[0] < s[1]), halve, (low, high))[1]
    return found.astype(int)
