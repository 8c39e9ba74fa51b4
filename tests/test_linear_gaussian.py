"""Law 6: no ELBO exceeds the exact evidence; where a program is linear and Gaussian it reaches it, and the posterior is the exact
one. The exact one comes from the oracle, whose log joint, a quadratic form, is told by its values at a few points."""

from __future__ import annotations

import json
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from oracle import Oracle
from strategies import Generated, linear_programs
from test_laws import checked_of

import emfppl
from emfppl.compiler.graph import Role
from emfppl.compiler.pipeline import compile_text
from emfppl.grammar.source import SourceText
from emfppl.runtime.bind import bind
from emfppl.runtime.gaussian.block import block_of
from emfppl.runtime.precision import precision
from emfppl.runtime.program import Program

few = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
pytestmark = pytest.mark.usefixtures("quickly_compiled")
MOST = 24  # latents


def exact(g: Generated, graph) -> tuple[list[tuple[str, tuple[int, ...]]], np.ndarray, np.ndarray, float]:
    """The names and shapes of the latents that matter, their posterior mean and covariance, and the log evidence."""
    sizes = {**g.sizes}
    latents = [(v.name, tuple(sizes[d] for d in v.dims)) for v in graph.of_role(Role.LATENT)]
    ends = np.cumsum([int(np.prod(shape, dtype=int)) for _, shape in latents])
    oracle = Oracle(checked_of(g), g.sizes, g.data)
    dim = int(ends[-1])

    def joint(x):
        parts = np.split(x, ends[:-1])
        return oracle.log_joint({name: part.reshape(shape) for (name, shape), part in zip(latents, parts, strict=True)})

    e, zero = np.eye(dim), joint(np.zeros(dim))
    plus, minus = np.array([joint(x) for x in e]), np.array([joint(-x) for x in e])
    linear = (plus - minus) / 2
    precision_matrix = np.diag(2 * zero - plus - minus)
    for i in range(dim):
        for j in range(i):
            mixed = joint(e[i] + e[j]) - plus[i] - plus[j] + zero
            precision_matrix[i, j] = precision_matrix[j, i] = -mixed
    covariance = np.linalg.inv(precision_matrix)
    mean = covariance @ linear
    evidence = zero + 0.5 * linear @ mean + 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
    kept = np.concatenate([np.full(int(np.prod(s, dtype=int)), name not in graph.barren) for name, s in latents])
    return [p for p in latents if p[0] not in graph.barren], mean[kept], covariance[np.ix_(kept, kept)], float(evidence)


def of_size(g: Generated):
    """The graph, if it has latents that matter, and not too many in all."""
    graph = compile_text(SourceText(g.text))
    numbers = [int(np.prod([g.sizes[d] for d in v.dims], dtype=int)) for v in graph.of_role(Role.LATENT)]
    assume(graph.gaussian and sum(numbers) <= MOST)
    return graph


@few
@given(linear_programs())
def test_linear_programs_are_blocks_with_the_exact_posterior(g: Generated):
    graph = of_size(g)
    assert not graph.gaussian.outer and not graph.gaussian.terms
    with precision("float64"):
        block = block_of(Program(bind(graph, g.data)))
        form, apart = jax.jit(lambda: (block.quadratic({}, None, block.prepared()), block.outer_log_density({})))()
        values = lambda z: block.coordinates.ravel(block.values(z, {}))  # noqa: E731
        zero = np.zeros(block.dim)
        origin, jacobian = jax.jit(lambda z: (values(z), jax.jacfwd(values)(z)))(zero)
        entries, linear, constant, apart, origin, jacobian = map(np.asarray, (*form, apart, origin, jacobian))
    matrix = np.zeros((block.dim, block.dim))
    matrix[block.rows, block.cols] = matrix[block.cols, block.rows] = entries
    names, mean, covariance, evidence = exact(g, graph)
    assert [name for name, _ in names] == list(block.inner)
    found = np.linalg.inv(matrix)
    np.testing.assert_allclose(jacobian @ found @ jacobian.T, covariance, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(origin + jacobian @ found @ linear, mean, rtol=1e-6, atol=1e-7)
    total = apart + constant + 0.5 * linear @ found @ linear + 0.5 * np.linalg.slogdet(2 * np.pi * found)[1]
    np.testing.assert_allclose(total, evidence, rtol=1e-8, atol=1e-7)


# ---------------------------------------------------------------- through the user's call


def fitted(graph, text, data, draws=20_000):
    """A fit, and its draws of the latents side by side."""
    fit = emfppl.fit(text, data, seed=1, num_draws=draws, progress=False)
    return fit, np.concatenate([np.reshape(fit.draws[n], (draws, -1)) for n in graph.gaussian.inner], axis=1)


@settings(few, max_examples=3)
@given(linear_programs())
def test_law_6_fits_of_linear_programs_are_exact(g: Generated):
    graph = of_size(g)
    _, mean, covariance, evidence = exact(g, graph)
    fit, draws = fitted(graph, g.text, g.data)
    assert fit.elbo == pytest.approx(evidence, rel=1e-6, abs=1e-6)
    noise = np.linalg.inv(np.linalg.cholesky(covariance)) @ (draws - mean).T
    error = 1 / np.sqrt(len(draws))
    assert np.abs(noise.mean(1)).max() < 5 * error
    np.testing.assert_allclose(np.cov(noise), np.eye(len(mean)), atol=8 * error)


PAPER = Path(__file__).parents[1] / "examples/paper"
REFERENCES = json.loads((PAPER / "references.json").read_text())


@pytest.mark.parametrize("task", ["brownian_smoothing", "brownian_bridge", "linear_tree_4", "linear_tree_8"])
def test_the_papers_linear_tasks_are_exact(task):
    reference = REFERENCES[task]
    fit = emfppl.fit(PAPER / reference["model"], PAPER / reference["data"], progress=False)
    assert fit.elbo == pytest.approx(reference["log_evidence"], abs=1e-6)
    if "log_posterior_of_truth" in reference:
        truth = {name: np.array(value) for name, value in reference["truth"].items()}
        assert fit.log_prob(truth) == pytest.approx(reference["log_posterior_of_truth"], abs=1e-6)
