"""Three shapes in the plane and their estimated densities: a flow alone, and the same flow with a mixture for each axis.

    python examples/density_shapes.py [PATH]       writes docs/images/density_shapes.png, or PATH

A few minutes. Each panel tells the held-out negative log likelihood, in nats.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np

import emfppl as emf

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

HERE = Path(__file__).parent
ENDS, POINTS = 4.5, 160
DENSITIES = {"flow": "flow alone", "with_model": "flow with mixtures"}


def eight_gaussians(rng: np.random.Generator, n: int) -> np.ndarray:
    """Equally likely round normals on a ring, (n, 2)."""
    angle = np.pi / 4 * rng.integers(8, size=n)
    return 2.83 * np.stack([np.cos(angle), np.sin(angle)], axis=1) + 0.35 * rng.normal(size=(n, 2))


def checkerboard(rng: np.random.Generator, n: int) -> np.ndarray:
    """Uniform on every other square, (n, 2)."""
    across = rng.uniform(-2, 2, size=n)
    up = rng.uniform(size=n) - 2 * rng.integers(2, size=n) + np.floor(across) % 2
    return 2 * np.stack([across, up], axis=1)


def two_spirals(rng: np.random.Generator, n: int) -> np.ndarray:
    """Two arms of one and a half turns, (n, 2)."""
    angle = np.sqrt(rng.uniform(size=n)) * 3 * np.pi
    arm = np.stack([-np.cos(angle), np.sin(angle)], axis=1) * angle[:, None] + rng.uniform(0, 0.5, size=(n, 2))
    return rng.choice([-1, 1], size=(n, 1)) * arm / 3 + 0.1 * rng.normal(size=(n, 2))


SHAPES: tuple[Callable[[np.random.Generator, int], np.ndarray], ...] = (eight_gaussians, checkerboard, two_spirals)


def main(path: Path) -> None:
    figure, axes = plt.subplots(len(SHAPES), 3, figsize=(7.2, 7.4), layout="constrained")
    for row, draw in zip(axes, SHAPES, strict=True):
        rng = np.random.default_rng(0)
        x, test = draw(rng, 10_000), draw(rng, 10_000)
        row[0].hist2d(*test.T, bins=POINTS // 2, range=[(-ENDS, ENDS)] * 2, cmap="magma")
        row[0].set_ylabel(draw.__name__.replace("_", " "))
        for panel, name in zip(row[1:], DENSITIES, strict=True):
            flow = emf.load(HERE / "density" / "shapes.emf").density(name).fit(x, progress=False)
            show(panel, flow)
            panel.set_xlabel(f"{-flow.log_prob(test).mean():.3f} nats")
    for panel, title in zip(axes[0], ["10,000 points", *DENSITIES.values()], strict=True):
        panel.set_title(title, fontsize=10)
    for panel in axes.flat:
        panel.set(xticks=[], yticks=[], aspect="equal")
    figure.savefig(path, dpi=110)


def show(panel: plt.Axes, flow: emf.Flow) -> None:
    """The density on a grid."""
    line = np.linspace(-ENDS, ENDS, POINTS)
    grid = np.stack(np.meshgrid(line, line), axis=-1)
    density = np.exp(flow.log_prob(grid.reshape(-1, 2))).reshape(POINTS, POINTS)
    panel.imshow(density, origin="lower", extent=(-ENDS, ENDS, -ENDS, ENDS), cmap="magma", vmax=np.quantile(density, 0.995))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent / "docs/images/density_shapes.png")
