"""What a fit has tried: every guide with its figures, what was kept, and why the search ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from emfppl.runtime.summary import escaped, table

HEAD = ["", "parameters", "ELBO", "±", "gap", "k-hat", "ESS", "steps", "seconds", ""]


@dataclass(frozen=True)
class Attempt:
    """One guide of the ladder: how many numbers it learned, its certificate's figures, steps of the optimiser, seconds, and whether
    the fit has it."""

    guide: str
    num_params: int
    elbo: float
    elbo_se: float
    gap: float
    khat: float
    ess: float
    steps: int
    seconds: float
    converged: bool
    kept: bool = False


@dataclass(frozen=True)
class Report:
    """The attempts in their order, and why there were no more; prints as a table."""

    attempts: tuple[Attempt, ...]
    stopped: str

    @property
    def kept(self) -> Attempt:
        """The attempt that the fit has."""
        return next(a for a in self.attempts if a.kept)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, from which `report_from` makes it again."""
        return {"attempts": [asdict(a) for a in self.attempts], "stopped": self.stopped}

    def __str__(self) -> str:
        return f"{table(HEAD, [_row(a) for a in self.attempts])}\nIt ended there: {self.stopped}."

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{escaped(str(self))}</pre>"


def _row(a: Attempt) -> list[str]:
    figures = [f"{a.elbo:.3f}", f"{a.elbo_se:.1g}", f"{a.gap:.2g}", f"{a.khat:.2f}", f"{a.ess:.0%}"]
    marks = [*(["kept"] if a.kept else []), *([] if a.converged else ["not converged"])]
    return [a.guide, str(a.num_params), *figures, str(a.steps), f"{a.seconds:.1f}", ", ".join(marks)]


def report_from(plain: Mapping[str, Any]) -> Report:
    """The report of plain values, numbers that are not finite being text."""
    attempts: list[dict[str, Any]] = [{k: float(v) if k in _FIGURES else v for k, v in a.items()} for a in plain["attempts"]]
    return Report(tuple(Attempt(**a) for a in attempts), str(plain["stopped"]))


_FIGURES = ("elbo", "elbo_se", "gap", "khat", "ess", "seconds")
