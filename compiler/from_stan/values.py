"""What an expression of Stan is here: an expression, with the dims that stand for the axes that Stan knows by position."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.source import Span

RANK = {"int": 0, "real": 0, "vector": 1, "row_vector": 1, "matrix": 2}


@dataclass(frozen=True, slots=True)
class Value:
    """`dims`: one name an axis, in Stan's order. `core`: ``int``, ``real``, ``vector``, ``row_vector`` or ``matrix``, what the
    last axes make. `position`: for a whole number that indexes the dim `of`, its position counted from 0. `spread`: one number
    stands for all entries, as in ``rep_vector(0, K)``."""

    expr: ast.Expr
    core: str = "real"
    dims: tuple[str, ...] = ()
    position: ast.Expr | None = None
    of: str | None = None
    spread: bool = False

    @property
    def scalar(self) -> bool:
        return not self.dims

    def with_expr(self, expr: ast.Expr, dims: tuple[str, ...] | None = None) -> Value:
        return replace(self, expr=expr, dims=self.dims if dims is None else dims, position=None, of=None)


Linear = dict[str, int]  # a whole number as a sum of names of Stan with whole factors; "" holds the constant


@dataclass
class Variable:
    """A variable of the Stan program. `role`: ``data``, ``parameter``, ``computed``, ``loop``, ``size`` or ``argument``; `name`:
    what it is called here; `base`: its declared type (``simplex``); `index_of`: the dim whose positions it holds; `drawn`: which
    parts of a parameter have their `~`, a range for each axis; `pieces`: the same of what is set; `loops`: those around it."""

    stan: str
    name: str
    role: str
    core: str
    dims: tuple[str, ...] = ()
    base: str = ""
    bounds: dict[str, object] = field(default_factory=dict)
    index_of: str | None = None
    drawn: list[tuple] = field(default_factory=list)
    pieces: list[tuple] = field(default_factory=list)
    version: int = 1
    loops: tuple[str, ...] = ()
    span: Span = field(default=Span(), repr=False)
    comments: ast.Comments = ast.Comments()


class Refused(Exception):
    """A part of a Stan program that can't be carried over; caught statement by statement."""

    def __init__(self, code: str, message: str, span: Span, hint: str = ""):
        self.code, self.message, self.span, self.hint = code, message, span, hint
        super().__init__(message)
