"""Which dims can be worked on in batches: those along which every statement treats each entry by itself.

Then the log density is a sum over the dim's entries and a rest, and B of N entries, drawn with equal chances, give an estimate
of it without bias: the terms of the statements over the dim are multiplied by N/B. What is computed from data alone is known
before and may reduce or look around as it likes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from emfppl.compiler import expressions as x
from emfppl.compiler import graph as g
from emfppl.compiler.ast_to_checked.context import listed
from emfppl.compiler.expressions import At, Expr, Whole, walk
from emfppl.compiler.graph import node_exprs
from emfppl.grammar.diagnostics import Diagnostic, EmfError

if TYPE_CHECKING:
    from emfppl.runtime.program import Program


def check_batch(program: Program, dim: str) -> None:
    """Raises `EmfError` E1109 with the first reason why a dim can't be worked on in batches."""
    dims = [d.name for d in program.graph.dims]
    if dim not in dims:
        raise refused(f"There is no dim `{dim}` to draw batches over.", hint=f"the dims are {listed(f'`{d}`' for d in dims)}")
    reason = next(_reasons(program, dim), None)
    if reason is not None:
        text, node = reason
        raise refused(f"Batches over `{dim}` can't be drawn: {text}.", node)


WITHOUT = "leave `batch` out: the fit then works on all data at once"


def refused(message: str, node: g.Node | None = None, hint: str = WITHOUT) -> EmfError:
    """The error of a batch that can't be drawn."""
    return EmfError([Diagnostic("E1109", message, span=None if node is None else node.span, hint=hint)])


def statements(program: Program) -> list[g.Node]:
    """What is worked on at every step: all but what is computed from data alone."""
    known = {id(node) for _, node in program.selection.computed_from(set(program.binding.values))}
    return [node for _, node in program.selection.keyed if id(node) not in known]


def over(node: g.Node, dim: str) -> bool:
    """Whether a statement has a term for each entry of the dim: it runs over the dim, or is a factor with a value for each."""
    runs = any(axis.dim == dim for axis in node.domain)
    return runs or (isinstance(node, g.FactorNode) and any(a.dim == dim for a in node.value.type.axes))


def _reasons(program: Program, dim: str) -> Iterator[tuple[str, g.Node | None]]:
    yield from _of_variables(program, dim)
    for node in statements(program):
        for text in (*_of_domain(node, dim), *_of_expressions(program, node, dim)):
            yield text, node
    for marginal in program.marginals:
        nodes = [program.graph.nodes[n] for n in marginal.nodes]
        if len({over(n, dim) for n in nodes if not isinstance(n, g.ComputedNode)}) > 1:
            yield f"{listed(f'`{n}`' for n in marginal.names)} is summed out over all of it together", nodes[0]


def _of_variables(program: Program, dim: str) -> Iterator[tuple[str, None]]:
    variables = [v for v in program.graph.variables if any(d.rstrip("'") == dim for d in v.dims)]
    if not any(v.role in (g.Role.OBSERVED, g.Role.LATENT) for v in variables):
        yield "nothing is drawn over it", None
    for v in variables:
        if v.role is g.Role.PARAM:
            yield f"`{v.name}` is a `param` over it", None
        if v.name in program.binding.missing:
            yield f"entries of `{v.name}` are missing", None


def _of_domain(node: g.Node, dim: str) -> Iterator[str]:
    axes = [a for a in node.domain if a.dim == dim]
    if any(a.carried for a in axes):
        yield "a loop carries values along it"
    elif len(axes) > 1 or any(not _whole(a.axis, dim) for a in axes):
        yield "a statement runs over a part of it, or twice over it"
    elif not isinstance(node, g.FactorNode):
        for index in node.target.indices:
            yield from _of_target(node, index, dim, {a.label for a in axes})


def _of_target(node: g.RandomNode | g.ComputedNode, index: x.Index, dim: str, loops: set[str]) -> Iterator[str]:
    if isinstance(index, Whole) and index.axis.dim == dim:
        if isinstance(node, g.RandomNode):
            yield "it is the dim of a vector that is drawn as a whole"
        elif not _plain(index, dim):
            yield "an array has it twice, or a statement defines a part of it"
    elif isinstance(index, At) and index.loop in loops and not _in_place(index):
        yield "a statement defines other entries than it runs over"


def _of_expressions(program: Program, node: g.Node, dim: str) -> Iterator[str]:
    loops = {a.label for a in node.domain if a.dim == dim}
    along = {dim, *loops}
    for expr in (e for whole in node_exprs(node) for e in walk(whole)):
        yield from _of_one(program, expr, dim, along, loops)


def _of_one(program: Program, expr: Expr, dim: str, along: set[str], loops: set[str]) -> Iterator[str]:
    match expr:
        case x.Ref(name, indices):
            yield from _of_reference(program, name, indices, dim, loops)
        case x.Reduce(op, _, labels) if along & {*labels, *(label.rstrip("'") for label in labels)}:
            yield f"`{op}` runs over all of it"
        case x.MatMul(_, _, label) if label.rstrip("'") in along:
            yield "`@` sums over all of it"
        case x.ArrayCall(op) if along & _cores(expr):
            yield f"`{op}` needs all of it"
        case x.Ode() if along & _cores(expr):
            yield "a differential equation is solved over it"
        case x.SizeOf(size) if any(dim == name.rstrip("'") for name in size.dims):
            yield "its size is used as a number"
        case x.LoopVar(label) | x.Positions(label) if label in along:
            yield "positions along it are used as numbers"
        case x.Relabel(_, old, new) if along & {label.rstrip("'") for label in (*old, *new)}:
            yield "it is matched with another dim"
        case x.Array() if any(a.dim == dim for a in expr.type.axes):
            yield "a list in the program is over it"


def _cores(expr: x.ArrayCall | x.Ode) -> set[str]:
    return {label.rstrip("'") for core in expr.cores for label in core} | {label for core in expr.cores for label in core}


def _of_reference(program: Program, name: str, indices: tuple[x.Index, ...], dim: str, loops: set[str]) -> Iterator[str]:
    dims = {v.name: v.dims for v in program.graph.variables}.get(name, (dim,) * len(indices))
    for index, own in zip(indices, dims, strict=True):
        in_loop = isinstance(index, At) and index.loop in loops and _in_place(index)
        if own.rstrip("'") == dim and not (in_loop or _plain(index, dim)):
            yield f"other entries of `{name}` are looked at than the one that a statement is about"


def _plain(index: x.Index, dim: str) -> bool:
    return isinstance(index, Whole) and index.axis.label == dim and _whole(index.axis, dim)


def _whole(axis: x.Axis, dim: str) -> bool:
    return axis.lower == x.Axis.whole(dim).lower and axis.upper == x.Axis.whole(dim).upper


def _in_place(index: At) -> bool:
    return index.scale == 1 and index.offset == x.Size()
