"""Fits in batches: the mean over all batches is the whole, gradients included; which dims can be batched; a large regression."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emfppl
from emfppl.grammar.diagnostics import EmfError
from emfppl.runtime.budget import BUDGETS
from emfppl.runtime.choose_guide import build_guide, ladder_of
from emfppl.runtime.optimise.minibatch import Minibatch, batch_of, in_batches
from emfppl.runtime.precision import precision
from emfppl.runtime.recipe import Recipe

RNG = np.random.default_rng(0)
N = 7

REGRESSION = """
dim obs
data x[obs]: real
data y[obs]: real
x_std[obs] = (x - mean(x)) / sd(x)
a ~ Normal(0, 2)
b ~ Normal(0, 2)
s ~ HalfNormal(1)
mu[obs] = a + b * x_std
y[obs] ~ Normal(mu, s)
"""
LOCAL = """
dim obs
dim k = 2
data y[k, obs]: real
m ~ Normal(0, 2)
s ~ HalfNormal(1)
t[obs] ~ Normal(m, s)
w[obs] ~ Gamma(2, s)
z[k, obs] ~ Normal(t, 1)
y[k, obs] ~ Normal(z, w)
factor -0.1 * (z - 1) ** 2
"""
PLAIN = LOCAL.replace("w[obs] ~ Gamma(2, s)\n", "").replace("Normal(t, 1)", "Laplace(t, 1)").replace("Normal(z, w)", "Normal(z, s)")
MIXTURE = """
dim obs
dim c = 2
data y[obs]: real
mu[c] ~ Normal(0, 2)
p[c]: simplex ~ Dirichlet([1, 1])
z[obs] ~ Categorical(p)
y[obs] ~ Normal(mu[z], 1)
"""


def program(text, data):
    return emfppl.load(text).bind(data).program


@pytest.mark.parametrize(
    ("text", "data", "recipe"),
    [
        (REGRESSION, {"x": RNG.normal(size=N), "y": RNG.normal(size=N)}, Recipe("full_rank")),
        (LOCAL, {"y": RNG.normal(size=(2, N))}, Recipe("mean_field")),
        (MIXTURE, {"y": RNG.normal(size=N)}, Recipe("full_rank")),
        (PLAIN, {"y": RNG.normal(size=(2, N))}, Recipe("full_rank", amortised="obs")),
    ],
    ids=["regression", "local latents", "mixture", "amortised"],
)
def test_the_mean_over_all_batches_is_the_whole(text, data, recipe, quickly_compiled):
    """Of the log weight of one draw and of its gradient, exactly: every entry is in 3 of the 7 batches."""
    with precision("float64"):
        whole = program(text, data)
        guide = build_guide(whole, recipe)
        batches = Minibatch(guide, "obs", 3, 0)
        params = jax.tree.map(lambda leaf: leaf + 0.3 * RNG.normal(size=np.shape(leaf)), guide.init(0))
        eps = jnp.asarray(RNG.normal(size=guide.dim))
        expected = jax.jit(jax.value_and_grad(guide.sticking_log_weight))(params, eps)

        @jax.jit
        def one(start):
            batch = batches.window(batches.given, start)
            own = eps[batches._places(batch["entries"])] if batches.local else eps
            return jax.value_and_grad(batches.log_weight)(params, own, batch)

        found = [one(n) for n in range(N)]
        mean = jax.tree.map(lambda *leaves: np.mean(leaves, axis=0), *found)
        for a, b in zip(jax.tree.leaves(mean), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def test_a_regression_in_batches_is_that_on_all_data(quickly_compiled):
    """1e4 rows, 256 at a time, against the normal equations under the flat prior that so many data leave over."""
    n, rng = 10_000, np.random.default_rng(1)
    x = rng.normal(size=n)
    y = 1.5 - 0.7 * x + 0.5 * rng.normal(size=n)
    text = "dim obs\ndata x[obs]: real\ndata y[obs]: real\na ~ Normal(0, 10)\nb ~ Normal(0, 10)\ny[obs] ~ Normal(a + b * x, 0.5)\n"
    fit = emfppl.fit(text, {"x": x, "y": y}, guide="full_rank", budget="quick", progress=False, batch={"obs": 256})
    design = np.stack([np.ones(n), x], axis=1)
    covariance = np.linalg.inv(design.T @ design / 0.25 + np.eye(2) / 100)
    mean, sd = covariance @ design.T @ y / 0.25, np.sqrt(np.diag(covariance))
    for k, name in enumerate(("a", "b")):
        assert abs(fit.draws[name].mean() - mean[k]) < 0.1 * sd[k], name
        assert abs(fit.draws[name].std() / sd[k] - 1) < 0.15, name
    exact = -0.5 * n * np.log(2 * np.pi * 0.25) - 0.5 * np.log(100**2) + 0.5 * np.linalg.slogdet(covariance)[1]
    exact += -0.5 * (y @ y / 0.25 - mean @ np.linalg.solve(covariance, mean))
    assert fit.elbo <= exact + 4 * fit.elbo_se and exact - fit.elbo < 0.1  # weighed on all data


HEAD = "dim obs\ndata x[obs]: real\ndata y[obs]: real\n"
REFUSED = [
    ("a ~ Normal(0, 1)\ny[0] ~ Normal(a, 1)\nfor t in obs[1:] { y[t] ~ Normal(a * y[t-1], 1) }\n", "carries"),
    ("z[0] ~ Normal(0, 1)\nfor t in obs[1:] { z[t] ~ Normal(z[t-1], 1) }\ny[obs] ~ Normal(z, 1)\n", "carries|part of it"),
    ("a ~ Normal(0, 1)\nm[obs] = a * x\ny[obs] ~ Normal(m - mean(m), 1)\n", "`mean` runs over all of it"),
    ("a ~ LogNormal(0, 1)\ny[obs] ~ MultivariateNormal(0, covariance_matrix = exp_quad(x, 1, a) + identity(obs))\n", "whole|needs"),
    ("a ~ Normal(0, 1)\ny[obs] ~ Normal(a * x[0], 1)\n", "other entries of `x`"),
    ("z[obs] ~ Normal(0, 1)\nfactor -(z @ z)\ny[obs] ~ Normal(z, 1)\n", "`@` sums"),
    ("param a[obs]: real = 0\nz ~ Normal(0, 1)\ny[obs] ~ Normal(a + z, 1)\n", "`a` is a `param` over it"),
]


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_dims_that_cannot_be_batched(text, reason):
    made = program(HEAD + text, {"x": [1.0, 2.0, 0.5], "y": [0.1, 0.2, 0.3]})
    with pytest.raises(EmfError, match=reason) as error:
        batch_of(made, {"obs": 2})
    assert error.value.diagnostics[0].code == "E1109"


def test_what_else_is_refused():
    text = "dim obs\ndim k = 2\ndata y[obs]: real?\na[k] ~ Normal(0, 1)\ny[obs] ~ Normal(a[0], 1)\n"
    with pytest.raises(EmfError, match="missing"):
        batch_of(program(text, {"y": [1.0, np.nan, 2.0]}), {"obs": 2})
    whole = program(text, {"y": [1.0, 0.0, 2.0]})
    with pytest.raises(EmfError, match="no dim `rows`"):
        batch_of(whole, {"rows": 2})
    with pytest.raises(EmfError, match="nothing is drawn over it"):
        batch_of(program("dim obs\ndata y[obs]: real\na ~ Normal(0, 1)\nfactor a\n", {"y": [1.0]}), {"obs": 1})
    assert batch_of(whole, {"obs": 3}) is None and batch_of(whole, None) is None  # all data at once
    with pytest.raises(EmfError, match="one dim") as error:
        emfppl.fit(text, {"y": [1.0]}, batch={"obs": 2, "k": 1})
    assert error.value.diagnostics[0].code == "E1302"
    local = "dim obs\ndata y[obs]: real\nt[obs] ~ Normal(0, 1)\ny[obs] ~ Normal(t, 1)\n"
    with pytest.raises(EmfError, match="`t` lies over `obs`"):
        emfppl.fit(local, {"y": np.ones(4)}, guide="full_rank", batch={"obs": 2}, progress=False)


def test_local_latents_in_batches(quickly_compiled):
    """300 groups of one observation: y ~ Normal(m, sqrt(2)) with t integrated out, so that m and each t have closed forms."""
    y = np.random.default_rng(2).normal(size=300) * 1.4 + 3
    text = "dim obs\ndata y[obs]: real\nm ~ Normal(0, 10)\nt[obs] ~ Normal(m, 1)\ny[obs] ~ Normal(t, 1)\n"
    fit = emfppl.fit(text, {"y": y}, budget="quick", progress=False, batch={"obs": 50})
    precision_of_m = 1 / 100 + 300 / 2
    mean = y.sum() / 2 / precision_of_m
    assert abs(fit.draws["m"].mean() - mean) < 0.3 / np.sqrt(precision_of_m)
    np.testing.assert_allclose(fit.draws["t"].mean(axis=0), (y + mean) / 2, atol=0.25)
    np.testing.assert_allclose(fit.draws["t"].std(axis=0), np.sqrt(0.5), rtol=0.25)


GROUPS = """
dim obs
dim k
data x[obs, k]: real
data g[obs]: index(k)
data y[obs]: real
m ~ Normal(0, 1)
s ~ HalfNormal(1)
a[k] ~ Normal(m, s)
b[k] ~ Normal(0, 2)
y[obs] ~ StudentT(4, a[g] + sum(x * b, over = k), s)
"""


@pytest.mark.parametrize("k", [2, 150])
@pytest.mark.parametrize("local", ["", "t[obs] ~ Normal(m, s)\nfactor -0.1 * (t - 1) ** 2\n"])
def test_jointly_normal_latents_are_no_reason_to_refuse_batches(k, local):
    """What `auto` tries in batches leaves out messages, which take all data, with 5 and with 301 global latents."""
    data = {"x": RNG.normal(size=(N, k)), "g": np.arange(N) % k, "y": RNG.normal(size=N)}
    made = program(GROUPS + local, data)
    assert made.block is not None
    for budget in BUDGETS.values():
        recipes, wanted = ladder_of(made, "auto", budget, blocks=False)
        assert recipes and not wanted
        for recipe in in_batches(made, ("obs", 3), recipes)[:1]:
            assert Minibatch(build_guide(made, recipe), "obs", 3, 0).size == 3
    with pytest.raises(EmfError, match="Messages are passed over all data"):
        Minibatch(build_guide(made, ladder_of(made, "messages", BUDGETS["quick"])[0][0]), "obs", 3, 0)
