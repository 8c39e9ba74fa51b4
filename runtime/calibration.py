"""Ranks of true values among posterior draws, over simulated data sets: uniform if the posteriors are right (Talts et al. 2018).

Of N data sets drawn from the prior, the rank of a true value among L posterior draws is uniform on 0 … L whatever the program.
How far its distribution function may stray is told by simultaneous bands (Säilynoja, Bürkner, Vehtari 2022): at points z_1 … z_K
the number of ranks below is Binomial(N, z_k), and the least of its tail probabilities is compared with those of simulated uniform
ranks. Levels are adjusted for the number of quantities (Holm 1979).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.grammar.words import plural
from emfppl.runtime.arguments import wrong
from emfppl.runtime.summary import escaped, table

JOINT = "log joint density"  # a quantity of its own, which sees what the marginal distributions hide (Modrák et al. 2023)
POINTS, BINS = 50, 20
SIMULATED = 20_000
LEVEL, BAND = 0.01, 0.95  # of the whole test; of the bands in the figure
FEW = 50  # data sets: less show gross faults alone
SHOWN = 12  # quantities printed and drawn, the most suspicious ones
BARS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Calibration:
    """`ranks` by quantity (N,), from 0 to `draws`; how many of the N fits said that they are not to be trusted."""

    ranks: Mapping[str, np.ndarray]
    draws: int
    untrusted: int = 0
    interrupted: bool = False

    @property
    def num(self) -> int:
        """How many data sets were simulated and fitted."""
        return len(next(iter(self.ranks.values()), ()))

    @cached_property
    def pvalues(self) -> dict[str, float]:
        """Of each quantity: how often uniform ranks stray as far."""
        return {name: pvalue(counts_below(ranks, self.draws), self.num) for name, ranks in self.ranks.items()}

    @cached_property
    def rejected(self) -> list[str]:
        """The quantities whose ranks are not uniform, at a level of 1 % for all together."""
        out = []
        ordered = sorted(self.pvalues.items(), key=lambda item: item[1])
        for n, (name, p) in enumerate(ordered):
            if p * (len(ordered) - n) > LEVEL:
                break
            out.append(name)
        return out

    @property
    def calibrated(self) -> bool:
        return not self.rejected

    @property
    def verdict(self) -> str:
        """What the ranks say of the posteriors, and how they are wrong."""
        fits = f"{self.untrusted} of {plural(self.num, 'fit')}"
        said = f"; {fits} said themselves that they are not trustworthy" if self.untrusted else ""
        stopped = f"interrupted after {plural(self.num, 'data set')}; " if self.interrupted else ""
        if self.rejected:
            how = ", ".join(f"{name} ({self._fault(name)})" for name in self.rejected[:4])
            more = f" and {len(self.rejected) - 4} more" if len(self.rejected) > 4 else ""
            return f"{stopped}not calibrated: {how}{more}{said}. fit.refine() corrects a fit; another guide may need no correction."
        least = min(self.pvalues.values(), default=1.0)
        few = " So few data sets show gross faults alone." if self.num < FEW else ""
        far = f"calibrated as far as {plural(self.num, 'data set')} can tell"
        return f"{stopped}{far}: the least p-value is {least:.2g}{said}.{few}"

    def _fault(self, name: str) -> str:
        """How a quantity's posterior is wrong: draws that are denser than the truth stand too close together."""
        found = fault(self.ranks[name] / self.draws)
        return {"too high": "too narrow", "too low": "too wide"}.get(found, found) if name == JOINT else found

    # ------------------------------------------------------------ text and figure

    def __str__(self) -> str:
        rows = [[name, histogram(self.ranks[name], self.draws), f"{self.pvalues[name]:.2g}"] for name in self._suspects]
        hidden = len(self.ranks) - len(rows)
        more = [f"… {hidden} more, less suspicious"] if hidden > 0 else []
        return "\n".join([table(["", "ranks", "p"], rows), *more, self.verdict])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{escaped(str(self))}</pre>"

    @property
    def _suspects(self) -> list[str]:
        """The quantities that are shown, in the order of the program."""
        worst = sorted(self.ranks, key=lambda name: self.pvalues[name])[:SHOWN]
        return [name for name in self.ranks if name in worst]

    def save(self, path: str | Path) -> None:
        """Draw the figure into a file (SVG, PNG or PDF by its ending): for each quantity how far the distribution function of its
        ranks is from that of uniform ranks, with the band in which it stays all along with a probability of 95 %."""
        figure = self.figure()
        try:
            figure.savefig(path)
        except (OSError, ValueError) as error:
            raise EmfError([Diagnostic("E1203", f"{path} can't be written: {error}.")]) from None

    def figure(self) -> Any:
        """The figure, of Matplotlib."""
        need_matplotlib()
        from matplotlib.figure import Figure

        names = self._suspects
        columns = min(4, max(len(names), 1))
        rows = -(-max(len(names), 1) // columns)
        figure = Figure(figsize=(2.6 * columns, 2.1 * rows + 0.4), layout="constrained")
        axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for ax, name in zip(axes, names, strict=False):
            self._draw(ax, name)
        for ax in axes[len(names) :]:
            ax.axis("off")
        figure.supxlabel("rank of the true value, as a share", fontsize=8)
        figure.supylabel("share of ranks below, minus expected", fontsize=8)
        return figure

    def _draw(self, ax: Any, name: str) -> None:
        z = np.linspace(0, 1, POINTS + 1)
        low, high = band(self.num)
        ax.fill_between(z, low / self.num - z, high / self.num - z, color="0.85", linewidth=0)
        below = np.concatenate([[0], counts_below(self.ranks[name], self.draws)])
        bad = name in self.rejected
        ax.plot(z, below / self.num - z, color="#c0392b" if bad else "#1f6fb2", linewidth=1.5)
        ax.axhline(0, color="0.5", linewidth=0.5)
        ax.set_title(f"{name}, p = {self.pvalues[name]:.2g}", fontsize=8, color="#c0392b" if bad else "black")
        ax.tick_params(labelsize=7)


def need_matplotlib() -> None:
    """Raise `EmfError` E1302 where Matplotlib can't be imported."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        raise wrong("The figure is drawn by Matplotlib, which is not installed.", "pip install 'emfppl[plot]'") from None


# ---------------------------------------------------------------- the test


def counts_below(ranks: np.ndarray, draws: int) -> np.ndarray:
    """How many ranks lie below each of the points z_1 … z_K = 1: (K,)."""
    ends = (draws + 1) * np.arange(1, POINTS + 1) / POINTS
    return np.searchsorted(np.sort(ranks), ends - 0.5)


def _least_tail(counts: np.ndarray, num: int) -> np.ndarray:
    """Twice the smallest tail probability of Binomial(N, z_k) over the points, for counts (…, K)."""
    lower, upper = _tails(num)
    at = np.arange(POINTS - 1)
    counts = counts[..., :-1]  # at z = 1 all are below
    return 2 * np.minimum(lower[at, counts], upper[at, counts]).min(axis=-1)


@lru_cache(maxsize=4)
def _tails(num: int) -> tuple[np.ndarray, np.ndarray]:
    """P(X ≤ n) and P(X ≥ n) for X ~ Binomial(num, z_k): (K − 1, num + 1)."""
    z, n = np.arange(1, POINTS)[:, None] / POINTS, np.arange(num + 1)
    return stats.binom.cdf(n, num, z), stats.binom.sf(n - 1, num, z)


@lru_cache(maxsize=4)
def _simulated(num: int) -> np.ndarray:
    """The statistic of uniform ranks, sorted: (SIMULATED,)."""
    rng = np.random.default_rng(0)
    counts = np.cumsum(rng.multinomial(num, np.full(POINTS, 1 / POINTS), SIMULATED), axis=1)
    return np.sort(_least_tail(counts, num))


def pvalue(counts: np.ndarray, num: int) -> float:
    """The share of uniform ranks that stray as far as these counts (K,)."""
    return (1 + int(np.searchsorted(_simulated(num), _least_tail(counts, num), side="right"))) / (1 + SIMULATED)


def band(num: int) -> tuple[np.ndarray, np.ndarray]:
    """The counts between which uniform ranks stay at all points with a probability of 95 %: (K + 1,) from z = 0 to 1."""
    gamma, z = float(np.quantile(_simulated(num), 1 - BAND)), np.linspace(0, 1, POINTS + 1)
    return stats.binom.ppf(gamma / 2, num, z).clip(0), stats.binom.ppf(1 - gamma / 2, num, z)


def fault(shares: np.ndarray) -> str:
    """In a word how posteriors are wrong whose true values have these ranks, as shares."""
    count = shares.size
    shift = (shares.mean() - 0.5) * np.sqrt(12 * count)
    spread = (np.square(shares - 0.5).mean() - 1 / 12) / np.sqrt(1 / 180 / count)
    if abs(shift) > abs(spread):
        return "too low" if shift > 0 else "too high"
    return "too narrow" if spread > 0 else "too wide"


def histogram(ranks: np.ndarray, draws: int) -> str:
    """Bars of the ranks' histogram, the expected height being in the middle."""
    counts = np.bincount((ranks * BINS // (draws + 1)).astype(int), minlength=BINS)
    expected = max(len(ranks) / BINS, 1e-9)
    return "".join(BARS[int(np.clip(round(4 * c / expected), 0, 8))] for c in counts)
