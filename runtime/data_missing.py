"""Which missing entries of data are latents, and which gaps no program can bridge."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from emfppl.compiler.expressions import Kind
from emfppl.compiler.graph import RandomNode, Variable, event_rank
from emfppl.runtime.data_needed import needed_entries
from emfppl.runtime.data_observed import observing, part_of
from emfppl.runtime.data_report import Coords, Report, entry, first, more


def latent_entries(
    report: Report,
    values: Mapping[str, np.ndarray],
    missing: Mapping[str, np.ndarray],
    coords: Coords,
    sizes: Mapping[str, int],
) -> dict[str, np.ndarray]:
    """Masks of the missing entries that something informative depends on: True is a latent."""
    needed = needed_entries(report.graph, values, missing, sizes)
    for name, mask in missing.items():
        variable = report.graph.variable(name)
        drawn = np.zeros(mask.shape, bool)
        for node in observing(report.graph, name):
            part, _, _ = part_of(node, values, sizes)
            drawn[part] = True
            _check_whole(report, variable, node, mask, part, coords)
        _check_drawn(report, variable, mask & ~drawn, coords)
    continuous = {n: m for n, m in needed.items() if report.graph.variable(n).kind is Kind.REAL}
    return {name: mask for name, mask in continuous.items() if mask.any()}


def _check_drawn(report: Report, variable: Variable, bad: np.ndarray, coords: Coords) -> None:
    if bad.any() and report.sound(variable):
        message = f"{entry(variable, first(bad), coords)} is missing, but no statement draws it.{more(bad)}"
        report.about(variable, "E1017", message, f"give it a distribution: {variable.name}[…] ~ …")


def _check_whole(
    report: Report, variable: Variable, node: RandomNode, mask: np.ndarray, part: tuple, coords: Coords
) -> None:
    """A vector or matrix is missing as a whole or not at all."""
    rank = event_rank(node.dist, node.support)
    if not rank:
        return
    mine = np.zeros(mask.shape, bool)
    mine[part] = mask[part]
    axes = tuple(range(mask.ndim - rank, mask.ndim))
    bad = mine & ~mine.all(axis=axes, keepdims=True)
    if bad.any() and report.sound(variable):
        what = "vector" if rank == 1 else "matrix"
        message = f"{entry(variable, first(bad), coords)} is missing, but not the whole {what} that `{node.dist.name}` draws."
        report.about(variable, "E1017", message, f"give the whole {what}, or mark all of it as missing")
