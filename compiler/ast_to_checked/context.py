"""What the checker carries along: the symbols, what was found so far, and where in the program it stands."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from emfppl.compiler.ast_to_checked.sizes_known import DimTable
from emfppl.compiler.distributions import Table
from emfppl.compiler.expressions import Axis, Expr, Kind
from emfppl.compiler.graph import Role, UserDistribution
from emfppl.compiler.sizes import Size
from emfppl.compiler.supports import DeclaredType
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.diagnostics import Diagnostic
from emfppl.grammar.source import SourceText, Span

Note = tuple[Span, str]


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop that encloses the place: its variable and the range ``[lower, upper)`` of `dim` (unprimed;
    `axis_label` as written)."""

    label: str
    dim: str
    lower: Size
    upper: Size
    axis_label: str


@dataclass
class VariableInfo:
    """What is known of a variable so far. `dims` None or `broken`: something is wrong with it and was
    said."""

    name: str
    role: Role
    dims: tuple[str, ...] | None
    span: Span
    kind: Kind | None = None
    of: str | None = None
    declared: DeclaredType | None = None
    default: Expr | None = None
    graph_name: str = ""
    loops: tuple[str, ...] = ()  # of a local helper: the loops it stands in
    local: bool = False
    broken: bool = False  # nothing can be said of its values
    incomplete: bool = False  # a statement that defines some of it is faulty: no talk of gaps


@dataclass
class FunctionInfo:
    """A user function; `broken` once its body was found faulty."""

    node: ast.Function
    broken: bool = False
    checked: bool = False


@dataclass(frozen=True)
class Env:
    """Where an expression stands: loops around it, helpers of those loops, and inside a function its own
    names and dims."""

    loops: tuple[Loop, ...] = ()
    helpers: Mapping[str, VariableInfo] = field(default_factory=dict)
    locals: Mapping[str, Expr | None] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    lengths: Mapping[str, Size] = field(
        default_factory=dict
    )  # of a function's dims, where a slice was passed
    batch: frozenset[str] = frozenset()  # labels of a function's arguments beyond its own dims: it is called once for each
    function: str | None = None
    standing: bool = False  # in a function checked by itself: its dims stand for any
    place: tuple[Axis, ...] | None = None  # what the result of a function is for
    calls: tuple[str, ...] = ()  # functions being inlined, outermost first

    def size_of(self, name: str, label: str) -> Size:
        """The size that the name of a dim stands for here."""
        return self.lengths.get(name, Size.of(label))

    def own(self, labels: Iterable[str]) -> list[str]:
        """The labels that a reduction may run over: inside a function those of its own dims."""
        return [label for label in labels if label not in self.batch]

    def loop(self, name: str) -> Loop | None:
        return next((loop for loop in reversed(self.loops) if loop.label == name), None)


@dataclass(frozen=True, slots=True)
class Scope:
    """A model that is checked by itself: its name, and names of the file that it does not see."""

    model: str
    outside: frozenset[str] = frozenset()


@dataclass
class Context:
    """One run of the checker over one program."""

    source: SourceText
    table: Table
    dims: DimTable = field(default_factory=DimTable)
    variables: dict[str, VariableInfo] = field(default_factory=dict)
    functions: dict[str, FunctionInfo] = field(default_factory=dict)
    models: dict[str, ast.Model] = field(default_factory=dict)
    laws: dict[str, UserDistribution] = field(default_factory=dict)
    scope: Scope | None = None  # where a model is checked by itself
    loops: dict[int, Loop | None] = field(default_factory=dict)  # by id of the For node; None: faulty
    helpers: dict[int, dict[str, VariableInfo]] = field(default_factory=dict)  # likewise
    found: list[Diagnostic] = field(default_factory=list)
    kinds: dict[str, tuple[Kind, str | None]] = field(
        default_factory=dict
    )  # of computed variables, from the round before
    guessed: set[str] = field(default_factory=set)
    used_dims: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    target_spans: dict[Span, Span] = field(default_factory=dict)  # of a statement: its left side
    counter: int = 0

    def error(
        self, code: str, message: str, span: Span | None = None, hint: str = "", notes: Iterable[Note] = ()
    ) -> Any:
        """Note a diagnostic, the same one only once. Gives None, for a check to return in its turn."""
        one = Diagnostic(code, message, span, hint, self.source, tuple(notes))
        if one not in self.found:
            self.found.append(one)
        return None

    @property
    def failed(self) -> bool:
        return any(d.is_error for d in self.found)

    def text(self, node: ast.Expr | ast.SliceItem | ast.TypeExpr | ast.DimRef | ast.Target) -> str:
        """What the user wrote there, on one line."""
        return " ".join(self.source.text[node.span.start : node.span.end].split())

    def fresh(self, name: str) -> str:
        """A name that no user can write."""
        self.counter += 1
        return f"{name}@{self.counter}"


def near(name: str, candidates: Iterable[str]) -> str:
    """``did you mean tau?`` or nothing."""
    names = list(candidates)
    folded = [c for c in names if c.lower() == name.lower() and c != name]
    close = folded or difflib.get_close_matches(name, names, n=1, cutoff=0.65 if len(name) > 3 else 0.6)
    return f"did you mean `{close[0]}`?" if close and close[0] != name else ""


def listed(names: Iterable[str]) -> str:
    """``a, b and c``."""
    *head, last = names or ["none"]
    return f"{', '.join(head)} and {last}" if head else last
