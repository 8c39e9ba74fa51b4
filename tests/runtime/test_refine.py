"""Refined fits: NUTS and resampling against a reference posterior and closed forms; what they say of themselves; saving."""

from __future__ import annotations

import json
from pathlib import Path

import arviz
import numpy as np
import pytest
from posteriors import CONJUGATE, conjugate_posterior, fitted

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


def test_nuts_finds_what_the_guide_misses(schools, chains):
    """Long Stan runs of posteriordb are the reference: in sds of its posterior."""
    reference = json.loads((EXAMPLES / "posteriordb/references.json").read_text())["eight_schools-eight_schools_noncentered"]
    rows = chains.summary()
    for theirs, ours in reference["names"].items():
        name = ours if ours in rows else theirs
        row, wanted = rows[name], reference["reference"][theirs]
        error = 4 * row["sd"] / np.sqrt(min(row["ess_bulk"], row["ess_tail"]))
        assert row["mean"] == pytest.approx(wanted["mean"], abs=error + 0.02 * wanted["sd"]), name
        assert row["sd"] == pytest.approx(wanted["sd"], rel=0.1), name
        assert row["q95"] == pytest.approx(wanted["q95"], abs=0.2 * wanted["sd"]), name
    assert abs(schools.summary()["tau"]["sd"] / reference["reference"]["tau"]["sd"] - 1) > 0.15  # the guide alone is wrong
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
