"""Directions of a Gaussian block in which nothing ends: flat priors of which the data say nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from emfppl.compiler import graph as g
from emfppl.runtime.gaussian.forms import Forms
from emfppl.runtime.improper import improper

if TYPE_CHECKING:
    from emfppl.runtime.gaussian.block import Block

TURNS = 3  # of inverse iteration
LOW = 1e-11  # the curvature of a direction worth a closer look, beside a diagonal of ones
FAR, SAME = 1e9, 1e-4  # units of the residuals to go along it, and the change of their squares, beside them, that is rounding
PART = 1e-3  # of the largest part of a direction: what is less has no part in it
NAMED = 3  # entries of a variable that are named one by one


def refuse_directions(block: Block, forms: Forms) -> None:
    """Raises `EmfError` E1110 where the residuals are the same however far one goes from the centre in some direction, and flat
    priors and Gaussian terms alone have part in it. With outer latents drawn at random that is so wherever they are."""
    found = _direction(forms)
    if found is None or block.program.graph.of_role(g.Role.PARAM):  # params stand at their start, which may be special
        return
    names = [name for name in block.inner if _has_flat(block, name)]
    parts = {name: list(_parts(block, name, found)) for name in names}
    parts = {name: where for name, where in parts.items() if where}
    if not parts or _informed(block, found):
        return
    far = forms.about(forms.centre + FAR * forms.scale * found)
    if abs(far.square - forms.square) < SAME * (1 + forms.square):
        raise improper(block.program, {name: where if len(where) <= NAMED else [] for name, where in parts.items()})


def _direction(forms: Forms) -> np.ndarray | None:
    """The direction (dim,), of length 1, in which the scaled precision is all but zero; None where there is none."""
    solve, rng = forms.solver, np.random.default_rng(0)
    if solve is None:
        return None
    found = rng.normal(size=len(forms.centre))
    for _ in range(TURNS):
        found = solve(found / np.linalg.norm(found))
    found = found / np.linalg.norm(found)
    return found if np.isfinite(found).all() and found @ (forms.scaled @ found) < LOW else None


def _has_flat(block: Block, name: str) -> bool:
    return any(isinstance(n, g.RandomNode) and n.dist.name == "Flat" for n in block.program.graph.defining(name))


def _parts(block: Block, name: str, direction: np.ndarray) -> Iterator[tuple[int, ...]]:
    """The entries of a variable that have part in a direction."""
    start, stop = block.coordinates.pieces[block.inner.index(name)]
    large = np.abs(direction[start:stop]) > PART * np.abs(direction).max()
    yield from (tuple(map(int, at)) for at in np.argwhere(large.reshape(block.program.shapes[name])))


def _informed(block: Block, direction: np.ndarray) -> bool:
    """Whether something that is not Gaussian looks along a direction."""
    large = np.flatnonzero(np.abs(direction) > PART * np.abs(direction).max())
    return any(np.isin(ids, large).any() for ids in block.sites.footprints)
