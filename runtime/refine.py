"""Draws of the posterior itself with the help of a fitted guide: NUTS in the straightened space, or importance resampling."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.runtime.certificate import certify
from emfppl.runtime.compile import count_elements
from emfppl.runtime.diagnostics import NOTED
from emfppl.runtime.nuts import ACCEPT, CHAINS, Chains, Nuts
from emfppl.runtime.precision import precision
from emfppl.runtime.progress import Progress
from emfppl.runtime.refined import Facts, Refined

if TYPE_CHECKING:
    from emfppl.runtime.fit import FitResult
    from emfppl.runtime.guide import Guide
    from emfppl.runtime.posterior import Posterior

METHODS = ("nuts", "resample")
FIRST, MOST = 1000, 4000  # draws of a chain before it is looked at for the first time, and at most
NEARLY_OPEN, FULLY_OPEN = 2.2, 40.0  # logits of gates: an opening of .9, and of 1 to the last digit
RESAMPLED = 100_000  # draws that are weighed, fewer of large programs


def refine(fit: Posterior, method: str, seed: int, progress: bool) -> Refined:
    """See `Posterior.refine`."""
    if method not in METHODS:
        message = f"A fit is refined by {' or '.join(repr(m) for m in METHODS)}; {method!r} is neither."
        raise EmfError([Diagnostic("E1105", message, hint='fit.refine() runs NUTS; fit.refine(method="resample") reweights')])
    need_outcomes(fit, "refined")
    with Progress(progress) as shown, precision("float64"):
        return _by_nuts(fit, seed, shown) if method == "nuts" else _by_resampling(fit, seed)


def need_outcomes(fit: Posterior, what: str) -> None:
    """Raise E1105 where the density of the data can't be computed, since a saved fit holds no outcomes."""
    absent = sorted(fit.program.binding.absent)
    if absent:
        message = f"A fit that was opened from a file can't be {what}: it holds no outcomes (`{absent[0]}`)."
        raise EmfError([Diagnostic("E1105", message, hint="fit the program to the data again")])


# ---------------------------------------------------------------- NUTS


def _by_nuts(fit: Posterior, seed: int, progress: Progress) -> Refined:
    """Chains that are drawn on, up to `MOST`, until they have mixed and enough draws count; with very small steps where small ones
    diverge."""
    guide, params = fit.result.guide, opened(fit.result.guide, fit.result.params)
    result = replace(fit.result, params=params, precision="float64")
    if not moved(guide, params):
        return _independent(fit, result, seed)
    for accept in ACCEPT:
        sampler = Nuts(guide, params, seed, accept=accept, report=progress.count("NUTS, warming up"))
        sampler.begin()
        sampler.report = progress.count("NUTS")
        chains = sampler.draw(FIRST)
        if chains.interrupted or chains.divergences <= NOTED * chains.diverging.size:
            break
    refined = _refined(fit, result, chains, seed)
    while not (refined.diagnostics.enough or chains.interrupted or chains.eps.shape[1] >= MOST):
        try:
            chains = chains + sampler.draw(chains.eps.shape[1])
        except KeyboardInterrupt:  # before the first of these: there are those from before
            chains = replace(chains, interrupted=True)
        refined = _refined(fit, result, chains, seed)
    return refined


def opened(guide: Guide, params: Any) -> Any:
    """The same parameters with gates that are nearly open opened in full.

    A latent that is mostly its parent's scale times noise, but a little its own noise too, is a funnel where that scale is small;
    for a sampler any coordinates will do, and these have no neck.
    """
    if guide.recipe.gates != "affine":
        return params
    return {**params, "gates": {k: np.where(np.asarray(v) > NEARLY_OPEN, FULLY_OPEN, v) for k, v in params["gates"].items()}}


def moved(guide: Any, params: Any) -> int:
    """How many coordinates of the noise the density depends on: those of the latents that are not integrated out."""
    return guide.weight_dim


def _refined(fit: Posterior, result: FitResult, chains: Chains, seed: int) -> Refined:
    facts = Facts("nuts", seed, chains=CHAINS, divergences=chains.divergences, interrupted=chains.interrupted)
    return Refined(fit.program, result, _completed(chains.eps, fit.result.guide.dim, seed), facts)


def _independent(fit: Posterior, result: FitResult, seed: int) -> Refined:
    """The guide is the posterior: its own draws, as chains."""
    eps = _completed(np.zeros((CHAINS, FIRST, 0)), fit.result.guide.dim, seed)
    return Refined(fit.program, result, eps, Facts("nuts", seed, chains=CHAINS))


def _completed(eps: np.ndarray, dim: int, seed: int) -> np.ndarray:
    """Noise (chains, draws, dim): what no sampler has moved is standard normal."""
    rest = np.random.default_rng(seed).normal(size=(*eps.shape[:2], dim - eps.shape[2]))
    return np.concatenate([eps, rest], axis=2)


# ---------------------------------------------------------------- importance resampling


def _by_resampling(fit: Posterior, seed: int) -> Refined:
    """`num_draws` of many draws of the guide, by their Pareto-smoothed weights (Vehtari et al. 2024)."""
    import arviz

    count = int(np.clip(20_000_000 / max(count_elements(fit.program), 1), max(2_000, fit.num_draws), RESAMPLED))
    eps = np.asarray(jax.random.normal(jax.random.key(seed), (count, fit.result.guide.dim)))
    log_weights = log_weights_at(fit, eps)
    certificate = certify(log_weights, converged=fit.converged)
    smoothed, _ = arviz.psislw(np.where(np.isfinite(log_weights), log_weights, -np.inf))
    chosen = stratified(np.exp(smoothed), fit.num_draws, seed)
    facts = Facts("resample", seed, khat=certificate.khat, ess=certificate.ess, weighed=count, distinct=len(np.unique(chosen)))
    return Refined(fit.program, replace(fit.result, precision="float64"), eps[chosen][None], facts)


def log_weights_at(fit: Posterior, eps: np.ndarray) -> np.ndarray:
    """log p(values, data) − log q(values) at noise (draws, D)."""
    run = fit.mapped("log_weight", lambda params, one, data: fit.result.guide.log_weight(params, one, data))
    return np.asarray(run(fit.result.params, jnp.asarray(eps), fit.result.guide.data), np.float64)


def stratified(weights: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The indices (count,) of a stratified resampling in random order: index i comes up count · w_i times, up to rounding."""
    rng = np.random.default_rng(seed)
    places = (np.arange(count) + rng.random(count)) / count
    total = np.cumsum(weights)
    return rng.permutation(np.minimum(np.searchsorted(total / total[-1], places), len(weights) - 1))
