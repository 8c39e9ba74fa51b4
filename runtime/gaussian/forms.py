"""The quadratic forms of a Gaussian block summed up on the host, and solved there by a sparse factor that needs no compiling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import splu

from emfppl.runtime.gaussian import moments

if TYPE_CHECKING:
    from emfppl.runtime.gaussian.block import Block, Form

RIDGE = 1e-12  # beside a diagonal of ones: what nothing is said of stays where it is
THIN = 1e-3  # a scale is at least so much of the one before
DENSE = 0.05  # share of entries that are not zero from which a matrix is taken to be full

Solver = Callable[[np.ndarray], np.ndarray]
Prepared = tuple[dict[str, Any], "Form | None"]


@dataclass(frozen=True)
class Forms:
    """The forms of all residuals about a centre (dim,). `weights`: of each group one over the square of its scale; `apart`: the
    form of what belongs to no group; `prepare` gives `prepared` and `apart` about a centre."""

    block: Block
    prepare: Callable[[np.ndarray], Prepared]
    centre: np.ndarray
    weights: np.ndarray
    prepared: dict[str, Any]
    apart: Form | None

    @staticmethod
    def about_zero(block: Block, prepare: Callable[[np.ndarray], Prepared]) -> Forms:
        zero = np.zeros(block.dim)
        return Forms(block, prepare, zero, np.ones(len(block.moments.groups)), *prepare(zero))

    def about(self, centre: np.ndarray) -> Forms:
        prepared, apart = self.prepare(centre)
        return replace(self, centre=centre, prepared=prepared, apart=apart)

    def reweighted(self) -> Forms:
        """With unknown scales taken from the residuals."""
        pairs = zip(self.block.moments.groups, self._groups, self.weights, strict=True)
        return replace(self, weights=np.array([_weight(*pair) for pair in pairs]))

    @property
    def _groups(self) -> list[Form]:
        return cast("list[Form]", self.prepared[moments.KEY].forms)

    def _sum(self, part: str) -> np.ndarray:
        forms = [*zip(self.weights, self._groups, strict=True), *([] if self.apart is None else [(1.0, self.apart)])]
        found = [w * np.asarray(getattr(form, part)) for w, form in forms]
        return np.asarray(sum((a for a in found if np.isfinite(a).all()), np.zeros(())))

    @cached_property
    def entries(self) -> np.ndarray:
        return np.broadcast_to(self._sum("entries"), self.block.rows.shape)

    @cached_property
    def linear(self) -> np.ndarray:
        return np.broadcast_to(self._sum("linear"), (self.block.dim,))

    @property
    def square(self) -> float:
        return float(self._sum("square"))

    @cached_property
    def scale(self) -> np.ndarray:
        """What makes the diagonal of Λ one: (dim,)."""
        diagonal = self.entries[self.block.rows == self.block.cols]
        return np.where(diagonal > 0, diagonal, 1.0) ** -0.5

    @property
    def scaled(self) -> sparse.csc_array:
        """Λ with a unit diagonal."""
        rows, cols = self.block.rows, self.block.cols
        entries, below = self.entries * self.scale[rows] * self.scale[cols], rows != cols
        both = np.r_[rows, cols[below]], np.r_[cols, rows[below]]
        return sparse.csc_array((np.r_[entries, entries[below]], both), shape=(self.block.dim, self.block.dim))

    @cached_property
    def solver(self) -> Solver | None:
        """Solves with the scaled Λ and a ridge; None where there is none."""
        matrix = self.scaled + RIDGE * sparse.eye_array(self.block.dim, format="csc")
        try:
            return _dense(matrix) if matrix.nnz > DENSE * self.block.dim**2 else _sparse(matrix)
        except (RuntimeError, linalg.LinAlgError):  # singular in spite of it
            return None

    def step(self) -> np.ndarray | None:
        """From the centre to the least squares solution (dim,); None where there is none."""
        found = None if self.solver is None else self.scale * self.solver(self.scale * self.linear)
        return found if found is not None and np.isfinite(found).all() else None


def _dense(matrix: Any) -> Solver:
    factor = linalg.cho_factor(matrix.toarray())
    return lambda h: np.asarray(linalg.cho_solve(factor, h))


def _sparse(matrix: Any) -> Solver:
    return cast(Solver, splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve)


def _weight(group: moments.Group, form: Form, before: float) -> float:
    """One over the square of the scale that residuals have, where it is not known."""
    if group.scale is None:
        return 1.0
    square, size = float(form.square), float(form.size)
    return float(size / max(square, THIN**2 / before * size)) if size and np.isfinite(square) else before
