"""What is wrong with data, in words: entries, values, declarations, and all of it told at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from emfppl.compiler.graph import Graph, Variable
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.grammar.source import Span
from emfppl.grammar.words import plural

Coords = Mapping[str, Sequence[Any]]


@dataclass
class Report:
    """The diagnostics found so far, and the variables and dims of which nothing more is to be said."""

    graph: Graph
    found: list[Diagnostic] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)  # dims whose sizes are in doubt

    def about(
        self,
        variable: Variable,
        code: str,
        message: str,
        hint: str = "",
        notes: Iterable[tuple[Span, str]] = (),
    ) -> None:
        """One fault of a variable, shown at its declaration; nothing else is then said of its values."""
        self.broken.add(variable.name)
        self.at(variable.span, code, message, hint, notes)

    def at(
        self,
        span: Span | None,
        code: str,
        message: str,
        hint: str = "",
        notes: Iterable[tuple[Span, str]] = (),
    ) -> None:
        self.found.append(Diagnostic(code, message, span, hint, self.graph.source, tuple(notes)))

    def sound(self, variable: Variable) -> bool:
        return variable.name not in self.broken

    def raise_if_any(self) -> None:
        """All faults in one `EmfError`: those with a place in the program in its order, then the others."""
        if self.found:
            last = Span(1 << 60, 1 << 60)
            raise EmfError(sorted(self.found, key=lambda d: d.span or last))


# ---------------------------------------------------------------- words


def declared(variable: Variable) -> str:
    """``\\`y\\` is declared real``."""
    return f"`{variable.name}` is declared {variable.type_text or variable.kind.value}"


def over(dims: Sequence[str]) -> str:
    """``over [obs, feature]``, or that it is a single number."""
    return f"over [{', '.join(dims)}]" if dims else "as a single value"


def entry(variable: Variable, position: Sequence[int], coords: Coords) -> str:
    """``\\`y[3]\\```, or by label where the dim has labels: ``\\`y[Choate]\\```."""
    labels = [coords.get(d.rstrip("'"), ()) for d in variable.dims]
    parts = [label_text(known[i]) if i < len(known) else str(i) for known, i in zip(labels, position, strict=False)]
    return f"`{variable.name}[{', '.join(parts)}]`" if parts else f"`{variable.name}`"


def first(bad: np.ndarray) -> tuple[int, ...]:
    """The position of the first true entry."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(bad)), bad.shape))


def more(bad: np.ndarray) -> str:
    """A sentence on the other true entries, if there are any."""
    others = int(bad.sum()) - 1
    return f" {plural(others, 'more entry is', 'more entries are')} like it." if others else ""


def number_text(value: float) -> str:
    """A number as a user would write it."""
    value = float(value)
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.6g}"


def label_text(label: Any) -> str:
    """A label without quotes; dates in ISO form."""
    return str(label)


def quoted(names: Iterable[str]) -> str:
    """``\\`a\\`, \\`b\\` and \\`c\\```."""
    *head, last = [f"`{n}`" for n in names] or ["nothing"]
    return f"{', '.join(head)} and {last}" if head else last


def some(names: Iterable[str], limit: int = 8) -> str:
    """The first few of many names."""
    listed = list(names)
    return ", ".join(listed[:limit]) + (f" … ({len(listed)} in all)" if len(listed) > limit else "")
