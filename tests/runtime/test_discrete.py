"""Discrete latents summed out: densities, gradients, conditional probabilities and draws against listing all values."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from enumeration import Enumeration

from emfppl.compiler.pipeline import compile_text
from emfppl.grammar.source import SourceText
from emfppl.runtime.bind import bind
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
