"""What a fit says of discrete latents that were summed out, besides draws of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.compiler.ast_to_checked.context import listed
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.runtime.discrete.elimination import Elimination
from emfppl.runtime.fit import count_elements
from emfppl.runtime.named import Named
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
    labels: dict[int, tuple[str, ...]] = {}

    def one(params: Any, values: Any, data: Any) -> Any:
        _, tables = fit.program.tables(values, guide.given(params, data))[number]
        labels.update({n: t.labels for n, t in tables.items()})
        return {str(n): jnp.asarray(t.array) for n, t in tables.items()}

    found = _averaged(fit, f"tables {number}", one)
    with precision(fit.result.precision):
        if not labels:  # the function was compiled before
            jax.eval_shape(one, fit.result.params, _first(fit), fit.program.data)
        tables = {int(n): Named(jnp.asarray(a), labels[int(n)]) for n, a in found.items()}
        return np.asarray(jax.jit(lambda: elimination.mode(tables)[name])())


def _first(fit: Posterior) -> dict[str, np.ndarray]:
    return {name: fit.draws[name][0] for name in fit.latents}


def _averaged(fit: Posterior, key: str, one: Any) -> dict[str, np.ndarray]:
    """The mean over the draws of what a function says of each, some draws at a time."""
    given = {name: fit.draws[name] for name in fit.latents}
    if not given:
        with precision(fit.result.precision):
            return {n: np.asarray(v) for n, v in jax.jit(one)(fit.result.params, {}, fit.program.data).items()}
    count = fit.num_draws
    size = int(np.clip(MEMORY / max(count_elements(fit.program), 1), 1, count))
    total: dict[str, np.ndarray] = {}
    with precision(fit.result.precision):
        for start in range(0, count, size):
            some = {n: v[start : start + size] for n, v in given.items()}
            for n, v in fit.mapped(key, one)(fit.result.params, some, fit.program.data).items():
                total[n] = total.get(n, 0.0) + np.sum(np.asarray(v), axis=0)
    return {n: v / count for n, v in total.items()}


def _elimination_of(fit: Posterior, name: str) -> Elimination:
    """The elimination that a variable belongs to; raises `EmfError` E1302."""
    for elimination in fit.program.eliminations:
        if name in elimination.grids:
            return elimination
    there = [n for e in fit.program.eliminations for n in e.grids]
    known = f"there are {listed(f'`{n}`' for n in there)}" if there else "this program has none"
    message = f"`{name}` is no discrete latent that was summed out."
    raise EmfError([Diagnostic("E1302", message, hint=known)])
