"""The picture of eight schools in the README: each school's estimate and its posterior.

    python examples/picture.py [PATH]       writes docs/images/eight_schools.png, or PATH
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib
import numpy as np

import emfppl as emf

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

HERE = Path(__file__).parent
GREY, BLUE = "#8a8a8a", "#2b6cb0"


def main(path: Path) -> None:
    data = json.loads((HERE / "eight_schools.json").read_text())
    fit = emf.fit(HERE / "eight_schools.emf", data, num_draws=20_000, progress=False)
    figure, axes = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
    forest(axes, data, fit.draws["theta"])
    figure.savefig(path, dpi=160)


def forest(axes: plt.Axes, data: dict[str, list[float]], theta: np.ndarray) -> None:
    """The estimates with 1.645 standard errors, and medians of theta (draws, schools) with 90 % intervals."""
    y, sigma = np.array(data["y"]), np.array(data["sigma"])
    rows = np.arange(len(y))[::-1]
    low, middle, high = np.quantile(theta, [0.05, 0.5, 0.95], axis=0)
    axes.errorbar(y, rows + 0.15, xerr=1.645 * sigma, fmt="o", color=GREY, ms=4, lw=1, label="estimate alone")
    spread = np.array([middle - low, high - middle])
    axes.errorbar(middle, rows - 0.15, xerr=spread, fmt="o", color=BLUE, ms=5, lw=2, label="posterior of theta")
    axes.axvline(np.mean(middle), color=BLUE, lw=0.8, ls=":")
    axes.set_yticks(rows, [f"school {letter}" for letter in "ABCDEFGH"])
    axes.set_xlabel("effect of coaching on the test score, 90 % intervals")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "docs/images/eight_schools.png")
