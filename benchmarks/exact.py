"""Log evidences that the benchmarks compare with, by NumPy and SciPy alone: quadrature, Gaussian algebra, a particle filter."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from scipy.optimize import minimize
from scipy.special import expit, gammaln, logsumexp
from scipy.stats import multivariate_normal, norm

Array = np.ndarray


def eight_schools(y: Array, sigma: Array, mu_sd: float, log_tau_loc: float, log_tau_sd: float) -> float:
    """log ∫ N(log τ; loc, sd) N(y; 0, diag(σ² + τ²) + mu_sd² 11ᵀ) d log τ by the trapezoid rule over 12 sds."""
    grid = log_tau_loc + log_tau_sd * np.linspace(-12, 12, 20_001)
    terms = norm.logpdf(grid, log_tau_loc, log_tau_sd) + _schools_given(grid, y, sigma, mu_sd)
    return float(logsumexp(terms) + np.log(grid[1] - grid[0]))


def _schools_given(log_tau: Array, y: Array, sigma: Array, mu_sd: float) -> Array:
    """log N(y; 0, D + mu_sd² 11ᵀ) with D = diag(σ² + τ²), by the Sherman–Morrison formula."""
    diagonal = np.asarray(sigma, float) ** 2 + np.exp(2 * log_tau)[:, None]
    weight, pull = np.sum(1 / diagonal, axis=1), np.sum(y / diagonal, axis=1)
    log_det = np.sum(np.log(diagonal), axis=1) + np.log1p(mu_sd**2 * weight)
    square = np.sum(np.square(y) / diagonal, axis=1) - pull**2 / (weight + mu_sd**-2)
    return -0.5 * (log_det + square + len(y) * np.log(2 * np.pi))


# ---------------------------------------------------------------- seeds


def seeds(r: Array, n: Array, seed: Array, extract: Array, step: float = 0.25) -> float:
    """The evidence of `programs/seeds.emf`: log τ on a grid, the four coefficients by Gauss–Hermite quadrature around
    their mode (8⁴ nodes), the effect of each plate by Gauss–Hermite quadrature around its own.

    Below log τ = −10 there is next to nothing; above 14 the effects are 0 but for .001, and all that matters is the prior.
    """
    r, n = np.asarray(r, float), np.asarray(n, float)
    design = np.stack([np.ones_like(r), seed, extract, np.multiply(seed, extract)], axis=1)
    grid = np.arange(-10, 14 + step / 2, step)
    found, start = np.empty(grid.size), np.zeros(4)
    for place in range(grid.size):
        found[place], start = _given_scale(grid[place], start, r, n, design)
    ends = np.where((grid == grid[0]) | (grid == grid[-1]), 0.5, 1.0)
    inside = logsumexp(found + norm.logpdf(grid, 0, 10), b=step * ends)
    return float(np.logaddexp(inside, found[-1] + norm.logsf(grid[-1], 0, 10)))


def _given_scale(log_tau: float, start: Array, r: Array, n: Array, design: Array, order: int = 8) -> tuple[float, Array]:
    """log p(r | log τ), and the mode of the coefficients."""

    def log_joint(a: Array) -> Array:
        return np.sum(norm.logpdf(a, 0, 10), axis=-1) + _plates(a @ design.T, log_tau, r, n)

    mode = minimize(lambda a: -float(log_joint(a[None])[0]), start, method="BFGS", options={"gtol": 1e-4})
    root = np.linalg.cholesky(_covariance(log_joint, mode.x))
    nodes, weights = hermegauss(order)
    points = np.array(list(itertools.product(nodes, repeat=4)))
    log_weights = np.sum(list(itertools.product(np.log(weights), repeat=4)), axis=1) + 0.5 * np.sum(points**2, axis=1)
    terms = log_joint(mode.x + points @ root.T) + log_weights
    return float(logsumexp(terms) + np.sum(np.log(np.diag(root)))), mode.x


def _covariance(log_joint, at: Array, h: float = 1e-3) -> Array:
    """The inverse of the negative Hessian, by differences."""
    eye = h * np.eye(at.size)
    moved = np.array([[at + s * a + t * b for s in (1, -1) for t in (1, -1)] for a in eye for b in eye])
    values = log_joint(moved.reshape(-1, at.size)).reshape(at.size, at.size, 4)
    return np.linalg.inv(-(values @ np.array([1, -1, -1, 1])) / (4 * h * h))


def _plates(eta: Array, log_tau: float, r: Array, n: Array, order: int = 15) -> Array:
    """Σ log ∫ Binomial(r; n, logit⁻¹(η + b)) N(b; 0, τ^−½) db over the plates: b around its mode, found by Newton steps."""
    precision = np.exp(log_tau)
    b = np.zeros_like(eta)
    for _ in range(25):
        p = expit(eta + b)
        b = b + np.clip((r - n * p - precision * b) / (n * p * (1 - p) + precision), -2, 2)
    p = expit(eta + b)
    width = (n * p * (1 - p) + precision) ** -0.5
    nodes, weights = hermegauss(order)
    at = b[..., None] + width[..., None] * nodes
    inside = (eta[..., None] + at) * r[:, None] - n[:, None] * np.logaddexp(0, eta[..., None] + at)
    inside += 0.5 * (log_tau - np.log(2 * np.pi)) - 0.5 * precision * at**2 + 0.5 * nodes**2 + np.log(weights)
    choose = gammaln(n + 1) - gammaln(r + 1) - gammaln(n - r + 1)
    return np.sum(logsumexp(inside, axis=-1) + np.log(width) + choose, axis=-1)


# ---------------------------------------------------------------- Gaussian programs


def brownian(y: Array) -> float:
    """The evidence of `examples/paper/brownian.emf`: Cov(x_s, x_t) = .01 (1 + min(s, t)), noise .15, nan where nothing is seen."""
    seen = np.flatnonzero(~np.isnan(np.asarray(y, float)))
    covariance = 0.01 * (1 + np.minimum.outer(seen, seen)) + 0.15**2 * np.eye(seen.size)
    return float(multivariate_normal.logpdf(np.asarray(y, float)[seen], cov=covariance))


def long_brownian(y: Array, step: float = 0.1, noise: float = 0.15) -> float:
    """The same by a Kalman filter, for chains that are too long for a covariance matrix."""
    loc, variance, total = 0.0, 0.0, 0.0
    for value in np.asarray(y, float):
        variance += step**2
        if np.isnan(value):
            continue
        total += norm.logpdf(value, loc, np.sqrt(variance + noise**2))
        gain = variance / (variance + noise**2)
        loc, variance = loc + gain * (value - loc), (1 - gain) * variance
    return float(total)


def linear_tree(leaves: int, y: float) -> float:
    """The evidence of `examples/paper/linear_tree.emf`: a layer's variance is twice that of its children and .15²."""
    variance = 0.2**2
    for _ in range(int(np.log2(leaves))):
        variance = 2 * variance + 0.15**2
    return float(norm.logpdf(y, 0, np.sqrt(variance)))


