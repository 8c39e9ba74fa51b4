"""What a program holds, as plain data and as text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from emfppl.compiler.expressions import Expr, Kind, Ref, walk
from emfppl.compiler.graph import (
    DomainAxis,
    FactorNode,
    GateSpec,
    Graph,
    Integers,
    Interval,
    Node,
    RandomNode,
    Role,
    Structured,
    Support,
    Variable,
    node_exprs,
)
from emfppl.compiler.supports import const_bound
from emfppl.grammar.ast_nodes import Model
from emfppl.grammar.source import Span
from emfppl.info_densities import density_facts, density_note

Facts = dict[str, Any]


def info(graph: Graph) -> Facts:
    """Dims, data, params, latents, computed variables and loops; every entry a dict that JSON can hold."""
    return {
        "dims": [{"name": d.name, "size": None if d.size is None else str(d.size)} for d in graph.dims],
        "data": [_data(graph, v) for v in graph.of_role(Role.DATA, Role.OBSERVED)],
        "params": [{**_named(v), "type": v.type_text} for v in graph.of_role(Role.PARAM)],
        "latents": [_latent(graph, v) for v in graph.of_role(Role.LATENT)],
        "computed": [
            {**_named(v), "type": _type(v), "parents": _parents(graph, v)} for v in graph.of_role(Role.COMPUTED) if not v.local
        ],
        "factors": sum(isinstance(n, FactorNode) for n in graph.nodes),
        "loops": _loops(graph),
        "models": [{"name": m.name, "arguments": [a.name for a in m.args]} for m in _own_models(graph)],
        "guide": _guide(graph),
        "gaussian": _gaussian(graph),
        "densities": [density_facts(d) for d in graph.densities],
    }


def _own_models(graph: Graph) -> list[Model]:
    """The sub-models of the program's own file."""
    return [m for m in graph.models if graph.source is not None and graph.source.part_at(m.span.start) is None]


def _named(variable: Variable) -> Facts:
    return {"name": variable.name, "dims": list(variable.dims)}


def _data(graph: Graph, variable: Variable) -> Facts:
    facts = {
        "type": variable.type_text,
        "observed": variable.role is Role.OBSERVED,
        "has_default": variable.default is not None,
        "missing": _missing(graph, variable),
    }
    seen = {"distribution": _drawn(graph, variable), "parents": _parents(graph, variable)}
    return {**_named(variable), **facts, **(seen if variable.role is Role.OBSERVED else {})}


def _latent(graph: Graph, variable: Variable) -> Facts:
    nodes = [n for n in graph.defining(variable.name) if isinstance(n, RandomNode)]
    return {
        **_named(variable),
        "type": _type(variable),
        "distribution": _drawn(graph, variable),
        "support": [_type(variable)] if variable.of else list(dict.fromkeys(support_text(graph, n.support) for n in nodes)),
        "parents": _parents(graph, variable),
        "gate": _gate(graph, variable.name),
        "in_guide": variable.name not in graph.barren | graph.summed_out,
        "summed_out": _summed_out(graph, variable),
    }


def _type(variable: Variable) -> str:
    """``real``, ``int``, ``bool`` or ``index(state)``."""
    return f"index({variable.of})" if variable.of else variable.kind.value


def _missing(graph: Graph, variable: Variable) -> str | None:
    """What becomes of missing entries; None where there can be none."""
    if not variable.optional:
        return None
    read = any(variable.name in _refs(node_exprs(n)) for n in graph.nodes)
    if not read:
        return "left out of the likelihood"
    return "latents" if variable.kind is Kind.REAL else "summed out"


def _summed_out(graph: Graph, variable: Variable) -> str | None:
    """How a discrete latent is summed out: ``mixture over its 3 values``, ``forward algorithm along time``, and with what."""
    for marginal in graph.marginals:
        if variable.name in marginal.names:
            chain = marginal.chains[marginal.names.index(variable.name)]
            how = f"forward algorithm along {chain}" if chain else f"over {_values(graph, variable)}"
            others = [f"`{n}`" for n in marginal.names if n != variable.name]
            return how + (f", with {', '.join(others)}" if others else "")
    return None


