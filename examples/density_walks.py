"""Paths of a noisy oscillator, learned from a thousand of them: by a flow alone, and with a model of continuous paths inside.

    python examples/density_walks.py [PATH]       writes docs/images/density_walks.png, or PATH

A few minutes. Above each panel the gap of its density to the true one, on paths that were held out.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import numpy as np

import emfppl as emf

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

HERE = Path(__file__).parent
STEP, NOISE = 0.05, 0.1 * np.sqrt(0.05)
GREY, RED, BLUE = "#4a4a4a", "#c05621", "#2b6cb0"
DENSITIES = {"flow": ("flow alone", RED), "with_model": ("flow with a model", BLUE)}


def onward(x: np.ndarray) -> np.ndarray:
    """A step of the oscillator of Van der Pol without noise, (…, 2)."""
    place, speed = np.moveaxis(x, -1, 0)
    return x + STEP * np.stack([speed, (1 - place**2) * speed - place], axis=-1)


def paths(rng: np.random.Generator, n: int, steps: int = 120) -> np.ndarray:
    """(n, steps, 2), from anywhere near the origin."""
    x = [rng.normal(size=(n, 2))]
    for _ in range(steps - 1):
        x.append(onward(x[-1]) + NOISE * rng.normal(size=(n, 2)))
    return np.stack(x, axis=1)


def log_truth(x: np.ndarray) -> np.ndarray:
    """The true log density of paths (N, steps, 2)."""
    squares = (x[:, 0] ** 2).sum(axis=-1) + (((x[:, 1:] - onward(x[:, :-1])) / NOISE) ** 2).sum(axis=(1, 2))
    return -0.5 * squares - 0.5 * x[0].size * np.log(2 * np.pi) - (x[0].size - 2) * np.log(NOISE)


def main(path: Path) -> None:
    rng = np.random.default_rng(0)
    x, test = paths(rng, 1_000), paths(rng, 5_000)
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.3), sharex=True, sharey=True, layout="constrained")
    draw(axes[0], test[:12], GREY, "the truth")
    for panel, (name, (title, colour)) in zip(axes[1:], DENSITIES.items(), strict=True):
        flow = emf.load(HERE / "density" / "paths.emf").density(name).fit(x, progress=False)
        gap = (log_truth(test) - flow.log_prob(test)).mean() / test[0].size
        draw(panel, flow.sample(12, seed=1), colour, f"{title}: gap {gap:.2f} nats a number")
    figure.savefig(path, dpi=130)


def draw(panel: plt.Axes, x: np.ndarray, colour: str, title: str) -> None:
    """Some paths (N, steps, 2) in the plane of place and speed."""
    for one in x:
        panel.plot(*one.T, color=colour, lw=0.7, alpha=0.8)
    panel.set_title(title, fontsize=9)
    panel.set(xlim=(-3.5, 3.5), ylim=(-4.5, 4.5), xlabel="place", ylabel="speed")
    panel.spines[["top", "right"]].set_visible(False)
    panel.label_outer()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "docs/images/density_walks.png")
