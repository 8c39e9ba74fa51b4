"""Data of structured types: what a simplex, an ordered vector, a covariance or Cholesky matrix must fulfil."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from emfppl.compiler.graph import Variable
from emfppl.runtime.data_report import Coords, Report, declared, entry, first, more, number_text

TOLERANCE = 1e-6


@dataclass(frozen=True)
class Fault:
    """Which of the vectors or matrices (a mask over the batch axes) are faulty, how one is, and the remedy."""

    bad: Any
    words: Callable[[np.ndarray], str]
    hint: str = ""


def check_structure(
    report: Report,
    variable: Variable,
    name: str,
    values: np.ndarray,
    coords: Coords,
    code: str = "E1012",
    claim: str = "",
) -> None:
    """Tell of the first thing that a structured type demands and the data do not fulfil. `claim`: who demands it."""
    if name not in VECTORS and values.shape[-1] != values.shape[-2]:
        return  # two dims of different size: told as such
    for fault in {**VECTORS, **MATRICES}[name](values):
        if fault.bad.any():
            position = first(fault.bad)
            where = entry(variable, position, coords)
            message = f"{where} {fault.words(values[position])}, but {claim or declared(variable)}.{more(fault.bad)}"
            report.about(variable, code, message, fault.hint.replace("{0}", variable.name))
            return


# ---------------------------------------------------------------- vectors


def _simplex(x: np.ndarray) -> Iterator[Fault]:
    yield Fault((x < 0).any(-1), lambda v: f"has the negative entry {number_text(v.min())}")
    total = x.sum(-1)
    yield Fault(
        abs(total - 1) > TOLERANCE, lambda v: f"sums to {number_text(v.sum())}, not to 1", "divide it by its sum"
    )


def _ordered(x: np.ndarray) -> Iterator[Fault]:
    def words(v: np.ndarray) -> str:
        i = int(np.argmax(np.diff(v) <= 0))
        return f"does not increase: {number_text(v[i])} is followed by {number_text(v[i + 1])}"

    yield Fault((np.diff(x, axis=-1) <= 0).any(-1), words, "np.sort puts values into increasing order")


def _positive_ordered(x: np.ndarray) -> Iterator[Fault]:
    yield Fault(x[..., 0] <= 0, lambda v: f"starts with {number_text(v[0])}, which is not above 0")
    yield from _ordered(x)


def _sum_to_zero(x: np.ndarray) -> Iterator[Fault]:
    scale = np.maximum(abs(x).max(-1), 1)
    yield Fault(
        abs(x.sum(-1)) > TOLERANCE * scale,
        lambda v: f"sums to {number_text(v.sum())}, not to 0",
        "subtract its mean",
    )


# ---------------------------------------------------------------- matrices


def _symmetric(x: np.ndarray) -> Fault:
    scale = np.maximum(abs(x).max((-1, -2)), 1e-300)
    off = abs(x - x.swapaxes(-1, -2)).max((-1, -2))
    return Fault(off > TOLERANCE * scale, lambda v: "is not symmetric", "({0} + {0}.T) / 2 makes it symmetric")


def _definite(x: np.ndarray) -> Fault:
    least = np.linalg.eigvalsh(x)[..., 0]
    return Fault(
        least <= 0,
        lambda v: f"is not positive definite: its smallest eigenvalue is {np.linalg.eigvalsh(v)[0]:.3g}",
        "add a small number to its diagonal if that is rounding",
    )


def _cov(x: np.ndarray) -> Iterator[Fault]:
    yield _symmetric(x)
    yield _definite(x)


def _corr(x: np.ndarray) -> Iterator[Fault]:
    diagonal = np.diagonal(x, axis1=-2, axis2=-1)

    def words(v: np.ndarray) -> str:
        off = np.diagonal(v)
        return f"has {number_text(off[np.argmax(abs(off - 1))])} on its diagonal, not 1"

    yield Fault((abs(diagonal - 1) > TOLERANCE).any(-1), words, "declare it cov if it is a covariance")
    yield from _cov(x)


def _cov_cholesky(x: np.ndarray) -> Iterator[Fault]:
    yield Fault(
        (np.triu(x, 1) != 0).any((-1, -2)),
        lambda v: "has entries above its diagonal",
        "np.linalg.cholesky gives the factor of a covariance matrix",
    )
    diagonal = np.diagonal(x, axis1=-2, axis2=-1)
    yield Fault(
        (diagonal <= 0).any(-1), lambda v: f"has {number_text(np.diagonal(v).min())} on its diagonal, not above 0"
    )


def _corr_cholesky(x: np.ndarray) -> Iterator[Fault]:
    yield from _cov_cholesky(x)
    length = (x**2).sum(-1)
    yield Fault(
        (abs(length - 1) > TOLERANCE).any(-1),
        lambda v: "has a row whose squares do not sum to 1",
        "declare it cov_cholesky if it is the factor of a covariance",
    )


VECTORS: dict[str, Callable[[np.ndarray], Iterator[Fault]]] = {
    "simplex": _simplex,
    "ordered": _ordered,
    "positive_ordered": _positive_ordered,
    "sum_to_zero": _sum_to_zero,
}
MATRICES: dict[str, Callable[[np.ndarray], Iterator[Fault]]] = {
    "corr": _corr,
    "cov": _cov,
    "corr_cholesky": _corr_cholesky,
    "cov_cholesky": _cov_cholesky,
}
