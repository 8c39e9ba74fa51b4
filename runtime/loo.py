"""Leave-one-out predictive density by Pareto-smoothed importance sampling (Vehtari, Gelman, Gabry 2017).

For every observed entry i, from draws θ_s of a guide with importance weights w_s (1 for draws of NUTS)

    elpd_i = log Σ_s r_s p(y_i | θ_s) / Σ_s r_s,        r_s ∝ w_s / p(y_i | θ_s), smoothed

so that what the guide misses is made up for as far as its weights can (Magnusson et al. 2019). The likelihood is pointwise and
never scaled, however the fit was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import logsumexp

from emfppl.compiler.graph import Role
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.grammar.words import plural
from emfppl.runtime.certificate import EQUAL, USABLE_KHAT, certify
from emfppl.runtime.precision import precision
from emfppl.runtime.refine import log_weights_at, need_outcomes
from emfppl.runtime.refined import Refined
from emfppl.runtime.to_arviz import log_likelihood

if TYPE_CHECKING:
    from emfppl.runtime.posterior import Draws, Posterior

DRAWS = 4000
SMOOTHED_AT_ONCE = 2_000_000  # numbers


@dataclass(frozen=True)
class Loo:
    """Of every observed entry, variable after variable, `elpd` (N,) and `khat` (N,); `p_loo` the effective number of parameters;
    `guide_khat` that of the guide's own weights, −inf for draws of NUTS. `doubt`: why the draws are not to be relied on, if so."""

    elpd: np.ndarray
    khat: np.ndarray
    p_loo: float
    guide_khat: float
    doubt: str = ""

    @property
    def total(self) -> float:
        return float(self.elpd.sum())

    @property
    def se(self) -> float:
        return spread(self.elpd)

    @property
    def bad(self) -> int:
        """How many entries have a k-hat above .7: what leaving them out would do can't be told from these draws."""
        return int(np.sum(self.khat > USABLE_KHAT))

    def __str__(self) -> str:
        told = f"elpd {self.total:.2f} ± {self.se:.2g}, effective parameters {self.p_loo:.1f}"
        return f"{told}, {self.bad} of {plural(self.elpd.size, 'entry', 'entries')} with k-hat above {USABLE_KHAT}"


def spread(pointwise: np.ndarray) -> float:
    """The standard error of a sum over entries."""
    return float(np.sqrt(pointwise.size * np.var(pointwise, ddof=1))) if pointwise.size > 1 else float("nan")


def loo(fit: Posterior) -> Loo:
    """The leave-one-out predictive density of a fit; raises `EmfError` E1105 without data, E1107 without observed variables."""
    need_outcomes(fit, "compared")
    if not fit.program.graph.of_role(Role.OBSERVED):
        raise EmfError([Diagnostic("E1107", "The program observes nothing, so there is nothing to leave out and predict.")])
    draws, log_weights = _weighed(fit)
    pointwise = entries_of(fit, draws, log_weights.size)
    elpd, khat = leave_out(pointwise, log_weights)
    certificate = certify(log_weights, learned=0)
    equal = np.full(log_weights.size, -np.log(log_weights.size))
    smoothed = equal if certificate.exact else _smoothed(log_weights[None])[0][0]
    fitted = logsumexp(smoothed[:, None] + pointwise, axis=0)
    p_loo = float(fitted.sum() - elpd.sum())
    if isinstance(fit, Refined):
        guide_khat = fit.facts.khat if fit.facts.method == "resample" else -np.inf
        return Loo(elpd, khat, p_loo, guide_khat, fit.verdict if fit.level else "")
    high = certificate.khat > USABLE_KHAT and not certificate.close
    doubt = f"k-hat of the guide is {certificate.khat:.2f}; compare fit.refine() instead"
    return Loo(elpd, khat, p_loo, certificate.khat, doubt if high else "")


def _weighed(fit: Posterior) -> tuple[Draws, np.ndarray]:
    """Draws and their log weights."""
    if isinstance(fit, Refined):
        return fit.draws, np.zeros(fit.num_draws)
    eps = np.random.default_rng(fit.seed).normal(size=(max(fit.num_draws, DRAWS), fit.result.guide.dim))
    with precision(fit.result.precision):
        found = log_weights_at(fit, eps)
    return fit.at_noise(eps, fit.seed), np.where(np.isfinite(found), found, -np.inf)


def entries_of(fit: Posterior, draws: Draws, count: int) -> np.ndarray:
    """log p(y_i | θ_s) (draws, N) of the entries that are not missing, variable after variable."""
    found = log_likelihood(fit, draws, count)
    flat = [np.asarray(found[name], np.float64).reshape(len(found[name]), -1) for name in sorted(found)]
    whole = np.concatenate(flat, axis=1)
    return whole[:, ~np.isnan(whole).any(axis=0)]


def leave_out(pointwise: np.ndarray, log_weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """elpd (N,) and k-hat (N,) from log likelihoods (draws, N) and log weights (draws,)."""
    count = max(1, SMOOTHED_AT_ONCE // len(pointwise))
    parts = [_leave_out(pointwise[:, i : i + count].T, log_weights) for i in range(0, pointwise.shape[1], count)]
    elpd, khat = zip(*parts, strict=True)
    return np.concatenate(elpd), np.concatenate(khat)


def _leave_out(pointwise: np.ndarray, log_weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    smoothed, khat = _smoothed(log_weights - pointwise)
    return logsumexp(smoothed + pointwise, axis=-1), khat


def _smoothed(log_ratios: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smoothed log weights (N, draws) that add up to 1, and their k-hats (N,), −inf where all ratios are equal."""
    import arviz

    smoothed, khat = arviz.psislw(log_ratios)
    equal = np.ptp(log_ratios, axis=1) <= EQUAL * np.maximum(1.0, np.abs(log_ratios[:, 0]))
    return np.asarray(smoothed), np.where(equal, -np.inf, np.atleast_1d(khat))
