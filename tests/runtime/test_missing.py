"""Missing entries that other statements read: which are latents, and fits against exact posteriors."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.infer.util import log_density

import emfppl as emf
from emfppl.grammar.diagnostics import EmfError
from emfppl.runtime.graph_to_model import numpyro_model
from emfppl.runtime.missing import noise_of_gaps
from emfppl.runtime.precision import precision

SERIES = """
dim time
data y[time]: real?
m ~ Normal(0, 2)
y[0] ~ Normal(m, 1)
for t in time[1:] {
  y[t] ~ Normal(m + 0.8 * (y[t-1] - m), 0.6)
}
next ~ Normal(y[-1], 0.01)
guide {
  gate y: per_variable
}
"""
Y = np.array([0.5, np.nan, np.nan, 1.9, 1.4, np.nan, 0.2, 0.8])


def exact_posterior() -> tuple[np.ndarray, np.ndarray, float]:
    """Mean and covariance of (m, y[1], y[2], y[5]), and log p(data): the joint of (m, y) is Normal, given what was seen."""
    n = len(Y)
    A = np.zeros((n + 1, n + 1))  # (m, y) = A (m, y) + noise
    A[1, 0] = 1
    for t in range(1, n):
        A[t + 1, t], A[t + 1, 0] = 0.8, 0.2
    inverse = np.linalg.inv(np.eye(n + 1) - A)
    cov = inverse @ np.diag([4, 1, *[0.36] * (n - 1)]) @ inverse.T
    seen = np.r_[False, ~np.isnan(Y)]
    x = Y[~np.isnan(Y)]
    gain = cov[~seen][:, seen] @ np.linalg.inv(cov[seen][:, seen])
    _, log_det = np.linalg.slogdet(2 * np.pi * cov[seen][:, seen])
    evidence = -0.5 * (log_det + x @ np.linalg.solve(cov[seen][:, seen], x))
    return gain @ x, cov[~seen][:, ~seen] - gain @ cov[seen][:, ~seen], evidence


@pytest.fixture(scope="module")
def fit():
    return emf.load(SERIES).fit({"y": Y}, seed=0, num_draws=4000, progress=False)


def test_an_autoregression_with_gaps_against_its_exact_posterior(fit):
    mean, cov, evidence = exact_posterior()
    draws = np.column_stack([fit.draws["m"], fit.draws["y"][:, np.isnan(Y)]])
    np.testing.assert_allclose(draws.mean(axis=0), mean, atol=0.03)
    np.testing.assert_allclose(np.cov(draws.T), cov, atol=0.03)
    assert fit.log_evidence == pytest.approx(evidence, abs=0.01)
    assert fit.elbo <= evidence + 4 * fit.elbo_se + 1e-6


def test_what_the_fit_says_of_the_gaps(fit):
    assert "y: 3 of 8 missing, inferred" in str(fit)
    assert "y[1]" in fit.summary()
    assert "y[0]" not in fit.summary()
    gate = fit.gates()["y"]
    np.testing.assert_array_equal(np.isnan(gate), ~np.isnan(Y))
    assert len(np.unique(gate[np.isnan(Y)])) == 1  # per variable
    assert fit.to_arviz().posterior["y"].shape == (1, 4000, 8)


def test_data_keep_their_values_and_predictions_their_gaps(fit):
    seen = ~np.isnan(Y)
    np.testing.assert_allclose(fit.draws["y"][:, seen], np.broadcast_to(Y[seen], (4000, seen.sum())), atol=1e-6)
    predicted = fit.predict()["y"]
    np.testing.assert_array_equal(predicted[:, ~seen], fit.draws["y"][:, ~seen])
    assert predicted[:, seen].std(axis=0).min() > 0.3
    np.testing.assert_allclose(fit.draws["next"], 0.8, atol=0.06)  # drawn forward from the data, not from a replicate


def test_a_saved_fit_keeps_the_gaps(fit, tmp_path):
    fit.save(tmp_path / "fit.emfit")
    again = emf.open(tmp_path / "fit.emfit")
    assert str(again) == str(fit)
    for name, value in fit.draws.items():
        np.testing.assert_array_equal(again.draws[name], value)


def test_without_missing_entries_nothing_is_latent():
    bound = emf.load(SERIES).bind({"y": np.nan_to_num(Y)})
    assert bound.noise_shapes == {"m": ()}


@pytest.mark.parametrize("missing", [[0.1, None, 0.3], np.ma.masked_array([0.1, 9.0, 0.3], [False, True, False])])
def test_missing_as_none_and_as_a_mask(missing):
    bound = emf.load(SERIES).bind({"y": missing})
    assert bound.noise_shapes == {"m": (), "y[1:][missing]": (1,)}


COVARIATE = """
dim obs
data x[obs]: positive?
data y[obs]: real
b ~ Normal(0, 1)
x[obs] ~ Gamma(2, 1)
y[obs] ~ Normal(b * x, 0.7)
"""
PLAIN = COVARIATE.replace("Gamma(2, 1)", "Decay(1.5)")
DECAY = emf.Distribution(  # no prior map: neither distribution function nor quantiles
    "Decay", forms=((emf.Parameter("rate", "positive"),),), support="positive", log_prob=lambda x, rate: jnp.log(rate) - rate * x
)


@pytest.mark.parametrize("text", [COVARIATE, PLAIN, SERIES])
def test_the_numpyro_model_has_noise_for_the_gaps(text):
    data = {"y": Y} if text == SERIES else {"x": [0.4, np.nan, 1.2], "y": [1.0, 2.0, 3.0]}
    with precision("float64"):
        program = emf.load(text, distributions=[DECAY]).bind(data).program
        rng = np.random.default_rng(1)
        noise = {k: rng.normal(size=s) for k, s in program.noise_shapes.items()}
        values = program.forward(noise)[0] | {"next": np.array(0.8)}
        sites = {f"{k} noise" if k.endswith("[missing]") else k: noise[k] if "missing" in k else values[k] for k in noise}
        found, trace = log_density(numpyro_model(program), (), {}, {**sites, "next": values["next"]})
        expected = program.log_density(values if "next" in program.shapes else {k: values[k] for k in values if k != "next"})
        assert float(found) == pytest.approx(float(expected - noise_of_gaps(program, values)[1]), rel=1e-9)
    gap = next(k for k in noise if k.endswith("[missing]"))
    name, mask = program.noise_variables[gap], program.binding.latent[program.noise_variables[gap]]
    np.testing.assert_allclose(trace[gap]["value"], np.asarray(values[name])[mask])


def test_only_vectors_missing_as_a_whole():
    text = "dim k = 2\ndim n\ndata x[n, k]: real?\nx[n, k] ~ Dirichlet(1)\n"
    with pytest.raises(EmfError, match="not the whole vector"):
        emf.load(text).bind({"x": [[0.5, 0.5], [None, 0.2]]})
