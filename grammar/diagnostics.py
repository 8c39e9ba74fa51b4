"""Diagnostics: what a user is told, with a stable code, a place, a caret picture and a remedy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from emfppl.grammar.source import SourceText, Span


@dataclass(frozen=True, slots=True)
class Code:
    """One row of the table of codes: what it means, and an example of how it comes about (for the catalogue page)."""

    id: str
    title: str
    explanation: str


@dataclass(frozen=True)
class Diagnostic:
    """One thing to tell: `code` (``E0203`` error, ``W0105`` warning), message, span, hint, further places."""

    code: str
    message: str
    span: Span | None = None
    hint: str = ""
    source: SourceText | None = None
    notes: tuple[tuple[Span, str], ...] = ()  # further places, each with a few words ("declared here")

    @property
    def is_error(self) -> bool:
        return self.code.startswith("E")

    def __str__(self) -> str:
        raise NotImplementedError  # the caret picture


class EmfError(Exception):
    """The only exception that users of emfppl meet; `diagnostics` holds all that was found, in source order."""

    def __init__(self, diagnostics: Iterable[Diagnostic]):
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n\n".join(str(d) for d in self.diagnostics))
