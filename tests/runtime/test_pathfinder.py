"""Normal approximations along paths of L-BFGS, against closed forms and Newton's method."""

from __future__ import annotations

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emfppl.compiler.pipeline import compile_text
from emfppl.grammar.source import SourceText
from emfppl.runtime import ladder
from emfppl.runtime.bind import bind
from emfppl.runtime.choose_guide import build_guide
from emfppl.runtime.guides.backbone import Frame
from emfppl.runtime.optimise.mode import Mode, find_mode
from emfppl.runtime.optimise.pathfinder import MEMORY, Curvature, Normal, find_normal
from emfppl.runtime.optimise.quasi_newton import balanced_noise
from emfppl.runtime.optimise.starts import Starts
from emfppl.runtime.precision import precision
from emfppl.runtime.program import Program
from emfppl.runtime.recipe import Recipe

LARGE = 300


@pytest.fixture(autouse=True)
def double():
    with precision("float64"):
        yield


def correlated(dim, seed=0):
    """A normal posterior of standard normal noise: centre, and precision I plus 3 directions that data tell of."""
    rng = np.random.default_rng(seed)
    seen = rng.normal(size=(dim, 3)) * [1.0, 0.5, 0.2]
    return rng.normal(size=dim), np.eye(dim) + seen @ seen.T


def normal_slope(centre, curvature):
    """The log density without its constant, with its gradient."""
    return lambda x: (-0.5 * (x - centre) @ curvature @ (x - centre), -curvature @ (x - centre))


def covariance(normal):
    rank = (normal.directions * normal.stretch) @ normal.directions.T
    return normal.scale[:, None] * (np.eye(normal.scale.size) + rank) * normal.scale


def narrow(dim):
    return Normal.narrow(Frame(np.zeros(dim), np.full(dim, 0.1)))


def divergence(normal, centre, curvature):
    """KL(normal ‖ posterior) in closed form."""
    spread, away = covariance(normal), normal.loc - centre
    log_dets = np.linalg.slogdet(spread)[1] + np.linalg.slogdet(curvature)[1]
    return 0.5 * (np.trace(curvature @ spread) + away @ curvature @ away - away.size - log_dets)


def test_a_correlated_posterior_in_many_dimensions():
    centre, curvature = correlated(LARGE)
    found = find_normal(normal_slope(centre, curvature), np.zeros((1, LARGE)), None, narrow(LARGE), 0)
    assert divergence(found, centre, curvature) < 3 < 500 < divergence(narrow(LARGE), centre, curvature)
    frame = found.frame(None)
    np.testing.assert_allclose(frame.scale @ frame.scale.T, covariance(found), atol=1e-9)
    assert np.all(np.diag(frame.scale) > 0) and np.all(np.triu(frame.scale, 1) == 0)


def test_independent_elements_get_the_widths_nearest_to_the_posterior():
    """Those of each coordinate given all others."""
    centre, curvature = correlated(LARGE)
    found = find_normal(normal_slope(centre, curvature), np.zeros((1, LARGE)), 0, narrow(LARGE), 0)
    best = Normal.narrow(Frame(centre, 1 / np.sqrt(np.diag(curvature))))
    assert divergence(found, centre, curvature) < divergence(best, centre, curvature) + 10
    assert divergence(narrow(LARGE), centre, curvature) > divergence(best, centre, curvature) + 500
    assert np.median(np.abs(np.log(found.frame(0).scale * np.sqrt(np.diag(curvature))))) < 0.05


