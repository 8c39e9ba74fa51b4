"""A fit in one call: which guide, which precision, how much work; no step size, number of steps or key to choose."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from emfppl.runtime.certificate import Certificate, certify
from emfppl.runtime.choose_guide import build_guide, next_rung, recipe_of
from emfppl.runtime.compile import count_elements
from emfppl.runtime.guide import Guide
from emfppl.runtime.nonfinite import not_finite
from emfppl.runtime.optimise.rounds import UNKNOWN, Plan, Rounds, Search
from emfppl.runtime.optimise.starts import Start, Starts
from emfppl.runtime.precision import precision as in_precision
from emfppl.runtime.progress import Progress
from emfppl.runtime.recipe import Recipe

if TYPE_CHECKING:
    from emfppl.runtime.program import Program

DOUBLE_UP_TO = 100_000  # numbers a draw: beyond, single precision is the default
ROUNDS, ROUNDS_BELOW = 5, 3  # of a guide, and of one that a flow may be put under
WEIGHTS_MEMORY = 4_000_000  # numbers of the draws that are weighed at once

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


@dataclass(frozen=True)
class _Task:
    """What all rungs of a fit share."""

    program: Program
    seed: int
    precision: str
    elements: int
    progress: Progress


@dataclass(frozen=True)
class _Rung:
    """One fitted guide of the ladder."""

    guide: Guide
    search: Search
    certificate: Certificate

    @property
    def params(self) -> Tree:
        return self.search.params[self.search.best]

    @property
    def lost(self) -> bool:
        """Whether the search ended by itself with nothing finite."""
        return self.search.lost and not self.search.interrupted


def fit_program(
    program: Program, guide: str = "auto", seed: int = 0, precision: str | None = None, progress: bool = True
) -> FitResult:
    """Fit `guide` (`choose_guide.NAMES`) to the posterior of a program.

    `precision` None: float64 up to 100,000 numbers a draw, float32 beyond. Equal seeds give equal results. Ctrl-C gives
    the best guide so far, marked interrupted. Raises `EmfError` E1101 to E1103.
    """
    began = time.perf_counter()
    recipe = recipe_of(program, guide)
    elements = count_elements(program)
    chosen = precision or default_precision(program)
    with Progress(progress) as shown:
        task = _Task(program, seed, chosen, elements, shown)
        rung = _fit(task, guide, recipe)
        if rung is None and precision is None and chosen == "float32":
            task = replace(task, precision="float64")
            rung = _fit(task, guide, recipe)
    if rung is None:
        raise not_finite(build_guide(program, recipe.plain), task.precision, seed)
    seconds = time.perf_counter() - began
    steps, found = rung.search.steps, _warnings(rung)
    return FitResult(rung.guide, rung.params, rung.certificate, task.precision, seed, seconds, steps, found)


def default_precision(program: Program) -> str:
    """Double where that costs little."""
    return "float64" if count_elements(program) <= DOUBLE_UP_TO else "float32"


def _warnings(rung: _Rung) -> tuple[str, ...]:
    search = rung.search
    found = []
    if search.interrupted:
        found.append("interrupted: this is the best guide found until then")
    if search.skipped:
        found.append(f"{search.skipped:.1%} of the steps of the last round were not finite and were left out")
    return tuple(found)


# ---------------------------------------------------------------- the ladder


def _fit(task: _Task, name: str, recipe: Recipe) -> _Rung | None:
    """The best rung; None if nothing finite was found."""
    with in_precision(task.precision):
        following = recipe if recipe.layered else next_rung(task.program, name, recipe)
        rung = _first_rung(task, recipe.plain, ROUNDS if following is None else ROUNDS_BELOW)
        if rung is None or rung.search.interrupted or following is None:
            return rung
        if not (recipe.layered or rung.certificate.worth_climbing or not rung.search.converged):
            return rung
        return _with_layers(task, following, rung, forced=recipe.layered)


def _first_rung(task: _Task, recipe: Recipe, rounds: int) -> _Rung | None:
    """An affine backbone, from the mode and from the prior's centre, in so many rounds."""
    guide = build_guide(task.program, recipe)
    try:
        starts, at_mode = _starts(task, guide, recipe)
    except KeyboardInterrupt:
        return _not_begun(task, guide)
    plan = make_plan(task, guide.dim, len(starts), 400 if at_mode else 1000, rounds)
    rung = _search(task, guide, plan, starts)
    if rung.lost:
        source = Starts(guide, task.seed, task.elements)
        again = [source.at_point(point) for point in source.finite_points()[: len(starts)]]
        rung = _search(task, guide, plan, again) if again else rung
    return None if rung.lost else rung


