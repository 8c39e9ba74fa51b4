"""Fits of programs with discrete latents, against posteriors by quadrature and NumPy's algorithms for chains."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import special, stats

import emfppl

ZEROS = """
dim plot
data plants[plot]: count
logit_share ~ Normal(0, 1)
log_rate ~ Normal(0, 1)
suitable[plot] ~ Bernoulli(inv_logit(logit_share))
plants[plot] ~ Poisson(suitable * exp(log_rate))
extent = sum(suitable, over = plot)
"""
PLANTS = np.array([0, 0, 0, 3, 0, 2, 5, 0, 1, 4, 0, 0])

CHAIN = """
dim time
data y[time]: real
gap: positive ~ Normal(2, 1)
calm ~ Normal(0, 1)
wild[0] ~ Bernoulli(0.5)
for t in time[1:] {
  wild[t] ~ Bernoulli(if(wild[t-1], 0.8, 0.1))
}
y[time] ~ Normal(calm + gap * wild, 1)
"""


@cache
def zeros():
    return emfppl.fit(ZEROS, {"plants": PLANTS}, seed=0, progress=False)


@cache
def chain():
    rng = np.random.default_rng(4)
    state = np.repeat([0, 1, 0, 1], [12, 6, 14, 8])
    y = -0.5 + 3 * state + rng.normal(size=40)
    return y, emfppl.fit(CHAIN, {"y": y}, seed=0, progress=False)


def quadrature() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Grids of the two latents, and the posterior over them."""
    a, b = np.linspace(-4, 4, 201)[:, None], np.linspace(-1.5, 3, 201)[None]
    share, rate = special.expit(a), np.exp(b)
    log = stats.norm.logpdf(a) + stats.norm.logpdf(b)
    for n in PLANTS:
        log = log + np.log((1 - share) * (n == 0) + share * stats.poisson.pmf(n, rate))
    p = np.exp(log - log.max())
    return a, b, p / p.sum()


def test_inflated_zeros_have_the_posterior_of_a_quadrature():
    fit, (a, b, p) = zeros(), quadrature()
    for name, x in (("logit_share", a), ("log_rate", b)):
        mean = np.sum(p * x)
        sd = np.sqrt(np.sum(p * x**2) - mean**2)
        assert fit.draws[name].mean() == pytest.approx(mean, abs=0.15 * sd)
    share, none = special.expit(a), np.exp(-np.exp(b))
    expected = np.sum(p * share * none / (1 - share + share * none))
    found = fit.probabilities("suitable")
    assert found.shape == (12, 2)
    np.testing.assert_allclose(found[PLANTS > 0, 1], 1.0)
    np.testing.assert_allclose(found[PLANTS == 0, 1], expected, atol=0.02)
    assert fit.most_probable("suitable").tolist() == (PLANTS > 0).tolist()


def test_draws_of_discrete_latents_go_with_the_rest():
    fit = zeros()
    drawn = fit.draws["suitable"]
    assert drawn.shape == (1000, 12) and drawn[:, PLANTS > 0].all()
    np.testing.assert_array_equal(fit.draws["extent"], drawn.sum(axis=1))
    np.testing.assert_allclose(drawn.mean(axis=0), fit.probabilities("suitable")[:, 1], atol=0.06)
    high = fit.draws["logit_share"] > np.median(fit.draws["logit_share"])
    assert fit.draws["extent"][high].mean() > fit.draws["extent"][~high].mean() + 0.5
    assert fit.summary()["suitable[3]"]["mean"] == 1.0
    predicted = fit.predict()["plants"]
    assert (predicted[:, 3] > 0).mean() > 0.7  # given that plot 3 is suitable
    assert set(np.unique(predicted[~drawn])) == {0}


def forward_backward(y: np.ndarray, calm: float, gap: float) -> tuple[np.ndarray, list[int]]:
    """Smoothed probabilities of the wild state, and the best path."""
    start, move = np.log([0.5, 0.5]), np.log([[0.9, 0.1], [0.2, 0.8]])
    seen = stats.norm.logpdf(y[:, None], [calm, calm + gap])
    ahead, back, best, came = [start + seen[0]], [np.zeros(2)], [start + seen[0]], []
    for t in range(1, len(y)):
        ahead.append(special.logsumexp(ahead[-1][:, None] + move, axis=0) + seen[t])
        came.append(np.argmax(best[-1][:, None] + move, axis=0))
        best.append(np.max(best[-1][:, None] + move, axis=0) + seen[t])
    for t in range(len(y) - 1, 0, -1):
        back.insert(0, special.logsumexp(move + seen[t] + back[0], axis=1))
    path = [int(np.argmax(best[-1]))]
    for step in reversed(came):
        path.insert(0, int(step[path[0]]))
    return special.softmax(np.array(ahead) + np.array(back), axis=1)[:, 1], path


def test_a_chain_is_smoothed_and_its_best_path_found():
    y, fit = chain()
    exact = np.mean([forward_backward(y, c, g)[0] for c, g in zip(fit.draws["calm"], fit.draws["gap"], strict=True)], axis=0)
    np.testing.assert_allclose(fit.probabilities("wild")[:, 1], exact, atol=1e-6)
    _, path = forward_backward(y, fit.draws["calm"].mean(), fit.draws["gap"].mean())
    assert fit.most_probable("wild").tolist() == [bool(p) for p in path]
    assert np.abs(fit.draws["wild"].mean(axis=0) - exact).max() < 0.08


def test_a_saved_fit_keeps_its_discrete_draws(tmp_path):
    _, fit = chain()
    fit.save(tmp_path / "chain.emfit")
    again = emfppl.open(tmp_path / "chain.emfit")
    np.testing.assert_array_equal(again.draws["wild"], fit.draws["wild"])
    np.testing.assert_array_equal(again.probabilities("wild"), fit.probabilities("wild"))


def test_a_variable_that_was_not_summed_out_is_told():
    with pytest.raises(emfppl.EmfError, match="no discrete latent"):
        zeros().probabilities("log_rate")


def test_arviz_has_the_discrete_draws_and_a_log_likelihood_of_every_entry():
    groups = zeros().to_arviz()
    assert groups.posterior["suitable"].shape == (1, 1000, 12)
    share, rate = special.expit(zeros().draws["logit_share"]), np.exp(zeros().draws["log_rate"])
    expected = np.log((1 - share[:, None]) * (PLANTS == 0) + share[:, None] * stats.poisson.pmf(PLANTS, rate[:, None]))
    np.testing.assert_allclose(groups.log_likelihood["plants"].values[0], expected, rtol=1e-6)
