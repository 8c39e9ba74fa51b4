"""Training by maximum likelihood, without anything to tune.

::

    trials, a short run at each rate  ─▶  climb, a long one at the best  ─▶  the same with each model's gates shut

In every run the rate falls to zero. Some samples are held out. Their likelihood is looked at some dozens of times; the parameters
that were best by it, less what their gates cost, are the ones kept. A lane whose held-out likelihood has not risen for long goes
on from its best parameters at a lower rate, and ends early the third time. A model without which held-out samples become as likely
stays shut. Lanes are seeds: they start apart, see the same batches, and the one that is best on the samples held out is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import jax
import numpy as np

from emfppl.runtime.density.batches import Blocks, Samples, Spread, Stream, part, split, stacked
from emfppl.runtime.density.lanes import Lanes, Program, begin, compiled
from emfppl.runtime.threads import one_thread_each

WARM_UP = 0.05  # of the steps of a run
LOWER, TURNS = 0.3, 2  # what the rate falls to where a lane stands still, and how often before it ends
BROKEN = 0.5  # of the steps of a chunk: where more are not finite a lane is given up
BLOCK = 512  # samples at once where they are only judged
NUMBERS = 4_000_000  # of the batches of one call at most

Tree = Any
Report = Callable[[int, int, float], None]  # steps done, steps of all, best held-out log density


class Trainable(Protocol):
    """What can be trained."""

    def init(self, rng: np.random.Generator) -> Tree: ...

    def warm(self, params: Tree, x: np.ndarray, given: Any) -> Tree: ...

    def log_prob(self, params: Tree, x: jax.Array, given: Any) -> jax.Array: ...

    def cost(self, params: Tree) -> jax.Array: ...

    @property
    def gated(self) -> int: ...

    def shut(self, params: Tree, model: int) -> Tree: ...


@dataclass(frozen=True)
class Plan:
    """How much work a training may do: samples a step, steps of a call of the compiled program, calls of a trial and of the climb,
    calls between two looks at the samples held out, rates that are tried, how many looks without a gain a lane is patient, and
    how many samples the start is made from."""

    batch: int
    chunk: int
    trial: int
    climb: int
    every: int = 1
    rates: tuple[float, ...] = (0.02, 0.005)
    patience: int = 6
    warm: int = 5000

    def steps(self, gated: int = 0) -> int:
        """Of all, if nothing ends early, with so many models that are tried shut."""
        trials = len(self.rates) if len(self.rates) > 1 else 0
        return self.chunk * (self.climb * (1 + gated) + self.trial * trials)


PASSES = {"quick": (60, 1_500, 3_000), "normal": (200, 4_000, 16_000), "thorough": (600, 10_000, 80_000)}
RATES = {"quick": (0.02, 0.005), "normal": (0.02, 0.008, 0.003), "thorough": (0.01, 0.004, 0.0015)}
LOOKS = 40


def plan_for(count: int, size: int, budget: str) -> Plan:
    """The plan for N samples of E numbers: so many passes over them, within bounds of steps. Batches are a 64th of the samples,
    between 32 and 256, fewer where a sample is large."""
    passes, least, most = PASSES[budget]
    fitting = max(32, min(256, 2**17 // max(size, 1)))
    batch = min(count, int(2 ** round(np.log2(np.clip(count / 64, 32, fitting)))))
    steps = int(np.clip(passes * count // batch, least, most))
    look = -(-steps // LOOKS)
    every = -(-look // max(1, NUMBERS // (batch * max(1, size))))
    chunk = -(-look // every)
    return Plan(batch, chunk, trial=3 * every, climb=LOOKS * every, every=every, rates=RATES[budget])


@dataclass
class Record:
    """A look at the samples held out: after how many steps, mean log densities of each lane, of the batches since the look before
    and of the samples held out."""

    step: int
    trained: np.ndarray
    held: np.ndarray


@dataclass(frozen=True, eq=False)
class Training:
    """What became of it. `logs`: log densities of the samples held out under the parameters kept (V,); `before`: the same when
    three quarters of the climb were done; `ended`: ``budget``, ``early`` or ``interrupted``."""

    params: Tree
    logs: np.ndarray
    before: np.ndarray
    ended: str
    steps: int
    kept: int  # the step after which the parameters were kept
    plan: Plan
    rate: float
    counts: tuple[int, int]  # samples trained on, held out
    lanes: tuple[float, ...]  # best held-out log density of each
    history: list[Record] = field(default_factory=list)

    @property
    def nats(self) -> float:
        """Mean log density of the samples held out."""
        return float(np.mean(self.logs))

    @property
    def standard_error(self) -> float:
        """Of `nats`; NaN for a single sample."""
        return float(np.std(self.logs, ddof=1) / np.sqrt(len(self.logs))) if len(self.logs) > 1 else np.nan

    @property
    def trained(self) -> float:
        """Mean log density of the last batches, of the lane that was kept; NaN before there were any."""
        return float(self.history[-1].trained[int(np.argmax(self.lanes))]) if self.history else np.nan


class Trainer:
    """One training: the compiled programs, the samples, and for every lane the best so far."""

    def __init__(
        self,
        stack: Trainable,
        samples: Samples,
        plan: Plan,
        seed: int = 0,
        seeds: int = 1,
        share: float = 0.1,
        spread: Spread = lambda x, rng: x,
        report: Report | None = None,
    ):
        self.stack, self.plan, self.seeds = stack, plan, seeds
        self.report = report or (lambda *_: None)
        self.dtype = np.dtype(jax.dtypes.canonicalize_dtype(np.float64))
        rng = np.random.default_rng([seed, 0])
        train, held = split(samples.as_dtype(self.dtype), share, rng)
        held = Samples(spread(held.x, rng).astype(self.dtype), held.given)
        self.counts = len(train), len(held)
        self.held = Blocks.of(held, BLOCK)
        self.stream = Stream(train, plan.batch, spread, rng)
        self.inits = [self.stack.init(np.random.default_rng([seed + n, 1])) for n in range(seeds)]
        places = np.sort(rng.permutation(len(train))[: plan.warm])
        some = train.at(places)
        self.some = Samples(spread(some.x, rng).astype(self.dtype), some.given)
        self.params = self._warmed()
        self.program: Program = compiled(stack, plan.batch * samples.x.shape[1])
        self.best, self.steps, self.ended = self.params, 0, "budget"
        self.logs = np.full((seeds, self.counts[1]), -np.inf)
        self.kept, self.costs = np.zeros(seeds, int), np.zeros(seeds)
        self.rates = np.full(seeds, plan.rates[0])
        self.broken = np.zeros(seeds, bool)
        self.history: list[Record] = []
        self.before: np.ndarray | None = None

    def _warmed(self) -> Tree:
        """Where the lanes start: each from a seed of its own, then told by the data."""
        warm = [self.stack.warm(init, self.some.x, self.some.given) for init in self.inits]
        return stacked([jax.tree.map(lambda leaf: np.asarray(leaf, self.dtype), one) for one in warm])

    # ------------------------------------------------------------ the course of it

    def run(self) -> Training:
        """Train; after Ctrl-C with what was best until then."""
        try:
            self._look(begin(self.params), np.full(self.seeds, np.nan))
            params = self._trials()
            self._climb(params)
            for model in range(self.stack.gated):
                self._without(model)
        except KeyboardInterrupt:
            self.ended = "interrupted"
        return self._result()

    def _trials(self) -> Tree:
        """The parameters that each lane goes on from: those of the rate that was best for it."""
        if len(self.plan.rates) == 1:
            return self.params
        ends, nats = [], []
        for rate in self.plan.rates:
            self.broken[:] = False
            lanes, means = self._phase(self.params, np.full(self.seeds, rate), self.plan.trial)
            ends.append(lanes.mean)
            nats.append(np.where(np.isfinite(means), means, -np.inf))
        chosen = np.argmax(nats, axis=0)
        self.rates, self.broken[:] = np.asarray(self.plan.rates)[chosen], False
        return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaves[c])[n] for n, c in enumerate(chosen)]), *ends)

    def _climb(self, params: Tree) -> None:
        """The long run. A lane that stands still, or whose steps are not finite, goes on from its best at a lower rate; after some
        such turns it has ended."""
        plan, lanes = self.plan, begin(params)
        idle, turns = np.zeros(self.seeds, int), np.zeros(self.seeds, int)
        factors = _factors(plan.climb * plan.chunk).reshape(-1, plan.every * plan.chunk)
        for number, some in enumerate(factors):
            active = turns <= TURNS
            if not np.any(active):
                self.ended = "early"
                return
            lanes, gained = self._run(lanes, active, self.rates * LOWER**turns, some)
            idle = np.where(gained, 0, idle + 1)
            stuck = active & ((idle >= plan.patience) | self.broken)
            lanes, idle, turns = self._back(lanes, stuck), np.where(stuck, 0, idle), turns + stuck
            if 4 * (number + 1) == 3 * len(factors):
                self.before = self.logs.copy()

    def _without(self, model: int) -> None:
        """The same climb with the gates of a model shut from the start. Lanes whose held-out samples are as likely then, within a
        standard error, stay so."""
        was, ended, seen = self._found, self.ended, self.history[-1]
        open_, self.inits = self.inits, [self.stack.shut(init, model) for init in self.inits]
        self.logs, self.costs = np.full_like(self.logs, -np.inf), np.zeros_like(self.costs)
        self.broken[:], self.before, self.ended = False, None, "budget"
        try:
            self._climb(self._warmed())
        finally:
            stays, last = _as_likely(self.logs, was[1]), self.history[-1]
            self.best, self.logs, self.costs, self.kept, self.before = _chosen(stays, self._found, was)
            means = _chosen(stays, (last.trained, last.held), (seen.trained, seen.held))
            self.history.append(Record(self.steps, *means))
            self.ended = self.ended if np.any(stays) else ended
            self.inits = [shut if stay else init for shut, init, stay in zip(self.inits, open_, stays, strict=True)]

    @property
    def _found(self) -> tuple[Tree, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The best of each lane: parameters, log densities, cost and step; and the log densities when three quarters of the climb
        were done, or at its end if that came before."""
        return self.best, self.logs, self.costs, self.kept, self.logs if self.before is None else self.before

    def _back(self, lanes: Lanes, stuck: np.ndarray) -> Lanes:
        """The lanes, those that are stuck at their best parameters, as if they began there."""
        self.broken[:] = False
        return _chosen(stuck, begin(self.best), lanes) if np.any(stuck) else lanes

    def _phase(self, params: Tree, rates: np.ndarray, calls: int) -> tuple[Lanes, np.ndarray]:
        """A run whose rate falls to zero; its lanes, and mean held-out log densities at its end."""
        lanes, _ = self._run(begin(params), ~self.broken, rates, _factors(calls * self.plan.chunk))
        return lanes, self.history[-1].held

    def _run(self, lanes: Lanes, active: np.ndarray, rates: np.ndarray, factors: np.ndarray) -> tuple[Lanes, np.ndarray]:
        """Steps and a look; the lanes, and which of them have become the best of their own."""
        means, skipped = [], np.asarray(lanes.skipped)
        rates = rates.astype(self.dtype)
        for some in factors.astype(self.dtype).reshape(-1, self.plan.chunk):
            with one_thread_each():
                batches = self.stream.take(len(some))
                lanes, trained = self.program.chunk(lanes, active, rates, batches, some)
                means.append(np.mean(np.asarray(trained), axis=1))
            self.steps += len(some)
            total = self.plan.steps(self.stack.gated)
            self.report(min(self.steps, total), total, float(np.mean(self.logs, axis=1).max()))
        self.broken |= active & (np.asarray(lanes.skipped) - skipped > BROKEN * len(factors))
        return lanes, self._look(lanes, np.mean(means, axis=0))

    def _look(self, lanes: Lanes, trained: np.ndarray) -> np.ndarray:
        """Judge the lanes on the samples held out, and keep the parameters that are better than a lane's best."""
        with one_thread_each():
            scores, costs = (np.asarray(a, np.float64) for a in self.program.score(lanes.mean, self.held.tree()))
        logs = scores.reshape(self.seeds, -1)[:, : self.counts[1]]
        means = np.mean(logs, axis=1)
        gained = np.isfinite(means) & (means - costs > np.mean(self.logs, axis=1) - self.costs)
        if np.any(gained):
            new = jax.device_get(lanes.mean)
            self.best = _chosen(gained, new, self.best)
            self.logs, self.costs = np.where(gained[:, None], logs, self.logs), np.where(gained, costs, self.costs)
            self.kept = np.where(gained, self.steps, self.kept)
        self.history.append(Record(self.steps, trained, means))
        return gained

    def _result(self) -> Training:
        best, logs, _, kept, before = self._found
        means = np.mean(logs, axis=1)
        lane = int(np.argmax(means))
        lanes = tuple(float(m) for m in means)
        return Training(
            part(best, lane), logs[lane], before[lane], self.ended, self.steps, int(kept[lane]), self.plan, float(self.rates[lane]),
            self.counts, lanes, self.history,
        )  # fmt: skip


def _factors(steps: int) -> np.ndarray:
    """What the rate is multiplied with at each step: up along a line, then down to zero along a cosine."""
    at, first = np.arange(steps), max(1, int(WARM_UP * steps))
    return np.minimum(1.0, (at + 1) / first) * 0.5 * (1 + np.cos(np.pi * at / steps))


def _as_likely(logs: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of which lanes log densities (lanes, V) are at least those of others, on average and within a standard error."""
    gain = np.where(np.isfinite(logs), logs, -np.inf) - np.where(np.isfinite(others), others, np.finfo(float).min)
    with np.errstate(invalid="ignore", over="ignore"):
        return np.mean(gain, axis=1) >= -np.nan_to_num(np.std(gain, axis=1)) / np.sqrt(logs.shape[1])


def _chosen(flags: np.ndarray, new: Tree, old: Tree) -> Tree:
    """Of lanes with a flag the new, of others the old."""
    return jax.tree.map(lambda a, b: np.where(_along(flags, a), a, b), new, old)


def _along(flags: np.ndarray, leaf: Any) -> np.ndarray:
    return flags.reshape(flags.shape + (1,) * (np.ndim(leaf) - 1))
