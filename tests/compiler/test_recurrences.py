"""Loop distribution against a run of the program element by element, and against dependences counted one by one."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from checking import checked
from executing import Run
from hypothesis import HealthCheck, given, settings
from loop_programs import SIZES, LoopProgram, loop_programs
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from strategies import programs

from emfppl.compiler.affine import classify
from emfppl.compiler.checked_to_graph import build
from emfppl.compiler.dependences import carried_axes, shared_loops
from emfppl.compiler.expressions import At, Gather
from emfppl.compiler.graph import FactorNode, Graph, Node, RandomNode
from emfppl.compiler.passes.recurrences import fission
from emfppl.compiler.references import node_refs

many = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


def graph_of(text: str) -> Graph:
    return build(checked(text))


def nodes_of(text: str) -> tuple[Node, ...]:
    return graph_of(text).nodes


def randoms(nodes: tuple[Node, ...]) -> frozenset[str]:
    return frozenset(n.target.name for n in nodes if isinstance(n, RandomNode))


def same_meaning(graph: Graph, after: tuple[Node, ...], sizes: dict, known: frozenset[str] = frozenset()) -> None:
    """Run element by element, `after` gives every element the history that `graph` gives it."""
    plain, split = Run(graph, sizes, known), Run(replace(graph, nodes=after), sizes, known)
    assert not plain.undefined
    assert split.elements == plain.elements
    assert split.factors == plain.factors


def axes_by_statement(nodes: tuple[Node, ...]) -> dict:
    """For each statement which axes are carried."""
    return {n.span: tuple((a.label, a.carried) for a in n.domain) for n in nodes}


# ---------------------------------------------------------------- it means the same


@many
@given(loop_programs())
def test_loops_mean_the_same(program: LoopProgram):
    graph = graph_of(program.text)
    same_meaning(graph, fission(graph.nodes), SIZES)
    known = randoms(graph.nodes)
    same_meaning(graph, fission(graph.nodes, known), SIZES, known)


@many
@given(programs())
def test_generated_programs_mean_the_same(generated):
    graph = graph_of(generated.text)
    same_meaning(graph, fission(graph.nodes), generated.sizes)
    known = randoms(graph.nodes)
    same_meaning(graph, fission(graph.nodes, known), generated.sizes, known)


@many
@given(loop_programs())
def test_again_changes_nothing_and_more_knowledge_refines(program: LoopProgram):
    graph = graph_of(program.text)
    once = fission(graph.nodes)
    assert fission(once) == once
    known = randoms(graph.nodes)
    at_once, in_steps = fission(graph.nodes, known), fission(once, known)
    assert axes_by_statement(at_once) == axes_by_statement(in_steps)
    same_meaning(graph, in_steps, SIZES, known)
    for one in axes_by_statement(once).items():
        finer = axes_by_statement(in_steps)[one[0]]
        assert all(coarse or not fine for (_, coarse), (_, fine) in zip(one[1], finer, strict=True))


# ---------------------------------------------------------------- it splits all that can be split


def counted(nodes: tuple[Node, ...], sizes: dict) -> set[tuple[int, int, str | None]]:
    """All dependences, found by listing who reads what: writer, reader, and the outermost loop of an earlier round."""

    def points(node):
        return [dict(zip([a.label for a in node.domain], p, strict=True)) for p in product(*(
            range(a.lower.evaluate(sizes), a.upper.evaluate(sizes)) for a in node.domain))]  # fmt: skip

    def places(indices, point):
        ranges = []
        for i in indices:
            if isinstance(i, At):
                ranges.append([(i.scale * point[i.loop] if i.loop else 0) + i.offset.evaluate(sizes)])
            elif isinstance(i, Gather):
                ranges.append(range(sizes[i.index.type.of]))
            else:
                ranges.append(range(i.axis.lower.evaluate(sizes), i.axis.upper.evaluate(sizes)))
        return product(*ranges)

    written = {}
    for w, node in enumerate(nodes):
        if not isinstance(node, FactorNode):
            written |= {(node.target.name, place): (w, p) for p in points(node) for place in places(node.target.indices, p)}
    found = set()
    for r, node in enumerate(nodes):
        for point in points(node):
            for ref in node_refs(node):
                for place in places(ref.indices, point):
                    w, then = written.get((ref.name, place), (None, {}))
                    if w is not None:
                        shared = shared_loops(nodes[w], node)
                        found.add((w, r, next((label for label in shared if then[label] != point[label]), None)))
    return found


def expected_axes(nodes: tuple[Node, ...], sizes: dict) -> dict:
    """Which axes must stay carried: by strongly connected components, loop by loop."""
    found = counted(nodes, sizes)
    carried: dict = {n.span: {} for n in nodes}

    def walk(members: list[int], depth: int) -> None:
        for block in dict.fromkeys(_block(nodes[m], depth) for m in members):
            mine = [m for m in members if _block(nodes[m], depth) == block]
            if block is None:
                continue
            axis = carried_axes(nodes[mine[0]])[depth]
            outer = {a.label for a in carried_axes(nodes[mine[0]])[:depth]}
            inside = [e for e in found if e[0] in mine and e[1] in mine and e[2] not in outer]
            matrix = np.zeros((len(mine), len(mine)))
            for w, r, _ in inside:
                matrix[mine.index(w), mine.index(r)] = 1
            part = connected_components(csr_matrix(matrix), directed=True, connection="strong")[1]
            for c in set(part):
                members_of = [m for m, p in zip(mine, part, strict=True) if p == c]
                stays = any(e[2] == axis.label and e[0] in members_of and e[1] in members_of for e in inside)
                for m in members_of:
                    carried[nodes[m].span][axis.label] = stays
                walk(members_of, depth + 1)

    walk(list(range(len(nodes))), 0)
    return {n.span: tuple((a.label, carried[n.span].get(a.label, False)) for a in n.domain) for n in nodes}


def _block(node: Node, depth: int) -> int | None:
    axes = carried_axes(node)
    return axes[depth].block if depth < len(axes) else None


@many
@given(loop_programs())
def test_what_can_be_independent_is(program: LoopProgram):
    nodes = nodes_of(program.text)
    assert axes_by_statement(fission(nodes)) == expected_axes(nodes, SIZES)


# ---------------------------------------------------------------- the table of shapes

HEAD = "dim d\ndim e\ndata w[d]: real\ndata y[d]: real\ndata g[d]: index(d)\nx[0] ~ Normal(0, 1)\nz[0] ~ Normal(0, 1)\n"
TABLE = {
    # name: (text, what each statement of the loops is; "-" independent, a number the scan, ~ affine)
    "independent": ("u = 1\nfor t in d[1:] {\n  x[t] ~ Normal(w[t], 1)\n  z[t] ~ Normal(x[t], 1)\n}\n", "- -"),
    "a walk": ("for t in d[1:] {\n  x[t] ~ Normal(x[t-1], 1)\n  z[t] ~ Normal(x[t], 1)\n}\n", "1~ -"),
    "reads the start only": ("for t in d[1:] {\n  x[t] ~ Normal(x[0], 1)\n  z[t] ~ Normal(x[t-1], 1)\n}\n", "- -"),
    "two scans": ("for t in d[1:] {\n  x[t] ~ Normal(x[t-1], 1)\n  z[t] ~ Normal(z[t-1] + x[t], 1)\n}\n", "1~ 2~"),
    "coupled": ("for t in d[1:] {\n  x[t] ~ Normal(x[t-1] + 2 * z[t-1], 1)\n  z[t] ~ Normal(x[t], 1)\n}\n", "1~ 1~"),
    "coupled, a product": ("for t in d[1:] {\n  x[t] ~ Normal(z[t-1], 1)\n  z[t] ~ Normal(x[t] * x[t-1], 1)\n}\n", "1 1"),
    "a product with what is outside": ("phi ~ Normal(0, 1)\nfor t in d[1:] {\n  x[t] ~ StudentT(4, phi * x[t-1] / w[t], exp(phi))\n"
        "  z[t] ~ Normal(0, 1)\n}\n", "1~ -"),
    "the scale": ("for t in d[1:] {\n  x[t] ~ Normal(x[t-1], exp(x[t-1]))\n  z[t] ~ Normal(0, 1)\n}\n", "1 -"),
    "the scale, without a function": ("for t in d[1:] {\n  x[t] ~ Normal(w[t], 2 + x[t-1])\n  z[t] ~ Normal(0, 1)\n}\n", "1 -"),
    "positive": ("for t in d[1:] {\n  x[t] ~ Normal(0, 1)\n  z[t]: positive ~ Normal(z[t-1], 1)\n}\n", "- 1"),
    "not location and scale": ("for t in d[1:] {\n  x[t] ~ LogNormal(x[t-1], 1)\n  z[t] ~ Normal(0, 1)\n}\n", "1 -"),
    "a condition": ("for t in d[1:] {\n  x[t] ~ Normal(if(w[t] > 0, x[t-1], -x[t-1]), 1)\n"
        "  z[t] ~ Normal(if(z[t-1] > 0, 1, 2), 1)\n}\n", "1~ 2"),
    "through a helper": ("for t in d[1:] {\n  m = 0.5 * x[t-1]\n  x[t] ~ Normal(m, 1)\n  z[t] ~ Normal(m, 1)\n}\n", "1~ 1~ -"),
    "through an observation": ("phi ~ Normal(0, 1)\nfor t in d[1:] {\n  x[t] ~ Normal(y[t-1], 1)\n  y[t] ~ Normal(phi * x[t], 1)\n"
        "  z[t] ~ Normal(0, 1)\n}\n", "1~ 1~ -"),
    "data ahead": ("for t in d[1:] {\n  x[t] ~ Normal(w[-1], 1)\n  z[t] ~ Normal(w[t-1], 1)\n}\n", "- -"),
    "odd from even": ("dim p = 2 * d\nv[p[:2]] = 0\nfor t in d[1:] {\n  v[2*t] = w[t]\n  v[2*t+1] = v[2*t] + v[2*t-1]\n"
        "  x[t] ~ Normal(0, 1)\n  z[t] ~ Normal(0, 1)\n}\n", "- 1~ - -"),
    "odd from earlier even": ("dim p = 2 * d\nv[p[:2]] = 0\nfor t in d[1:] {\n  v[2*t] = w[t]\n  v[2*t+1] = v[2*t] + v[2*t-2]\n"
        "  x[t] ~ Normal(0, 1)\n  z[t] ~ Normal(0, 1)\n}\n", "- - - -"),
    "backwards": ("v[d[-1:]] = 0\nfor t in d[1:] {\n  v[d-1-t] = v[d-t]\n  x[t] ~ Normal(0, 1)\n"
        "  z[t] ~ Normal(0, 1)\n}\n", "1~ - -"),
    "backwards from the end": ("v[d[-1:]] = 0\nfor t in d[1:] {\n  v[d-1-t] = v[-1]\n  x[t] ~ Normal(0, 1)\n"
        "  z[t] ~ Normal(0, 1)\n}\n", "- - -"),
    "a gather in the row before": ("data f[e]: index(e)\nv[0, e] = 0\nfor t in d[1:] {\n  v[t, e] = v[t-1, f]\n"
        "  x[t] ~ Normal(0, 1)\n  z[t] ~ Normal(0, 1)\n}\n", "1~ - -"),
    "a factor": ("for t in d[1:] {\n  x[t] ~ Normal(x[t-1], 1)\n  z[t] ~ Normal(0, 1)\n  factor x[t] * z[t-1]\n}\n", "1~ - -"),
    "a gather from the start": ("s[d] ~ Normal(0, 1)\nfor t in d[1:] {\n"
        "  x[t] ~ Normal(s[g[t]], 1)\n  z[t] ~ Normal(0, 1)\n}\n", "- -"),
}  # fmt: skip


def shape_of(nodes: tuple[Node, ...]) -> str:
    """What each statement of the loops is, in the order of the source."""
    numbers: dict = {}
    parts = []
    for node in sorted(nodes, key=lambda n: n.span):
        axis = next((a for a in node.domain if a.label == "t"), None)
        if axis is None:
            continue
        number = "-" if axis.block is None else str(numbers.setdefault(axis.block, len(numbers) + 1))
        parts.append(number + "~" * axis.affine)
    return " ".join(parts)


@pytest.mark.parametrize(("text", "expected"), TABLE.values(), ids=TABLE)
def test_shapes(text, expected):
    assert shape_of(fission(nodes_of(HEAD + text))) == expected


PANEL = """\
u[d, 0] ~ Normal(0, 1)
for i in d {
  for t in e[1:] {
    m = 0.5 * u[i, t-1]
    u[i, t] ~ Normal(m + w[i], 1)
  }
}
"""


def test_a_panel_is_one_scan_of_all_its_rows():
    nodes = fission(nodes_of(HEAD + "x[d[1:]] ~ Normal(0, 1)\nz[d[1:]] ~ Normal(0, 1)\n" + PANEL))
    inner = [n for n in nodes if any(a.label == "t" for a in n.domain)]
    assert [[(a.label, a.carried, a.affine) for a in n.domain] for n in inner] == [[("i", False, False), ("t", True, True)]] * 2
    assert inner[0].domain[1].block == inner[1].domain[1].block


def test_with_its_values_known_a_chain_is_independent():
    nodes = nodes_of(HEAD + TABLE["through a helper"][0])
    assert shape_of(fission(nodes, frozenset("xz"))) == "- - -"
    garch = nodes_of("dim d\ndata y[d]: real\nh[0] = 1\nfor t in d[1:] {\n  h[t] = 1 + y[t-1] ** 2 + 0.5 * h[t-1]\n"
                     "  y[t] ~ Normal(0, sqrt(h[t]))\n}\n")  # fmt: skip
    assert shape_of(fission(garch)) == "1 1"
    assert shape_of(fission(garch, frozenset("y"))) == "1~ -"


def test_order_is_kept_where_nothing_needs_another():
    text = "dim d\ndata w[d]: real\nfor t in d {\n  a[t] = w[t]\n  b[t] = a[t]\n  c[t] = w[t]\n}\nq = 1\nr[d] = c\n"
    assert [n.target.name for n in fission(nodes_of(text))] == ["a", "b", "c", "q", "r"]
    data_first = "dim d\ndata y[d]: real\nfor t in d {\n  a[t] = y[t]\n  y[t] ~ Normal(0, 1)\n  b[t] = y[t]\n}\n"
    assert [n.target.name for n in fission(nodes_of(data_first))] == ["a", "y", "b"]


TWO_INSIDE = """\
dim d
dim e
a[0, e] = 1
b[0, e] = 1
for i in d[1:] {
  for j in e {
    a[i, j] = b[i-1, j]
  }
  b[i, -1] = 1
  for j in e[:-1] {
    b[i, j] = a[i, j+1]
  }
}
"""


def test_loops_of_one_name_side_by_side_are_two():
    graph = graph_of(TWO_INSIDE)
    same_meaning(graph, fission(graph.nodes), {"d": 4, "e": 4})
    assert [[a.carried for a in n.domain] for n in fission(graph.nodes)[2:]] == [[False], [True, False], [True, False]]


def test_a_table_filled_from_two_sides_is_affine_in_its_inner_scan_only():
    text = "dim d\ndim e\ng[0, e] = 1\ng[d[1:], 0] = 1\nfor i in d[1:] {\n  for j in e[1:] {\n"
    text += "    g[i, j] = g[i-1, j] + g[i, j-1]\n  }\n}\n"
    assert [(a.block, a.affine) for a in fission(nodes_of(text))[-1].domain] == [(1, False), (2, True)]


def test_classes_of_blocks():
    nodes = fission(nodes_of(HEAD + TABLE["a condition"][0]))
    assert classify(nodes) == {1: "affine", 2: "general"}


# ---------------------------------------------------------------- the tests see a fault


def test_a_wrong_split_is_seen():
    graph = graph_of(HEAD + TABLE["a walk"][0])
    wrong = tuple(replace(n, domain=tuple(replace(a, block=None, affine=False) for a in n.domain)) for n in graph.nodes)
    same_meaning(graph, fission(graph.nodes), SIZES)
    for nodes in (wrong, graph.nodes[::-1]):
        with pytest.raises(AssertionError):
            same_meaning(graph, nodes, SIZES)


def test_a_dependence_left_out_is_seen(monkeypatch):
    """Were a lag of two not counted, two coupled statements would be split."""
    from emfppl.compiler import dependences as d

    text = "dim d\nx[d[:2]] = 0\nz[d[:2]] = 0\nfor t in d[2:] {\n  x[t] = z[t-2]\n  z[t] = x[t-1]\n}\n"
    graph = graph_of(text)
    same_meaning(graph, fission(graph.nodes), SIZES)
    meet = d._rounds_meet
    short = lambda a, b, gap, how: meet(a, b, gap, how) and gap != 2  # noqa: E731
    monkeypatch.setattr(d, "_rounds_meet", short)
    with pytest.raises(AssertionError):
        same_meaning(graph, fission(graph.nodes), SIZES)
