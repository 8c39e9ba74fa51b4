"""From checked statements to nodes: domains, targets, blocks."""

from __future__ import annotations

from checking import checked, statements
from hypothesis import HealthCheck, given, settings
from loop_programs import LoopProgram, loop_programs
from strategies import programs

from emfppl.compiler.checked_to_graph import build
from emfppl.compiler.expressions import At, Axis, Whole
from emfppl.compiler.graph import DomainAxis, Graph
from emfppl.compiler.sizes import Size

ZERO = Size()


def graph(text: str) -> Graph:
    return build(checked(text))


def test_a_whole_dim_is_an_independent_axis():
    node = graph("dim a\ndim b\nx[a, b[1:]] ~ Normal(0, 1)\nx[a, 0] ~ Normal(0, 1)\n").nodes[0]
    assert node.domain == (DomainAxis("a", "a", ZERO, Size.of("a")), DomainAxis("b", "b", Size.const(1), Size.of("b")))
    assert node.target.indices == (At("a", 1, ZERO), At("b", 1, ZERO))


def test_axes_of_one_draw_stay_whole():
    text = "dim a\ndim k\nL[a, k, k'] ~ LKJCholesky(1)\np[a, k] ~ Dirichlet(1)\n"
    text += "q[a, k]: ordered ~ Normal(0, 1)\nf[k]: simplex ~ Flat()\n"
    for node, event in zip(graph(text).nodes, (2, 1, 1, 1), strict=True):
        kinds = [type(i) for i in node.target.indices]
        assert kinds == [At] * (len(kinds) - event) + [Whole] * event
        assert [a.label for a in node.domain] == ["a"] * (len(kinds) - event)


def test_the_second_axis_of_a_matrix_of_numbers_is_an_axis_like_any_other():
    node = graph("dim k\nm[k, k'] ~ Normal(0, 1)\n").nodes[0]
    assert [(a.label, a.dim) for a in node.domain] == [("k", "k"), ("k'", "k")]
    assert node.domain[1].axis == Axis.whole("k'")


def test_loops_are_carried_and_numbered_from_outside():
    text = "dim a\ndim b\nfor i in a {\n  x[i] ~ Normal(0, 1)\n  for j in b {\n    y[i, j] ~ Normal(x[i], 1)\n  }\n}\n"
    text += "for i in a[1:] {\n  factor x[i] - x[i-1]\n}\n"
    nodes = graph(text).nodes
    assert [[(a.label, a.block) for a in n.domain] for n in nodes] == [[("i", 1)], [("i", 1), ("j", 2)], [("i", 3)]]
    assert nodes[2].domain[0].lower == Size.const(1)


def test_a_helper_is_an_array_over_its_loops():
    nodes = graph("dim a\nfor i in a {\n  h = 2\n  x[i] = h\n}\n").nodes
    assert nodes[0].target.indices == (At("i", 1, ZERO),)
    assert nodes[1].value.indices == (At("i", 1, ZERO),)


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs() | loop_programs())
def test_each_statement_is_one_node_in_its_place(program: LoopProgram):
    program = checked(program.text)
    assert [n.span for n in build(program).nodes] == [s.span for s in statements(program.statements)]
    assert build(program) == build(program)
