"""What a trained flow knows of its training, and what that means in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from emfppl.runtime.density.train import Training

SURE = 2.0  # standard errors
COUNTS = 0.01  # nats a sample that count


@dataclass(frozen=True)
class Facts:
    """Figures of a training. `gained`, `gained_se`: held-out nats of the last quarter of the climb, paired by sample; `trained`:
    mean log density of the last batches; `kept`: the step whose parameters were kept."""

    nats: float
    nats_se: float
    ended: str
    steps: int
    kept: int
    batch: int
    rate: float
    num_trained: int
    num_held: int
    gained: float
    gained_se: float
    trained: float
    lanes: tuple[float, ...]
    seconds: float
    precision: str
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for the file."""
        return {**asdict(self), "lanes": list(self.lanes)}

    @property
    def verdict(self) -> str:
        """How the training ended, and what to do about it."""
        match self.ended:
            case "interrupted":
                return f"interrupted after {self.steps} steps: this is the best so far"
            case "early":
                return f"training ended early, for held-out likelihood rose no more{self._overfitted}"
            case _ if self.gained > max(SURE * self.gained_se, COUNTS):
                rising = f"{self.gained:.2g} ± {self.gained_se:.1g} nats in its last quarter"
                return f"trained to the end of its budget; held-out likelihood still rose, by {rising}: more training may gain more"
        return f"trained to the end of its budget; held-out likelihood has settled{self._overfitted}"

    @property
    def _overfitted(self) -> str:
        """A clause on a likelihood of training samples that is far above that of others."""
        gap = self.trained - self.nats
        if not gap > max(SURE * self.nats_se, 0.05 * abs(self.nats)):
            return ""
        return f", {gap:.2g} nats below that of the training samples: more samples or smaller networks may help"


def facts_of(training: Training, seconds: float, precision: str, seed: int) -> Facts:
    """The figures of a training that is over."""
    gain = training.logs - training.before
    gain = gain[np.isfinite(gain)]
    error = float(np.std(gain, ddof=1) / np.sqrt(len(gain))) if len(gain) > 1 else 0.0
    return Facts(
        training.nats, training.standard_error, training.ended, training.steps, training.kept, training.plan.batch, training.rate,
        *training.counts, float(np.mean(gain)) if len(gain) else 0.0, error, training.trained, training.lanes,
        seconds, precision, seed,
    )  # fmt: skip


def facts_from(described: Mapping[str, Any]) -> Facts:
    """The figures from a file."""
    words = ("ended", "precision")
    found: dict[str, Any] = {k: float(v) if isinstance(v, str) and k not in words else v for k, v in described.items()}
    found["lanes"] = tuple(map(float, described["lanes"]))
    return Facts(**found)
