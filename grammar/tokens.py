"""Kinds of tokens, as `emf.lark` names them, and where a token stands."""

from __future__ import annotations

from lark import Token

from emfppl.grammar.source import Span

WORDS = frozenset((
    "DIM", "DATA", "PARAM", "DEF", "FOR", "IN", "FACTOR", "RETURN", "GUIDE", "IF", "AND", "OR", "NOT", "TRUE", "FALSE",
))  # fmt: skip
STARTERS = frozenset(("DIM", "DATA", "PARAM", "DEF", "FOR", "FACTOR", "RETURN", "GUIDE"))  # of statements
OPERATORS = frozenset((
    "PLUS", "MINUS", "STAR", "SLASH", "FLOOR_DIVIDE", "PERCENT", "AT", "CIRCUMFLEX", "POWER", "LESS", "AT_MOST", "MORE",
    "AT_LEAST", "EQUALS", "DIFFERS", "AND", "OR", "NOT",
))  # fmt: skip
LEADS = OPERATORS | {"TILDE", "EQUAL", "COMMA", "COLON"}  # something must follow them
OPERANDS = frozenset(("NAME", "NUMBER", "TRUE", "FALSE"))
ENDS = OPERANDS | {"RPAR", "RSQB"}  # of values
STARTS = OPERANDS | {"LPAR", "LSQB", "IF"}  # of values
CLOSER = {"LPAR": "RPAR", "LSQB": "RSQB"}
SIGN = {"LPAR": "(", "RPAR": ")", "LSQB": "[", "RSQB": "]", "LBRACE": "{", "RBRACE": "}"}


def place(token: Token) -> Span:
    return Span(token.start_pos or 0, token.end_pos or 0)


def token_at(text: str, offset: int, kind: str) -> Token:
    """A token that nobody wrote."""
    return Token(kind, text, start_pos=offset, end_pos=offset)
