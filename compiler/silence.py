"""Warnings that a line silences: ``# emf: ok W0105``."""

from __future__ import annotations

import re
from collections.abc import Iterable

from emfppl.grammar.diagnostics import Diagnostic
from emfppl.grammar.source import SourceText

MARK = re.compile(r"#\s*emf:\s*ok\b(.*)")
WARNING = re.compile(r"\bW\d{4}\b")


def not_silenced(source: SourceText, found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """The diagnostics without the warnings that a comment on one of their lines names; errors can't be silenced."""
    silenced = {
        (row, code)
        for row, line in enumerate(source.text.split("\n"), start=1)
        for mark in MARK.findall(line)
        for code in WARNING.findall(mark)
    }
    return tuple(d for d in found if not any((row, d.code) in silenced for row in _rows(source, d)))


def _rows(source: SourceText, one: Diagnostic) -> range:
    """The lines that a diagnostic points at."""
    if one.span is None:
        return range(0)
    return range(source.row(one.span.start), source.row(max(one.span.start, one.span.end - 1)) + 1)
