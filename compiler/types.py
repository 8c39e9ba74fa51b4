"""Kinds of elements: how they join, and which may stand where."""

from __future__ import annotations

from collections.abc import Iterable

from emfppl.compiler.expressions import Kind, Type

RANK = {Kind.BOOL: 0, Kind.INT: 1, Kind.INDEX: 1, Kind.REAL: 2}


def join(types: Iterable[Type]) -> tuple[Kind, str | None]:
    """The smallest kind that holds all of them: index only if all index the same dim."""
    parts = [(t.kind, t.of) for t in types]
    if len(set(parts)) == 1:
        return parts[0]
    kind = max((k for k, _ in parts), key=RANK.__getitem__)
    return (Kind.INT if kind is Kind.INDEX else kind), None


def arithmetic(types: Iterable[Type]) -> Kind:
    """The kind of a sum or product: real if one is, else int (bools count as 0 and 1)."""
    return Kind.REAL if any(t.kind is Kind.REAL for t in types) else Kind.INT


def fits(value: Type, kind: Kind, of: str | None = None) -> bool:
    """Whether a value of this type may stand where `kind` was declared."""
    if kind is Kind.INDEX:
        return value.kind is Kind.INDEX and value.of == of
    if kind is Kind.BOOL:
        return value.kind is Kind.BOOL
    return RANK[value.kind] <= RANK[kind]


def describe(value: Type) -> str:
    """A type in words for messages: ``real over [school]``."""
    return kind_text(value.kind, value.of) + (
        f" over [{', '.join(a.label for a in value.axes)}]" if value.axes else ""
    )


def kind_text(kind: Kind, of: str | None = None) -> str:
    """``index(county)``, ``real``."""
    return f"index({of})" if kind is Kind.INDEX else kind.value
