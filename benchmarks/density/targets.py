"""What densities are estimated of: the data of Silvestri et al. (2022), drawn anew by NumPy, and their true densities.

Each target draws `(N, *shape)` and, where it is known, gives its own log density and entropy in nats. The series are chains of
normal steps, so that their density is a product and their entropy a sum over steps; the four shapes in the plane are mixtures
or uniform, and their entropies are integrals over a grid. Iris and digits are resampled from the data sets that scikit-learn
ships (`pip install 'emfppl[bench]'`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import logsumexp, ndtr

Array = np.ndarray
Draw = Callable[[np.random.Generator, int], Array]
LOG_2PI = float(np.log(2 * np.pi))


@dataclass(frozen=True)
class Target:
    """A distribution of events of a shape. The log density maps (N, *shape) to (N,); `support` is None for the real line,
    or the ends of an interval that every number of the event lies in."""

    name: str
    shape: tuple[int, ...]
    draw: Draw
    log_density: Callable[[Array], Array] | None = None
    entropy: Callable[[], float] | None = None
    support: tuple[float, float] | None = None
    held_out: Draw | None = None  # where it is not the same distribution: other images
    whole: bool = False  # whether the numbers are whole

    @property
    def dim(self) -> int:
        return int(np.prod(self.shape))

    def train(self, seed: int, n: int) -> Array:
        """Data to train on, (n, *shape): those of seeds differ."""
        return self.draw(np.random.default_rng([seed, 0]), n)

    def test(self, n: int) -> Array:
        """Data to be judged on, the same for every seed and method."""
        return (self.held_out or self.draw)(np.random.default_rng([0, 1]), n)


# ---------------------------------------------------------------- shapes in the plane


def _rotated(points: Array) -> Array:
    half = np.sqrt(0.5)
    return points @ np.array([[half, -half], [half, half]])


def _ring() -> Array:
    """Centres of the eight Gaussians, (8, 2)."""
    half = np.sqrt(0.5)
    corners = [(1, 0), (-1, 0), (0, 1), (0, -1), (half, half), (half, -half), (-half, half), (-half, -half)]
    return 4 * np.array(corners) / 1.414


def _lattice() -> Array:
    """Centres of the diamond: 15 × 15 points on [-2.5, 2.5]², turned by 45 degrees, (225, 2)."""
    line = np.linspace(-2.5, 2.5, 15)
    return _rotated(np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2))


def _gaussians(centres: Array, sd: float) -> tuple[Draw, Callable[[Array], Array]]:
    """Draws and log density of equally likely round Gaussians."""

    def draw(rng: np.random.Generator, n: int) -> Array:
        return centres[rng.integers(len(centres), size=n)] + sd * rng.normal(size=(n, 2))

    def log_density(x: Array) -> Array:
        squares = (x**2).sum(axis=1)[:, None] - 2 * x @ centres.T + (centres**2).sum(axis=1)
        return logsumexp(-0.5 * squares / sd**2, axis=1) - np.log(len(centres)) - LOG_2PI - 2 * np.log(sd)

    return draw, log_density


def _draw_checkerboard(rng: np.random.Generator, n: int) -> Array:
    across = rng.uniform(-2, 2, size=n)
    up = rng.uniform(size=n) - 2 * rng.integers(2, size=n) + np.floor(across) % 2
    return 2 * np.stack([across, up], axis=1)


def _log_checkerboard(x: Array) -> Array:
    """Uniform on eight squares of area 4."""
    across, up = np.floor(x / 2).T
    inside = (np.abs(x) <= 4).all(axis=1) & ((across + up) % 2 == 0)
    return np.where(inside, -np.log(32), -np.inf)


TURNS, NOISE = 540 * 2 * np.pi / 360, 0.1  # of the spirals


def _draw_spirals(rng: np.random.Generator, n: int) -> Array:
    angle = np.sqrt(rng.uniform(size=n)) * TURNS
    arm = np.stack([-np.cos(angle) * angle, np.sin(angle) * angle], axis=1) + rng.uniform(0, 0.5, size=(n, 2))
    return rng.choice([-1, 1], size=(n, 1)) * arm / 3 + NOISE * rng.normal(size=(n, 2))


def _log_spirals(x: Array, points: int = 400) -> Array:
    """By the midpoint rule over u, where the angle is √u of all turns: given the angle, each coordinate is uniform plus normal."""
    angle = np.sqrt((np.arange(points) + 0.5) / points) * TURNS
    arm = np.stack([-np.cos(angle) * angle, np.sin(angle) * angle], axis=1) / 3
    width = 0.5 / 3

    def given_angle(y: Array) -> Array:
        left = (y[:, None] - arm) / NOISE
        return np.prod((ndtr(left) - ndtr(left - width / NOISE)) / width, axis=-1).mean(axis=1)

    density = [0.5 * (given_angle(x[at : at + 500]) + given_angle(-x[at : at + 500])) for at in range(0, len(x), 500)]
    return np.log(np.concatenate(density) + 1e-300)


def on_grid(log_density: Callable[[Array], Array], ends: float, points: int) -> tuple[float, float]:
    """∫ p and −∫ p log p over [-ends, ends]² by the midpoint rule, which is exact to many digits for smooth densities that
    vanish at the ends."""
    line = (np.arange(points) + 0.5) / points * 2 * ends - ends
    grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    logs = np.concatenate([log_density(part) for part in np.array_split(grid, points)])
    cell = (2 * ends / points) ** 2
    density = np.exp(logs)
    return float(density.sum() * cell), float(-(density * np.where(density > 0, logs, 0)).sum() * cell)


def _shape(name: str, draw: Draw, log_density: Callable[[Array], Array], ends: float, points: int) -> Target:
    return Target(name, (2,), draw, log_density, cache(lambda: on_grid(log_density, ends, points)[1]))


# ---------------------------------------------------------------- series


@dataclass(frozen=True)
class Chain:
    """A series of C coordinates: x_0 ~ N(0, start²), x_t ~ N(step(x_{t-1}), noise²)."""

    steps: int
    coordinates: int
    start: float
    noise: float
    step: Callable[[Array], Array]

    def draw(self, rng: np.random.Generator, n: int) -> Array:
        x = [self.start * rng.normal(size=(n, self.coordinates))]
        for _ in range(self.steps - 1):
            x.append(self.step(x[-1]) + self.noise * rng.normal(size=(n, self.coordinates)))
        return np.stack(x, axis=1)

    def log_density(self, x: Array) -> Array:
        """x: (N, steps, C)."""
        first, rest = x[:, 0] / self.start, (x[:, 1:] - self.step(x[:, :-1])) / self.noise
        squares = (first**2).sum(axis=1) + (rest**2).sum(axis=(1, 2))
        return -0.5 * squares - 0.5 * x[0].size * LOG_2PI - self._log_scales()

    def entropy(self) -> float:
        """½ log 2πe a number and the logs of their scales: given what came before, every number is normal."""
        return 0.5 * self.steps * self.coordinates * (LOG_2PI + 1) + self._log_scales()

    def _log_scales(self) -> float:
        return self.coordinates * float(np.log(self.start) + (self.steps - 1) * np.log(self.noise))


def _lorenz(s: Array) -> Array:
    x, y, z = np.moveaxis(s, -1, 0)
    return s + 0.02 * np.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z], axis=-1)


def _van_der_pol(s: Array) -> Array:
    x, y = np.moveaxis(s, -1, 0)
    return s + 0.05 * np.stack([y, (1 - x**2) * y - x], axis=-1)


WALK = Chain(30, 1, 0.1, 0.1, lambda x: x)
CHAINS = {
    "ornstein_uhlenbeck": Chain(30, 1, 5, 0.5, lambda x: 0.8 * x),
    "lorenz": Chain(30, 3, 1, np.sqrt(0.02) * 0.1, _lorenz),
    "van_der_pol": Chain(120, 2, 1, np.sqrt(0.05) * 0.1, _van_der_pol),
}


def _geometric() -> Target:
    """exp of a walk: log p(x) = log p_walk(log x) − Σ log x, and E Σ log x = 0, so that the entropy is that of the walk."""

    def log_density(x: Array) -> Array:
        return WALK.log_density(np.log(x)) - np.log(x).sum(axis=(1, 2))

    return Target(
        "brownian", (30, 1), lambda rng, n: np.exp(WALK.draw(rng, n)), log_density, WALK.entropy, support=(0, np.inf)
    )


# ---------------------------------------------------------------- data sets


@cache
def _data_set(name: str) -> tuple[Array, Array]:
    """(N, features) and the class of each row, from scikit-learn's own files."""
    from sklearn import datasets

    found = getattr(datasets, f"load_{name}")()
    return np.asarray(found.data, float), np.asarray(found.target)


