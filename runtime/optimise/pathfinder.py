"""Normal approximations along the path of L-BFGS, the best of them by ELBO: Pathfinder (Zhang, Carpenter, Gelman, Vehtari 2022,
*Pathfinder: parallel quasi-Newton variational inference*, JMLR 23), for densities whose Hessian is too large for Newton's method.

With the last J steps s and differences z of the slopes of −log p, S = (s₁ … s_J), Z = (z₁ … z_J), and the diagonal α that is
updated along with them (Gilbert and Lemaréchal 1989), the inverse Hessian at an iterate x is estimated as (Byrd et al. 1994)

    Σ = diag(α) + B Γ Bᵀ,   B = (diag(α) Z, S),   Γ = ( 0        −R⁻¹                          )
                                                      ( −R⁻ᵀ     R⁻ᵀ (E + Zᵀ diag(α) Z) R⁻¹    )

where R_ij = s_iᵀ z_j for i ≤ j, else 0, and E is the diagonal of R. The approximation is N(x + Σ ∇log p(x), Σ). As α is told by a
few directions about all others, and what the data say nothing of has the prior's variance 1, α = 1 is tried beside it. What a guide
can take of an approximation depends on its affine family, and the ELBO is that of this part
(docs/decisions/0022-paths-of-noise.md). Work and memory are linear in D; nothing but the best is kept of the path.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.linalg import solve_triangular
from scipy.optimize import minimize

from emfppl.runtime.bijections.normal import LOG_2PI
from emfppl.runtime.guides.backbone import Frame
from emfppl.runtime.optimise.quasi_newton import FORBIDDEN

STEPS, MEMORY, DRAWS = 200, 6, 20  # of a path, pairs that the estimate remembers, draws of an ELBO
FEW, FAR = 4, 10.0  # draws after which an approximation so many nats below the best is looked at no further
CURVED = 1e-12  # pairs with sᵀz below this part of zᵀz say nothing of the curvature
STRAIGHT = 1e-9  # nats of log density, relative to it, that a step must gain

Slope = Callable[[np.ndarray], tuple[float, np.ndarray]]  # log density and its gradient at a point (D,)


@dataclass(frozen=True)
class Normal:
    """N(loc, diag(scale) (I + V diag(stretch) Vᵀ) diag(scale)): loc and scale (D,), V (D, k) with orthonormal columns,
    stretch (k,) above −1."""

    loc: np.ndarray
    scale: np.ndarray
    directions: np.ndarray
    stretch: np.ndarray

    @classmethod
    def narrow(cls, frame: Frame) -> Normal:
        """With independent elements, of the widths of a frame."""
        return cls(frame.loc, frame.widths, np.zeros((frame.loc.size, 0)), np.zeros(0))

    def draw(self, eps: np.ndarray) -> np.ndarray:
        """loc + diag(scale) (I + V diag(stretch) Vᵀ)^½ eps, for standard normal eps (D,)."""
        return self.loc + self.scale * (eps + self.directions @ (self._root * (self.directions.T @ eps)))

    @property
    def _root(self) -> np.ndarray:
        """(1 + stretch)^½ − 1."""
        return np.sqrt(1 + self.stretch) - 1

    def log_weights(self, slope: Slope, noise: np.ndarray) -> np.ndarray:
        """log p − log q at noise (N, D), −inf where it is not finite: (N,)."""
        log_det = np.sum(np.log(self.scale)) + 0.5 * np.sum(np.log1p(self.stretch)) + 0.5 * self.loc.size * LOG_2PI
        found = log_det + np.array([slope(self.draw(eps))[0] + 0.5 * eps @ eps for eps in noise])
        return np.where(np.isfinite(found), found, -np.inf)

    def within(self, rank: int | None) -> Normal:
        """What a family of covariances takes of it: all (None), or a diagonal with `rank` directions stretched beside it.

        These are the longest ones. The others are left out with all that they are correlated with held fixed, that is of their
        precision I − V diag(stretch / (1 + stretch)) Vᵀ the diagonal stays: of all normal distributions with independent
        elements that one is nearest in KL(q ‖ p).
        """
        if rank is None:
            return self
        order = np.argsort(-self.stretch)
        kept = order[:rank][self.stretch[order[:rank]] > 0]
        rest = np.setdiff1d(order, kept)
        shrunk = self.stretch[rest] / (1 + self.stretch[rest])
        precision = 1 - self.directions[:, rest] ** 2 @ shrunk
        return Normal(self.loc, self.scale / np.sqrt(precision), self.directions[:, kept], self.stretch[kept])

    def frame(self, rank: int | None) -> Frame:
        """As a start of an affine family that takes so many stretched directions."""
        if rank is not None:
            weights = self.directions * np.sqrt(self._root)  # I + W Wᵀ = (I + V diag(stretch) Vᵀ)^½
            return Frame(self.loc, self.scale, weights if self.stretch.size else None)
        root = self.scale[:, None] * (np.eye(self.loc.size) + (self.directions * self._root) @ self.directions.T)
        factor = np.asarray(np.linalg.qr(root.T, mode="r")).T
        return Frame(self.loc, factor * np.sign(np.diag(factor))[None, :])


@dataclass
class Curvature:
    """The estimate of the inverse Hessian along a path: its diagonal α (D,), and the last steps and differences of slopes."""

    diagonal: np.ndarray
    pairs: deque[tuple[np.ndarray, np.ndarray]] = field(default_factory=lambda: deque(maxlen=MEMORY))

    def learn(self, step: np.ndarray, change: np.ndarray) -> None:
        """Takes in a step s and the change z of the slope of −log p, if the density is concave along it:
        1/α ← a/(b α) + z²/b − a s²/(b c α²) with a = zᵀ diag(α) z, b = zᵀs, c = sᵀ diag(α)⁻¹ s."""
        b = change @ step
        if not b > CURVED * (change @ change):
            return
        alpha = self.diagonal
        a, c = change @ (alpha * change), step @ (step / alpha)
        inverse = a / (b * alpha) + change**2 / b - a * (step / alpha) ** 2 / (b * c)
        if np.all(np.isfinite(inverse)) and np.all(inverse > 0):
            self.diagonal = 1 / inverse
            self.pairs.append((step, change))

    def normal(self, point: np.ndarray, gradient: np.ndarray, diagonal: np.ndarray) -> Normal | None:
        """The approximation at an iterate from α = `diagonal`; None if rounding has cost it its definiteness."""
        scale = np.sqrt(diagonal)
        directions, stretch = self._stretched(scale)
        if not (np.all(np.isfinite(stretch)) and np.all(stretch > -1)):
            return None
        white = scale * gradient
        loc = point + scale * (white + directions @ (stretch * (directions.T @ white)))
        return Normal(loc, scale, directions, stretch)

    def _stretched(self, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """V and its stretch: eigenvectors of diag(α)^−½ B Γ Bᵀ diag(α)^−½ and their eigenvalues, by way of a thin QR."""
        if not self.pairs:
            return np.zeros((scale.size, 0)), np.zeros(0)
        steps, changes = (np.stack(rows, axis=1) for rows in zip(*self.pairs, strict=True))
        white, inner = scale[:, None] * changes, np.triu(steps.T @ changes)
        inverse = solve_triangular(inner, np.eye(len(inner)))
        corner = inverse.T @ (np.diag(np.diag(inner)) + white.T @ white) @ inverse
        gamma = np.block([[np.zeros_like(inner), -inverse], [-inverse.T, corner]])
        q, r = np.linalg.qr(np.concatenate([white, steps / scale[:, None]], axis=1))
        stretch, vectors = np.linalg.eigh(r @ gamma @ r.T)
        return q @ vectors, stretch


@dataclass
class Path:
    """One path uphill, and the best approximation so far along it."""

    slope: Slope
    rank: int | None
    noise: np.ndarray
    best: Normal | None = None
    log_weights: np.ndarray = field(default_factory=lambda: np.full(DRAWS, -np.inf))

    def follow(self, start: np.ndarray) -> None:
        """Climbs by L-BFGS from a point, and looks at every iterate."""
        self.at, self.curvature = self._seen(start), Curvature(np.ones_like(start))
        if not np.isfinite(self.at[1]):
            return
        options = {"maxcor": MEMORY, "maxiter": STEPS, "ftol": STRAIGHT, "gtol": 1e-7}
        minimize(self._down, start, jac=True, method="L-BFGS-B", callback=self._look, options=options)

    def _seen(self, point: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
        value, gradient = self.slope(point)
        fine = np.isfinite(value) and np.all(np.isfinite(gradient))
        return np.array(point), value if fine else -np.inf, gradient

    def _down(self, point: np.ndarray) -> tuple[float, np.ndarray]:
        """Minus the log density and its slope. The point of the last call before a look is the iterate."""
        self.last = self._seen(point)
        _, value, gradient = self.last
        return (-value, -gradient) if np.isfinite(value) else (FORBIDDEN, np.zeros_like(point))

    def _look(self, point: Any) -> None:
        now = self.last if np.array_equal(self.last[0], point) else self._seen(point)
        self.curvature.learn(now[0] - self.at[0], self.at[2] - now[2])
        self.at = now
        for diagonal in (self.curvature.diagonal, np.ones_like(now[0])):
            found = self.curvature.normal(now[0], now[2], diagonal)
            if found is not None:
                self.offer(found.within(self.rank))

    def offer(self, normal: Normal) -> None:
        """Keeps an approximation that is better than the best before by more than the noise of their comparison."""
        first = normal.log_weights(self.slope, self.noise[:FEW])
        if not first.mean() > self.log_weights[:FEW].mean() - FAR:
            return
        found = np.concatenate([first, normal.log_weights(self.slope, self.noise[FEW:])])
        if np.all(np.isfinite(found)) and (self.best is None or _above(found - self.log_weights)):
            self.best, self.log_weights = normal, found


def _above(gains: np.ndarray) -> bool:
    """Whether the mean of gains on pairs of opposite draws is above its standard error."""
    paired = gains.reshape(-1, 2).mean(axis=1)
    return bool(paired.mean() > paired.std() / np.sqrt(paired.size))


def find_normal(slope: Slope, starts: np.ndarray, rank: int | None, least: Normal, seed: int) -> Normal | None:
    """The best approximation over the paths from starts (K, D), in a family that takes `rank` stretched directions (None: any
    covariance); None if none is better than `least`. All are weighed on the same noise, which is not that of the starts."""
    noise = np.random.default_rng((seed, DRAWS)).normal(size=(DRAWS // 2, starts.shape[1]))
    path = Path(slope, rank, np.stack([noise, -noise], axis=1).reshape(DRAWS, -1))
    path.offer(least)
    for start in starts:
        path.follow(start)
    return None if path.best is least else path.best
