"""The point that the quadratic form of a Gaussian block is counted from: near to what the data say of the inner latents.

Counted from zero, the log evidence of data y = 10⁴ ± 1 is a difference of sums of squares of the size of 10⁸, of which single
precision keeps nothing. Counted from any point near the mode its terms are squares of residuals. The point need not be the mode,
which moves with the outer latents: it is the solution of the least squares problem of all residuals, the outer latents being in the
middle of the prior, and a scale that a group of rows shares being that of its own residuals, found by turns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import splu

from emfppl.runtime.gaussian import moments
from emfppl.runtime.gaussian.outer import Outer

if TYPE_CHECKING:
    from emfppl.runtime.gaussian.block import Block, Form

TURNS = 3
RIDGE = 1e-12  # beside a diagonal of ones: what nothing is said of stays where it is
THIN = 1e-3  # a scale is at least so much of the one before
DENSE = 0.05  # share of entries that are not zero from which a matrix is taken to be full

Prepare = Callable[[Any, Any], tuple[dict[str, Any], "Form | None"]]


def preparation(block: Block) -> Prepare:
    """Of data and a centre: the data prepared, and the form of what can't be summed beforehand in the middle of the prior."""
    outer = Outer(block)
    keys = block.moments.others

    def prepare(data: Any, centre: jax.Array) -> tuple[dict[str, Any], Form | None]:
        prepared = block.prepared(data, centre)
        if not keys:
            return prepared, None
        noise = {key: jnp.zeros(block.program.noise_shapes[key]) for key in block.outer_keys}
        values, _ = outer.forward(noise, None, data)
        return prepared, block.form(lambda z: block.residuals(block.standing.gaussian, keys, z, values, None, data), centre)

    return prepare


def centred(block: Block, prepare: Prepare, data: Any) -> dict[str, Any]:
    """The data prepared about a centre that they tell, which is a number of single precision."""
    centre, groups = np.zeros(block.dim), block.moments.groups
    prepared, apart = prepare(data, centre)
    weights = np.ones(len(groups))
    for _ in range(TURNS):
        forms = [*zip(weights, prepared[moments.KEY].forms, strict=True), *([] if apart is None else [(1.0, apart)])]
        step = _solution(block, forms)
        if step is None:
            break
        centre = (centre + step).astype(np.float32).astype(float)
        prepared, apart = prepare(data, centre)
        weights = np.array(list(map(_weight, groups, prepared[moments.KEY].forms, weights)))
        if all(group.scale is None for group in groups):
            break
    return dict(jax.device_get(prepared))


def _weight(group: moments.Group, form: Form, before: float) -> float:
    """One over the square of the scale that residuals have, where it is not known."""
    if group.scale is None:
        return 1.0
    square, size = float(form.square), float(form.size)
    return float(size / max(square, THIN**2 / before * size)) if size and np.isfinite(square) else before


def _solution(block: Block, forms: list[tuple[float, Form]]) -> np.ndarray | None:
    """The centre of a sum of weighted forms (dim,), from where they are counted; None where there is none."""
    whole = [(w, np.asarray(form.entries), np.asarray(form.linear)) for w, form in forms]
    whole = [(w, entries, linear) for w, entries, linear in whole if np.isfinite(entries).all() and np.isfinite(linear).all()]
    if not whole:
        return None
    entries, linear = sum(w * e for w, e, _ in whole), sum(w * h for w, _, h in whole)
    found = _solve(block.rows, block.cols, np.asarray(entries), np.asarray(linear))
    return found if found is not None and np.isfinite(found).all() else None


def _solve(rows: np.ndarray, cols: np.ndarray, entries: np.ndarray, linear: np.ndarray) -> np.ndarray | None:
    """Λ⁻¹ linear of the symmetric Λ with these entries on and below the diagonal; scaled to a unit diagonal, with a ridge."""
    dim, below, diagonal = len(linear), rows != cols, entries[rows == cols]
    scale = np.where(diagonal > 0, diagonal, 1.0) ** -0.5
    scaled = entries * scale[rows] * scale[cols]
    both = np.r_[rows, cols[below]], np.r_[cols, rows[below]]
    matrix = sparse.csc_array((np.r_[scaled, scaled[below]], both), shape=(dim, dim)) + RIDGE * sparse.eye_array(dim, format="csc")
    try:
        if len(both[0]) > DENSE * dim**2:
            return scale * linalg.solve(matrix.toarray(), scale * linear, assume_a="pos")
        return scale * splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(scale * linear)
    except (RuntimeError, linalg.LinAlgError):  # singular
        return None
