"""The certificate of a fit: what an honest statistician would want to know before using the draws.

From N draws of the guide with log weights w = log p(values, data) − log q(values):

    ELBO            mean of w, with its standard error
    log evidence    log mean exp w, or the exact one where that is known
    k̂               shape of the generalised Pareto tail of exp w (Vehtari et al. 2024): below .5 the weights have a
                    variance, above .7 what they give can't be trusted
    ESS             (Σ exp w)² / (N Σ exp 2w): the share of the draws that count when they are reweighted

No single number decides: k̂ can pass while some tenths of a nat are missing, and fail while the evidence is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import logsumexp

USABLE_KHAT, BAD_KHAT = 0.7, 1.0
GOOD_GAP, USABLE_GAP, BAD_GAP = 0.04, 0.1, 2.0  # nats between ELBO and evidence
GOOD_ESS, BAD_ESS = 0.5, 0.01
APART = 0.5  # nats between starts that hint at other modes
CLOSE_ESS, CLOSE_GAP = 0.9, 0.05
EQUAL = 1e-7  # by how much, relative to their size, log weights differ that are equal up to rounding


@dataclass(frozen=True)
class Certificate:
    """Figures of a fit; `draws` is N, `spread` how far apart in nats the starts ended, `not_finite` the share of draws
    whose weight is not a number. `exact`: the guide is the posterior itself, with nothing to learn; `exact_evidence`: log p(data)
    by quadrature, up to `exact_error`."""

    elbo: float
    elbo_se: float
    log_evidence: float
    khat: float
    ess: float
    draws: int
    spread: float = 0.0
    not_finite: float = 0.0
    converged: bool = False
    interrupted: bool = False
    exact: bool = False
    exact_evidence: float | None = None
    exact_error: float = 0.0

    @property
    def gap(self) -> float:
        """log evidence − ELBO: KL(guide ‖ posterior) in nats, an estimate from below unless the exact evidence is known."""
        return (self.log_evidence if self.exact_evidence is None else self.exact_evidence) - self.elbo

    @property
    def level(self) -> int:
        """0 trustworthy, 1 use with care, 2 not trustworthy."""
        return max((grade for grade, _ in self._findings()), default=0)

    @property
    def state(self) -> str:
        """How the search ended, in a word or a few: that it is at rest is no praise where the guide can't follow the posterior."""
        if self.interrupted:
            return "interrupted"
        if not self.converged:
            return "not converged"
        return "exact" if self.exact else "converged" if self.level < 2 else "at rest, but far from the posterior"

    @property
    def verdict(self) -> str:
        """One sentence for each finding, and what to do next."""
        if self.exact and not self.level:
            return f"exact: this is the posterior in closed form, the log evidence is {self.elbo:.8g}."
        heads = ("trustworthy", "use with care", "not trustworthy")
        findings = [text for grade, text in self._findings() if grade == self.level and grade]
        advice = " Fit again, and let it run to its end." if self.interrupted else _ADVICE[self.level]
        return f"{heads[self.level]}: {self._reason(findings)}{advice}"

    def _reason(self, findings: list[str]) -> str:
        if findings:
            return "; ".join(findings) + "."
        tail = f"k-hat {self.khat:.2f}" if self.khat <= USABLE_KHAT else "heavier tails only where hardly any mass is"
        return f"converged, {self.gap:.2g} nats below the evidence, {tail}, ESS {self.ess:.0%}."

    def _findings(self) -> list[tuple[int, str]]:
        found = [(2, "the fit was interrupted")] if self.interrupted else []
        if not self.converged and not self.interrupted:
            found.append((2, "the fit has not converged"))
        if not np.isfinite(self.elbo):
            return [*found, (2, "the ELBO is not finite")]
        if self.not_finite:
            found.append((2, f"{100 * self.not_finite:.2g}% of the draws have no finite density"))
        if not self.close:
            found += _graded(self.khat, USABLE_KHAT, BAD_KHAT, f"k-hat is {self.khat:.2f}, above {USABLE_KHAT}")
        found += _graded(self.gap, USABLE_GAP, BAD_GAP, f"the guide is {self.gap:.2g} nats below the evidence")
        found += _graded(-self.ess, -GOOD_ESS, -BAD_ESS, f"only {self.ess:.2%} of the importance draws count")
        if self.spread > max(APART, 5 * self.elbo_se):
            found.append((1, f"starts ended {self.spread:.2g} nats apart, so there may be other modes"))
        return found

    @property
    def close(self) -> bool:
        """Whether the guide is so close to the posterior that the far tail, which k̂ looks at, hardly matters."""
        return self.ess > CLOSE_ESS and abs(self.gap) < CLOSE_GAP

    def beats(self, other: Certificate, least: float) -> bool:
        """Whether this guide is the better of two: by its ELBO, or, where some far draws leave that undecided, by its weights."""
        noise = 2 * float(np.hypot(self.elbo_se, other.elbo_se))
        gain = self.elbo - other.elbo
        return gain > max(least, noise) or (gain > -noise and self.ess > other.ess + 0.1)

    @property
    def worth_climbing(self) -> bool:
        """Whether a richer guide has something to gain."""
        return self.gap > GOOD_GAP or self.ess < CLOSE_ESS or (self.khat > USABLE_KHAT and not self.close)

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, from which `Certificate(**…)` is made again."""
        return dict(self.__dict__)


_ADVICE = (
    "",
    " Means are likely to be good, sds and tails less so; fit.refine() runs NUTS from here.",
    " fit.refine() runs NUTS from here; tighter priors on what the data hardly tell often help.",
)


def _graded(value: float, usable: float, bad: float, text: str) -> list[tuple[int, str]]:
    """The finding `text`, graded 2 beyond `bad` and 1 beyond `usable`."""
    return [(2 if value > bad else 1, text)] if value > usable else []


def certify(log_weights: np.ndarray, learned: int = 1, **facts: Any) -> Certificate:
    """The certificate of N log weights (N,) of a guide that learned so many numbers; `facts` are its other fields. A guide that
    learned nothing and has equal weights is the posterior."""
    finite = log_weights[np.isfinite(log_weights)]
    count = log_weights.size
    facts["exact"] = not learned and finite.size == count and bool(np.ptp(finite) <= EQUAL * max(1.0, abs(float(finite[0]))))
    facts["not_finite"] = 1 - finite.size / count
    if not finite.size:
        return Certificate(-np.inf, np.nan, -np.inf, np.inf, 0.0, count, **facts)
    error = float(finite.std(ddof=1) / np.sqrt(finite.size)) if finite.size > 1 else np.nan
    evidence = float(logsumexp(finite) - np.log(count))
    ess = float(np.exp(2 * logsumexp(finite) - logsumexp(2 * finite))) / count
    return Certificate(float(finite.mean()), error, evidence, pareto_khat(finite), ess, count, **facts)


def pareto_khat(log_weights: np.ndarray) -> float:
    """k̂ of the largest weights: −inf where all weights are equal, inf where there are too few to tell.

    The tail holds the min(N/5, 3 √N) largest weights. The estimate is that of Zhang and Stephens (2009) with the weak
    prior of Vehtari et al.
    """
    count = log_weights.size
    tail = int(np.ceil(min(count / 5, 3 * np.sqrt(count))))
    if tail < 5:
        return np.inf
    ordered = np.sort(log_weights)
    top, threshold = ordered[-tail:], ordered[-tail - 1]
    excess = np.exp(top - top[-1]) - np.exp(threshold - top[-1])
    if excess[-1] <= 1e-10:  # the weights are equal but for rounding
        return -np.inf
    return _pareto_shape(np.maximum(excess, np.finfo(float).tiny))


def _pareto_shape(excess: np.ndarray) -> float:
    """The shape of a generalised Pareto distribution from its ordered draws (n,)."""
    n = excess.size
    grid = 30 + int(np.sqrt(n))
    quartile = excess[int(n / 4 + 0.5) - 1]
    b = (1 - np.sqrt(grid / (np.arange(1, grid + 1) - 0.5))) / (3 * quartile) + 1 / excess[-1]
    shapes = np.log1p(-b[:, None] * excess).mean(axis=1)
    profile = n * (np.log(-(b / shapes)) - shapes - 1)
    weights = np.exp(profile - logsumexp(profile))
    mean = float(np.sum(b * weights))
    shape = float(np.log1p(-mean * excess).mean())
    return (n * shape + 5) / (n + 10)  # ten draws of prior weight at 1/2
