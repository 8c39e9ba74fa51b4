"""How far draws are from a reference posterior, in units of the reference's own standard deviation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

EXAMPLES = Path(__file__).parents[1] / "examples"
POSTERIORDB = EXAMPLES / "posteriordb"
PAPER = EXAMPLES / "paper"

Row = Mapping[str, float]


@dataclass(frozen=True)
class Agreement:
    """The worst scalar of a posterior: |mean − reference| / sd, the ratio of standard deviations that is furthest
    from 1, and the worst error of the 5 % and 95 % quantiles in sd."""

    mean: float
    sd_ratio: float
    quantile: float

    @property
    def close(self) -> bool:
        """Means within .1 sd, sds within 10 %, quantiles within .2 sd."""
        return self.mean <= 0.1 and 0.9 <= self.sd_ratio <= 1.1 and self.quantile <= 0.2


@dataclass(frozen=True)
class Case:
    """A program with data and the reference rows of its scalars, by the names they have in the program."""

    name: str
    model: Path
    data: Path
    reference: Mapping[str, Row]
    family: str = "example"


@dataclass(frozen=True)
class Task:
    """A program of the paper with one draw from it: the data (none for a pure prior), and what is known of them exactly."""

    name: str
    model: Path
    data: Path | None
    truth: Mapping[str, np.ndarray]
    log_evidence: float | None
    log_posterior_of_truth: float | None


def posteriordb() -> list[Case]:
    """The posteriors of posteriordb, against its reference draws or, where it has none, long NUTS runs."""
    found = json.loads((POSTERIORDB / "references.json").read_text())
    return [
        Case(
            name,
            (POSTERIORDB / entry["model"]).resolve(),
            (POSTERIORDB / entry["data"]).resolve(),
            {entry["names"][k]: row for k, row in entry["reference"].items()},
            entry["family"],
        )
        for name, entry in found.items()
    ]


def regressions() -> list[Case]:
    """The sixteen linear regressions of posteriordb and eight schools."""
    return [c for c in posteriordb() if c.family.endswith("regression") or "eight_schools" in c.name]


def paper() -> list[Task]:
    """The generative models of the paper on embedded-model flows."""
    found = json.loads((PAPER / "references.json").read_text())
    return [
        Task(
            name,
            PAPER / entry["model"],
            entry["data"] and (PAPER / entry["data"]).resolve(),
            {k: np.array(v) for k, v in entry.get("truth", {}).items()},
            entry.get("log_evidence"),
            entry.get("log_posterior_of_truth"),
        )
        for name, entry in found.items()
    ]


def examples() -> list[Case]:
    """The other examples, against long NUTS runs."""
    found = json.loads((EXAMPLES / "references.json").read_text())
    return [Case(n, EXAMPLES / f"{n}.emf", EXAMPLES / f"{n}.json", rows) for n, rows in found.items()]


def scalar(draws: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """The draws of ``theta[3]`` or ``mu``."""
    variable, _, inside = name.partition("[")
    index = tuple(int(i) for i in inside.rstrip("]").split(",")) if inside else ()
    return np.asarray(draws[variable], float)[(slice(None), *index)]


def agreement(draws: Mapping[str, np.ndarray], reference: Mapping[str, Row]) -> Agreement:
    """The worst of all scalars that the reference has."""
    rows = [(scalar(draws, name), row) for name, row in reference.items()]
    means = [abs(x.mean() - r["mean"]) / r["sd"] for x, r in rows]
    ratios = [x.std(ddof=1) / r["sd"] for x, r in rows]
    errors = [abs(np.quantile(x, q) - r[k]) / r["sd"] for x, r in rows for q, k in ((0.05, "q5"), (0.95, "q95"))]
    return Agreement(max(means), max(ratios, key=lambda ratio: abs(np.log(ratio))), max(errors))


def table(head: tuple[str, ...], widths: tuple[int, ...]) -> None:
    """The head of a printed table."""
    line(head, widths)
    print("  ".join("-" * w for w in widths))


def line(cells: tuple[object, ...], widths: tuple[int, ...]) -> None:
    """One row of a printed table: the first column to the left, the others to the right."""
    texts = [f"{c:.3f}" if isinstance(c, float) else str(c) for c in cells]
    shown = [f"{t:<{w}}" if n == 0 else f"{t:>{w}}" for n, (t, w) in enumerate(zip(texts, widths, strict=True))]
    print("  ".join(shown), flush=True)
