"""Conjugate programs: posterior and evidence in closed form against SciPy's; what is nearly conjugate is fitted like any other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import betaln, gammaln

import emfppl
from emfppl.runtime.conjugate import exact_posterior, in_closed_form, may_be_conjugate

pytestmark = pytest.mark.usefixtures("quickly_compiled")


def looked_at(text, data):
    return exact_posterior(emfppl.load(text).bind(data).program)


def gamma_ratio(a, b, more, extra):
    """log of the integral of x^more exp(−extra x) over Gamma(a, b)."""
    return a * np.log(b) - gammaln(a) + gammaln(a + more) - (a + more) * np.log(b + extra)


K, Y, X = 7, np.array([3.0, 0.0, 2.0, 5.0]), np.array([0.3, 2.0, 1.1, 0.4])
BERNOULLI = np.array([True, True, False, True])
NORMAL_MEAN = "dim o\ndata y[o]: real\n{}\ny[o] ~ Normal(1, {})\n"
SQUARES = float(((X - 1) ** 2).sum() / 2)
HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)

CASES = {
    "beta, binomial": (
        "data k: count\np ~ Beta(2, 3)\nk ~ Binomial(10, p)\n", {"k": K}, {"p": (K, 3)}, stats.betabinom(10, 2, 3).logpmf(K)),
    "uniform, Bernoulli": (
        "dim o\ndata y[o]: bool\np ~ Uniform(0, 1)\ny[o] ~ Bernoulli(p)\n", {"y": BERNOULLI}, {"p": (3, 1)}, betaln(4, 2)),
    "beta, logits": (
        "data k: count\np ~ Beta(2, 3)\nk ~ Binomial(10, logits = log(p / (1 - p)))\n", {"k": K}, {"p": (K, 3)},
        stats.betabinom(10, 2, 3).logpmf(K)),
    "beta, geometric": (
        "dim o\ndata y[o]: count\np ~ Beta(2, 3)\ny[o] ~ Geometric(p)\n", {"y": Y}, {"p": (4, Y.sum())},
        betaln(6, 3 + Y.sum()) - betaln(2, 3)),
    "beta, negative binomial": (
        "dim o\ndata y[o]: count\np ~ BetaProportion(0.4, 5)\ny[o] ~ NegativeBinomial(3, p)\n", {"y": Y}, {"p": (Y.sum(), 12)},
        betaln(2 + Y.sum(), 15) - betaln(2, 3) + sum(gammaln(Y + 3) - gammaln(3) - gammaln(Y + 1))),
    "gamma, Poisson": (
        "dim o\ndata y[o]: count\nr ~ Gamma(2, 1.5)\ny[o] ~ Poisson(0.5 * r)\n", {"y": Y}, {"r": (Y.sum(), 2)},
        gamma_ratio(2, 1.5, Y.sum(), 2) + Y.sum() * np.log(0.5) - gammaln(Y + 1).sum()),
    "exponential, exponential": (
        "dim o\ndata y[o]: positive\nr ~ Exponential(2)\ny[o] ~ Exponential(r)\n", {"y": X}, {"r": (4, X.sum())},
        gamma_ratio(1, 2, 4, X.sum())),
    "a rate of BUGS, Gamma": (
        "dim o\ndata y[o]: positive\nr ~ Gamma(0.001, 0.001)\ny[o] ~ Gamma(3, r)\n", {"y": X}, {"r": (12, X.sum())},
        gamma_ratio(0.001, 0.001, 12, X.sum()) + 2 * np.log(X).sum() - 4 * gammaln(3)),
    "precision, Normal": (
        NORMAL_MEAN.format("t ~ Chi2(5)", "1 / sqrt(t)"), {"y": X}, {"t": (2, SQUARES)},
        gamma_ratio(2.5, 0.5, 2, SQUARES) - 4 * HALF_LOG_2PI),
    "variance, Normal": (
        NORMAL_MEAN.format("v ~ InverseGamma(3, 2)", "sqrt(v)"), {"y": X}, {"v": (2, SQUARES)},
        gamma_ratio(3, 2, 2, SQUARES) - 4 * HALF_LOG_2PI),
    "a median, LogNormal": (
        "data y: positive\nm ~ LogNormal(0, 2)\ny ~ LogNormal(log(m), 1)\n", {"y": 3.0}, {"m": (np.log(3), 1)},
        stats.norm(0, 5**0.5).logpdf(np.log(3)) - np.log(3)),
    "Dirichlet, multinomial": (
        "dim k = 3\ndata n[k]: count\np[k] ~ Dirichlet([1, 2, 3])\nn[k] ~ Multinomial(12, p)\n", {"n": [3, 4, 5]},
        {"p": (np.array([3, 4, 5]),)}, stats.dirichlet_multinomial([1, 2, 3], 12).logpmf([3, 4, 5])),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_evidence_and_counts_in_closed_form(name):
    text, data, counts, evidence = CASES[name]
    found = looked_at(text, data)
    assert found.log_evidence == pytest.approx(evidence, abs=1e-8)
    for latent, expected in counts.items():
        for part, value in zip(("a", "b"), expected, strict=False):
            np.testing.assert_allclose(found.parts[latent][part], value, rtol=1e-7, atol=1e-9)


def test_many_latents_of_several_kinds_at_once():
    text = """
    dim group
    dim kind = 3
    dim o
    data of[o]: index(group)
    data sort[o]: index(kind)
    data y[o]: count
    data n[group]: count
    rate[group] ~ Gamma(2, 1)
    share[kind] ~ Dirichlet([1, 1, 1])
    p[group] ~ Beta(1, 1)
    twice[group] = 2 * rate
    y[o] ~ Poisson(twice[of])
    sort[o] ~ Categorical(share)
    n[group] ~ Binomial(9, p)
    """.replace("\n    ", "\n")
    data = {"of": ["a", "b", "b", "c"], "sort": [0, 2, 2, 2], "y": [3, 0, 2, 5], "n": [4, 9, 0]}
    found = looked_at(text, data)
    np.testing.assert_allclose(found.parts["rate"]["a"], [3, 2, 5], atol=1e-8)
    np.testing.assert_allclose(found.parts["rate"]["b"], [2, 4, 2], atol=1e-8)
    np.testing.assert_allclose(found.parts["share"]["a"], [1, 0, 3], atol=1e-8)
    np.testing.assert_allclose([found.parts["p"]["a"], found.parts["p"]["b"]], [[4, 9, 0], [5, 0, 9]], atol=1e-8)


NEARLY = {
    "another likelihood": ("data k: count\np ~ Beta(2, 3)\nk ~ Poisson(p)\n", {"k": 2}),
    "a power": ("data k: count\np ~ Beta(2, 3)\nk ~ Binomial(10, p^1.001)\n", {"k": 2}),
    "a rate beside another": ("data k: count\nr ~ Gamma(2, 1)\nk ~ Poisson(r + 0.001)\n", {"k": 2}),
    "a factor": ("data k: count\nr ~ Gamma(2, 1)\nk ~ Poisson(r)\nfactor 0.0001 * sin(r)\n", {"k": 2}),
    "a scale, not a variance": (NORMAL_MEAN.format("v ~ InverseGamma(3, 2)", "v"), {"y": X}),
    "a precision of a half-normal": (NORMAL_MEAN.format("v ~ HalfNormal(2)", "sqrt(v)"), {"y": X}),
    "counts below zero": ("data y: real\nr ~ Gamma(2, 1)\ny ~ Normal(0, 1)\nfactor 3 * r\n", {"y": 1.0}),
    "two of one statement": ("data k: count\np ~ Beta(2, 3)\nq ~ Beta(2, 3)\nk ~ Binomial(10, p * q)\n", {"k": 2}),
    "elements of one vector": (
        "dim g = 2\ndata k: count\nr[g] ~ Gamma(2, 1)\nk ~ Poisson(sum(r))\n", {"k": 2}),
    "simplex and its square": (
        "dim k = 3\ndata n: count\np[k] ~ Dirichlet([1, 2, 3])\nn ~ Binomial(5, p[0]^2)\n", {"n": 2}),
    "a prior with a parent": (
        "data k: count\na ~ Gamma(2, 1)\nr ~ Gamma(2, a)\nk ~ Poisson(r)\n", {"k": 2}),
    "a Uniform elsewhere": ("data k: count\np ~ Uniform(0, 0.9)\nk ~ Binomial(10, p)\n", {"k": 2}),
    "a step far away": ("data k: count\nr ~ Gamma(0.01, 0.001)\nk ~ Poisson(if(r > 60, 3, r))\n", {"k": 2}),
    "a step in a function": (
        "def f(v: real): real {\n  w = minimum(v, 60)\n  return w\n}\ndata k: count\nr ~ Gamma(2, 1)\nm = f(r)\nk ~ Poisson(m)\n",
        {"k": 2}),
    "a kink at the datum": ("data y: real\nr ~ LogNormal(0, 1)\ny ~ Laplace(log(r), 1)\n", {"y": 9.0}),
    "a range": ("data y: positive\nr ~ Gamma(2, 1)\ny ~ Uniform(0, r)\n", {"y": 1e-4}),
    "cut": ("data k: count\np: real(0, 0.9) ~ Beta(1, 1)\nk ~ Binomial(10, p)\n", {"k": 2}),
}  # fmt: skip


@pytest.mark.parametrize("name", NEARLY)
def test_what_is_nearly_conjugate_is_not_taken_for_it(name):
    assert looked_at(*NEARLY[name]) is None


PRIORS = {
    "beta": ("Beta(2, 3)", "Uniform(0, 1)", "BetaProportion(0.3, 4)"),
    "gamma": ("Gamma(2, 1.5)", "Exponential(0.7)", "Chi2(3)"),
    "inverse gamma": ("InverseGamma(3, 2)",),
    "log normal": ("LogNormal(0.2, 1.3)",),
    "none": ("HalfNormal(1)", "Weibull(1, 2)", "LogitNormal(0, 1)"),
}
LIKELIHOODS = {
    "beta": ("Binomial(9, {})", "NegativeBinomial(3, {})"),
    "gamma": ("Poisson({})", "Poisson(2.5 * {})", "Exponential({})", "Gamma(2, 3 * {})"),
    "inverse gamma": ("Exponential(1 / {})", "Normal(0, sqrt({}))"),
    "log normal": ("LogNormal(log({}), 0.5)", "Normal(2 * log({}), 1)"),
}
PRIOR = st.sampled_from([(family, text) for family, texts in PRIORS.items() for text in texts])
LIKELIHOOD = st.sampled_from([(family, text) for family, texts in LIKELIHOODS.items() for text in texts])


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(PRIOR, LIKELIHOOD, st.sampled_from([1, 1, 1.01]), st.sampled_from([0, 0, 1e-4]))
def test_only_what_is_conjugate_is_found_to_be(prior, likelihood, power, more):
    """Any prior with any likelihood of a power of the latent, and a factor beside it that is of no family."""
    fits = prior[0] == likelihood[0] and power == 1 and not more
    given_ = f"q^{power}" if power != 1 else "q"
    kind = "count" if likelihood[1].startswith(("Bin", "Neg", "Poi")) else "positive"
    text = f"data y: {kind}\nq ~ {prior[1]}\ny ~ {likelihood[1].format(given_)}\nfactor {more} * sin(3 * q)\n"
    assert (looked_at(text, {"y": 3.0}) is not None) is fits


def test_what_is_not_worth_a_look():
    """Where statements read several latents, or priors are all normal."""
    for prior in ("m ~ Gamma(2, 1)\ns ~ Exponential(1)", "m ~ Normal(0, 1)\ns = 1", "m ~ Normal(0, 1)\ns ~ HalfNormal(1)"):
        bound = emfppl.load(f"dim o\ndata y[o]: real\n{prior}\ny[o] ~ Normal(m, s)\n").bind({"y": X})
        assert not may_be_conjugate(bound.program)


def test_a_fit_in_closed_form(tmp_path):
    """Draws, figures, predictions and a saved file, as of any fit."""
    text, data, _, evidence = CASES["gamma, Poisson"]
    fit = emfppl.fit(text, data, progress=False, num_draws=4000)
    law = stats.gamma(2 + Y.sum(), scale=1 / 3.5)
    assert fit.elbo == fit.log_evidence == pytest.approx(evidence, abs=1e-8)
    assert (fit.elbo_se, fit.num_params, fit.converged, fit.guide) == (0.0, 0, True, "exact conjugate")
    assert fit.verdict.startswith("exact") and "closed form" in str(fit.report())
    assert stats.kstest(fit.draws["r"], law.cdf).pvalue > 1e-3
    np.testing.assert_allclose(fit.draws["r"].mean(), law.mean(), rtol=0.01)
    np.testing.assert_allclose(fit.draws["r"].std(), law.std(), rtol=0.02)
    np.testing.assert_allclose(fit.predict()["y"].mean(), 0.5 * law.mean(), rtol=0.05)
    np.testing.assert_allclose(fit.gates()["r"], 2 / (2 + Y.sum()))
    fit.save(tmp_path / "fit.emfit")
    again = emfppl.open(tmp_path / "fit.emfit")
    np.testing.assert_array_equal(again.draws["r"], fit.draws["r"])
    assert again.num_params == 0 and again.elbo == fit.elbo


REGRESSION = """
dim o
dim k
data x[o, k]: real
data y[o]: real
v ~ InverseGamma(3, 2)
a ~ Normal(1, 2 * sqrt(v))
b[k] ~ Normal(0, sqrt(v) * 1.5)
y[o] ~ Normal(a + sum(x * b, over = k), sqrt(v))
"""


def regression(rows=30):
    """Data; mean and covariance over v of the coefficients, normal; shape and scale of v, inverse gamma; log evidence, that of a
    multivariate t."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 2))
    y = 0.5 + x @ [1.0, -2.0] + 0.7 * rng.normal(size=rows)
    design, prior, mean = np.column_stack([np.ones(rows), x]), np.diag([4, 2.25, 2.25]), np.array([1.0, 0.0, 0.0])
    covariance = np.linalg.inv(np.linalg.inv(prior) + design.T @ design)
    middle = covariance @ (np.linalg.solve(prior, mean) + design.T @ y)
    of_y = np.eye(rows) + design @ prior @ design.T
    away = y - design @ mean
    scale = 2 + 0.5 * away @ np.linalg.solve(of_y, away)
    evidence = stats.multivariate_t(design @ mean, of_y * 2 / 3, df=6).logpdf(y)
    return {"x": x, "y": y}, middle, covariance, (3 + rows / 2, scale), evidence


