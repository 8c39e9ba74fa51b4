"""The rows of the density benchmark: which method on which target, and one measurement of it.

A method is a `density` block of the target's program under `programs/`, or a flow of FlowJAX. A row trains it with every seed,
each on data of its own, and judges all on the same held-out data.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import emfppl
from benchmarks.density import baselines
from benchmarks.density.targets import TARGETS, Target
from benchmarks.rows import Row, Stopwatch, Task, compiled_once

PROGRAMS = Path(__file__).parent / "programs"
SHAPES = ("eight_gaussians", "checkerboard", "two_spirals", "diamond")
SERIES = ("brownian", "ornstein_uhlenbeck", "lorenz", "van_der_pol")
FLOWJAX = ("flowjax_maf", "flowjax_nsf")
Gate = tuple[float, float]
OF_SHAPES = ("maf", "maf_l", "b_maf", "nsf", "emf_t", "emf_m", "nsf_emf_t", "gemf_t_wrong")
OF_SERIES = ("maf", "maf_l", "b_maf", "nsf", "gemf_t_c", "gemf_t_s", "emf_m", "nsf_gemf_t_c")
OF_SETS = ("maf", "maf_l", "b_maf", "gemf_t", "emf_m")
OF_DIGITS = ("maf", "maf_l", "nsf", "emf_t", "emf_m", "nsf_emf_t")
METHODS = {
    **dict.fromkeys(SHAPES, (*OF_SHAPES, *FLOWJAX)),
    **dict.fromkeys(SERIES, (*OF_SERIES, *FLOWJAX)),
    "iris": (*OF_SETS, "flowjax_maf"),
    "digit_sets": (*OF_SETS, "flowjax_maf"),
    "digits": (*OF_DIGITS, *FLOWJAX),
}
ON_MAF = ("emf_t", "emf_m", "gemf_t", "gemf_t_c", "gemf_t_s", "gemf_t_wrong")
BACKBONE = dict.fromkeys(ON_MAF, "maf") | {"nsf_emf_t": "nsf", "nsf_gemf_t_c": "nsf"}
MISSPECIFIED = {(name, "gemf_t_wrong") for name in SHAPES} | {("brownian", "gemf_t_s"), ("ornstein_uhlenbeck", "gemf_t_s")}


@dataclass(frozen=True)
class Size:
    """How much is done: numbers of events to train on and to judge on, the budget of training, and, where they are not those
    of the files, the widths of masked networks and the bins of splines."""

    train: int
    test: int
    budget: str
    hidden: int | None = None
    bins: int | None = None

    def source(self, target: str) -> str:
        """The text of a target's program."""
        text = program(target).read_text()
        if self.hidden:
            text = re.sub(r"maf\(hidden = \[\d+, \d+\]", f"maf(hidden = [{self.hidden}, {self.hidden}]", text)
        return re.sub(r"bins = \d+", f"bins = {self.bins}", text) if self.bins else text

    def width(self, target: str) -> int:
        """Of the masked networks."""
        found = re.search(r"maf\(hidden = \[(\d+)", self.source(target))
        assert found is not None
        return int(found[1])


SHORT = Size(5_000, 5_000, "quick")
FULL = Size(100_000, 10_000, "thorough", hidden=512, bins=32)  # the widths of the paper


def program(target: str) -> Path:
    """The file with a target's densities."""
    return PROGRAMS / f"{'shapes' if target in SHAPES else target}.emf"


def tasks(chosen: Any) -> list[Task]:
    """A task a target and method, where its name `target/method` is wanted."""
    pairs = [(t, m) for t, methods in METHODS.items() for m in methods if chosen.wants(f"{t}/{m}")]
    return [{"target": t, "method": m, "seeds": chosen.seeds, "full": chosen.full} for t, m in pairs]


@dataclass(frozen=True)
class Judged:
    """A trained flow: its log density of held-out data (N,), numbers learned, seconds a step and of all; of gates the mean and the
    least, by variable."""

    logs: np.ndarray
    params: int
    step: float
    seconds: float
    gates: dict[str, Gate]


def measure(task: Task) -> Row:
    """A method with every seed: lists over seeds of the negative log likelihood and, where the truth is known, of the gap to it:
    the mean over held-out data of log p − log q, in which most of the noise of both cancels."""
    target, size = TARGETS[task["target"]], FULL if task["full"] else SHORT
    test = target.test(size.test)
    train = _of_flowjax if task["method"] in FLOWJAX else _of_program
    with compiled_once():
        runs = [train(task["method"], target, test, size, seed) for seed in range(task["seeds"])]
    truth = target.log_density(test) if target.log_density else None
    return {
        "dim": target.dim,
        "nll": [-float(r.logs.mean()) for r in runs],
        "gap": None if truth is None else [float((truth - r.logs).mean()) for r in runs],
        "entropy": target.entropy() if target.entropy else None,
        "params": runs[0].params,
        "step": float(np.median([r.step for r in runs])),
        "seconds": sum(r.seconds for r in runs),
        "cpu": time.process_time(),
        "gates": {name: np.mean([r.gates[name] for r in runs], axis=0).tolist() for name in runs[0].gates},
    }


def _of_program(method: str, target: Target, test: np.ndarray, size: Size, seed: int) -> Judged:
    """A density block of the target's program, by the usual call."""
    density = emfppl.load(size.source(target.name)).density(method)
    fit = lambda: density.fit(target.train(seed, size.train), seed=seed, budget=size.budget, progress=False)  # noqa: E731
    flow, times = Stopwatch().timed(fit)
    step = (times["seconds"] - times["compiling"]) / flow.steps
    gates = flow.gates_by_layer.values() if "gemf" in method else ()
    found = {name: (float(np.mean(v)), float(np.min(v))) for layer in gates for name, v in layer.items()}
    return Judged(flow.log_prob(test), flow.num_params, step, times["seconds"], found)


def _of_flowjax(method: str, target: Target, test: np.ndarray, size: Size, seed: int) -> Judged:
    """A flow of FlowJAX with the plan that ours have: as many steps and samples a step."""
    from emfppl.runtime.density.train import plan_for

    x = target.train(seed, size.train)
    plan = plan_for(round(0.9 * len(x)), target.dim, size.budget)
    flow = baselines.train(method, target, x, size.width(target.name), plan.steps, plan.batch, seed)
    return Judged(flow.log_density(test), flow.num_params, flow.step, flow.seconds, {})
