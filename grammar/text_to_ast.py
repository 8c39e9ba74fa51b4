"""From text to the syntax tree. Never raises: what is wrong comes as diagnostics, and the rest of the program is read on."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

from lark import Token
from lark.exceptions import UnexpectedToken

from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.characters import cleaned
from emfppl.grammar.comments import above_of, tail_of
from emfppl.grammar.diagnostics import Diagnostic
from emfppl.grammar.explain import explain, foreign_dots
from emfppl.grammar.fault import Fault
from emfppl.grammar.habits_of_flow import FOREIGN_BLOCKS
from emfppl.grammar.layout import Line, lines_of
from emfppl.grammar.misplaced import misplaced
from emfppl.grammar.parser import line_parser
from emfppl.grammar.source import SourceText, Span
from emfppl.grammar.tokens import place

DEEPEST, DEEPEST_BLOCK = 100, 20
Block = ast.For | ast.Function | ast.Guide | ast.Model | ast.Density
# Words of the language at the beginning of a line of these blocks only.
SOFT = {"guide": {"backbone": "BACKBONE", "gate": "GATE"}, "density": {"conditioned_on": "CONDITIONED_ON"}}
# Words of the language only at the beginning of a line, in front of a token of this kind: elsewhere they are names.
SOFT_HEADS = {
    "model": ("MODEL", "NAME"), "distribution": ("LAW", "NAME"), "import": ("IMPORT", "STRING"), "density": ("DENSITY", "NAME"),
}  # fmt: skip


def parse(source: SourceText) -> tuple[ast.Program, tuple[Diagnostic, ...]]:
    """The program, without the statements that can't be read, and what is wrong in source order."""
    tokens, signs = cleaned(line_parser().lex(source.text), source)
    lines, rest, brackets = lines_of(tokens, source)
    reader = _Reader(source, [*signs, *brackets])
    for line in lines:
        reader.read(line)
    program = reader.end(rest)
    return program, tuple(sorted(reader.found, key=lambda d: d.span.start if d.span else 0))


@dataclass
class _Block:
    """A block being read: its head (None for the file itself and for a head that can't be read) and what stands in it."""

    head: Block | None = None
    brace: Span = Span()
    first_row: int = 0
    inside: str = ""  # `guide` and `density`: blocks with lines of their own
    keep: bool = False  # without a head: its statements are those of the block around it, not lost with the head
    skip: bool = False  # nothing in it is read
    faulty: bool = False  # some of it can't be read
    statements: list[Any] = field(default_factory=list)


