"""Programs as functions of one draw, beyond the laws: scans, program size, simulation, pointwise densities, params."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from oracle import Oracle
from scipy import stats

from emfppl.compiler.ast_to_checked import check
from emfppl.compiler.checked_to_graph import build
from emfppl.compiler.passes.recurrences import recurrences
from emfppl.compiler.pipeline import compile_text
from emfppl.grammar.diagnostics import EmfError
from emfppl.grammar.source import SourceText
from emfppl.grammar.text_to_ast import parse
from emfppl.runtime.bind import bind
from emfppl.runtime.precision import precision
from emfppl.runtime.program import Program


def program_of(text: str, data: dict | None = None, sizes: dict | None = None) -> Program:
    return Program(bind(compile_text(SourceText(text)), data or {}, sizes))


COUPLED = """
dim time
data w[time]: real
data y[time]: real
x[0] ~ Normal(0, 1)
z[0] ~ Normal(0, 1)
h[0] = 0.1
for t in time[1:] {
  m = 0.3 * x[t-1]
  x[t] ~ Normal(m + w[t] + sin(z[t-1]) * t, exp(0.1 * w[t-1]))
  z[t] ~ Normal(z[t-1] * 0.5 + x[t], 0.8)
  h[t] = 0.5 * h[t-1] + 0.1 * square(y[t-1]) + 0.1 * x[t]
  y[t] ~ Normal(h[t] + x[t], 1)
}
y[0] ~ Normal(x[0], 1)
"""
PANEL = """
dim a
dim time
data u[a]: real
for i in a {
  x[i, 0] ~ Normal(u[i], 1)
  for t in time[1:] {
    x[i, t] ~ Normal(0.5 * x[i, t-1] + u[i], 0.9)
  }
}
"""
GRID = """
dim a
dim time
data u[a]: real
x[0, 0] ~ Normal(0, 1)
for i in a[1:] {
  x[i, 0] ~ Normal(x[i-1, 0], 1)
}
for t in time[1:] {
  x[0, t] ~ Normal(x[0, t-1], 1)
}
for i in a[1:] {
  for t in time[1:] {
    x[i, t] ~ Normal(0.5 * x[i, t-1] + 0.2 * x[i-1, t] + 0.1 * x[i-1, t-1] + u[i] * t, 0.9)
  }
}
"""
INTERLEAVED = """
dim n = 3
dim m = 2 * n
x[m[0:2]] ~ Normal(0, 1)
for i in n[1:] {
  x[2*i] ~ Normal(x[2*i-1], 1)
  x[2*i+1] ~ Normal(x[2*i] + 0.1 * x[2*i-2], 0.5)
}
"""
AHEAD = """
dim time = 6
x[0] ~ Normal(0, 1)
for t in time[:-1] {
  x[t+1] ~ Normal(sin(x[t]) * t, 1)
}
"""
VECTOR = """
dim time
dim k
dim c
data idx[time]: index(c)
data A[k, k']: real
data B[time, k, k']: real
m[c, k] ~ Normal(0, 1)
x[0, k] ~ Normal(0, 1)
for t in time[1:] {
  x[t, k] ~ Normal(A @ x[t-1, k'] + m[idx[t]] + sum(B[t] * x[t-1, k'], over = k'), 0.3)
}
"""
FUNCTION = """
dim time
def f(a: real, b: real): real {
  c = a * 2
  return c + b
}
data w[time]: real
x[0] ~ Normal(0, 1)
x[1] ~ Normal(x[0], 1)
for t in time[2:] {
  x[t] ~ Normal(0.2 * f(x[t-1], w[t]) - x[t-2] * 0.3 + x[0], exp(0.1 * f(w[t], 1)))
}
"""
RNG = np.random.default_rng(0)
SERIES = {"w": 0.1 * np.arange(5.0), "y": 0.3 * np.arange(5.0)}
CASES = {
    "coupled": (COUPLED, SERIES, {"time": 5}),
    "panel": (PANEL, {"u": np.arange(3.0)}, {"a": 3, "time": 5}),
    "grid": (GRID, {"u": np.arange(3.0)}, {"a": 3, "time": 5}),
    "interleaved": (INTERLEAVED, {}, {"n": 3, "m": 6}),
    "ahead": (AHEAD, {}, {"time": 6}),
    "vector": (
        VECTOR,
        {"idx": np.array([0, 1, 1, 0]), "A": 0.5 * np.eye(2) + 0.1, "B": 0.2 * RNG.normal(size=(4, 2, 2))},
        {"time": 4, "k": 2, "c": 2},
    ),
    "function": (FUNCTION, {"w": SERIES["w"]}, {"time": 5}),
    "no rounds": (FUNCTION, {"w": SERIES["w"][:2]}, {"time": 2}),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("rewrite", [lambda graph: graph, recurrences], ids=["loops", "split"])
def test_scans_against_the_oracle(name, rewrite):
    """Loops scanned as they are written, and after they were split: bijection, density and gates."""
    text, data, sizes = CASES[name]
    source = SourceText(text)
    checked, _ = check(parse(source)[0], source)
    assert checked is not None
    with precision("float64"):
        program = Program(bind(rewrite(build(checked)), data, sizes))
        rng = np.random.default_rng(1)
        noise = {k: rng.normal(size=s) for k, s in program.noise_shapes.items()}
        values, log_det = jax.jit(program.forward)(noise)
        latents = {k: np.asarray(values[k]) for k in program.selection.guided}
        exact = Oracle(checked, sizes, data).log_joint(latents)
        assert float(program.log_density(latents)) == pytest.approx(exact, rel=1e-10)
        half = {k: np.full(s, 0.4) for k, s in program.noise_shapes.items()}
        for gates in (None, half):
            values, log_det = program.forward(noise, gates)
            back, log_det_back = program.inverse(values, gates)
            for key, u in noise.items():
                np.testing.assert_allclose(back[key], u, atol=1e-9)
            assert float(log_det) == pytest.approx(-float(log_det_back), abs=1e-9)


CHAIN = """
dim time
data y[time]: real
s ~ LogNormal(0, 1)
x[0] ~ Normal(0, s)
for t in time[1:] {
  x[t] ~ Normal(0.9 * x[t-1], s)
}
y[time] ~ Normal(x, 0.5)
"""
REGRESSION = """
dim obs
data x[obs]: real
data y[obs]: real
a ~ Normal(0, 1)
y[obs] ~ Normal(a * x, 1)
"""


def equations(jaxpr) -> int:
    """How many equations a traced program has, those in scans and branches included."""
    total = 0
    for equation in jaxpr.eqns:
        total += 1
        for value in equation.params.values():
            for inner in jax.tree.leaves(value, is_leaf=lambda v: hasattr(v, "eqns") or hasattr(v, "jaxpr")):
                inner = getattr(inner, "jaxpr", inner)
                total += equations(inner) if hasattr(inner, "eqns") else 0
    return total


def size_of(text: str, names: tuple[str, ...], n: int) -> int:
    program = program_of(text, {name: np.zeros(n) for name in names})
    noise = {k: np.zeros(s) for k, s in program.noise_shapes.items()}

    def loss(u, data):
        values, log_det = program.forward(u, None, data)
        return program.log_density(values, data) + log_det

    return equations(jax.make_jaxpr(jax.grad(loss))(noise, program.data).jaxpr)


def test_the_traced_program_does_not_grow_with_the_data():
    assert size_of(CHAIN, ("y",), 30) == size_of(CHAIN, ("y",), 3000) > 30
    assert size_of(REGRESSION, ("x", "y"), 100) == size_of(REGRESSION, ("x", "y"), 100_000) > 5


def test_a_density_scans_nothing_random():
    """Where values are known the chain is one vectorised node."""
    program = program_of(CHAIN, {"y": np.zeros(20)})
    values = {"s": 1.0, "x": np.zeros(20)}
    assert "scan" not in str(jax.make_jaxpr(program.log_density)(values))
    assert "scan" in str(jax.make_jaxpr(lambda u: program.forward(u))({k: np.zeros(s) for k, s in program.noise_shapes.items()}))


def test_simulation_follows_the_program():
    """An AR(1) with observed values that feed later rounds: the simulated series has its variance and correlation."""
    text = (
        "dim time\ndata y[time]: real\nphi ~ Uniform(0, 1)\ny[0] ~ Normal(0, 1)\n"
        "for t in time[1:] {\n  y[t] ~ Normal(phi * y[t-1], 1)\n}\n"
    )
    program = program_of(text, {"y": np.full(3, 100.0)})
    draws = jax.jit(jax.vmap(lambda k: program.simulate(k, {"phi": 0.5})))(jax.random.split(jax.random.key(0), 20_000))
    y = np.asarray(draws["y"], float)
    assert abs(y).max() < 20, "the data must not leak into a simulation"
    np.testing.assert_allclose(np.cov(y.T), [[1, 0.5, 0.25], [0.5, 1.25, 0.625], [0.25, 0.625, 1.3125]], atol=0.06)
    assert np.all(np.asarray(draws["phi"]) == 0.5)


def test_simulation_that_needs_data():
    text = (
        "dim time\ndata y[time]: real\nm ~ Normal(0, 1)\nh[0] = m\n"
        "for t in time[1:] {\n  h[t] = 0.5 * h[t-1] + y[t-1]\n}\ny[time] ~ Normal(h, 0.001)\n"
    )
    program = program_of(text, {"y": [1.0, 2.0, 3.0]})
    draw = program.simulate(jax.random.key(1), {"m": 0.0})
    np.testing.assert_allclose(draw["y"], [0, 1, 2.5], atol=0.01)
    with pytest.raises(EmfError, match="E1190"):
        program_of(text, {}, {"time": 3}).simulate(jax.random.key(1))


def test_entries_that_nothing_draws_are_data():
    """A recurrence that starts from data; and one written without a loop, which can't start from anything else."""
    loop = "for t in time[1:] {\n  y[t] ~ Normal(y[t-1] + 1, 0.001)\n}\n"
    head = "dim time\ndata y[time]: real\nm ~ Normal(0, 1)\n"
    y = np.array([5.0, 0.0, 0.0])
    draw = program_of(head + loop, {"y": y}).simulate(jax.random.key(0), {"m": 0.0})
    np.testing.assert_allclose(draw["y"], [5, 6, 7], atol=0.02)
    at_once = head + "y[time[1:]] ~ Normal(y[time[:-1]] + 1, 0.001)\n"
    draw = program_of(at_once, {"y": y}).simulate(jax.random.key(0), {"m": 0.0})
    np.testing.assert_allclose(draw["y"], [5, 6, 1], atol=0.02)
    with pytest.raises(EmfError, match="E1190"):
        program_of(head + loop, {}, {"time": 3}).simulate(jax.random.key(0))


def test_barren_variables_are_drawn_forward_only():
    text = (
        "dim obs\ndata y[obs]: real\nm ~ Normal(0, 1)\ny[obs] ~ Normal(m, 1)\n"
        "y_new ~ Normal(m, 1)\nn_new ~ Poisson(exp(y_new))\ntwice = 2 * n_new\n"
    )
    program = program_of(text, {"y": [0.1, 0.2]})
    assert list(program.noise_shapes) == ["m"]
    assert set(program.forward({"m": 0.3})[0]) == {"m"}
    draw = program.simulate(jax.random.key(0), {"m": 0.3})
    assert set(draw) == {"m", "y", "y_new", "n_new", "twice"}
    assert draw["twice"] == 2 * draw["n_new"]


def test_what_follows_from_data_alone_is_computed_once_in_double_precision():
    text = (
        "dim obs\ndata x[obs]: real\ndata y[obs]: real\ncentred[obs] = x - mean(x, over = obs)\n"
        "slope ~ Normal(0, 1)\nfitted[obs] = slope * centred\ny[obs] ~ Normal(fitted, 1)\n"
    )
    x = 1e7 + np.arange(4.0)
    program = program_of(text, {"x": x, "y": np.zeros(4)})
    np.testing.assert_allclose(program.data["centred"], [-1.5, -0.5, 0.5, 1.5], rtol=1e-12)
    assert set(program.forward({"slope": 1.0})[0]) == {"slope", "fitted"}


def test_log_likelihood_is_pointwise_in_declared_order():
    text = (
        "dim a\ndim b\ndata y[a, b]: real?\nm[a] ~ Normal(0, 1)\n"
        "for j in b {\n  for i in a {\n    y[i, j] ~ Normal(m[i] + j, 1)\n  }\n}\n"
    )
    y = np.array([[0.0, 1.0, np.nan], [2.0, 3.0, 4.0]])
    found = program_of(text, {"y": y}).log_likelihood({"m": np.array([0.5, -0.5])})["y"]
    expected = stats.norm.logpdf(y, np.array([[0.5], [-0.5]]) + np.arange(3), 1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_params_are_set_from_unconstrained_values():
    text = "data y: real\nparam s: positive = 2\nparam c[k]: real\ndim k = 2\nt = 2 * s\nx ~ Normal(sum(c), t)\ny ~ Normal(x, 1)\n"
    with precision("float64"):
        program = program_of(text, {"y": 0.5})
        starts = program.param_starts()
        traced = jax.jit(lambda: jnp.asarray(isinstance(program.param_starts()["s"], np.ndarray)))
        assert traced()
        assert float(program.data["t"]) == 4.0
        data = program.with_params({"s": starts["s"] + 1.0, "c": np.array([1.0, 2.0])})
        assert float(data["s"]) == pytest.approx(2 * np.e)
        assert float(data["t"]) == pytest.approx(4 * np.e)
        values, log_det = program.forward({"x": 0.5}, None, data)
        assert float(values["x"]) == pytest.approx(3 + 0.5 * 4 * np.e)
        assert float(log_det) == pytest.approx(np.log(4 * np.e))
        assert program.with_params({})["s"] == 2.0


def test_gradients_flow_through_scans():
    with precision("float64"):
        program = program_of(COUPLED, SERIES)
        noise = {k: RNG.normal(size=s) for k, s in program.noise_shapes.items()}
        flat, back = ravel_pytree(noise)
        f = jax.jit(lambda u: program.log_density(program.forward(back(u))[0]))
        exact = jax.grad(f)(flat)
        for n in range(flat.size):
            step = jnp.zeros_like(flat).at[n].set(1e-5)
            assert float(exact[n]) == pytest.approx(float(f(flat + step) - f(flat - step)) / 2e-5, rel=1e-5, abs=1e-6)


def test_the_density_of_what_nothing_observed_depends_on():
    """Integrated out where its values are not given, counted where they are."""
    text = "data y: real\nm ~ Normal(0, 1)\nn_new ~ Poisson(exp(m))\nx_new ~ Normal(2 * n_new, 1)\ny ~ Normal(m, 1)\n"
    program = program_of(text, {"y": 0.5})
    alone = stats.norm.logpdf(0.3) + stats.norm.logpdf(0.2)
    assert float(program.log_density({"m": 0.3})) == pytest.approx(alone, rel=1e-5)
    values = {"m": 0.3, "n_new": 2, "x_new": 3.0}
    whole = alone + stats.poisson.logpmf(2, np.exp(0.3)) + stats.norm.logpdf(3.0, 4, 1)
    assert float(program.log_density(values)) == pytest.approx(whole, rel=1e-5)


def test_a_gate_shut_for_good_is_not_traced():
    """Zeros in NumPy: the support's transform alone, the same values as with traced zeros, and no search for a quantile."""
    text = "dim k = 3\na ~ Gamma(2, 1)\nb[k] ~ Dirichlet(2)\nc ~ Normal(a, 0.1)\ny ~ Normal(c + sum(b), 1)\n"
    with precision("float64"):
        program = program_of("data y: real\n" + text, {"y": 0.5})
        noise = {k: RNG.normal(size=s) for k, s in program.noise_shapes.items()}
        shut = {k: np.zeros(s) for k, s in program.noise_shapes.items()}
        values, log_det = program.forward(noise, shut)
        traced, traced_det = jax.jit(program.forward)(noise, shut)
        for name in traced:
            np.testing.assert_allclose(values[name], traced[name], rtol=1e-12)
        assert float(log_det) == pytest.approx(float(traced_det), rel=1e-12)
        back, back_det = program.inverse(values, shut)
        for key, u in noise.items():
            np.testing.assert_allclose(back[key], u, atol=1e-10)
        assert float(back_det) == pytest.approx(-float(log_det), rel=1e-12)
        assert float(values["c"]) == pytest.approx(noise["c"])
        assert "while" not in str(jax.make_jaxpr(lambda u: program.forward(u, shut))(noise))
        assert "while" in str(jax.make_jaxpr(program.forward)(noise, shut))


def test_a_variable_is_known_when_all_of_its_pieces_are():
    """One piece from data, the other from a param: what is computed from it follows the param."""
    head = "dim k = 3\ndata y: real\nparam p: positive = 2\nc[0] = 1\nc[k[1:]] = p\nd = sum(c)\n"
    text = head + "x ~ Normal(d, 1)\ny ~ Normal(x, 1)\n"
    with precision("float64"):
        program = program_of(text, {"y": 0.5})
        assert float(program.data["d"]) == pytest.approx(5.0)
        moved = program.with_params({"p": program.param_starts()["p"] + np.log(2.0)})
        assert float(moved["d"]) == pytest.approx(9.0)
