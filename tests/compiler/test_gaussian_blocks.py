"""Gaussian blocks: cases by hand, and that what is inner is Gaussian by autodiff of generated programs' densities."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from strategies import programs

from emfppl.compiler.expression_text import text
from emfppl.compiler.passes.gaussian_blocks import gaussian_block
from emfppl.compiler.pipeline import compile_text
from emfppl.compiler.verify import BadGraph, verify
from emfppl.grammar.source import SourceText
from emfppl.runtime.bind import bind
from emfppl.runtime.precision import precision
from emfppl.runtime.program import Program

HEAD = """\
dim obs
dim group
dim time
dim k
data g[obs]: index(group)
data u[obs]: real
data y[obs]: real
data n[obs]: count
data w[time]: real
data design[obs, k]: real
data weights[k]: simplex
"""

# program, inner latents, outer latents, exact observations, predictors of the others
CASES = [
    ("m ~ Normal(0, 1)\ny[obs] ~ Normal(m + 2 * u, 1)\n", "m", "", "y", []),
    ("m ~ Normal(0, 1)\ns ~ HalfNormal(1)\na[group] ~ Normal(m, s)\ny[obs] ~ Normal(a[g], s)\n", "m a", "s", "y", []),
    # what is not centred is affine once the scale is known
    ("s ~ LogNormal(0, 1)\ne[group] ~ Normal(0, 1)\ny[obs] ~ Normal(s * e[g], 1)\n", "e", "s", "y", []),
    ("b[k] ~ Normal(0, 1)\nmu[obs] = design @ b\ny[obs] ~ Normal(mu, 1)\n", "b", "", "y", []),
    ("b[k] ~ Flat()\ny[obs] ~ LogNormal(design @ b, 1)\n", "b", "", "y", []),
    # a number that multiplies a series, a scale that many share, the exponent of one
    ("p ~ Normal(0, 1)\nx[0] ~ Normal(0, 1)\nfor t in time[1:] {\n  x[t] ~ Normal(p * x[t-1], 1)\n}\nw[time] ~ Normal(x, 1)\n",
     "x", "p", "w", []),
    ("l ~ Normal(0, 1)\nm ~ Normal(0, 1)\ny[obs] ~ Normal(m, exp(l))\n", "m", "l", "y", []),
    ("l[group] ~ Normal(0, 1)\nm ~ Normal(0, 1)\ny[obs] ~ Normal(m, exp(l[g]))\n", "m", "l", "y", []),
    ("r ~ Normal(0, 1)\nm ~ Normal(0, 1)\ny[obs] ~ Normal(m * exp(r * u), 1)\n", "m", "r", "y", []),
    ("a[group] ~ Normal(0, 1)\nb ~ Normal(0, 1)\ny[obs] ~ Normal(b * a[g], 1)\n", "a", "b", "y", []),
    # volatilities stay inside, by way of themselves
    ("h[0] ~ Normal(0, 1)\nfor t in time[1:] {\n  h[t] ~ Normal(h[t-1], 0.2)\n}\nw[time] ~ Normal(0, exp(h / 2))\n",
     "h", "", "", ["h / 2"]),
    ("m ~ Normal(0, 1)\na[group] ~ Normal(m, 1)\nn[obs] ~ Poisson(exp(a[g] + u))\n", "m a", "", "", ["a[g] + u"]),
    ("m ~ Normal(0, 1)\nrate[obs] = exp(m + u)\nn[obs] ~ Poisson(rate)\n", "m", "", "", ["m + u"]),
    ("m ~ Normal(0, 1)\nt ~ Normal(0, 1)\ny[obs] ~ StudentT(4, m + u, exp(t))\n", "m", "t", "", ["m + u"]),
    ("a ~ Normal(0, 1)\nb[group] ~ Normal(0, 1)\nn[obs] ~ Poisson(exp(a * b[g]))\n", "b", "a", "", ["a * b[g]"]),
    ("m ~ Normal(0, 1)\ny[obs] ~ Normal(m, 1)\nfactor -0.1 * square(m - 2)\n", "m", "", "y", ["m - 2"]),
    # functions written out
    ("def f(v: real): real {\n  d = v - 1\n  return exp(d) + d\n}\nm ~ Normal(0, 1)\nn[obs] ~ Poisson(f(m * u))\n", "m", "", "",
     ["let(v@3 = m * u, d@4 = v@3 - 1 in d@4)"]),
    # summed over the values of a discrete one
    ("q ~ Normal(0, 1)\nm[k] ~ Normal(q, 1)\nz[obs] ~ Categorical(weights)\ny[obs] ~ Normal(m[z], 1)\n", "q m", "",
     "", ["m"]),
    # not inner: other laws, narrowed ones, what has such a one below it
    ("m ~ Normal(0, 1)\na[group] ~ StudentT(3, m, 1)\ny[obs] ~ Normal(a[g], 1)\n", None, "", "", []),
    ("m: positive ~ Normal(0, 1)\ny[obs] ~ Normal(m, 1)\n", None, "", "", []),
    ("m[k]: sum_to_zero ~ Normal(0, 1)\ny[obs] ~ Normal(design @ m, 1)\n", None, "", "", []),
    ("m ~ Normal(0, 1)\nx ~ Normal(tanh(m), 1)\ny[obs] ~ Normal(x, 1)\n", "x", "m", "y", []),
    ("m ~ Normal(0, 1)\nlone ~ Normal(m, 1)\ny[obs] ~ Normal(m, 1)\n", "m", "", "y", []),
]  # fmt: skip


def compiled(program: str):
    return compile_text(SourceText(HEAD + program))


@pytest.mark.parametrize(("program", "inner", "outer", "exact", "predictors"), CASES)
def test_cases(program, inner, outer, exact, predictors):
    graph = compiled(program)
    block = graph.gaussian
    if inner is None:
        assert block is None
        return
    assert block is not None
    assert (set(block.inner), set(block.outer)) == (set(inner.split()), set(outer.split()))
    assert [graph.nodes[n].target.name for n in block.exact] == exact.split()
    assert [text(e) for _, e in block.predictors] == predictors


def test_missing_entries_that_are_latents_are_outer():
    graph = compiled("v ~ Normal(0, 1)\nm ~ Normal(v, 1)\nb ~ Normal(0, 1)\ndata x[obs]: real?\nx[obs] ~ Normal(m, 1)\n"
                     "y[obs] ~ Normal(b * x, 1)\n")  # fmt: skip
    assert graph.gaussian.inner == ("v", "m", "b")
    block = gaussian_block(graph, frozenset({"x"}))
    assert (block.inner, block.outer) == (("b",), ("v", "m"))


def test_a_wrong_block_is_refused():
    graph = compiled(CASES[1][0])
    for wrong in ({"inner": ("a",)}, {"inner": ("m",), "outer": ("s", "a")}, {"exact": (0,)}):
        with pytest.raises(BadGraph):
            verify(replace(graph, gaussian=replace(graph.gaussian, **wrong)))


@pytest.mark.usefixtures("quickly_compiled")
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs(observed=True, statements=3))
def test_inner_latents_are_gaussian_given_the_others(g):
    """The prior of the inner latents and the exact observations have a constant Hessian in the inner latents."""
    graph = compile_text(SourceText(g.text))
    assume(graph.gaussian)
    block = graph.gaussian
    with precision("float64"):
        program = Program(bind(graph, g.data))
        rng = np.random.default_rng(0)
        noise = {k: jnp.asarray(0.5 * rng.normal(size=s)) for k, s in program.noise_shapes.items()}
        values = jax.jit(program.forward)(noise)[0]
        counted = {graph.nodes[n] for n in block.exact} | {d for name in block.inner for d in graph.defining(name)}
        inner = {name: values[name] for name in block.inner}

        def slope(inner):
            def density(inner):
                return sum(jnp.sum(t) for node, t in program.log_terms({**values, **inner}) if _standing(node) in standing)

            return jax.grad(density)(inner)

        standing = {_standing(node) for node in counted}
        moved = [jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape)), inner) for _ in range(2)]
        middle = jax.tree.map(lambda a, b: (a + b) / 2, *moved)
        one, other, between = (jax.jit(slope)(x) for x in (*moved, middle))
        for name in inner:
            np.testing.assert_allclose((one[name] + other[name]) / 2, between[name], rtol=1e-8, atol=1e-8, err_msg=name)


def _standing(node):
    """A node but for which of its axes are carried."""
    return getattr(node, "span", None), getattr(node, "target", None)
