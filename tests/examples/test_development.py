"""The models of posteriordb and of the paper: joint densities against models written by hand, and the laws of the bijection.

Points come from the transform of the supports alone (all gates shut): they are tame where a prior is too wide to be drawn from.
"""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import hand_paper
import hand_posteriordb
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from benchmarks.agreement import PAPER, paper, posteriordb
from emfppl.compiler.graph import RandomNode, Structured
from emfppl.compiler.pipeline import compile_text
from emfppl.grammar.source import SourceText
from emfppl.runtime.bind import bind
from emfppl.runtime.precision import precision
from emfppl.runtime.program import Program
from emfppl.runtime.read_data import read_data

# differential equations are compared at tolerances below those of the tests
TIGHT = {"lotka_volterra": (", ts, theta)", ", ts, theta, rtol = 1e-12, atol = 1e-12)")}
# one case for each pair of model and data
CASES = {c.name: c for c in {(c.model, c.data): c for c in (*paper(), *posteriordb())}.values()}


pytestmark = pytest.mark.usefixtures("quickly_compiled")


def by_hand(case):
    """log p(latents) and log p(data | latents), as functions of both."""
    module = hand_paper if case.model.parent == PAPER else hand_posteriordb
    return module.BY_HAND[case.model.stem]


@lru_cache
def plain_data(path: Path | None) -> dict[str, np.ndarray]:
    """The data as arrays, read without emfppl; nan where an entry is missing."""
    if path is None:
        return {}
    if path.suffix == ".csv":
        with path.open() as file:
            rows = list(csv.DictReader(file))
        return {k: np.array([float(r[k]) for r in rows]) for k in rows[0]}
    data = json.loads(path.read_text())
    return {k: np.array(v, float if isinstance(v, list) and None in v else None) for k, v in data.items()}


def program_of(case) -> Program:
    """With every latent in the guide, also where no data are below it."""
    text = case.model.read_text().replace(*TIGHT.get(case.model.stem, ("", "")))
    graph = replace(compile_text(SourceText(text, str(case.model))), barren=frozenset())
    return Program(bind(graph, {} if case.data is None else read_data(case.data)))


def noises(program: Program, count: int) -> list[dict[str, jax.Array]]:
    rng = np.random.default_rng(0)
    return [{k: jnp.asarray(0.5 * rng.normal(size=s)) for k, s in program.noise_shapes.items()} for _ in range(count)]


def latents(program: Program, values: dict) -> dict:
    names = {program.noise_variables[key] for key in program.noise_shapes}
    return {name: values[name] for name in names}


def coordinates(program: Program, values: dict) -> jax.Array:
    """The coordinates that a density is taken in: a simplex without its last entry."""
    nodes = [n for n in program.graph.nodes if isinstance(n, RandomNode)]
    simplexes = {n.target.name for n in nodes if n.support == Structured("simplex")}
    found = latents(program, values)
    return jnp.concatenate([jnp.ravel(x[..., :-1] if k in simplexes else x) for k, x in found.items()])


def both_ways(program: Program, gates):
    """A function of noise: values, log determinant, noise again, log determinant back, log density, Jacobian."""

    def at(noise):
        values, log_det = program.forward(noise, gates)
        back, back_det = program.inverse(latents(program, values), gates)
        return values, log_det, back, back_det, program.log_density(latents(program, values))

    return jax.jit(at)


def assert_there_and_back(noise, back, log_det, back_det):
    for key, u in noise.items():
        np.testing.assert_allclose(back[key], u, rtol=1e-7, atol=1e-7, err_msg=key)
    assert float(back_det) == pytest.approx(-float(log_det), rel=1e-9, abs=1e-7)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_joint_density_is_that_of_the_model_by_hand(case):
    """At ten random points, up to a constant; and there and back."""
    with precision("float64"):
        program = program_of(case)
        shut = {k: np.zeros(s) for k, s in program.noise_shapes.items()}
        at, hand, data = both_ways(program, shut), by_hand(case), plain_data(case.data)
        ours, theirs = [], []
        for noise in noises(program, 10):
            values, log_det, back, back_det, density = at(noise)
            assert_there_and_back(noise, back, log_det, back_det)
            ours.append(float(density))
            theirs.append(float(sum(hand({k: np.asarray(v) for k, v in latents(program, values).items()}, data))))
    assert np.all(np.isfinite(theirs))
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), rtol=1e-8, atol=1e-8 * np.max(np.abs(theirs)) ** 0.5)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_laws_of_the_bijection(case):
    """The log determinant half gated is that of autodiff's Jacobian; ungated the map is the prior."""
    with precision("float64"):
        program = program_of(case)
        (noise, *more) = noises(program, 3)
        half = {k: jnp.full(s, 0.6) for k, s in program.noise_shapes.items()}
        flat, unflatten = ravel_pytree(noise)
        of = lambda u: program.forward(unflatten(u), half)  # noqa: E731
        jacobian, (_, log_det) = jax.jit(lambda u: (jax.jacrev(lambda w: coordinates(program, of(w)[0]))(u), of(u)))(flat)
        assert float(log_det) == pytest.approx(np.linalg.slogdet(np.asarray(jacobian))[1], rel=1e-7, abs=1e-7)
        ungated = both_ways(program, None)
        offsets = []
        for u in (noise, *more):
            values, log_det, back, back_det, _ = ungated(u)
            assert_there_and_back(u, back, log_det, back_det)
            log_prior = by_hand(case)({k: np.asarray(v) for k, v in latents(program, values).items()}, plain_data(case.data))[0]
            log_noise = sum(float(-0.5 * jnp.sum(x**2)) for x in u.values())
            offsets.append(log_noise - float(log_det) - log_prior)
        if not program.plain:
            np.testing.assert_allclose(offsets, offsets[0], rtol=1e-8, atol=1e-7)


def gaussian_evidence(program: Program, start) -> float:
    """log p(y) of a density that is Gaussian in the latents: log p(y, x*) + n/2 log 2π − ½ log |−H| at its mode x*."""
    flat, unflatten = ravel_pytree(start)
    density = lambda x: program.log_density(unflatten(x))  # noqa: E731
    value, slope, curvature = jax.jit(lambda x: (density(x), jax.grad(density)(x), jax.hessian(density)(x)))(flat)
    at_mode = float(value) - 0.5 * float(slope @ np.linalg.solve(curvature, slope))
    return at_mode + 0.5 * len(flat) * np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(-np.asarray(curvature))[1]


@pytest.mark.parametrize("task", [t for t in paper() if t.truth and t.log_evidence is not None], ids=lambda t: t.name)
def test_the_evidence_of_what_is_linear_and_gaussian(task):
    """And that of data and truth together: log p(y, x) = log p(y) + log p(x | y)."""
    with precision("float64"):
        program, truth = program_of(task), {k: jnp.asarray(v) for k, v in task.truth.items()}
        assert gaussian_evidence(program, truth) == pytest.approx(task.log_evidence, rel=1e-8)
        if task.log_posterior_of_truth is not None:
            joint = task.log_evidence + task.log_posterior_of_truth
            assert float(program.log_density(truth)) == pytest.approx(joint, rel=1e-9)
