"""From samples to a trained flow."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

import numpy as np

from emfppl.compiler.distributions import Table
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.runtime.density.batches import Samples
from emfppl.runtime.density.flow import Flow, spread
from emfppl.runtime.density.model_start import Started
from emfppl.runtime.density.samples import Checked, Sheet
from emfppl.runtime.density.stack import Stack
from emfppl.runtime.density.train import Trainer, plan_for
from emfppl.runtime.density.training_text import facts_of
from emfppl.runtime.precision import precision
from emfppl.runtime.progress import Progress

KEPT = 2000  # samples for the figure
USUAL = "float32"


@dataclass(frozen=True)
class How:
    """The arguments of a training that are not data."""

    seed: int = 0
    seeds: int = 1
    validation: float = 0.1
    budget: str = "normal"
    precision: str = USUAL
    progress: bool = True


def fit_density(sheet: Sheet, checked: Checked, table: Table, how: How) -> Flow:
    """Train a density on samples that have been checked; raises `EmfError` E1524 where nothing finite is found."""
    began, name = time.perf_counter(), sheet.spec.name
    with precision(how.precision), Progress(how.progress) as bar:
        bar.say(f"{name}: compiling")
        stack = Stack(sheet.spec, checked.binding, table)
        samples = Samples(stack.event.flat(checked.values), checked.given)
        plan = plan_for(max(1, round((1 - how.validation) * len(samples))), stack.dim, how.budget)
        noisy = partial(spread, stack)
        training = Trainer(Started(stack), samples, plan, how.seed, how.seeds, how.validation, noisy, bar.train(name)).run()
    if not np.isfinite(training.nats):
        raise _lost(sheet, training.ended)
    facts = facts_of(training, time.perf_counter() - began, how.precision, how.seed)
    some = np.sort(np.random.default_rng(how.seed).permutation(len(checked))[:KEPT])
    seen = tuple({n: v[some] for n, v in values.items()} for values in (checked.values, checked.given))
    return Flow(sheet, stack, training.params, facts, (seen[0], seen[1]))


def _lost(sheet: Sheet, ended: str) -> EmfError:
    """Nothing finite was found."""
    if ended == "interrupted":
        raise KeyboardInterrupt
    message = f"The log density of `{sheet.spec.name}` is not finite for some of the samples held out, wherever training went."
    hint = 'look for samples far away from all others; precision="float64" has more room, and a model may need another scale'
    return EmfError([Diagnostic("E1524", message, sheet.spec.span, hint, sheet.graph.source)])
