"""What every layer of a density estimator is: an invertible map from noise u to x, both (D,), perhaps with data given beside.

::

    noise  ->  forward  ->  …  ->  data            log p(x) = log N(u) + Σ log |det ∂u/∂x|       u = inverse(x)

The direction of training is `inverse`, one pass wherever the kind of layer allows it. All functions take one point; callers vmap,
which makes of the matrices of a network products with the whole batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Params = dict[str, Any]
Pair = tuple[jax.Array, jax.Array]  # a point, and a log-determinant or log slopes


class Given(NamedTuple):
    """What is given with one sample: numbers for networks (C,), and data by name for models."""

    features: jax.Array
    values: Mapping[str, jax.Array]


def nothing_given() -> Given:
    """No data beside the sample."""
    return Given(jnp.zeros(0), {})


@dataclass(frozen=True)
class Layer(ABC):
    """A layer over `dim` coordinates; parameters are a dict of arrays, empty where nothing is learned."""

    dim: int
    in_units: ClassVar[bool] = False  # whether it works on standardised numbers, between the same fixed units before and behind

    @abstractmethod
    def init(self, rng: np.random.Generator) -> Params:
        """NumPy parameters of the identity, or of a map next to it."""

    @abstractmethod
    def forward(self, params: Params, u: jax.Array, given: Given) -> tuple[jax.Array, jax.Array]:
        """x and log |det ∂x/∂u|."""

    @abstractmethod
    def inverse(self, params: Params, x: jax.Array, given: Given) -> tuple[jax.Array, jax.Array]:
        """u and log |det ∂u/∂x|."""

    def warm(self, params: Params, x: np.ndarray, given: Given) -> Params:
        """Parameters to start from, told by a batch of samples (N, D) at the side of the data, and what is given with each."""
        return params

    @abstractmethod
    def settled(self, known: np.ndarray) -> np.ndarray:
        """Which coordinates of u (D,) depend on the `known` ones of x alone: if as many, those of x can be held while the others
        are drawn."""
