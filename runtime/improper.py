"""Posteriors that are improper for sure: the error that says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from emfppl.compiler import graph as g
from emfppl.grammar.diagnostics import Diagnostic, EmfError

if TYPE_CHECKING:
    from emfppl.runtime.program import Program

Where = Mapping[str, Sequence[tuple[int, ...]]]


def refuse_unseen(program: Program) -> None:
    """Raises `EmfError` E1110 where a variable with a flat prior has no observation below it."""
    graph = program.graph
    found = [n for n in graph.nodes if isinstance(n, g.RandomNode) and n.dist.name == "Flat" and n.target.name in graph.barren]
    if found:
        raise improper(program, {found[0].target.name: []})


def improper(program: Program, where: Where) -> EmfError:
    """The error that names variables with flat priors of which data and priors say nothing, or entries of them."""
    graph = program.graph
    names = [f"`{name}[{', '.join(map(str, at))}]`" if at else f"`{name}`" for name, ats in where.items() for at in ats or [()]]
    first = next(iter(where))
    if len(names) == 1:
        message = f"The posterior of {names[0]} is improper: the prior is flat, and no data say anything about it."
        hint = f"give it a proper prior, such as {first} ~ Normal(0, 10), or leave it out"
    else:
        listed = f"{', '.join(names[:-1])} and {names[-1]}"
        message = f"The posterior is improper: the priors of {listed} are flat, and the data do not tell them apart."
        hint = f"give them proper priors, such as {first} ~ Normal(0, 10), or leave one of them out"
    return EmfError([Diagnostic("E1110", message, graph.defining(first)[0].span, hint, graph.source)])
