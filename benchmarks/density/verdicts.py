"""What the rows of the density benchmark say: is the model of use, and does a wrong one do harm?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.density.methods import BACKBONE, MISSPECIFIED
from benchmarks.rows import Row

Pair = tuple[Row, Row]


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Of a figure over seeds; with one seed the error is not known."""
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return float(np.mean(values)), float(error)


def ahead(row: Row, backbone: Row) -> tuple[float, float]:
    """By how many nats a flow is ahead of its backbone, which had the same data, and the standard error over seeds."""
    return mean_and_error(np.subtract(backbone["nll"], row["nll"]))


def pairs(rows: Sequence[Row], wrong: bool) -> Iterator[Pair]:
    """Flows with a model and their backbones, where both have been measured: models that are right, or wrong ones."""
    found = {(r["target"], r["method"]): r for r in rows}
    for (target, method), row in found.items():
        backbone = found.get((target, BACKBONE.get(method, "")))
        if backbone and ((target, method) in MISSPECIFIED) == wrong:
            yield row, backbone


def is_ahead(row: Row, backbone: Row) -> bool:
    """By more than two standard errors; with one seed, at all."""
    value, error = ahead(row, backbone)
    return value > 2 * np.nan_to_num(error)


def is_harmless(row: Row, backbone: Row) -> bool:
    """Not behind by more than two standard errors over seeds, those of both, or half a hundredth of a nat a number."""
    value, _ = ahead(row, backbone)
    errors = [np.nan_to_num(mean_and_error(r["nll"])[1]) for r in (row, backbone)]
    return value > -max(2 * float(np.hypot(*errors)), 0.005 * row["dim"])


def summary(rows: Sequence[Row]) -> list[str]:
    """The lines below the table."""
    right, wrong = list(pairs(rows, wrong=False)), list(pairs(rows, wrong=True))
    told = _verdicts("a flow with a model against its backbone", [(p, "ahead" if is_ahead(*p) else "NOT AHEAD") for p in right])
    return told + _verdicts("a wrong model, gated", [(p, "harmless" if is_harmless(*p) else "HARM") for p in wrong])


def _verdicts(head: str, judged: Sequence[tuple[Pair, str]]) -> list[str]:
    """A line that counts the good words, which are the small ones, and a line for each pair."""
    good = [word for _, word in judged if word.islower()]
    first = [f"{head}: {len(good)} of {len(judged)} {good[0] if good else 'good'}"] if judged else []
    return first + [_told(*pair, word) for pair, word in judged]


def _told(row: Row, backbone: Row, word: str) -> str:
    value, error = ahead(row, backbone)
    means = [mean for mean, _ in row["gates"].values()]
    gates = f", gates {np.mean(means):.2f}" if means else ""
    return f"  {row['target']:18} {row['method']:12} {value:+9.3f} ± {error:.3f} nats over {backbone['method']}: {word}{gates}"
