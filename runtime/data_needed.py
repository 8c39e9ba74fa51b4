"""Which missing entries something informative depends on, entry by entry.

An entry is needed if a factor, an entry that was observed, or a latent that matters reads it; or a missing entry that is needed
itself. The last gap of a series, with nothing behind it, is not: it integrates out, and is drawn forward.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from emfppl.compiler.expressions import At, Gather, Index, Positions, Ref, Whole
from emfppl.compiler.graph import FactorNode, Graph, Node, RandomNode, event_rank
from emfppl.compiler.passes.barren import informed
from emfppl.compiler.references import node_refs
from emfppl.runtime.data_observed import part_of
from emfppl.runtime.data_values import Known, NotKnown, value_over

Masks = dict[str, np.ndarray]
Placed = tuple[np.ndarray, tuple[str, ...]]  # an array and the labels of its axes


def needed_entries(
    graph: Graph, values: Mapping[str, np.ndarray], missing: Mapping[str, np.ndarray], sizes: Mapping[str, int]
) -> Masks:
    """Masks of the missing entries that are needed."""
    found = {name: np.zeros(mask.shape, bool) for name, mask in missing.items()}
    reading = _Reading(graph, values, missing, sizes, informed(graph))
    before = -1
    while before != (before := sum(int(m.sum()) for m in found.values())):
        for node in graph.nodes:
            for ref in node_refs(node):
                if ref.name in found:
                    reading.mark(node, ref, found)
        found = {name: _whole_draws(graph, name, mask & missing[name]) for name, mask in found.items()}
    return found


def _whole_draws(graph: Graph, name: str, mask: np.ndarray) -> np.ndarray:
    """A vector is needed as a whole."""
    ranks = [event_rank(n.dist, n.support) for n in graph.defining(name) if isinstance(n, RandomNode)]
    axes = tuple(range(mask.ndim - max(ranks, default=0), mask.ndim))
    return np.broadcast_to(mask.any(axis=axes, keepdims=True), mask.shape)


@dataclass(frozen=True)
class _Reading:
    """A program's statements reading data with missing entries."""

    graph: Graph
    values: Mapping[str, np.ndarray]
    missing: Mapping[str, np.ndarray]
    sizes: Mapping[str, int]
    informed: set[str]

    def mark(self, node: Node, ref: Ref, found: Masks) -> None:
        """Mark what the rounds of a node that matter read."""
        loops = {a.label: (a.lower.evaluate(self.sizes), a.upper.evaluate(self.sizes)) for a in node.domain}
        matters = self._matters(node, tuple(loops), found)
        known = Known(self.sizes, {n: v for n, v in self.values.items() if n not in self.missing}, loops)
        try:
            places = [_positions(i, known) for i in ref.indices]
        except NotKnown:
            places = [(np.arange(n), (f"#{k}",)) for k, n in enumerate(found[ref.name].shape)]
        labels = tuple(dict.fromkeys([*loops, *(label for _, own in places for label in own)]))
        rounds = np.broadcast_to(matters, tuple(max(b - a, 0) for a, b in loops.values()))
        active, *where = np.broadcast_arrays(*(_over(p, labels) for p in ((rounds, tuple(loops)), *places)))
        mask = found[ref.name].copy()
        mask[tuple(w[active] for w in where)] = True
        found[ref.name] = mask

    def _matters(self, node: Node, labels: tuple[str, ...], found: Masks) -> np.ndarray:
        """Which rounds of a node say something about what it reads: over its domain."""
        if isinstance(node, FactorNode):
            return np.asarray(True)
        name = node.target.name
        if not isinstance(node, RandomNode) or not node.observed:
            return np.asarray(name in self.informed)
        if name not in self.missing:
            return np.asarray(True)
        part, own, _ = part_of(node, self.values, self.sizes)
        counts = (~self.missing[name] | found[name])[part]
        events = tuple(n for n, label in enumerate(own) if label not in labels)
        return _over((np.asarray(counts.any(axis=events)), tuple(label for label in own if label in labels)), labels)


def _over(placed: Placed, labels: tuple[str, ...]) -> np.ndarray:
    """The array with its axes in the order of `labels`, of length 1 where it has no such axis."""
    array, own = placed
    lengths = dict(zip(own, np.shape(array), strict=True))
    return np.transpose(array, [own.index(label) for label in labels if label in own]).reshape([lengths.get(n, 1) for n in labels])


def _positions(index: Index, known: Known) -> Placed:
    """The positions that a subscript stands for."""
    match index:
        case Whole(axis):
            return np.arange(axis.lower.evaluate(known.sizes), axis.upper.evaluate(known.sizes)), (axis.label,)
        case At(None, _, offset):
            return np.asarray(offset.evaluate(known.sizes)), ()
        case At(str(loop), scale, offset) if loop in known.loops:
            return scale * np.arange(*known.loops[loop]) + offset.evaluate(known.sizes), (loop,)
        case Gather(Positions(loop, scale, offset, axis)) if loop in known.loops:
            starts = scale * np.arange(*known.loops[loop]) + offset.evaluate(known.sizes)
            return starts[:, None] + np.arange(axis.length.evaluate(known.sizes)), (loop, axis.label)
        case Gather(inner):
            labels = (*known.loops, *(a.label for a in inner.type.axes if a.label not in known.loops))
            array = value_over(inner, labels, known)
            kept = [n for n in range(array.ndim) if array.shape[n] > 1]
            return array.reshape([array.shape[n] for n in kept]).astype(int), tuple(labels[n] for n in kept)
    raise NotKnown
