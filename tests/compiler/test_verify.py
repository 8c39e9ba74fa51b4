"""`verify` accepts what the compiler makes and refuses every kind of broken graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from checking import checked
from hypothesis import HealthCheck, given, settings
from loop_programs import LoopProgram, loop_programs
from strategies import programs

from emfppl.compiler.checked_to_graph import build
from emfppl.compiler.expressions import At, Axis, Kind, LoopVar, Ref, Type, Whole
from emfppl.compiler.graph import GateSpec, Graph, GuideSpec, Node, Role
from emfppl.compiler.passes import PASSES
from emfppl.compiler.pipeline import optimised
from emfppl.compiler.sizes import Size
from emfppl.compiler.verify import BadGraph, verify

TEXT = """\
dim k
dim d
data w[d]: real
data y[d]: real
s ~ HalfNormal(1)
b[k] ~ Dirichlet(1)
m = 2 * s
x[0] ~ Normal(0, s)
q[0] ~ Normal(0, s)
z[0] ~ Normal(0, 1)
for t in d[1:] {
  x[t] ~ Normal(q[t-1] + w[t], m)
  q[t] ~ Normal(x[t-1] + q[t-1], m)
  z[t] ~ Normal(z[t-1] + x[t-1], 1)
}
y[d] ~ Normal(x, s)
free[d] ~ Normal(b[0], 1)
factor sum(x * w)
"""
GRAPH = optimised(build(checked(TEXT)))
REAL = Type(Kind.REAL)


def at(name: str) -> int:
    """The number of the last node that defines a variable."""
    return max(n for n, node in enumerate(GRAPH.nodes) if getattr(getattr(node, "target", None), "name", None) == name)


def with_node(name: str, change: Callable[[Node], Node]) -> Graph:
    n = at(name)
    return replace(GRAPH, nodes=(*GRAPH.nodes[:n], change(GRAPH.nodes[n]), *GRAPH.nodes[n + 1 :]))


def with_domain(name: str, **changes) -> Graph:
    return with_node(name, lambda n: replace(n, domain=tuple(replace(a, **changes) for a in n.domain)))


def moved(name: str, to: int) -> Graph:
    rest = [n for k, n in enumerate(GRAPH.nodes) if k != at(name)]
    return replace(GRAPH, nodes=(*rest[:to], GRAPH.nodes[at(name)], *rest[to:]))


def with_role(name: str, role: Role) -> Graph:
    return replace(GRAPH, variables=tuple(replace(v, role=role) if v.name == name else v for v in GRAPH.variables))


def with_value(value) -> Graph:
    return with_node("m", lambda n: replace(n, value=value))


BROKEN = {
    "a variable twice": lambda: replace(GRAPH, variables=(*GRAPH.variables, GRAPH.variables[0])),
    "a variable that is not there": lambda: replace(GRAPH, variables=tuple(v for v in GRAPH.variables if v.name != "m")),
    "a dim that is not there": lambda: replace(GRAPH, dims=GRAPH.dims[1:]),
    "too few subscripts": lambda: with_value(Ref("x", (), REAL)),
    "a read of nothing": lambda: with_value(Ref("nothing", (), REAL)),
    "two axes of one name": lambda: with_node("y", lambda n: replace(n, domain=n.domain * 2)),
    "a loop variable outside its loop": lambda: with_value(LoopVar("t", Type(Kind.INT))),
    "a position outside its loop": lambda: with_value(Ref("x", (At("t", 1, Size()),), REAL)),
    "an axis that the target lacks": lambda: with_node("s", lambda n: replace(n, domain=GRAPH.nodes[at("y")].domain)),
    "a value over a dim that the target lacks": lambda: with_value(
        Ref("x", (Whole(Axis.whole("d")),), Type(Kind.REAL, (Axis.whole("d"),)))
    ),
    "an event axis in pieces": lambda: with_node(
        "b", lambda n: replace(n, target=replace(n.target, indices=(At(None, 1, Size()),)))
    ),
    "a latent that is computed": lambda: with_role("m", Role.LATENT),
    "data that are drawn": lambda: with_role("y", Role.DATA),
    "an observation that is not marked": lambda: with_node("y", lambda n: replace(n, observed=False)),
    "a scan in two pieces": lambda: moved("q", at("z")),
    "a scan with two ranges": lambda: with_domain("z", block=1, lower=Size.const(2), affine=True),
    "a scan half affine": lambda: with_domain("z", block=1, affine=False),
    "a use above the definition": lambda: moved("s", len(GRAPH.nodes) - 1),
    "a chain as if it were independent": lambda: with_domain("z", block=None, affine=False),
    "a barren variable that is needed": lambda: replace(GRAPH, barren=frozenset({"s"})),
    "barren data": lambda: replace(GRAPH, barren=frozenset({"w"})),
    "a gate of nothing": lambda: replace(GRAPH, guide=GuideSpec(gates=(("m", GateSpec()),))),
}


def test_the_graph_itself_is_whole():
    verify(GRAPH)
    assert GRAPH.barren == {"b", "z", "free"}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_broken_graphs_are_refused(broken):
    with pytest.raises(BadGraph):
        verify(broken())


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs())
def test_generated_programs_stay_whole(generated):
    graph = build(checked(generated.text))
    verify(graph)
    for rewrite in PASSES:
        graph = rewrite(graph)
        verify(graph)
        assert rewrite(graph) == graph


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(loop_programs())
def test_loops_stay_whole(program: LoopProgram):
    verify(optimised(build(checked(program.text))))
