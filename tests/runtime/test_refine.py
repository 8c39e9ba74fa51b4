"""Refined fits: NUTS and resampling against quadrature and closed forms; what they say of themselves; saving."""

from __future__ import annotations

from pathlib import Path

import arviz
import numpy as np
import pytest
from posteriors import CONJUGATE, conjugate_posterior, fitted
from scipy import stats

import emfppl
from emfppl import EmfError
from emfppl.runtime import refine as refining
from emfppl.runtime.diagnostics import Diagnostics, diagnose
from emfppl.runtime.nuts import Nuts
from emfppl.runtime.refine import stratified
from emfppl.runtime.refined import Facts, Refined

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def schools():
    """A poor guide of eight schools: an elementwise backbone."""
    files = [str(EXAMPLES / f"eight_schools.{ending}") for ending in ("emf", "json")]
    return emfppl.fit(*files, guide="gated", progress=False)


@pytest.fixture(scope="module")
def chains(schools):
    return schools.refine()


def exact_schools(y, sigma, count=200_000):
    """Draws of mu, tau and theta: tau by quadrature over its logarithm with all others integrated out, then these given it."""
    rng, tau = np.random.default_rng(0), np.exp(np.linspace(-12, 7, 5001))
    variance = sigma**2 + tau[:, None] ** 2
    precision = 1 / 25 + (1 / variance).sum(1)
    mean = (y / variance).sum(1) / precision
    density = stats.norm.logpdf(y, 0, np.sqrt(variance)).sum(1) + (mean**2 * precision - np.log(precision)) / 2
    weights = np.exp(density + stats.halfcauchy.logpdf(tau, scale=5) + np.log(tau) - density.max())
    chosen = rng.choice(len(tau), count, p=weights / weights.sum())
    mu, tau = mean[chosen] + rng.normal(size=count) / np.sqrt(precision[chosen]), tau[chosen]
    inner = 1 / sigma**2 + 1 / tau[:, None] ** 2
    theta = (y / sigma**2 + mu[:, None] / tau[:, None] ** 2) / inner + rng.normal(size=(count, 8)) / np.sqrt(inner)
    return {"mu": mu, "tau": tau, **{f"theta[{i}]": theta[:, i] for i in range(8)}}


def test_nuts_finds_what_the_guide_misses(schools, chains):
    exact = exact_schools(*(np.asarray(schools.program.data[name]) for name in ("y", "sigma")))
    rows = chains.summary()
    for name, draws in exact.items():
        row, sd = rows[name], draws.std()
        error = 4 * sd / np.sqrt(min(row["ess_bulk"], row["ess_tail"]))
        assert row["mean"] == pytest.approx(draws.mean(), abs=error), name
        assert row["sd"] == pytest.approx(sd, rel=0.15), name
        assert row["q95"] == pytest.approx(np.quantile(draws, 0.95), abs=2.1 * error), name
    assert abs(schools.summary()["tau"]["sd"] / exact["tau"].std() - 1) > 0.2  # the guide alone is wrong
    assert chains.verdict.startswith(("trustworthy", "use with care")) and chains.rhat < 1.01


def test_what_chains_offer(chains):
    assert chains.num_chains == 4 and chains.draws["theta"].shape == (chains.num_draws, 8)
    data = chains.to_arviz()
    assert data.posterior.sizes["chain"] == 4 and data.log_likelihood.sizes["draw"] == chains.num_draws // 4
    assert float(arviz.rhat(data)["tau"]) == pytest.approx(chains.summary()["tau"]["rhat"])
    assert float(arviz.ess(data)["mu"]) == pytest.approx(chains.summary()["mu"]["ess_bulk"])
    assert chains.sample(7, seed=1)["theta"].shape == (7, 8)
    assert chains.predict(5)["y"].shape == (5, 8)
    text = str(chains)
    assert "NUTS through the gated mean_field guide" in text and "rhat" in text and "gate  " not in text
    assert set(chains.latents) == {"mu", "tau", "theta"}
    with pytest.raises(EmfError, match="E1104"):
        chains.log_prob(chains.draws)


def test_a_refined_fit_is_saved_with_its_draws(chains, tmp_path):
    chains.save(tmp_path / "fit")
    again = emfppl.open(tmp_path / "fit")
    assert isinstance(again, Refined) and again.facts == chains.facts and again.verdict == chains.verdict
    np.testing.assert_array_equal(again.draws["theta"], chains.draws["theta"])
    with pytest.raises(EmfError, match="E1105"):
        again.refine()


