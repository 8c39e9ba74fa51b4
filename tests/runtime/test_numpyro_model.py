"""Programs as NumPyro models: the same joint density, and NumPyro's own inference on them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import optax
import pytest
from hypothesis import HealthCheck, given, settings
from numpyro import handlers
from numpyro.infer import MCMC, NUTS, SVI, Predictive, Trace_ELBO, init_to_median
from numpyro.infer.autoguide import AutoBNAFNormal, AutoIAFNormal, AutoNormal
from numpyro.infer.util import log_density
from scipy.stats import norm
from strategies import programs

from emfppl.compiler.pipeline import compile_text
from emfppl.grammar.source import SourceText
from emfppl.runtime.bind import bind
from emfppl.runtime.graph_to_model import numpyro_model
from emfppl.runtime.precision import precision
from emfppl.runtime.program import Program

CHAIN = """
dim time
data y[time]: real?
s ~ LogNormal(0, 1)
x[0] ~ Normal(0, s)
for t in time[1:] {
  x[t] ~ Normal(0.9 * x[t-1], s)
}
twice[time] = 2 * x
y[time] ~ Normal(x, 0.5)
factor -0.1 * square(s)
"""


def program_of(text: str, data: dict, sizes: dict | None = None) -> Program:
    return Program(bind(compile_text(SourceText(text)), data, sizes))


def sites_of(program: Program, values: dict) -> dict:
    """The values of the sample sites: parts of variables, in scans with the loop's axis first."""
    out = {}
    for key, node in program.selection.keyed:
        if key in program.noise_shapes:
            part = program.part_of(node, values[node.target.name])
            carried = [a.label for a in node.domain if a.carried]
            order = [*carried, *(label for label in part.labels if label not in carried)]
            out[key] = jnp.transpose(jnp.asarray(part.array), [part.labels.index(label) for label in order])
    return out


@pytest.mark.parametrize("guide", [AutoIAFNormal, AutoBNAFNormal])
def test_guides_with_networks_are_replayed_into_loops(guide):
    """Their params are trees, which a scan would take for arrays; each sampled site still has the value that the guide drew."""
    with precision("float64"):
        program = program_of(CHAIN, {"y": np.array([0.3, np.nan, 0.1, -0.4])})
        model = numpyro_model(program)
        auto = guide(model, init_loc_fn=init_to_median(num_samples=5))
        svi = SVI(model, auto, optax.adam(1e-3), Trace_ELBO())
        params = svi.run(jax.random.key(0), 3, progress_bar=False).params
        drawn = handlers.trace(handlers.substitute(handlers.seed(auto, jax.random.key(1)), params)).get_trace()
        sites = handlers.trace(handlers.replay(handlers.seed(model, jax.random.key(2)), drawn)).get_trace()
        for name in ("s", "x[0]", "x[1:]"):
            assert np.allclose(sites[name]["value"], drawn[name]["value"])
        found = sum(jnp.sum(site["fn"].log_prob(site["value"])) for site in sites.values() if site["type"] == "sample")
        values = {name: np.asarray(sites[name]["value"]) for name in ("s", "x")}
        missing = norm.logpdf(np.asarray(sites["y[missing] noise"]["value"])).sum() if "y[missing] noise" in sites else 0.0
        assert float(found) == pytest.approx(float(program.log_density(values)) + missing, rel=1e-9)


def test_guides_start_where_a_prior_has_no_draws():
    with precision("float64"):
        model = numpyro_model(program_of("dim k = 2\nc[k]: ordered ~ Normal([0, 1], 1)", {}))
        params = SVI(model, AutoNormal(model, init_loc_fn=init_to_median()), optax.adam(0.01), Trace_ELBO())
        found = params.run(jax.random.key(0), 500, progress_bar=False).params["c_auto_loc"]
    assert np.all(np.isfinite(found))


def test_the_same_density_and_names():
    y = np.array([0.3, np.nan, 0.1, -0.4])
    with precision("float64"):
        program = program_of(CHAIN, {"y": y})
        values = {"s": np.array(0.7), "x": np.array([0.1, 0.2, -0.3, 0.5])}
        found, trace = log_density(numpyro_model(program), (), {}, sites_of(program, values))
        assert float(found) == pytest.approx(float(program.log_density(values)), rel=1e-12)
    assert {"s", "x[0]", "x[1:]", "y", "x", "twice"} <= set(trace)
    assert trace["x"]["type"] == trace["twice"]["type"] == "deterministic"
    np.testing.assert_allclose(trace["twice"]["value"], 2 * values["x"])


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs(observed=True))
def test_law_2_the_same_density_for_generated_programs(g):
    with precision("float64"):
        program = program_of(g.text, g.data)
        rng = np.random.default_rng(0)
        noise = {k: 0.5 * rng.normal(size=s) for k, s in program.noise_shapes.items()}
        values = program.forward(noise)[0]
        if program.graph.barren:  # they are sampled in the model, and in no density of the program
            return
        found, _ = log_density(numpyro_model(program), (), {}, sites_of(program, values))
        assert float(found) == pytest.approx(float(program.log_density(values)), rel=1e-9, abs=1e-9)


def test_nuts_finds_a_known_posterior():
    """Normal prior, normal data: precision 1 + n, mean Σy / (1 + n)."""
    text = "dim obs\ndata y[obs]: real\nm ~ Normal(0, 1)\ny[obs] ~ Normal(m, 1)\ny_new ~ Normal(m, 1)\nk_new ~ Poisson(exp(m))\n"
    y = np.array([1.0, 2.0, 3.0])
    mcmc = MCMC(NUTS(numpyro_model(program_of(text, {"y": y}))), num_warmup=300, num_samples=2000, progress_bar=False)
    mcmc.run(jax.random.key(0))
    draws = mcmc.get_samples()
    assert np.mean(draws["m"]) == pytest.approx(y.sum() / 4, abs=0.05)
    assert np.std(draws["m"]) == pytest.approx(0.5, abs=0.04)
    assert np.std(draws["y_new"]) == pytest.approx(np.sqrt(1.25), abs=0.1)
    assert "k_new" not in draws


def test_predictive_draws_from_the_prior_and_given_draws():
    program = program_of(CHAIN.replace("factor -0.1 * square(s)\n", ""), {}, {"time": 4})
    prior = Predictive(numpyro_model(program), num_samples=500)(jax.random.key(0))
    assert prior["x"].shape == (500, 4)
    assert prior["y"].shape == (500, 4)
    assert np.median(prior["s"]) == pytest.approx(1.0, abs=0.15)
    given_draws = {"s": np.full(7, 1e-3), "x[0]": np.full(7, 5.0), "x[1:]": np.full((7, 3), 5.0)}
    after = Predictive(numpyro_model(program), posterior_samples=given_draws)(jax.random.key(1))
    np.testing.assert_allclose(after["y"], 5.0, atol=3.0)
    np.testing.assert_allclose(after["twice"], 10.0)


def test_params_are_param_sites():
    program = program_of("data y: real\nparam s: positive = 2\nx ~ Normal(0, s)\ny ~ Normal(x, 1)\n", {"y": 0.5})
    trace = numpyro.handlers.trace(numpyro.handlers.seed(numpyro_model(program), 0)).get_trace()
    assert trace["s (unconstrained)"]["type"] == "param"
    assert trace["x"]["fn"].scale == pytest.approx(2.0)
