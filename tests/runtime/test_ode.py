"""Differential equations against SciPy: solutions, slopes, batches, and what does not arrive."""

from __future__ import annotations

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from emfppl.compiler.pipeline import compile_text
from emfppl.grammar.source import SourceText
from emfppl.runtime.bind import bind
from emfppl.runtime.evaluate import Scope, evaluate
from emfppl.runtime.execute import ranges_of
from emfppl.runtime.named import filled
from emfppl.runtime.precision import precision
from emfppl.runtime.program import Program

PREY = """
dim k = 2
dim time = 4
dim series = 3
data ts[time]: real
data late[series, time]: real
data y0[k]: real
data starts[series, k]: real
data a[series]: real
data p: real
def hunt(t: real, y[s]: real, birth: real, death: real = 0.8): real {
  eaten = 0.03 * y[0] * y[1]
  return [birth * y[0] - eaten, 0.8 * eaten - death * y[1] + 0.1 * sin(t)]
}
def shrink(t: real, y: real, rate: real): real { return -rate * y }
def explode(t: real, y: real): real { return y ^ 2 }
"""
STIFF = """
dim k = 2
dim time = 4
data ts[time]: real
data y0[k]: real
data p: real
def pol(t: real, y[s]: real, mu: real): real { return [y[1], mu * (1 - y[0] ^ 2) * y[1] - y[0]] }
"""
DATA = {
    "ts": np.array([1.0, 2.5, 4.0, 10.0]), "y0": np.array([30.0, 4.0]), "p": np.array(0.55),
    "late": np.array([[1.0, 2, 3, 4], [0, 0, 2, 2], [0.5, 1.5, 2.5, 9]]), "a": np.array([0.4, 0.5, 0.6]),
    "starts": np.array([[30.0, 4], [20, 5], [40, 6]]),
}  # fmt: skip
SIZES = {"k": 2, "time": 4, "series": 3}


def solution(text: str, target: str, expression: str):
    """A function of the data."""
    node = compile_text(SourceText(f"{text}\n{target} = {expression}\n")).nodes[-1]
    labels, shape = tuple(a.label for a in node.domain), tuple(SIZES[a.dim] for a in node.domain)

    def f(data):
        return filled(evaluate(node.value, Scope(SIZES, ranges_of(node, SIZES), data)), labels, shape)

    return jax.jit(f), jax.jit(jax.grad(lambda data: jnp.sum(f(data))))


def hunt(y0, times, birth, death=0.8):
    def f(t, y):
        eaten = 0.03 * y[0] * y[1]
        return [birth * y[0] - eaten, 0.8 * eaten - death * y[1] + 0.1 * np.sin(t)]

    distinct, where = np.unique(times, return_inverse=True)
    return solve_ivp(f, (0, times[-1]), y0, t_eval=distinct, rtol=1e-11, atol=1e-11).y.T[where]


@cache
def prey():
    return solution(PREY, "z[time, k]", "ode(hunt, y0, 0, ts, p, rtol = 1e-9, atol = 1e-9)")


@pytest.mark.parametrize(("name", "tolerance"), [("float64", 1e-6), ("float32", 1e-3)])
def test_a_solution_is_that_of_scipy(name, tolerance):
    with precision(name):
        ours = prey()[0]({n: jnp.asarray(v, float) for n, v in DATA.items()})
        np.testing.assert_allclose(ours, hunt(DATA["y0"], DATA["ts"], 0.55), rtol=tolerance)


def test_slopes_are_those_of_scipy():
    with precision("float64"):
        slopes = prey()[1]({n: jnp.asarray(v) for n, v in DATA.items()})
    step = 1e-5
    by_p = [hunt(DATA["y0"], DATA["ts"], 0.55 + s).sum() for s in (step, -step)]
    by_y = [hunt(DATA["y0"] + [s, 0], DATA["ts"], 0.55).sum() for s in (step, -step)]
    by_t = [hunt(DATA["y0"], DATA["ts"] + [0, s, 0, 0], 0.55).sum() for s in (step, -step)]
    for ours, theirs in ((slopes["p"], by_p), (slopes["y0"][0], by_y), (slopes["ts"][1], by_t)):
        np.testing.assert_allclose(ours, (theirs[0] - theirs[1]) / (2 * step), rtol=1e-4)


