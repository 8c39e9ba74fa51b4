"""Whether a graph is whole: run before and after every pass, so that a wrong pass is found where it went wrong.

A fault found here is never the user's: it is a bug of the compiler.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from emfppl.compiler.dependences import Rounds, carried_axes, may_meet, shared_loops
from emfppl.compiler.expression_text import target_text, text
from emfppl.compiler.expressions import At, Expr, Gather, Kind, LoopVar, Ref, Whole, walk
from emfppl.compiler.graph import (
    ComputedNode,
    Dist,
    DomainAxis,
    FactorNode,
    Graph,
    Node,
    RandomNode,
    Role,
    Variable,
    event_rank,
    node_exprs,
)
from emfppl.compiler.references import names_read, node_refs


class BadGraph(AssertionError):
    """A graph that no program can have."""


def verify(graph: Graph) -> None:
    """Raise `BadGraph` with everything that is wrong."""
    faults = [*_names(graph)]
    faults = faults or [f for n in graph.nodes for f in _node(graph, n)]
    faults = faults or [*_blocks(graph), *_order(graph), *_independence(graph), *_barren(graph), *_gates(graph)]
    faults = faults or [*_marginals(graph), *_gaussian(graph), *_densities(graph)]
    if faults:
        raise BadGraph("\n".join(faults))


def _names(graph: Graph) -> Iterator[str]:
    """Every variable and dim once; everything that is read or defined is a variable of the right number of dims."""
    for name, times in Counter([*(v.name for v in graph.variables), *(d.name for d in graph.dims)]).items():
        if times > 1:
            yield f"`{name}` stands for {times} things"
    variables = {v.name: v for v in graph.variables}
    dims = {d.name for d in graph.dims}
    yield from (f"`{v.name}` is over an unknown dim" for v in graph.variables if not {d.rstrip("'") for d in v.dims} <= dims)
    for node in graph.nodes:
        yield from (f"{_place(node)}: an axis over an unknown dim" for a in node.domain if a.dim not in dims)
        used = [(r.name, r.indices) for r in node_refs(node)]
        used += [] if isinstance(node, FactorNode) else [(node.target.name, node.target.indices)]
        for name, indices in used:
            if name not in variables or len(indices) != len(variables[name].dims):
                yield f"{_place(node)}: `{name}` is no variable of {len(indices)} dims"


def _place(node: Node) -> str:
    return f"factor {text(node.value)}" if isinstance(node, FactorNode) else target_text(node.target)


# ---------------------------------------------------------------- one node


def _node(graph: Graph, node: Node) -> Iterator[str]:
    labels = [axis.label for axis in node.domain]
    if len(set(labels)) < len(labels):
        yield f"{_place(node)}: two axes of one name"
    yield from (f"{_place(node)}: uses `{name}`, no axis of its domain" for name in sorted(_labels_used(node) - set(labels)))
    if not isinstance(node, FactorNode):
        yield from _target(graph.variable(node.target.name), node)


def _labels_used(node: Node) -> set[str]:
    """The labels of the domain that the node's expressions and its target refer to."""
    found = set() if isinstance(node, FactorNode) else {i.loop for i in node.target.indices if isinstance(i, At) and i.loop}
    for e in (e for root in node_exprs(node) for e in walk(root)):
        if isinstance(e, LoopVar):
            found.add(e.label)
        elif isinstance(e, Ref):
            found |= {i.loop for i in e.indices if isinstance(i, At) and i.loop is not None}
    return found


def _target(variable: Variable, node: RandomNode | ComputedNode) -> Iterator[str]:
    """Each axis of the domain once, event axes last and whole; the statement suits the role of its variable."""
    indices = node.target.indices
    rank = event_rank(node.dist, node.support) if isinstance(node, RandomNode) else 0
    batch, event = indices[: len(indices) - rank], indices[len(indices) - rank :]
    placed = [i.loop for i in batch if isinstance(i, At) and i.loop is not None]
    if sorted(placed) != sorted(a.label for a in node.domain) or not all(isinstance(i, At) for i in batch):
        yield f"{_place(node)}: does not define one place for each point of its domain"
    if len(event) < rank or not all(isinstance(i, Whole) for i in event):
        yield f"{_place(node)}: its last {rank} axes are not whole"
    by = {Role.LATENT: RandomNode, Role.OBSERVED: RandomNode, Role.COMPUTED: ComputedNode}.get(variable.role)
    if by is None or not isinstance(node, by) or (variable.role is Role.OBSERVED) != getattr(node, "observed", False):
        yield f"{_place(node)}: a {variable.role.value} variable is not defined so"
    yield from _axes(node)


