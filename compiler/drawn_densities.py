"""What a drawing of density estimators shows: a chain of layers each, from noise to the event, and what they are conditioned on."""

from __future__ import annotations

from collections.abc import Iterator

from emfppl.compiler.drawn import Edge, Vertex
from emfppl.compiler.graph import DensitySpec, Graph, LayerSpec, Structured, Variable
from emfppl.compiler.graph_to_text import layer_text

NETWORKS = ("maf", "iaf", "coupling", "spline_flow", "bnaf")  # layers that look at what a density is conditioned on


def density_vertices(graph: Graph) -> tuple[Vertex, ...]:
    """For each density its noise, its layers, what is given, and the variables of its event."""
    return tuple(v for d in graph.densities for v in _vertices(d))


def density_edges(graph: Graph) -> tuple[Edge, ...]:
    """From noise through the layers to the event, and from what is given to the layers that look at it."""
    return tuple(e for d in graph.densities for e in _edges(d))


def _vertices(d: DensitySpec) -> Iterator[Vertex]:
    yield Vertex(_id(d, "noise"), "latent", "noise", (f"of {d.name}",))
    for n, layer in enumerate(d.layers):
        yield Vertex(_layer_id(d, n), "layer", layer.kind, tuple(filter(None, [layer_text(layer).partition("(")[2].rstrip(")")])))
    given = [v for v in d.data if v.name in d.given]
    yield from (Vertex(_id(d, v.name), "data", v.name, plates=v.dims) for v in given)
    yield from (Vertex(_id(d, v.name), "observed", v.name, (v.type_text,), _plates(v)) for v in d.variables)


def _edges(d: DensitySpec) -> Iterator[Edge]:
    chain = [_id(d, "noise"), *(_layer_id(d, n) for n in range(len(d.layers)))]
    yield from (Edge(a, b) for a, b in zip(chain, chain[1:], strict=False))
    yield from (Edge(chain[-1], _id(d, v.name)) for v in d.variables)
    for n, layer in enumerate(d.layers):
        yield from (Edge(_id(d, name), _layer_id(d, n)) for name in d.given if _looks_at(layer, name))


def _looks_at(layer: LayerSpec, name: str) -> bool:
    if layer.model is not None:
        return any(v.name == name for v in layer.model.variables)
    return layer.kind in NETWORKS


def _plates(v: Variable) -> tuple[str, ...]:
    rank = v.support.event_rank if isinstance(v.support, Structured) else 0
    return v.dims[: len(v.dims) - rank]


def _layer_id(d: DensitySpec, number: int) -> str:
    return _id(d, f"layer {number}")


def _id(d: DensitySpec, name: str) -> str:
    return f"density {d.name}: {name}"
