"""The graph as text: a line a node, with its domain and what the compiler found out about it.

``x[t] ~ Normal(x[t-1], s)    t in time[1:]  carried 1, affine``: consecutive lines with the same number are one scan.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from emfppl.compiler.checked_nodes import CheckedDensity, CheckedLayer
from emfppl.compiler.expression_text import dist_text, range_text, support_text, target_text, text
from emfppl.compiler.graph import (
    ComputedNode,
    DensitySpec,
    DimSize,
    DomainAxis,
    FactorNode,
    GateSpec,
    GaussianBlock,
    Graph,
    GuideSpec,
    Interval,
    LayerSpec,
    Marginal,
    Node,
    RandomNode,
    Variable,
)


def to_text(graph: Graph) -> str:
    """Dims, variables, nodes and the guide block, a line each."""
    parts = [
        *map(dim_text, graph.dims),
        *map(variable_text, graph.variables),
        *_aligned([(statement_text(n), domain_text(n)) for n in graph.nodes]),
        *guide_lines(graph.guide),
    ]
    barren = sorted(graph.barren)
    parts += [marginal_text(graph, m) for m in graph.marginals]
    parts += [] if graph.gaussian is None else gaussian_lines(graph, graph.gaussian)
    parts += [f"barren {', '.join(barren)}"] if barren else []
    parts += [line for density in graph.densities for line in density_lines(density, to_text)]
    return "\n".join(parts) + "\n"


def dim_text(dim: DimSize) -> str:
    """``dim state = 2``."""
    return f"dim {dim.name}" + ("" if dim.size is None else f" = {dim.size}")


def marginal_text(graph: Graph, marginal: Marginal) -> str:
    """``sum over z (along time): z[0], z[t], y[time]``: the variables, and the statements that are summed over their values."""
    names = [n + (f" (along {c})" if c else "") for n, c in zip(marginal.names, marginal.chains, strict=True)]
    nodes = [graph.nodes[n] for n in marginal.nodes]
    return f"sum over {', '.join(names)}: {', '.join(map(_shown, nodes))}"


def gaussian_lines(graph: Graph, block: GaussianBlock) -> list[str]:
    """``gaussian theta, mu given tau``, ``  exact y[school]``, ``  by way of a + b * x in y[obs]``."""
    given = f" given {', '.join(block.outer)}" if block.outer else ""
    through = [f"  by way of {text(e)} in {_shown(graph.nodes[n])}" for n, e in block.predictors]
    return [f"gaussian {', '.join(block.inner)}{given}", *(f"  exact {_shown(graph.nodes[n])}" for n in block.exact), *through]


def _shown(node: Node) -> str:
    return "factor" if isinstance(node, FactorNode) else target_text(node.target)


def variable_text(v: Variable) -> str:
    """``data y[time]: real?``, ``latent theta[school]: real``."""
    head = f"{v.name}[{', '.join(v.dims)}]" if v.dims else v.name
    kind = f"index({v.of})" if v.of else v.kind.value
    default = "" if v.default is None else f" = {text(v.default)}"
    return f"{v.role.value}{' local' * v.local} {head}: {v.type_text or kind}{default}"


def statement_text(node: Node) -> str:
    """A node as a statement of the language."""
    match node:
        case RandomNode():
            kind = f": {support_text(node.support)}" if _says_more(node) else ""
            return f"{target_text(node.target)}{kind} ~ {dist_text(node.dist)}"
        case ComputedNode():
            return f"{target_text(node.target)} = {text(node.value)}"
    return f"factor {text(node.value)}"


def _says_more(node: RandomNode) -> bool:
    """Whether the support is not that of the distribution."""
    return node.narrowed or (node.dist.name == "Flat" and node.support != Interval())


def domain_text(node: Node) -> str:
    """The node's axes, what is carried, and whether it is observed."""
    axes = "; ".join(map(_axis_text, node.domain))
    observed = "observed" if isinstance(node, RandomNode) and node.observed else ""
    return "  ".join(part for part in (observed, axes) if part)


def _axis_text(axis: DomainAxis) -> str:
    part = range_text(axis.lower, axis.upper, axis.dim)
    over = axis.label + part if axis.label.rstrip("'") == axis.dim else f"{axis.label} in {axis.dim}{part}"
    return over + (f"  carried {axis.block}" + ", affine" * axis.affine if axis.carried else "")


def _aligned(rows: list[tuple[str, str]]) -> list[str]:
    """Statements with what is said of them in a second column; a long one pushes its own only."""
    width = min(max((len(left) for left, right in rows if right), default=0), 60)
    return [f"{left:{width}}    {right}".rstrip() for left, right in rows]


def guide_lines(guide: GuideSpec) -> list[str]:
    """The guide block."""
    out = []
    if guide.backbone is not None:
        name, options = guide.backbone
        out.append(f"backbone {name}({', '.join(f'{n} = {_option(v)}' for n, v in options)})")
    return [*out, *(f"gate {name}: {gate_text(spec)}" for name, spec in guide.gates)]


def _option(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(list(value)) if isinstance(value, tuple) else str(value)


def density_lines(density: DensitySpec | CheckedDensity, model_text: Callable[[Any], str]) -> list[str]:
    """A density block: its event, what it is conditioned on, and its layers, those of models with the model's text below."""
    out = [f"density {density.name}", *("  " + dim_text(d) for d in density.dims), *("  " + variable_text(v) for v in density.data)]
    out += ["  event " + variable_text(v).partition(" ")[2] for v in density.variables]
    out += [f"  conditioned on {', '.join(density.given)}"] if density.given else []
    for layer in density.layers:
        inside = [] if layer.model is None else model_text(layer.model).splitlines()
        out += [f"  {layer_text(layer)}", *("    " + line for line in inside)]
    return out


def layer_text(layer: LayerSpec | CheckedLayer) -> str:
    """``maf(hidden = [64, 64])``, ``structured(walk, gated = true)``, ``reverse``."""
    options = ", ".join(_option(value) if name == "model" else f"{name} = {_option(value)}" for name, value in layer.options)
    return f"{layer.kind}({options})" if options else layer.kind


def gate_text(spec: GateSpec) -> str:
    """``per_element, init = 0.98``, ``off``."""
    return f"{spec.mode}, init = {spec.init:g}" if spec.opened else spec.mode