def test_resampled_draws_of_eight_schools(schools, chains):
    fit = schools.refine("resample", seed=3)
    assert fit.num_draws == 1000 and fit.facts.distinct > 900 and "k-hat" in fit.verdict
    assert fit.summary()["tau"]["mean"] == pytest.approx(chains.summary()["tau"]["mean"], abs=0.4)
    assert np.isnan(fit.rhat) and "rhat" not in fit.summary()["tau"]
    again = schools.refine("resample", seed=3)
    np.testing.assert_array_equal(again.draws["theta"], fit.draws["theta"])


# ---------------------------------------------------------------- an exact guide


def test_an_exact_guide_keeps_its_posterior():
    mean, sd = conjugate_posterior()
    fit = fitted(CONJUGATE, "gated").refine()
    assert fit.draws["mu"].mean() == pytest.approx(mean, abs=0.1 * sd) and fit.draws["mu"].std() == pytest.approx(sd, rel=0.1)
    assert fit.level == 0 and fit.divergences == 0 and fit.converged
    again = fitted(CONJUGATE, "gated").refine()
    np.testing.assert_array_equal(again.draws["mu"], fit.draws["mu"])


def test_a_method_that_is_none():
    with pytest.raises(EmfError, match="E1105") as error:
        fitted(CONJUGATE, "gated").refine("laplace")
    assert "resample" in error.value.diagnostics[0].hint


def test_an_interrupted_sampler_keeps_what_it_has(monkeypatch):
    plain, calls = Nuts.draw, []

    def draw(self, count):
        def stop(done, of):
            if done:
                raise KeyboardInterrupt

        self.report = stop
        calls.append(count)
        return plain(self, count)

    monkeypatch.setattr(Nuts, "draw", draw)
    fit = fitted(CONJUGATE, "gated").refine()
    assert fit.interrupted and fit.num_draws == 200 and "interrupted" in fit.verdict and calls == [refining.FIRST]


def test_an_interrupt_before_more_draws_keeps_those_from_before(monkeypatch):
    plain = Nuts.draw

    def draw(self, count):
        if hasattr(self, "begun"):
            raise KeyboardInterrupt
        self.begun = True
        return plain(self, 50)

    monkeypatch.setattr(Nuts, "draw", draw)
    fit = fitted(CONJUGATE, "gated").refine()
    assert fit.interrupted and fit.num_draws == 200 and "interrupted" in fit.verdict


# ---------------------------------------------------------------- pieces


def test_stratified_resampling_goes_by_the_weights():
    weights = np.array([0.5, 0.25, 0.0, 0.25])
    counts = np.bincount(stratified(weights, 1000, 0), minlength=4)
    np.testing.assert_allclose(counts, [500, 250, 0, 250], atol=2)


def test_chains_apart_are_not_trusted():
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(4, 500, 2))
    apart = mixed + np.array([0.0, 0, 0, 3])[:, None, None]
    assert diagnose(mixed, 0).level == 0 and diagnose(mixed, 10).level == 1 and diagnose(mixed, 100).level == 2
    assert diagnose(apart, 0).level == 2 and "R-hat" in diagnose(apart, 0).verdict
    assert diagnose(np.ones((4, 10, 1)), 0).worst_rhat == 1


@pytest.mark.parametrize(
    ("facts", "level"),
    [({"khat": 0.5}, 0), ({"khat": 0.8}, 1), ({"khat": 1.2}, 2), ({"khat": 0.5, "interrupted": True}, 2)],
)
def test_verdicts_of_resampled_draws(facts, level):
    fit = fitted(CONJUGATE, "gated")
    refined = Refined(fit.program, fit.result, np.zeros((1, 5, 1)), Facts("resample", 0, ess=0.3, weighed=5, distinct=5, **facts))
    assert refined.level == level
    assert ("NUTS" in refined.verdict) == (level > 0 and not refined.interrupted)


def test_no_diagnostics_without_latents():
    none = Diagnostics(np.zeros(0), np.zeros(0), np.zeros(0), 0, 2000)
    assert none.level == 0 and none.least_ess == 2000
