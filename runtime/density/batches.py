"""Samples in batches: an endless row of them, each pass over the samples in an order of its own, drawn by a seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import jax
import numpy as np

Given = Mapping[str, np.ndarray]
Spread = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples x (N, E), and what is given with each, by name (N, …)."""

    x: np.ndarray
    given: Given = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.x)

    def at(self, places: np.ndarray | slice) -> Samples:
        """The samples at these places."""
        return Samples(self.x[places], {name: value[places] for name, value in self.given.items()})

    def reshaped(self, *lead: int) -> Samples:
        """The leading axis as several."""
        shape = lambda value: value.reshape(*lead, *value.shape[1:])  # noqa: E731
        return Samples(shape(self.x), {name: shape(value) for name, value in self.given.items()})

    def as_dtype(self, dtype: np.dtype) -> Samples:
        """Real numbers in the precision that is computed in."""
        given = {n: v.astype(dtype) if v.dtype.kind == "f" else v for n, v in self.given.items()}
        return Samples(self.x.astype(dtype), given)

    def tree(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """As an argument of a compiled program."""
        return self.x, dict(self.given)


def split(samples: Samples, share: float, rng: np.random.Generator) -> tuple[Samples, Samples]:
    """Samples to train on, and a share of them held out, at least one, drawn at random."""
    order = rng.permutation(len(samples))
    held = max(1, round(share * len(samples)))
    return samples.at(np.sort(order[held:])), samples.at(np.sort(order[:held]))


class Stream:
    """Batches of `size` samples one after another; whole numbers get their noise anew each time."""

    def __init__(self, samples: Samples, size: int, spread: Spread, rng: np.random.Generator):
        self.samples, self.size, self.spread, self.rng = samples, size, spread, rng
        self._left = np.zeros(0, np.int64)

    def take(self, steps: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The next batches: x (steps, size, E), and what is given (steps, size, …)."""
        while len(self._left) < steps * self.size:
            self._left = np.concatenate([self._left, self.rng.permutation(len(self.samples))])
        places, self._left = np.split(self._left, [steps * self.size])
        found = self.samples.at(places)
        spread = Samples(self.spread(found.x, self.rng).astype(found.x.dtype), found.given)
        return spread.reshaped(steps, self.size).tree()


@dataclass(frozen=True, eq=False)
class Blocks:
    """Samples in blocks of equal size, the last filled up with its own first sample: x (K, B, E)."""

    x: np.ndarray
    given: dict[str, np.ndarray]
    count: int

    @classmethod
    def of(cls, samples: Samples, size: int) -> Blocks:
        size = max(1, min(size, len(samples)))
        number = -(-len(samples) // size)
        places = np.minimum(np.arange(number * size), len(samples) - 1)
        x, given = samples.at(places).reshaped(number, size).tree()
        return cls(x, given, len(samples))

    def tree(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        return self.x, self.given


def stacked(trees: list[dict]) -> dict:
    """Trees of arrays as one with a leading axis."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


def part(tree: dict, number: int) -> dict:
    """One of stacked trees."""
    return jax.tree.map(lambda leaf: leaf[number], tree)
