"""What a fit says of discrete latents that were summed out, besides draws of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from emfppl.compiler.ast_to_checked.context import listed
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.runtime.compile import count_elements
from emfppl.runtime.discrete.elimination import Elimination
from emfppl.runtime.precision import precision

if TYPE_CHECKING:
    from emfppl.runtime.posterior import Posterior

MEMORY = 20_000_000  # numbers held at once


def probabilities(fit: Posterior, name: str) -> np.ndarray:
    """The probabilities of the values of each element, averaged over the draws: the variable's shape and one more axis."""
    _elimination_of(fit, name)
    program, guide = fit.program, fit.result.guide

    def one(params: Any, values: Any, data: Any) -> Any:
        return program.probabilities(values, guide.given(params, data))

    return _averaged(fit, "probabilities", one)[name]


def most_probable(fit: Posterior, name: str) -> np.ndarray:
    """Of each element the value with the largest probability; for a chain the path for which the log joint density, averaged over
    the draws, is largest."""
    elimination = _elimination_of(fit, name)
    marginal = elimination.marginal
    low = elimination.grids[name].low
    if marginal.chains[marginal.names.index(name)] is None:
        return np.argmax(probabilities(fit, name), axis=-1) + low
    number, guide = fit.program.eliminations.index(elimination), fit.result.guide

    def one(params: Any, values: Any, data: Any) -> Any:
        return fit.program.tables(values, guide.given(params, data))[number][1]

    tables = _averaged(fit, f"tables {number}", one)
    with precision(fit.result.precision):
        return np.asarray(jax.jit(lambda tables: elimination.mode(tables)[name])(tables))


def _averaged(fit: Posterior, key: str, one: Any) -> Any:
    """The mean over the draws of what a function says of each, some draws at a time."""
    given = {name: fit.draws[name] for name in fit.latents}
    if not given:
        with precision(fit.result.precision):
            return jax.device_get(jax.jit(one)(fit.result.params, {}, fit.program.data))
    count = fit.num_draws
    size = int(np.clip(MEMORY / max(count_elements(fit.program), 1), 1, count))
    total = None
    with precision(fit.result.precision):
        for start in range(0, count, size):
            some = {n: v[start : start + size] for n, v in given.items()}
            found = fit.mapped(key, one)(fit.result.params, some, fit.program.data)
            part = jax.tree.map(lambda v: np.sum(np.asarray(v), axis=0), found)
            total = part if total is None else jax.tree.map(np.add, total, part)
    return jax.tree.map(lambda v: v / count, total)


def _elimination_of(fit: Posterior, name: str) -> Elimination:
    """The elimination that a variable belongs to; raises `EmfError` E1302."""
    for elimination in fit.program.eliminations:
        if name in elimination.grids:
            return elimination
    there = [n for e in fit.program.eliminations for n in e.grids]
    known = f"there are {listed(f'`{n}`' for n in there)}" if there else "this program has none"
    message = f"`{name}` is no discrete latent that was summed out."
    raise EmfError([Diagnostic("E1302", message, hint=known)])
