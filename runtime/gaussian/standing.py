"""Which nodes of a program have which part in its Gaussian block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emfppl.compiler import graph as g
from emfppl.runtime.execute import Item

if TYPE_CHECKING:
    from emfppl.runtime.program import Program


class Standing:
    """The nodes of a program by their part in its Gaussian block: what is Gaussian, other terms, what stands apart; and the
    computed variables, which are in each list."""

    def __init__(self, program: Program, division: g.GaussianBlock):
        self.program, self.division = program, division
        guided, data = program.selection.guided, frozenset(program.data)
        self._in = {n for n, (_, node) in enumerate(program.keyed) if program.selection.in_density(node, guided, data)}
        by_itself = {n for n in self._in if program.keyed[n][0] not in program._summed}
        random = {n for n in by_itself if not isinstance(self._node(n), g.ComputedNode)}
        prior = {n for n in random if not isinstance(self._node(n), g.FactorNode) and self._node(n).target.name in division.inner}
        gaussian = random & (prior | set(division.exact))
        self.prior = {self.program.keyed[n][0]: n for n in prior}
        terms = random & set(division.terms)
        self.computed = self.items(set())
        self.gaussian, self.terms, self.apart = (self.items(n) for n in (gaussian, terms, random - gaussian - terms))
        touching = [set(m.nodes) & set(division.terms) for m in program.marginals]
        self.sums = tuple(n for n, them in enumerate(touching) if them)
        self.terms_stand = bool(terms or self.sums)
        self.sums_apart = tuple(n for n, them in enumerate(touching) if not them)

    def _node(self, n: int) -> Any:
        return self.program.keyed[n][1]

    def name(self, n: int) -> str:
        """The variable that a node defines."""
        return str(self._node(n).target.name)

    def items(self, random: set[int]) -> list[Item]:
        """These nodes with the computed ones, no loop carried through random variables."""
        kept = [n for n in sorted(self._in) if n in random or isinstance(self._node(n), g.ComputedNode)]
        return self.program.with_all_known([self.program.keyed[n] for n in kept])

    @property
    def scanned(self) -> bool:
        """Whether a Gaussian node can't be had all at once."""
        return any(a.carried for _, n in self.gaussian if not isinstance(n, g.ComputedNode) for a in n.domain)