class _Reader:
    """Reads line after line and puts blocks together."""

    def __init__(self, source: SourceText, found: list[Diagnostic]):
        self.source, self.found = source, found
        self.told = sorted(d.span.start for d in found if d.span)  # places of what was found in signs and brackets
        self.blocks = [_Block()]
        self.goes_on = False  # the last line that can't be read ended as if the next one were a part of it
        self.lost_heads = 0  # heads without a brace, whose closing brace is no fault of its own

    def read(self, line: Line) -> None:
        if line.closes:
            self._close(line)
            return
        block = self.blocks[-1]
        node = None if block.skip else self._parse(line, block)
        block.faulty = block.faulty or node is None
        if line.opens:
            self._open(line, node)
        elif node is not None:
            block.statements.append(node)

    def end(self, rest: list[str]) -> ast.Program:
        for block in self.blocks[:0:-1]:
            if block.head is not None:
                self._error("E0103", "This `{` is never closed.", block.brace, "write `}` on a line of its own")
            self._leave()
        statements = tuple(self.blocks[0].statements)
        return ast.Program(statements, tail_of(rest, bool(statements)), Span(0, len(self.source.text)))

    # ------------------------------------------------------------ blocks

    def _open(self, line: Line, node: Any) -> None:
        brace = line.tokens[-1]
        row = self.source.position(brace.start_pos or 0)[0]
        words = [str(t) for t in line.tokens[:-1]]
        inside = "guide" if line.tokens[0].type == "GUIDE" else "density" if words[0:1] == ["density"] else ""
        lost = self.blocks[-1].skip or (node is None and inside == "density")
        block = _Block(node, place(brace), row, inside, " ".join(words) in FOREIGN_BLOCKS, lost)
        self.blocks.append(block)

    def _close(self, line: Line) -> None:
        if len(self.blocks) > 1:
            self._leave(line)
        elif self.lost_heads:
            self.lost_heads -= 1
        elif not line.told:
            self._error("E0104", "There is no `{` that this `}` closes.", line.span, "delete it")

    def _leave(self, line: Line | None = None) -> None:
        """The innermost block ends, with its `}` or with the file."""
        block = self.blocks.pop()
        around = self.blocks[-1]
        around.faulty = around.faulty or block.faulty
        if block.head is None or (block.faulty and isinstance(block.head, ast.Function | ast.Model | ast.Density)):
            around.statements += block.statements if block.keep else ()
            return
        end = line.span if line else Span(len(self.source.text), len(self.source.text))
        comments, rest = block.head.comments, list(line.above) if line else []
        if line and line.behind:
            same_row = self.source.position(end.start)[0] == block.first_row
            if same_row and not comments.behind:
                comments = replace(comments, behind=line.behind)
            else:
                rest.append(line.behind)
        around.statements.append(_whole(block.head, tuple(block.statements), comments, rest, end))

    # ------------------------------------------------------------ one line

    def _parse(self, line: Line, block: _Block) -> Any:
        inside = block.inside
        tokens = _softened(line.tokens, inside)
        parser = line_parser().parse_interactive(start=f"{inside}_line" if inside else "line")
        try:
            for token in tokens:
                parser.feed_token(token)
            node = parser.feed_eof(tokens[-1])
        except UnexpectedToken as fault:
            at = next((i for i, t in enumerate(tokens) if t is fault.token), len(tokens))
            self._tell(line, Fault(self.source, tuple(tokens), at, fault.accepts or fault.expected, inside))
            return None
        known = block.head is not None or len(self.blocks) == 1
        wrong = None if inside else foreign_dots(tokens, self.source)
        wrong = wrong or (misplaced(node, block.head, line.span, self.source) if known else None)
        wrong = wrong or self._too_deep(node, line)
        if wrong is not None:
            self.found.append(wrong)
            return None
        self.goes_on = False
        return replace(node, comments=ast.Comments(above_of(line.above, bool(block.statements)), line.behind))

    def _too_deep(self, node: Any, line: Line) -> Diagnostic | None:
        """What later stages walk recursively has bounds."""
        if len(self.blocks) > DEEPEST_BLOCK and line.opens:
            return Diagnostic("E0110", "Blocks are nested too deeply.", line.span, "", self.source)
        if len(line.tokens) <= DEEPEST or depth_of(node) <= DEEPEST:
            return None
        hint = "give parts of it names of their own: part = …"
        return Diagnostic("E0110", "This expression is nested too deeply.", line.span, hint, self.source)

    def _tell(self, line: Line, fault: Fault) -> None:
        """Say what is wrong with a line, unless something in it was told already."""
        here, last = bisect_left(self.told, line.span.start), line.tokens[-1]
        end = line.span.end + (last.start_pos == last.end_pos)  # a bracket without text stands for a wrong one, which is told
        if here == len(self.told) or self.told[here] >= end:
            told = explain(fault)
            if not (self.goes_on and told.code == "E0106"):
                self.found.append(told)
            self.goes_on = fault.ends_in_lead
        if line.tokens[0].type in ("FOR", "DEF", "LAW", "GUIDE") and not line.opens:
            self.lost_heads += 1

    def _error(self, code: str, message: str, span: Span, hint: str = "") -> None:
        self.found.append(Diagnostic(code, message, span, hint, self.source))


def _softened(tokens: list[Token], inside: str) -> list[Token]:
    """The tokens of a line with the words that are words only here."""
    first, kind = tokens[0], tokens[0].type
    if inside:
        kind = SOFT[inside].get(str(first), kind)
    elif str(first) in SOFT_HEADS and len(tokens) > 1 and tokens[1].type == SOFT_HEADS[str(first)][1]:
        kind = SOFT_HEADS[str(first)][0]
    rest = [
        Token.new_borrow_pos("AS", str(t), t) if kind == "IMPORT" and n == 1 and t == "as" else t for n, t in enumerate(tokens[1:])
    ]
    return [Token.new_borrow_pos(kind, str(first), first), *rest]


def _whole(head: Block, body: tuple[Any, ...], comments: ast.Comments, rest: list[str], end: Span) -> Block:
    """A block with its body, and the comments in front of its closing brace."""
    span, tail = head.span.to(end), tail_of(rest, bool(body))
    match head:
        case ast.Guide():
            return replace(head, items=body, comments=comments, tail=tail, span=span)
        case ast.Density():
            return replace(head, items=body, comments=comments, tail=tail, span=span)
        case ast.For():
            return replace(head, body=body, comments=comments, tail=tail, span=span)
    return replace(head, body=body, comments=comments, tail=tail, span=span)


def depth_of(node: Any) -> int:
    """How many nodes stand in one another, at most."""
    deepest = 0
    stack: list[tuple[Any, int]] = [(node, 1)]
    while stack:
        one, depth = stack.pop()
        deepest = max(deepest, depth)
        if isinstance(one, tuple):
            stack += [(part, depth) for part in one]
        elif is_dataclass(one):
            stack += [(getattr(one, f.name), depth + 1) for f in fields(one)]
    return deepest
