"""Nodes to test the maps with: every distribution of the table, supports, truncations, vectors, and rows registered from Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr, ndtri

from emfppl.compiler.distributions import STANDARD, Distribution, Parameter
from emfppl.runtime.bijections import node_map as nodes
from emfppl.runtime.bijections.node_map import DistValue as D
from emfppl.runtime.bijections.node_map import SupportValue

BATCH = 4
REAL, POSITIVE, UNIT = SupportValue("interval"), SupportValue("interval", 0.0), SupportValue("interval", 0.0, 1.0)
CIRCULAR = SupportValue("interval", -np.pi, np.pi)
Args = dict[str, np.ndarray]


def _row(name: str, support: str, log_prob: Callable, **more: Callable) -> Distribution:
    parameters = (Parameter("mu"), Parameter("s"))
    return Distribution(name, (parameters,), support, log_prob=log_prob, **more)  # type: ignore[arg-type]


def _registered_log_prob(x, mu, s):
    return -0.5 * ((x - mu) / s) ** 2 - jnp.log(s) - 0.5 * jnp.log(2 * jnp.pi)


TABLE = STANDARD.extended(
    _row("ByQuantile", "real", _registered_log_prob, quantile=lambda q, mu, s: mu + s * ndtri(q)),
    _row("ByCdf", "real", _registered_log_prob, cdf=lambda x, mu, s: ndtr((x - mu) / s)),
    _row("ByDensity", "positive", lambda x, mu, s: _registered_log_prob(jnp.log(x), mu, s) - jnp.log(x)),
)


@dataclass(frozen=True)
class Case:
    """One node: its arguments drawn at random over a batch, its distribution and support made of them."""

    name: str
    draw: Callable[[np.random.Generator], Args]
    dist: Callable[[Args], D]
    support: Callable[[Args], SupportValue]
    narrowed: bool = False
    event: tuple[int, ...] = ()

    def node(self, args: Args, batch: tuple[int, ...] = (BATCH,)) -> nodes.NodeMap:
        return nodes.node_map(self.dist(args), self.support(args), self.narrowed, batch, self.event, TABLE)

    @property
    def noise(self) -> tuple[int, ...]:
        name = self.support(self.draw(np.random.default_rng(0))).name
        return nodes.noise_event_shape("", name, self.event)


def _real(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=(BATCH, *shape))


def _pos(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return np.exp(0.7 * rng.normal(size=(BATCH, *shape)))


def _scalar(name: str, support: SupportValue, **kinds: Callable) -> Case:
    return Case(name, lambda rng: {k: f(rng) for k, f in kinds.items()}, lambda a: D(name, dict(a)), lambda a: support)


LOC_SCALE = {"loc": _real, "scale": _pos}
SCALARS = (
    _scalar("Normal", REAL, **LOC_SCALE),
    _scalar("LogNormal", POSITIVE, **LOC_SCALE),
    _scalar("HalfNormal", POSITIVE, scale=_pos),
    _scalar("StudentT", REAL, df=lambda rng: 4 * _pos(rng), **LOC_SCALE),
    _scalar("Cauchy", REAL, **LOC_SCALE),
    _scalar("HalfCauchy", POSITIVE, scale=_pos),
    _scalar("Laplace", REAL, **LOC_SCALE),
    _scalar("Logistic", REAL, **LOC_SCALE),
    _scalar("Gumbel", REAL, **LOC_SCALE),
    _scalar("Exponential", POSITIVE, rate=_pos),
    _scalar("Gamma", POSITIVE, concentration=lambda rng: 2 * _pos(rng) ** 2, rate=_pos),
    _scalar("InverseGamma", POSITIVE, concentration=lambda rng: 2 * _pos(rng) ** 2, rate=_pos),
    _scalar("Beta", UNIT, concentration1=lambda rng: 2 * _pos(rng), concentration0=lambda rng: 2 * _pos(rng)),
    Case("Uniform", lambda rng: {"low": _real(rng), "high": 4 + _pos(rng)}, lambda a: D("Uniform", dict(a)),
         lambda a: SupportValue("interval", a["low"], a["high"])),
    _scalar("Chi2", POSITIVE, df=lambda rng: 3 * _pos(rng)),
    _scalar("HalfStudentT", POSITIVE, df=lambda rng: 4 * _pos(rng), scale=_pos),
    _scalar("Weibull", POSITIVE, scale=_pos, concentration=_pos),
    _scalar("Frechet", POSITIVE, scale=_pos, concentration=lambda rng: 1 + _pos(rng)),
    _scalar("LogLogistic", POSITIVE, scale=_pos, concentration=_pos),
    _scalar("Gompertz", POSITIVE, concentration=_pos, rate=_pos),
    Case("Pareto", lambda rng: {"scale": _pos(rng), "alpha": 1 + _pos(rng)}, lambda a: D("Pareto", dict(a)),
         lambda a: SupportValue("interval", a["scale"])),
    _scalar("AsymmetricLaplace", REAL, asymmetry=_pos, **LOC_SCALE),
    _scalar("VonMises", CIRCULAR, loc=_real, concentration=lambda rng: 2 * _pos(rng)),
    _scalar("Kumaraswamy", UNIT, concentration1=_pos, concentration0=_pos),
    _scalar("BetaProportion", UNIT, mean=lambda rng: rng.uniform(0.2, 0.8, BATCH), concentration=lambda rng: 3 * _pos(rng)),
    _scalar("LogitNormal", UNIT, **LOC_SCALE),
    Case("LogUniform", lambda rng: {"low": _pos(rng), "high": 30 + _pos(rng)}, lambda a: D("LogUniform", dict(a)),
         lambda a: SupportValue("interval", a["low"], a["high"])),
    _scalar("ByQuantile", REAL, mu=_real, s=_pos),
    _scalar("ByCdf", REAL, mu=_real, s=_pos),
)  # fmt: skip


# Laws that are others in another coordinate, or as simple: some tests do without them.
ALIKE = ("Chi2", "Weibull", "Frechet", "LogLogistic", "Gompertz", "BetaProportion", "LogitNormal", "LogUniform")


def _normal(a: Args) -> D:
    return D("Normal", {"loc": a["loc"], "scale": a["scale"]})


def _loc_scale(rng: np.random.Generator) -> Args:
    return {"loc": _real(rng), "scale": _pos(rng)}


def _bounds(a: Args) -> dict:
    return {k: a[k] for k in ("lower", "upper") if k in a}


def _cut(base: Callable[[Args], D]) -> Callable[[Args], D]:
    return lambda a: D("truncated", {"base": base(a), **_bounds(a)})


def _within(a: Args) -> SupportValue:
    return SupportValue("interval", a.get("lower"), a.get("upper"))


def _parts(rng: np.random.Generator) -> Args:
    return {"weights": rng.dirichlet(np.ones(3), BATCH), "loc": 3 * _real(rng, 3), "scale": _pos(rng, 3)}


def _mixture(a: Args) -> D:
    return D("Mixture", {"weights": a["weights"], "component": _normal(a)})


COMPOSED = (
    Case("Mixture", _parts, _mixture, lambda a: REAL),
    Case("Mixture of Gammas", lambda rng: {"weights": rng.dirichlet(np.ones(3), BATCH), "a": 1 + _pos(rng, 3), "b": _pos(rng, 3)},
         lambda a: D("Mixture", {"weights": a["weights"], "component": D("Gamma", {"concentration": a["a"], "rate": a["b"]})}),
         lambda a: POSITIVE),
    Case("Mixture of truncated", lambda rng: _parts(rng) | {"lower": _real(rng, 1)},
         lambda a: D("Mixture", {"weights": a["weights"], "component": _cut(_normal)(a)}),
         lambda a: SupportValue("interval", a["lower"][..., 0])),
    Case("truncated", lambda rng: _loc_scale(rng) | {"lower": _real(rng)}, _cut(_normal), _within),
    Case("truncated above", lambda rng: _loc_scale(rng) | {"upper": _real(rng)}, _cut(_normal), _within),
    Case("truncated between", lambda rng: _loc_scale(rng) | {"lower": _real(rng), "upper": 3 + _pos(rng)}, _cut(_normal), _within),
    Case("truncated far out", lambda rng: {"loc": _real(rng), "scale": np.ones(BATCH), "lower": 9 + _real(rng),
                                           "upper": 14 + _pos(rng)},
         _cut(_normal), _within),
    Case("truncated Mixture", lambda rng: _parts(rng) | {"lower": _real(rng)}, _cut(_mixture), _within),
    Case("truncated Gamma", lambda rng: {"a": 1 + _pos(rng), "b": _pos(rng), "upper": 1 + _pos(rng)},
         _cut(lambda a: D("Gamma", {"concentration": a["a"], "rate": a["b"]})),
         lambda a: SupportValue("interval", 0.0, a["upper"])),
    Case("narrowed Normal", _loc_scale, _normal, lambda a: POSITIVE, narrowed=True),
    Case("narrowed Cauchy", lambda rng: _loc_scale(rng) | {"upper": _real(rng)},
         lambda a: D("Cauchy", {"loc": a["loc"], "scale": a["scale"]}), _within, narrowed=True),
)  # fmt: skip


def _structured(name: str) -> Callable[[Args], SupportValue]:
    return lambda a: SupportValue(name)


def _identical(rng: np.random.Generator) -> Args:
    return {"loc": _real(rng, 1), "scale": _pos(rng, 1)}


def _square(rng: np.random.Generator) -> np.ndarray:
    a = _real(rng, 3, 3)
    return a @ np.swapaxes(a, -1, -2) + 0.5 * np.eye(3)


def _mvn(form: str, matrix: Callable[[np.random.Generator], np.ndarray]) -> Case:
    return Case(f"MultivariateNormal {form}", lambda rng: {"loc": _real(rng, 3), form: matrix(rng)},
                lambda a: D("MultivariateNormal", dict(a)), _structured("real_vector"), event=(3,))  # fmt: skip


VECTORS = (
    Case("Dirichlet", lambda rng: {"concentration": 2 * _pos(rng, 4)}, lambda a: D("Dirichlet", dict(a)), _structured("simplex"),
         event=(4,)),
    Case("LKJCholesky", lambda rng: {"concentration": 0.5 + _pos(rng)}, lambda a: D("LKJCholesky", dict(a)),
         _structured("corr_cholesky"), event=(4, 4)),
    _mvn("covariance_matrix", _square), _mvn("precision_matrix", _square),
    _mvn("scale_tril", lambda rng: np.linalg.cholesky(_square(rng))),
    Case("MultivariateStudentT", lambda rng: {"df": 3 * _pos(rng), "loc": _real(rng, 3),
                                              "scale_tril": np.linalg.cholesky(_square(rng))},
         lambda a: D("MultivariateStudentT", dict(a)), _structured("real_vector"), event=(3,)),
    Case("GaussianRandomWalk", lambda rng: {"scale": _pos(rng)}, lambda a: D("GaussianRandomWalk", dict(a)),
         _structured("real_vector"), event=(5,)),
    Case("LKJ", lambda rng: {"concentration": 0.5 + _pos(rng)}, lambda a: D("LKJ", dict(a)), _structured("corr"), event=(4, 4)),
    Case("Wishart", lambda rng: {"concentration": 2.5 + _pos(rng), "scale_matrix": _square(rng)}, lambda a: D("Wishart", dict(a)),
         _structured("cov"), event=(3, 3)),
    Case("ordered Normal", _identical, _normal, _structured("ordered"), True, (4,)),
    Case("positive ordered Normal", _identical, _normal, _structured("positive_ordered"), True, (3,)),
    Case("positive ordered Exponential", lambda rng: {"rate": _pos(rng, 1)}, lambda a: D("Exponential", dict(a)),
         _structured("positive_ordered"), True, (3,)),
    Case("sum to zero Normal", _identical, _normal, _structured("sum_to_zero"), True, (4,)),
)  # fmt: skip


def _flat(support: str, *event: int) -> Case:
    return Case(f"Flat {support}", lambda rng: {}, lambda a: D("Flat"), _structured(support), event=event)


PLAIN = (
    Case("Flat", lambda rng: {}, lambda a: D("Flat"), lambda a: REAL),
    Case("Flat above", lambda rng: {"lower": _real(rng)}, lambda a: D("Flat"), _within),
    Case("Flat below", lambda rng: {"upper": _real(rng)}, lambda a: D("Flat"), _within),
    Case("Flat between", lambda rng: {"lower": _real(rng), "upper": 4 + _pos(rng)}, lambda a: D("Flat"), _within),
    _flat("simplex", 4), _flat("ordered", 3), _flat("positive_ordered", 3), _flat("sum_to_zero", 4), _flat("corr_cholesky", 3, 3),
    _flat("corr", 3, 3), _flat("cov_cholesky", 3, 3), _flat("cov", 3, 3),
    Case("ordered, not identical", lambda rng: {"loc": _real(rng, 3), "scale": _pos(rng, 1)}, _normal, _structured("ordered"),
         True, (3,)),
    Case("ByDensity", lambda rng: {"mu": _real(rng), "s": _pos(rng)}, lambda a: D("ByDensity", dict(a)), lambda a: POSITIVE),
)  # fmt: skip

EXACT = (*SCALARS, *COMPOSED, *VECTORS)
CONTINUOUS = (*EXACT, *PLAIN)


def free(support: str, x: jax.Array) -> jax.Array:
    """The coordinates that a density is taken in: without the entries that follow from the others."""
    match support:
        case "simplex":
            return x[..., :-1]
        case "sum_to_zero":  # the orthonormal basis of Egozcue et al. (2003), not NumPyro's
            size = x.shape[-1]
            basis = np.linalg.qr(np.concatenate([np.ones((size, 1)), np.eye(size)[:, 1:]], axis=1))[0][:, 1:]
            return x @ basis
        case "corr_cholesky" | "corr":
            return x[..., *np.tril_indices(x.shape[-1], -1)]
        case "cov_cholesky" | "cov":
            return x[..., *np.tril_indices(x.shape[-1])]
    return x
