"""Barren variables: against reachability in the matrix of who reads whom."""

from __future__ import annotations

import numpy as np
import pytest
from checking import checked
from hypothesis import HealthCheck, given, settings
from strategies import programs

from emfppl.compiler.checked_to_graph import build
from emfppl.compiler.graph import FactorNode, Graph, RandomNode, Role
from emfppl.compiler.passes.barren import barren
from emfppl.compiler.references import names_read

CASES = [
    ("a ~ Normal(0, 1)\nb ~ Normal(a, 1)\ny ~ Normal(a, 1)\n", {"b"}),
    ("a ~ Normal(0, 1)\nb = 2 * a\nc = b + 1\ny ~ Normal(a, 1)\n", {"b", "c"}),
    ("a ~ Normal(0, 1)\nb = 2 * a\ny ~ Normal(b, 1)\nn ~ Poisson(exp(b))\n", {"n"}),
    ("a ~ Normal(0, 1)\nb ~ Normal(a, 1)\nfactor b\n", set()),
    ("a ~ Normal(0, 1)\n", {"a"}),
    # one feeds the other in the next round: found whatever the order of the lines
    ("dim t\nu[0] ~ Normal(0, 1)\nv[0] ~ Normal(0, 1)\nfor i in t[1:] {\n  u[i] ~ Normal(v[i-1], 1)\n"
     "  v[i] ~ Normal(u[i-1], 1)\n}\ny ~ Normal(u[-1], 1)\n", set()),
    ("def f(x: real): real { return x + 1 }\na ~ Normal(0, 1)\nx ~ Normal(0, 1)\ny ~ Normal(f(a * 2), 1)\n", {"x"}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_cases(text, expected):
    assert barren(build(checked("data y: real\n" + text))).barren == expected


def reaches(graph: Graph) -> set[str]:
    """Variables with a path to an observation or factor, by powers of the adjacency matrix."""
    names = [v.name for v in graph.variables]
    size = len(names) + 1  # the last one stands for all observations and factors
    step = np.eye(size, dtype=bool)
    for node in graph.nodes:
        ends = isinstance(node, FactorNode) or (isinstance(node, RandomNode) and node.observed)
        for name in names_read(node):
            step[names.index(name), size - 1 if ends else names.index(node.target.name)] = True
    far = np.linalg.matrix_power(step.astype(float), size) > 0
    return {name for n, name in enumerate(names) if far[n, -1]}


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs())
def test_against_reachability(generated):
    graph = build(checked(generated.text))
    inner = {v.name for v in graph.of_role(Role.LATENT, Role.COMPUTED)}
    assert barren(graph).barren == inner - reaches(graph)
