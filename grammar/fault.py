"""A line that the grammar refuses."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from lark import Token

from emfppl.grammar.diagnostics import Diagnostic
from emfppl.grammar.source import SourceText, Span
from emfppl.grammar.tokens import LEADS, place


@dataclass(frozen=True)
class Fault:
    """A line that can't be read: its tokens, the place of the first that does not fit (or their number, at the end),
    and the kinds of tokens that would."""

    source: SourceText
    tokens: tuple[Token, ...]
    at: int
    expected: Set[str]
    inside: str = ""  # the block with lines of its own that it stands in: `guide`, `density`

    @property
    def span(self) -> Span:
        """Of the whole line, without the brace that opens a block."""
        last = self.tokens[-2] if len(self.tokens) > 1 and self.tokens[-1].type == "LBRACE" else self.tokens[-1]
        return place(self.tokens[0]).to(place(last))

    @property
    def text(self) -> str:
        return self.source.text[self.tokens[0].start_pos or 0 : self.tokens[-1].end_pos]

    @property
    def token(self) -> Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    @property
    def before(self) -> Token | None:
        return self.tokens[self.at - 1] if self.at else None

    @property
    def ends_in_lead(self) -> bool:
        """Whether the line ends in an operator or the like, so that the next may have been meant as a part of it."""
        return self.tokens[-1].type in LEADS

    def kinds(self) -> list[str]:
        return [t.type for t in self.tokens]

    def tell(self, code: str, message: str, span: Span, hint: str = "") -> Diagnostic:
        return Diagnostic(code, message, span, hint, self.source)
