"""A refined posterior: draws of the posterior itself, and what they say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.grammar.words import plural
from emfppl.runtime import arguments
from emfppl.runtime.certificate import BAD_KHAT, USABLE_KHAT
from emfppl.runtime.diagnostics import RHAT, Diagnostics, diagnose
from emfppl.runtime.posterior import Draws, Posterior
from emfppl.runtime.summary import COLUMNS, Summary, shown

if TYPE_CHECKING:
    from emfppl.runtime.fit import FitResult
    from emfppl.runtime.program import Program

OF_CHAINS = ("ess_bulk", "ess_tail", "rhat")


@dataclass(frozen=True)
class Facts:
    """How draws were made. Of NUTS: chains and divergences; of resampling: k-hat, the share of the weighed draws that count, how
    many were weighed, and how many different ones were taken."""

    method: str
    seed: int
    chains: int = 1
    divergences: int = 0
    interrupted: bool = False
    khat: float = float("inf")
    ess: float = 0.0
    weighed: int = 0
    distinct: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Plain values, from which `facts_from` makes it again."""
        return asdict(self)


def facts_from(plain: Mapping[str, Any]) -> Facts:
    """The facts of plain values, numbers that are not finite being text."""
    figures: dict[str, Any] = {k: float(v) if k in ("khat", "ess") else v for k, v in plain.items()}
    return Facts(**figures)


class Refined(Posterior):
    """What `Posterior.refine` gives: a posterior whose `draws` are those of NUTS, chain after chain, or of importance resampling.

    `elbo`, `log_evidence`, `khat` and `ess` stay those of the guide that it was made with. `diagnostics`, `rhat`, `divergences` are
    there for NUTS; so are three columns of `summary`.
    """

    def __init__(self, program: Program, result: FitResult, eps: np.ndarray, facts: Facts):
        super().__init__(program, result, eps.shape[0] * eps.shape[1], facts.seed)
        self.eps, self.facts = eps, facts
        self._found: dict[str, Diagnostics] = {}

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended it; these are then the draws made until then."""
        return self.facts.interrupted

    @property
    def converged(self) -> bool:
        """Whether the chains agree; of resampled draws, whether the guide's fit had converged."""
        return self.diagnostics.worst_rhat < RHAT if self.facts.method == "nuts" else super().converged

    gated = False  # gates say how a guide came about, not these draws

    @property
    def num_chains(self) -> int:
        return self.facts.chains

    # ------------------------------------------------------------ draws

    @cached_property
    def draws(self) -> Draws:
        """All draws, chain after chain."""
        return self.at_noise(self.eps.reshape(self.num_draws, -1), self.seed)

    def sample(self, num_draws: int = 1000, seed: int = 0) -> Draws:
        """Some of the draws in random order, each at most once unless more are wanted than there are."""
        num_draws, seed = arguments.whole("num_draws", num_draws, 1), arguments.seed_of(seed)
        rows = np.random.default_rng(seed).choice(self.num_draws, num_draws, replace=num_draws > self.num_draws)
        return self.at_noise(self.eps.reshape(self.num_draws, -1)[rows], seed)

    def log_prob(self, values: Any) -> NoReturn:
        """A refined posterior is known by its draws only: raises `EmfError` E1104."""
        message = "A refined posterior is known by its draws; it has no density of its own."
        raise EmfError([Diagnostic("E1104", message, hint="the fit that it was refined from has: fit.log_prob")])

    # ------------------------------------------------------------ diagnostics

    @cached_property
    def diagnostics(self) -> Diagnostics:
        """R-hat, effective sample sizes and divergences over all scalars of the latents."""
        parts = [self._diagnosed(name) for name in self.latents]
        rhat, bulk, tail = (
            np.concatenate([np.zeros(0), *(getattr(part, c) for part in parts)]) for c in ("rhat", "ess_bulk", "ess_tail")
        )
        return Diagnostics(rhat, bulk, tail, self.facts.divergences, self.num_draws)

    def _diagnosed(self, name: str) -> Diagnostics:
        """Those of the scalars of a variable that are summed up."""
        if name not in self._found:
            flat = self.draws[name].reshape(self.num_draws, -1)[:, shown(self.program.binding, name)]
            self._found[name] = diagnose(self._by_chain(flat), self.facts.divergences)
        return self._found[name]

    def _by_chain(self, draws: np.ndarray) -> np.ndarray:
        return draws.reshape(self.num_chains, -1, *draws.shape[1:])

    @property
    def rhat(self) -> float:
        """The largest R-hat of a latent's scalar; NaN for resampled draws."""
        return self.diagnostics.worst_rhat if self.facts.method == "nuts" else float("nan")

    @property
    def divergences(self) -> int:
        return self.facts.divergences

    @property
    def level(self) -> int:
        """0 trustworthy, 1 use with care, 2 not trustworthy."""
        if self.interrupted:
            return 2
        if self.facts.method == "nuts":
            return self.diagnostics.level
        return 0 if self.facts.khat <= USABLE_KHAT else 1 if self.facts.khat <= BAD_KHAT else 2

    @property
    def verdict(self) -> str:
        """What an honest statistician would say."""
        if self.interrupted:
            return f"not trustworthy: interrupted after {plural(self.num_draws, 'draw')}. Refine again, and let it run to its end."
        return self.diagnostics.verdict if self.facts.method == "nuts" else self._of_weights

    @property
    def _of_weights(self) -> str:
        head = ("trustworthy", "use with care", "not trustworthy")[self.level]
        above = f", above {USABLE_KHAT}, so the weights can't make up for the guide" if self.level else ""
        told = f"{head}: k-hat {self.facts.khat:.2f}{above}; {self.facts.ess:.0%} of {plural(self.facts.weighed, 'draw')} count."
        return told + (" fit.refine() runs NUTS instead." if self.level else "")

    # ------------------------------------------------------------ tables

    def summary_of(self, name: str) -> Summary:
        """Mean, sd and quantiles of a variable's scalars, and for NUTS effective sample sizes and R-hat."""
        plain = super().summary_of(name)
        if self.facts.method != "nuts":
            return plain
        found, rows = self._diagnosed(name), plain.to_dict()
        for i, label in enumerate(rows):
            rows[label] |= {c: float(getattr(found, c)[i]) for c in OF_CHAINS}
        return Summary(rows, (*COLUMNS, *OF_CHAINS))

    def how(self) -> str:
        """A line: what was drawn how."""
        if self.facts.method == "nuts":
            each = self.num_draws // self.num_chains
            return f"NUTS through the {self.guide} guide, {plural(self.num_chains, 'chain')} of {plural(each, 'draw')}"
        some = f"{self.facts.distinct} of {plural(self.facts.weighed, 'draw')}"
        return f"{some} of the {self.guide} guide, resampled by their weights"

    def figures(self) -> str:
        """A line: what says how good the draws are."""
        if self.facts.method != "nuts":
            return f"k-hat {self.facts.khat:.2f}, ESS {self.facts.ess:.0%}"
        found = self.diagnostics
        counts = f"at least {found.least_ess:.0f} effective draws, {plural(found.divergences, 'divergence')}"
        return f"R-hat at most {found.worst_rhat:.3f}, {counts}"
