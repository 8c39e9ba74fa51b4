"""Simulation-based calibration: parameters and data drawn from the program itself, fitted again by the same guide, and the true
values ranked among the draws. Everything is compiled once, since data are arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import jax
import numpy as np

from emfppl.compiler.graph import FactorNode, RandomNode, Role
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.runtime.calibration import JOINT, Calibration
from emfppl.runtime.compile import once
from emfppl.runtime.precision import precision
from emfppl.runtime.progress import Progress
from emfppl.runtime.refine import need_outcomes
from emfppl.runtime.refitting import Refitting
from emfppl.runtime.simulation import not_from_parameters
from emfppl.runtime.summary import labels, shown

if TYPE_CHECKING:
    from emfppl.runtime.posterior import Draws, Posterior
    from emfppl.runtime.program import Program

DRAWS = 999  # of each posterior: ranks from 0 to 999


def calibrate(fit: Posterior, num: int, seed: int, progress: bool) -> Calibration:
    """See `Posterior.calibrate`."""
    need_outcomes(fit, "calibrated")
    refuse(fit.program)
    refitting, ranks, untrusted, interrupted = Refitting(fit, seed), [], 0, False
    with Progress(progress) as shown_, precision("float64"):
        truths = simulated(fit.program, num, seed)
        report = shown_.count("calibrating")
        try:
            for n in range(num):
                report(n, num)
                truth = {name: value[n] for name, value in truths.items()}
                found, level = _ranks(fit, refitting, truth, np.random.default_rng([seed, n]))
                ranks.append(found)
                untrusted += level == 2
        except KeyboardInterrupt:
            interrupted = True
            if not ranks:
                raise
    return Calibration({name: np.array([r[name] for r in ranks]) for name in ranks[0]}, DRAWS, untrusted, interrupted)


def refuse(program: Program) -> None:
    """Raise E1108 where data can't be drawn from the prior, or there is nothing to rank."""
    found = _why_not(program)
    if found:
        message, hint = found
        raise EmfError([Diagnostic("E1108", message, hint=hint)])


def _why_not(program: Program) -> tuple[str, str] | None:
    """What is in the way of a calibration, and what to do."""
    graph = program.graph
    flat = [n.target.name for n in graph.nodes if isinstance(n, RandomNode) and n.dist.name == "Flat"]
    params = [v.name for v in graph.of_role(Role.PARAM)]
    if flat or params:
        name, why = (flat or params)[0], "has a flat prior" if flat else "is a param, without any prior"
        hint = f"give `{name}` a proper prior: what is plausible before the data are seen"
        return f"A calibration draws from the prior, and `{name}` {why}.", hint
    if any(isinstance(n, FactorNode) for n in graph.nodes):
        message = "A calibration draws from the program, and a `factor` says how probable values are, not how to draw them."
        return message, "write a distribution in its place"
    if not graph.of_role(Role.OBSERVED) or not program.noise_shapes:
        message = "A calibration fits latents to simulated data, and this program has no latents, or no observed variables."
        return message, "calibrate a program with both"
    given = sorted(not_from_parameters(program))
    if given:
        message = f"A calibration draws all data, and `{given[0]}` is read before it is drawn, or drawn in part only."
        return message, f"let a statement draw every entry of {given[0]}, the first ones of a series too"
    return None


def simulated(program: Program, num: int, seed: int) -> Draws:
    """Parameters and data from the prior, leading axis data sets."""
    keys = jax.random.split(jax.random.key(seed), num)
    drawn = once(jax.vmap(program.simulate))(keys)
    return {name: np.asarray(value) for name, value in drawn.items()}


@contextmanager
def observing(program: Program, values: Mapping[str, np.ndarray]) -> Iterator[None]:
    """The program with these values observed, inside the block; missing entries stay missing. Nothing else in the data follows from
    observed values: what does is computed when it is needed."""
    before = program.data
    names = [v.name for v in program.graph.of_role(Role.OBSERVED) if v.name in before]
    program.data = {**before, **{name: np.asarray(values[name]).astype(before[name].dtype) for name in names}}
    try:
        yield
    finally:
        program.data = before


def _ranks(fit: Posterior, refitting: Refitting, truth: Draws, rng: np.random.Generator) -> tuple[dict[str, int], int]:
    """The rank of every scalar of the latents, and of the joint density, among draws of the posterior; the certificate's level."""
    with observing(fit.program, truth):
        params, level = refitting.fit()
        eps = rng.normal(size=(DRAWS, fit.result.guide.dim))
        draws = refitting.draws(params, eps)
        latents = {name: draws[name] for name in fit.latents}
        exact = {name: np.asarray(truth[name])[None] for name in fit.latents}
        densities, density = refitting.log_joint(latents), refitting.log_joint(exact)
    found = {JOINT: int(np.sum(densities < density))}
    for name, values in latents.items():
        below = np.ravel(np.sum(values < exact[name], axis=0))[shown(fit.program.binding, name)]
        found |= dict(zip(labels(fit.program.binding, name), map(int, below), strict=True))
    return found, level
