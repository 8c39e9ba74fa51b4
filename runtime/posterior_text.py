"""A posterior printed: what was fitted how, the figures, a row a variable with its gate, the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emfppl.compiler.graph import Role
from emfppl.grammar.words import plural
from emfppl.runtime.choose_guide import dimension
from emfppl.runtime.summary import Summary, number, shown, table

if TYPE_CHECKING:
    from emfppl.runtime.posterior import Posterior

SHOWN = 12  # scalars of a variable that are shown in full
ENDS = (3, 1)  # first and last ones shown of a longer variable


def text_of(fit: Posterior) -> str:
    """The text of ``print(fit)``."""
    blocks = [_head(fit), fit.figures(), *_gaps(fit), _table(fit), *_params(fit), *fit.warnings, _wrapped(fit.verdict)]
    return "\n".join(b for b in blocks if b)


def _head(fit: Posterior) -> str:
    source = fit.program.graph.source
    name = source.name if source else "program"
    count = dimension(fit.program)
    return f"{name}: {plural(count, 'latent')}, {fit.how()}"


def _gaps(fit: Posterior) -> list[str]:
    """A line for each of the data with missing entries: how many, and what becomes of them."""
    binding, out = fit.program.binding, []
    for name, mask in binding.missing.items():
        inferred = int(binding.latent[name].sum()) if name in binding.latent else 0
        inferred = int(mask.sum()) if name in fit.program.hidden else inferred
        drawn = int(mask.sum()) - inferred
        parts = [f"{n} {what}" for n, what in ((inferred, "inferred"), (drawn, "drawn forward")) if n]
        told = parts[0].split(" ", 1)[1] if len(parts) == 1 else " and ".join(parts)
        out.append(f"{name}: {int(mask.sum())} of {mask.size} missing, {told}")
    return out


def _table(fit: Posterior) -> str:
    gates = fit.gates() if fit.gated else {}
    tables = [fit.summary_of(name) for name in fit.draws]
    rows = [row for name, part in zip(fit.draws, tables, strict=True) for row in _rows(fit, name, part, gates.get(name))]
    gated = any(row[-1] for row in rows)
    head = ["", *(tables[0].columns if tables else ()), "gate"]
    return "\n" + table(head if gated else head[:-1], [r if gated else r[:-1] for r in rows]) + "\n" if rows else ""


def _rows(fit: Posterior, name: str, part: Summary, gate: np.ndarray | None) -> list[list[str]]:
    """A row a scalar, the middle of long variables left out."""
    openings = np.full(len(part), np.nan) if gate is None else np.ravel(gate)[shown(fit.program.binding, name)]
    rows = [
        [label, *(number(row[c]) for c in part.columns), "" if np.isnan(opening) else f"{opening:.2f}"]
        for (label, row), opening in zip(part.items(), openings, strict=True)
    ]
    if len(rows) <= SHOWN:
        return rows
    first, last = ENDS
    return [*rows[:first], [f"… {len(rows) - first - last} more", *[""] * (len(part.columns) + 1)], *rows[-last:]]


def _params(fit: Posterior) -> list[str]:
    """A line for each `param` variable."""
    variables = fit.program.graph.of_role(Role.PARAM)
    return [f"param {v.name} = {np.array2string(fit.params[v.name], precision=4, threshold=8)}" for v in variables]


def _wrapped(text: str) -> str:
    import textwrap

    return textwrap.fill(text, 100)
