"""How programs are compiled: fast where they are small, well where they run long."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from posteriors import CONJUGATE, Y

import emfppl
from emfppl.runtime import compile as compiling
from emfppl.runtime.compile import LOWEST, MIDDLE, count_elements, often, once, seldom, solves

DECAY = """
dim time
data t[time]: positive
data y[time]: real
def decay(s, z: real, k: real) { return -k * z }
k ~ LogNormal(0, 1)
z[time] = ode(decay, 1, 0, t, k)
y[time] ~ Normal(z, 0.1)
"""


def program(text, data):
    return emfppl.load(text).bind(data).program


SMALL, LARGE = program(CONJUGATE, {"y": Y}), program(CONJUGATE, {"y": np.zeros(6000)})
SOLVED = program(DECAY, {"t": [0.5, 1.0], "y": [0.7, 0.5]})


def test_grades(well_compiled, monkeypatch):
    given = []
    monkeypatch.setattr(jax, "jit", lambda function, compiler_options=None: given.append(compiler_options))
    for made in (SMALL, LARGE, SOLVED):
        once(np.sin), seldom(np.sin, made), often(np.sin, made)
    small, large, solved = given[:3], given[3:6], given[6:]
    assert small == [LOWEST, LOWEST, MIDDLE]
    assert large == solved == [LOWEST, None, None]
    often(np.sin, LARGE, swept=True)
    assert given.pop() == MIDDLE
    monkeypatch.setattr(compiling, "on_cpu", lambda: False)
    once(np.sin), often(np.sin, SMALL)
    assert given[9:] == [None, None]  # the options are those of one compiler


def test_tests_compile_at_the_lowest_level(quickly_compiled, monkeypatch):
    given = []
    monkeypatch.setattr(jax, "jit", lambda function, compiler_options=None: given.append(compiler_options))
    often(np.sin, SMALL)
    assert given == [LOWEST]


@pytest.mark.parametrize("grade", [once, lambda f: often(f, SMALL)], ids=["once", "often"])
def test_the_compiler_knows_the_options(grade):
    x = np.linspace(0.1, 2, 7)
    np.testing.assert_allclose(grade(lambda v: jnp.cumsum(jnp.exp(v)) / v)(x), np.cumsum(np.exp(x)) / x, rtol=1e-5)


def test_what_a_draw_works_on():
    assert count_elements(SMALL) == len(Y) + 1
    assert solves(SOLVED) and not solves(SMALL)
