"""Dependences between the nodes of a loop: does a later execution read what an earlier one defined?

A node defines the element ``a p + b`` of a variable in round p, and another reads ``c q + d`` in round q.
Where both run over the same loop with ``a = c``, the distance ``q - p = (b - d) / a`` is one number: 0 is
the same round, positive an earlier round. Everywhere else the positions are intervals, which meet or don't.
Sizes are polynomials in the sizes of dims, all at least 1; what can't be decided for all of them counts as
a dependence. (Allen and Kennedy, *Optimizing Compilers for Modern Architectures*, chapters 2 and 3.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from math import gcd

from emfppl.compiler.expressions import At, Gather, Index, Ref, Whole
from emfppl.compiler.graph import DomainAxis, FactorNode, Node
from emfppl.compiler.references import node_refs
from emfppl.compiler.sizes import Size

Domain = Sequence[DomainAxis]


class Rounds(Enum):
    """How the rounds of one loop in which an element is defined and read are to each other."""

    SAME = "same"
    EARLIER = "earlier"  # defined in an earlier round


@dataclass(frozen=True, slots=True)
class Dependence:
    """Node `reader` may read what node `writer` defined; `axis` is the label of the outermost loop in which
    that was an earlier round, None where both happen in the same round of all loops."""

    writer: int
    reader: int
    axis: str | None


def dependences(nodes: Sequence[Node], known: frozenset[str] = frozenset()) -> tuple[Dependence, ...]:
    """All dependences between nodes that run in the same rounds of the same carried loops."""
    writers: dict[str, list[int]] = {}
    for n, node in enumerate(nodes):
        if not isinstance(node, FactorNode) and node.target.name not in known:
            writers.setdefault(node.target.name, []).append(n)
    found = [
        Dependence(w, r, axis)
        for r, reader in enumerate(nodes)
        for ref in node_refs(reader)
        for w in writers.get(ref.name, ())
        for axis in _carriers(nodes[w], reader, ref, w < r)
    ]
    return tuple(dict.fromkeys(found))


def _carriers(writer: Node, reader: Node, ref: Ref, above: bool) -> list[str | None]:
    """The loops that may carry a dependence, outermost first; None at the end where it may be within one
    round."""
    shared = shared_loops(writer, reader)
    found: list[str | None] = []
    for n, label in enumerate(shared):
        how: dict[str | None, Rounds] = {**dict.fromkeys(shared[:n], Rounds.SAME), label: Rounds.EARLIER}
        if may_meet(writer, reader, ref, how):
            found.append(label)
    if above and may_meet(writer, reader, ref, dict.fromkeys(shared, Rounds.SAME)):
        found.append(None)
    return found


def shared_loops(a: Node, b: Node) -> list[str]:
    """The labels of the carried loops that two nodes stand in together, outermost first."""
    out = []
    for one, other in zip(carried_axes(a), carried_axes(b), strict=False):
        if one.block != other.block:
            break
        out.append(one.label)
    return out


def carried_axes(node: Node) -> list[DomainAxis]:
    return [axis for axis in node.domain if axis.carried]


def may_meet(writer: Node, reader: Node, ref: Ref, how: Mapping[str | None, Rounds]) -> bool:
    """Whether some element of `ref` may be one that `writer` defines, in rounds that are to each other as
    `how` says; those of a loop that it leaves out may be any."""
    assert not isinstance(writer, FactorNode)
    pairs = zip(writer.target.indices, ref.indices, strict=True)
    return all(_meet(i, writer.domain, j, reader.domain, how) for i, j in pairs)


# ---------------------------------------------------------------- one dim


def _meet(target: At | Whole, at: Domain, read: Index, by: Domain, how: Mapping[str | None, Rounds]) -> bool:
    if isinstance(read, Gather):
        return True
    if isinstance(target, At) and isinstance(read, At):
        gap = (target.offset - read.offset).value
        step = gcd(target.scale if target.loop else 0, read.scale if read.loop else 0)
        if gap is not None and (gap % step if step else gap):
            return False
        same_loop = target.loop == read.loop and target.loop in how
        if gap is not None and same_loop and not _rounds_meet(target, read, gap, how[target.loop]):
            return False
    return _overlap(_interval(target, at), _interval(read, by))


def _rounds_meet(target: At, read: At, gap: int, rounds: Rounds) -> bool:
    """Both run over the same loop: ``scale p + gap = scale' q`` with q = p, or with q > p."""
    if target.scale == read.scale:
        distance = gap // target.scale
        return distance == 0 if rounds is Rounds.SAME else distance > 0
    return rounds is Rounds.EARLIER or gap % (target.scale - read.scale) == 0


def _interval(index: At | Whole, domain: Domain) -> tuple[Size, Size] | None:
    """The first and last position; None where nothing is known."""
    if isinstance(index, Whole):
        return index.axis.lower, index.axis.upper - 1
    if index.loop is None:
        return index.offset, index.offset
    axis = next((a for a in domain if a.label == index.loop), None)
    if axis is None:
        return None
    ends = axis.lower * index.scale + index.offset, (axis.upper - 1) * index.scale + index.offset
    return ends if index.scale > 0 else ends[::-1]


def _overlap(a: tuple[Size, Size] | None, b: tuple[Size, Size] | None) -> bool:
    return a is None or b is None or not (below(a[1], b[0]) or below(b[1], a[0]))


def below(a: Size, b: Size) -> bool:
    """Whether a < b whatever the sizes of the dims, each at least 1."""
    gap = b - a
    constant = dict(gap.terms).get((), 0)
    others = [c for monomial, c in gap.terms if monomial]
    return all(c > 0 for c in others) and constant + sum(others) > 0
