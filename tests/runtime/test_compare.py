"""Leave-one-out predictions against closed forms and ArviZ; comparisons of fits."""

from __future__ import annotations

from dataclasses import replace

import arviz
import numpy as np
import pytest
from posteriors import CHAIN, CONJUGATE, LABELLED, Y, fitted
from scipy import stats

import emfppl
from emfppl import EmfError
from emfppl.runtime.compare import Comparison, Row
from emfppl.runtime.loo import Loo, leave_out
from emfppl.runtime.refined import Refined


def exact_loo() -> np.ndarray:
    """Of the conjugate normal: each entry given the others."""
    out = []
    for i in range(len(Y)):
        rest = np.delete(Y, i)
        variance = 1 / (1 / 4 + len(rest))
        out.append(stats.norm.logpdf(Y[i], variance * rest.sum(), np.sqrt(1 + variance)))
    return np.array(out)


def test_leave_one_out_of_a_conjugate_normal():
    found = fitted(CONJUGATE, "gated").loo()
    np.testing.assert_allclose(found.elpd, exact_loo(), atol=0.05)
    assert found.total == pytest.approx(exact_loo().sum(), abs=0.1) and found.bad == 0
    assert found.p_loo == pytest.approx(_exact_fitted().sum() - exact_loo().sum(), abs=0.1)
    assert found.se == pytest.approx(np.sqrt(len(Y) * exact_loo().var(ddof=1)), abs=0.1)


def _exact_fitted() -> np.ndarray:
    variance = 1 / (1 / 4 + len(Y))
    return stats.norm.logpdf(Y, variance * Y.sum(), np.sqrt(1 + variance))


def test_weights_make_up_for_a_guide_that_is_too_narrow():
    """Draws of N(m, s²/2) with their weights towards N(m, s²)."""
    rng, variance = np.random.default_rng(0), 1 / (1 / 4 + len(Y))
    mean = variance * Y.sum()
    theta = mean + np.sqrt(0.7 * variance) * rng.normal(size=20_000)
    weights = stats.norm.logpdf(theta, mean, np.sqrt(variance)) - stats.norm.logpdf(theta, mean, np.sqrt(0.7 * variance))
    pointwise = stats.norm.logpdf(Y, theta[:, None], 1)
    corrected, _ = leave_out(pointwise, weights)
    plain, _ = leave_out(pointwise, np.zeros(20_000))
    assert np.abs(corrected - exact_loo()).max() < 0.03 < np.abs(plain - exact_loo()).max()


def test_draws_of_nuts_give_what_arviz_gives():
    refined = fitted(CONJUGATE, "gated").refine()
    theirs = arviz.loo(refined.to_arviz(), pointwise=True, reff=1.0)
    ours = refined.loo()
    np.testing.assert_allclose(ours.elpd, theirs.loo_i.values, rtol=1e-6)
    np.testing.assert_allclose(ours.khat, theirs.pareto_k.values, rtol=1e-6)
    assert ours.p_loo == pytest.approx(float(theirs.p_loo), rel=1e-6)
    assert ours.total == pytest.approx(float(theirs.elpd_loo), rel=1e-9) and ours.se == pytest.approx(float(theirs.se), rel=0.5)


# ---------------------------------------------------------------- comparisons


def made(elpd, khat=0.1, doubt=""):
    return Loo(np.asarray(elpd, float), np.full(len(elpd), khat), 1.0, 0.2, doubt)


def test_a_wrong_model_predicts_worse():
    text = CONJUGATE.replace("Normal(0, 2)", "Normal(-5, 0.1)")
    wrong = emfppl.fit(text, {"y": Y}, guide="gated", progress=False)
    right = fitted(CONJUGATE, "gated")
    table = wrong.compare(right)
    best, worst = table.rows
    assert best.difference == 0 and worst.difference < -20
    assert worst.loo.total == pytest.approx(wrong.loo().total) and best.loo.total == pytest.approx(right.loo().total)
    assert "predicts best" in table.verdict and "elpd" in str(table) and table.verdict in str(table)


@pytest.mark.parametrize("text", ["y[n] ~ Normal(0, 1)", "param m: real\ny[n] ~ Normal(m, 1)"])
def test_programs_without_latents(text):
    fit = emfppl.fit(f"dim n\ndata y[n]: real\n{text}\n", {"y": Y}, progress=False)
    loc = float(fit.params.get("m", 0.0))
    found = fit.loo()
    np.testing.assert_allclose(found.elpd, stats.norm.logpdf(Y, loc, 1), atol=1e-9)
    assert found.p_loo == pytest.approx(0, abs=1e-9) and found.bad == 0
    assert fit.refine(progress=False).to_arviz().log_likelihood["y"].shape == (4, 1000, len(Y))


def test_weights_that_are_equal_but_for_rounding_count_equally():
    fit = emfppl.fit(CONJUGATE, {"y": Y}, progress=False)
    assert fit.certificate.exact
    assert fit.loo().p_loo == pytest.approx(_exact_fitted().sum() - exact_loo().sum(), abs=0.1)


def test_resampled_draws_of_a_poor_guide_are_doubted():
    fit = fitted(CONJUGATE, "gated").refine("resample")
    assert not fit.loo().doubt
    poor = Refined(fit.program, fit.result, fit.eps, replace(fit.facts, khat=0.9))
    assert "k-hat 0.90" in poor.loo().doubt and "k-hat 0.90" in poor.compare(fit).warnings[0]


def test_names_of_the_same_program_tell_the_guide():
    table = fitted(CONJUGATE, "gated").compare(fitted(CONJUGATE, "full_rank"))
    assert sorted(row.name.partition(" ")[2] for row in table.rows) == ["(full_rank)", "(gated mean_field)"]
    assert "can't be told" in table.verdict


def test_doubtful_figures_are_named():
    good, bad = made([-1.0, -1.2]), made([-3.0, -9.0], doubt="k-hat of the guide is high")
    table = Comparison((Row("a", good, 0.0, 0.0), Row("b", bad, -9.8, 3.0)))
    assert table.warnings == ("b: k-hat of the guide is high",)
    influential = made([-1.0], khat=0.8)
    assert "1 entry is" in Comparison((Row("c", influential, 0.0, 0.0),)).warnings[0] and influential.bad == 1


def test_other_data_are_refused(tmp_path):
    fit = fitted(CONJUGATE, "gated")
    with pytest.raises(EmfError, match="E1107"):
        fit.compare(fitted(LABELLED))
    with pytest.raises(EmfError, match="E1302"):
        fit.compare("other.emfit")
    with pytest.raises(EmfError, match="different v"):
        fit.compare(fitted(CHAIN))
    fit.save(tmp_path / "fit")
    with pytest.raises(EmfError, match="E1105"):
        emfppl.open(tmp_path / "fit").loo()


def test_missing_entries_are_left_out():
    assert fitted(CHAIN).loo().elpd.shape == (4,)


def test_one_entry_has_no_standard_error():
    assert np.isnan(Loo(np.zeros(1), np.zeros(1), 0.0, 0.0).se)


def test_one_fit_alone():
    assert "stands alone" in str(fitted(CONJUGATE, "gated").compare())
