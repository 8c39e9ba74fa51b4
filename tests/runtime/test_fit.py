"""Fits against closed forms and quadrature; every guide; precision, seeds, params, interruption, nothing to learn."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from posteriors import CHAIN, CONJUGATE, GROUPS, LABELLED, Y, chain_posterior, conjugate_evidence, conjugate_posterior, fitted
from scipy import integrate, stats

import emfppl
from emfppl import EmfError
from emfppl.compiler.pipeline import compile_text
from emfppl.grammar.source import SourceText
from emfppl.runtime.bind import bind
from emfppl.runtime.choose_guide import build_guide
from emfppl.runtime.nonfinite import not_finite
from emfppl.runtime.optimise.rounds import Rounds
from emfppl.runtime.optimise.starts import Starts
from emfppl.runtime.program import Program
from emfppl.runtime.progress import Progress
from emfppl.runtime.recipe import Recipe


def fit(text, data=None, **how):
    return emfppl.fit(text, data or {}, progress=False, **how)


# ---------------------------------------------------------------- closed forms


@pytest.mark.parametrize("guide", ["auto", "mean_field", "full_rank", "low_rank", "gated", "splines", "iaf"])
def test_every_guide_is_exact_on_a_conjugate_normal(guide):
    f = fitted(CONJUGATE, guide)
    mean, sd = conjugate_posterior()
    draws = f.draws["mu"]
    assert draws.shape == (1000,)
    assert draws.mean() == pytest.approx(mean, abs=0.02 * sd) and draws.std() == pytest.approx(sd, rel=0.02)
    assert f.elbo == pytest.approx(conjugate_evidence(), abs=2e-3)
    assert f.log_evidence == pytest.approx(conjugate_evidence(), abs=1e-3)
    assert f.elbo <= conjugate_evidence() + 3 * f.elbo_se + 1e-6
    assert f.converged and not f.interrupted and f.warnings == ()
    assert f.verdict.startswith("exact" if guide == "auto" else "trustworthy")
    assert f.seconds > 0 and f.ess > 0.99


def test_an_exact_evidence_is_one_in_single_precision():
    """Squares of 10⁵ sds of the data all but cancel."""
    y = 1000 + 0.01 * np.arange(5.0)
    f = fit(CONJUGATE.replace("Normal(mu, 1)", "Normal(mu, 0.01)").replace("Normal(0, 2)", "Normal(0, 1000)"), {"y": y},
            precision="float32")
    each, sd = stats.norm.logpdf(y, y.mean(), 0.01).sum(), 0.01 / 5**0.5
    exact = each + 0.5 * np.log(2 * np.pi) + np.log(sd) + stats.norm.logpdf(y.mean(), 0, (1e6 + sd**2) ** 0.5)
    assert f.verdict.startswith("exact") and f.elbo == f.log_evidence == pytest.approx(exact, abs=1e-4)


def test_splines_follow_the_tail_of_a_scale():
    """Eight schools with their effects integrated out, over log tau alone: the evidence is a quadrature."""
    y, s = np.array([28.0, 8, -3, 7, -1, 1, 18, 12]), np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
    text = "dim school\ndata s[school]: positive\ndata y[school]: real\nlog_tau ~ Normal(0, 5)\n"
    text += "y[school] ~ Normal(8, sqrt(s * s + exp(2 * log_tau)))\n"
    grid = np.linspace(-40, 12, 20_001)
    each = stats.norm.logpdf(y, 8, np.sqrt(s**2 + np.exp(2 * grid[:, None]))).sum(axis=1)
    exact = np.log(np.trapezoid(np.exp(each + stats.norm.logpdf(grid, 0, 5)), grid))
    f = fit(text, {"s": s, "y": y}, guide="splines")
    assert f.guide == "gated splines" and f.num_params < 50
    assert exact - f.elbo < 0.01 and f.khat < 0.5
    assert fit(text, {"s": s, "y": y}, guide="full_rank").elbo < exact - 0.1


@pytest.mark.parametrize(("guide", "name"), [("auto", "messages"), ("full_rank", "full_rank")])
def test_a_linear_chain_with_missing_values_is_exact(guide, name):
    f = fitted(CHAIN, guide)
    mean, covariance, evidence = chain_posterior()
    sd = np.sqrt(np.diag(covariance))
    assert f.guide == name
    np.testing.assert_allclose(f.draws["x"].mean(axis=0), mean, atol=0.02)
    np.testing.assert_allclose(np.cov(f.draws["x"].T), covariance, atol=0.1 * sd.max() ** 2)
    assert f.elbo == pytest.approx(evidence, abs=0.01)
    assert f.log_evidence == pytest.approx(evidence, abs=0.01)


def test_a_nearly_improper_prior_of_a_precision():
    """Its prior map would send nearly all noise to 0; the posterior is Gamma(0.001 + n/2, 0.001 + Σy²/2)."""
    text = "dim obs\ndata y[obs]: real\ntau ~ Gamma(0.001, 0.001)\ny[obs] ~ Normal(0, 1 / sqrt(tau))\n"
    f = fit(text, {"y": Y}, num_draws=20_000)
    exact = stats.gamma(0.001 + len(Y) / 2, scale=1 / (0.001 + np.sum(np.square(Y)) / 2))
    assert f.converged and f.draws["tau"].mean() == pytest.approx(exact.mean(), rel=0.05)
    assert f.draws["tau"].std() == pytest.approx(exact.std(), rel=0.1)


def test_scale_of_a_normal_against_quadrature():
    text = "dim obs\ndata y[obs]: real\nsigma ~ HalfCauchy(2)\ny[obs] ~ Normal(0, sigma)\n"
    f = fit(text, {"y": Y})
    grid = np.exp(np.linspace(-3, 5, 4001))
    log_density = stats.halfcauchy(scale=2).logpdf(grid) + stats.norm(0, grid[:, None]).logpdf(Y).sum(axis=1)
    weights = np.exp(log_density) * np.gradient(grid)
    assert f.log_evidence == pytest.approx(np.log(weights.sum()), abs=0.01)
    assert f.elbo <= np.log(weights.sum()) + 3 * f.elbo_se
    mean = (grid * weights).sum() / weights.sum()
    assert f.draws["sigma"].mean() == pytest.approx(mean, rel=0.05)


def test_the_exact_evidence_over_a_gaussian_block():
    """Against an integral over the scale of the normal density of the data, everything else being integrated out by hand."""
    group, x, y = np.array([0, 1, 1, 2, 2, 2]), np.array(GROUPS["x"]), np.array(GROUPS["y"])
    shared = (group[:, None] == group[None, :]).astype(float)

    def density(s):
        spread = 1 + s**2 * shared + 0.25 * np.eye(6)
        return stats.halfnorm.pdf(s) * stats.multivariate_normal(x[group], spread).pdf(y)

    exact = np.log(integrate.quad(density, 0, 12)[0])
    f = fitted(LABELLED)
    assert f.exact_evidence == pytest.approx(exact, abs=1e-6)
    assert f.certificate.gap == pytest.approx(exact - f.elbo, abs=1e-6) and f.elbo <= exact + 3 * f.elbo_se
    assert "exact evidence" in str(f)


def test_simplex_against_its_closed_form():
    text = "dim k = 3\ndata n[k]: count\np[k] ~ Dirichlet(2)\nfactor sum(n * log(p), over = k)\n"
    f = fit(text, {"n": [3, 0, 7]}, guide="full_rank")
    np.testing.assert_allclose(f.draws["p"].sum(axis=1), 1, rtol=1e-10)
    np.testing.assert_allclose(f.draws["p"].mean(axis=0), np.array([5, 2, 9]) / 16, atol=0.02)


# ---------------------------------------------------------------- badly scaled


@pytest.mark.parametrize(("guide", "name"), [("auto", "messages, full_rank"), ("full_rank", "full_rank")])
def test_a_badly_scaled_regression(guide, name):
    """Scales 1e4 apart and a correlation of -.99998: least squares is the posterior mean."""
    rng = np.random.default_rng(0)
    year = np.arange(1950.0, 2010.0)
    y = 30_000 + 1500 * (year - 1980) + rng.normal(size=60) * 4000
    text = (
        "dim t\ndata year[t]: real\ndata y[t]: real\nalpha: real ~ Flat()\nbeta: real ~ Flat()\n"
        "sigma: positive ~ Flat()\ny[t] ~ Normal(alpha + beta * year, sigma)\n"
    )
    f = fit(text, {"year": year, "y": y}, guide=guide)
    design = np.stack([np.ones(60), year], 1)
    exact, residual, *_ = np.linalg.lstsq(design, y, rcond=None)
    # sigma² is integrated out: a Student t with n − p − 1 degrees of freedom under a flat prior on sigma
    scale = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * residual / (60 - 2 - 1))
    sd = scale * np.sqrt(57 / 55)
    assert f.guide == name and f.result.precision == "float64"
    for name, value, s in zip(("alpha", "beta"), exact, sd, strict=True):
        assert f.draws[name].mean() == pytest.approx(value, abs=0.1 * s)
        assert f.draws[name].std() == pytest.approx(s, rel=0.1)
    assert f.verdict.startswith("trustworthy")


# ---------------------------------------------------------------- seeds and precision


def test_equal_seeds_give_equal_results():
    first = fitted(LABELLED, "gated")
    again = fit(LABELLED, GROUPS, guide="gated")
    assert first.elbo == again.elbo and first.khat == again.khat
    assert all(np.array_equal(first.draws[k], again.draws[k]) for k in first.draws)
    other = fit(LABELLED, GROUPS, guide="gated", seed=5)
    assert other.elbo != first.elbo
    assert other.elbo == pytest.approx(first.elbo, abs=0.1)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_precision(precision):
    f = fitted(CONJUGATE, precision=precision)
    assert f.result.precision == precision and f.draws["mu"].dtype == precision
    assert f.elbo == pytest.approx(conjugate_evidence(), abs=5e-3)
    assert jax.numpy.ones(1).dtype == "float32"  # as it was outside


# ---------------------------------------------------------------- params, and nothing to learn


def test_param_alone_is_the_maximum_of_the_likelihood():
    text = "dim obs\ndata y[obs]: real\nparam m: real\nparam s: positive = 7\ny[obs] ~ Normal(m, s)\n"
    f = fit(text, {"y": 1000 * Y})
    assert f.params["m"] == pytest.approx(1000 * Y.mean(), rel=1e-3)
    assert f.params["s"] == pytest.approx(1000 * Y.std(), rel=1e-2)
    assert f.draws == {} and f.converged
    assert f.elbo == pytest.approx(stats.norm(1000 * Y.mean(), 1000 * Y.std()).logpdf(1000 * Y).sum(), abs=0.01)
    assert "param m = " in str(f)


def test_param_under_latents_is_the_maximum_of_the_evidence():
    text = "dim j\ndata y[j]: real\nparam m: real = 3\nparam t: positive = 1\nz[j] ~ Normal(m, t)\ny[j] ~ Normal(z, 0.5)\n"
    f = fit(text, {"y": Y})
    assert f.params["m"] == pytest.approx(Y.mean(), abs=0.05)
    assert f.params["t"] == pytest.approx(np.sqrt(Y.var() - 0.25), rel=0.1)
    evidence = stats.norm(Y.mean(), Y.std()).logpdf(Y).sum()
    assert f.elbo == pytest.approx(evidence, abs=0.02)


def test_an_exact_guide_is_not_the_end_while_params_move():
    text = "dim s\ndata y[s]: real\nparam tau: positive = 0.5\na ~ Normal(0, tau)\ny[s] ~ Normal(a, 1)\n"
    y = np.array([7.0, 2.0, 9.0, 6.0, 2.5, 8.3, 5.2, 3.9])
    f = fit(text, {"y": y})
    assert f.converged and f.params["tau"] == pytest.approx(np.sqrt(y.mean() ** 2 - 1 / 8), rel=0.2)


def test_nothing_to_learn():
    f = fit("dim obs\ndata y[obs]: real\ny[obs] ~ Normal(0, 1)\n", {"y": Y})
    exact = stats.norm.logpdf(Y).sum()
    assert f.elbo == pytest.approx(exact) and f.log_evidence == pytest.approx(exact)
    assert f.draws == {} and f.num_params == 0 and f.converged and f.verdict.startswith("exact")
    assert f.predict()["y"].shape == (1000, 4)
    assert len(f.summary()) == 0 and "0 latents" in str(f)


def test_only_latents_with_nothing_observed_below():
    f = fit("m ~ Normal(3, 2)\nn ~ Poisson(4)\ntwice = 2 * m\n", num_draws=4000)
    assert f.draws["m"].mean() == pytest.approx(3, abs=0.2) and f.draws["n"].mean() == pytest.approx(4, abs=0.2)
    np.testing.assert_allclose(f.draws["twice"], 2 * f.draws["m"], rtol=1e-6)
    assert f.converged and f.elbo == 0


# ---------------------------------------------------------------- interruption


def interrupted_after(monkeypatch, calls):
    """Ctrl-C at the given look at the keyboard."""
    seen = []

    def report(self, name):
        def look(*_):
            seen.append(name)
            if len(seen) == calls:
                raise KeyboardInterrupt

        return look

    monkeypatch.setattr(Progress, "report", report)


@pytest.mark.parametrize("calls", [1, 4])
def test_interruption_keeps_the_best_so_far(monkeypatch, calls):
    interrupted_after(monkeypatch, calls)
    f = fit(LABELLED, GROUPS)
    assert f.interrupted and not f.converged
    assert np.isfinite(f.elbo) and f.draws["a"].shape == (1000, 3)
    assert "interrupted" in str(f) and f.verdict.startswith("not trustworthy")
    assert f.warnings


def test_interruption_before_the_first_step(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Starts, "find_mode", interrupted)
    f = fit(CONJUGATE, {"y": Y}, guide="full_rank")
    assert f.interrupted and np.isfinite(f.elbo) and abs(f.draws["mu"].mean()) < 0.1  # at the prior's centre


def test_interruption_under_a_flow_keeps_what_was_fitted_without_it(monkeypatch):
    score, calls = Rounds.score, []

    def interrupted(self, params):
        calls.append(self.guide.name)
        if self.guide.name == "gated iaf":
            raise KeyboardInterrupt
        return score(self, params)

    monkeypatch.setattr(Rounds, "score", interrupted)
    f = fit(LABELLED, GROUPS, guide="iaf")
    assert "gated iaf" in calls and f.interrupted
    assert f.elbo == pytest.approx(fitted(LABELLED, "iaf").elbo, abs=0.5)


def test_a_second_interruption_leaves_the_figures_empty(monkeypatch):
    interrupted_after(monkeypatch, 2)

    def again(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Rounds, "log_weights", again)
    f = fit(CONJUGATE, {"y": Y}, guide="full_rank")
    assert f.interrupted and f.elbo == -np.inf and f.draws["mu"].shape == (1000,)


# ---------------------------------------------------------------- what goes wrong


def told(text, data=None, **how):
    with pytest.raises(EmfError) as error:
        fit(text, data, **how)
    (diagnostic,) = error.value.diagnostics
    return diagnostic


def test_unknown_guide():
    d = told(CONJUGATE, {"y": Y}, guide="ful_rank")
    assert d.code == "E1101" and "full_rank" in d.hint
    assert "mean_field" in told(CONJUGATE, {"y": Y}, guide="xyz").hint


def test_a_value_that_is_nan_is_named():
    text = "data y: real\nv ~ Normal(-100, 0.1)\nroot = sqrt(v)\ny ~ Normal(0, root)\n"
    d = told(text, {"y": 1.0})
    assert d.code == "E1102" and "line 3" in d.message and "`root` is nan" in d.message and "v = -99." in d.message


def test_a_density_that_is_nan_is_named_with_its_entry():
    text = "dim i\ndata y[i]: real\nv[i] ~ Normal(-100, 0.1)\ny[i] ~ Normal(0, sqrt(v))\n"
    d = told(text, {"y": [1.0, 2.0]})
    assert d.code == "E1102" and "line 4" in d.message and "y[0] is nan" in d.message and "v[0] = -" in d.message


def cause(text, data):
    """What is said where no draw is finite."""
    program = Program(bind(compile_text(SourceText(text)), data))
    (diagnostic,) = not_finite(build_guide(program, Recipe("mean_field")), "float64", 0).diagnostics
    return diagnostic


def test_a_matrix_without_a_cholesky_factor_is_named():
    """Two points that coincide, and nothing on the diagonal."""
    text = "dim i = 2\nm ~ Normal(0, 1)\nx[i] = [m, m]\nL[i, i'] = cholesky(exp_quad(x, 1, 1))\nfactor sum(L @ x[i'])\n"
    d = cause(text, {})
    assert d.code == "E1102" and "line 4" in d.message and "`L[" in d.message and "add_diag(K, 1e-6)" in d.hint


def test_an_equation_that_blows_up_is_named():
    text = (
        "def f(t: real, y: real): real { return y ^ 2 }\nv ~ Normal(10, 0.1)\n"
        "z = ode(f, v, 0, 1, max_steps = 100)\ndata y: real\ny ~ Normal(z, 1)\n"
    )
    d = cause(text, {"y": 1.0})
    assert d.code == "E1102" and "line 3" in d.message and "`z` is nan" in d.message and "v = " in d.message
    assert "ode_stiff" in d.hint


def test_a_factor_that_is_minus_infinity_is_named():
    d = told("m ~ Normal(-50, 0.1)\nfactor if(m > 0, 0, log(0))\n")
    assert d.code == "E1102" and "line 2" in d.message and "-inf" in d.message


def test_a_gradient_that_is_not_finite_is_named():
    d = told("m ~ Normal(0, 1)\ndata y: real\ny ~ Normal(m, 1)\nfactor sqrt(m - m)\n", {"y": 0.0})
    assert d.code == "E1103" and "line 4" in d.message


def test_a_start_is_found_where_the_centre_has_no_density():
    """Only values above 1 have a density, the prior's median has none."""
    f = fit("m ~ Normal(0, 1)\nfactor if(m > 0.5, 0, log(0))\ndata y: real\ny ~ Normal(m, 0.05)\n", {"y": 2.0})
    assert f.draws["m"].mean() == pytest.approx(2.0 / (1 + 0.05**2), abs=0.02)