def _values(graph: Graph, variable: Variable) -> str:
    """The values of a discrete latent, counted where they are constants."""
    if variable.of:
        return f"the positions of {variable.of}"
    limits = [(const_bound(n.support.lower, 0), const_bound(n.support.upper, 0)) for n in graph.defining(variable.name)
              if isinstance(n, RandomNode) and isinstance(n.support, Integers)]  # fmt: skip
    if all(low is not None and high is not None for low, high in limits):
        return f"its {max(int(high - low) + 1 for low, high in limits)} values"  # type: ignore[operator]
    return "its values"


def _drawn(graph: Graph, variable: Variable) -> list[str]:
    """The distributions as written, one a statement."""
    return [_text(graph, n.dist.span) for n in graph.defining(variable.name) if isinstance(n, RandomNode)]


def _parents(graph: Graph, variable: Variable) -> list[str]:
    """The variables that its definitions use, helpers of loops replaced by what they use."""
    found: dict[str, None] = {}
    for node in graph.defining(variable.name):
        for name in _used(graph, node, frozenset()):
            found.setdefault(name)
    return list(found)


def _used(graph: Graph, node: Node, seen: frozenset[str]) -> Iterable[str]:
    for name in _refs(node_exprs(node)):
        variable = next((v for v in graph.variables if v.name == name), None)
        if variable is None or name in seen:
            continue
        if not variable.local:
            yield name
            continue
        for inner in graph.defining(name):
            yield from _used(graph, inner, seen | {name})


def _refs(exprs: Iterable[Expr]) -> Iterable[str]:
    return (e.name for root in exprs for e in walk(root) if isinstance(e, Ref))


def _gate(graph: Graph, name: str) -> Facts | None:
    """How the guide block lays out the gate of a latent; None where it leaves that to the fit."""
    specs = dict(graph.guide.gates)
    spec: GateSpec | None = specs.get(name) or specs.get("all")
    if spec is None:
        return None
    return {"mode": spec.mode, **({"init": spec.init} if spec.opened else {})}


def _guide(graph: Graph) -> str | None:
    """The backbone that the guide block names."""
    return graph.guide.backbone[0] if graph.guide.backbone else None


def _gaussian(graph: Graph) -> Facts | None:
    """The latents that are jointly Gaussian given the others, these others, and the observations that keep them so."""
    block = graph.gaussian
    if block is None:
        return None
    exact = dict.fromkeys(node.target.name for node in (graph.nodes[n] for n in block.exact) if isinstance(node, RandomNode))
    return {"latents": list(block.inner), "given": list(block.outer), "exact": list(exact), "others": len(block.terms)}


# ---------------------------------------------------------------- loops


def _loops(graph: Graph) -> list[Facts]:
    """Every loop and, for each variable set in it, whether it is vectorised or scanned, and in an affine scan."""
    found: dict[tuple[str, str], Facts] = {}
    dims = {d.name for d in graph.dims}
    for node in graph.nodes:
        for axis in node.domain:
            if axis.label.rstrip("'") in dims:
                continue
            head = f"{axis.label} in {_range(axis)}"
            facts = found.setdefault(
                (axis.label, head), {"loop": head, "dim": axis.dim, "vectorised": [], "scanned": [], "affine": []}
            )
            mine = facts["scanned" if axis.carried else "vectorised"]
            name = "factor" if isinstance(node, FactorNode) else node.target.name.partition("@")[0]
            if name not in mine:
                mine.append(name)
            if axis.affine and name not in facts["affine"]:
                facts["affine"].append(name)
    return list(found.values())


def _range(axis: DomainAxis) -> str:
    upper = "" if str(axis.upper) == axis.dim else str(axis.upper)
    lower = "" if axis.lower.value == 0 else str(axis.lower)
    return axis.dim if not lower and not upper else f"{axis.dim}[{lower}:{upper}]"


# ---------------------------------------------------------------- texts


