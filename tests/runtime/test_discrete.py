"""Discrete latents summed out: densities, gradients, conditional probabilities and draws against listing all values."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from enumeration import Enumeration
from numpyro.infer.util import log_density
from scipy import special, stats

from emfppl.compiler.pipeline import compile_text
from emfppl.grammar.diagnostics import EmfError
from emfppl.grammar.source import SourceText
from emfppl.runtime.bind import bind
from emfppl.runtime.graph_to_model import numpyro_model
from emfppl.runtime.precision import precision
from emfppl.runtime.program import Program

HMM = """
dim state = 3
dim time
data y[time]: real
P[state, state'] ~ Dirichlet(1)
start[state] ~ Dirichlet(1)
mu[state]: ordered ~ Normal(0, 10)
z[0] ~ Categorical(start)
for t in time[1:] {
  z[t] ~ Categorical(P[z[t-1]])
}
y[time] ~ Normal(mu[z], 1)
"""
rng = np.random.default_rng(3)
SIMPLEX = {"state": 3}
P = rng.dirichlet(np.ones(3), 3)
FORBIDDEN = np.array([[0.5, 0.5, 0.0], [0.0, 0.4, 0.6], [0.3, 0.0, 0.7]])
MU = np.array([-1.0, 0.2, 2.0])

# name -> text, data, sizes of dims, values of the continuous latents
CASES: dict[str, tuple[str, dict, dict, dict]] = {
    "mixture": (
        "dim obs\ndim state = 3\ndata y[obs]: real\nw[state] ~ Dirichlet(1)\nmu[state] ~ Normal(0, 1)\n"
        "z[obs] ~ Categorical(w)\ny[obs] ~ Normal(mu[z], 1)\n",
        {"y": [0.3, -1.0, 2.5]}, {"obs": 3, "state": 3}, {"w": P[0], "mu": MU},
    ),
    "present or not": (
        "dim animal\ndim occasion\ndata y[animal, occasion]: bool\nomega ~ Beta(1, 1)\np ~ Beta(1, 1)\n"
        "z[animal] ~ Bernoulli(omega)\ny[animal, occasion] ~ Bernoulli(z * p)\n",
        {"y": [[1, 0, 1], [0, 0, 0]]}, {"animal": 2, "occasion": 3}, {"omega": 0.4, "p": 0.3},
    ),
    "chain": (HMM, {"y": [0.1, -1.0, 2.0, 0.4]}, {"state": 3, "time": 4}, {"P": P, "start": P[1], "mu": MU}),
    "forbidden moves": (
        HMM.replace("P[state, state'] ~ Dirichlet(1)", "data P[state, state']: simplex"),
        {"y": [0.1, -1.0, 2.0, 0.4], "P": FORBIDDEN}, {"state": 3, "time": 4}, {"start": P[0], "mu": MU},
    ),
    "chain of one": (HMM, {"y": [0.7]}, {"state": 3, "time": 1}, {"P": P, "start": P[1], "mu": MU}),
    "panel": (
        "dim unit\ndim time\ndata first[unit]: index(time)\ndata x[unit, time]: real\ndata y[unit, time]: bool\n"
        "b ~ Normal(0, 1)\np[time] ~ Beta(1, 1)\n"
        "for i in unit {\n  z[i, 0] ~ Bernoulli(first[i] == 0)\n  for t in time[1:] {\n"
        "    z[i, t] ~ Bernoulli(if(t <= first[i], t == first[i], z[i, t-1] * inv_logit(b + x[i, t])))\n  }\n}\n"
        "y[unit, time] ~ Bernoulli(z * p)\n",
        {"first": [0, 1], "x": rng.normal(size=(2, 4)), "y": [[1, 0, 1, 0], [0, 1, 0, 0]]},
        {"unit": 2, "time": 4}, {"b": 0.3, "p": np.array([0.3, 0.5, 0.6, 0.2])},
    ),
    "two lags": (
        "dim time\ndata y[time]: real\na ~ Normal(0, 1)\nz[0] ~ Bernoulli(0.3)\nz[1] ~ Bernoulli(0.2 + 0.5 * z[0])\n"
        "for t in time[2:] {\n  z[t] ~ Bernoulli(inv_logit(a + z[t-1] - 2 * z[t-2]))\n}\ny[time] ~ Normal(if(z, 1, -1), 1)\n",
        {"y": [0.1, -1.0, 2.0, 0.4, 1.0]}, {"time": 5}, {"a": 0.4},
    ),
    "two chains": (
        "dim time\ndata y[time]: real\na ~ Normal(0, 1)\nu[0] ~ Bernoulli(0.3)\nv[0] ~ Bernoulli(0.6)\n"
        "for t in time[1:] {\n  u[t] ~ Bernoulli(inv_logit(a + u[t-1] - v[t-1]))\n  v[t] ~ Bernoulli(0.2 + 0.6 * v[t-1])\n}\n"
        "y[time] ~ Normal(u + 2 * v, 1)\n",
        {"y": [0.1, -1.0, 2.0]}, {"time": 3}, {"a": 0.4},
    ),
    "switching regression": (
        "dim state = 2\ndim time\ndata y[time]: real\na[state] ~ Normal(0, 1)\nz[0] ~ Bernoulli(0.4)\n"
        "for t in time[1:] {\n  z[t] ~ Bernoulli(0.2 + 0.5 * z[t-1])\n}\ny[0] ~ Normal(0, 1)\n"
        "for t in time[1:] {\n  m = if(z[t], a[1], a[0]) * y[t-1]\n  y[t] ~ Normal(m, 1)\n}\n",
        {"y": [0.4, -1.0, 2.0, 0.3]}, {"state": 2, "time": 4}, {"a": np.array([-0.5, 0.8])},
    ),
    "coupled": (
        "dim k = 3\ndim obs\ndata x[obs, k]: real\ndata y[obs]: real\nb[k] ~ Normal(0, 1)\nz[k] ~ Bernoulli(0.3)\n"
        "y[obs] ~ Normal(sum(z * b * x, over = k), 1)\n",
        {"x": rng.normal(size=(4, 3)), "y": rng.normal(size=4)}, {"k": 3, "obs": 4}, {"b": MU},
    ),
    "gathered": (
        "dim group = 3\ndim obs\ndata g[obs]: index(group)\ndata y[obs]: real\nm ~ Normal(0, 1)\nz[group] ~ Bernoulli(0.3)\n"
        "w[obs] ~ Bernoulli(0.2 + 0.5 * z[g])\ny[obs] ~ Normal(m * w + z[g], 1)\n",
        {"g": [0, 2, 2, 0], "y": rng.normal(size=4)}, {"group": 3, "obs": 4}, {"m": 0.7},
    ),
    "changepoint": (
        "dim time\ndata y[time]: count\nearly ~ Exponential(1)\nlate ~ Exponential(1)\nflat[time] = 1 / time\n"
        "s ~ Categorical(flat)\nfor t in time {\n  y[t] ~ Poisson(if(t < s, early, late))\n}\n",
        {"y": [4, 5, 1, 0]}, {"time": 4}, {"early": 4.0, "late": 0.7},
    ),
    "latent below": (
        "dim group\ndim obs\ndata y[group, obs]: real\nmu[group] ~ Normal(0, 1)\nz[group] ~ Bernoulli(0.3)\n"
        "theta[group] ~ Normal(if(z, 2, -2) + mu, 0.5)\ny[group, obs] ~ Normal(theta, 1)\n",
        {"y": rng.normal(size=(2, 3))}, {"group": 2, "obs": 3}, {"mu": np.array([0.1, 0.4]), "theta": np.array([1.0, -1.5])},
    ),
    "factor": (
        "dim site = 4\nj ~ Normal(0, 1)\ns[site] ~ Bernoulli(0.5)\nfactor j * sum(if(s[1:] == s[:-1], 1, -1), over = site)\n"
        "for i in site[1:] {\n  factor 0.3 * s[i] * s[i-1]\n}\n",
        {}, {"site": 4}, {"j": 0.6},
    ),
    "grid": (
        "dim row = 3\ndim column = 2\nj ~ Normal(0, 1)\ns[row, column] ~ Bernoulli(0.4)\n"
        "for i in row[1:] {\n  for k in column {\n    factor j * s[i, k] * s[i-1, k]\n  }\n}\n"
        "for i in row {\n  for k in column[1:] {\n    factor j * s[i, k] * s[i, k-1]\n  }\n}\n",
        {}, {"row": 3, "column": 2}, {"j": 0.6},
    ),
    "counts": (
        "dim site\ndim visit\ndata y[site, visit]: count\nr ~ Exponential(1)\np ~ Beta(1, 1)\n"
        "n[site]: int(0, 4) ~ Poisson(r)\ny[site, visit] ~ Binomial(n, p)\n",
        {"y": [[1, 2], [0, 0]]}, {"site": 2, "visit": 2}, {"r": 1.7, "p": 0.4},
    ),
    "missing covariate": (
        "dim obs\ndata x[obs]: bool?\ndata k[obs]: int(0, 3)?\ndata y[obs]: real\nq ~ Beta(1, 1)\nx[obs] ~ Bernoulli(q)\n"
        "k[obs] ~ Poisson(1 + x)\ny[obs] ~ Normal(if(x, 1, -1) + k, 1)\n",
        {"x": [1, np.nan, 0], "k": [np.nan, np.nan, 2], "y": [2.0, 1.0, 0.3]}, {"obs": 3}, {"q": 0.3},
    ),
    "missing link": (
        "dim time\ndata x[time]: bool?\ndata y[time]: real\nq ~ Beta(1, 1)\nx[0] ~ Bernoulli(q)\n"
        "for t in time[1:] {\n  x[t] ~ Bernoulli(if(x[t-1], 0.8, q))\n}\ny[time] ~ Normal(x, 1)\n",
        {"x": [1, np.nan, np.nan, 0], "y": [2.0, 1.0, 0.3, 0.1]}, {"time": 4}, {"q": 0.3},
    ),
    "nested counts": (
        "dim site\ndata y[site]: count\nr ~ Exponential(1)\nm[site]: int(0, 3) ~ Poisson(r)\nn[site] ~ Binomial(m, 0.4)\n"
        "y[site] ~ Binomial(n, 0.7)\n",
        {"y": [1, 0]}, {"site": 2}, {"r": 1.7},
    ),
    "flags of components": (
        "dim k = 3\ndim obs\ndata y[obs]: real\nm ~ Normal(0, 1)\nflag[k] ~ Bernoulli(0.4)\nw[k] = 1 / k\nz[obs] ~ Categorical(w)\n"
        "y[obs] ~ Normal(if(flag[z], m, 0), 1)\n",
        {"y": [0.3, 1.2]}, {"k": 3, "obs": 2}, {"m": 0.6},
    ),
    "pairs": (
        "dim time = 6\ndim half = 3\ndata y[half]: real\nq ~ Beta(1, 1)\nz[time] ~ Bernoulli(q)\n"
        "for i in half {\n  y[i] ~ Normal(z[2*i] + z[2*i+1], 1)\n}\n",
        {"y": rng.normal(size=3)}, {"time": 6, "half": 3}, {"q": 0.4},
    ),
    "vectors": (
        "dim k = 2\ndim d = 2\ndim obs\ndata y[obs, d]: real\ndata S[k, d, d']: cov\nmu[k, d] ~ Normal(0, 1)\nw[k] ~ Dirichlet(1)\n"
        "z[obs] ~ Categorical(w)\ny[obs, d] ~ MultivariateNormal(mu[z], covariance_matrix = S[z])\n",
        {"y": rng.normal(size=(3, 2)), "S": [[[1, 0], [0, 1]], [[1, 0.5], [0.5, 2]]]}, {"k": 2, "d": 2, "obs": 3},
        {"mu": rng.normal(size=(2, 2)), "w": np.array([0.4, 0.6])},
    ),
    "slices in a function": (
        "dim time\ndata x[time]: real\ndata y[time]: real\nm ~ Normal(0, 1)\n"
        "def mean_of(z, x): real {\n  a = z * x\n  b = 1 - z\n  return a - b\n}\nz[time] ~ Bernoulli(0.3)\ny[0] ~ Normal(0, 1)\n"
        "y[time[1:]] ~ Normal(mean_of(z[1:], x[1:]) + m * z[:-1], 1)\n",
        {"x": [1, 2, 0.5], "y": [0.3, 0.4, 0.1]}, {"time": 3}, {"m": 0.3},
    ),
    "mixture of chains": (
        "dim unit\ndim time\ndata y[unit, time]: real\na[unit] ~ Bernoulli(0.3)\nc ~ Normal(0, 1)\n"
        "for i in unit {\n  z[i, 0] ~ Bernoulli(0.5)\n  for t in time[1:] {\n"
        "    z[i, t] ~ Bernoulli(0.2 + 0.3 * z[i, t-1] + 0.4 * a[i])\n  }\n}\ny[unit, time] ~ Normal(c + z, 1)\n",
        {"y": rng.normal(size=(2, 3))}, {"unit": 2, "time": 3}, {"c": 0.2},
    ),
}  # fmt: skip


def program_of(text: str, data: dict) -> Program:
    return Program(bind(compile_text(SourceText(text)), data))


@pytest.mark.parametrize("name", CASES)
def test_the_density_is_the_sum_over_all_values(name):
    text, data, sizes, values = CASES[name]
    exact = Enumeration(text, data, sizes, values)
    with precision("float64"):
        program = program_of(text, data)
        density, slopes = jax.jit(jax.value_and_grad(program.log_density))({k: jnp.asarray(v, float) for k, v in values.items()})
        assert float(density) == pytest.approx(exact.log_sum, rel=1e-10, abs=1e-10)
        assert all(np.isfinite(s).all() for s in slopes.values())
        marginals = jax.jit(program.probabilities)(values)
        for free, place, low, high in exact.free:
            each = exact.probabilities(free, place, high - low + 1, low)
            np.testing.assert_allclose(marginals[free][place], each, atol=1e-9)
        best = {}
        for elimination, tables in program.tables(values):
            best |= elimination.mode(tables)
        found = tuple(int(best[free][place]) for free, place, _, _ in exact.free)
        assert exact.logs[exact.configurations.index(found)] == pytest.approx(exact.logs.max(), abs=1e-9)


@pytest.mark.parametrize("name", ["mixture", "present or not", "forbidden moves"])
def test_the_log_likelihood_of_an_entry_is_given_all_others(name):
    """log p(y) − log p(y without the entry), both by listing all values."""
    text, data, sizes, values = CASES[name]
    for type_ in ("y[obs]: real", "y[time]: real", "occasion]: bool"):
        text = text.replace(type_, type_ + "?")
    y = np.asarray(data["y"], float)
    whole = Enumeration(text, data, sizes, values).log_sum
    with precision("float64"):
        found = jax.jit(program_of(text, data).log_likelihood)(values)["y"]
    for place in np.ndindex(*y.shape):
        without = y.copy()
        without[place] = np.nan
        exact = whole - Enumeration(text, {**data, "y": without}, sizes, values).log_sum
        assert float(found[place]) == pytest.approx(exact, rel=1e-8, abs=1e-8)


def test_a_long_chain_is_as_small_a_program_as_a_short_one_and_exact():
    """Ten states and 10,000 steps: the value and the gradient against NumPy's forward and backward algorithms."""
    text = HMM.replace("dim state = 3", "dim state = 10").replace("data y", "data Q[state, state']: simplex\ndata y")
    text = text.replace("P[state, state'] ~ Dirichlet(1)\n", "").replace("P[z[t-1]]", "Q[z[t-1]]")
    rng = np.random.default_rng(1)
    q, start, mu = rng.dirichlet(np.ones(10), 10), rng.dirichlet(np.ones(10)), np.linspace(-3, 3, 10)
    sizes, values = [], {"start": start, "mu": mu}
    with precision("float64"):
        for steps in (100, 10_000):
            y = 3 * rng.normal(size=steps)
            program = program_of(text, {"y": y, "Q": q})
            both = jax.value_and_grad(program.log_density)
            sizes.append(str(jax.make_jaxpr(both)({k: jnp.asarray(v) for k, v in values.items()})).count(" = "))
        density, slopes = jax.jit(both)({k: jnp.asarray(v) for k, v in values.items()})
    assert sizes[0] == sizes[1]
    exact, slope = forward_backward(y, q, start, mu)
    prior = stats.norm.logpdf(mu, 0, 10).sum() + special.gammaln(11) + special.gammaln(10)
    assert float(density) == pytest.approx(exact + prior, rel=1e-9)
    np.testing.assert_allclose(slopes["mu"], slope - mu / 100, rtol=1e-8)


def forward_backward(y, q, start, mu) -> tuple[float, np.ndarray]:
    """log p(y) of a chain with emissions N(mu, 1), and its derivative in mu: the smoothed Σ_t p(z_t = k | y) (y_t − mu_k)."""
    likelihood = stats.norm.pdf(y[:, None], mu)
    forward, scales = np.empty_like(likelihood), np.empty(len(y))
    for t in range(len(y)):
        forward[t] = (start if t == 0 else forward[t - 1] @ q) * likelihood[t]
        scales[t] = forward[t].sum()
        forward[t] /= scales[t]
    backward = np.ones_like(likelihood)
    for t in reversed(range(len(y) - 1)):
        backward[t] = q @ (likelihood[t + 1] * backward[t + 1]) / scales[t + 1]
    return float(np.log(scales).sum()), ((forward * backward) * (y[:, None] - mu)).sum(axis=0)


def test_conditional_draws_have_the_joint_probabilities_of_a_path():
    """Whole paths of a chain, not only their steps."""
    text, data, sizes, values = CASES["two chains"]
    exact = Enumeration(text, data, sizes, values)
    with precision("float64"):
        program = program_of(text, data)
        keys = jax.random.split(jax.random.key(0), 20_000)
        drawn = jax.jit(jax.vmap(lambda key: program.draw_discrete(key, values)))(keys)
    paths = np.stack([np.asarray(drawn[name])[:, place[0]] for name, place, _, _ in exact.free], axis=1).astype(int)
    found = {tuple(p): n / len(paths) for p, n in zip(*np.unique(paths, axis=0, return_counts=True), strict=True)}
    for path, log in zip(exact.configurations, exact.logs, strict=True):
        p = np.exp(log - exact.log_sum)
        assert abs(found.get(path, 0.0) - p) < 5 * np.sqrt(p * (1 - p) / len(paths)) + 3e-4


def test_a_table_too_large_is_refused_with_the_statement_that_couples():
    text = (
        "dim k = 40\ndim obs\ndata x[obs, k]: real\ndata y[obs]: real\nz[k] ~ Bernoulli(0.3)\n"
        "y[obs] ~ Normal(sum(z * x, over = k), 1)\n"
    )
    with pytest.raises(EmfError) as error:
        program_of(text, {"x": np.zeros((2, 40)), "y": np.zeros(2)})
    (found,) = error.value.diagnostics
    assert found.code == "E0811"
    assert "`z` takes a table of at least 33,554,432 numbers" in found.message
    assert text[found.span.start : found.span.end].startswith("y[obs] ~")


def test_a_numpyro_model_has_the_same_density():
    """The factor stands for all statements that the discrete latents have part in."""
    text, data, sizes, values = CASES["present or not"]
    with precision("float64"):
        program = program_of(text, data)
        log_joint, sites = log_density(numpyro_model(program), (), {}, values)
        assert set(sites) == {"omega", "p", "discrete latents"}
        assert float(log_joint) == pytest.approx(Enumeration(text, data, sizes, values).log_sum, rel=1e-10)
