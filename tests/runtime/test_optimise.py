"""The optimisers: modes of badly scaled densities, lanes, rounds that stop."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emfppl.compiler.pipeline import compile_text
from emfppl.grammar.source import SourceText
from emfppl.runtime.bind import bind
from emfppl.runtime.choose_guide import build_guide
from emfppl.runtime.optimise.lanes import Span, Ways, antithetic, begin, make_chunk, mean_and_slope, settled
from emfppl.runtime.optimise.mode import derivatives, differences, find_mode
from emfppl.runtime.optimise.rounds import Score, Search
from emfppl.runtime.optimise.starts import Starts
from emfppl.runtime.precision import precision
from emfppl.runtime.program import Program
from emfppl.runtime.recipe import Recipe


@pytest.fixture(autouse=True)
def double():
    with precision("float64"):
        yield


# ---------------------------------------------------------------- modes


def badly_scaled():
    """A normal distribution with scales from 1e-3 to 1e4 and correlations of .999."""
    scales = np.array([1e-3, 1.0, 1e4])
    correlations = np.full((3, 3), 0.999) + 0.001 * np.eye(3)
    covariance = scales[:, None] * correlations * scales
    return np.array([2.0, -3.0, 5e4]), covariance


def test_mode_of_a_normal_distribution():
    centre, covariance = badly_scaled()
    precision_matrix = np.linalg.inv(covariance)

    def density(x, data):
        return -0.5 * (x - centre) @ precision_matrix @ (x - centre)

    mode = find_mode(density, np.zeros((2, 3)), None)
    assert mode.settled and mode.concave
    np.testing.assert_allclose(mode.point, centre, rtol=1e-6)
    frame = mode.frame()
    np.testing.assert_allclose(frame.scale @ frame.scale.T, covariance, rtol=1e-6)
    assert np.all(np.diag(frame.scale) > 0) and np.all(np.triu(frame.scale, 1) == 0)
    exact = 0.5 * np.linalg.slogdet(2 * np.pi * covariance)[1]
    assert mode.log_evidence == pytest.approx(exact, rel=1e-6)  # Laplace is exact here


def test_mode_far_away_through_a_region_that_is_not_concave():
    """A Student t with its tail between: Newton's own step would go the wrong way."""
    mode = find_mode(lambda x, data: -jnp.sum(jnp.log1p((x - data) ** 2)), np.array([[40.0, -60.0]]), np.array([1.0, 2.0]))
    np.testing.assert_allclose(mode.point, [1, 2], atol=1e-6)
    assert mode.concave


def test_derivatives_by_differences_of_slopes():
    """For what can be differentiated backwards only; they agree with exact ones where both exist."""
    function = lambda x: jnp.sum(jnp.sin(x[0] * x[1]) - jnp.exp(0.3 * x))  # noqa: E731
    x = jnp.array([0.4, -1.2])
    for found, exact in zip(differences(function, x), derivatives(function, x), strict=True):
        np.testing.assert_allclose(found, exact, rtol=1e-7)
    head = "dim time\ndata t[time]: positive\ndata y[time]: real\ndef decay(s, z: real, k: real) { return -k * z }\n"
    for line, second in (("z[time] = ode(decay, 1, 0, t, k)\n", differences), ("z[time] = exp(-k * t)\n", derivatives)):
        graph = compile_text(SourceText(head + "k ~ LogNormal(0, 1)\n" + line + "y[time] ~ Normal(z, 0.1)\n"))
        program = Program(bind(graph, {"t": [0.5, 1.0, 2.0], "y": [0.7, 0.5, 0.2]}))
        assert Starts(build_guide(program, Recipe("full_rank", gates="shut")), 0, 10).second is second


def test_the_better_of_two_modes():
    density = lambda x, _: jnp.logaddexp(-0.5 * x[0] ** 2, 3 - 0.5 * (x[0] - 20) ** 2)  # noqa: E731
    mode = find_mode(density, np.array([[-1.0], [17.0]]), None)
    np.testing.assert_allclose(mode.point, [20], atol=1e-6)


def test_no_mode_where_nothing_is_finite():
    assert find_mode(lambda x, _: jnp.sum(jnp.log(-(x**2))), np.ones((2, 2)), None) is None


# ---------------------------------------------------------------- lanes


def objective(params, fixed, eps, data):
    return -jnp.sum((params["x"] - data) ** 2) + 0.1 * jnp.sum(eps) + fixed


LANES = {"x": np.array([[0.0, 0.0], [5.0, 5.0]])}
WAYS = Ways(np.array([0.1, 0.02]))


def run(chunk, spans):
    state, data = begin(LANES), np.array([1.0, -1.0])
    for first, last in spans:
        state = chunk(state, WAYS, Span(first, last, spans[-1][1]), np.zeros(2), data, jax.random.key(0))
    return state


def run_until(chunk, last):
    """Parameters after so many steps of a round of 8."""
    data = np.array([1.0, -1.0])
    state = chunk(begin(LANES), WAYS, Span(0, last, 8), np.zeros(2), data, jax.random.key(0))
    return jax.tree.map(np.asarray, state.params)