def test_a_batch_is_one_equation_each():
    """Starts, times, and rates of their own; times that are equal, or the start."""
    f, _ = solution(PREY, "z[series, time, k]", "ode(hunt, starts, 0, late, a, 0.7, rtol = 1e-9, atol = 1e-9)")
    with precision("float64"):
        ours = f(DATA)
    for one, y0, times, rate in zip(ours, DATA["starts"], DATA["late"], DATA["a"], strict=True):
        np.testing.assert_allclose(one, hunt(y0, times, rate, 0.7), rtol=1e-6)


def test_an_equation_of_one_number_at_one_time():
    f, _ = solution(PREY, "z[series]", "ode(shrink, 2, 1, a + 1, 1.5)")
    with precision("float64"):
        np.testing.assert_allclose(f(DATA), 2 * np.exp(-1.5 * DATA["a"]), rtol=1e-5)


def test_what_does_not_arrive_is_nan():
    """A solution that blows up at 1, steps that run out, times that go back: nothing is raised, and only there."""
    f, _ = solution(PREY, "z[series]", "ode(explode, 1, 0, 3 * a - 0.4)")
    with precision("float64"):
        np.testing.assert_allclose(f(DATA)[:1], 1 / (1 - 0.8), rtol=1e-4)
        assert np.isnan(f(DATA)[1:]).all()
        short, _ = solution(PREY, "z[time, k]", "ode(hunt, y0, 0, ts, p, max_steps = 3)")
        assert np.isnan(short(DATA)).all()
        back = prey()[0]({**DATA, "ts": np.array([1.0, 4.0, 2.5, 10.0])})
        assert np.isnan(back[2]).all()
        np.testing.assert_allclose(back[jnp.array([0, 1, 3])], hunt(DATA["y0"], DATA["ts"], 0.55)[[0, 2, 3]], rtol=1e-6)


def test_a_stiff_equation():
    """Van der Pol's with mu = 1000, which an explicit method does not get through."""
    data = {"ts": np.array([100.0, 500.0, 800.0, 1500.0]), "y0": np.array([2.0, 0.0]), "p": np.array(1000.0)}
    pol = lambda t, y: [y[1], 1000 * (1 - y[0] ** 2) * y[1] - y[0]]  # noqa: E731
    theirs = solve_ivp(pol, (0, 1500), data["y0"], "Radau", data["ts"], rtol=1e-10, atol=1e-12).y.T
    f, _ = solution(STIFF, "z[time, k]", "ode_stiff(pol, y0, 0, ts, p, rtol = 1e-8, atol = 1e-10, max_steps = 20000)")
    with precision("float64"):
        np.testing.assert_allclose(f(data), theirs, rtol=1e-4)


def test_an_equation_in_a_recurrence():
    """From one round to the next, through a function; the same by the formula."""
    text = (
        "dim step\ndim part = 2\ndata gap[step]: positive\ndata y[step, part]: real\n"
        "def decay(t: real, y[k]: real, rate: real): real { return -rate * y }\n"
        "def later(y[k]: real, rate: real, gap: real): real { return ode(decay, y, 0, gap, rate, rtol = 1e-9) }\n"
        "r ~ LogNormal(0, 1)\nx[0, part] ~ Normal(1, 0.1)\n"
        "for t in step[1:] {\n  m[part] = later(x[t-1], r, gap[t])\n  x[t, part] ~ Normal(m, 0.1)\n}\n"
        "y[step, part] ~ Normal(x, 0.1)\n"
    )
    data = {"gap": [0.1, 0.2, 0.5], "y": np.ones((3, 2))}
    with precision("float64"):
        program = Program(bind(compile_text(SourceText(text)), data))
        noise = {key: jnp.full(shape, 0.3) for key, shape in program.noise_shapes.items()}
        values, _ = program.forward(noise)
    x = np.asarray(values["x"])
    decayed = x[:-1] * np.exp(-np.exp(0.3) * np.array([[0.2], [0.5]]))
    np.testing.assert_allclose(x[1:], decayed + 0.03, rtol=1e-6)
