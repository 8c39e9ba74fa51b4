"""What to tell of a program that could be read only in part.

A statement that can't be read is missing from the tree. What the checker then finds may be no more than its absence, so of its
findings only errors are told, and of these only those that name nothing that stands in lost text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.diagnostics import Diagnostic
from emfppl.grammar.source import SourceText, Span

WORD = re.compile(r"[^\W\d]\w*")
QUOTED = re.compile(r"`([^`]*)`")


def told(
    program: ast.Program, source: SourceText, problems: Sequence[Diagnostic], found: Sequence[Diagnostic]
) -> tuple[Diagnostic, ...]:
    """The problems of reading and what was found in the rest, in source order."""
    if problems:
        lost = lost_words(program, source)
        found = [d for d in found if d.is_error and not (lost & _named(d))]
    return tuple(sorted((*problems, *found), key=lambda d: (_place(d), d.code)))


def _place(one: Diagnostic) -> int:
    """Where it is told: in a model that is written out, at its use."""
    if one.span is None:
        return 0
    return [one.span, *(one.source.uses(one.span.start) if one.source else ())][-1].start


def _named(one: Diagnostic) -> set[str]:
    """The words of the program that a message quotes."""
    return {word for quoted in QUOTED.findall(one.message) for word in WORD.findall(quoted)}


def lost_words(program: ast.Program, source: SourceText) -> set[str]:
    """The words that stand in no statement of the tree and in no comment."""
    kept = bytearray(len(source.text))
    for span in _kept(program.statements):
        kept[span.start : span.end] = b"\x01" * (span.end - span.start)
    left = "".join("\n" if here == "\n" else " " if kept[n] else here for n, here in enumerate(source.text))
    return {word for line in left.split("\n") for word in WORD.findall(line.split("#")[0])}


def _kept(statements: Iterable[ast.Statement]) -> Iterator[Span]:
    """The places of all that was read: statements, and the heads of loops."""
    for s in statements:
        if isinstance(s, ast.For):
            yield from (s.var_span, s.range.span, *_kept(s.body))
        else:
            yield s.span
