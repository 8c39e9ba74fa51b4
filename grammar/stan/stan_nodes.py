"""The syntax tree of a Stan program, as far as `from-stan` tells its parts apart. Spans and comments take no part in equality."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from emfppl.grammar.ast_nodes import Comments
from emfppl.grammar.source import Span, no_span

# ---------------------------------------------------------------- expressions


@dataclass(frozen=True, slots=True)
class Number:
    text: str
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Name:
    id: str
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Operation:
    """``a + b``, ``-a``, ``c ? a : b``, ``a'``: `op` as written, ``"?"`` and ``"'"`` for the last two."""

    op: str
    operands: tuple[Expr, ...]
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Call:
    """``f(a, b)``; for densities ``normal_lpdf(y | mu, s)`` the `y` is the first argument."""

    name: str
    args: tuple[Expr, ...]
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Range:
    """``a:b`` in brackets, either side possibly missing; both missing: the whole axis."""

    lower: Expr | None
    upper: Expr | None
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Index:
    base: Expr
    indices: tuple[Expr | Range, ...]
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Items:
    """``[1, 2]`` or ``{1, 2}``."""

    items: tuple[Expr, ...]
    span: Span = no_span()


Expr: TypeAlias = Number | Name | Operation | Call | Index | Items

# ---------------------------------------------------------------- statements


@dataclass(frozen=True, slots=True)
class Declared:
    """``array[J] vector<lower=0>[K] x = …``: `base` is ``vector``, `array` and `sizes` the sizes in front and behind."""

    name: str
    base: str
    array: tuple[Expr, ...]
    sizes: tuple[Expr, ...]
    bounds: tuple[tuple[str, Expr], ...]
    value: Expr | None
    comments: Comments = field(default=Comments(), compare=False)
    span: Span = no_span()

    def bound(self, side: str) -> Expr | None:
        return dict(self.bounds).get(side)


@dataclass(frozen=True, slots=True)
class Assigned:
    """``left op value`` with `op` ``=``, ``+=``, ``*=`` …"""

    left: Expr
    op: str
    value: Expr
    comments: Comments = field(default=Comments(), compare=False)
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Drawn:
    """``left ~ dist(args) T[lower, upper]``."""

    left: Expr
    dist: str
    args: tuple[Expr, ...]
    truncated: tuple[Expr | None, Expr | None] | None = None
    comments: Comments = field(default=Comments(), compare=False)
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Increment:
    """``target += value``."""

    value: Expr
    comments: Comments = field(default=Comments(), compare=False)
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class For:
    """``for (var in lower:upper) body``."""

    var: str
    lower: Expr
    upper: Expr
    body: tuple[Statement, ...]
    comments: Comments = field(default=Comments(), compare=False)
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Choice:
    """``if (condition) yes else no``."""

    condition: Expr
    yes: tuple[Statement, ...]
    no: tuple[Statement, ...]
    comments: Comments = field(default=Comments(), compare=False)
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Block:
    body: tuple[Statement, ...]
    comments: Comments = field(default=Comments(), compare=False)
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Result:
    value: Expr | None
    comments: Comments = field(default=Comments(), compare=False)
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Other:
    """What has no counterpart: `kind` says what it is (``while``, ``print`` …)."""

    kind: str
    comments: Comments = field(default=Comments(), compare=False)
    span: Span = no_span()


Statement: TypeAlias = Declared | Assigned | Drawn | Increment | For | Choice | Block | Result | Other


@dataclass(frozen=True, slots=True)
class Function:
    """``real f(real x, vector v) { … }``: `args` are pairs of name and type, a type being ``vector`` or ``array vector``."""

    name: str
    returns: str
    args: tuple[tuple[str, str], ...]
    body: tuple[Statement, ...]
    comments: Comments = field(default=Comments(), compare=False)
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class StanProgram:
    """The blocks of a program; those left out are empty. `head`: comments in front of the first block."""

    functions: tuple[Function, ...] = ()
    data: tuple[Statement, ...] = ()
    transformed_data: tuple[Statement, ...] = ()
    parameters: tuple[Statement, ...] = ()
    transformed_parameters: tuple[Statement, ...] = ()
    model: tuple[Statement, ...] = ()
    generated: tuple[Statement, ...] = ()
    head: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()
