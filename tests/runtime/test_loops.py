"""Windows, trees, loops that run backwards or with strides: the map and the density against the element-by-element oracle."""

from __future__ import annotations

from dataclasses import replace

import jax
import numpy as np
import pytest
from oracle import Oracle

from emfppl.compiler.ast_to_checked import check
from emfppl.compiler.graph import Graph, Role
from emfppl.compiler.pipeline import compile_text
from emfppl.grammar.diagnostics import EmfError
from emfppl.grammar.source import SourceText
from emfppl.grammar.text_to_ast import parse
from emfppl.runtime.bind import bind
from emfppl.runtime.precision import precision
from emfppl.runtime.program import Program

Y = np.array([0.3, -0.2, 1.1, 0.4, -0.9, 0.5, 0.2])

CASES = {
    "renewal": (
        """
dim day
dim lag
data w[lag]: simplex
data y[day]: real
i[day[:lag]] ~ LogNormal(0, 1)
for t in day[lag:] { i[t] ~ LogNormal(log(sum(i[t-lag:t] * w)), 0.3) }
y[day] ~ Normal(i, 1)
""",
        {"w": [0.2, 0.3, 0.5], "y": Y},
        {"i": "scan", "y": "at once"},
    ),
    "window of known values": (
        """
dim time
data y[time]: real
e[time] ~ Normal(0, 1)
m ~ Normal(0, 1)
for t in time[2:] { y[t] ~ Normal(m * mean(e[t-2:t+1]), 1) }
""",
        {"y": Y},
        {"y": "at once"},
    ),
    "window of vectors": (
        """
dim time
dim k = 2
x[time[:3], k] ~ Normal(0, 1)
for t in time[3:] { x[t, k] ~ Normal(0.3 * sum(x[t-3:t, k], over = time), 0.5) }
data y[time, k]: real
y[time, k] ~ Normal(x, 1)
""",
        {"y": np.stack([Y, -Y], axis=1)},
        {"x": "scan"},
    ),
    "parents in one of several series": (
        """
dim node
dim trait = 2
data parent[node]: index(node)
data y[trait, node]: real
theta[trait, 0] ~ Normal(0, 1)
for n in node[1:] { theta[trait, n] ~ Normal(0.5 * theta[trait, parent[n]], 0.5) }
y[trait, node] ~ Normal(theta, 1)
""",
        {"parent": [0, 0, 0, 1, 1, 2, 5], "y": np.stack([Y, -Y])},
        {"theta": "scan"},
    ),
    "heap": (
        """
dim inner
dim node = 2 * inner + 1
data y[node]: real
x[0] ~ Normal(0, 1)
for i in inner {
  x[2*i+1] ~ Normal(x[i], 1)
  x[2*i+2] ~ Normal(tanh(x[i]), 1)
}
y[node] ~ Normal(x, 1)
""",
        {"y": Y},
        {"x": "scan"},
    ),
    "levels": (
        """
dim leaf
dim inner = leaf / 2
dim top = inner / 2
data y[top]: real
x[leaf] ~ Normal(0, 1)
for i in inner { z[i] ~ Normal(x[2*i] - x[2*i+1], 0.5) }
for i in top { y[i] ~ Normal(z[2*i] - z[2*i+1], 0.5) }
""",
        {"y": Y[:2]},
        {"z": "at once", "y": "at once"},
    ),
    "backwards": (
        """
dim time
data y[time]: real
x[-1] ~ Normal(0, 1)
for t in time[1:] { x[-1-t] ~ Normal(0.7 * x[-t], 1) }
y[time] ~ Normal(x, 1)
""",
        {"y": Y},
        {"x": "scan"},
    ),
}


def ways(graph: Graph) -> dict[str, str]:
    """How the last statement of each variable that has a loop is run."""
    nodes = {n.target.name: n for n in graph.nodes if n.domain}
    return {name: "scan" if any(a.carried for a in n.domain) else "at once" for name, n in nodes.items()}


@pytest.mark.parametrize("name", CASES)
def test_the_map_and_the_density(name):
    text, data, expected = CASES[name]
    source = SourceText(text)
    graph = replace(compile_text(source), barren=frozenset())
    assert expected.items() <= ways(graph).items()
    with precision("float64"):
        program = Program(bind(graph, data))
        rng = np.random.default_rng(0)
        noise = {k: 0.7 * rng.normal(size=s) for k, s in program.noise_shapes.items()}

        @jax.jit
        def both_ways(noise):
            values, log_det = program.forward(noise)
            return values, log_det, program.inverse(values), program.log_density(values)

        values, log_det, (back, log_det_back), density = both_ways(noise)
        for key, u in noise.items():
            np.testing.assert_allclose(back[key], u, atol=1e-9)
        assert float(log_det) == pytest.approx(-float(log_det_back), abs=1e-9)
        latents = {v.name: np.asarray(values[v.name]) for v in graph.of_role(Role.LATENT)}
        checked, _ = check(parse(source)[0], source)
        oracle = Oracle(checked, program.binding.sizes, program.binding.values)
        assert float(density) == pytest.approx(oracle.log_joint(latents), abs=1e-9)


def test_a_parent_in_a_later_round_is_told_with_its_label():
    text, _, _ = CASES["parents in one of several series"]
    parents = {"parent": ["a", "a", "d", "b"], "node": ["a", "b", "c", "d"], "y": np.zeros((2, 4))}
    with pytest.raises(EmfError, match=r"parent\[c\]` is d, but `theta\[d\]` comes only later"):
        bind(compile_text(SourceText(text)), parents)


def test_sizes_that_are_fractions_of_each_other():
    draws = "".join(f"x{d}[{d}] ~ Normal(0, 1)\n" for d in "abc")
    graph = compile_text(SourceText(f"dim a\ndim b = a / 3\ndim c = b / 2\n{draws}"))
    assert bind(graph, {}, {"c": 2}).sizes == {"a": 12, "b": 4, "c": 2}
    assert bind(graph, {}, {"a": 18}).sizes == {"a": 18, "b": 6, "c": 3}
    with pytest.raises(EmfError):
        bind(graph, {}, {"a": 10})
