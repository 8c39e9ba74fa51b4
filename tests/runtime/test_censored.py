"""Censored and rounded observations: densities by SciPy, limits from data, gradients, draws as they would be recorded."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from scipy import stats

from emfppl.compiler.pipeline import compile_text
from emfppl.grammar.source import SourceText
from emfppl.runtime.bind import bind
from emfppl.runtime.precision import precision
from emfppl.runtime.program import Program


def program_of(text: str, data: dict) -> Program:
    return Program(bind(compile_text(SourceText(text)), data))


SURVIVAL = """
dim patient
data t[patient]: positive
data limit[patient]: positive
k ~ Gamma(4, 2)
s ~ LogNormal(0, 1)
t[patient] ~ censored(Weibull(s, k), upper = limit)
"""


def test_a_time_at_its_limit_counts_by_its_survival():
    with precision("float64"):
        t, limit = np.array([1.2, 3.0, 0.5, 7.0]), np.array([5.0, 3.0, 1e9, 6.0])
        program = program_of(SURVIVAL, {"t": t, "limit": limit})
        law = stats.weibull_min(1.7, scale=2.0)
        expected = [law.logpdf(1.2), law.logsf(3.0), law.logpdf(0.5), law.logsf(6.0)]
        values = {"k": 1.7, "s": 2.0}
        np.testing.assert_allclose(program.log_likelihood(values)["t"], expected, rtol=1e-12)
        gradient = jax.grad(lambda v: program.log_density(v))(values)
        assert all(np.isfinite(g) for g in gradient.values())


def test_draws_are_recorded_as_the_data_are():
    limit = np.linspace(0.5, 3, 400)
    program = program_of(SURVIVAL, {"t": np.ones(400), "limit": limit})
    drawn = np.asarray(program.simulate(jax.random.key(0), {"k": 1.7, "s": 2.0})["t"])
    assert np.all(drawn <= limit + 1e-6)
    at = np.isclose(drawn, limit)
    expected = stats.weibull_min(1.7, scale=2.0).sf(limit)
    assert abs(at.sum() - expected.sum()) < 5 * np.sqrt(np.sum(expected * (1 - expected)))


def test_a_mark_in_place_of_a_limit():
    text = "dim p\ndata t[p]: positive\ndata died[p]: bool\nr ~ Gamma(2, 2)\n"
    text += "t[p] ~ censored(Exponential(r), upper = if(died, inf, t))\n"
    with precision("float64"):
        t, died = np.array([1.0, 2.0, 3.5]), np.array([True, False, True])
        found = program_of(text, {"t": t, "died": died}).log_likelihood({"r": 0.7})["t"]
        np.testing.assert_allclose(found, np.where(died, np.log(0.7), 0) - 0.7 * t, rtol=1e-12)


LAWS = [
    ("Normal(0, 1)", stats.norm()), ("LogNormal(0, 1)", stats.lognorm(1)), ("Logistic(1, 2)", stats.logistic(1, 2)),
    ("Gamma(2, 3)", stats.gamma(2, scale=1 / 3)), ("StudentT(3)", stats.t(3)), ("Weibull(1, 2)", stats.weibull_min(2)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "law"), LAWS, ids=lambda v: v if isinstance(v, str) else "")
@pytest.mark.parametrize("limit", [0.3, 5.0, 25.0])
def test_limits_far_out(text, law, limit):
    with precision("float64"):
        for side, expected in (("upper", law.logsf(limit)), ("lower", law.logcdf(limit))):
            program = program_of(f"data y: real\ny ~ censored({text}, {side} = {limit})", {"y": limit})
            np.testing.assert_allclose(program.log_likelihood({})["y"], expected, rtol=1e-9, atol=1e-300)


def test_both_limits_and_counts():
    with precision("float64"):
        text = "dim o\ndata y[o]: real\ny[o] ~ censored(Normal(1, 2), -1, 3)"
        found = program_of(text, {"y": [-1, -2.0, 0.4, 3, 9]}).log_likelihood({})["y"]
        law = stats.norm(1, 2)
        np.testing.assert_allclose(found, [law.logcdf(-1)] * 2 + [law.logpdf(0.4)] + [law.logsf(3)] * 2, rtol=1e-12)
        text = "dim o\ndata y[o]: count\ny[o] ~ censored(Poisson(4), lower = 1, upper = 6)"
        program = program_of(text, {"y": [0, 1, 2, 6, 9] * 40})
        law = stats.poisson(4)
        expected = [law.logcdf(1)] * 2 + [law.logpmf(2)] + [law.logsf(5)] * 2
        np.testing.assert_allclose(program.log_likelihood({})["y"][:5], expected, rtol=1e-10)
        drawn = np.asarray(jax.jit(program.simulate)(jax.random.key(0))["y"])
        assert drawn.min() == 1 and drawn.max() == 6
        total = np.exp(np.asarray(program_of(text, {"y": np.arange(1, 7)}).log_likelihood({})["y"])).sum()
        np.testing.assert_allclose(total, 1.0, rtol=1e-10)


def test_rounded_to_a_step():
    with precision("float64"):
        text = "dim o\ndata y[o]: real\ny[o] ~ rounded(LogNormal(0, 1), step = 0.5)"
        y = np.array([0.0, 0.5, 2.0, 40.0])
        program = program_of(text, {"y": y})
        law = stats.lognorm(1)
        mass = [law.cdf(0.25), law.cdf(0.75) - law.cdf(0.25), law.cdf(2.25) - law.cdf(1.75), law.sf(39.75) - law.sf(40.25)]
        np.testing.assert_allclose(program.log_likelihood({})["y"], np.log(mass), rtol=1e-9)
        drawn = np.asarray(program.simulate(jax.random.key(0))["y"])
        np.testing.assert_allclose(drawn * 2, np.round(drawn * 2))


def test_single_precision_is_sane():
    with precision("float32"):
        text = "dim o\ndata y[o]: real\nm ~ Normal(0, 1)\ny[o] ~ censored(Normal(m, 0.1), upper = 8)"
        program = program_of(text, {"y": [8.0, 1]})
        value, slope = jax.value_and_grad(lambda m: program.log_likelihood({"m": m})["y"][0])(0.0)
        np.testing.assert_allclose(value, stats.norm.logsf(80), rtol=1e-5)
        np.testing.assert_allclose(slope, 800.125, rtol=1e-3)
