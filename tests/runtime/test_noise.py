"""The noise of posterior draws: standard normal, even, and decided by the seed."""

from __future__ import annotations

import numpy as np
import pytest

from emfppl.runtime.noise import even_noise


@pytest.mark.parametrize("dim", [1, 5, 20, 21, 300])
def test_more_even_than_independent_draws(dim):
    noise = even_noise(1000, dim, 0)
    assert noise.shape == (1000, dim)
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=0.012)  # independent draws: .03
    np.testing.assert_allclose(noise.std(axis=0), 1, atol=0.012)
    np.testing.assert_allclose(np.quantile(noise, 0.05, axis=0), -1.645, atol=0.02)
    assert np.abs(np.corrcoef(noise.T) - np.eye(dim)).max() < 0.2


def test_rows_are_in_random_order():
    first, second = even_noise(1000, 3, 0)[:500], even_noise(1000, 3, 0)[500:]
    assert np.abs(first.mean(axis=0) - second.mean(axis=0)).max() > 0.005
    assert np.abs(np.corrcoef(np.arange(1000), even_noise(1000, 3, 0)[:, 0])[0, 1]) < 0.1


@pytest.mark.parametrize("count", [1, 2, 3, 1024, 1025])
def test_any_number_of_draws(count):
    noise = even_noise(count, 2, 7)
    assert noise.shape == (count, 2) and np.all(np.isfinite(noise))


def test_seeds():
    np.testing.assert_array_equal(even_noise(50, 3, 4), even_noise(50, 3, 4))
    assert np.abs(even_noise(50, 3, 4) - even_noise(50, 3, 5)).max() > 0.1
    assert even_noise(5, 0, 0).shape == (5, 0)