def _not_begun(task: _Task, guide: Guide) -> _Rung:
    """The guide as it stands at the prior's centre."""
    params = Starts(guide, task.seed, task.elements).at_centre().params
    search = Search([params], [UNKNOWN], interrupted=True)
    rounds = Rounds(guide, make_plan(task, guide.dim, 1, 1, 1), task.seed)
    return _Rung(guide, search, _certificate(task, rounds, search, 0.0))


def _starts(task: _Task, guide: Guide, recipe: Recipe) -> tuple[list[Start], bool]:
    """The starts, and whether the first is at a mode."""
    starts = Starts(guide, task.seed, task.elements)
    task.progress.say("looking for the mode")
    by_mode = recipe.affine == "full_rank" or starts.own.size or guide.gates.conjugate
    mode = starts.find_mode() if by_mode else None
    if mode is None:
        centre = starts.at_centre()
        return [centre, starts.beside(centre)][: _count_of_starts(task)], False
    first = starts.at_mode(mode)
    second = starts.beside(first) if recipe.shut else starts.at_centre()
    return [first, second][: _count_of_starts(task)], mode.settled


def _count_of_starts(task: _Task) -> int:
    return 2 if task.elements <= 50_000 else 1


def _with_layers(task: _Task, recipe: Recipe, below: _Rung, forced: bool) -> _Rung:
    """A flow, splines or both under a fitted guide, kept if they pay, or if they were asked for."""
    guide = build_guide(task.program, recipe)
    if not guide.backbone.layers:
        return below
    backbone = guide.backbone.grown(below.params["backbone"], np.random.default_rng(task.seed))
    units = {k: np.ones_like(v) for k, v in below.params["params"].items()}
    plan = replace(make_plan(task, guide.dim, 1, 500, ROUNDS), rates=(0.03, 0.01), shrink=0.7)
    above = _search(task, guide, plan, [Start({**below.params, "backbone": backbone}, units)], below.search.spread)
    above.search.steps += below.search.steps
    better = above.certificate.beats(below.certificate, 0.02 if below.search.converged else 0.0)
    if (forced or better) and not above.lost:
        return above
    if above.search.interrupted:
        below.search.interrupted = True
        return replace(below, certificate=replace(below.certificate, interrupted=True))
    return below


def make_plan(task: _Task, dim: int, starts: int, first_round: int, rounds: int) -> Plan:
    """How much work: the more numbers a draw works on, the fewer draws a step; the more latents, the larger the gain that
    no longer counts."""
    elements = task.elements
    draws = 16 if elements <= 2_000 else 8 if elements <= 20_000 else 4 if elements <= 200_000 else 2
    lanes = 2 * starts
    return Plan(
        draws,
        first_round=first_round,
        rounds=rounds,
        tolerance=max(0.02, 0.0002 * dim),
        evaluation=4000 if elements <= 2_000 else 1000 if elements <= 20_000 else 200,
        batch=int(np.clip(WEIGHTS_MEMORY / (elements * lanes + 1), 1, 250)),
        chunk=int(np.clip(20_000_000 / (elements * draws * lanes + 1), 5, 200)),
    )


def _search(task: _Task, guide: Guide, plan: Plan, starts: list[Start], spread: float = 0.0) -> _Rung:
    """The fitted guide, with a certificate on draws that the search has not seen. `spread`: between starts, before this."""
    rounds = Rounds(guide, plan, task.seed, task.progress.report(guide.name))
    if guide.num_params(starts[0].params):
        search = rounds.run([s.params for s in starts], [s.units for s in starts])
    else:
        search = Search([starts[0].params], rounds.score([starts[0].params]), converged=True)
    task.progress.say("weighing draws")
    return _Rung(guide, search, _certificate(task, rounds, search, max(spread, search.spread)))


def _certificate(task: _Task, rounds: Rounds, search: Search, spread: float) -> Certificate:
    """A second Ctrl-C leaves it empty."""
    count = int(np.clip(20_000_000 / max(task.elements, 1), 2_000, 50_000))
    try:
        weights = rounds.log_weights(search.params[search.best], count)
    except KeyboardInterrupt:
        search.interrupted, weights = True, np.full(1, np.nan)
    facts = {"spread": spread, "converged": search.converged, "interrupted": search.interrupted}
    return certify(weights, **facts)
