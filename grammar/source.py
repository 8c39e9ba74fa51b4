"""Source text and places in it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open range of character offsets ``[start, end)`` in a source text."""

    start: int = 0
    end: int = 0

    def to(self, other: Span) -> Span:
        """The smallest span that covers both."""
        return Span(min(self.start, other.start), max(self.end, other.end))

    def moved(self, by: int) -> Span:
        return Span(self.start + by, self.end + by)


def no_span() -> Span:
    """The field of a node for where it stands: at first nowhere, and no part of comparisons."""
    return field(default=Span(), compare=False, repr=False)  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Part:
    """What stands behind the text of a program, from the offset `start` on: an imported file, or the text of a model once
    more for one of its uses, so that each statement of a program has a span of its own."""

    start: int
    name: str  # of the file that it comes from
    line: int = 1  # of that file, where it begins
    used: Span | None = None  # the statement that uses the model


@dataclass(frozen=True)
class SourceText:
    """The text of one ``.emf`` file and the name it goes by in messages; what it imports stands behind it as `parts`."""

    text: str
    name: str = field(default="<model>")
    parts: tuple[Part, ...] = ()

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0] + [i + 1 for i, c in enumerate(self.text) if c == "\n"]

    @cached_property
    def _part_starts(self) -> list[int]:
        return [part.start for part in self.parts]

    @property
    def own_text(self) -> str:
        """The text of the file itself."""
        return self.text[: self.parts[0].start - 1] if self.parts else self.text

    @property
    def files(self) -> tuple[Part, ...]:
        """The imported files."""
        return tuple(part for part in self.parts if part.used is None)

    def part_at(self, offset: int) -> Part | None:
        """The part that a character offset stands in; None for the file itself."""
        n = bisect_right(self._part_starts, offset)
        return self.parts[n - 1] if n else None

    def text_of(self, part: Part) -> str:
        """The text of one part."""
        later = [p.start - 1 for p in self.parts if p.start > part.start]
        return self.text[part.start : later[0] if later else len(self.text)]

    def with_part(self, text: str, name: str, line: int = 1, used: Span | None = None) -> SourceText:
        """The source with one more part behind it."""
        return replace(self, text=f"{self.text}\n{text}", parts=(*self.parts, Part(len(self.text) + 1, name, line, used)))

    def row(self, offset: int) -> int:
        """The 1-based line in the text as a whole."""
        return bisect_right(self._line_starts, offset)

    def name_at(self, offset: int) -> str:
        """The name of the file that a character offset stands in."""
        part = self.part_at(offset)
        return part.name if part else self.name

    def position(self, offset: int) -> tuple[int, int]:
        """The 1-based line and column of a character offset, in its own file."""
        row, part = self.row(offset), self.part_at(offset)
        column = offset - self._line_starts[row - 1] + 1
        return (row - self.row(part.start) + part.line if part else row), column

    def line_at(self, offset: int) -> str:
        """The text of the line that an offset stands in, without its newline."""
        row = self.row(offset)
        end = self._line_starts[row] - 1 if row < len(self._line_starts) else len(self.text)
        return self.text[self._line_starts[row - 1] : end]

    def uses(self, offset: int) -> Iterator[Span]:
        """Where the model that an offset stands in is used, and where the model of that use is, and so on."""
        part = self.part_at(offset)
        while part is not None and part.used is not None:
            yield part.used
            part = self.part_at(part.used.start)
