"""The one table of distributions: arguments, support, event rank, discrete or not, location-scale or not.

The checker types calls from it, the runtime builds NumPyro distributions and bijections by the same names, and the
reference page is generated from it. Argument names are NumPyro's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

# What an argument may be. Checked for constants and data; latents are checked by their declared support (lint).
REAL, POSITIVE, UNIT, COUNT, SIMPLEX, DISTRIBUTION = "real", "positive", "unit", "count", "simplex", "distribution"
WHOLE = "whole"
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
    ``corr``, ``cov``, ``bool``, ``count``, ``upto(total_count)``, ``whole(low, high)``, ``index`` (the categories of the last axis
    of probs). `log_prob`, `sample`,
    `cdf`, `quantile` are set for distributions registered from Python, with keyword arguments by name (JAX functions); the
    built-in ones live in the runtime. `written`: the program defines it; bounds in its support may be numbers.
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
    written: bool = False

    @property
    def integrated(self) -> bool:
        """Whether the distribution function is found by integrating the density."""
        return self.written and not self.discrete


_ = Parameter
_LOC = _("loc", default=0.0, required=False)
_SCALE = _("scale", POSITIVE, default=1.0, required=False)
_CONC, _RATE = _("concentration", POSITIVE), _("rate", POSITIVE, default=1.0, required=False)
_VECTOR_LOC = _("loc", VECTOR, rank=1, default=0.0, required=False)
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
    Distribution("Chi2", ((_("df", POSITIVE),),), "positive", formula="∝ x^(df/2 − 1) exp(−x/2)"),
    Distribution("HalfStudentT", ((_("df", POSITIVE), _SCALE),), "positive", formula="scale · |t(df)|"),
    Distribution("Weibull", ((_("scale", POSITIVE), _CONC),), "positive", formula="the CDF is 1 − exp(−(x/scale)^concentration)"),
    Distribution("Frechet", ((_("scale", POSITIVE), _CONC),), "positive", formula="the CDF is exp(−(x/scale)^−concentration)"),
    Distribution("LogLogistic", ((_("scale", POSITIVE), _CONC),), "positive",
                 formula="the CDF is 1 / (1 + (x/scale)^−concentration)"),
    Distribution("Gompertz", ((_CONC, _RATE),), "positive", formula="the CDF is 1 − exp(−concentration (exp(rate x) − 1))"),
    Distribution("Pareto", ((_("scale", POSITIVE), _("alpha", POSITIVE)),), "above(scale)",
                 formula="the CDF is 1 − (scale/x)^alpha"),
    Distribution("AsymmetricLaplace", ((_LOC, _SCALE, _("asymmetry", POSITIVE, default=1.0, required=False)),), "real",
                 location_scale=True,
                 formula="∝ exp(−κ (x − loc)/scale) above loc, exp((x − loc)/(κ scale)) below; κ = asymmetry"),
    Distribution("VonMises", ((_("loc"), _("concentration", POSITIVE)),), "circular",
                 formula="∝ exp(concentration cos(x − loc)), x in radians"),
    Distribution("Kumaraswamy", ((_("concentration1", POSITIVE), _("concentration0", POSITIVE)),), "unit",
                 formula="the CDF is 1 − (1 − x^concentration1)^concentration0"),
    Distribution("BetaProportion", ((_("mean", UNIT), _CONC),), "unit",
                 formula="Beta(mean · concentration, (1 − mean) · concentration)"),
    Distribution("LogitNormal", ((_LOC, _SCALE),), "unit", formula="logit x ~ N(loc, scale²)"),
    Distribution("LogUniform", ((_("low", POSITIVE), _("high", POSITIVE)),), "interval(low, high)",
                 formula="1 / (x log(high/low)) on low < x < high"),
    Distribution("Beta", ((_("concentration1", POSITIVE), _("concentration0", POSITIVE)),), "unit",
                 formula="∝ x^(concentration1 − 1) (1 − x)^(concentration0 − 1)"),
    Distribution("Uniform", ((_("low", default=0.0, required=False), _("high", default=1.0, required=False)),),
                 "interval(low, high)", formula="1 / (high − low) on low < x < high"),
    Distribution("Dirichlet", ((_("concentration", POSITIVE, rank=1),),), "simplex", event_rank=1,
                 formula="∝ Π x_k^(concentration_k − 1)"),
    Distribution("MultivariateNormal", (
        (_VECTOR_LOC, _("covariance_matrix", COVARIANCE, rank=2)),
        (_VECTOR_LOC, _("precision_matrix", COVARIANCE, rank=2)),
        (_VECTOR_LOC, _("scale_tril", CHOLESKY, rank=2)),
    ), "real_vector", event_rank=1, formula="N(x; loc, Σ)"),
    Distribution("MultivariateStudentT", (
        (_("df", POSITIVE), _VECTOR_LOC, _("scale_tril", CHOLESKY, rank=2)),
        (_("df", POSITIVE), _VECTOR_LOC, _("scale_matrix", COVARIANCE, rank=2)),
    ), "real_vector", event_rank=1, formula="loc + L z / √(w / df), z ~ N(0, 1), w ~ χ²(df)"),
    Distribution("GaussianRandomWalk", ((_SCALE,),), "real_vector", event_rank=1,
                 formula="x_k − x_(k−1) ~ N(0, scale²), x_0 ~ N(0, scale²)"),
    Distribution("LKJ", ((_("concentration", POSITIVE, default=1.0, required=False),),), "corr", event_rank=2,
                 formula="∝ det(R)^(concentration − 1)"),
    Distribution("Wishart", (
        (_CONC, _("scale_matrix", COVARIANCE, rank=2)),
        (_CONC, _("rate_matrix", COVARIANCE, rank=2)),
        (_CONC, _("scale_tril", CHOLESKY, rank=2)),
    ), "cov", event_rank=2, formula="∝ det(X)^((concentration − K − 1)/2) exp(−½ tr(S⁻¹ X)); mean concentration · S"),
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
    Distribution("NegativeBinomial", ((_("total_count", POSITIVE), _PROBS), (_("total_count", POSITIVE), _LOGITS)), "count",
                 discrete=True, formula="C(x + total_count − 1, x) probs^x (1 − probs)^total_count"),
    Distribution("BetaBinomial", ((_("concentration1", POSITIVE), _("concentration0", POSITIVE), _COUNTS),), "upto(total_count)",
                 discrete=True, formula="Binomial(total_count, p), p ~ Beta(concentration1, concentration0)"),
    Distribution("DiscreteUniform", ((_("low", WHOLE), _("high", WHOLE)),), "whole(low, high)", discrete=True,
                 formula="1 / (high − low + 1) on low, …, high"),
    Distribution("ZeroInflatedPoisson", ((_("gate", UNIT), _RATE),), "count", discrete=True,
                 formula="0 with probability gate, else Poisson(rate)"),
    Distribution("ZeroInflatedNegativeBinomial2", (
        (_("mean", POSITIVE), _CONC, _("gate", UNIT)), (_("mean", POSITIVE), _CONC, _("gate_logits")),
    ), "count", discrete=True, formula="0 with probability gate, else NegativeBinomial2(mean, concentration)"),
    Distribution("OrderedLogistic", ((_("predictor"), _("cutpoints", VECTOR, rank=1)),), "index", discrete=True,
                 formula="P(x ≤ k) = logit⁻¹(cutpoints_k − predictor)"),
    Distribution("Multinomial", ((_COUNTS, _("probs", SIMPLEX, rank=1)), (_COUNTS, _("logits", LOGITS_VECTOR, rank=1))),
                 "upto(total_count)", event_rank=1, discrete=True, formula="total_count! Π probs_k^x_k / x_k!"),
    Distribution("DirichletMultinomial", ((_("concentration", POSITIVE, rank=1), _COUNTS),), "upto(total_count)", event_rank=1,
                 discrete=True, formula="Multinomial(total_count, p), p ~ Dirichlet(concentration)"),
    Distribution("ZeroInflated", ((_("base", DISTRIBUTION), _("gate", UNIT)), (_("base", DISTRIBUTION), _("gate_logits"))),
                 "of base", discrete=True, formula="0 with probability gate, else the base"),
    Distribution("Mixture", ((_("weights", SIMPLEX, rank=1), _("component", DISTRIBUTION)),), "of component",
                 formula="Σ_k weights_k p_k(x)"),
    Distribution("truncated", ((_("base", DISTRIBUTION), _("lower", required=False), _("upper", required=False)),), "of base",
                 formula="p(x) / (F(upper) − F(lower)) on lower < x < upper"),
    Distribution("censored", ((_("base", DISTRIBUTION), _("lower", required=False), _("upper", required=False)),), "of base",
                 formula="P(X ≥ upper) at upper and above, P(X ≤ lower) at lower and below, else p(x); observations only"),
    Distribution("rounded", ((_("base", DISTRIBUTION), _("step", POSITIVE, default=1.0, required=False)),), "of base",
                 formula="F(x + step/2) − F(x − step/2); observations only"),
    Distribution("Flat", ((),), "real", formula="1 (improper; of the support of the declared type)"),
)

GEOMETRIC = ("Normal", "LogNormal", "LogitNormal")
"""Normal in unconstrained space, by a location and a scale that a gate can open apart."""
CONJUGATE = (
    *GEOMETRIC, "Gamma", "Exponential", "Chi2", "InverseGamma", "Beta", "BetaProportion", "Uniform", "Dirichlet",
    "MultivariateNormal",
)  # fmt: skip
"""Conjugate to some family of factors: updated by pseudo-observations they are a law of the table again (Uniform from 0 to 1)."""


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
