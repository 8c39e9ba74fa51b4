"""What a posterior offers: draws, labels, tables, gates, densities, predictions, ArviZ."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from posteriors import CHAIN, CONJUGATE, GROUPS, LABELLED, Y, fitted
from scipy import stats

import emfppl
from emfppl import EmfError
from emfppl.grammar.words import plural
from emfppl.runtime.summary import summarise


@pytest.fixture(scope="module")
def fit():
    return fitted(LABELLED, "gated")


def test_draws_hold_latents_computed_and_barren_variables(fit):
    shapes = {name: draws.shape for name, draws in fit.draws.items()}
    assert shapes == {"m": (1000,), "s": (1000,), "a": (1000, 3), "top": (1000,), "unseen": (1000,)}
    np.testing.assert_allclose(fit.draws["top"], fit.draws["a"].max(axis=1))
    unseen = fit.draws["unseen"]
    assert np.all(unseen == np.round(unseen)) and unseen.mean() == pytest.approx(4, abs=0.3)
    assert np.all(fit.draws["s"] > 0)


def test_sample(fit):
    again = fit.sample(1000, seed=0)
    assert all(np.array_equal(again[name], draws) for name, draws in fit.draws.items())
    other = fit.sample(7, seed=3)
    assert other["a"].shape == (7, 3)
    assert fitted(CONJUGATE).sample(1)["mu"].shape == (1,)


def test_summary(fit):
    table = fit.summary()
    assert list(table) == ["m", "s", "a[north]", "a[south]", "a[west]", "top", "unseen"]
    west = fit.draws["a"][:, 2]
    row = table["a[west]"]
    assert row["mean"] == pytest.approx(west.mean()) and row["sd"] == pytest.approx(west.std(ddof=1))
    assert [row[q] for q in ("q5", "q50", "q95")] == pytest.approx(list(np.quantile(west, [0.05, 0.5, 0.95])))
    assert table.to_dict()["m"] == table.rows["m"]
    lines = str(table).splitlines()
    assert lines[0].split() == ["mean", "sd", "q5", "q50", "q95"] and len(lines) == 8
    assert fitted(CHAIN).summary()["x[5]"]["mean"] == pytest.approx(fitted(CHAIN).draws["x"][:, 5].mean())


def test_summary_of_enormous_draws(fit):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        row = summarise(fit.program.binding, {"m": np.array([1e200, -1e200, 3e200])})["m"]
    assert row["q50"] == 1e200 and not np.isfinite(row["sd"])


def test_summary_as_a_frame(fit):
    pytest.importorskip("pandas")
    frame = fit.summary().to_pandas()
    assert frame.loc["a[south]", "q50"] == fit.summary()["a[south]"]["q50"]


def test_text(fit):
    text = str(fit)
    figures = ("ELBO", "log evidence", "k-hat", "ESS")
    for word in ("5 latents", fit.guide, fit.certificate.state, *figures, "a[north]", "gate", fit.verdict[:20]):
        assert word in text, word
    assert text == repr(fit) and "a[north]" in fit._repr_html_()
    assert "<pre>" in fit.summary()._repr_html_()


def test_long_variables_are_cut():
    text = "dim i\ndata y[i]: real\nx[i] ~ Normal(0, 1)\ny[i] ~ Normal(x, 1)\n"
    shown = str(emfppl.fit(text, {"y": np.arange(30.0)}, guide="mean_field", progress=False))
    assert "x[0]" in shown and "x[29]" in shown and "… 26 more" in shown and "x[10]" not in shown
    assert "gate" not in shown


def test_gates(fit):
    gates = fit.gates()
    assert {name: gate.shape for name, gate in gates.items()} == {"m": (), "s": (), "a": (3,)}
    assert all(np.all((gate > 0) & (gate < 1)) for gate in gates.values())
    chain = fitted(CHAIN, "gated").gates()["x"]
    assert chain.shape == (6,) and np.all((chain > 0) & (chain < 1))
    assert np.all(fitted(CONJUGATE, "mean_field").gates()["mu"] == 0)
    assert np.all(fitted(CHAIN).gates()["x"] == 1)  # drawn from the posterior's own conditionals


def test_gates_of_a_guide_block():
    text = CHAIN + "guide {\n  backbone mean_field\n  gate x: per_variable, init = 0.5\n}\n"
    f = emfppl.fit(text, {"y": [0.4, None, 1.3]}, progress=False)
    gate = f.gates()["x"]
    assert f.guide == "gated mean_field" and np.all(gate == gate[0]) and f.num_params == 7
    off = emfppl.fit(text.replace("per_variable, init = 0.5", "off"), {"y": [0.4, None, 1.3]}, progress=False)
    assert np.all(off.gates()["x"] == 1) and off.num_params == 6


# ---------------------------------------------------------------- densities


def test_log_prob_is_the_density_of_the_draws():
    """A conjugate posterior is a normal distribution, and the guide is it."""
    f = fitted(CONJUGATE)
    exact = stats.norm(Y.sum() / 4.25, 4.25**-0.5)
    np.testing.assert_allclose(f.log_prob(f.draws), exact.logpdf(f.draws["mu"]), atol=0.01)
    one = f.log_prob({"mu": 1.25})
    assert isinstance(one, float) and one == pytest.approx(exact.logpdf(1.25), abs=0.01)


@pytest.mark.parametrize("guide", ["auto", "mean_field", "gated", "iaf"])
def test_log_prob_gives_the_elbo(guide):
    f = fitted(LABELLED, guide)
    bound = emfppl.load(LABELLED).bind(GROUPS, precision="float64")
    draws = f.sample(400, seed=9)
    log_q = f.log_prob(draws)
    latents = [{k: draws[k][i] for k in ("m", "s", "a")} for i in range(400)]
    gap = np.array([bound.log_joint(v) for v in latents]) - log_q
    assert gap.mean() == pytest.approx(f.elbo, abs=5 * gap.std() / 20 + 0.01)
    assert f.log_prob(latents[3]) == pytest.approx(log_q[3], rel=1e-6)


def test_log_prob_of_the_wrong_values(fit):
    with pytest.raises(EmfError) as error:
        fit.log_prob({"m": 0.0, "s": 1.0})
    assert error.value.diagnostics[0].code == "E1104" and "`a`" in str(error.value)
    with pytest.raises(EmfError, match="leading axis"):
        fit.log_prob({"m": 0.0, "s": 1.0, "a": np.zeros((2, 3))})


# ---------------------------------------------------------------- predictions


def test_predictions_follow_the_posterior(fit):
    y = fit.predict()["y"]
    assert list(fit.predict()) == ["y"] and y.shape == (1000, 6)
    mean = fit.draws["a"][:, [0, 1, 1, 2, 2, 2]]
    assert (y - mean).std() == pytest.approx(0.5, rel=0.05)  # each row belongs to its draw
    assert np.array_equal(y, fit.predict()["y"])
    assert fit.predict(num_draws=10, seed=4)["y"].shape == (10, 6)


def test_to_arviz(fit):
    data = fit.to_arviz()
    assert set(data.groups()) == {"posterior", "posterior_predictive", "log_likelihood", "observed_data", "constant_data"}
    a = data.posterior["a"]
    assert a.dims == ("chain", "draw", "group") and list(a.coords["group"].values) == ["north", "south", "west"]
    np.testing.assert_array_equal(a.values[0], fit.draws["a"])
    np.testing.assert_array_equal(data.observed_data["y"].values, GROUPS["y"])
    assert data.posterior_predictive["y"].shape == (1, 1000, 6)
    mean = fit.draws["a"][0, [0, 1, 1, 2, 2, 2]]
    np.testing.assert_allclose(data.log_likelihood["y"].values[0, 0], stats.norm(mean, 0.5).logpdf(GROUPS["y"]), rtol=1e-6)
    chain = fitted(CHAIN).to_arviz()
    assert np.isnan(chain.observed_data["y"].values).sum() == 2


def test_words_go_by_their_number():
    assert [plural(n, "draw") for n in (0, 1, 2)] == ["0 draws", "1 draw", "2 draws"]
    assert plural(3, "entry", "entries") == "3 entries"
