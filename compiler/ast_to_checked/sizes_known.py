"""Dims and their sizes: what the file gives, and how two lengths compare before any data is seen."""

from __future__ import annotations

from dataclasses import dataclass, field

from emfppl.compiler.graph import DimSize
from emfppl.compiler.sizes import Size
from emfppl.grammar.source import Span


@dataclass
class DimTable:
    """Every dim of the program: its size where the file gives it, and where it was declared."""

    sizes: dict[str, Size | None] = field(default_factory=dict)
    spans: dict[str, Span] = field(default_factory=dict)
    numbers: set[str] = field(default_factory=set)  # scalar whole-number data used as sizes

    def __contains__(self, label: str) -> bool:
        return label.rstrip("'") in self.sizes

    def resolve(self, size: Size) -> Size:
        """The size with every dim replaced by the size that the file gives it."""
        for _ in range(len(self.sizes) + 1):
            if not any(self.sizes.get(d) is not None for d in size.dims):
                break
            size = self._substitute(size)
        return size

    def _substitute(self, size: Size) -> Size:
        total = Size()
        for monomial, coefficient in size.terms:
            term = Size.const(coefficient)
            for name in monomial:
                given = self.sizes.get(name)
                term = term * (given if given is not None else Size.of(name))
            total = total + term
        return total

    def same(self, a: Size, b: Size) -> bool:
        return a == b or self.resolve(a) == self.resolve(b)

    def known(self, size: Size) -> int | None:
        """The number, if the file tells it."""
        return self.resolve(size).value

    def negative(self, size: Size) -> bool:
        """Whether the size is below 0 whatever the data (dims hold at least one)."""
        terms = self.resolve(size).terms
        return all(c < 0 for m, c in terms if m) and sum(c for _, c in terms) < 0

    def family(self, dim: str) -> set[str]:
        """The dim and all that its declared size is made of."""
        out, todo = {dim}, [dim]
        while todo:
            size = self.sizes.get(todo.pop())
            new = set(size.dims) - out if size is not None else set()
            out |= new
            todo += new
        return out

    def akin(self, a: str, b: str) -> bool:
        """Whether the file makes two sizes from each other or from a common one: ``dim inner = leaf - 1``."""
        return bool(self.family(a) & self.family(b))

    def related(self, a: str, b: str) -> bool:
        """Whether the sizes of two dims are tied by the file: both numbers, or with a dim in common."""
        one, two = self.resolve(Size.of(a)), self.resolve(Size.of(b))
        both_known = one.value is not None and two.value is not None
        return both_known or bool(one.dims & two.dims)

    def listed(self) -> tuple[DimSize, ...]:
        return tuple(DimSize(name, size, self.spans.get(name, Span())) for name, size in self.sizes.items())
