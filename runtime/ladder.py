"""The ladder: guides from cheap to rich, each started from the one below, climbed while the certificate says that there is
something to gain, within a budget."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from emfppl.runtime.budget import Budget
from emfppl.runtime.certificate import Certificate, certify
from emfppl.runtime.choose_guide import FULL_RANK_UP_TO, build_guide
from emfppl.runtime.compile import on_cpu
from emfppl.runtime.guide import Guide
from emfppl.runtime.optimise.minibatch import Minibatch
from emfppl.runtime.optimise.rounds import UNKNOWN, Plan, Rounds, Search
from emfppl.runtime.optimise.starts import Start, Starts
from emfppl.runtime.progress import Progress
from emfppl.runtime.recipe import Recipe
from emfppl.runtime.report import Attempt, Report
from emfppl.runtime.weighing import Weighing

if TYPE_CHECKING:
    from emfppl.runtime.program import Program

WEIGHTS_MEMORY = 4_000_000  # numbers of the draws that are weighed at once
CACHED = 2**16  # latents of the draws that are worked on at once, on a CPU: an array of half a MiB
FEW, FIXED_WORK = 1000, 20_000_000  # parameters, and numbers at once, up to which a quasi-Newton pass is tried
OF_NETWORKS = (0.03, 0.01)  # rates of a guide with networks

Tree = Any


class Workshop:
    """Guides and the compiled loops that fit them, each made once, for one fit or for many to data of the same shapes."""

    def __init__(self) -> None:
        self._made: dict[Any, Any] = {}

    def guide(self, program: Program, recipe: Recipe) -> Guide:
        return self._once(recipe, lambda: build_guide(program, recipe))

    def starts(self, guide: Guide, task: Task) -> Starts:
        return self._once(("starts", guide.recipe), lambda: Starts(guide, task.seed, task.elements))

    def rounds(self, guide: Guide, plan: Plan, task: Task) -> Rounds:
        report = task.progress.report(guide.name)
        return self._once(("rounds", guide.recipe, plan), lambda: Rounds(guide, plan, task.seed, report, task.batches(guide)))

    def _once(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]


@dataclass(frozen=True)
class Task:
    """What all rungs of a fit share."""

    program: Program
    seed: int
    precision: str
    elements: int
    progress: Progress
    budget: Budget
    workshop: Workshop = field(default_factory=Workshop, compare=False)

    batch: tuple[str, int] | None = None  # a dim, and how many of its entries a step works on

    def guide(self, recipe: Recipe) -> Guide:
        return self.workshop.guide(self.program, recipe)

    def batches(self, guide: Guide) -> Minibatch | None:
        return None if self.batch is None else Minibatch(guide, *self.batch, self.seed)

    def share_of(self, numbers: int) -> int:
        """How many of so many numbers over all data one draw of a step works on."""
        if self.batch is None:
            return numbers
        dim, size = self.batch
        return max(1, numbers * size // self.program.binding.sizes[dim])


@dataclass(frozen=True)
class Rung:
    """One fitted guide of the ladder; `steps` and `seconds` are its own."""

    guide: Guide
    search: Search
    certificate: Certificate
    weighing: Weighing
    steps: int = 0
    seconds: float = 0.0

    @property
    def params(self) -> Tree:
        return self.search.params[self.search.best]

    @property
    def lost(self) -> bool:
        """Whether the search ended by itself with nothing finite."""
        return self.search.lost and not self.search.interrupted

    @property
    def content(self) -> bool:
        """Whether nothing is left to gain that the certificate can see."""
        return self.search.converged and not self.certificate.worth_climbing

    def attempt(self, kept: bool) -> Attempt:
        """Its line of the report."""
        c = self.certificate
        figures = (c.elbo, c.elbo_se, c.gap, c.khat, c.ess)
        return Attempt(
            self.guide.name, self.guide.num_params(self.params), *figures, self.steps, self.seconds, self.search.converged, kept
        )


@dataclass
class Ladder:
    """A climb: the rungs tried so far, and the best of them. `wanted`: the guide was asked for by name, so the last rung is kept
    whatever its figures."""

    task: Task
    wanted: bool
    best: Rung | None = None
    tried: list[Rung] = field(default_factory=list)
    stopped: str = ""

    def climb(self, recipes: tuple[Recipe, ...]) -> Rung | None:
        """The best rung; None if nothing finite was found."""
        for number, recipe in enumerate(recipes):
            last = number == len(recipes) - 1
            rung = timed(self._rung, recipe, last)
            if rung is not None:
                self.tried.append(rung)
                self._choose(rung, self.wanted and last)
            if self._ends(last):
                break
        return self.best

    def _rung(self, recipe: Recipe, last: bool) -> Rung | None:
        below = [rung for rung in self.tried if not rung.lost and recipe.extends(rung.guide.recipe)]
        if below:
            return with_layers(self.task, recipe, below[-1])
        return first_rung(self.task, recipe, self.task.budget.rounds if last else self.task.budget.rounds_below)

    def _choose(self, rung: Rung, wanted: bool) -> None:
        below = self.best
        if below is None or (not rung.lost and (wanted or _better(rung, below))):
            self.best = rung
        elif rung.search.interrupted:
            below.search.interrupted = True
            self.best = replace(below, certificate=replace(below.certificate, interrupted=True))

    def _ends(self, last: bool) -> bool:
        """Whether the climb is over, and why."""
        if self.best is None:
            return last
        if self.best.search.interrupted:
            self.stopped = "interrupted"
        elif self.wanted and last:
            self.stopped = "this guide was asked for"
        elif not self.wanted and self.best.content:
            self.stopped = "the certificate sees nothing left to gain"
        elif last and self.task.budget.climbs:
            self.stopped = "there is no richer guide for this program" + ("" if self.task.budget.rich else " in this budget")
        elif last:
            self.stopped = f"the budget is {self.task.budget.name}"
        return bool(self.stopped)

    @property
    def plain(self) -> Rung | None:
        """Where the best rung has splines or a flow, the one below it that has not; else itself."""
        best = self.best
        same = [rung for rung in self.tried if best and rung.guide.recipe == best.guide.recipe.plain and not rung.lost]
        return same[0] if same else best

    def report(self) -> Report:
        """All rungs, and why there are no more."""
        return Report(tuple(r.attempt(self.best is not None and r.search is self.best.search) for r in self.tried), self.stopped)

    @property
    def steps(self) -> int:
        return sum(rung.steps for rung in self.tried)


def timed(fit: Any, *arguments: Any) -> Rung | None:
    """The rung that `fit` gives, with the seconds that it took."""
    began = time.perf_counter()
    rung = fit(*arguments)
    return rung and replace(rung, seconds=time.perf_counter() - began)


def _better(rung: Rung, below: Rung) -> bool:
    return rung.certificate.beats(below.certificate, 0.02 if below.search.converged else 0.0)


# ---------------------------------------------------------------- rungs


def first_rung(task: Task, recipe: Recipe, rounds: int) -> Rung | None:
    """A guide from the mode and from the prior's centre, in so many rounds."""
    guide = task.guide(recipe)
    try:
        starts, at_mode = _starts(task, guide, recipe)
    except KeyboardInterrupt:
        return _not_begun(task, guide)
    first_round = 400 if at_mode and task.batch is None else 1000
    plan = make_plan(task, guide, len(starts), first_round, rounds)
    plan = replace(plan, fixed=fixed_draws(task, guide.num_params(starts[0].params)))
    plan = replace(plan, rates=OF_NETWORKS, shrink=0.7) if recipe.amortised else plan
    rung = _search(task, guide, plan, starts)
    if rung.lost:
        source = task.workshop.starts(guide, task)
        again = [source.at_point(point) for point in source.finite_points()[: len(starts)]]
        rung = _search(task, guide, plan, again) if again else rung
    return None if rung.lost else rung


