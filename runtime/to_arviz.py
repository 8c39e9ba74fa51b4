"""A posterior as ArviZ `InferenceData`. Draws of a guide are one chain, those of NUTS several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.compiler.graph import Graph, Role
from emfppl.runtime.bind import Binding
from emfppl.runtime.precision import precision

if TYPE_CHECKING:
    import arviz

    from emfppl.runtime.posterior import Draws, Posterior


def to_arviz(fit: Posterior) -> arviz.InferenceData:
    """The groups posterior, posterior_predictive, constant_data, and with the data log_likelihood and observed_data."""
    import arviz

    binding = fit.program.binding
    chains = {"posterior": fit.draws, "posterior_predictive": fit.predict()}
    plain = {"observed_data": _values(binding, Role.OBSERVED), "constant_data": _values(binding, Role.DATA)}
    if plain["observed_data"]:
        chains["log_likelihood"] = log_likelihood(fit, fit.draws, fit.num_draws)
    groups = {name: _dataset(binding, _by_chain(group, fit.num_chains), ["chain", "draw"]) for name, group in chains.items()}
    groups |= {name: _dataset(binding, group, []) for name, group in plain.items() if group}
    return arviz.InferenceData(attrs={"inference_library": "emfppl", "guide": fit.guide}, **groups)


def _dataset(binding: Binding, arrays: Draws, leading: list[str]) -> Any:
    """An xarray Dataset of arrays with some leading dims; of a variable's dims those that the array still has."""
    import arviz

    dims = {n: _dims(binding.graph, n)[: np.ndim(x) - len(leading)] for n, x in arrays.items()}
    used = {d for names in dims.values() for d in names}
    coords = {d: list(binding.labels(d)) for d in sorted(used)}
    return arviz.dict_to_dataset(arrays, dims=dims, coords=coords, default_dims=leading)


def _by_chain(draws: Draws, chains: int) -> Draws:
    return {name: np.reshape(value, (chains, -1, *np.shape(value)[1:])) for name, value in draws.items()}


def _values(binding: Binding, role: Role) -> Draws:
    """Data of a role, missing entries as NaN."""
    out = {}
    for variable in binding.graph.of_role(role):
        if variable.name in binding.values:
            value = np.asarray(binding.values[variable.name])
            mask = binding.missing.get(variable.name)
            out[variable.name] = value if mask is None else np.where(mask, np.nan, value)
    return out


def log_likelihood(fit: Posterior, draws: Draws, count: int) -> Draws:
    """The log density of every observed entry at so many draws, by variable, leading axis draws; nan where the entry is missing."""
    guide, program = fit.result.guide, fit.program
    latents = {name: draws[name] for name in program.noise_variables.values()}

    def one(params: Any, row: Any, data: Any) -> Any:
        return program.log_likelihood(row[1], guide.given(params, data))

    with precision(fit.result.precision):
        run = jax.jit(lambda params, many, data: jax.lax.map(lambda v: one(params, v, data), many, batch_size=100))
        found = run(fit.result.params, (jnp.arange(count), latents), program.data)  # there may be no latents
        return {name: np.asarray(value) for name, value in found.items()}


def _dims(graph: Graph, name: str) -> list[str]:
    """The names of the dims of a variable; a primed dim keeps its prime."""
    return list(graph.variable(name).dims)
