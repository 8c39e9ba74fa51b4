"""Densities of the paper's data: embedded-model flows against the same backbones without the model, and FlowJAX's flows.

A row a target and method, over three seeds: held-out negative log likelihood in nats with its standard error, the gap to the
true entropy where that is known, what the gates of the model did, numbers that are learned, seconds a step and of the whole.
Below: where a flow with a model is ahead of its backbone, and what a wrong model does. `--full` has the paper's widths, 100,000
samples, and the budget `thorough`.
"""

from __future__ import annotations

from benchmarks.agreement import line, table
from benchmarks.density.methods import TARGETS, measure, tasks
from benchmarks.density.verdicts import mean_and_error, summary
from benchmarks.rows import Options, Row, measured

__all__ = ["main", "measure"]
HEAD = ("target", "method", "NLL", "error", "entropy", "gap", "error", "a number", "params", "a step", "seconds", "gates")
WIDTHS = (18, 12, 10, 8, 9, 8, 8, 8, 8, 8, 7, 30)


def main(chosen: Options) -> None:
    table(HEAD, WIDTHS)
    rows = []
    for row in measured("density", tasks(chosen), chosen):
        line(cells(row), WIDTHS)
        rows.append(row)
    good = [row for row in rows if "error" not in row]
    print("\n" + "\n".join(summary(good)))
    print(f"{sum(row['cpu'] for row in good):.0f} seconds of processors for {len(good)} rows")


def cells(row: Row) -> tuple[object, ...]:
    """A printed row; a gap also a number of the event."""
    if "error" in row:
        return (row["target"], row["method"], *("",) * 9, row["error"][:30])
    entropy, gap = "", ("", "", "")
    if row["gap"]:
        value, error = mean_and_error(row["gap"])
        entropy, gap = f"{row['entropy']:.3f}", (f"{value:.3f}", f"{error:.3f}", f"{value / TARGETS[row['target']].dim:.4f}")
    nll, error = mean_and_error(row["nll"])
    gates = ", ".join(f"{name} {mean:.2f} ≥ {least:.2f}" for name, (mean, least) in row["gates"].items())
    used = (row["params"], f"{row['step']:.2g}", f"{row['seconds']:.0f}", gates[:30])
    return (row["target"], row["method"], f"{nll:.3f}", f"{error:.3f}", entropy, *gap, *used)