def _not_begun(task: Task, guide: Guide) -> Rung:
    """The guide as it stands at the prior's centre."""
    params = Starts(guide, task.seed, task.elements).at_centre().params
    search = Search([params], [UNKNOWN], interrupted=True)
    rounds = Rounds(guide, make_plan(task, guide, 1, 1, 1), task.seed)
    return Rung(guide, search, _certificate(task, rounds, search, 0.0), rounds.weighing)


def _starts(task: Task, guide: Guide, recipe: Recipe) -> tuple[list[Start], bool]:
    """The starts, and whether the first is at a mode."""
    starts = task.workshop.starts(guide, task)
    task.progress.say("looking for the mode")
    by_mode = recipe.affine == "full_rank" or starts.own.size > 0 or bool(guide.gates.conjugate)
    by_mode = by_mode and not recipe.amortised  # of global latents alone, with local ones in their middle, it is no place to start
    mode = starts.find_mode() if by_mode else None
    if mode is None:
        return _without_mode(task, starts, by_mode), False
    first = starts.at_mode(mode)
    on_path = [] if mode.settled else _on_path(task, starts)
    second = starts.beside(first) if recipe.shut else starts.at_centre()
    return [*on_path, first, second][: _count_of_starts(task)], mode.settled


def _without_mode(task: Task, starts: Starts, wanted: bool) -> list[Start]:
    """Starts where there is no mode, though `wanted`, or none was looked for."""
    on_path = _on_path(task, starts) if wanted or starts.dim > FULL_RANK_UP_TO else []
    centre = starts.at_centre()
    return [*on_path, centre, *([] if on_path else [starts.beside(centre)])][: _count_of_starts(task)]