# ---------------------------------------------------------------- Lorenz


def lorenz(obs: Array, particles: int = 200_000, repeats: int = 8) -> tuple[float, float]:
    """The evidence of `examples/paper/lorenz.emf` by a bootstrap particle filter, and its standard error."""
    found = np.array([_lorenz_once(np.asarray(obs, float), particles, np.random.default_rng(s)) for s in range(repeats)])
    return float(logsumexp(found) - np.log(repeats)), float(found.std(ddof=1) / np.sqrt(repeats))


def _lorenz_once(obs: Array, particles: int, rng: np.random.Generator, step: float = 0.02) -> float:
    state = rng.normal(size=(3, particles))
    total = 0.0
    for time, seen in enumerate(obs):
        if time:
            x, y, z = state
            drift = np.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])
            state = state + step * drift + np.sqrt(step) * 0.1 * rng.normal(size=state.shape)
        if not np.isnan(seen):
            weights = norm.logpdf(seen, state[0], 1)
            total += logsumexp(weights) - np.log(particles)
            state = state[:, _systematic(weights, rng)]
    return total


def _systematic(log_weights: Array, rng: np.random.Generator) -> Array:
    """Indices drawn in proportion to the weights, at evenly spaced quantiles with one shift."""
    share = np.cumsum(np.exp(log_weights - log_weights.max()))
    places = (rng.uniform() + np.arange(share.size)) / share.size * share[-1]
    return np.minimum(np.searchsorted(share, places), share.size - 1)
