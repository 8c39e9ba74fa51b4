"""The families by name: which law a distribution of the table has on the line, and which NumPyro distribution it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpyro.distributions as dist

from emfppl.compiler.distributions import Distribution
from emfppl.runtime.bijections.bounded import Beta, BetaProportion, Kumaraswamy, LogitNormal, LogUniform, Uniform
from emfppl.runtime.bijections.circular import VonMises
from emfppl.runtime.bijections.half_line import (
    Chi2,
    Exponential,
    Gamma,
    HalfCauchy,
    HalfNormal,
    HalfStudentT,
    InverseGamma,
    LogNormal,
)
from emfppl.runtime.bijections.laws import Law
from emfppl.runtime.bijections.real_line import AsymmetricLaplace, Cauchy, Gumbel, Laplace, Logistic, Normal, StudentT
from emfppl.runtime.bijections.survival import Frechet, Gompertz, LogLogistic, Pareto, Weibull

LAWS: Mapping[str, Callable[..., Law]] = MappingProxyType(
    {
        "Normal": Normal,
        "LogNormal": LogNormal,
        "HalfNormal": HalfNormal,
        "StudentT": StudentT,
        "Cauchy": Cauchy,
        "HalfCauchy": HalfCauchy,
        "Laplace": Laplace,
        "Logistic": Logistic,
        "Gumbel": Gumbel,
        "Exponential": Exponential,
        "Gamma": Gamma,
        "InverseGamma": InverseGamma,
        "Beta": Beta,
        "Uniform": Uniform,
        "Chi2": Chi2,
        "HalfStudentT": HalfStudentT,
        "Weibull": Weibull,
        "Frechet": Frechet,
        "LogLogistic": LogLogistic,
        "Gompertz": Gompertz,
        "Pareto": Pareto,
        "AsymmetricLaplace": AsymmetricLaplace,
        "VonMises": VonMises,
        "Kumaraswamy": Kumaraswamy,
        "BetaProportion": BetaProportion,
        "LogitNormal": LogitNormal,
        "LogUniform": LogUniform,
    }
)
"""Laws of one real number, called with the distribution's arguments by name."""

COMPOSED = frozenset({"Mixture", "truncated", "censored", "rounded", "ZeroInflated", "Flat"})
"""Distributions made of others, and the one without a density."""

DISCRETE: Mapping[str, Callable[..., dist.Distribution]] = MappingProxyType(
    {
        "Bernoulli": dist.Bernoulli,
        "Binomial": dist.Binomial,
        "Categorical": dist.Categorical,
        "Poisson": dist.Poisson,
        "NegativeBinomial2": dist.NegativeBinomial2,
        "Geometric": dist.Geometric,
        "NegativeBinomial": dist.NegativeBinomial,
        "BetaBinomial": dist.BetaBinomial,
        "DiscreteUniform": dist.DiscreteUniform,
        "ZeroInflatedPoisson": dist.ZeroInflatedPoisson,
        "ZeroInflatedNegativeBinomial2": dist.ZeroInflatedNegativeBinomial2,
        "OrderedLogistic": dist.OrderedLogistic,
    }
)
"""NumPyro's distributions of single whole numbers, which draw; `counts` has their densities."""


def with_defaults(row: Distribution, args: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with those filled in that were left out and have a default."""
    form = next((f for f in row.forms if set(args) <= {p.name for p in f}), row.forms[0])
    return {**{p.name: p.default for p in form if p.default is not None}, **args}


def continuous(name: str) -> Callable[..., dist.Distribution] | None:
    """The NumPyro distribution of a law of one real number, where it has one."""
    return getattr(dist, name, None)
