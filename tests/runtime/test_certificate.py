"""Certificates: figures against closed forms and ArviZ, verdicts that say what is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from emfppl.runtime.certificate import Certificate, certify, pareto_khat


@pytest.mark.parametrize("spread", [0.1, 1.0, 2.0, 4.0])
def test_khat_is_that_of_arviz(spread):
    arviz = pytest.importorskip("arviz")
    weights = np.random.default_rng(1).normal(size=4000) * spread
    np.testing.assert_allclose(pareto_khat(weights), arviz.psislw(weights.copy())[1], rtol=1e-6)


def test_khat_sees_the_tail_of_large_weights():
    """exp of an exponential of mean s has a Pareto tail of shape s; its mirror image has none."""
    weights = np.random.default_rng(0).exponential(0.8, 20_000)
    assert pareto_khat(weights) == pytest.approx(0.8, abs=0.15)
    assert pareto_khat(-weights) < 0.2


def test_khat_of_equal_and_of_few_weights():
    assert pareto_khat(np.full(1000, -3.0)) == -np.inf
    assert pareto_khat(np.zeros(10)) == np.inf


def test_figures_of_lognormal_weights():
    """Weights log w ~ N(m, s²): ELBO m, evidence m + s²/2, ESS exp(−s²)."""
    log_weights = -3 + 0.3 * np.random.default_rng(0).normal(size=200_000)
    c = certify(log_weights, converged=True)
    assert c.elbo == pytest.approx(-3, abs=5 * c.elbo_se)
    assert c.elbo_se == pytest.approx(0.3 / np.sqrt(200_000), rel=0.02)
    assert c.log_evidence == pytest.approx(-2.955, abs=0.01)
    assert c.ess == pytest.approx(np.exp(-0.09), rel=0.02)
    assert c.level == 0 and c.verdict.startswith("trustworthy")


GOOD = {"elbo": -10.0, "elbo_se": 0.01, "log_evidence": -9.98, "khat": 0.3, "ess": 0.95, "draws": 1000, "converged": True}


@pytest.mark.parametrize(
    ("change", "level", "word"),
    [
        ({}, 0, "trustworthy"),
        ({"khat": 0.9}, 0, "trustworthy"),  # the far tail of a guide that is close
        ({"khat": 0.9, "ess": 0.5}, 1, "k-hat"),
        ({"khat": 1.2, "ess": 0.5}, 2, "k-hat"),
        ({"log_evidence": -9.85}, 1, "below the evidence"),
        ({"log_evidence": -5.0}, 2, "below the evidence"),
        ({"ess": 0.4}, 1, "importance draws"),
        ({"spread": 2.0}, 1, "other modes"),
        ({"converged": False}, 2, "not converged"),
        ({"converged": False, "interrupted": True}, 2, "interrupted"),
        ({"not_finite": 0.01}, 2, "no finite density"),
        ({"not_finite": 0.0002}, 2, "0.02% of"),
        ({"elbo": -np.inf}, 2, "not finite"),
    ],
)
def test_verdicts(change, level, word):
    certificate = Certificate(**{**GOOD, **change})
    assert certificate.level == level
    assert word in certificate.verdict
    advised = "let it run" if certificate.interrupted else "NUTS"
    assert (advised in certificate.verdict) == (level > 0)  # what to do next


@pytest.mark.parametrize(
    ("change", "wins"),
    [
        ({"elbo": -9.9}, True),
        ({"elbo": -9.99}, False),  # less than counts
        ({"elbo": -9.8, "elbo_se": 0.3}, False),  # less than the noise
        ({"elbo": -9.8, "elbo_se": 0.3, "ess": 0.99}, True),  # the noise comes from a few far draws
        ({"elbo": -10.5, "ess": 0.99}, False),
    ],
)
def test_which_of_two_guides_is_better(change, wins):
    below = Certificate(**{**GOOD, "ess": 0.4})
    assert Certificate(**{**GOOD, "ess": 0.4, **change}).beats(below, 0.02) == wins


def test_a_guide_that_learned_nothing_and_has_equal_weights_is_exact():
    equal = -12.5 + 1e-12 * np.random.default_rng(0).normal(size=100)
    c = certify(equal, 0, converged=True)
    assert c.exact and c.state == "exact" and c.verdict.startswith("exact") and "-12.5" in c.verdict
    assert not certify(equal, 3, converged=True).exact
    assert not certify(equal + 0.01 * np.arange(100), 0, converged=True).exact
    assert not certify(np.where(np.arange(100) < 1, -np.inf, -12.5), 0, converged=True).exact


def test_the_exact_evidence_tells_the_gap():
    c = Certificate(**GOOD, exact_evidence=-9.5)
    assert c.gap == pytest.approx(0.5) and c.level == 1 and c.worth_climbing


def test_a_search_at_rest_is_no_praise():
    assert Certificate(**GOOD).state == "converged"
    assert "far" in Certificate(**{**GOOD, "log_evidence": -5.0}).state
    assert Certificate(**{**GOOD, "converged": False}).state == "not converged"


def test_draws_without_a_finite_weight():
    c = certify(np.full(100, np.nan), converged=False)
    assert c.not_finite == 1 and c.elbo == -np.inf and c.level == 2
    some = certify(np.where(np.arange(1000) < 10, -np.inf, 0.5), converged=True)
    assert some.not_finite == pytest.approx(0.01) and some.elbo == pytest.approx(0.5)
    assert some.log_evidence == pytest.approx(0.5 + np.log(0.99))


def test_a_guide_that_wastes_draws_is_trusted_and_still_climbed_from():
    fit = Certificate(**{**GOOD, "ess": 0.8, "khat": 0.5, "log_evidence": GOOD["elbo"] + 0.03})
    assert not fit.level and fit.worth_climbing
    assert not Certificate(**{**GOOD, "ess": 0.95, "khat": 0.5, "log_evidence": GOOD["elbo"] + 0.03}).worth_climbing