def _axes(node: RandomNode | ComputedNode) -> Iterator[str]:
    """No value runs over a dim that its target does not have."""
    allowed = {a.label for a in node.domain}
    if isinstance(node, ComputedNode):
        yield from _strays(node, [node.value], allowed)
    else:
        event = {i.axis.label for i in node.target.indices if isinstance(i, Whole)}
        yield from _strays_of_dist(node, node.dist, allowed | event)


def _strays_of_dist(node: Node, dist: Dist, allowed: set[str]) -> Iterator[str]:
    inside = allowed | {*dist.event} | ({dist.over} if dist.over else set())
    yield from _strays(node, [v for _, v in dist.args if not isinstance(v, Dist)], inside)
    for _, value in dist.args:
        if isinstance(value, Dist):
            yield from _strays_of_dist(node, value, inside)


def _strays(node: Node, exprs: Iterable[Expr], allowed: set[str]) -> Iterator[str]:
    for expr in exprs:
        for axis in expr.type.axes:
            if axis.label not in allowed and axis.label.rstrip("'") not in {a.rstrip("'") for a in allowed}:
                yield f"{_place(node)}: {text(expr)} runs over `{axis.label}`"


# ---------------------------------------------------------------- between nodes


def _blocks(graph: Graph) -> Iterator[str]:
    """The nodes of a scan follow one another, over the same range, inside the same scans."""
    seen: dict[int, tuple[int, DomainAxis, list[int | None]]] = {}
    for n, node in enumerate(graph.nodes):
        axes = carried_axes(node)
        for depth, axis in enumerate(axes):
            around = [a.block for a in axes[:depth]]
            assert axis.block is not None
            last = seen.get(axis.block)
            if last is not None and (last[1:] != (axis, around) or last[0] != n - 1):
                yield f"{_place(node)}: the scan {axis.block} is not one piece"
            seen[axis.block] = (n, axis, around)


def _order(graph: Graph) -> Iterator[str]:
    """Something of what a node reads is defined above it, or in its scan."""
    variables = {v.name: v for v in graph.variables}
    for n, node in enumerate(graph.nodes):
        for name in sorted(names_read(node)):
            if variables[name].role in (Role.LATENT, Role.COMPUTED) and not any(
                m < n or shared_loops(other, node)
                for m, other in enumerate(graph.nodes)
                if not isinstance(other, FactorNode) and other.target.name == name
            ):
                yield f"{_place(node)}: reads `{name}`, which is defined only below"


def _independence(graph: Graph) -> Iterator[str]:
    """No round of an independent axis reads what another round of it defines."""
    for node in graph.nodes:
        if isinstance(node, FactorNode) or graph.variable(node.target.name).role is Role.OBSERVED:
            continue
        for n, axis in enumerate(node.domain):
            how: dict[str | None, Rounds] = {a.label: Rounds.SAME for a in node.domain[:n]}
            how[axis.label] = Rounds.EARLIER
            own = [r for r in node_refs(node) if r.name == node.target.name and not _from_earlier_rounds(node, r)]
            if not axis.carried and any(may_meet(node, node, r, how) for r in own):
                yield f"{_place(node)}: `{axis.label}` is not independent"


def _from_earlier_rounds(node: RandomNode | ComputedNode, ref: Ref) -> bool:
    """Whether a node gathers from its own variable along a loop: then from earlier rounds of it."""
    loops = {axis.label for axis in node.domain if axis.carried}
    pairs = zip(node.target.indices, ref.indices, strict=True)
    return any(isinstance(i, Gather) and isinstance(t, At) and t.loop in loops for t, i in pairs)


