"""The caret picture of a diagnostic: the place, the line it stands in, and carets under what is meant."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace

from emfppl.grammar.source import SourceText, Span

TAB = 4
LONGEST = 140


@dataclass(frozen=True, slots=True)
class Mark:
    """What is marked in one line: columns ``[start, end)`` as shown, the sign to mark with, and a few words behind it."""

    file: str
    line: int
    column: int  # as written
    start: int
    end: int
    sign: str
    words: str = ""
    text: str = ""  # of the line

    def __str__(self) -> str:
        return (" " * self.start + self.sign * max(1, self.end - self.start) + " " + self.words).rstrip()

    def moved(self, first: int, end: int) -> Mark:
        """The mark where only the columns from `first` to `end` are shown."""
        start, stop = (min(max(c, first), end) - first for c in (self.start, self.end))
        return replace(self, start=start, end=stop)


def picture(source: SourceText, span: Span, notes: Iterable[tuple[Span, str]]) -> str:
    """The place ``--> file:line:column`` and the lines of the span and of the notes, with their marks; those of other files
    behind, and where the model is used that the place stands in."""
    notes = [*notes, *((use, "used here") for use in source.uses(span.start))]
    marks = [_mark(source, span, "^")] + [_mark(source, place, "-", words) for place, words in notes]
    width = len(str(max(m.line for m in marks)))
    out: list[str] = []
    for file in dict.fromkeys(m.file for m in marks):
        mine = [m for m in marks if m.file == file]
        out += [f"{' ' * width}{':::' if out else '-->'} {file}:{mine[0].line}:{mine[0].column}", f"{' ' * width} |"]
        out += _lines(mine, width)
    return "\n".join(out)


def _lines(marks: list[Mark], width: int) -> list[str]:
    """The lines of one file that have marks."""
    out: list[str] = []
    before = 0
    for number in sorted({m.line for m in marks}):
        if before and number > before + 1:
            out.append("." * 3)
        before = number
        here = sorted((m for m in marks if m.line == number), key=lambda m: (m.sign != "^", m.start))
        text, first, end = _window(_shown(here[0].text), here[0])
        out.append(f"{number:>{width}} | {text}".rstrip())
        out += [f"{' ' * width} | {mark.moved(first, end)}" for mark in here]
    return out


def _mark(source: SourceText, span: Span, sign: str, words: str = "") -> Mark:
    """The first line of a span, as far as the span goes in it."""
    line, column = source.position(span.start)
    text = source.line_at(span.start)
    end = min(len(text.rstrip()), column - 1 + span.end - span.start)
    start, stop = _columns(text[: column - 1]), _columns(text[: max(end, column - 1)])
    return Mark(source.name_at(span.start), line, column, start, stop, sign, words, text)


def _shown(text: str) -> str:
    """A line as it is printed: tabs as spaces, what can't be printed as a box."""
    if text.isprintable():
        return text.rstrip()
    out = ""
    for sign in text.rstrip():
        out += " " * (TAB - _width(out) % TAB) if sign == "\t" else sign if _prints(sign) else "\N{REPLACEMENT CHARACTER}"
    return out


def _window(text: str, mark: Mark) -> tuple[str, int, int]:
    """As much of a long line as fits, with the beginning of the mark in it, and the columns where it starts and ends."""
    if len(text) <= LONGEST:
        return text, 0, 2 * LONGEST
    first = 0 if mark.start < LONGEST - 40 else mark.start - 40
    part = text[first : first + LONGEST]
    shown = ("…" + part[1:] if first else part) + ("…" if first + LONGEST < len(text) else "")
    return shown, first, first + LONGEST


def _prints(sign: str) -> bool:
    return sign.isprintable() or unicodedata.combining(sign) != 0


def _columns(text: str) -> int:
    """How many columns a beginning of a line takes as shown."""
    if text.isascii() and "\t" not in text:
        return len(text)
    shown = 0
    for sign in text:
        shown += TAB - shown % TAB if sign == "\t" else _width(sign)
    return shown


def _width(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(sign) in "WF" for sign in text)
    return len(text) + wide - sum(unicodedata.combining(sign) != 0 for sign in text)
