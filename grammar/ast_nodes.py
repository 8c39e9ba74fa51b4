"""The abstract syntax tree: plain frozen data, one class a construct.

Spans and comments take no part in equality of expressions; comments do in that of statements, so that
``parse(format(a)) == a`` says that the formatter loses none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from emfppl.grammar.source import Span, no_span

# ---------------------------------------------------------------- expressions


@dataclass(frozen=True, slots=True)
class Number:
    """``3``, ``0.5``, ``1e-3``: `text` as written."""

    text: str
    span: Span = no_span()

    @property
    def is_int(self) -> bool:
        return self.text.isdigit()


@dataclass(frozen=True, slots=True)
class Bool:
    """``true`` or ``false``."""

    value: bool
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Name:
    """A variable, dim or loop variable; ``state'`` keeps its prime in `id`, ``x.scale`` (an inner variable of what a
    sub-model drew) its dot."""

    id: str
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class ListLiteral:
    """``[1, 2, 3]``, possibly nested."""

    items: tuple[Expr, ...]
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Unary:
    """``-x``, ``+x``, ``not x``: `op` is ``"-"``, ``"+"`` or ``"not"``."""

    op: str
    operand: Expr
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Binary:
    """`op` is one of ``+ - * / // % ^ ** @ < <= > >= == != and or`` (``^`` and ``**`` both mean power)."""

    op: str
    left: Expr
    right: Expr
    op_span: Span = no_span()
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a call; `name` is None for a positional one."""

    name: str | None
    value: Expr
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Call:
    """``f(a, b, key = c)``: a function, a distribution, a transform or ``if(c, a, b)``."""

    func: str
    args: tuple[Argument, ...]
    func_span: Span = no_span()
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class SliceItem:
    """``a:b`` inside brackets; either side may be missing."""

    lower: Expr | None
    upper: Expr | None
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Subscript:
    """``x[t-1, :]``; `base` is a Name (a variable, or a dim as in ``time[1:]``) or another expression."""

    base: Expr
    indices: tuple[Expr | SliceItem, ...]
    span: Span = no_span()


Expr: TypeAlias = Number | Bool | Name | ListLiteral | Unary | Binary | Call | Subscript

# ---------------------------------------------------------------- types


@dataclass(frozen=True, slots=True)
class TypeExpr:
    """``positive``, ``real(0, 1 - a)``, ``index(county)``, ``real?``: a name, arguments, and whether entries may be missing."""

    name: str
    args: tuple[Argument, ...] = ()
    optional: bool = False
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class DimRef:
    """A dim in a declaration, ``state'`` with its prime, or a slice of one: ``time[1:]`` has `bounds`."""

    name: str
    bounds: SliceItem | None = None
    span: Span = no_span()


# ---------------------------------------------------------------- statements


