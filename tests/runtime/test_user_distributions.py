"""Distributions that a program defines: densities, maps and draws of the integrated law against SciPy."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from emfppl.compiler.pipeline import compile_text
from emfppl.grammar.diagnostics import EmfError
from emfppl.grammar.source import SourceText
from emfppl.runtime.bijections.integrated import Integrated
from emfppl.runtime.bijections.interval import Interval
from emfppl.runtime.bind import bind
from emfppl.runtime.precision import precision
from emfppl.runtime.program import Program

RAYLEIGH = """
distribution Rayleigh(x: positive, scale: positive = 1) {
  return log(x) - 2 * log(scale) - x ^ 2 / (2 * scale ^ 2)
}
"""
NORMAL = "distribution Own(x: real, loc: real, scale: positive) "
NORMAL += "{ return -0.5 * ((x - loc) / scale) ^ 2 - log(scale) - 0.5 * log(2 * pi) }\n"


def program_of(text: str, data: dict | None = None) -> Program:
    return Program(bind(compile_text(SourceText(text)), data or {}))


LAWS = [
    ("normal", lambda x: stats_normal(x, 1000.0, 0.01), Interval(), stats.norm(1000, 0.01)),
    ("exponential", lambda x: -x / 50 - jnp.log(50.0), Interval(0.0), stats.expon(scale=50)),
    ("student", lambda x: -2 * jnp.log1p(x * x / 3) + np.log(2 / (np.pi * np.sqrt(3))), Interval(), stats.t(3)),
    ("beta", lambda x: np.log(12.0) + 2 * jnp.log(x) + jnp.log1p(-x), Interval(0.0, 1.0), stats.beta(3, 2)),
]


def stats_normal(x, loc, scale):
    return -0.5 * ((x - loc) / scale) ** 2 - jnp.log(scale) - 0.5 * np.log(2 * np.pi)


@pytest.mark.parametrize(("name", "density", "interval", "law"), LAWS, ids=lambda v: v if isinstance(v, str) else "")
def test_a_density_is_integrated_and_inverted(name, density, interval, law):
    with precision("float64"):
        bounds = [None if b is None else jnp.asarray(b) for b in (interval.lower, interval.upper)]
        found = Integrated(density, Interval(*bounds))
        np.testing.assert_allclose(found.log_mass, 0.0, atol=1e-8)
        u = np.linspace(-5, 5, 11)
        y = jax.jit(found.from_noise)(u)
        x = np.asarray(found.interval.point(y).x)
        expected = np.where(u < 0, law.ppf(stats.norm.cdf(u)), law.isf(stats.norm.sf(u)))
        np.testing.assert_allclose(x, expected, rtol=1e-6, atol=1e-12)
        p = found.interval.point(y)
        np.testing.assert_allclose(found.log_cdf(p), law.logcdf(x), rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(found.log_sf(p), law.logsf(x), rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(jax.jit(found.to_noise)(y), u, rtol=1e-7, atol=1e-7)


def test_latents_observations_and_draws():
    with precision("float64"):
        text = "dim obs\n" + RAYLEIGH + "data y[obs]: positive\ns ~ Rayleigh(2)\ny[obs] ~ Rayleigh(scale = s)\n"
        program = program_of(text, {"y": np.linspace(0.5, 3, 50)})
        assert not program.plain
        expected = stats.rayleigh(scale=1.5).logpdf(np.linspace(0.5, 3, 50))
        np.testing.assert_allclose(program.log_likelihood({"s": 1.5})["y"], expected, rtol=1e-12)
        u = jnp.asarray(0.7)
        value, log_det = program.forward({"s": u})
        np.testing.assert_allclose(stats.norm.logpdf(0.7) - log_det, stats.rayleigh(scale=2).logpdf(value["s"]), rtol=1e-7)
        drawn = jax.jit(jax.vmap(lambda k: program.simulate(k, {"s": 1.5})["y"]))(jax.random.split(jax.random.key(0), 20))
        assert stats.kstest(np.ravel(drawn), stats.rayleigh(scale=1.5).cdf).pvalue > 1e-3
        slope = jax.grad(lambda v: program.log_density({"s": v}))(1.5)
        both = [program.log_density({"s": 1.5 + h}) for h in (1e-6, -1e-6)]
        np.testing.assert_allclose(slope, (both[0] - both[1]) / 2e-6, rtol=1e-6)


def test_inside_truncated_mixture_and_censored():
    with precision("float64"):
        text = RAYLEIGH + "dim k = 2\ndim o\ndata y[o]: real\nw[k] = [0.3, 0.7]\nm[k] = [-1, 2]\n" + NORMAL
        text += "t ~ truncated(Rayleigh(1), lower = 2)\ny[o] ~ censored(Mixture(w, Own(m, 0.5)), upper = 2.2)\n"
        y = np.array([-1.3, 0.4, 2.2])
        program = program_of(text, {"y": y})
        laws = [stats.norm(-1, 0.5), stats.norm(2, 0.5)]
        expected = [np.log(sum(w * f.pdf(v) for w, f in zip((0.3, 0.7), laws, strict=True))) for v in y[:2]]
        expected += [np.log(sum(w * f.sf(2.2) for w, f in zip((0.3, 0.7), laws, strict=True)))]
        np.testing.assert_allclose(program.log_likelihood({"t": 3.0})["y"], expected, rtol=1e-7)
        terms = {n.target.name: t for n, t in program.log_terms({"t": 3.0}) if n.target.name == "t"}
        law = stats.rayleigh()
        if terms:
            np.testing.assert_allclose(terms["t"], law.logpdf(3) - law.logsf(2), rtol=1e-7)


def test_counts_have_a_density_and_no_draws():
    text = "dim o\ndata y[o]: count\n"
    text += "distribution Geo(k: count, p: unit) { return k * log1m(p) + log(p) }\ny[o] ~ Geo(0.3)\n"
    program = program_of(text, {"y": [0, 2, 5]})
    np.testing.assert_allclose(program.log_likelihood({})["y"], stats.geom(0.3, loc=-1).logpmf([0, 2, 5]), rtol=1e-5)
    with pytest.raises(EmfError, match="can't be drawn"):
        program.simulate(jax.random.key(0))


def test_bounds_by_name():
    with precision("float64"):
        text = "distribution Flatter(x: real(a, b), a: real, b: real) { return -log(b - a) + 0 * x }\nlow ~ Normal(0, 1)\n"
        text += "dim o\ndata y[o]: real\ny[o] ~ Flatter(low, 3)\nz ~ Flatter(low, 5)\nfactor z\n"
        program = program_of(text, {"y": [0.5, 2.5]})
        np.testing.assert_allclose(program.log_likelihood({"low": 1.0, "z": 2.0})["y"], [-np.inf, -np.log(2)])
        values, log_det = program.forward({"low": jnp.asarray(0.0), "z": jnp.asarray(0.5)})
        np.testing.assert_allclose(values["z"], 5 * stats.norm.cdf(0.5), rtol=1e-7)
