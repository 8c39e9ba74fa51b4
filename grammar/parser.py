"""The parser of lines: `emf.lark` compiled by Lark.

Compiling takes longer than all the rest of checking a program, so its result is kept in `emf_tables.json` beside the grammar
(``python -m emfppl.grammar.parser`` writes it, ``make tables``). Tables of another grammar or of another Lark are not used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import lark
from lark import Lark, Token
from lark.grammar import Rule
from lark.lexer import TerminalDef

from emfppl.grammar.tree_builder import TreeBuilder

GRAMMAR = Path(__file__).with_name("emf.lark")
TABLES = Path(__file__).with_name("emf_tables.json")


class _KeepAll:
    """Keeps the tokens that no rule of the grammar mentions."""

    always_accept = ("COMMENT", "NEWLINE", "BLOCK_COMMENT", "OTHER", "SEMICOLON", "RBRACE")

    def process(self, stream: Iterable[Token]) -> Iterable[Token]:
        return stream


@cache
def line_parser() -> Lark:
    """Reads one line from its tokens, from the start ``line`` or ``guide_line``; `lex` gives the tokens of a whole text."""
    parser = _saved() or compiled()
    parser.lexer = parser._build_lexer()  # Lark's `lex` would build one for every text, which takes longer than most texts
    return parser


def compiled() -> Lark:
    return Lark(
        GRAMMAR.read_text(encoding="utf-8"), parser="lalr", lexer="basic", start=["line", "guide_line", "density_line"],
        transformer=TreeBuilder(), postlex=_KeepAll(), keep_all_tokens=True, maybe_placeholders=False,
    )  # fmt: skip


def fingerprint() -> str:
    """Of the grammar and of what compiles it."""
    return hashlib.sha256(GRAMMAR.read_bytes()).hexdigest()[:16] + " lark " + lark.__version__


def _saved() -> Lark | None:
    if not TABLES.exists():
        return None
    saved = json.loads(TABLES.read_text(encoding="utf-8"), object_hook=_with_numbers)
    if saved["of"] != fingerprint():
        return None
    return Lark.__new__(Lark)._load({"data": saved["data"], "memo": saved["memo"]}, transformer=TreeBuilder())


def _with_numbers(table: dict[str, Any]) -> dict[str | int, Any]:
    """JSON has no numbers as keys."""
    return {int(k) if k.isdigit() else k: v for k, v in table.items()}


def save() -> None:
    """Write the tables of the grammar as it is."""
    data, memo = compiled().memo_serialize([TerminalDef, Rule])
    data["options"].update(transformer=None, postlex=None)
    text = json.dumps({"of": fingerprint(), "data": data, "memo": memo}, separators=(",", ":"))
    TABLES.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    save()
