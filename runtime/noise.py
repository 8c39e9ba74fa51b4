"""Standard normal noise for the draws of a posterior: more even than independent draws, each still a draw.

Up to 20 coordinates the points are a Sobol sequence with a random digital shift, beyond that a Latin hypercube. Either way
each row by itself is standard normal, and means and quantiles over the rows are closer to their limits than those of
independent rows.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri
from scipy.stats import qmc

SOBOL_UP_TO = 20
BITS = 30


def even_noise(count: int, dim: int, seed: int) -> np.ndarray:
    """Noise (count, dim) in random order."""
    rng = np.random.default_rng(seed)
    if dim == 0:
        return np.zeros((count, 0))
    uniform = _sobol(count, dim, rng) if dim <= SOBOL_UP_TO else _latin(count, dim, rng)
    return ndtri(rng.permutation(uniform))


def _sobol(count: int, dim: int, rng: np.random.Generator) -> np.ndarray:
    """The first points of a sequence whose binary digits are flipped at random, in the middle of their cells."""
    points = qmc.Sobol(dim, scramble=False, bits=BITS).random_base2(max(count - 1, 1).bit_length())[:count]
    shift = rng.integers(0, 2**BITS, dim)
    return (((points * 2**BITS).astype(np.int64) ^ shift) + 0.5) / 2**BITS


def _latin(count: int, dim: int, rng: np.random.Generator) -> np.ndarray:
    """In each coordinate one point in each of `count` strata."""
    strata = rng.permuted(np.tile(np.arange(count)[:, None], (1, dim)), axis=0)
    return np.clip((strata + rng.random((count, dim))) / count, 1e-15, 1 - 1e-15)
