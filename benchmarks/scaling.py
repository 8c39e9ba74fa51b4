"""How time and memory grow with the data: chains of 30 to 30,000 steps, hierarchies of 100 to a million rows.

A row a program and size: groups, latents, seconds that XLA compiles and those of the rest of the fit, seconds of a gradient of
the ELBO with eight draws (none where nothing is learned), peak memory, ELBO, and the gap where the evidence is known. Below: the
slopes of log seconds and log memory over log size, by least squares over the three largest sizes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import emfppl
from benchmarks import exact
from benchmarks.agreement import PAPER, line, table
from benchmarks.gaps import PROGRAMS
from benchmarks.rows import Options, Row, Stopwatch, Task, measured

HEAD = ("program", "size", "groups", "latents", "compile", "rest of fit", "a step", "MiB", "ELBO", "gap", "guide")
WIDTHS = (16, 8, 7, 7, 7, 11, 8, 6, 12, 8, 26)
CHAINS = (30, 100, 300, 1_000, 3_000, 10_000, 30_000)
ROWS = (100, 1_000, 10_000, 100_000, 1_000_000)
FIGURES = ("compiling", "running", "step", "memory")


@dataclass(frozen=True)
class Growing:
    """A program, data of a size, and the evidence of such data if it is known."""

    model: str
    sizes: tuple[int, ...]
    data: Callable[[int], dict[str, Any]]
    evidence: Callable[[dict[str, Any]], float] | None = None


def main(chosen: Options) -> None:
    table(HEAD, WIDTHS)
    rows = []
    tasks = [{"name": n, "size": s} for n, p in PROGRAMS_OF.items() if chosen.wants(n) for s in p.sizes]
    for row in measured("scaling", tasks, chosen):
        line(cells(row), WIDTHS)
        rows.append(row)
    print()
    for name in dict.fromkeys(r["name"] for r in rows):
        found = slopes([r for r in rows if r["name"] == name and "error" not in r])
        print(f"{name:16} slopes: " + ", ".join(f"{k} {v:.2f}" for k, v in found.items()))


def cells(row: Row) -> tuple[object, ...]:
    """A printed row."""
    if "error" in row:
        return (row["name"], row["size"], *("",) * 8, row["error"][:26])
    gap = "" if row["gap"] is None else f"{row['gap']:.2g}"
    step = f"{row['step']:.2g}" if row["step"] else ""
    shown = (f"{row['compiling']:.1f}", f"{row['running']:.1f}", step, f"{row['memory']:.0f}", f"{row['elbo']:.2f}")
    return (row["name"], row["size"], row["groups"], row["dim"], *shown, gap, row["guide"][:26])


def slopes(rows: list[Row]) -> dict[str, float]:
    """d log figure / d log size over the three largest sizes of what has been measured."""
    last = sorted(rows, key=lambda r: r["size"])[-3:]
    found = {}
    for name in FIGURES:
        known = [(r["size"], r[name]) for r in last if r[name]]
        if len(known) > 1:
            size, figure = np.log(np.array(known, float)).T
            found[name] = float(np.polyfit(size, figure, 1)[0])
    return found


# ---------------------------------------------------------------- one row


def measure(task: Task) -> Row:
    """A fit of the usual call, and how long a step of its optimiser takes once compiled."""
    growing = PROGRAMS_OF[task["name"]]
    data = growing.data(task["size"])
    model = emfppl.load(growing.model)
    fit, times = Stopwatch().timed(lambda: model.fit(data, progress=False))
    gap = None if growing.evidence is None else growing.evidence(data) - fit.elbo
    facts = {"elbo": fit.elbo, "gap": gap, "guide": fit.guide, "dim": int(fit.result.guide.dim), "steps": fit.result.steps}
    running = times["seconds"] - times["compiling"]
    return {**facts, "groups": data.get("groups", ""), **times, "running": running, "step": step(fit)}


def step(fit: Any, repeats: int = 5) -> float | None:
    """Seconds of a gradient of the ELBO with eight draws, as the optimiser takes it: the median of some runs."""
    import jax

    from emfppl.runtime.compile import often
    from emfppl.runtime.ladder import in_cache
    from emfppl.runtime.optimise.lanes import mean_and_slope
    from emfppl.runtime.precision import precision

    guide, params = fit.result.guide, fit.result.params
    data = guide.data
    if not guide.num_params(params):
        return None
    with precision(fit.result.precision):
        eps = np.random.default_rng(0).normal(size=(8, guide.dim))

        def weight(params: Any, _: Any, eps: jax.Array, data: Any) -> jax.Array:
            return guide.sticking_log_weight(params, eps, data)

        run = often(mean_and_slope(weight, in_cache(guide.dim, least=2)), fit.program, guide.swept)
        jax.block_until_ready(run(params, None, eps, data))
        return float(np.median([_seconds(lambda: run(params, None, eps, data)) for _ in range(repeats)]))


def _seconds(call: Callable[[], Any]) -> float:
    import jax

    began = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - began


# ---------------------------------------------------------------- programs and data


def bridge(size: int) -> dict[str, Any]:
    """A Brownian path seen with noise, but for the middle third."""
    rng = np.random.default_rng(size)
    y = np.cumsum(0.1 * rng.normal(size=size)) + 0.15 * rng.normal(size=size)
    y[size // 3 : 2 * size // 3] = np.nan
    return {"y": y}


def level(size: int) -> dict[str, Any]:
    """A walk with steps of .3 seen with noise of .5."""
    rng = np.random.default_rng(size)
    return {"y": np.cumsum(0.3 * rng.normal(size=size)) + 0.5 * rng.normal(size=size)}


def hierarchy(size: int) -> dict[str, Any]:
    """Houses in counties of uneven sizes, ten each in the mean, as in the radon example."""
    rng = np.random.default_rng(size)
    groups = max(size // 10, 10)
    county = np.concatenate([np.arange(groups), rng.integers(0, groups, size - groups)])
    alpha = 1.5 + 0.3 * rng.normal(size=groups)
    floor = rng.integers(0, 2, size).astype(float)
    y = alpha[county] - 0.7 * floor + 0.8 * rng.normal(size=size)
    return {"groups": groups, "county_of": county, "floor": floor, "log_radon": y}


PROGRAMS_OF = {
    "brownian_bridge": Growing(str(PAPER / "brownian.emf"), CHAINS, bridge, lambda data: exact.long_brownian(data["y"])),
    "local_level": Growing(str(PROGRAMS / "local_level.emf"), CHAINS, level),
    "hierarchy": Growing(str(PROGRAMS / "hierarchy.emf"), ROWS, hierarchy),
}
