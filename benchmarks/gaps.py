"""Posteriors whose evidence is known: how far the ELBO is below it, in nats, with three seeds, and what is to be reached.

A row a task and seed: ELBO, gap (evidence − ELBO), its standard error, k-hat, effective sample size, numbers that are
learned, seconds to compile (XLA) and for all the rest of the fit, the guide, what is to be reached, and whether it is. Where a
task has many data sets, all of them are fitted, and the figures are those of the widest gap. Evidences are computed anew
(`benchmarks/exact.py`). Below: which rungs of a fit ended below the one that they started from.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

import emfppl
from benchmarks import exact
from benchmarks.agreement import EXAMPLES, PAPER, line, table
from benchmarks.posteriordb import verdict
from benchmarks.rows import ROOT, Options, Row, Stopwatch, Task, measured
from emfppl.compiler.passes.gaussian_blocks import gaussian_blocks
from emfppl.runtime.bind import bind
from emfppl.runtime.fit import fit_program
from emfppl.runtime.posterior import Posterior
from emfppl.runtime.program import Program
from emfppl.runtime.report import Attempt

HEAD = ("task", "seed", "ELBO", "gap", "error", "k-hat", "ESS", "params", "compile", "fit", "guide", "to reach", "reached")
WIDTHS = (22, 4, 10, 9, 8, 6, 5, 6, 7, 6, 24, 28, 8)
PROGRAMS = ROOT / "benchmarks" / "programs"
DRAWN = ROOT.parent / "shared" / "reference" / "paper" / "vi_data.npz"
SEEDS = range(10, 101, 10)  # of the data sets of the paper's tasks
FUNNELS = (10, 100, 1000)
Data = dict[str, Any]


@dataclass(frozen=True)
class Known:
    """A task: its program, its data sets, the evidence of each with a standard error, and what is to be reached."""

    name: str
    model: str
    sets: Callable[[], list[Data]]
    evidence: Callable[[Data], tuple[float, float]]
    gap: float
    khat: float = np.inf
    ess: float = 0.0
    params: float = np.inf

    @property
    def wanted(self) -> str:
        told = [f"gap ≤ {self.gap:g}"]
        told += [f"k-hat < {self.khat}"] if np.isfinite(self.khat) else []
        told += [f"ESS ≥ {self.ess:.0%}"] if self.ess else []
        told += [f"{self.params} params"] if np.isfinite(self.params) else []
        return ", ".join(told)

    def reached(self, row: Row) -> bool:
        """Whether a row has all that is wanted; a gap is given the rounding of its ELBO, or the error of a simulated evidence."""
        near = row["gap"] <= self.gap + max(1e-9, 2 * row["evidence_error"])
        return near and row["khat"] < self.khat and row["ess"] >= self.ess and row["params"] <= self.params


def main(chosen: Options) -> None:
    table(HEAD, WIDTHS)
    names = [name for name in TASKS if chosen.wants(name)]
    rows = []
    for row in measured("gaps", [{"name": n, "seed": s} for n in names for s in range(chosen.seeds)], chosen):
        line(cells(row), WIDTHS)
        rows.append(row)
    reached = sorted({r["name"] for r in rows} - {r["name"] for r in rows if not reaches(r)})
    print(f"\nreached with every seed: {len(reached)} of {len(names)} ({', '.join(reached)})")
    fell = [f"{r['name']} by {r['fell']:.2g}" for r in rows if r.get("fell")]
    print(f"rungs that ended below the one they started from: {', '.join(fell) or 'none'}")


def reaches(row: Row) -> bool:
    return "error" not in row and TASKS[row["name"]].reached(row)


def cells(row: Row) -> tuple[object, ...]:
    """A printed row."""
    wanted = TASKS[row["name"]].wanted
    if "error" in row:
        return (row["name"], row["seed"], *("",) * 8, row["error"][:24], wanted, "NO")
    figures = (f"{row['elbo']:.4f}", f"{row['gap']:.2g}", f"{row['elbo_se']:.1g}", f"{row['khat']:.2f}", f"{row['ess']:.0%}")
    seconds = (f"{row['compiling']:.1f}", f"{row['seconds'] - row['compiling']:.1f}")
    reached = "yes" if reaches(row) else "NO"
    return (row["name"], row["seed"], *figures, row["params"], *seconds, row["guide"][:24], wanted, reached)


def measure(task: Task) -> Row:
    """The widest gap over the data sets of a task, with the seconds of the first: those that follow find it compiled."""
    known = TASKS[task["name"]]
    model = emfppl.load(ROOT / known.model)
    rows = [one(known, model, data, task["seed"]) for data in known.sets()]
    first = {k: rows[0][k] for k in ("seconds", "compiling")}
    return {**max(rows, key=lambda row: row["gap"]), **first, "fell": max(r["fell"] for r in rows), "sets": len(rows)}


def one(known: Known, model: Any, data: Data, seed: int) -> Row:
    """One fit against the evidence of its data."""
    evidence, error = known.evidence(data)
    fit, times = Stopwatch().timed(lambda: _fit(model, data, seed))
    figures = {"evidence": evidence, "evidence_error": error, "gap": evidence - fit.elbo}
    return {**verdict(fit), **times, **figures, "fell": fall(fit.result.report.attempts)}


def fall(attempts: Sequence[Attempt]) -> float:
    """How many nats, beyond two standard errors, a rung ended below the one that it started from: a guide of the same kind."""
    pairs = [(a, b) for a, b in pairwise(attempts) if a.guide.startswith("messages") == b.guide.startswith("messages")]
    return max([0.0, *(a.elbo - b.elbo - 2 * float(np.hypot(a.elbo_se, b.elbo_se)) for a, b in pairs)])


def _fit(model: Any, data: Data, seed: int) -> Posterior:
    """By the usual call. A program without observations is a prior, of which all latents are made to count: they would be drawn
    forward, without a guide."""
    if set(data) - {"sizes"}:
        return model.fit(data, seed=seed, progress=False)
    graph = replace(model.bind({}, sizes=data["sizes"]).program.graph, barren=frozenset())
    program = Program(bind(gaussian_blocks(graph), {}, data["sizes"]))
    return Posterior(program, fit_program(program, seed=seed, progress=False))


# ---------------------------------------------------------------- the tasks


def _json(path: Any) -> list[Data]:
    return [json.loads(path.read_text())]


def _drawn(task: str, lay_out: Callable[[np.ndarray], Data], shipped: str) -> list[Data]:
    """The ten data sets of a task of the paper, where they are at hand; else the one that is among the examples."""
    if not DRAWN.exists():
        return _json(PAPER / shipped)
    saved = np.load(DRAWN)
    return [lay_out(saved[f"{task}/{seed}/obs"]) for seed in SEEDS]


def _chain(obs: np.ndarray) -> list[float | None]:
    """30 steps, the middle ten not seen where there are 20 observations."""
    gap = [None] * (30 - obs.size)
    return [*obs[:10].tolist(), *gap, *obs[10:].tolist()]


def _chains(task: str, shipped: str) -> Callable[[], list[Data]]:
    return lambda: _drawn(task, lambda obs: {"y": _chain(obs)}, shipped)


def _trees(depth: int) -> Callable[[], list[Data]]:
    leaves = 2 ** (depth - 1)
    lay_out = lambda obs: {"leaves": leaves, "y": float(obs[0])}  # noqa: E731
    return lambda: _drawn(f"linear_binary_tree_{depth}", lay_out, f"linear_tree_{depth}.json")


def _schools(*prior: float) -> Callable[[Data], tuple[float, float]]:
    return lambda d: (exact.eight_schools(np.array(d["y"]), np.array(d["sigma"]), *prior), 0.0)


def _seeds(data: Data) -> tuple[float, float]:
    return exact.seeds(*(np.array(data[k]) for k in ("r", "n", "seed", "extract"))), 0.0


def _brownian(data: Data) -> tuple[float, float]:
    return exact.brownian(np.array(data["y"], float)), 0.0


def _tree(data: Data) -> tuple[float, float]:
    return exact.linear_tree(data["leaves"], data["y"]), 0.0


def _lorenz(data: Data) -> tuple[float, float]:
    return exact.lorenz(np.array(data["obs"], float))


def _known() -> Iterator[Known]:
    """The table of what is to be reached."""
    schools = lambda: _json(EXAMPLES / "eight_schools.json")  # noqa: E731
    own = "benchmarks/programs"
    yield Known("eight_schools", f"{own}/eight_schools.emf", schools, _schools(5, 0, 5), 0.01, khat=0.5, params=50)
    yield Known("eight_schools_paper", "examples/paper/eight_schools.emf", schools, _schools(10, 5, 1), 0.005)
    yield Known("seeds", f"{own}/seeds.emf", lambda: _json(PROGRAMS / "seeds.json"), _seeds, 0.01, ess=0.95)
    for size in FUNNELS:
        sets = lambda size=size: [{"sizes": {"x": size - 1}}]  # noqa: E731
        yield Known(f"funnel_{size}", f"{own}/funnel.emf", sets, lambda _: (0.0, 0.0), 1e-3)
    for way in ("smoothing", "bridge"):
        sets = _chains(f"brownian_{way}_r", f"brownian_{way}.json")
        yield Known(f"brownian_{way}", "examples/paper/brownian.emf", sets, _brownian, 1e-6)
    for depth in (4, 8):
        yield Known(f"linear_tree_{depth}", "examples/paper/linear_tree.emf", _trees(depth), _tree, 1e-6)
    lorenz = lambda: _json(PAPER / "lorenz_smoothing.json")  # noqa: E731
    yield Known("lorenz_smoothing", "examples/paper/lorenz.emf", lorenz, _lorenz, 0.5, ess=0.2)


TASKS = {known.name: known for known in _known()}
