"""The programs with discrete latents on file: data simulated from each, then its bijection, density, gradients and conditional
draws."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emfppl.compiler.graph import Role
from emfppl.compiler.pipeline import compile_text
from emfppl.grammar.source import SourceText
from emfppl.runtime.bind import bind
from emfppl.runtime.precision import precision
from emfppl.runtime.program import Program

PROGRAMS = sorted((Path(__file__).parents[1] / "golden" / "good").glob("discrete_*.emf"))
SIZES = {
    "time": 6, "animal": 4, "occasion": 3, "year": 5, "plot": 7, "obs": 8, "site": 4, "visit": 3, "person": 5, "item": 4, "day": 7,
    "annotator": 3, "label": 9, "patient": 4,
}  # fmt: skip


pytestmark = pytest.mark.usefixtures("quickly_compiled")


def predictors(graph, rng) -> dict[str, np.ndarray]:
    """Data that no statement draws: numbers above 0, and positions."""
    known = {d.name: d.size.value for d in graph.dims if d.size is not None}
    out = {}
    for v in graph.of_role(Role.DATA):
        shape = [known.get(d.rstrip("'"), SIZES.get(d.rstrip("'"))) for d in v.dims]
        if v.default is None:
            out[v.name] = rng.integers(0, known.get(v.of) or SIZES[v.of], shape) if v.of else rng.uniform(0.5, 1.5, shape)
    return out


@pytest.mark.parametrize("path", PROGRAMS, ids=[p.stem for p in PROGRAMS])
def test_the_program_runs_both_ways(path):
    graph, rng = compile_text(SourceText(path.read_text(), path.name)), np.random.default_rng(5)
    sizes = {d.name: SIZES[d.name] for d in graph.dims if d.size is None}
    with precision("float64"):
        known = predictors(graph, rng)
        prior = Program(bind(graph, known, sizes))
        simulated = jax.jit(prior.simulate)(jax.random.key(1))
        observed = {v.name: np.asarray(simulated[v.name], float) for v in graph.of_role(Role.OBSERVED)}
        for v in graph.of_role(Role.OBSERVED):
            if v.optional:
                observed[v.name].flat[1] = np.nan
        program = Program(bind(graph, {**known, **observed}, sizes))
        assert program.marginals
        noise = {k: jnp.asarray(0.5 * rng.normal(size=s)) for k, s in program.noise_shapes.items()}

        @jax.jit
        def everything(noise):
            values, log_det = program.forward(noise)
            latents = {n: values[n] for n in program.selection.guided}
            back, log_det_back = program.inverse(latents)
            density, slopes = jax.value_and_grad(program.log_density)(latents)
            drawn = jax.vmap(lambda key: program.draw_discrete(key, latents))(jax.random.split(jax.random.key(0), 2000))
            return back, log_det + log_det_back, density, slopes, drawn, program.probabilities(latents)

        back, log_dets, density, slopes, drawn, probabilities = everything(noise)
    for key, u in noise.items():
        np.testing.assert_allclose(back[key], u, rtol=1e-7, atol=1e-8, err_msg=key)
    assert abs(float(log_dets)) < 1e-7
    assert np.isfinite(density)
    assert all(np.isfinite(s).all() for s in slopes.values())
    for elimination in program.eliminations:
        for name, grid in elimination.grids.items():
            shares = (np.asarray(drawn[name])[..., None] == grid.low + np.arange(grid.values)).mean(axis=0)
            expected = np.asarray(probabilities[name])
            assert np.abs(shares - expected).max() < 0.06, name  # five standard errors of 2000 draws
            assert (shares[expected == 0] == 0).all()
