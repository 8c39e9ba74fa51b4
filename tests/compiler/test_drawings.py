"""Drawings: what is drawn, that Graphviz reads it where it is installed, and that nothing in a name breaks out of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from strategies import programs

from emfppl.compiler.drawn import Edge, Vertex, edges, gate_note, vertices
from emfppl.compiler.graph import Graph, Role
from emfppl.compiler.graph_to_dot import to_dot, to_mermaid
from emfppl.compiler.passes.barren import barren
from emfppl.compiler.pipeline import compile_text
from emfppl.compiler.references import names_read
from emfppl.grammar.source import SourceText

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.emf"))
RADON, SCHOOLS, BRIDGE = (
    compile_text(SourceText(next(p for p in EXAMPLES if p.stem == name).read_text()))
    for name in ("radon", "eight_schools", "brownian_bridge")
)
LORENZ = compile_text(SourceText("""\
dim time
data seen[time]: real?
x[0] ~ Normal(0, 1)
y[0] ~ Normal(0, 1)
for t in time[1:] {
  x[t] ~ Normal(x[t-1] + 0.1 * (y[t-1] - x[t-1]), 1)
  y[t] ~ Normal(y[t-1] * x[t-1], 1)
}
seen[time] ~ Normal(x, 1)
"""))  # fmt: skip


def vertex(graph: Graph, name: str) -> Vertex:
    return next(v for v in vertices(graph) if v.id == name)


def test_plates_hold_what_runs_over_them():
    assert {v.name: v.plates for v in vertices(RADON) if v.name} == {
        "county_of": ("obs",), "floor": ("obs",), "uranium": ("county",), "log_radon": ("obs",), "g0": (), "g1": (),
        "sigma_county": (), "a": ("county",), "b": (), "sigma_y": (),
    }  # fmt: skip
    nested = "dim a\ndim b\ndata y[a, b]: real\nm[a] ~ Normal(0, 1)\ny[a, b] ~ Normal(m, 1)\nL[a, b, b'] ~ LKJCholesky(1)\n"
    graph = compile_text(SourceText(nested))
    assert [vertex(graph, n).plates for n in ("m", "y", "L")] == [("a",), ("a", "b"), ("a",)]


def test_what_comes_from_above_passes_the_gate():
    into = [(e.source, e.target, e.label) for e in edges(SCHOOLS) if e.target in ("gate theta", "theta")]
    assert into == [("mu", "gate theta", ""), ("tau", "gate theta", ""), ("gate theta", "theta", "gate 0.98 per element")]
    assert vertex(SCHOOLS, "mu").notes == ("Normal", "gate 0.98")
    assert vertex(SCHOOLS, "y").kind == "observed"
    assert vertex(SCHOOLS, "sigma").kind == "data"


def test_gates_are_those_of_the_guide_block():
    assert gate_note(BRIDGE, "s") == "gate off"
    assert vertex(BRIDGE, "s").notes == ("LogNormal", "gate off")
    text = "dim a\ndata y[a]: real\nm[a] ~ Normal(0, 1)\ny[a] ~ Normal(m, 1)\nguide {\n  gate all: per_variable, init = 0.5\n}\n"
    assert gate_note(compile_text(SourceText(text)), "m") == "gate 0.5 per variable"


def test_earlier_rounds_are_lagged_edges():
    assert Edge("x", "x", "t-1", lagged=True) in edges(BRIDGE)
    lagged = {(e.source, e.target, e.label) for e in edges(LORENZ) if e.lagged}
    assert lagged == {("x", "x", "t-1"), ("y", "y", "t-1"), ("y", "x", ""), ("x", "y", "")}


def test_what_is_not_in_the_guide_has_no_gate():
    graph = compile_text(SourceText("data y: real\na ~ Normal(0, 1)\nb ~ Normal(a, 1)\nc = a + b\ny ~ Normal(a, 1)\nfactor -a\n"))
    assert vertex(graph, "b").kind == "barren"
    assert vertex(graph, "c").kind == "computed"
    assert [e for e in edges(graph) if e.target in ("b", "gate b")] == [Edge("a", "b")]
    assert Edge("a", "factor 0") in edges(graph)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs())
def test_every_dependence_is_drawn_and_no_other(generated):
    graph = barren(compile_text(SourceText(generated.text)))
    drawn = {(e.source, e.target.removeprefix("gate ")) for e in edges(graph)}
    drawn = {(a, b) for a, b in drawn if not a.startswith("gate ") and not b.startswith("factor ")}
    real = {(a, n.target.name) for n in graph.nodes if hasattr(n, "target") for a in names_read(n)}
    assert drawn == real
    ids = [v.id for v in vertices(graph)]
    assert len(set(ids)) == len(ids)
    assert {end for e in edges(graph) for end in (e.source, e.target)} <= set(ids)
    assert {v.name for v in graph.of_role(Role.LATENT, Role.COMPUTED, Role.OBSERVED)} <= set(ids)


@pytest.mark.parametrize("path", EXAMPLES, ids=[p.stem for p in EXAMPLES])
def test_texts(path, request):
    graph = compile_text(SourceText(path.read_text()))
    for found, ending in ((to_dot(graph), "dot"), (to_mermaid(graph), "mmd")):
        expected = path.parents[1] / f"tests/golden/drawings/{path.stem}.{ending}"
        if request.config.getoption("--update-golden"):
            expected.write_text(found)
        assert found == expected.read_text()


@pytest.mark.parametrize("graph", [RADON, SCHOOLS, BRIDGE, LORENZ])
def test_blocks_are_closed(graph):
    dot, mermaid = to_dot(graph), to_mermaid(graph)
    assert dot.count("{") == dot.count("}")
    assert len(re.findall(r"^ *subgraph ", mermaid, re.M)) == len(re.findall(r"^ *end$", mermaid, re.M))


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
@pytest.mark.parametrize("graph", [RADON, SCHOOLS, BRIDGE, LORENZ])
def test_graphviz_reads_it(graph):
    done = subprocess.run(["dot", "-Tsvg"], input=to_dot(graph), capture_output=True, text=True, check=True)
    assert not done.stderr
    assert "<svg" in done.stdout
