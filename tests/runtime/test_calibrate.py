"""Simulation-based calibration: uniform ranks where theory says so, faults seen where a guide is wrong, refusals, the figure."""

from __future__ import annotations

import numpy as np
import pytest
from posteriors import CONJUGATE, Y, fitted
from scipy import stats

import emfppl
from emfppl import EmfError
from emfppl.runtime import calibrate as module
from emfppl.runtime.calibration import POINTS, Calibration, band, counts_below, fault, histogram, pvalue

# two slopes of nearly the same predictor: their posterior is so correlated that a mean field is five times too narrow
CORRELATED = """
dim obs
data x[obs]: real
data y[obs]: real
a ~ Normal(0, 2)
b ~ Normal(0, 2)
y[obs] ~ Normal(a + b * x, 1)
"""
X = np.array([2.0, 2.2, 1.9, 2.1])


def test_an_exact_guide_has_uniform_ranks():
    fit = fitted(CONJUGATE, "full_rank")
    before = fit.program.data
    found = fit.calibrate(60)
    assert found.calibrated and found.num == 60 and set(found.ranks) == {"mu", "log joint density"}
    assert all(r.min() >= 0 and r.max() <= found.draws == 999 for r in found.ranks.values())
    assert stats.kstest(found.ranks["mu"] / 1000, "uniform").pvalue > 0.001
    assert "calibrated as far as 60" in found.verdict and found.untrusted == 0
    assert fit.program.data is before
    again = fit.calibrate(3)
    np.testing.assert_array_equal(again.ranks["mu"], fit.calibrate(3).ranks["mu"])


def test_a_mean_field_of_a_correlated_posterior_is_too_narrow():
    found = emfppl.fit(CORRELATED, {"x": X, "y": Y}, guide="mean_field", progress=False).calibrate(40)
    assert not found.calibrated and {"a", "b"} <= set(found.rejected)
    assert "a (too narrow)" in found.verdict and found.untrusted > 20


def test_posteriors_in_closed_form():
    text = "dim obs\ndata n[obs]: count\ndata k[obs]: count\np[obs] ~ Beta(2, 3)\nk[obs] ~ Binomial(n, p)\n"
    fit = emfppl.fit(text, {"n": [10, 20], "k": [3, 12]}, progress=False)
    found = fit.calibrate(40)
    assert fit.certificate.exact and found.calibrated and {"p[0]", "p[1]"} <= set(found.ranks)


def test_values_observed_in_the_place_of_others():
    program = fitted(CONJUGATE, "full_rank").program
    before = program.log_density({"mu": np.array(0.5)})
    with module.observing(program, {"y": np.full(4, 0.5), "mu": np.array(0.5)}):
        inside = program.log_density({"mu": np.array(0.5)})
        assert inside == pytest.approx(stats.norm.logpdf(0.5, 0, 2) + 4 * stats.norm.logpdf(0), rel=1e-5)
    assert program.log_density({"mu": np.array(0.5)}) == before


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("dim obs\ndata y[obs]: real\nmu: real ~ Flat()\ny[obs] ~ Normal(mu, 1)\n", "flat prior"),
        ("dim obs\ndata y[obs]: real\nparam s: positive\nmu ~ Normal(0, 1)\ny[obs] ~ Normal(mu, s)\n", "param"),
        ("mu ~ Normal(0, 1)\nfactor -mu * mu\n", "factor"),
        ("dim obs\ndata y[obs]: real\ny[obs] ~ Normal(0, 1)\n", "no latents"),
        ("dim obs\ndata y[obs]: real\nmu ~ Normal(y[0], 1)\ny[obs] ~ Normal(mu, 1)\n", "before it is drawn"),
        ("dim t\ndata y[t]: real\na ~ Normal(0, 1)\nfor i in t[1:] {\n  y[i] ~ Normal(a * y[i-1], 1)\n}\n", "every entry"),
    ],
)
def test_what_has_no_prior_is_refused(text, word):
    program = emfppl.load(text).bind({"y": Y} if "y[" in text else {}).program
    with pytest.raises(EmfError, match="E1108") as error:
        module.refuse(program)
    assert word in str(error.value)


def test_an_interrupted_calibration_keeps_what_it_has(monkeypatch):
    plain, calls = module._ranks, []

    def ranks(*arguments):
        calls.append(1)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return plain(*arguments)

    monkeypatch.setattr(module, "_ranks", ranks)
    found = fitted(CONJUGATE, "full_rank").calibrate(10)
    assert found.num == 3 and found.interrupted and "interrupted after 3" in found.verdict


# ---------------------------------------------------------------- the test of uniformity


def test_p_values_of_uniform_ranks_are_uniform():
    rng = np.random.default_rng(1)
    found = [pvalue(counts_below(rng.integers(0, 1000, 80), 999), 80) for _ in range(400)]
    assert 0.002 < np.mean(np.array(found) <= 0.01) < 0.03 or np.mean(np.array(found) <= 0.01) == 0
    assert stats.kstest(found, "uniform").pvalue > 1e-4


def test_uniform_ranks_stay_in_the_band():
    """All along with a probability of 95 %, by simulation; at a single point more often (Säilynoja et al. 2022)."""
    rng, inside = np.random.default_rng(2), 0
    low, high = band(80)
    for _ in range(400):
        counts = counts_below(rng.integers(0, 1000, 80), 999)
        inside += bool(np.all((counts >= low[1:]) & (counts <= high[1:])))
    assert inside / 400 == pytest.approx(0.95, abs=0.04)
    assert len(low) == POINTS + 1 and low[-1] == high[-1] == 80


@pytest.mark.parametrize(
    ("shares", "word"),
    [
        (stats.beta(0.3, 0.3), "too narrow"),
        (stats.beta(4, 4), "too wide"),
        (stats.beta(1, 3), "too high"),
        (stats.beta(3, 1), "too low"),
    ],
)
def test_faults_are_seen_and_named(shares, word):
    ranks = np.floor(shares.rvs(100, random_state=0) * 1000).astype(int)
    assert fault(ranks / 999) == word
    found = Calibration({"x": ranks, "fine": np.arange(0, 1000, 10)}, 999)
    assert found.rejected == ["x"] and f"x ({word})" in found.verdict and found.pvalues["fine"] > 0.5


def test_the_histogram():
    assert histogram(np.arange(1000), 999) == "▄" * 20
    assert histogram(np.zeros(40, int), 999) == "█" + " " * 19


def test_the_figure(tmp_path):
    pytest.importorskip("matplotlib")
    ranks = {f"x[{i}]": np.arange(0, 1000, 10) for i in range(20)} | {"bad": np.zeros(100, int)}
    found = Calibration(ranks, 999, untrusted=7)
    found.save(tmp_path / "ranks.svg")
    assert "<svg" in (tmp_path / "ranks.svg").read_text()
    titles = [ax.get_title() for ax in found.figure().axes if ax.get_title()]
    assert len(titles) == 12 and titles[-1].startswith("bad")
    assert "9 more" in str(found) and "7 of 100 fits" in found.verdict
    with pytest.raises(EmfError, match="E1203"):
        found.save(tmp_path / "ranks.nonsense")
