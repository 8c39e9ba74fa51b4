"""The graph as text: a line a node, with its domain and what the compiler found out about it.

``x[t] ~ Normal(x[t-1], s)    t in time[1:]  carried 1, affine``: consecutive lines with the same number are one scan.
"""

from __future__ import annotations

from emfppl.compiler.expression_text import dist_text, range_text, support_text, target_text, text
from emfppl.compiler.graph import (
    ComputedNode,
    DomainAxis,
    FactorNode,
    GateSpec,
    GaussianBlock,
    Graph,
    GuideSpec,
    Interval,
    Marginal,
    Node,
    RandomNode,
    Variable,
)


def to_text(graph: Graph) -> str:
    """Dims, variables, nodes and the guide block, a line each."""
    parts = [
        *(f"dim {d.name}" + ("" if d.size is None else f" = {d.size}") for d in graph.dims),
        *map(variable_text, graph.variables),
        *_aligned([(statement_text(n), domain_text(n)) for n in graph.nodes]),
        *guide_lines(graph.guide),
    ]
    barren = sorted(graph.barren)
    parts += [marginal_text(graph, m) for m in graph.marginals]
    parts += [] if graph.gaussian is None else gaussian_lines(graph, graph.gaussian)
    return "\n".join([*parts, *([f"barren {', '.join(barren)}"] if barren else [])]) + "\n"


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
    return str(list(value)) if isinstance(value, tuple) else str(value)


def gate_text(spec: GateSpec) -> str:
    """``per_element, init = 0.98``, ``off``."""
    return f"{spec.mode}, init = {spec.init:g}" if spec.opened else spec.mode


