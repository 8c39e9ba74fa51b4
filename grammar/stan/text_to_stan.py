"""From the text of a Stan program to its tree, comments and all. Never raises: what can't be read comes as a diagnostic."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from lark import Lark, Token
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from emfppl.grammar.ast_nodes import Comments
from emfppl.grammar.diagnostics import Diagnostic
from emfppl.grammar.source import SourceText, Span
from emfppl.grammar.stan import stan_nodes as stan
from emfppl.grammar.stan.tree_to_stan import program_of

GRAMMAR = Path(__file__).parents[1] / "stan.lark"
COMMENT = re.compile(r'"[^"\n]*"|(//[^\n]*|#[^\n]*|/\*[\s\S]*?\*/)')
SIMPLE = (stan.Declared, stan.Assigned, stan.Drawn, stan.Increment, stan.Result, stan.Other)

EXPRESSIONS = (stan.Number, stan.Name, stan.Operation, stan.Call, stan.Index, stan.Items)


@cache
def _parser() -> Lark:
    return Lark(
        GRAMMAR.read_text(encoding="utf-8"), parser="lalr", start="program", propagate_positions=True, maybe_placeholders=False
    )


def parse_stan(source: SourceText) -> tuple[stan.StanProgram | None, tuple[Diagnostic, ...]]:
    """The program, or what can't be read of it."""
    include = re.search(r"^\s*#include[^\n]*", source.text, re.M)
    if include:
        span = Span(include.start(), include.end())
        return None, (Diagnostic("E1401", "Other files are not read here.", span, "put their text in its place", source),)
    try:
        tree = _parser().parse(source.text)
    except UnexpectedInput as fault:
        return None, (_unreadable(source, fault),)
    return with_comments(program_of(tree), source), ()


def _unreadable(source: SourceText, fault: UnexpectedInput) -> Diagnostic:
    text = source.text
    if isinstance(fault, UnexpectedToken) and fault.token.type != "$END":
        span, what = Span(fault.token.start_pos or 0, fault.token.end_pos or 0), f"`{fault.token}` can't stand here."
    elif isinstance(fault, UnexpectedCharacters):
        at = fault.pos_in_stream or 0
        span, what = Span(at, at + 1), f"`{text[at]}` is no part of Stan."
    else:
        end = len(text.rstrip())
        span, what = Span(max(end - 1, 0), max(end, 1)), "The program ends too early."
    hint = "see what Stan's own compiler says of it: only programs that it takes can be translated"
    expected = fault.accepts or fault.expected if isinstance(fault, UnexpectedToken) else set()
    if "SEMICOLON" in expected and isinstance(fault, UnexpectedToken):
        hint = "is a `;` missing before it?"
    return Diagnostic("E1401", what, span, hint, source)


# ---------------------------------------------------------------- comments


def with_comments(program: stan.StanProgram, source: SourceText) -> stan.StanProgram:
    """Each comment at its statement: behind it on the same line, else above the next one."""
    found = [Token("COMMENT", m[1], start_pos=m.start(1), end_pos=m.end(1)) for m in COMMENT.finditer(source.text) if m[1]]
    owners = sorted(_statements(program), key=lambda s: s.span.start)
    first = owners[0].span.start if owners else len(source.text)
    block = re.search(r"\b(functions|data|transformed|parameters|model|generated)\b[\w\s]*\{", _without(source.text, found))
    first = min(first, block.start() if block else first)
    above: dict[Span, list[str]] = {}
    behind: dict[Span, str] = {}
    head, tail = [], []
    for comment in found:
        start, lines = comment.start_pos or 0, _lines(str(comment))
        if not lines:
            continue
        owner = _before(owners, start, source)
        later = next((s for s in owners if s.span.start > start), None)
        if start < first:
            head += lines
        elif owner is not None and len(lines) == 1 and owner.span not in behind:
            behind[owner.span] = lines[0]
        elif later is not None:
            above.setdefault(later.span, []).extend(lines)
        else:
            tail += lines
    return replace(_commented(program, above, behind), head=tuple(head), tail=tuple(tail))


def _without(text: str, found: list[Token]) -> str:
    """The text with blanks for its comments."""
    for one in found:
        text = text[: one.start_pos] + " " * len(one) + text[one.end_pos :]
    return text


def _lines(comment: str) -> list[str]:
    """The lines of a comment, each as a comment of its own."""
    inner = re.sub(r"^(//+|#+|/\*+)|\*+/$", "", comment)
    rows = [re.sub(r"^\s*\*\s?", "", row).strip() for row in inner.split("\n")]
    return [f"# {row}" for row in rows if re.search(r"\w", row)]


def _statements(node: Any) -> list[Any]:
    """All statements in a tree, blocks left out."""
    if isinstance(node, tuple):
        return [s for one in node for s in _statements(one)]
    if isinstance(node, type) or not is_dataclass(node) or isinstance(node, EXPRESSIONS):
        return []
    mine = [node] if isinstance(node, (*SIMPLE, stan.For, stan.Choice, stan.Function)) else []
    return mine + [s for f in fields(node) for s in _statements(getattr(node, f.name))]


def _before(owners: list[Any], start: int, source: SourceText) -> Any:
    """The statement on whose line a comment stands."""
    row = source.position(start)[0]
    ended: list[Any] = [s for s in owners if isinstance(s, SIMPLE) and s.span.end <= start]
    ended = [s for s in ended if source.position(s.span.end)[0] == row]
    heads: list[Any] = [s for s in owners if isinstance(s, stan.For) and s.span.start < start < s.span.end]
    heads = [s for s in heads if source.position(s.span.start)[0] == row]
    return max(ended + heads, key=lambda s: s.span.start, default=None)


def _commented(given: Any, above: dict[Span, list[str]], behind: dict[Span, str]) -> Any:
    node: Any = given
    if isinstance(node, tuple):
        return tuple(_commented(one, above, behind) for one in node)
    if isinstance(node, type) or not is_dataclass(node) or isinstance(node, EXPRESSIONS):
        return node
    changes: dict[str, Any] = {
        f.name: _commented(getattr(node, f.name), above, behind)
        for f in fields(node)
        if isinstance(getattr(node, f.name), tuple) and f.name not in ("head", "tail")
    }
    span = getattr(node, "span", None)
    if span is not None:
        changes["comments"] = Comments(tuple(above.get(span, ())), behind.get(span, ""))
    return replace(given, **changes)
