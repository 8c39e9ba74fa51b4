"""Small posteriors with known answers, shared by the tests of fitting."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import stats

import emfppl

CONJUGATE = """
dim obs
data y[obs]: real
mu ~ Normal(0, 2)
y[obs] ~ Normal(mu, 1)
"""
Y = np.array([0.3, 1.9, 1.1, 2.4])

LABELLED = """
dim group
dim obs
data group_of[obs]: index(group)
data x[group]: real
data y[obs]: real
m ~ Normal(0, 1)
s ~ HalfNormal(1)
a[group] ~ Normal(m + x, s)
top = max(a, over = group)
unseen ~ Poisson(4)
y[obs] ~ Normal(a[group_of], 0.5)
"""
GROUPS = {
    "group_of": ["north", "south", "south", "west", "west", "west"],
    "x": [0.1, -0.2, 0.3],
    "y": [0.5, 1.1, 0.7, -0.3, -0.5, 0.1],
}

CHAIN = """
dim time
data y[time]: real?
x[0] ~ Normal(0, 2)
for t in time[1:] {
  x[t] ~ Normal(0.9 * x[t-1], 0.5)
}
y[time] ~ Normal(x, 0.7)
"""
CHAIN_Y = [0.4, None, 1.3, 0.2, None, -0.6]


@cache
def fitted(text: str, guide: str = "auto", seed: int = 0, precision: str | None = None):
    """The fit of one of the programs above to its data, made once."""
    data = {CONJUGATE: {"y": Y}, LABELLED: GROUPS, CHAIN: {"y": CHAIN_Y}}[text]
    return emfppl.fit(text, data, guide=guide, seed=seed, precision=precision, progress=False)


def conjugate_posterior() -> tuple[float, float]:
    """Mean and sd of mu."""
    precision = 1 / 4 + len(Y)
    return float(Y.sum() / precision), float(precision**-0.5)


def conjugate_evidence() -> float:
    return float(stats.multivariate_normal(np.zeros(len(Y)), np.eye(len(Y)) + 4).logpdf(Y))


def chain_posterior() -> tuple[np.ndarray, np.ndarray, float]:
    """Mean and covariance of x, and the log evidence."""
    n = len(CHAIN_Y)
    innovation = np.diag([4.0] + [0.25] * (n - 1))
    spread = np.linalg.inv(np.eye(n) - 0.9 * np.eye(n, k=-1))
    prior = spread @ innovation @ spread.T
    seen = [i for i, y in enumerate(CHAIN_Y) if y is not None]
    y = np.array([CHAIN_Y[i] for i in seen], float)
    of_y = prior[np.ix_(seen, seen)] + 0.49 * np.eye(len(seen))
    gain = prior[:, seen] @ np.linalg.inv(of_y)
    evidence = stats.multivariate_normal(np.zeros(len(seen)), of_y).logpdf(y)
    return gain @ y, prior - gain @ prior[seen], float(evidence)
