"""The guide as a NumPyro guide: names, shapes, falling loss, and the same ELBO as ours."""

from __future__ import annotations

import jax
import numpy as np
import optax
import pytest
from numpyro import handlers
from numpyro.infer import SVI, Predictive, Trace_ELBO
from posteriors import CHAIN, CHAIN_Y, GROUPS, LABELLED

import emfppl
from emfppl.runtime.graph_to_guide import NOISE, numpyro_guide


@pytest.fixture(params=["auto", "mean_field", "iaf"])
def parts(request):
    bound = emfppl.load(LABELLED).bind(GROUPS)
    return bound.numpyro_model, numpyro_guide(bound.program, request.param)


def test_svi_lowers_the_loss(parts):
    model, guide = parts
    svi = SVI(model, guide, optax.adam(0.02), Trace_ELBO(num_particles=8))
    result = svi.run(jax.random.key(0), 400, progress_bar=False)
    losses = np.asarray(result.losses)
    assert np.all(np.isfinite(losses)) and losses[-50:].mean() < losses[:20].mean() - 0.5
    draws = Predictive(guide, params=result.params, num_samples=20)(jax.random.key(1))
    assert draws["a"].shape == (20, 3) and draws["m"].shape == (20,)
    predictive = Predictive(model, guide=guide, params=result.params, num_samples=5)(jax.random.key(1))
    assert predictive["top"].shape == (5,)


def test_sites(parts):
    _, guide = parts
    trace = handlers.trace(handlers.seed(guide, 0)).get_trace()
    names = {name for name, site in trace.items() if site["type"] == "sample"}
    assert names == {NOISE, "m", "s", "a"}
    assert any(name.startswith("guide/backbone/affine/") for name in trace)


def test_the_elbo_is_ours():
    fit = emfppl.fit(LABELLED, GROUPS, guide="gated", progress=False)
    bound = emfppl.load(LABELLED).bind(GROUPS)
    guide = numpyro_guide(bound.program, "gated")
    params = {f"guide/{path}": leaf for path, leaf in flattened(fit.result.params)}
    loss = Trace_ELBO(num_particles=4000).loss(jax.random.key(2), params, bound.numpyro_model, guide)
    assert -float(loss) == pytest.approx(fit.elbo, abs=0.05)


def flattened(tree, prefix=""):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{prefix}{name}/")
        else:
            yield prefix + name, value


def test_chains_have_a_site_a_piece():
    bound = emfppl.load(CHAIN).bind({"y": CHAIN_Y})
    guide = numpyro_guide(bound.program)
    trace = handlers.trace(handlers.seed(guide, 0)).get_trace()
    assert trace["x[0]"]["value"].shape == () and trace["x[1:]"]["value"].shape == (5,)
    loss = Trace_ELBO().loss(jax.random.key(0), {}, bound.numpyro_model, guide)
    assert np.isfinite(loss)
