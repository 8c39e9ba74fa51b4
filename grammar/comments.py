"""Which own-line comments and blank lines are kept: at most one blank line at a time, none at the beginning of a file or block
and none at its end. A blank line is ``""``."""

from __future__ import annotations


def above_of(lines: list[str], after_something: bool) -> tuple[str, ...]:
    """What is kept above a statement; `after_something`: another one comes before it in its block."""
    kept = lines if after_something else _without_leading_blank(lines)
    return tuple(text for i, text in enumerate(kept) if text or i == 0 or kept[i - 1])


def tail_of(lines: list[str], after_something: bool) -> tuple[str, ...]:
    """What is kept behind the last statement of a file or block."""
    return above_of(_without_leading_blank(lines[::-1])[::-1], after_something)


def _without_leading_blank(lines: list[str]) -> list[str]:
    first = next((i for i, text in enumerate(lines) if text), len(lines))
    return lines[first:]
