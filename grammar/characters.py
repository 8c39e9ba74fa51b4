"""Signs that do not belong in a program: told once each, and read as what was meant where that is plain."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable

from lark import Token

from emfppl.grammar.diagnostics import Diagnostic
from emfppl.grammar.source import SourceText
from emfppl.grammar.tokens import place

# What a sign stands for: the kind of token and its text.
MEANT = {
    "−": ("MINUS", "-"), "–": ("MINUS", "-"), "‐": ("MINUS", "-"), "‑": ("MINUS", "-"), "—": ("MINUS", "-"),
    "×": ("STAR", "*"), "·": ("STAR", "*"), "⋅": ("STAR", "*"), "∗": ("STAR", "*"), "÷": ("SLASH", "/"), "∕": ("SLASH", "/"),
    "≤": ("AT_MOST", "<="), "≥": ("AT_LEAST", ">="), "≠": ("DIFFERS", "!="), "∼": ("TILDE", "~"), "˜": ("TILDE", "~"),
    "～": ("TILDE", "~"), "（": ("LPAR", "("), "）": ("RPAR", ")"), "，": ("COMMA", ","), "：": ("COLON", ":"),
    "＝": ("EQUAL", "="), "［": ("LSQB", "["), "］": ("RSQB", "]"), "∧": ("AND", "and"), "∨": ("OR", "or"), "¬": ("NOT", "not"),
    "∈": ("IN", "in"), "∞": ("NAME", "inf"), "′": ("PRIME", "'"), "’": ("PRIME", "'"),
}  # fmt: skip
BYTE_ORDER_MARK = "\ufeff"


def cleaned(tokens: Iterable[Token], source: SourceText) -> tuple[list[Token], list[Diagnostic]]:
    """The tokens without what does not belong, and one diagnostic for each sign that does not."""
    out: list[Token] = []
    found: list[Diagnostic] = []
    signs: dict[str, list[Token]] = {}
    for token in tokens:
        match token.type:
            case "BLOCK_COMMENT" | "SEMICOLON":
                signs.setdefault(token.type, []).append(token)
            case "OTHER" if _foreign(token):
                if token != BYTE_ORDER_MARK or token.start_pos != 0:
                    signs.setdefault(str(token), []).append(token)
                token = _meant(token)
            case "NUMBER" if math.isinf(float(token)):
                found.append(_too_large(token, source))
                token = Token.new_borrow_pos("OTHER", str(token), token)  # the line can't be read
            case "NAME" if not token.rstrip("'").isidentifier():
                found.append(_no_name(token, source))
                token = Token.new_borrow_pos("OTHER", str(token), token)
        if token.type not in ("BLOCK_COMMENT", "PRIME") and not (token.type == "OTHER" and len(token) == 1 and _foreign(token)):
            out.append(token)
    found += [_sign(places, source) for places in signs.values()]
    return out, found


def _foreign(token: Token) -> bool:
    """Whether no known language writes the sign in a program; the others are told with their line."""
    return not (token.isascii() and token.isprintable())


def _meant(token: Token) -> Token:
    kind, text = MEANT.get(str(token), (token.type, str(token)))
    return Token.new_borrow_pos(kind, text, token)


def _sign(places: list[Token], source: SourceText) -> Diagnostic:
    first, more = places[0], len(places) - 1
    again = f" It stands in {more} more place{'s' if more > 1 else ''}." if more else ""
    if first.type == "SEMICOLON":
        message, hint = "A statement ends with its line; it takes no `;`.", "delete it"
        return Diagnostic("E0124", message + again, place(first), hint, source)
    if first.type == "BLOCK_COMMENT":
        return Diagnostic(
            "E0124",
            "A comment starts with `#`, not with `/*`." + again,
            place(first),
            "write # in front of each line of it",
            source,
        )
    message = f"{_shown(str(first))} does not belong in a program."
    return Diagnostic("E0101", message + again, place(first), _remedy(str(first)), source)


def _shown(sign: str) -> str:
    """A sign with its name, such as ``“`` (left double quotation mark)."""
    name = unicodedata.name(sign, "").lower()
    visible = sign.isprintable() and not sign.isspace()
    code = f"U+{ord(sign):04X}"
    return f"`{sign}` ({name or code})" if visible else f"The character {code} ({name or 'a control character'})"


def _remedy(sign: str) -> str:
    if sign in MEANT:
        return f"write {MEANT[sign][1]}"
    if sign in "“”„‟«»‘‚‛″":
        return "names take no quotation marks, and there are no strings"
    if sign.isspace():
        return "write an ordinary space"
    if not sign.isprintable():
        return "delete it"
    return "delete it; names are made of letters, digits and _"


def _too_large(token: Token, source: SourceText) -> Diagnostic:
    shown = token if len(token) < 30 else f"{token[:20]}…"
    return Diagnostic("E0111", f"The number `{shown}` is too large.", place(token), "for infinity write inf", source)


def _no_name(token: Token, source: SourceText) -> Diagnostic:
    bad = next((c for c in token if not f"a{c}".isidentifier()), token[0])
    hint = "for a power write x ^ 2" if unicodedata.category(bad) == "No" else ""
    message = f"`{token}` can't be a name: {_shown(bad)} is neither a letter, a digit nor _."
    return Diagnostic("E0101", message, place(token), hint, source)
