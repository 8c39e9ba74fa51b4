"""Which discrete variables are summed out together, along which chains, and what the graph's texts and `verify` say of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from checking import checked

import emfppl
from emfppl.compiler.checked_to_graph import build
from emfppl.compiler.drawn import vertices
from emfppl.compiler.graph import Graph, Marginal
from emfppl.compiler.graph_to_text import to_text
from emfppl.compiler.pipeline import optimised
from emfppl.compiler.verify import BadGraph, verify
from emfppl.info import info_text

TEXT = """\
dim state = 3
dim time
dim unit
data y[time]: real
data v[unit]: real
data seen[unit]: bool?
P[state, state'] ~ Dirichlet(1)
mu[state] ~ Normal(0, 1)
z[0] ~ Categorical(P[0])
for t in time[1:] {
  z[t] ~ Categorical(P[z[t-1]])
}
level[time] = mu[z]
y[time] ~ Normal(level, 1)
here[unit] ~ Bernoulli(0.3)
seen[unit] ~ Bernoulli(if(here, 0.5, 0))
n[unit] ~ Binomial(2, 0.4)
v[unit] ~ Normal(n + here, 1)
later ~ Bernoulli(0.5)
"""
GRAPH = optimised(build(checked(TEXT)))


def statements(graph: Graph, marginal: Marginal) -> list[str]:
    return [graph.nodes[n].target.name for n in marginal.nodes]  # type: ignore[union-attr]


def test_variables_that_share_a_statement_are_summed_out_together():
    chain, units = GRAPH.marginals
    assert (chain.names, chain.chains) == (("z",), ("time",))
    assert statements(GRAPH, chain) == ["z", "z", "level", "y"]
    assert (units.names, units.chains) == (("here", "n"), (None, None))
    assert statements(GRAPH, units) == ["here", "seen", "n", "v"]
    assert GRAPH.summed_out == {"z", "here", "n"} and GRAPH.barren == {"later"}


def test_the_texts_say_what_is_summed_out_and_how():
    assert "sum over z (along time): z[0], z[t], level[time], y[time]\n" in to_text(GRAPH)
    lines = info_text(emfppl.load(TEXT).info()).splitlines()
    assert "summed out: forward algorithm along time" in next(line for line in lines if " z[time]" in line)
    assert "summed out: over its 2 values, with `n`" in next(line for line in lines if " here[unit]" in line)
    assert "summed out" in next(v for v in vertices(GRAPH) if v.name == "here").notes


BROKEN = {
    "a sum without a statement that reads": lambda m: (replace(m[0], nodes=m[0].nodes[:-2]), m[1]),
    "a variable in two sums": lambda m: (*m, m[1]),
    "a sum over real numbers": lambda m: (replace(m[0], names=("mu",)), m[1]),
    "a sum over what is drawn forward": lambda m: (replace(m[1], names=("later",)),),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_broken_sums_are_refused(broken):
    verify(GRAPH)
    with pytest.raises(BadGraph):
        verify(replace(GRAPH, marginals=broken(GRAPH.marginals)))
