"""Every development posterior of posteriordb, one call with default options, against its reference draws.

A row each, worst of all scalars: |mean − reference| in reference sds, the ratio of sds furthest from 1, the error of the
5 % and 95 % quantiles in sds, the error of a correlation; the verdict's level, k-hat, seconds; whether all are within the
tolerances, and what is wrong with a good verdict. Those outside follow once more after ``refine()``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import emfppl
from benchmarks.agreement import POSTERIORDB, Case, agreement, line, posteriordb, scalar, table
from benchmarks.rows import ROOT, Options, Row, Stopwatch, Task, measured

HEAD = ("posterior", "mean", "sd ratio", "quantile", "corr", "level", "k-hat", "ESS", "guide", "seconds", "within")
WIDTHS = (46, 7, 8, 8, 6, 5, 6, 5, 22, 7, 9)
LEVELS = ("good", "care", "bad")
DRAWS = 20_000  # of ours: their own noise does not count
CORRELATION = 0.05
FOLDERS = (ROOT.parent / "shared" / "posteriordb", ROOT.parent / "shared" / "posteriordb_own")
ROUNDING = 3.5  # standard errors that a correlation of few reference draws is given


def main(chosen: Options) -> None:
    """The table, by family."""
    cases = {c.name: c for c in sorted(posteriordb(), key=lambda c: c.family) if chosen.wants(c.name)}
    if not any(correlations(name) for name in cases):
        print("the reference draws are not here: correlations are left out\n")
    table(HEAD, WIDTHS)
    rows = list(_shown(measured("posteriordb", [{"name": name, "refined": False} for name in cases], chosen)))
    summary(rows)
    outside = [{"name": r["name"], "refined": True} for r in rows if not r.get("within")]
    if outside and hasattr(emfppl.Posterior, "refine"):
        print("\nafter refine():")
        summary(list(_shown(measured("posteriordb", outside, chosen))))


def _shown(rows: Iterable[Row]) -> Iterable[Row]:
    """Each row printed as it comes."""
    for row in rows:
        line(cells(row), WIDTHS)
        yield row


def cells(row: Row) -> tuple[object, ...]:
    """A printed row."""
    if "error" in row:
        return (row["name"], *("",) * 7, row["error"][:22], f"{row['whole']:.0f}", "NO RESULT")
    figures = (row["mean"], row["sd_ratio"], row["quantile"], "" if row["correlation"] is None else row["correlation"])
    judged = (LEVELS[row["level"]], row["khat"], row["ess"], row["guide"][:22], f"{row['seconds']:.1f}")
    return (row["name"], *figures, *judged, "yes" if row["within"] else "MISLEADS" if misleads(row) else "no")


def misleads(row: Row) -> bool:
    """Whether a row is wrong with a good verdict."""
    return "error" not in row and not row["within"] and row["level"] == 0


def summary(rows: list[Row]) -> None:
    """How many are within, by family and in all."""
    families = sorted({r.get("family", "no result") for r in rows})
    print()
    for family in families:
        own = [r for r in rows if r.get("family", "no result") == family]
        print(f"{family:24} {sum(bool(r.get('within')) for r in own)} of {len(own)} within")
    good = [r for r in rows if r.get("level") == 0]
    print(f"{'all':24} {sum(bool(r.get('within')) for r in rows)} of {len(rows)} within")
    print(f"{'good verdicts':24} {len(good)}, of them wrong: {', '.join(r['name'] for r in rows if misleads(r)) or 'none'}")


# ---------------------------------------------------------------- one row


def measure(task: Task) -> Row:
    """One fit against its reference."""
    case = next(c for c in posteriordb() if c.name == task["name"])
    model = emfppl.load(case.model)
    fit, times = Stopwatch().timed(lambda: _fit(model, case, task["refined"]))
    draws = fit.sample(DRAWS) if not task["refined"] else fit.draws
    far = agreement(draws, case.reference)
    wrong = correlation_error(draws, correlations(case.name))
    within = far.close and (wrong is None or wrong <= CORRELATION)
    return {"family": case.family, **asdict(far), "correlation": wrong, "within": within, **times, **verdict(fit)}


def _fit(model: Any, case: Case, refined: bool) -> Any:
    fit = model.fit(case.data, progress=False)
    return fit.refine() if refined else fit


def verdict(fit: Any) -> Row:
    """What a fit says of itself, as plain numbers and text."""
    numbers = {k: float(getattr(fit, k)) for k in ("elbo", "elbo_se", "log_evidence", "khat", "ess")}
    told = {"level": int(fit.certificate.level), "verdict": fit.verdict, "converged": bool(fit.converged)}
    return {**numbers, **told, "guide": str(fit.guide), "params": int(fit.num_params), "dim": int(fit.result.guide.dim)}


# ---------------------------------------------------------------- correlations


def correlations(name: str) -> dict[str, Any] | None:
    """The reference's correlations: names of scalars as the program has them, a matrix, and how many draws it is from."""
    folder = next((f / name for f in FOLDERS if (f / name).exists()), None)
    if folder is None:
        return None
    names = json.loads((POSTERIORDB / "references.json").read_text())[name]["names"]
    found, matrix, count = _covariance(folder)
    keep = [n for n, k in enumerate(found) if k in names]
    sd = np.sqrt(np.diag(matrix))
    with np.errstate(invalid="ignore"):
        matrix = (matrix / np.outer(sd, sd))[np.ix_(keep, keep)]
    return {"names": [names[found[n]] for n in keep], "matrix": matrix, "count": count}


def _covariance(folder: Path) -> tuple[list[str], np.ndarray, int]:
    """Of posteriordb's 10,000 draws as it was written down; of our own from the 1,000 draws that are kept."""
    known = json.loads((folder / "meta.json").read_text()).get("covariance")
    if known:
        return known["names"], np.array(known["matrix"]), 10_000
    saved = np.load(folder / "draws.npz")
    names, draws = [str(n) for n in saved["names"]], np.asarray(saved["draws"], float)
    if folder.name == "normal_2-normal_mixture":
        draws = ordered(names, draws)
    return names, np.atleast_2d(np.cov(draws, rowvar=False)), len(draws)


def ordered(names: list[str], draws: np.ndarray) -> np.ndarray:
    """Draws of two components in the order of their means: theta is the share of the first."""
    first, second, share = (draws[:, names.index(k)] for k in ("mu[1]", "mu[2]", "theta"))
    swap = first > second
    found = {"mu[1]": np.minimum(first, second), "mu[2]": np.maximum(first, second), "theta": np.where(swap, 1 - share, share)}
    return np.stack([found.get(k, draws[:, n]) for n, k in enumerate(names)], axis=1)


def correlation_error(draws: Mapping[str, np.ndarray], reference: Mapping[str, Any] | None) -> float | None:
    """The worst error of a correlation, less what few reference draws leave open: 3.5 (1 − r²) / √n for n of them."""
    if reference is None:
        return None
    if len(reference["names"]) < 2:
        return 0.0
    ours = np.corrcoef(np.stack([scalar(draws, name) for name in reference["names"]]))
    theirs, count = reference["matrix"], reference["count"]
    open_ = ROUNDING * (1 - theirs**2) / np.sqrt(count) if count < 10_000 else 0.0
    return float(np.nanmax(np.maximum(np.abs(ours - theirs) - open_, 0.0)))
