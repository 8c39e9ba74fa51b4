"""What a program holds, as plain data and as text."""

from __future__ import annotations

from typing import Any

from emfppl.compiler.graph import Graph, RandomNode, Role, Variable
from emfppl.grammar.source import Span


def info(graph: Graph) -> dict[str, Any]:
    """Dims, data, params, latents and computed variables; every entry a dict that JSON can hold."""
    return {
        "dims": [{"name": d.name, "size": None if d.size is None else str(d.size)} for d in graph.dims],
        "data": [_data(v) for v in graph.of_role(Role.DATA, Role.OBSERVED)],
        "params": [_named(v) for v in graph.of_role(Role.PARAM)],
        "latents": [_latent(graph, v) for v in graph.of_role(Role.LATENT)],
        "computed": [_named(v) for v in graph.of_role(Role.COMPUTED) if not v.local],
    }


def _named(variable: Variable) -> dict[str, Any]:
    return {"name": variable.name, "dims": list(variable.dims)}


def _data(variable: Variable) -> dict[str, Any]:
    facts = {
        "type": variable.type_text,
        "observed": variable.role is Role.OBSERVED,
        "has_default": variable.default is not None,
    }
    return {**_named(variable), **facts}


def _latent(graph: Graph, variable: Variable) -> dict[str, Any]:
    nodes = [n for n in graph.defining(variable.name) if isinstance(n, RandomNode)]
    facts = {
        "distribution": [_text(graph, n.dist.span) for n in nodes],
        "in_guide": variable.name not in graph.barren,
    }
    return {**_named(variable), **facts}


def _text(graph: Graph, span: Span) -> str:
    """The text of the program there, on one line."""
    return " ".join(graph.source.text[span.start : span.end].split()) if graph.source else ""


def info_text(about: dict[str, Any]) -> str:
    """`info` for people, a line an entry."""
    rows = [("dim", d["name"], "" if d["size"] is None else f"= {d['size']}") for d in about["dims"]]
    rows += [("data", _head(d), _data_note(d)) for d in about["data"]]
    rows += [("param", _head(d), "") for d in about["params"]]
    rows += [("latent", _head(d), _latent_note(d)) for d in about["latents"]]
    rows += [("computed", _head(d), "") for d in about["computed"]]
    width = max((len(name) for _, name, _ in rows), default=0)
    return "\n".join(f"{kind:8}  {name:{width}}  {note}".rstrip() for kind, name, note in rows)


def _head(entry: dict[str, Any]) -> str:
    return entry["name"] + (f"[{', '.join(entry['dims'])}]" if entry["dims"] else "")


def _data_note(entry: dict[str, Any]) -> str:
    notes = [entry["type"], "observed" * entry["observed"], "may be left out" * entry["has_default"]]
    return ", ".join(n for n in notes if n)


def _latent_note(entry: dict[str, Any]) -> str:
    return "~ " + "; ".join(entry["distribution"]) + ("" if entry["in_guide"] else "  (nothing observed below it: drawn forward)")
