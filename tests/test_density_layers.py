"""Laws of the layers of density estimators and of their stacks: inverses, log-determinants, starts, densities that integrate to 1,
samples that agree with them."""

from __future__ import annotations

from functools import cache

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emfppl.compiler.ast_to_checked.density_layers import LAYERS
from emfppl.compiler.pipeline import compile_text
from emfppl.grammar.source import SourceText
from emfppl.runtime.bind import Binding
from emfppl.runtime.density.stack import Stack
from emfppl.runtime.precision import precision

WALK = """dim time

model walk {
  param s: positive = 0.5
  x[0] ~ Normal(0, 1)
  for t in time[1:] { x[t] ~ Normal(x[t-1], s) }
}
model bent {
  y[time] ~ Gamma(2, 1)
}
"""
LINES = {
    "affine": ("affine",),
    "actnorm": ("actnorm",),
    "permute": ("permute",),
    "reverse": ("reverse",),
    "lu": ("lu",),
    "maf": ("maf(hidden = [8])", "maf(hidden = [3, 3], layers = 2)"),
    "iaf": ("iaf(hidden = [6])",),
    "coupling": ("coupling(hidden = [6])", "coupling(hidden = [6], bins = 3)"),
    "spline_flow": ("spline_flow(hidden = [6], bins = 4)",),
    "bnaf": ("bnaf(hidden = [3])",),
    "splines": ("splines(bins = 4)",),
    "structured": ("structured(walk, gated = true)", "structured(bent, gated = per_variable)", "structured(bent, gated = false)"),
    "dequantize": (),
}
ALL = [line for lines in LINES.values() for line in lines]


@pytest.fixture(autouse=True)
def double(quickly_compiled):
    with precision("float64"):
        yield


def stack_of(text: str, sizes: dict[str, int], data: dict | None = None) -> Stack:
    """The only density of a file, with sizes of dims and constants."""
    graph = compile_text(SourceText(text, "a.emf"))
    return Stack(graph.densities[0], Binding(graph, sizes, {}, data or {}))


@cache
def lines(*layers: str, size: int = 3, event: str = "data x[time]: real", given: str = "") -> Stack:
    """A density over a walk's time."""
    known = f"  conditioned_on {given}\n" if given else ""
    text = f"{WALK}density d {{\n  {event}\n{known}" + "".join(f"  {line}\n" for line in layers) + "}\n"
    return stack_of(text, {"time": size})


def random_params(stack: Stack, seed: int = 0, wide: float = 0.4):
    """Parameters away from the start; of gates and params of models, which move faster, as much less."""
    rng = np.random.default_rng(seed)
    params = stack.init(rng)
    moved = jax.tree.map(lambda v: v + wide * rng.normal(size=np.shape(v)), params["layers"])
    for name, layer in moved.items():
        if "gates" in layer:
            moved[name] = jax.tree.map(lambda new, old: old + (new - old) / 10, layer, params["layers"][name])
    units = {"loc": rng.normal(size=stack.dim), "width": np.exp(0.3 * rng.normal(size=stack.dim))}
    return {**params, "layers": moved, "units": units}


def check_laws(stack: Stack, params, noise, beside=None):
    """Law 1: forward and inverse, and both log-determinants against that of the Jacobian."""

    def everything(u):
        x, log_det = stack.forward(params, u, beside)
        back, log_det_back = stack.inverse(params, x, beside)
        return x, log_det, back, log_det_back, jax.jacfwd(lambda u: stack.forward(params, u, beside)[0])(u)

    x, log_det, back, log_det_back, jacobian = jax.jit(jax.vmap(everything))(noise)
    np.testing.assert_allclose(back, noise, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(log_det_back, -log_det, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(log_det, np.linalg.slogdet(jacobian)[1], rtol=1e-6, atol=1e-6)
    return x


def test_every_layer_is_covered():
    assert set(LINES) == set(LAYERS)


@pytest.mark.parametrize("line", ALL)
def test_laws_of_a_layer(line):
    stack = lines(line)
    check_laws(stack, random_params(stack), np.random.default_rng(1).normal(size=(4, 3)))


@pytest.mark.parametrize("line", [line for line in ALL if "structured" not in line])
def test_a_layer_starts_at_the_identity(line):
    stack = lines(line)
    u = np.random.default_rng(1).normal(size=(4, 3))
    x, log_det = jax.vmap(lambda u: stack.forward(stack.init(np.random.default_rng(0)), u))(u)
    moved = {"permute": np.sort, "reverse": lambda v: v[:, ::-1], "maf(hidden = [3, 3], layers = 2)": lambda v: v[:, ::-1]}
    same = moved.get(line, lambda v: v)
    close = 0.2 if line.startswith("bnaf") else 1e-12
    np.testing.assert_allclose(np.sort(x) if line == "permute" else x, same(u), atol=close)
    np.testing.assert_allclose(log_det, 0, atol=3 * close)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(st.lists(st.sampled_from(ALL), min_size=1, max_size=4), st.integers(1, 4), st.integers(0, 2**16))
def test_laws_of_random_stacks(layers, size, seed):
    stack = lines(*layers, size=size)
    rng = np.random.default_rng(seed)
    check_laws(stack, random_params(stack, seed, 0.2), 0.7 * rng.normal(size=(2, size)))
