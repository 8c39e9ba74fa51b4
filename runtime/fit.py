"""A fit in one call: which guide, which precision, how much work; no step size, number of steps or key to choose."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from emfppl.runtime.budget import budget_of
from emfppl.runtime.certificate import Certificate
from emfppl.runtime.choose_guide import build_guide, ladder_of
from emfppl.runtime.compile import count_elements, work_of
from emfppl.runtime.conjugate import PROBES, Exact, in_closed_form
from emfppl.runtime.gaussian.evidence import exact_evidence
from emfppl.runtime.guide import Guide
from emfppl.runtime.improper import refuse_unseen
from emfppl.runtime.ladder import Ladder, Rung, Task
from emfppl.runtime.nonfinite import not_finite
from emfppl.runtime.optimise.minibatch import batch_of, in_batches
from emfppl.runtime.precision import precision as in_precision
from emfppl.runtime.progress import Progress
from emfppl.runtime.recipe import Recipe
from emfppl.runtime.report import Attempt, Report

if TYPE_CHECKING:
    from emfppl.runtime.program import Program

DOUBLE_UP_TO = 100_000  # numbers a draw: beyond, single precision is the default
CLOSE = 1e-3  # the error of a check of the evidence up to which it counts

Tree = Any


@dataclass(frozen=True)
class FitResult:
    """A fitted guide: its parameters (NumPy arrays), certificate, and how it came about."""

    guide: Guide
    params: Tree
    certificate: Certificate
    precision: str
    seed: int
    seconds: float
    steps: int
    warnings: tuple[str, ...] = ()
    report: Report = Report((), "")


def fit_program(
    program: Program,
    guide: str = "auto",
    seed: int = 0,
    precision: str | None = None,
    progress: bool = True,
    budget: str = "normal",
    batch: Mapping[str, int] | None = None,
) -> FitResult:
    """Fit `guide` (`choose_guide.NAMES`) to the posterior of a program, within a budget (`budget.BUDGETS`).
    `batch`: a dim, and how many of its entries each step works on.

    `precision` None: float64 up to 100,000 numbers a draw, float32 beyond. Equal seeds give equal results. Ctrl-C gives
    the best guide so far, marked interrupted. Raises `EmfError` E1101 to E1103, E1106, E1109, E1110.
    """
    began, work = time.perf_counter(), budget_of(budget)
    drawn = batch_of(program, batch)
    refuse_unseen(program)
    recipes, wanted = ladder_of(program, guide, work, blocks=drawn is None)
    if drawn is not None and not wanted:
        recipes = in_batches(program, drawn, recipes)
    chosen = precision or default_precision(program)
    exact = in_closed_form(program, guide) if drawn is None else None
    if exact is not None:
        return _exact(exact, chosen, seed, began)
    with Progress(progress) as shown:
        task = Task(program, seed, chosen, work_of(program), shown, work, batch=drawn)
        ladder = _climbed(task, wanted, recipes)
        if ladder.best is None and recipes[0].blocks and not wanted:
            recipes = ladder_of(program, guide, work, blocks=False)[0]
            ladder = _climbed(task, wanted, recipes)
        if ladder.best is None and precision is None and chosen == "float32":
            task = replace(task, precision="float64")
            ladder = _climbed(task, wanted, recipes)
    rung = ladder.best
    if rung is None:
        raise not_finite(build_guide(program, replace(recipes[0], blocks=False)), task.precision, seed)
    seconds, how = time.perf_counter() - began, (task.precision, seed)
    found, told = _warnings(rung), ladder.report()
    return FitResult(rung.guide, rung.params, _checked(rung, ladder.plain or rung), *how, seconds, ladder.steps, found, told)


def _climbed(task: Task, wanted: bool, recipes: tuple[Recipe, ...]) -> Ladder:
    ladder = Ladder(task, wanted)
    with in_precision(task.precision):
        ladder.climb(recipes)
    return ladder


def _checked(rung: Rung, plain: Rung) -> Certificate:
    """The certificate, with the exact evidence where quadrature finds it, in the coordinates of a guide without layers; a sum of
    squares that nearly cancel, it needs double precision."""
    if not rung.guide.recipe.blocks or rung.search.interrupted:
        return rung.certificate
    try:
        found = exact_evidence(plain.weighing, plain.params)
    except KeyboardInterrupt:  # the fit itself is done; only its check is not
        found = None
    if found is not None and rung.certificate.exact:
        return replace(rung.certificate, elbo=found[0], log_evidence=found[0])
    if found is None or not found[1] <= CLOSE:
        return rung.certificate
    return replace(rung.certificate, exact_evidence=found[0], exact_error=found[1])


def _exact(exact: Exact, precision: str, seed: int, began: float) -> FitResult:
    """The posterior of a conjugate program, with nothing to fit."""
    guide, params = exact.guide, {**exact.guide.init(seed), "gates": exact.parts}
    seconds, evidence = time.perf_counter() - began, exact.log_evidence
    certificate = Certificate(evidence, 0.0, evidence, -math.inf, 1.0, PROBES, converged=True, exact=True)
    only = Attempt(guide.name, 0, evidence, 0.0, 0.0, -math.inf, 1.0, 0, seconds, converged=True, kept=True)
    told = Report((only,), "the posterior is in closed form")
    return FitResult(guide, params, certificate, precision, seed, seconds, 0, report=told)


def default_precision(program: Program) -> str:
    """Double where that costs little."""
    return "float64" if count_elements(program) <= DOUBLE_UP_TO else "float32"


def _warnings(rung: Rung) -> tuple[str, ...]:
    search = rung.search
    found = list(rung.guide.gates.not_kept)
    if search.interrupted:
        found.append("interrupted: this is the best guide found until then")
    if search.skipped:
        found.append(f"{search.skipped:.1%} of the steps of the last round were not finite and were left out")
    return tuple(found)


