"""The one table of distributions: arguments, support, event rank, discrete or not, location-scale or not.

The checker types calls from it, the runtime builds NumPyro distributions and bijections by the same names, and the
reference page is generated from it. Argument names are NumPyro's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

# What an argument may be. Checked for constants and data; latents are checked by their declared support (lint).
REAL, POSITIVE, UNIT, COUNT, SIMPLEX, DISTRIBUTION = "real", "positive", "unit", "count", "simplex", "distribution"
VECTOR, COVARIANCE, CHOLESKY, LOGITS_VECTOR = "vector", "covariance", "cholesky", "logits"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument: its name, what it may be, its rank (0 scalar, 1 vector, 2 matrix over event axes), and a default."""

    name: str
    kind: str = REAL
    rank: int = 0
    default: float | None = None
    required: bool = True


@dataclass(frozen=True, slots=True)
class Distribution:
    """One row of the table.

    `forms`: the ways of giving arguments, each a tuple of `Parameter` (``Bernoulli(probs)`` or ``Bernoulli(logits=)``);
    positional arguments follow the first form. `support`: a name understood by the runtime: ``real``, ``positive``, ``unit``,
    ``interval(low, high)`` by argument names, ``above(scale)``, ``circular``, ``simplex``, ``corr_cholesky``, ``real_vector``,
    ``bool``, ``count``, ``upto(total_count)``, ``index`` (the categories of the last axis of probs). `log_prob`, `sample`,
    `cdf`, `quantile` are set for distributions registered from Python, with keyword arguments by name (JAX functions); the
    built-in ones live in the runtime.
    """

    name: str
    forms: tuple[tuple[Parameter, ...], ...]
    support: str
    event_rank: int = 0
    discrete: bool = False
    location_scale: bool = False
    formula: str = ""
    log_prob: Callable | None = None
    sample: Callable | None = None
    cdf: Callable | None = None
    quantile: Callable | None = None


_ = Parameter
_LOC = _("loc", default=0.0, required=False)
_SCALE = _("scale", POSITIVE, default=1.0, required=False)
_CONC, _RATE = _("concentration", POSITIVE), _("rate", POSITIVE, default=1.0, required=False)
_COUNTS = _("total_count", COUNT)
_PROBS, _LOGITS = _("probs", UNIT), _("logits")

BUILT_IN: tuple[Distribution, ...] = (
    Distribution("Normal", ((_LOC, _SCALE),), "real", location_scale=True, formula="N(x; loc, scale²)"),
    Distribution("LogNormal", ((_LOC, _SCALE),), "positive", formula="log x ~ N(loc, scale²)"),
    Distribution("HalfNormal", ((_SCALE,),), "positive", formula="|z|, z ~ N(0, scale²)"),
    Distribution("StudentT", ((_("df", POSITIVE), _LOC, _SCALE),), "real", location_scale=True, formula="loc + scale · t(df)"),
    Distribution("Cauchy", ((_LOC, _SCALE),), "real", location_scale=True, formula="1 / (π scale (1 + ((x − loc)/scale)²))"),
    Distribution("HalfCauchy", ((_SCALE,),), "positive", formula="|z|, z ~ Cauchy(0, scale)"),
    Distribution("Laplace", ((_LOC, _SCALE),), "real", location_scale=True, formula="exp(−|x − loc|/scale) / (2 scale)"),
    Distribution("Logistic", ((_LOC, _SCALE),), "real", location_scale=True, formula="the CDF is logit⁻¹((x − loc)/scale)"),
    Distribution("Gumbel", ((_LOC, _SCALE),), "real", location_scale=True, formula="the CDF is exp(−exp(−(x − loc)/scale))"),
    Distribution("Exponential", ((_RATE,),), "positive", formula="rate exp(−rate x)"),
    Distribution("Gamma", ((_CONC, _RATE),), "positive", formula="∝ x^(concentration − 1) exp(−rate x)"),
    Distribution("InverseGamma", ((_CONC, _RATE),), "positive", formula="∝ x^(−concentration − 1) exp(−rate / x)"),
    Distribution("Beta", ((_("concentration1", POSITIVE), _("concentration0", POSITIVE)),), "unit",
                 formula="∝ x^(concentration1 − 1) (1 − x)^(concentration0 − 1)"),
    Distribution("Uniform", ((_("low", default=0.0, required=False), _("high", default=1.0, required=False)),),
                 "interval(low, high)", formula="1 / (high − low) on low < x < high"),
    Distribution("Dirichlet", ((_("concentration", POSITIVE, rank=1),),), "simplex", event_rank=1,
                 formula="∝ Π x_k^(concentration_k − 1)"),
    Distribution("MultivariateNormal", (
        (_("loc", VECTOR, rank=1, default=0.0, required=False), _("covariance_matrix", COVARIANCE, rank=2)),
        (_("loc", VECTOR, rank=1, default=0.0, required=False), _("precision_matrix", COVARIANCE, rank=2)),
        (_("loc", VECTOR, rank=1, default=0.0, required=False), _("scale_tril", CHOLESKY, rank=2)),
    ), "real_vector", event_rank=1, formula="N(x; loc, Σ)"),
    Distribution("LKJCholesky", ((_("concentration", POSITIVE, default=1.0, required=False),),), "corr_cholesky", event_rank=2,
                 formula="det(L Lᵀ)^(concentration − 1) in the correlation matrix"),
    Distribution("Bernoulli", ((_PROBS,), (_LOGITS,)), "bool", discrete=True, formula="probs^x (1 − probs)^(1 − x)"),
    Distribution("Binomial", ((_COUNTS, _PROBS), (_COUNTS, _LOGITS)), "upto(total_count)", discrete=True,
                 formula="C(total_count, x) probs^x (1 − probs)^(total_count − x)"),
    Distribution("Categorical", ((_("probs", SIMPLEX, rank=1),), (_("logits", LOGITS_VECTOR, rank=1),)), "index", discrete=True,
                 formula="probs_x"),
    Distribution("Poisson", ((_RATE,),), "count", discrete=True, formula="rate^x exp(−rate) / x!"),
    Distribution("NegativeBinomial2", ((_("mean", POSITIVE), _("concentration", POSITIVE)),), "count", discrete=True,
                 formula="mean μ, variance μ + μ² / concentration"),
    Distribution("Geometric", ((_PROBS,), (_LOGITS,)), "count", discrete=True, formula="(1 − probs)^x probs"),
    Distribution("Mixture", ((_("weights", SIMPLEX, rank=1), _("component", DISTRIBUTION)),), "of component",
                 formula="Σ_k weights_k p_k(x)"),
    Distribution("truncated", ((_("base", DISTRIBUTION), _("lower", required=False), _("upper", required=False)),), "of base",
                 formula="p(x) / (F(upper) − F(lower)) on lower < x < upper"),
    Distribution("Flat", ((),), "real", formula="1 (improper; of the support of the declared type)"),
)


@dataclass(frozen=True, slots=True)
class Table:
    """An immutable table of distributions by name; `extended` gives a larger one."""

    rows: tuple[Distribution, ...] = BUILT_IN

    def get(self, name: str) -> Distribution | None:
        return next((r for r in self.rows if r.name == name), None)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(r.name for r in self.rows)

    def extended(self, *more: Distribution) -> Table:
        """This table with rows added; a name that is taken is replaced."""
        taken = {r.name for r in more}
        return Table((*(r for r in self.rows if r.name not in taken), *more))


STANDARD = Table()
