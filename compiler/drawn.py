"""What a drawing of a graph shows, whatever it is drawn with: vertices in plates, and the edges between them.

One vertex a variable. A latent with parents has its gate between them and it: what comes from above passes the gate. What comes
from an earlier round of a scan is a lagged edge straight into the variable. A latent without parents, which has no edge, says its
gate itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from emfppl.compiler.dependences import shared_loops
from emfppl.compiler.expression_text import index_text
from emfppl.compiler.expressions import At, Ref, Whole
from emfppl.compiler.graph import FactorNode, GateSpec, Graph, Node, RandomNode, Role, Structured, Variable
from emfppl.compiler.references import names_read, node_refs


@dataclass(frozen=True, slots=True)
class Vertex:
    """A variable, a factor or a gate. `kind`: the role of a variable, ``barren``, ``factor`` or ``gate``; `notes`: small print
    below the name; `plates`: the dims around it, outermost first."""

    id: str
    kind: str
    name: str = ""
    notes: tuple[str, ...] = ()
    plates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """From one vertex to another. `lagged`: from an earlier round of the scan that both are in."""

    source: str
    target: str
    label: str = ""
    lagged: bool = False


def vertices(graph: Graph) -> tuple[Vertex, ...]:
    """Every variable in the order of the file, gates in front of their latents, then factors."""
    plates = _plates(graph)
    out: list[Vertex] = []
    for v in graph.variables:
        if gated(graph, v.name):
            out.append(Vertex(_gate_id(v.name), "gate", plates=plates[v.name]))
        kind = "barren" if v.role is Role.LATENT and v.name in graph.barren else v.role.value
        out.append(Vertex(v.name, kind, _shown(v), _notes(graph, v), plates[v.name]))
    factors = [n for n in graph.nodes if isinstance(n, FactorNode)]
    return (*out, *(Vertex(_factor_id(n), "factor", "factor") for n in range(len(factors))))


def edges(graph: Graph) -> tuple[Edge, ...]:
    """All edges, each once."""
    out: list[Edge] = []
    for node in graph.nodes:
        if not isinstance(node, FactorNode):
            out += _into(graph, node)
    factors = [n for n in graph.nodes if isinstance(n, FactorNode)]
    out += [Edge(name, _factor_id(n)) for n, node in enumerate(factors) for name in sorted(names_read(node))]
    out += [Edge(_gate_id(v.name), v.name, gate_note(graph, v.name)) for v in graph.variables if gated(graph, v.name)]
    return _labelled_once(tuple(dict.fromkeys(out)))


def _labelled_once(all_edges: tuple[Edge, ...]) -> tuple[Edge, ...]:
    """A lag that a variable's edge to itself says already is left out of the other edges into it."""
    said = {(e.target, e.label) for e in all_edges if e.lagged and e.source == e.target}
    return tuple(
        Edge(e.source, e.target, "", True) if e.lagged and e.source != e.target and (e.target, e.label) in said else e
        for e in all_edges
    )


# ---------------------------------------------------------------- vertices


def _gate_id(name: str) -> str:
    return f"gate {name}"


def _factor_id(number: int) -> str:
    return f"factor {number}"


def _shown(v: Variable) -> str:
    return v.name.split("@")[0]


def _notes(graph: Graph, v: Variable) -> tuple[str, ...]:
    """The distribution, and the gate where no edge can show it."""
    families = dict.fromkeys(n.dist.name for n in graph.defining(v.name) if isinstance(n, RandomNode))
    if v.name in graph.summed_out:
        return (*(["; ".join(families)] if families else []), "summed out")
    alone = _in_guide(graph, v.name) and not gated(graph, v.name)
    return (*(["; ".join(families)] if families else []), *([gate_note(graph, v.name)] if alone else []))


def _plates(graph: Graph) -> dict[str, tuple[str, ...]]:
    """The dims of each variable but those of its vectors and matrices; a dim that more variables have lies further out."""
    batch = {v.name: v.dims[: len(v.dims) - _event_rank(graph, v)] for v in graph.variables}
    common = Counter(d for dims in batch.values() for d in dims)
    order = {d: n for n, d in enumerate(common)}
    return {name: tuple(sorted(dims, key=lambda d: (-common[d], order[d]))) for name, dims in batch.items()}


def _event_rank(graph: Graph, v: Variable) -> int:
    """How many of a variable's last dims are one vector or matrix."""
    nodes = graph.defining(v.name)
    if nodes and isinstance(nodes[0], RandomNode):
        return sum(isinstance(i, Whole) for i in nodes[0].target.indices)
    primed = sum(d.endswith("'") for d in v.dims)
    return v.support.event_rank if isinstance(v.support, Structured) else 2 * bool(primed)


# ---------------------------------------------------------------- gates


def _in_guide(graph: Graph, name: str) -> bool:
    out = graph.barren | graph.summed_out
    return name not in out and graph.variable(name).role is Role.LATENT


def gated(graph: Graph, name: str) -> bool:
    """Whether a variable has a gate with something to let through."""
    return _in_guide(graph, name) and any(not e.lagged for n in graph.defining(name) for e in _reads(n, graph))


def gate_note(graph: Graph, name: str) -> str:
    """``gate 0.98 per element``, ``gate off``; a number has one gate either way."""
    given = dict(graph.guide.gates)
    spec = given.get(name) or given.get("all") or GateSpec()
    if not spec.opened:
        return f"gate {spec.mode}"
    each = f" {spec.mode.replace('_', ' ')}" if graph.variable(name).dims else ""
    return f"gate {spec.init:g}{each}"


# ---------------------------------------------------------------- edges


def _into(graph: Graph, node: Node) -> Iterator[Edge]:
    assert not isinstance(node, FactorNode)
    name = node.target.name
    through = _gate_id(name) if gated(graph, name) else name
    for edge in _reads(node, graph):
        yield edge if edge.lagged else Edge(edge.source, through)


def _reads(node: Node, graph: Graph) -> Iterator[Edge]:
    """An edge for each variable that a node reads, straight into its own."""
    assert not isinstance(node, FactorNode)
    for ref in node_refs(node):
        writers = [n for n in graph.defining(ref.name) if shared_loops(n, node)]
        lag = _lag(ref, node)
        if writers and lag:
            yield Edge(ref.name, node.target.name, lag, lagged=True)
        else:
            yield Edge(ref.name, node.target.name)


def _lag(ref: Ref, node: Node) -> str:
    """``t-1``: the positions of a reference to earlier rounds; nothing where all are of the same round."""
    assert not isinstance(node, FactorNode)
    here = {i for i in node.target.indices if isinstance(i, At)}
    moved = [i for i in ref.indices if isinstance(i, At) and i.loop is not None and i not in here]
    return ", ".join(map(index_text, moved))
