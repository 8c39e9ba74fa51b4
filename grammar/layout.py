"""From text to lines: tokens, with comments set apart, newlines inside brackets dropped, and braces as ends of lines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from lark import Token

from emfppl.grammar.diagnostics import Diagnostic
from emfppl.grammar.source import SourceText, Span
from emfppl.grammar.tokens import CLOSER, ENDS, SIGN, STARTERS, place, token_at

OPENER = {")": "(", "]": "["}


@dataclass
class Line:
    """A statement, the head of a block with its ``{``, or a ``}``; `told`: something is wrong with it and was said."""

    tokens: list[Token] = field(default_factory=list)
    above: list[str] = field(default_factory=list)
    behind: str = ""
    told: bool = False

    @property
    def span(self) -> Span:
        return place(self.tokens[0]).to(place(self.tokens[-1]))

    @property
    def opens(self) -> bool:
        return self.tokens[-1].type == "LBRACE"

    @property
    def closes(self) -> bool:
        return self.tokens[0].type == "RBRACE"


def lines_of(tokens: Iterable[Token], source: SourceText) -> tuple[list[Line], list[str], list[Diagnostic]]:
    """The lines of a program, the comments behind the last one, and what is wrong with its brackets."""
    layout = _Layout(list(tokens), source)
    for at in range(len(layout.tokens)):
        layout.take(at)
    layout.end()
    return layout.lines, layout.above, layout.found


class _Layout:
    def __init__(self, tokens: list[Token], source: SourceText):
        self.tokens, self.source = tokens, source
        self.lines: list[Line] = []
        self.found: list[Diagnostic] = []
        self.line = Line()
        self.above: list[str] = []  # own-line comments since the last line, "" for a blank one
        self.inner: list[str] = []  # comments inside the brackets of this line
        self.brackets: list[Token] = []
        self.row_comment: list[str] = []  # the comment behind what stands in this row
        self.same_row = False  # something stands in this row already

    def take(self, at: int) -> None:
        """Add one token."""
        token = self.tokens[at]
        match token.type:
            case "COMMENT":
                self._comment(str(token).rstrip())
            case "NEWLINE":
                self._newline(at)
            case "SEMICOLON" if self.brackets:
                self._add(Token.new_borrow_pos("COMMA", ",", token))
            case "SEMICOLON":
                self._finish()
            case "LPAR" | "LSQB":
                self._starts_anew(at)
                self.brackets.append(token)
                self._add(token)
            case "RPAR" | "RSQB":
                self._closer(token)
            case "LBRACE":
                self._unclosed()
                self._add(token)
                self._finish()
            case "RBRACE":
                self._unclosed()
                self._finish()
                self._add(token)
                self._finish()
            case _:
                self._starts_anew(at)
                self._add(token)

    def end(self) -> None:
        self.line.behind = "".join(self.row_comment)
        self._finish()

    def _add(self, token: Token) -> None:
        self.line.tokens.append(token)
        self.same_row = True

    def _finish(self) -> None:
        """The line ends here."""
        self._unclosed()
        if self.line.tokens:
            self.line.above = [*self.above, *self.inner]
            self.lines.append(self.line)
            self.above, self.inner = [], []
        self.line = Line()

    def _error(self, code: str, message: str, span: Span, hint: str = "", *notes: tuple[Span, str]) -> None:
        self.line.told = True
        self.found.append(Diagnostic(code, message, span, hint, self.source, notes))

    # ------------------------------------------------------------ newlines and comments

    def _newline(self, at: int) -> None:
        if not self.same_row and not self.line.tokens and self.above[-1:] != [""]:
            self.above.append("")
        elif self.brackets or (self.line.tokens and self._brace_is_next(at)):
            self.inner += self.row_comment
        else:
            self.line.behind = "".join(self.row_comment)
            self._finish()
        self.same_row, self.row_comment = False, []

    def _brace_is_next(self, at: int) -> bool:
        while at < len(self.tokens) and self.tokens[at].type in ("NEWLINE", "COMMENT"):
            at += 1
        return at < len(self.tokens) and self.tokens[at].type == "LBRACE"

    def _comment(self, text: str) -> None:
        if self.line.tokens:
            self.row_comment = [text]
        elif self.same_row and self.lines and not self.lines[-1].behind:
            self.lines[-1].behind = text
        else:
            self.above.append(text)
        self.same_row = True

    # ------------------------------------------------------------ brackets

    def _closer(self, token: Token) -> None:
        if not self.brackets or token.type not in (CLOSER[b.type] for b in reversed(self.brackets)):
            self._stray(token)
            return
        while CLOSER[self.brackets[-1].type] != token.type:
            self._close_innermost()
        self.brackets.pop()
        self._add(token)

    def _stray(self, token: Token) -> None:
        here = place(token)
        if self.brackets:
            opener = self.brackets[-1]
            message = f"`{token}` can't close the `{opener}`."
            self._error("E0104", message, here, f"write `{SIGN[CLOSER[opener.type]]}`", (place(opener), "opened here"))
        else:
            self._error("E0104", f"There is no `{OPENER[str(token)]}` that this `{token}` closes.", here, "delete it")

    def _close_innermost(self) -> None:
        """Tell that a bracket is open still, and close it."""
        opener, last = self.brackets.pop(), self.line.tokens[-1]
        closer = SIGN[CLOSER[opener.type]]
        if not self.line.told:
            more = "one more " if last == closer else ""
            hint = "delete it, or close it" if last is opener else f"write {more}`{closer}` behind `{last}`"
            self._error("E0103", f"This `{opener}` is never closed.", place(opener), hint)
        self._add(token_at(closer, last.end_pos or 0, CLOSER[opener.type]))

    def _unclosed(self) -> None:
        while self.brackets:
            self._close_innermost()

    def _starts_anew(self, at: int) -> None:
        """Inside brackets, at the beginning of a row that can only be a new statement: the brackets end before it."""
        if not self.brackets or self.same_row or not _begins_statement(self.tokens, at, self.line.tokens[-1]):
            return
        inner, self.inner = self.inner, []
        self._finish()
        self.above = inner


def _begins_statement(tokens: list[Token], at: int, before: Token) -> bool:
    first = tokens[at]
    if first.type in STARTERS:
        return True
    if first.type != "NAME":
        return False
    row = _top_level(tokens, at)
    return "TILDE" in row or ("EQUAL" in row and before.type in ENDS)


def _top_level(tokens: list[Token], at: int) -> list[str]:
    """The kinds of the tokens from here to the end of the row that stand in no bracket of the row."""
    depth, out = 0, []
    for token in islice(tokens, at, None):
        if token.type == "NEWLINE":
            break
        depth += (token.type in CLOSER) - (token.type in CLOSER.values())
        if depth == 0:
            out.append(token.type)
    return out