def test_the_estimate_is_that_of_the_formula():
    """As BFGS's updates of the inverse Hessian one after the other give it, from the same diagonal."""
    rng = np.random.default_rng(1)
    root = rng.normal(size=(9, 9))
    hessian, estimate = root @ root.T + np.eye(9), Curvature(np.ones(9))
    for _ in range(MEMORY + 2):
        step = rng.normal(size=9)
        estimate.learn(step, hessian @ step)
    inverse = np.diag(estimate.diagonal)
    for step, change in estimate.pairs:
        left = np.eye(9) - np.outer(step, change) / (step @ change)
        inverse = left @ inverse @ left.T + np.outer(step, step) / (step @ change)
    point, gradient = rng.normal(size=(2, 9))
    normal = estimate.normal(point, gradient, estimate.diagonal)
    np.testing.assert_allclose(covariance(normal), inverse, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(normal.loc, point + inverse @ gradient, rtol=1e-6)
    estimate.learn(step, -step)  # the density is convex along it: nothing is learned
    assert len(estimate.pairs) == MEMORY and np.all(estimate.pairs[-1][1] == change)


def test_draws_and_their_weights():
    """The log weight under the posterior itself is its log evidence at any draw."""
    rng = np.random.default_rng(2)
    directions = np.linalg.qr(rng.normal(size=(5, 2)))[0]
    normal = Normal(rng.normal(size=5), np.exp(rng.normal(size=5)), directions, np.array([3.0, -0.6]))
    spread = covariance(normal)
    slope = normal_slope(normal.loc, np.linalg.inv(spread))
    exact = 0.5 * np.linalg.slogdet(2 * np.pi * spread)[1]
    np.testing.assert_allclose(normal.log_weights(slope, rng.normal(size=(4, 5))), exact, atol=1e-9)
    root = np.stack([normal.draw(e) - normal.loc for e in np.eye(5)], axis=1)
    np.testing.assert_allclose(root @ root.T, spread, rtol=1e-9)
    assert normal.log_weights(lambda x: (np.nan, x), np.zeros((1, 5))) == -np.inf


def banana(x, data):
    """A curved ridge with heavier tails than a normal distribution."""
    return -0.5 * x[0] ** 2 - 2.5 * jnp.log1p((x[1] - 0.3 * x[0] ** 2) ** 2 / 0.8) - jnp.sum(jnp.cosh(x[2:] - 1))


def test_against_the_normal_distribution_at_the_mode():
    """Paths end at Newton's mode, and the best on the way is no worse than Laplace's approximation there."""
    compiled = jax.jit(jax.value_and_grad(banana))
    slope = lambda x: tuple(np.asarray(v) for v in compiled(x, None))  # noqa: E731
    starts = np.stack([np.zeros(4), np.full(4, 2.0)])
    found, mode = find_normal(slope, starts, None, narrow(4), 0), find_mode(banana, starts, None)
    noise = np.random.default_rng(3).normal(size=(2000, 4))
    factor = mode.frame().scale
    at_mode = [slope(mode.point + factor @ e)[0] + 0.5 * e @ e for e in noise]
    laplace = np.mean(at_mode) + np.sum(np.log(np.diag(factor))) + 2 * np.log(2 * np.pi)
    assert found.log_weights(slope, noise).mean() > laplace - 0.1
    assert np.abs(np.linalg.solve(factor, found.loc - mode.point)).max() < 1


def test_nothing_where_nothing_is_finite():
    assert find_normal(lambda x: (np.nan, x), np.zeros((1, 3)), None, narrow(3), 0) is None


# ---------------------------------------------------------------- starts of guides

TEXT = """
dim k = 240
data y: real
z[k] ~ Normal(0, 1)
y ~ Normal(sum(z) * 0.1, 0.1)
"""


@pytest.fixture(scope="module")
def program():
    return Program(bind(compile_text(SourceText(TEXT)), {"y": 1.5}))


def begun(program, recipe, **options):
    """The starts of a guide, and their ELBOs on some draws."""
    guide = build_guide(program, recipe)
    task = SimpleNamespace(workshop=SimpleNamespace(starts=lambda g, t: Starts(g, 0, 500)), elements=500, batch=None)
    task.progress = SimpleNamespace(say=lambda text: None)
    found, _ = ladder._starts(SimpleNamespace(**{**vars(task), **options}), guide, recipe)
    eps = balanced_noise(512, guide.dim, 0)  # exact for what is normal
    weigh = jax.jit(jax.vmap(guide.log_weight, (None, 0, None)))
    return [float(np.mean(weigh(start.params, eps, guide.data))) for start in found]


def evidence():
    spread = 0.1**2 * 240 + 0.1**2
    return -0.5 * (1.5**2 / spread + np.log(2 * np.pi * spread))


@pytest.mark.parametrize("recipe", [Recipe("mean_field", gates="shut"), Recipe("low_rank", rank=4, gates="shut")])
def test_guides_of_many_latents_start_there(recipe, program):
    """With independent elements the posterior of all latents has a known best ELBO; a direction beside them could give all."""
    curvature = np.eye(240) + 1.0
    best = evidence() - 0.5 * (np.sum(np.log(np.diag(curvature))) - np.linalg.slogdet(curvature)[1])
    on_path, centre = begun(program, recipe)
    assert on_path > best - 1 and centre < best - 50
    assert on_path < evidence() + 1e-6


def test_batches_start_at_the_centre(program, monkeypatch):
    monkeypatch.setattr(Starts, "find_normal", lambda self: pytest.fail("that is a pass through all data"))
    assert len(begun(program, Recipe("mean_field", gates="shut"), batch=("k", 10))) == 2


def test_a_full_covariance_without_a_hessian_starts_there(program, monkeypatch):
    monkeypatch.setattr("emfppl.runtime.optimise.starts.MODE_MEMORY", 100)
    on_path, _ = begun(program, Recipe("full_rank", gates="shut"))
    assert on_path == pytest.approx(evidence(), abs=0.1)


def test_it_comes_before_a_mode_that_has_not_settled(program, monkeypatch):
    wrong = Mode(np.full(240, 0.02), -5.0, 1e4 * np.eye(240), settled=False)
    monkeypatch.setattr(Starts, "find_mode", lambda self: wrong)
    on_path, at_mode = begun(program, Recipe("full_rank", gates="shut"))
    assert on_path == pytest.approx(evidence(), abs=0.1) and at_mode < on_path - 100


def test_a_low_rank_start_keeps_its_directions():
    rng = np.random.default_rng(4)
    directions = np.linalg.qr(rng.normal(size=(6, 3)))[0]
    normal = Normal(rng.normal(size=6), np.exp(rng.normal(size=6)), directions, np.array([-0.5, 2.0, 5.0])).within(2)
    frame = normal.frame(2)
    np.testing.assert_allclose(frame.widths**2, np.diag(covariance(normal)), rtol=1e-9)
    root = frame.scale[:, None] * (np.eye(6) + frame.weights @ frame.weights.T)
    np.testing.assert_allclose(root @ root.T, covariance(normal), rtol=1e-9, atol=1e-12)
    assert normal.stretch.size == 2
