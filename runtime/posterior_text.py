"""A posterior printed: what was fitted how, the figures, a row a variable with its gate, the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from emfppl.compiler.graph import Role
from emfppl.runtime.choose_guide import dimension
from emfppl.runtime.summary import COLUMNS, labels, number, shown, summarise, table

if TYPE_CHECKING:
    from emfppl.runtime.posterior import Posterior

SHOWN = 12  # scalars of a variable that are shown in full
ENDS = (3, 1)  # first and last ones shown of a longer variable


def text_of(fit: Posterior) -> str:
    """The text of ``print(fit)``."""
    blocks = [_head(fit), _figures(fit), *_gaps(fit), _table(fit), *_params(fit), *fit.warnings, _wrapped(fit.verdict)]
    return "\n".join(b for b in blocks if b)


def _head(fit: Posterior) -> str:
    source = fit.program.graph.source
    name = source.name if source else "program"
    state = "interrupted" if fit.interrupted else "converged" if fit.converged else "not converged"
    count = dimension(fit.program)
    latents = f"{count} latent{'s' * (count != 1)}"
    return f"{name}: {latents}, {fit.guide} guide, {fit.num_params} parameters, {fit.seconds:.1f} s, {state}"


def _figures(fit: Posterior) -> str:
    figures = f"ELBO {fit.elbo:.2f} ± {fit.elbo_se:.2g}, log evidence {fit.log_evidence:.2f}"
    return f"{figures}, k-hat {fit.khat:.2f}, ESS {fit.ess:.0%}"


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
    gates = {} if fit.result.guide.gates.shut else fit.gates()
    rows = [row for name in fit.draws for row in _rows(fit, name, gates.get(name))]
    gated = any(row[-1] for row in rows)
    head = ["", *COLUMNS, "gate"]
    return "\n" + table(head if gated else head[:-1], [r if gated else r[:-1] for r in rows]) + "\n" if rows else ""


def _rows(fit: Posterior, name: str, gate: np.ndarray | None) -> list[list[str]]:
    """A row a scalar, the middle of long variables left out."""
    binding = fit.program.binding
    summary = summarise(binding, {name: fit.draws[name]})
    openings = np.full(len(summary), np.nan) if gate is None else np.ravel(gate)[shown(binding, name)]
    rows = [
        [label, *(number(summary[label][c]) for c in COLUMNS), "" if np.isnan(opening) else f"{opening:.2f}"]
        for label, opening in zip(labels(binding, name), openings, strict=True)
    ]
    if len(rows) <= SHOWN:
        return rows
    first, last = ENDS
    return [*rows[:first], [f"… {len(rows) - first - last} more", *[""] * 6], *rows[-last:]]


def _params(fit: Posterior) -> list[str]:
    """A line for each `param` variable."""
    variables = fit.program.graph.of_role(Role.PARAM)
    return [f"param {v.name} = {np.array2string(fit.params[v.name], precision=4, threshold=8)}" for v in variables]


def _wrapped(text: str) -> str:
    import textwrap

    return textwrap.fill(text, 100)
