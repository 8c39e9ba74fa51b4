"""The sixteen regressions of posteriordb and eight schools with default options, against their reference draws.

A row each: the worst |mean − reference| / sd, sd ratio and quantile error (in sd) of all scalars, k-hat, whether the
fit says that it converged, seconds of the whole call, and whether the tolerances are met (mean .1 sd, sd 10 %,
quantiles .2 sd).
"""

from __future__ import annotations

import time

import emfppl
from benchmarks.agreement import Case, agreement, line, regressions, table

HEAD = ("posterior", "mean", "sd ratio", "quantile", "k-hat", "converged", "seconds", "close")
WIDTHS = (44, 6, 8, 8, 6, 9, 7, 5)


def main() -> None:
    table(HEAD, WIDTHS)
    for case in regressions():
        line(row(case), WIDTHS)


def row(case: Case) -> tuple[object, ...]:
    """One fit; the draws that are compared are many, so that their own noise does not count."""
    began = time.perf_counter()
    fit = emfppl.fit(case.model, case.data, num_draws=20_000, progress=False)
    seconds = time.perf_counter() - began
    far = agreement(fit.draws, case.reference)
    close = "yes" if far.close else "no"
    figures = (far.mean, far.sd_ratio, far.quantile, float(fit.khat))
    return (case.name, *figures, "yes" if fit.converged else "no", f"{seconds:.1f}", close)