def test_a_normal_inverse_gamma_regression(tmp_path):
    data, middle, covariance, (shape, scale), evidence = regression()
    fit = emfppl.fit(REGRESSION, data, progress=False, num_draws=4000)
    assert (fit.elbo, fit.elbo_se, fit.num_params) == (pytest.approx(evidence, abs=1e-8), 0.0, 0)
    assert fit.guide == "exact conjugate" and fit.verdict.startswith("exact")
    law = stats.invgamma(shape, scale=scale)
    assert stats.kstest(fit.draws["v"], law.cdf).pvalue > 1e-3
    for draws, mean, spread in zip((fit.draws["a"], *fit.draws["b"].T), middle, np.diag(covariance), strict=True):
        width = (scale / shape * spread) ** 0.5
        assert stats.kstest(draws, stats.t(2 * shape, mean, width).cdf).pvalue > 1e-3
    fit.save(tmp_path / "fit.emfit")
    np.testing.assert_array_equal(emfppl.open(tmp_path / "fit.emfit").draws["b"], fit.draws["b"])


@pytest.mark.parametrize("change", [("sqrt(v) * 1.5", "1.5"), ("k), sqrt(v)", "k), v"), ("over = k)", "over = k) + v")])
def test_regressions_that_are_not_conjugate(change):
    data = regression(6)[0]
    assert looked_at(REGRESSION.replace(*change), data) is None


def test_a_guide_that_is_asked_for_is_fitted():
    text, data, *_ = CASES["gamma, Poisson"]
    block = f"{text}guide {{\n  backbone mean_field\n}}\n"
    assert in_closed_form(emfppl.load(block).bind(data).program, "auto") is None
    assert in_closed_form(emfppl.load(text).bind(data).program, "mean_field") is None
