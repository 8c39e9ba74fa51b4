"""Local latents that a network infers: densities and gradients, what the network sees, the rule, and a posterior in closed form."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emfppl
from emfppl.runtime.choose_guide import build_guide, rebuild_guide
from emfppl.runtime.guides import entry_network
from emfppl.runtime.guides.entry_network import columns_of, data_about, names_about, picks_of
from emfppl.runtime.optimise.minibatch import in_batches
from emfppl.runtime.precision import precision
from emfppl.runtime.recipe import Recipe

RNG = np.random.default_rng(0)
N = 6
AMORTISED = Recipe("full_rank", amortised="obs")

MANY_KINDS = """
dim obs
dim k = 3
dim group = 2
data x[obs]: real
data g[obs]: index(group)
data u[group]: real
data y[k, obs]: count
data v[obs]: real
data other[obs]: real
a[group] ~ Normal(0, 1)
s ~ HalfNormal(1)
c ~ Normal(0, 1)
eta[obs] = a[g] + x
t[obs] ~ Normal(0, s)
r[k, obs] ~ Laplace(t, s)
y[k, obs] ~ Poisson(exp(eta + r))
v[obs] ~ Normal(c, 1)
other[obs] ~ Normal(c * v, 1)
"""
DATA = {
    "x": RNG.normal(size=N),
    "g": [0, 1, 0, 1, 1, 0],
    "u": RNG.normal(size=2),
    "y": RNG.poisson(3, size=(3, N)),
    "v": RNG.normal(size=N),
    "other": RNG.normal(size=N),
}


def program(text, data):
    return emfppl.load(text).bind(data).program


@pytest.fixture
def made():
    with precision("float64"):
        guide = build_guide(program(MANY_KINDS, DATA), AMORTISED)
        params = jax.tree.map(lambda leaf: leaf + 0.3 * RNG.normal(size=np.shape(leaf)), guide.init(0))
        yield guide, params, jnp.asarray(RNG.normal(size=guide.dim))


def test_the_density_is_that_of_the_map(made, quickly_compiled):
    """log q by the Jacobian of the whole map, network included, by automatic differentiation; and by the map's own inverse."""
    guide, params, eps = made

    def flat(e):
        values = guide.transform(params, e)[0]
        return jnp.concatenate([jnp.ravel(values[name]) for name in ("a", "c", "s", "t", "r")])

    values, log_q = jax.jit(guide.transform)(params, eps)
    jacobian = jax.jit(jax.jacfwd(flat))(eps)
    expected = -0.5 * jnp.sum(eps**2) - 0.5 * eps.size * np.log(2 * np.pi) - jnp.linalg.slogdet(jacobian)[1]
    np.testing.assert_allclose(log_q, expected, rtol=1e-8)
    np.testing.assert_allclose(jax.jit(guide.log_prob)(params, values), log_q, rtol=1e-8)


def test_gradients_that_stick_leave_out_the_score_alone(made, quickly_compiled):
    """Their difference from those of the log weight is the gradient of log q in the parameters at fixed values."""
    guide, params, eps = made
    values, _ = jax.jit(guide.transform)(params, eps)
    whole = jax.jit(jax.value_and_grad(guide.log_weight))(params, eps)
    sticking = jax.jit(jax.value_and_grad(guide.sticking_log_weight))(params, eps)
    score = jax.jit(jax.grad(guide.log_prob))(params, values)
    np.testing.assert_allclose(whole[0], sticking[0], rtol=1e-9)
    for a, b, c in zip(*(jax.tree.leaves(tree) for tree in (whole[1], sticking[1], score)), strict=True):
        np.testing.assert_allclose(a, b - c, rtol=1e-6, atol=1e-8)


def test_the_guide_starts_as_the_prior():
    """With open gates and no weight of the pseudo-observations: the map of the prior itself."""
    with precision("float64"):
        guide = build_guide(program(MANY_KINDS, DATA), AMORTISED)
        params, eps = guide.init(0), jnp.asarray(RNG.normal(size=guide.dim))
        own, _ = guide._split(eps)
        about = guide._about_entries(params, own, guide._named(own), guide.program.data)
        assert {k: np.shape(v["loc"]) for k, v in about["noise"].items()} == {"r": (3, N)}
        assert all(not np.any(leaf) for leaf in about["noise"]["r"].values())
        np.testing.assert_allclose(jax.nn.sigmoid(about["gates"]["r"]), 0.98)
        np.testing.assert_allclose(guide.gates.init()["c"], np.log(49))
        kept = guide.kept(params)
        np.testing.assert_allclose(kept["t"], 0.95**2, rtol=1e-6)  # of the prior's precision, beside pseudo-observations