def _on_path(task: Task, starts: Starts) -> list[Start]:
    """The best normal approximation on the way uphill, if there is one. It takes some hundred passes through all data, which
    batches are there to save."""
    if task.batch is not None:
        return []
    task.progress.say("following paths uphill")
    normal = starts.find_normal()
    return [] if normal is None else [starts.at_normal(normal)]


def _count_of_starts(task: Task) -> int:
    return 2 if task.elements <= 50_000 else 1


def with_layers(task: Task, recipe: Recipe, below: Rung) -> Rung | None:
    """A flow, splines or both under a fitted guide, the identity at first; None if there is nothing to put there."""
    guide = task.guide(recipe)
    if not guide.backbone.layers:
        return None
    backbone = guide.backbone.grown(below.params["backbone"], np.random.default_rng(task.seed))
    units = {k: np.ones_like(v) for k, v in below.params["params"].items()}
    start = Start({**below.params, "backbone": backbone}, units)
    plan = replace(make_plan(task, guide, 1, 500, task.budget.rounds), rates=OF_NETWORKS, shrink=0.7)
    plan = replace(plan, fixed=fixed_draws(task, guide.num_params(start.params)))
    return _search(task, guide, plan, [start], below.certificate.spread)


def make_plan(task: Task, guide: Guide, starts: int, first_round: int, rounds: int) -> Plan:
    """How much work: the more numbers a draw works on, the fewer draws a step; the more latents that are drawn, the larger the gain
    that no longer counts."""
    elements = task.elements + guide.further_work
    at_once = task.share_of(elements)
    draws = 16 if at_once <= 2_000 else 8 if at_once <= 20_000 else 4 if at_once <= 200_000 else 2
    lanes = 2 * starts
    return Plan(
        draws,
        first_round=first_round,
        rounds=rounds,
        tolerance=max(0.02, 0.0002 * guide.weight_dim),
        evaluation=4096 if elements <= 2_000 else 1024 if elements <= 20_000 else 256,
        batch=min(2 ** int(np.log2(np.clip(WEIGHTS_MEMORY / (elements * lanes + 1), 1, 256))), in_cache(guide.dim, least=8)),
        together=in_cache(lanes * guide.dim, least=2),
        chunk=int(np.clip(20_000_000 / (at_once * draws * lanes + 1), 5, 200)),
    )


def in_cache(numbers: int, least: int) -> int:
    """How many draws of so many latents are worked on at once: on a CPU no more than its cache holds, or the `least`."""
    if not on_cpu():
        return 256
    return 2 ** int(np.log2(np.clip(CACHED / max(numbers, 1), least, 256)))


def fixed_draws(task: Task, params: int) -> int:
    """The draws of a quasi-Newton pass, ten for each parameter up to 4096; none where parameters are many or draws dear."""
    draws = 2 ** int(np.ceil(np.log2(np.clip(10 * params, 512, 4096))))
    fits = 0 < params <= FEW and draws * task.elements <= FIXED_WORK
    return draws if fits and task.batch is None else 0


def _search(task: Task, guide: Guide, plan: Plan, starts: list[Start], spread: float = 0.0) -> Rung:
    """The fitted guide, with a certificate on draws that the search has not seen. `spread`: between starts, before this."""
    rounds = task.workshop.rounds(guide, plan, task)
    if guide.num_params(starts[0].params):
        search = rounds.run([s.params for s in starts], [s.units for s in starts])
    else:
        search = Search([starts[0].params], rounds.score([starts[0].params]), converged=True)
    task.progress.say("weighing draws")
    certificate = _certificate(task, rounds, search, max(spread, rounds.spread(search)))
    return Rung(guide, search, certificate, rounds.weighing, search.steps)


def _certificate(task: Task, rounds: Rounds, search: Search, spread: float) -> Certificate:
    """From as many draws as the budget weighs, fewer where a draw is much work: k-hat needs many to see past
    the bulk of the weights. A second Ctrl-C leaves it empty."""
    elements = min(task.elements, rounds.weighing.work) + rounds.guide.further_work
    count = int(np.clip(50_000_000 / max(elements, 1), 2_000, task.budget.weighed))
    params = search.params[search.best]
    try:
        weights = rounds.log_weights(params, count)
    except KeyboardInterrupt:
        search.interrupted, weights = True, np.full(1, np.nan)
    facts = {"spread": spread, "converged": search.converged, "interrupted": search.interrupted}
    return certify(weights, learned=rounds.guide.num_params(params), **facts)
