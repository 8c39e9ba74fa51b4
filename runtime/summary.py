"""Means, standard deviations and quantiles of draws, a row a scalar, under labels such as ``theta[Choate]``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from emfppl.runtime.bind import Binding

COLUMNS = ("mean", "sd", "q5", "q50", "q95")
Row = dict[str, float]


class Summary(Mapping[str, Row]):
    """A table: a mapping from the label of a scalar to ``{"mean", "sd", "q5", "q50", "q95"}`` (and what else `columns` name);
    prints as a table."""

    def __init__(self, rows: Mapping[str, Row], columns: tuple[str, ...] = COLUMNS):
        self.rows, self.columns = dict(rows), columns

    def __getitem__(self, label: str) -> Row:
        return self.rows[label]

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def to_dict(self) -> dict[str, Row]:
        """The rows as plain dicts."""
        return {label: dict(row) for label, row in self.rows.items()}

    def to_pandas(self) -> Any:
        """A data frame with the labels as its index; needs pandas."""
        import pandas

        return pandas.DataFrame.from_dict(self.rows, orient="index", columns=list(self.columns))

    def __str__(self) -> str:
        return table(["", *self.columns], [[label, *(number(row[c]) for c in self.columns)] for label, row in self.rows.items()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{escaped(str(self))}</pre>"


def summarise(binding: Binding, draws: Mapping[str, np.ndarray]) -> Summary:
    """The summary of draws (leading axis draws) of variables of a program."""
    rows: dict[str, Row] = {}
    for name, values in draws.items():
        flat = np.asarray(values, np.float64).reshape(len(values), -1)[:, shown(binding, name)]
        with np.errstate(over="ignore", invalid="ignore"):  # draws may be as large as numbers get, or infinite
            spread = flat.std(axis=0, ddof=1) if len(flat) > 1 else np.full(flat.shape[1], np.nan)
            columns = [flat.mean(axis=0), spread, *np.quantile(flat, (0.05, 0.5, 0.95), axis=0)]
        for i, label in enumerate(labels(binding, name)):
            rows[label] = {c: float(column[i]) for c, column in zip(COLUMNS, columns, strict=True)}
    return Summary(rows)


def shown(binding: Binding, name: str) -> Any:
    """Which of a variable's scalars are summed up: of data with gaps the missing ones, else all."""
    return np.ravel(binding.missing[name]) if name in binding.missing else slice(None)


def labels(binding: Binding, name: str) -> list[str]:
    """The labels of a variable's scalars that are summed up, in the order of its raveled array."""
    dims = binding.graph.variable(name).dims
    if not dims:
        return [name]
    axes = [binding.labels(d) for d in dims]
    lengths = [len(axis) for axis in axes]
    places = (np.unravel_index(n, lengths) for n in np.arange(np.prod(lengths))[shown(binding, name)])
    return [f"{name}[{', '.join(str(axis[i]) for axis, i in zip(axes, place, strict=True))}]" for place in places]


def number(value: float) -> str:
    """Four digits or so."""
    return f"{value:.4g}" if 1e-3 <= abs(value) < 1e5 or value == 0 else f"{value:.3e}"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Text columns, the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = ((row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))) for row in (head, *rows))
    return "\n".join("  ".join(line).rstrip() for line in lines)


def escaped(text: str) -> str:
    """Text for HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