def test_lanes_climb_each_at_its_rate():
    state = run(make_chunk(objective, 4, 2), [(0, 400)])
    found = settled(state)["x"]
    np.testing.assert_allclose(found[0], [1, -1], atol=1e-3)
    assert np.abs(found[1] - [1, -1]).max() > 0.01  # too slow from so far away
    assert np.all(np.asarray(state.skipped) == 0)


def test_chunks_make_no_difference():
    chunk = make_chunk(objective, 4, 2)
    whole, parts = run(chunk, [(0, 100)]), run(chunk, [(0, 30), (30, 31), (31, 100)])
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(parts), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("together", [1, 2, 8])
def test_draws_in_turns_make_no_difference(together):
    """The mean over all draws and its slope, against one gradient of all."""
    params, eps, data = {"x": jnp.array([0.3, -2.0])}, np.random.default_rng(0).normal(size=(8, 2)), np.array([1.0, -1.0])
    value, slope = mean_and_slope(objective, together)(params, 0.0, eps, data)
    whole = lambda p: sum(objective(p, 0.0, e, data) for e in eps) / 8  # noqa: E731
    assert float(value) == pytest.approx(float(whole(params)), rel=1e-12)
    np.testing.assert_allclose(slope["x"], jax.grad(whole)(params)["x"], rtol=1e-12)


def test_the_last_quarter_is_averaged():
    noisy = make_chunk(lambda p, f, eps, d: objective(p, f, eps, d) + 3 * jnp.sum(eps * p["x"]), 2, 2)
    state = run(noisy, [(0, 4)])
    assert np.asarray(state.averaged).tolist() == [1, 1]  # step 3 of 0 to 3
    np.testing.assert_array_equal(settled(state)["x"], state.params["x"])
    longer = run(noisy, [(0, 8)])
    last = [run_until(noisy, n)["x"] for n in (7, 8)]
    np.testing.assert_allclose(settled(longer)["x"], (last[0] + last[1]) / 2, rtol=1e-12)
    broken_off = make_chunk(objective, 2, 2)(begin(LANES), WAYS, Span(0, 2, 100), np.zeros(2), np.zeros(2), jax.random.key(0))
    np.testing.assert_array_equal(settled(broken_off)["x"], broken_off.params["x"])


@pytest.mark.parametrize("tied", [True, False])
def test_tied_lanes_are_one_lane_with_the_draws_of_all(tied):
    """Two pairs of siblings against two lanes of twice the draws; untied siblings share their noise and go alone."""
    noisy = lambda p, f, eps, d: objective(p, f, eps, d) + jnp.sum(jnp.abs(eps) * p["x"])  # noqa: E731
    many, few = make_chunk(noisy, 8, 2), make_chunk(noisy, 4, 2, siblings=2)
    span, data, key = Span(0, 30, 30), np.array([1.0, -1.0]), jax.random.key(0)
    whole = many(begin(LANES), WAYS, span, np.zeros(2), data, key)
    pairs = {"x": np.repeat(LANES["x"], 2, axis=0)}
    found = few(begin(pairs), Ways(np.repeat(WAYS.rates, 2), tied), span, np.zeros(4), data, key)
    np.testing.assert_allclose(found.params["x"][::2], found.params["x"][1::2], rtol=1e-12)
    same = np.allclose(found.params["x"][::2], whole.params["x"], rtol=1e-9)
    assert same == tied


def test_steps_that_are_not_finite_are_not_taken():
    def sometimes(params, fixed, eps, data):
        return objective(params, fixed, eps, data) + jnp.where(eps[0] > 0.5, jnp.log(-1.0), 0.0)

    state = run(make_chunk(sometimes, 2, 2), [(0, 600)])
    share = np.asarray(state.skipped) / 600
    np.testing.assert_allclose(share, 2 * 0.3085, atol=0.06)  # of a pair of opposite sign one is beyond .5
    np.testing.assert_allclose(settled(state)["x"][0], [1, -1], atol=1e-2)


def test_antithetic_noise():
    eps = np.asarray(antithetic(jax.random.key(1), 6, 3))
    assert eps.shape == (6, 3)
    np.testing.assert_array_equal(eps[:3], -eps[3:])


# ---------------------------------------------------------------- scores


def test_scores_rank_by_finite_draws_first():
    low, high = Score(np.array([1.0, 1.0])), Score(np.array([9.0, -np.inf]))
    assert low.rank > high.rank and high.elbo == 9.0
    assert Score(np.full(3, np.nan)).elbo == -np.inf


def test_gain_is_paired():
    before = np.random.default_rng(0).normal(size=1000) * 100
    gain, error = Score(before + 0.5).gain_over(Score(before))
    assert gain == pytest.approx(0.5) and error < 1e-6


def test_spread_forgets_starts_that_are_far_below():
    search = Search([{}] * 3, [Score(np.full(5, v)) for v in (-10.0, -11.5, -1e6)])
    assert search.spread == pytest.approx(1.5) and search.best == 0 and not search.lost
    search.skipped = 1.0
    assert search.lost