def _around_means(name: str, rows: int, width: float, rng: np.random.Generator, n: int) -> Array:
    """Sets of one class: the mean of `rows` members drawn at random, then all but the last of them, (n, rows, features). Each
    value has uniform noise of the width of its last digit, without which there were no density."""
    values, classes = _data_set(name)
    chosen = rng.integers(classes.max() + 1, size=n)
    members = np.stack([rng.choice(np.flatnonzero(classes == c), size=rows, replace=False) for c in chosen])
    drawn = values[members] + width * rng.uniform(size=(n, rows, values.shape[1]))
    return np.concatenate([drawn.mean(axis=1, keepdims=True), drawn[:, :-1]], axis=1)


def _images(held_out: bool) -> Draw:
    """The digits, 8 × 8 pixels from 0 to 16, shuffled once: the last 360 are held out, and all others are the training data."""

    def draw(rng: np.random.Generator, n: int) -> Array:
        values = _data_set("digits")[0]
        order = np.random.default_rng(0).permutation(len(values))
        return values[order[-360:] if held_out else rng.permutation(order[:-360])[:n]]

    return draw


def _all() -> tuple[Target, ...]:
    eight, diamond = _gaussians(_ring(), 0.5 / 1.414), _gaussians(_lattice(), 0.06)
    iris = lambda rng, n: _around_means("iris", 10, 0.1, rng, n)  # noqa: E731
    digits = lambda rng, n: _around_means("digits", 20, 1.0, rng, n)  # noqa: E731
    return (
        _shape("eight_gaussians", *eight, 6, 600),
        Target("checkerboard", (2,), _draw_checkerboard, _log_checkerboard, lambda: float(np.log(32))),
        _shape("two_spirals", _draw_spirals, _log_spirals, 4.5, 180),
        _shape("diamond", *diamond, 4.2, 420),
        _geometric(),
        *(Target(k, (c.steps, c.coordinates), c.draw, c.log_density, c.entropy) for k, c in CHAINS.items()),
        Target("iris", (10, 4), iris),
        Target("digit_sets", (20, 64), digits, support=(0, 17)),
        Target("digits", (64,), _images(False), support=(0, 17), held_out=_images(True), whole=True),
    )


TARGETS = {target.name: target for target in _all()}
