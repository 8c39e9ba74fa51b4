"""Fits of the same data compared by how well they predict entries that are left out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from emfppl.compiler.graph import Role
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.runtime.arguments import wrong
from emfppl.runtime.loo import Loo, loo, spread
from emfppl.runtime.summary import escaped, number, table

if TYPE_CHECKING:
    from emfppl.runtime.posterior import Posterior

SMALL = 4.0  # nats: smaller differences, and their standard errors, are not to be relied on (Sivula et al. 2020)
HEAD = ["", "elpd", "se", "difference", "se", "p_loo", "k-hat > 0.7"]


@dataclass(frozen=True)
class Row:
    """One fit: `elpd` with its standard error, how far it lies below the best with the standard error of that difference."""

    name: str
    loo: Loo
    difference: float
    difference_se: float


@dataclass(frozen=True)
class Comparison:
    """Fits from best to worst; prints as a table with a verdict."""

    rows: tuple[Row, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Which figures are not to be relied on, and what to do."""
        return tuple(text for row in self.rows for text in _doubts(row))

    @property
    def verdict(self) -> str:
        """Which fit predicts best, as far as that can be told."""
        best, *others = self.rows
        if not others:
            return f"{best.name} stands alone: fit.compare(other) takes other fits of the same data."
        near = [r.name for r in others if -r.difference < SMALL or -r.difference < 2 * r.difference_se]
        if near:
            return f"{best.name} can't be told from {', '.join(near)}: differences below {SMALL:g}, or below 2 standard errors."
        return f"{best.name} predicts best, by {-others[0].difference:.1f} ± {others[0].difference_se:.1f}."

    def __str__(self) -> str:
        lines = [[r.name, *map(number, _figures(r)), f"{r.loo.bad} of {r.loo.elpd.size}"] for r in self.rows]
        return "\n".join([table(HEAD, lines), *self.warnings, self.verdict])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{escaped(str(self))}</pre>"


def _figures(row: Row) -> tuple[float, ...]:
    return row.loo.total, row.loo.se, row.difference, row.difference_se, row.loo.p_loo


def _doubts(row: Row) -> list[str]:
    bad = row.loo.bad
    entries = "1 entry is so influential that its" if bad == 1 else f"{bad} entries are so influential that their"
    doubt = row.loo.doubt or (f"{entries} elpd is only a guess" if bad else "")
    return [f"{row.name}: {doubt}"] if doubt else []


def compare(fits: list[Posterior]) -> Comparison:
    """See `Posterior.compare`."""
    for other in fits[1:]:
        if not hasattr(other, "certificate"):
            raise wrong(f"`compare` takes other fits; {other!r} is none.", "write fit.compare(other)")
        _need_same_data(fits[0], other)
    found = list(zip(_names(fits), map(loo, fits), strict=True))
    found.sort(key=lambda pair: -pair[1].total)
    best = found[0][1]
    rows = [Row(name, one, one.total - best.total, _error(one, best)) for name, one in found]
    return Comparison(tuple(rows))


def _error(one: Loo, best: Loo) -> float:
    return 0.0 if one is best else spread(one.elpd - best.elpd)


def _names(fits: list[Posterior]) -> list[str]:
    """The names of the programs' files; where these are the same with that of the guide, or numbered."""
    sources = [Path(fit.program.graph.source.name).stem if fit.program.graph.source else "program" for fit in fits]
    for names in (sources, [f"{s} ({fit.guide})" for s, fit in zip(sources, fits, strict=True)]):
        if len(set(names)) == len(names):
            return names
    return [f"{s} {n}" for n, s in enumerate(sources, 1)]


def _need_same_data(one: Posterior, other: Posterior) -> None:
    """Raise E1107 unless both observe the same variables with the same values."""
    mine, theirs = _observed(one), _observed(other)
    if set(mine) != set(theirs):
        message = f"The fits observe different variables: {_listed(mine)}, and {_listed(theirs)}."
        raise EmfError([Diagnostic("E1107", message, hint="compare programs that predict the same variables")])
    for name, value in mine.items():
        if value.shape != theirs[name].shape or not np.array_equal(value, theirs[name], equal_nan=True):
            message = f"The fits observe different values of `{name}`."
            raise EmfError([Diagnostic("E1107", message, hint="fit both to the same data, on the same scale")])


def _observed(fit: Posterior) -> dict[str, np.ndarray]:
    """Observed values, those that are missing as nan."""
    binding, out = fit.program.binding, {}
    for variable in fit.program.graph.of_role(Role.OBSERVED):
        value = np.asarray(binding.values.get(variable.name, np.nan), np.float64)
        mask = binding.missing.get(variable.name)
        out[variable.name] = value if mask is None else np.where(mask, np.nan, value)
    return out


def _listed(values: dict[str, np.ndarray]) -> str:
    return ", ".join(f"`{name}`" for name in values) or "none"