def support_text(graph: Graph, support: Support) -> str:
    """``real``, ``positive``, ``real(0, cap)``, ``simplex``."""
    if isinstance(support, Structured):
        return {"real_vector": "real vector"}.get(support.name, support.name)
    kind = "int" if isinstance(support, Integers) else "real"
    lower, upper = (_bound(graph, b) for b in (support.lower, support.upper))
    named = {
        ("real", "0", ""): "nonnegative",
        ("real", "0", "1"): "unit",
        ("int", "0", ""): "count",
        ("int", "0", "1"): "0 or 1",
    }
    if isinstance(support, Interval) and support.open_lower and (lower, upper) == ("0", ""):
        return "positive"
    if not lower and not upper:
        return kind
    return named.get((kind, lower, upper)) or f"{kind}({lower or '-inf'}, {upper or 'inf'})"


def _bound(graph: Graph, bound: Expr | None) -> str:
    if bound is None:
        return ""
    number = const_bound(bound, 0.0)
    return f"{number:g}" if number is not None else _text(graph, bound.span) or "…"


def _text(graph: Graph, span: Span) -> str:
    """The text of the program there, on one line."""
    return " ".join(graph.source.text[span.start : span.end].split()) if graph.source else ""


def info_text(about: Facts) -> str:
    """`info` for people, a line an entry."""
    rows = [("dim", d["name"], "" if d["size"] is None else f"= {d['size']}") for d in about["dims"]]
    rows += [("data", _head(d), _data_note(d)) for d in about["data"]]
    rows += [("param", _head(d), d["type"]) for d in about["params"]]
    rows += [("latent", _head(d), _latent_note(d)) for d in about["latents"]]
    rows += [("computed", _head(d), _from(d)) for d in about["computed"]]
    rows += [("factor", "", f"{about['factors']} in all")] * bool(about["factors"])
    rows += [("loop", d["loop"], _loop_note(d)) for d in about["loops"]]
    rows += [("model", f"{d['name']}({', '.join(d['arguments'])})", "") for d in about["models"]]
    rows += [("guide", about["guide"] or "", "")] * bool(about["guide"])
    rows += [("gaussian", ", ".join(about["gaussian"]["latents"]), _gaussian_note(about["gaussian"]))] if about["gaussian"] else []
    rows += [("density", d["name"], density_note(d)) for d in about["densities"]]
    width = max((len(name) for _, name, _ in rows), default=0)
    return "\n".join(f"{kind:8}  {name:{width}}  {note}".rstrip() for kind, name, note in rows)


def _head(entry: Facts) -> str:
    return entry["name"] + (f"[{', '.join(entry['dims'])}]" if entry["dims"] else "")


def _from(entry: Facts) -> str:
    return f"from {', '.join(entry['parents'])}" if entry["parents"] else ""


def _data_note(entry: Facts) -> str:
    drawn = "observed ~ " + "; ".join(entry["distribution"]) if entry["observed"] else ""
    missing = f"missing entries: {entry['missing']}" if entry["missing"] else ""
    notes = [entry["type"], drawn, "may be left out" * entry["has_default"], missing]
    return ", ".join(n for n in notes if n)


def _latent_note(entry: Facts) -> str:
    gate = entry["gate"]
    notes = [
        "~ " + "; ".join(entry["distribution"]),
        f"({', '.join(entry['support'])})",
        _from(entry),
        f"gate {gate['mode']}" if gate else "",
        f"summed out: {entry['summed_out']}" if entry["summed_out"] else "",
        "" if entry["in_guide"] or entry["summed_out"] else "nothing observed below it: drawn forward",
    ]
    return "  ".join(n for n in notes if n)


def _gaussian_note(about: Facts) -> str:
    """``jointly, given tau; y exactly``."""
    given = f"jointly, given {', '.join(about['given'])}" if about["given"] else "jointly"
    through = f"; {', '.join(about['exact'])} exactly" if about["exact"] else ""
    return given + through + f"; {about['others']} other statements approximately" * bool(about["others"])


def _loop_note(entry: Facts) -> str:
    shown = {name: f"{name} (affine)" for name in entry["affine"]}
    ways = [
        f"{way} {', '.join(shown.get(n, n) for n in entry[way])}" for way in ("vectorised", "scanned") if entry[way]
    ]
    return "; ".join(ways)
