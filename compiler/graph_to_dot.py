"""Drawings as text: DOT for Graphviz, Mermaid for pages.

Plates are boxes, latents circles, observed variables shaded circles, data squares, params squares with a double rim, computed
variables dashed. A black dot is a gate, a black square a factor, a dotted edge comes from an earlier round. The layers of a density
estimator are boxes in a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape

from emfppl.compiler.drawn import Edge, Vertex, edges, vertices
from emfppl.compiler.drawn_densities import density_edges, density_vertices
from emfppl.compiler.graph import Graph

STYLES = {
    "latent": "shape=ellipse",
    "barren": 'shape=ellipse, color=gray60, fontcolor=gray40, style="filled", fillcolor=white',
    "observed": 'shape=ellipse, fillcolor="gray85"',
    "computed": 'shape=ellipse, style="filled,dashed"',
    "data": "shape=box, height=0.35",
    "param": "shape=box, height=0.35, peripheries=2",
    "factor": 'shape=square, label="", xlabel="factor", width=0.15, fixedsize=true, fillcolor=black',
    "gate": "shape=point, width=0.08, fillcolor=black",
    "layer": "shape=box, height=0.35",
}
HEAD = """\
digraph program {
  graph [fontname="Helvetica", fontsize=11, ranksep=0.35, nodesep=0.3]
  node [fontname="Helvetica", fontsize=12, style=filled, fillcolor=white]
  edge [fontname="Helvetica", fontsize=9, fontcolor="gray35", arrowsize=0.6]"""


def to_dot(graph: Graph) -> str:
    """The graph in Graphviz's language."""
    sizes = {d.name: d.size for d in graph.dims}
    counter = iter(range(10**9))

    def opening(dim: str) -> str:
        size = sizes.get(dim.rstrip("'"))
        label = dim if size is None else f"{dim} = {size}"
        return f"subgraph cluster_{next(counter)} {{\nlabel={_quoted(label)}; labeljust=r; labelloc=b; color=gray60; style=rounded"

    body = _nested(_all_vertices(graph), (), _dot_vertex, opening, "}")
    return "\n".join([HEAD, *_indented(body), *("  " + _dot_edge(e) for e in _all_edges(graph)), "}"]) + "\n"


def _all_vertices(graph: Graph) -> tuple[Vertex, ...]:
    return (*vertices(graph), *density_vertices(graph))


def _all_edges(graph: Graph) -> tuple[Edge, ...]:
    return (*edges(graph), *density_edges(graph))


def _nested(
    inside: Iterable[Vertex], path: tuple[str, ...], draw: Callable[[Vertex], str], opening: Callable[[str], str], closing: str
) -> list[str]:
    """The vertices of a plate, then the plates in it with theirs."""
    inside = list(inside)
    out = [draw(v) for v in inside if v.plates == path]
    for dim in dict.fromkeys(v.plates[len(path)] for v in inside if len(v.plates) > len(path)):
        within = (*path, dim)
        mine = [v for v in inside if v.plates[: len(within)] == within]
        out += [*opening(dim).split("\n"), *_nested(mine, within, draw, opening, closing), closing]
    return out


def _indented(lines: Iterable[str]) -> list[str]:
    """Lines indented by the braces or blocks around them."""
    out, depth = [], 1
    for line in lines:
        depth -= line in ("}", "end")
        out.append("  " * depth + line)
        depth += line.startswith("subgraph ")
    return out


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


def _dot_vertex(v: Vertex) -> str:
    label = "" if v.kind in ("gate", "factor") else f"label=<{_html(v)}>, "
    return f"{_quoted(v.id)} [{label}{STYLES[v.kind]}]"


def _html(v: Vertex) -> str:
    small = "".join(f'<br/><font point-size="9" color="gray35">{escape(note)}</font>' for note in v.notes)
    return escape(v.name) + small


def _dot_edge(e: Edge) -> str:
    options = [f"label={_quoted(e.label)}"] if e.label else []
    options += ["style=dashed", "constraint=false"] if e.lagged else []
    options += ["arrowhead=none"] if e.target.startswith("gate ") else []
    return f"{_quoted(e.source)} -> {_quoted(e.target)}" + (f" [{', '.join(options)}]" if options else "")


# ---------------------------------------------------------------- Mermaid

BRACKETS = {
    "latent": ("((", "))"), "barren": ("((", "))"), "observed": ("((", "))"), "computed": ("(", ")"), "data": ("[", "]"),
    "param": ("[[", "]]"), "factor": ("[", "]"), "gate": ("((", "))"),
    "layer": ("[", "]"),
}  # fmt: skip
CLASSES = """\
classDef observed fill:#d9d9d9,stroke:#333
classDef computed stroke-dasharray:4 3
classDef barren stroke:#999,color:#666
classDef gate fill:#000,stroke:#000,color:#000
classDef factor fill:#000,color:#fff"""


def to_mermaid(graph: Graph) -> str:
    """The graph as a Mermaid flowchart."""
    drawn = _all_vertices(graph)
    ids = {v.id: f"n{n}" for n, v in enumerate(drawn)}
    counter = iter(range(10**9))

    def vertex(v: Vertex) -> str:
        left, right = BRACKETS[v.kind]
        text = "<br/>".join([v.name, *(f"<small>{note}</small>" for note in v.notes)]) or " "
        return f'{ids[v.id]}{left}"{text}"{right}'

    body = _nested(drawn, (), vertex, lambda dim: f'subgraph p{next(counter)}["{dim}"]', "end")
    lines = [*body, *(_mermaid_edge(e, ids) for e in _all_edges(graph))]
    marked = [f"class {ids[v.id]} {v.kind}" for v in drawn if f"classDef {v.kind} " in CLASSES]
    return "\n".join(["flowchart TB", *_indented(lines), *("  " + line for line in (*CLASSES.split("\n"), *marked))]) + "\n"


def _mermaid_edge(e: Edge, ids: dict[str, str]) -> str:
    arrow = "-.->" if e.lagged else "---" if e.target.startswith("gate ") else "-->"
    label = f'|"{e.label}"|' if e.label else ""
    return f"{ids[e.source]} {arrow}{label} {ids[e.target]}"