@dataclass(frozen=True, slots=True)
class Comments:
    """Own-line comments above a statement (with ``""`` for a blank line kept between groups) and the one behind it."""

    above: tuple[str, ...] = ()
    behind: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """The left side of ``~`` or ``=``: a name and its subscripts (dim names, numbers, loop variables, slices of dims)."""

    name: str
    indices: tuple[Expr | SliceItem, ...] = ()
    name_span: Span = no_span()
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Dim:
    """``dim school``, ``dim state = 2``, ``dim pair = school * 2``."""

    name: str
    size: Expr | None = None
    comments: Comments = Comments()
    name_span: Span = no_span()
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Data:
    """``data y[time]: real? = default``."""

    name: str
    dims: tuple[DimRef, ...]
    type: TypeExpr
    default: Expr | None = None
    comments: Comments = Comments()
    name_span: Span = no_span()
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Param:
    """``param s[k]: positive = 1``."""

    name: str
    dims: tuple[DimRef, ...]
    type: TypeExpr
    start: Expr | None = None
    comments: Comments = Comments()
    name_span: Span = no_span()
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Random:
    """``theta[school]: positive ~ Normal(mu, tau)``."""

    target: Target
    type: TypeExpr | None
    dist: Expr
    comments: Comments = Comments()
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Assign:
    """``eta[obs]: real = a + b * x``."""

    target: Target
    type: TypeExpr | None
    value: Expr
    comments: Comments = Comments()
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Factor:
    """``factor expression``: adds to the log density."""

    value: Expr
    comments: Comments = Comments()
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class For:
    """``for t in time[1:] { … }``; `tail` holds own-line comments before the closing brace."""

    var: str
    range: DimRef
    body: tuple[Statement, ...]
    comments: Comments = Comments()
    tail: tuple[str, ...] = ()
    var_span: Span = no_span()
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class FunctionArgument:
    """``v[k]: real`` in the head of a function or of a model, ``scale: positive = 1`` with a default."""

    name: str
    dims: tuple[DimRef, ...]
    type: TypeExpr | None
    default: Expr | None = None
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Return:
    """``return expression``; the last statement of a function or of a model."""

    value: Expr
    comments: Comments = Comments()
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Function:
    """``def f(x: real, v[k]: real): real { y = x + 1  return y }``: `body` holds Assigns and one final Return.

    `law`: it is ``distribution f(x: positive, scale: positive) { … }``, whose value is the log density of its first argument.
    """

    name: str
    args: tuple[FunctionArgument, ...]
    returns: TypeExpr | None
    body: tuple[Assign | Return, ...]
    comments: Comments = Comments()
    tail: tuple[str, ...] = ()
    name_span: Span = no_span()
    span: Span = no_span()
    law: bool = False


@dataclass(frozen=True, slots=True)
class Model:
    """``model ar(phi[lag]: real, scale: positive = 1) { … return x }``: a sub-model, or one of a library.

    Drawn from with ``x ~ ar(phi)``. Without a `Return` it can't be drawn from; what it samples is then its meaning.
    """

    name: str
    args: tuple[FunctionArgument, ...]
    body: tuple[Statement | Return, ...]
    comments: Comments = Comments()
    tail: tuple[str, ...] = ()
    name_span: Span = no_span()
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Import:
    """``import "walks.emf"``, ``import "std/time_series" as ts``: `path` as written, without its quotation marks."""

    path: str
    alias: str | None = None
    comments: Comments = Comments()
    path_span: Span = no_span()
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Backbone:
    """``backbone iaf(layers = 2, hidden = [64, 64])`` in a guide block."""

    call: Call
    comments: Comments = Comments()
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Gate:
    """``gate x: per_element, init = 0.98`` or ``gate s: off``; the name ``all`` stands for every latent."""

    name: str
    mode: str
    options: tuple[Argument, ...] = ()
    comments: Comments = Comments()
    name_span: Span = no_span()
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Guide:
    """``guide { backbone …  gate … }``."""

    items: tuple[Backbone | Gate, ...]
    comments: Comments = Comments()
    tail: tuple[str, ...] = ()
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Given:
    """``conditioned_on c, w`` in a density block: data that come with each sample."""

    names: tuple[Name, ...]
    comments: Comments = Comments()
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Layer:
    """``maf(hidden = [64, 64])`` in a density block."""

    call: Call
    comments: Comments = Comments()
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Density:
    """``density walks { data x[time]: real  maf(hidden = [64, 64])  structured(walk) }``: a density estimator, whose layers stand
    in order from noise to data."""

    name: str
    items: tuple[Data | Given | Layer, ...]
    comments: Comments = Comments()
    tail: tuple[str, ...] = ()
    name_span: Span = no_span()
    span: Span = no_span()


Statement: TypeAlias = Dim | Data | Param | Random | Assign | Factor | For | Function | Guide | Model | Density | Import


@dataclass(frozen=True, slots=True)
class Program:
    """A whole file, in source order; `tail` holds the comments after the last statement."""

    statements: tuple[Statement, ...]
    tail: tuple[str, ...] = ()
    span: Span = no_span()
