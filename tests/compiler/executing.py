"""A graph run element by element, with the history of each element in the place of its value.

Nodes run in order; those of a scan together, round by round; the points of independent axes all at once: every one reads before any
writes. Two graphs of the same program mean the same if every element gets the same history.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, product

from emfppl.compiler.dependences import carried_axes
from emfppl.compiler.expressions import At, Index, Whole
from emfppl.compiler.graph import DomainAxis, FactorNode, Graph, Node
from emfppl.compiler.references import node_refs
from emfppl.grammar.source import Span

Place = tuple[int, ...]
History = int
UNDEFINED = "undefined"


class Run:
    """One execution: `elements` maps (variable, place) to its history, `undefined` holds the reads of what was not there yet.
    Elements that no node defines, such as data, and variables that are `known` are there beforehand."""

    def __init__(self, graph: Graph, sizes: Mapping[str, int], known: frozenset[str] = frozenset()):
        self.sizes, self.known = sizes, known
        self.dims = {v.name: [sizes[d.rstrip("'")] for d in v.dims] for v in graph.variables}
        self.defined = {(n.target.name, place) for n in graph.nodes if not isinstance(n, FactorNode) for place in self._all(n)}
        self.elements: dict[tuple[str, Place], History] = {}
        self.factors: dict[tuple[Span, Place], History] = {}
        self.undefined: set[tuple[str, Place]] = set()
        self._run(graph.nodes, {}, 0)

    def _all(self, node: Node) -> Iterator[Place]:
        """Every place that a node defines."""
        for point in product(*map(self._range, node.domain)):
            at = dict(zip([a.label for a in node.domain], point, strict=True))
            yield from self._places(node.target.name, node.target.indices, at, {})

    def _run(self, nodes: Sequence[Node], at: dict[str, int], depth: int) -> None:
        for axis, group in groupby(nodes, lambda n: _axis(n, depth)):
            together = list(group)
            if axis is None:
                for node in together:
                    self._at_once(node, at)
                continue
            for position in self._range(axis):
                self._run(together, {**at, axis.label: position}, depth + 1)

    def _range(self, axis: DomainAxis) -> range:
        return range(axis.lower.evaluate(self.sizes), axis.upper.evaluate(self.sizes))

    def _at_once(self, node: Node, at: dict[str, int]) -> None:
        rest = [a for a in node.domain if a.label not in at]
        written = {}
        for combination in product(*map(self._range, rest)):
            point = {**at, **dict(zip([a.label for a in rest], combination, strict=True))}
            starts = {a.label: a.lower.evaluate(self.sizes) for a in node.domain}
            history = hash((node.span, self._reads(node, point, starts)))
            if isinstance(node, FactorNode):
                self.factors[node.span, tuple(point.values())] = history
                continue
            for place in self._places(node.target.name, node.target.indices, point, {}):
                assert (node.target.name, place) not in self.elements, "written twice"
                written[node.target.name, place] = history
        self.elements |= written

    def _reads(self, node: Node, point: dict[str, int], starts: dict[str, int]) -> tuple:
        return tuple(
            self._value(ref.name, place)
            for ref in node_refs(node)
            for place in self._places(ref.name, ref.indices, point, starts)
        )

    def _value(self, name: str, place: Place) -> object:
        if name in self.known or (name, place) not in self.defined:
            return name, place
        if (name, place) not in self.elements:
            self.undefined.add((name, place))
            return UNDEFINED
        return self.elements[name, place]

    def _places(
        self, name: str, indices: Sequence[Index], point: dict[str, int], starts: dict[str, int]
    ) -> Iterator[Place]:
        """The places that subscripts stand for, of a gather all of its dim; `starts`: where the axes that a point is of start."""
        ranges: list[Sequence[int]] = []
        for index, size in zip(indices, self.dims[name], strict=True):
            match index:
                case At(None, _, offset):
                    ranges.append([offset.evaluate(self.sizes)])
                case At(label, scale, offset):
                    ranges.append([scale * point[label] + offset.evaluate(self.sizes)])
                case Whole(axis) if axis.label in starts:
                    ranges.append([axis.lower.evaluate(self.sizes) + point[axis.label] - starts[axis.label]])
                case Whole(axis):
                    ranges.append(range(axis.lower.evaluate(self.sizes), axis.upper.evaluate(self.sizes)))
                case _:
                    ranges.append(range(size))
        yield from product(*ranges)


def _axis(node: Node, depth: int) -> DomainAxis | None:
    axes = carried_axes(node)
    return axes[depth] if depth < len(axes) else None
