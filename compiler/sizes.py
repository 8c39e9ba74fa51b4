"""Sizes of dims as polynomials, so that shapes are compared before any data is seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

Monomial = tuple[str, ...]  # sorted names; () is the constant


@dataclass(frozen=True, slots=True)
class Size:
    """An integer polynomial in the sizes of dims: ``Size.of("time") - 1``. Equal polynomials are equal values."""

    terms: tuple[tuple[Monomial, int], ...] = ()

    @staticmethod
    def const(value: int) -> Size:
        return Size((((), value),)) if value else Size()

    @staticmethod
    def of(dim: str) -> Size:
        """The size of a dim (a primed dim has the size of the unprimed one)."""
        return Size((((dim.rstrip("'"),), 1),))

    @staticmethod
    def _from(terms: Mapping[Monomial, int]) -> Size:
        return Size(tuple(sorted((m, c) for m, c in terms.items() if c)))

    def __add__(self, other: Size | int) -> Size:
        other = other if isinstance(other, Size) else Size.const(other)
        out = dict(self.terms)
        for m, c in other.terms:
            out[m] = out.get(m, 0) + c
        return Size._from(out)

    def __mul__(self, other: Size | int) -> Size:
        other = other if isinstance(other, Size) else Size.const(other)
        out: dict[Monomial, int] = {}
        for (m, c), (n, d) in product(self.terms, other.terms):
            key = tuple(sorted(m + n))
            out[key] = out.get(key, 0) + c * d
        return Size._from(out)

    def __neg__(self) -> Size:
        return self * -1

    def __sub__(self, other: Size | int) -> Size:
        return self + (-other)

    @property
    def value(self) -> int | None:
        """The number, if no dim is in it."""
        if not self.terms:
            return 0
        return self.terms[0][1] if len(self.terms) == 1 and self.terms[0][0] == () else None

    @property
    def dims(self) -> frozenset[str]:
        return frozenset(name for m, _ in self.terms for name in m)

    def evaluate(self, sizes: Mapping[str, int]) -> int:
        """The number, given every dim's size; KeyError names a dim that has none."""
        total = 0
        for monomial, coefficient in self.terms:
            for name in monomial:
                coefficient *= sizes[name]
            total += coefficient
        return total

    def __str__(self) -> str:
        def one(m: Monomial, c: int) -> str:
            names = " * ".join(m)
            return str(abs(c)) if not m else names if abs(c) == 1 else f"{abs(c)} * {names}"

        parts = [("-" if c < 0 else "+", one(m, c)) for m, c in sorted(self.terms, key=lambda t: -len(t[0]))]
        if not parts:
            return "0"
        head = ("-" if parts[0][0] == "-" else "") + parts[0][1]
        return head + "".join(f" {sign} {text}" for sign, text in parts[1:])
