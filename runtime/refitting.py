"""A guide fitted again and again to other data of the same shapes, with everything compiled once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from emfppl.runtime.budget import Budget
from emfppl.runtime.compile import work_of
from emfppl.runtime.conjugate import Search
from emfppl.runtime.ladder import Ladder, Task
from emfppl.runtime.progress import Progress

if TYPE_CHECKING:
    from emfppl.runtime.posterior import Draws, Posterior

WORK = Budget("calibration", rounds=4, rounds_below=2, weighed=4_000)
LOST = 2  # the level of a fit that found nothing finite

Tree = Any


class Refitting:
    """Fits of the guide of `fit` to whatever the data of its program are at the time. To be used in double precision."""

    def __init__(self, fit: Posterior, seed: int):
        self.posterior, self.program, recipe = fit, fit.program, fit.result.guide.recipe
        self.recipes = (recipe.plain, recipe) if recipe.layered else (recipe,)
        self._exact = Search(fit.result.guide) if recipe.gates == "exact" else None
        self._task = Task(self.program, seed, "float64", work_of(self.program), Progress(False), WORK)

    def fit(self) -> tuple[Tree, int]:
        """Parameters, and the level of the certificate."""
        params = self.posterior.result.params
        if self._exact is not None:
            found = self._exact.found()
            return (params, LOST) if found is None else ({**params, "gates": found.parts}, 0)
        best = Ladder(self._task, wanted=True).climb(self.recipes)
        if best is not None and best.search.interrupted:
            raise KeyboardInterrupt
        return (params, LOST) if best is None else (best.params, best.certificate.level)

    def draws(self, params: Tree, eps: np.ndarray) -> Draws:
        """Latents at noise (draws, D)."""
        guide = self.posterior.result.guide
        run = self.posterior.mapped("latents", lambda params, one, data: guide.transform(params, one, data)[0])
        return {name: np.asarray(value) for name, value in run(params, eps, self.program.data).items()}

    def log_joint(self, latents: Draws) -> np.ndarray:
        """log p(latents, data) of many draws: (draws,)."""
        run = self.posterior.mapped("log_joint", lambda _, one, data: self.program.log_density(one, data))
        return np.asarray(run({}, latents, self.program.data))
