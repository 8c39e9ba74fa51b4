"""Rounds of lanes, with a stop rule that knows the noise.

A lane is one start with one step size. After each round every start keeps its best lane (by ELBO, on noise common to all
rounds), the affine map learned so far becomes the frame, and the next round is twice as long at half the rate. From the third round
on the lanes of a start are tied, at the step size that was best for it: one lane with the draws of all. The fit has converged when
a round gains less than `tolerance` nats, or less than its own noise, or when the importance weights show that not even half of that
can be gained, which they can't tell of `param` variables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.compile import often, once
from emfppl.runtime.guide import Guide
from emfppl.runtime.optimise.lanes import Lanes, Span, Ways, begin, make_chunk, settled
from emfppl.runtime.optimise.minibatch import Minibatch
from emfppl.runtime.optimise.quasi_newton import FixedNoise, balanced_noise
from emfppl.runtime.threads import one_thread_each
from emfppl.runtime.weighing import Weighing

MANY = 0.1  # of the steps: where more are not finite a fit has not converged
EVEN = 0.9  # effective share of the draws from which the gap can be told
SEARCHING = 2  # rounds at all step sizes
PASSES = 3  # of the quasi-Newton method from one start
TELLING, COVERED = 0.5, 200  # nats between starts that may be modes; draws to see whether they are
STILL = 1e-3  # of the gain that no longer counts: what some steps of the quasi-Newton method have to gain
APART = 0.1  # nats between starts that need more work
COMMON, FRESH = 0, 1  # streams of noise: of scores, and of draws that the search has not seen
NEAR = 5.0  # nats: a mode further below the best holds less than a hundredth of its mass

Tree = Any
Report = Callable[[int, int, float], None]  # steps done, steps of the round, best ELBO so far


@dataclass(frozen=True)
class Plan:
    """How much work a fit may do: draws a step and how many of them at once, step sizes side by side, steps of the first
    round, rounds, draws of an evaluation and how many of them at once, steps between two looks at the keyboard, and the gain
    in nats that no longer counts."""

    draws: int
    rates: tuple[float, ...] = (0.05, 0.015)
    first_round: int = 400
    rounds: int = 5
    evaluation: int = 1000
    batch: int = 256
    chunk: int = 100
    tolerance: float = 0.02
    shrink: float = 0.5
    together: int | None = None
    fixed: int = 0  # draws of the noise that a quasi-Newton pass holds fixed; 0: no such pass


class Score(NamedTuple):
    """Log weights of one set of parameters on the common noise: (N,)."""

    log_weights: np.ndarray

    @property
    def elbo(self) -> float:
        """Mean over the finite log weights, −inf if there are none."""
        finite = self.log_weights[np.isfinite(self.log_weights)]
        return float(finite.mean()) if finite.size else -np.inf

    @property
    def gap(self) -> float:
        """What the ELBO could still gain, in nats, if the weights are even enough to tell; else inf."""
        if not np.all(np.isfinite(self.log_weights)):
            return np.inf
        weights = np.exp(self.log_weights - self.log_weights.max())
        share = weights.sum() ** 2 / (weights**2).sum() / weights.size
        evidence = self.log_weights.max() + np.log(weights.mean())
        return float(evidence - self.elbo) if share > EVEN else np.inf

    @property
    def rank(self) -> tuple[float, float]:
        """The larger the better: the share of draws with a finite weight comes before the ELBO."""
        return float(np.isfinite(self.log_weights).mean()), self.elbo

    def gain_over(self, other: Score) -> tuple[float, float]:
        """The difference of two ELBOs, paired draw by draw, and its standard error."""
        both = np.isfinite(self.log_weights) & np.isfinite(other.log_weights)
        gain = self.log_weights[both] - other.log_weights[both]
        if not gain.size:
            return np.inf, np.inf
        return float(gain.mean()), float(gain.std() / np.sqrt(gain.size))


UNKNOWN = Score(np.full(1, np.nan))


@dataclass
class Search:
    """Where a search stands: for every start its best parameters and their score; the gain of the last round."""

    params: list[Tree]
    scores: list[Score]
    gain: tuple[float, float] = (np.inf, np.inf)
    steps: int = 0
    skipped: float = 0.0  # the share of the steps of the last round that were not finite, in the best lane
    converged: bool = False
    interrupted: bool = False
    history: list[float] = field(default_factory=list)

    @property
    def best(self) -> int:
        return max(range(len(self.scores)), key=lambda i: self.scores[i].rank)

    @property
    def lost(self) -> bool:
        """Whether nothing finite was found: no draw with a weight, or no step that could be taken."""
        return self.scores[self.best].elbo == -np.inf or self.skipped == 1

    @property
    def spread(self) -> float:
        """How far apart in nats the starts ended, those aside that are so far below that they weigh nothing."""
        best = self.scores[self.best].elbo
        return float(max((best - s.elbo for s in self.scores if s.elbo > best - NEAR), default=0.0))


class Rounds:
    """The compiled loops of one guide and one plan, on the guide's data or on `batches` of them; scores are of all data."""

    def __init__(
        self, guide: Guide, plan: Plan, seed: int, report: Report | None = None, batches: Minibatch | None = None
    ):
        self.guide, self.plan = guide, plan
        self.report = report or (lambda *_: None)
        self.seed = seed
        compiled = partial(often, program=guide.program, swept=guide.swept)
        self.batches = batches
        dim, pick = (guide.weight_dim, None) if batches is None else (batches.small.dim, batches.pick)
        self._chunk = make_chunk(self._objective, plan.draws, dim, compiled, pick, plan.together, siblings=len(plan.rates))
        self._on_fixed_noise = FixedNoise(self._whole, plan.batch, compiled)
        self.weighing = Weighing(guide, plan.batch, plan.evaluation)

    # ------------------------------------------------------------ objectives

    def _joined(self, params: Tree, fixed: Tree) -> Tree:
        """The guide's own parameters: the frame put back, `param` variables out of their units."""
        backbone = {**params["backbone"], "frame": fixed["frame"]}
        own = {k: fixed["centre"][k] + fixed["unit"][k] * v for k, v in params["params"].items()}
        gates = self.guide.gates.joined(params["gates"], fixed["gates"])
        sites = {"sites": _moved(params["sites"], fixed["sites"])} if "sites" in params else {}
        return {**params, "backbone": backbone, "gates": gates, "params": own, **sites}

    def _objective(self, params: Tree, fixed: Tree, eps: jax.Array, data: Any) -> jax.Array:
        log_weight = self.guide.sticking_log_weight if self.batches is None else self.batches.log_weight
        return log_weight(self._joined(params, fixed), eps, data)

    def _whole(self, params: Tree, fixed: Tree, eps: jax.Array, data: Any) -> jax.Array:
        return self.guide.log_weight(self._joined(params, fixed), eps, data)

    def score(self, params: list[Tree]) -> list[Score]:
        """Scores on noise common to all."""
        return [Score(self.weighing.normal(p, self.plan.evaluation, self.seed, COMMON)) for p in params]

    def log_weights(self, params: Tree, count: int) -> np.ndarray:
        """log p − log q of `count` new independent draws: (N,)."""
        return self.weighing.normal(params, count, self.seed, FRESH)

    @cached_property
    def _key(self) -> jax.Array:
        return jax.random.key(self.seed)

    def spread(self, search: Search) -> float:
        """How far apart in nats the starts ended that may have found other modes.

        A start that ended lower, but whose draws lie where the best guide is as dense as the posterior, was led to a worse
        optimum of the guide, and not to another mode.
        """
        best = search.scores[search.best].elbo
        apart = [i for i, s in enumerate(search.scores) if TELLING < best - s.elbo < NEAR]
        if not apart:
            return search.spread
        return max((best - search.scores[i].elbo for i in apart if not self._covered(search, i)), default=0.0)

    def _covered(self, search: Search, start: int) -> bool:
        """Whether at most draws of a start the posterior is as dense under the best guide as at that guide's own, within 2 nats."""
        best, data = search.params[search.best], self.guide.program.data
        eps = np.random.default_rng((self.seed, COMMON)).normal(size=(COVERED, self.guide.dim))

        def difference(e: jax.Array, own: Tree, other: Tree, data: Any) -> jax.Array:
            values, _ = self.guide.transform(own, e, data)
            return self.guide.program.log_density(values, self.guide.given(other, data)) - self.guide.log_prob(other, values, data)

        found = once(jax.vmap(difference, (0, None, None, None)))(eps, search.params[start], best, data)
        return bool(np.nanmedian(np.asarray(found)) < search.scores[search.best].elbo + 2)

    # ------------------------------------------------------------ the search

    def run(self, starts: list[Tree], units: list[Tree]) -> Search:
        """Climb from every start (parameters without a frame); `units` are the scales of the `param` variables."""
        self.units = units
        self.chosen = [self.plan.rates[0]] * len(starts)
        search = Search(list(starts), [UNKNOWN] * len(starts))
        try:
            search.scores = self.score(starts)
            if self.plan.fixed and self._settle(search):
                return search
            for number in range(self.plan.rounds):
                if self._round(search, number):
                    break
        except KeyboardInterrupt:
            search.interrupted = True
        return search

    def _settle(self, search: Search) -> bool:
        """Quasi-Newton passes on fixed noise from every start; whether the search is over.

        It is if the best start has nothing left to gain, and the others, if they have not come to the same, are far below.
        """
        left = [self._settled(search, i) for i in range(len(search.params))]
        search.history.append(search.scores[search.best].elbo)
        search.converged = left[search.best] < self.plan.tolerance and search.spread < APART and not search.lost
        return search.converged

    def _settled(self, search: Search, start: int) -> float:
        """Takes one start to its optimum, if that is better than what it had; the nats that are left to gain. From far away the
        gain says little of what is left, so every pass has noise of its own."""
        left = np.inf
        for number in range(PASSES):
            noise = balanced_noise(self.plan.fixed, self.guide.weight_dim, number)
            left = self._pass(search, start, noise)
            if left < self.plan.tolerance:
                break
        return left

    def _pass(self, search: Search, start: int, noise: np.ndarray) -> float:
        params, fixed = self._split(search.params[start], self.units[start])
        look = lambda step, steps: self.report(step, steps, search.scores[search.best].elbo)  # noqa: E731
        climb = self._on_fixed_noise.climb(params, fixed, noise, self.guide.data, look, STILL * self.plan.tolerance)
        search.steps += climb.steps
        found = jax.device_get(self._joined(climb.params, fixed))
        found = {**found, "backbone": self.guide.backbone.folded(found["backbone"])}
        score = self.score([found])[0]
        gain = score.gain_over(search.scores[start])[0]
        if score.rank > search.scores[start].rank:
            search.params[start], search.scores[start] = found, score
        return climb.gain - max(gain, 0.0) if climb.settled else np.inf

    def _round(self, search: Search, number: int) -> bool:
        """One round; whether the search is over."""
        steps = self.plan.first_round * 2**number
        split = [self._split(p, u) for p, u in zip(search.params, self.units, strict=True)]
        count, tied = len(self.plan.rates), number >= SEARCHING
        params, fixed = (_stacked([part for part in parts for _ in range(count)]) for parts in zip(*split, strict=True))
        rates = np.repeat(self.chosen, count) if tied else np.tile(self.plan.rates, len(split))
        before = search.scores[search.best]
        try:
            self._climb(begin(params), Ways(rates * self.plan.shrink**number, tied), fixed, steps, number, search)
        finally:
            self._take(search, self.last, fixed, tied)
        search.gain = search.scores[search.best].gain_over(before)
        return self._over(search, number)

    def _climb(self, lanes: Lanes, ways: Ways, fixed: Tree, steps: int, number: int, search: Search) -> None:
        key = jax.random.fold_in(self._key, number + 1)
        given = self.guide.data if self.batches is None else self.batches.given
        self.last, self.done = lanes, 0
        for first in range(0, steps, self.plan.chunk):
            last = min(first + self.plan.chunk, steps)
            with one_thread_each():
                lanes = self._chunk(lanes, ways, Span(first, last, steps), fixed, given, key)
                jax.block_until_ready(lanes.skipped)
            self.last, self.done = lanes, last
            search.steps += last - first
            self.report(last, steps, search.scores[search.best].elbo)
            if np.all(np.asarray(lanes.skipped) >= last):
                break  # no step of any lane was finite

    def _take(self, search: Search, lanes: Lanes, fixed: Tree, tied: bool) -> None:
        """Each start takes its best lane, if that is better than what it had."""
        count = len(self.plan.rates)
        joined = _unstacked(jax.device_get(jax.vmap(self._joined)(settled(lanes), fixed)), count * len(search.params))
        found = [{**p, "backbone": self.guide.backbone.folded(p["backbone"])} for p in joined]
        scores = self.score(found)
        best = [max(range(i * count, (i + 1) * count), key=lambda j: scores[j].rank) for i in range(len(search.params))]
        if not tied:
            self.chosen = [self.plan.rates[lane % count] for lane in best]
        for i, lane in enumerate(best):
            if scores[lane].rank > search.scores[i].rank:
                search.params[i], search.scores[i] = found[lane], scores[lane]
        search.skipped = float(np.min(np.asarray(lanes.skipped))) / max(self.done, 1)
        search.history.append(search.scores[search.best].elbo)

    def _over(self, search: Search, number: int) -> bool:
        gain, error = search.gain
        if search.lost:
            return True
        noise = min(2 * error, 1.5 * self.plan.tolerance)
        still = number > 0 and gain < max(self.plan.tolerance, noise)
        learned = bool(search.params[search.best]["params"])  # the evidence itself moves with `param` variables
        exact = not learned and search.scores[search.best].gap < self.plan.tolerance / 2
        search.converged = (still or exact) and search.skipped < MANY
        return search.converged

    # ------------------------------------------------------------ frames

    def _split(self, params: Tree, unit: Tree) -> tuple[Tree, Tree]:
        """What a round learns, and what it holds: the frames, and centre and unit of the `param` variables."""
        framed = self.guide.backbone.framed(params["backbone"])
        gates, units = self.guide.gates.framed(params["gates"])
        fixed = {"frame": framed.pop("frame"), "gates": units, "centre": params["params"], "unit": unit}
        own = {k: np.zeros_like(v) for k, v in params["params"].items()}
        held = {k: params[k] for k in ("sites",) if k in params}
        still = {k: jax.tree.map(np.zeros_like, v) for k, v in held.items()}
        return {**params, "backbone": framed, "gates": gates, "params": own, **still}, {**fixed, **held}


def _moved(sites: Tree, frame: Tree) -> Tree:
    """Sites whose places are measured from those of the frame, in units of its scales."""
    loc = frame["loc"] + jnp.exp(frame["log_scale"]) * sites["loc"]
    return {**{name: frame[name] + sites[name] for name in frame}, "loc": loc}


def _stacked(trees: list[Tree]) -> Tree:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


def _unstacked(tree: Tree, count: int) -> list[Tree]:
    def lane(i: int) -> Tree:
        return jax.tree.map(lambda leaf: np.asarray(leaf[i], np.float64), tree)

    return [lane(i) for i in range(count)]
