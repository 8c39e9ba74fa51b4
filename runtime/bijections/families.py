"""The families by name: which law a distribution of the table has on the line, and which NumPyro distribution it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpyro.distributions as dist

from emfppl.compiler.distributions import Distribution
from emfppl.runtime.bijections.bounded import Beta, Uniform
from emfppl.runtime.bijections.half_line import Exponential, Gamma, HalfCauchy, HalfNormal, InverseGamma, LogNormal
from emfppl.runtime.bijections.laws import Law
from emfppl.runtime.bijections.real_line import Cauchy, Gumbel, Laplace, Logistic, Normal, StudentT

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
    }
)
"""Laws of one real number, called with the distribution's arguments by name."""

VECTORS = frozenset({"Dirichlet", "MultivariateNormal", "LKJCholesky"})
"""Laws of several numbers at once; `node_map` has a map for each."""

COMPOSED = frozenset({"Mixture", "truncated", "Flat"})
"""Distributions made of others, and the one without a density."""

DISCRETE: Mapping[str, Callable[..., dist.Distribution]] = MappingProxyType(
    {
        "Bernoulli": dist.Bernoulli,
        "Binomial": dist.Binomial,
        "Categorical": dist.Categorical,
        "Poisson": dist.Poisson,
        "NegativeBinomial2": dist.NegativeBinomial2,
        "Geometric": dist.Geometric,
    }
)
"""Laws of whole numbers: no map from noise."""


def with_defaults(row: Distribution, args: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with those filled in that were left out and have a default."""
    form = next((f for f in row.forms if set(args) <= {p.name for p in f}), row.forms[0])
    return {**{p.name: p.default for p in form if p.default is not None}, **args}


def continuous(name: str) -> Callable[..., dist.Distribution]:
    """The NumPyro distribution of a law of one real number."""
    return getattr(dist, name)
