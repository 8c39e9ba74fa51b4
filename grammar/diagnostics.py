"""Diagnostics: what a user is told, with a stable code, a place, a caret picture and a remedy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from emfppl.grammar.picture import picture
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
        """The message, the caret picture where there is a place, and the hint."""
        out = [f"{'error' if self.is_error else 'warning'}[{self.code}]: {self.message}"]
        if self.source is not None and self.span is not None:
            out.append(picture(self.source, self.span, self.notes))
        if self.hint:
            out.append(f"hint: {self.hint}")
        return "\n".join(out)


class EmfError(Exception):
    """The only exception that users of emfppl meet; `diagnostics` holds all that was found, in source order."""

    def __init__(self, diagnostics: Iterable[Diagnostic]):
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n\n".join([*map(str, self.diagnostics), *_count(self.diagnostics)]))


def _count(diagnostics: tuple[Diagnostic, ...]) -> list[str]:
    """``3 errors, 1 warning`` where there are several."""
    errors = sum(d.is_error for d in diagnostics)
    parts = [(errors, "error"), (len(diagnostics) - errors, "warning")]
    words = [f"{n} {word}{'s' if n > 1 else ''}" for n, word in parts if n]
    return [", ".join(words)] if len(diagnostics) > 1 else []
