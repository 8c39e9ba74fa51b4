"""What chains of Markov chain Monte Carlo say of themselves: R-hat, effective sample sizes, divergences (Vehtari et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from emfppl.grammar.words import plural

RHAT, BAD_RHAT = 1.01, 1.05
ESS, FEW = 400, 100
DIVERGENT, NOTED = 0.01, 0.001  # of the draws: more make a result untrustworthy, or one to use with care

NEXT = " A stronger reparametrisation or tighter priors on what the data hardly tell are the way; more draws won't do."


@dataclass(frozen=True)
class Diagnostics:
    """Of every scalar rank-normalised split R-hat, bulk and tail effective sample size (scalars,); divergent transitions of all."""

    rhat: np.ndarray
    ess_bulk: np.ndarray
    ess_tail: np.ndarray
    divergences: int
    draws: int

    @property
    def worst_rhat(self) -> float:
        return float(np.max(self.rhat, initial=1.0))

    @property
    def least_ess(self) -> float:
        return float(np.min([*self.ess_bulk, *self.ess_tail], initial=float(self.draws)))

    @property
    def enough(self) -> bool:
        """Whether more draws are not needed."""
        return self.worst_rhat < RHAT and self.least_ess > ESS

    @property
    def level(self) -> int:
        """0 trustworthy, 1 use with care, 2 not trustworthy."""
        if self.worst_rhat >= BAD_RHAT or self.least_ess <= FEW or self.divergences > DIVERGENT * self.draws:
            return 2
        return 0 if self.enough and self.divergences <= NOTED * self.draws else 1

    @property
    def verdict(self) -> str:
        """One sentence, and what to do next."""
        head = ("trustworthy", "use with care", "not trustworthy")[self.level]
        divergences = plural(self.divergences, "divergence") if self.divergences else "no divergences"
        text = f"{head}: R-hat at most {self.worst_rhat:.3f}, at least {self.least_ess:.0f} effective draws, {divergences}."
        return text + (NEXT if self.level == 2 else "")


def diagnose(draws: np.ndarray, divergences: int) -> Diagnostics:
    """Diagnostics of draws (chains, draws, scalars); of a scalar that never changes R-hat is 1 and every draw counts."""
    count = draws.shape[0] * draws.shape[1]
    rows = [_of_scalar(np.asarray(draws[..., i], np.float64), count) for i in range(draws.shape[-1])]
    rhat, bulk, tail = np.asarray(rows, float).reshape(-1, 3).T
    return Diagnostics(rhat, bulk, tail, divergences, count)


def _of_scalar(chains: np.ndarray, count: int) -> tuple[float, float, float]:
    import arviz

    if np.ptp(chains) == 0:
        return 1.0, float(count), float(count)
    figures: tuple[Any, ...] = (arviz.rhat(chains), arviz.ess(chains, method="bulk"), arviz.ess(chains, method="tail"))
    rhat, bulk, tail = (float(x) for x in figures)
    tail = bulk if np.isnan(tail) else tail  # of discrete draws, where a tail may be one value
    return (np.inf, 0.0, 0.0) if np.isnan(rhat) else (rhat, bulk, tail)
