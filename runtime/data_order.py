"""Gathers from what a loop is still defining: whether the data point to earlier rounds only.

``for n in node[1:] { theta[n] ~ Normal(theta[parent[n]], 1) }`` is a tree if every parent comes before its children.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from emfppl.compiler.dependences import shared_loops
from emfppl.compiler.expressions import At, Gather, Ref, walk
from emfppl.compiler.graph import ComputedNode, FactorNode, Node, RandomNode
from emfppl.compiler.references import node_refs
from emfppl.runtime.data_report import Coords, Report, entry, label_text
from emfppl.runtime.data_values import Known, NotKnown, value_over


def check_order(report: Report, values: Mapping[str, np.ndarray], coords: Coords, sizes: Mapping[str, int]) -> None:
    """Tell of data that point to an element that comes later than the one that is made of it (E1018)."""
    for n, reader in enumerate(report.graph.nodes):
        for ref in node_refs(reader):
            for m, writer in enumerate(report.graph.nodes):
                if not isinstance(writer, FactorNode) and writer.target.name == ref.name:
                    for label in shared_loops(writer, reader):
                        _check(report, writer, reader, ref, label, m < n, Known(sizes, values, {}), coords)


def _check(
    report: Report, writer: RandomNode | ComputedNode, reader: Node, ref: Ref, label: str, above: bool, known: Known, coords: Coords
) -> None:
    for mine, theirs in zip(ref.indices, writer.target.indices, strict=True):
        if isinstance(mine, Gather) and isinstance(theirs, At) and theirs.loop == label:
            loops = {a.label: (a.lower.evaluate(known.sizes), a.upper.evaluate(known.sizes)) for a in reader.domain}
            try:
                positions = value_over(mine.index, tuple(loops), Known(known.sizes, known.values, loops))
            except NotKnown:
                continue
            axis = list(loops).index(label)
            rounds = np.arange(*loops[label]).reshape([-1 if n == axis else 1 for n in range(len(loops))])
            written = theirs.scale * rounds + theirs.offset.evaluate(known.sizes)
            first, last = written.min(initial=0), written.max(initial=-1)
            late = (positions > written if above else positions >= written) & (positions >= first) & (positions <= last)
            late = np.broadcast_to(late, np.broadcast_shapes(np.shape(late), np.shape(positions)))
            if late.any():
                _tell(report, ref, mine, np.broadcast_to(positions, late.shape)[late][0], np.nonzero(late), loops, coords)


def _tell(
    report: Report, ref: Ref, gather: Gather, position: float, late: tuple[np.ndarray, ...], loops: Mapping, coords: Coords
) -> None:
    rounds = {label: lower + int(where[0]) for (label, (lower, _)), where in zip(loops.items(), late, strict=True)}
    name = next(e.name for e in walk(gather.index) if isinstance(e, Ref))
    index = report.graph.variable(name)
    place = tuple(_place(e, rounds) for e in walk(gather.index) if isinstance(e, Ref) and e.name == name)[0]
    of = report.graph.variable(ref.name).dims[ref.indices.index(gather)]
    known = coords.get(of.rstrip("'"), ())
    there = label_text(known[int(position)]) if int(position) < len(known) else str(int(position))
    message = f"{entry(index, place, coords)} is {there}, but `{ref.name}[{there}]` comes only later in the loop."
    hint = f"order the data so that everything that {name} points to comes first"
    report.about(index, "E1018", message, hint, [(ref.span, "used here")])


def _place(ref: Ref, rounds: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(_positions(ref, rounds))


def _positions(ref: Ref, rounds: Mapping[str, int]) -> Iterator[int]:
    for index in ref.indices:
        if isinstance(index, At):
            yield (index.scale * rounds[index.loop] if index.loop else 0) + (index.offset.value or 0)