def test_a_guide_is_rebuilt_from_its_description(made):
    """On other data of the same shapes, with the constants that it was measured with."""
    guide, params, eps = made
    other = program(MANY_KINDS, {**DATA, "y": np.asarray(DATA["y"]) + 4})
    again = rebuild_guide(other, json.loads(json.dumps(guide.describe())))
    values, log_q = again.transform(params, eps, guide.program.data)
    np.testing.assert_array_equal(log_q, guide.transform(params, eps)[1])
    assert again.num_params(again.init(0)) == guide.num_params(params)


def test_what_the_network_sees():
    """All data over the dim that bear on the local latents, computed variables between included; no others."""
    made = program(MANY_KINDS, DATA)
    concerned = names_about(made, frozenset({"t", "r"}), "obs")
    names = data_about(made, concerned, "obs")
    assert set(names) == {"x", "g", "y"}
    columns = {(c.name, c.logged): c for c in columns_of(made, names, "obs")}
    assert {key: c.width for key, c in columns.items()} == {("x", False): 1, ("g", False): 2, ("y", False): 3, ("y", True): 3}
    y = np.asarray(DATA["y"], float).T
    np.testing.assert_allclose(columns["y", False].of(made.data), (y - y.mean(axis=0)) / y.std(axis=0), atol=1e-5)
    (pick,) = picks_of(made, concerned, ["a", "s", "c"], "obs")
    picked = pick.of(made.data, {"a": jnp.asarray([0.5, -2.0])})
    np.testing.assert_allclose(picked[:, 0], np.asarray([0.5, -2.0])[DATA["g"]])
    assert (pick.name, pick.key, pick.width) == ("g", "a", 1)
    logs = np.log(y + 0.1 * y.mean())
    np.testing.assert_allclose(columns["y", True].of(made.data), (logs - logs.mean(axis=0)) / logs.std(axis=0), atol=1e-5)


def test_entries_are_taken_some_at_a_time(made, monkeypatch):
    guide, params, eps = made
    whole = guide.transform(params, eps)
    monkeypatch.setattr(entry_network, "CHUNK", 4)
    in_parts = guide.transform(params, eps)
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(in_parts), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


NORMAL = "dim obs\ndata y[obs]: real\nm ~ Normal(0, 5)\nt[obs] ~ Normal(m, 1)\ny[obs] ~ Normal(t, 1)\n"


@pytest.mark.parametrize(
    ("count", "size", "block", "amortised"),
    [(300, 40, "", False), (300, 20, "", True), (150, 10, "", False), (6000, 3000, "", True), (6000, 20, "gate t: off", False)],
)
def test_when_local_latents_are_amortised(count, size, block, amortised):
    """More than 200, if they are thousands or entries come up too rarely; not where a block lays out their gates."""
    made = program(NORMAL + (f"guide {{\n  {block}\n}}\n" if block else ""), {"y": np.zeros(count)})
    (recipe,) = in_batches(made, ("obs", size), (Recipe("full_rank"),))
    assert bool(recipe.amortised) == amortised
    assert recipe.name == ("amortised, gated full_rank" if amortised else "gated mean_field")


def test_a_hierarchy_in_closed_form(quickly_compiled, tmp_path):
    """250 groups of one observation, 20 a step: m and each t have closed forms; a saved fit draws the same."""
    n = 250
    y = 3 + 1.4 * np.random.default_rng(2).normal(size=n)
    fit = emfppl.fit(NORMAL, {"y": y}, budget="quick", progress=False, batch={"obs": 20})
    assert fit.guide == "amortised, gated full_rank" and "amortised" in str(fit.report())
    sd = 1 / np.sqrt(1 / 25 + n / 2)
    mean = sd**2 * y.sum() / 2
    assert abs(fit.draws["m"].mean() - mean) < 0.1 * sd
    assert abs(fit.draws["m"].std() / sd - 1) < 0.1
    assert fit.draws["t"].shape == (1000, n)
    sd_of_t = np.sqrt(0.5 + sd**2 / 4)
    assert np.sqrt(np.mean((fit.draws["t"].mean(axis=0) - (y + mean) / 2) ** 2)) < 0.1 * sd_of_t
    np.testing.assert_allclose(fit.draws["t"].std(axis=0), sd_of_t, rtol=0.1)
    covariance = 2 * np.eye(n) + 25
    exact = -0.5 * (y @ np.linalg.solve(covariance, y) + np.linalg.slogdet(covariance)[1] + n * np.log(2 * np.pi))
    assert -4 * fit.elbo_se < exact - fit.elbo < 0.1
    fit.save(tmp_path / "fit.emfit")
    again = emfppl.open(tmp_path / "fit.emfit")
    assert again.guide == fit.guide
    for name, value in fit.draws.items():
        np.testing.assert_array_equal(again.draws[name], value)