def _barren(graph: Graph) -> Iterator[str]:
    """What is barren is latent or computed, and feeds nothing that is not."""
    for name in sorted(graph.barren):
        if all(v.name != name or v.role not in (Role.LATENT, Role.COMPUTED) for v in graph.variables):
            yield f"`{name}` is no latent or computed variable, but barren"
    for node in graph.nodes:
        if isinstance(node, FactorNode) or node.target.name not in graph.barren:
            yield from (f"{_place(node)}: reads `{name}`, which is barren" for name in sorted(names_read(node) & graph.barren))


def _marginals(graph: Graph) -> Iterator[str]:
    """A discrete variable is in one sum at most, with every statement that draws it and every one that reads it and matters."""
    for name, times in Counter(name for m in graph.marginals for name in m.names).items():
        if times > 1:
            yield f"`{name}` is summed out {times} times"
    for marginal in graph.marginals:
        for name in marginal.names:
            if graph.variable(name).kind is Kind.REAL or name in graph.barren:
                yield f"`{name}` is no discrete variable that matters, but summed out"
        for n, node in enumerate(graph.nodes):
            own = "" if isinstance(node, FactorNode) else node.target.name
            touches = {own, *names_read(node)} & set(marginal.names)
            if touches and own not in graph.barren and n not in marginal.nodes:
                yield f"{_place(node)}: has `{min(touches)}`, and is not in its sum"


def _gaussian(graph: Graph) -> Iterator[str]:
    """A Gaussian block divides the latents of the guide in two; what it says of statements it says of those that count."""
    block = graph.gaussian
    if block is None:
        return
    latents = {v.name for v in graph.of_role(Role.LATENT) if v.kind is Kind.REAL} - graph.barren
    if not block.inner or sorted((*block.inner, *block.outer)) != sorted(latents):
        yield "the Gaussian block does not divide the latents of the guide"
    for name in block.outer:
        read = {r for n in graph.defining(name) for r in names_read(n)}
        yield from (f"`{name}` is outside the Gaussian block, and reads `{r}` in it" for r in sorted(read & set(block.inner)))
    summed = {n for m in graph.marginals for n in m.nodes if isinstance(graph.nodes[n], RandomNode)}
    for n in {*block.exact, *block.terms} - summed:
        node = graph.nodes[n]
        if not isinstance(node, FactorNode) and not getattr(node, "observed", False):
            yield f"{_place(node)}: no observation and no factor, but one of the Gaussian block"
    for n in sorted(summed - set(block.terms)):
        found = names_read(graph.nodes[n]) & set(block.inner)
        yield from (f"{_place(graph.nodes[n])}: summed out, and reads `{r}`, but is no term of it" for r in sorted(found))


def _densities(graph: Graph) -> Iterator[str]:
    """The names of a density are those of its own dims and data; its structured layers, and no others, have models, which draw
    and observe nothing."""
    for density in graph.densities:
        dims, data = {d.name for d in density.dims}, {v.name for v in density.data}
        for v in (*density.variables, *density.data):
            if not {d.rstrip("'") for d in v.dims} <= dims:
                yield f"`{v.name}` of the density `{density.name}` is over an unknown dim"
        if not density.variables or not density.layers or not set(density.given) <= data:
            yield f"the density `{density.name}` has no event, no layers, or is given what is no data"
        for layer in density.layers:
            if (layer.kind == "structured") != (layer.model is not None):
                yield f"a layer {layer.kind} of `{density.name}` with a model or without one"
            elif layer.model is not None and (layer.model.of_role(Role.OBSERVED) or not layer.model.of_role(Role.LATENT)):
                yield f"the model of a layer of `{density.name}` observes something, or draws nothing"


def _gates(graph: Graph) -> Iterator[str]:
    latents = {v.name for v in graph.variables if v.role is Role.LATENT or v.optional}
    yield from (f"a gate of `{name}`, which is no latent" for name, _ in graph.guide.gates if name not in latents | {"all"})
