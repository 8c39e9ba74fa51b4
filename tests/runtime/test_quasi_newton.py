"""The optimum on fixed noise: exact where the guide can be, and what is left to gain told without being fooled by few draws."""

from __future__ import annotations

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from posteriors import CHAIN, CHAIN_Y, CONJUGATE, Y, conjugate_posterior

import emfppl
from emfppl.runtime.choose_guide import build_guide
from emfppl.runtime.environment import enough_workers, small_loops_in_one_piece
from emfppl.runtime.guides.backbone import Frame
from emfppl.runtime.optimise.quasi_newton import FixedNoise, balanced_noise
from emfppl.runtime.optimise.rounds import Plan, Rounds, Search
from emfppl.runtime.precision import precision
from emfppl.runtime.recipe import Recipe
from emfppl.runtime.threads import _threads, one_thread_each


@pytest.fixture(autouse=True)
def double():
    with precision("float64"):
        yield


def silent(step, steps):
    pass


@pytest.mark.parametrize(("count", "dim"), [(64, 1), (200, 30)])
def test_noise_has_the_moments_of_a_standard_normal(count, dim):
    noise = balanced_noise(count, dim, 3)
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=1e-14)
    np.testing.assert_allclose(noise.T @ noise / count, np.eye(dim), atol=1e-12)
    np.testing.assert_allclose(np.mean(noise**3, axis=0), 0, atol=1e-12)
    assert not np.array_equal(noise, balanced_noise(count, dim, 4))


def test_the_gain_is_that_of_the_fixed_noise():
    """L(m, s) = −½ mean((m + s ε − 3)²) + log s: from m = 0, s = 1 to m = 3, s = 1, a gain of 9/2."""

    def log_weight(params, fixed, eps, data):
        return -0.5 * jnp.sum((params["m"] + jnp.exp(params["s"]) * eps - data) ** 2) + jnp.sum(params["s"]) + fixed

    elbo = FixedNoise(log_weight, 32, jax.jit)
    climb = elbo.climb({"m": np.zeros(1), "s": np.zeros(1)}, 0.0, balanced_noise(128, 1, 0), np.array([3.0]), silent)
    assert climb.settled and climb.gain == pytest.approx(4.5, abs=1e-8)
    np.testing.assert_allclose([climb.params["m"][0], climb.params["s"][0]], [3, 0], atol=1e-5)
    nowhere = elbo.climb({"m": np.full(1, np.nan), "s": np.zeros(1)}, 0.0, balanced_noise(128, 1, 0), np.array([3.0]), silent)
    assert not nowhere.settled and nowhere.gain == 0 and np.isnan(nowhere.params["m"][0])


def test_a_climb_ends_where_steps_gain_next_to_nothing():
    """½ Σ k (m_k − 1)² over k = 1 … 40 is slow to come to its end; what is left then is no more than some such gains."""

    def log_weight(params, fixed, eps, data):
        return -0.5 * jnp.sum(data * (params["m"] - 1) ** 2) + 0 * jnp.sum(eps) + fixed

    elbo, scales = FixedNoise(log_weight, 32, jax.jit), np.arange(1.0, 41)
    whole, short = (
        elbo.climb({"m": np.zeros(40)}, 0.0, balanced_noise(64, 1, 0), scales, silent, still) for still in (0.0, 1e-3)
    )
    assert short.settled and short.steps < whole.steps - 2
    assert whole.gain == pytest.approx(0.5 * scales.sum(), abs=1e-6) and 0 <= whole.gain - short.gain < 0.02


def settled(text, data, recipe, fixed):
    """A search from the prior's centre with nothing but quasi-Newton passes."""
    program = emfppl.load(text).bind(data).program
    guide = build_guide(program, recipe)
    rounds = Rounds(guide, Plan(4, rounds=0, evaluation=400, fixed=fixed), 0)
    search = rounds.run([guide.init(0)], [{}])
    return guide, search, rounds


def test_a_normal_posterior_comes_out_exact(quickly_compiled):
    guide, search, _ = settled(CONJUGATE, {"y": Y}, Recipe("full_rank", gates="shut"), 64)
    assert search.converged
    mean, sd = conjugate_posterior()
    affine = search.params[0]["backbone"]["affine"]
    np.testing.assert_allclose([affine["loc"][0], np.exp(affine["log_scale"][0])], [mean, sd], rtol=1e-6)
    assert search.scores[0].log_weights.std() < 1e-5


def test_a_chain_comes_out_exact_through_its_gates(quickly_compiled):
    _, search, _ = settled(CHAIN, {"y": CHAIN_Y}, Recipe("full_rank"), 128)
    assert search.converged and search.scores[0].log_weights.std() < 1e-2


def test_too_few_draws_do_not_look_like_an_optimum(quickly_compiled):
    """Eighteen draws in eight dimensions can be fitted far better than the posterior; that gain is not taken for a true one."""
    text = "dim i\ndata y[i]: real\ns ~ HalfCauchy(1)\nx[i] ~ Normal(0, s)\ny[i] ~ StudentT(2, x, 0.3)\n"
    guide, search, rounds = settled(text, {"y": np.array([0.1, 4.0, -2.0, 0.5, -1.0, 3.0, 1.0])}, Recipe("full_rank"), 18)
    assert not search.converged
    assert search.scores[0].elbo >= rounds.score([guide.init(0)])[0].elbo


def test_spread_is_that_of_modes_and_not_of_worse_optima(quickly_compiled):
    """a² = 25, nearly: two modes, of which that at 5 has 10/9 nats more; a guide far too narrow is in no other mode."""
    text = "data y: real\na ~ Normal(1, 3)\ny ~ Normal(a * a, 1)\n"
    guide = build_guide(emfppl.load(text).bind({"y": 25.0}).program, Recipe("full_rank", gates="shut"))
    rounds = Rounds(guide, Plan(4, evaluation=400), 0)
    placed = [guide.init(0, Frame(np.array([loc]), np.array([width]))) for loc, width in ((5, 0.1), (-5, 0.1), (5, 0.02))]

    def spread(*which):
        params = [placed[i] for i in which]
        return rounds.spread(Search(params, rounds.score(params)))

    assert spread(0, 1) == pytest.approx(10 / 9, abs=0.05)
    assert Search(placed[::2], rounds.score(placed[::2])).spread > 0.8 and spread(0, 2) == 0


def test_later_rounds_have_the_better_rate_alone_and_the_draws_of_all(quickly_compiled):
    """From a start 50 sds away steps of 1e-5 lead nowhere; a normal posterior is found all the same, at the other rate."""
    guide = build_guide(emfppl.load(CONJUGATE).bind({"y": Y}).program, Recipe("full_rank", gates="shut"))
    mean, sd = conjugate_posterior()
    rounds = Rounds(guide, Plan(4, (1e-5, 0.3), first_round=100, rounds=4, evaluation=400, tolerance=-1.0), 0)
    start, ways = guide.init(0, Frame(np.array([mean + 50 * sd]), np.array([sd]))), []
    chunk = rounds._chunk
    rounds._chunk = lambda state, way, *rest: ways.append(way) or chunk(state, way, *rest)
    search = rounds.run([start, start], [{}, {}])
    assert [w.tied for w in ways] == [False, False, False, *(True for _ in ways[3:])]  # rounds of 100, 200, and 400 and 800 steps
    assert len(ways[0].rates) == 4 and min(ways[0].rates) == 1e-5 and min(ways[-1].rates) > 0.01
    assert search.params[0]["backbone"]["affine"]["loc"][0] == pytest.approx(mean, abs=0.05 * sd)


STANDSTILL = """
import emfppl
import jax, jax.numpy as jnp, numpy as np
from emfppl.runtime.threads import one_thread_each
factors = np.tril(np.random.normal(size=(64, 100, 100))) + 10 * np.eye(100)
sides = np.random.normal(size=(6, 64, 100, 100))
solve = lambda f, s: jax.scipy.linalg.solve_triangular(f, s, lower=True)
with one_thread_each(), jax.enable_x64(True):
    print(float(jax.jit(lambda f, s: sum(jnp.sum(jnp.sin(solve(f, s[i]))) for i in range(6)))(factors, sides)))
"""


def test_batches_of_matrices_do_not_stand_still():
    """In a process of its own, since the number of workers is read once: triangular systems by the dozen at the same time."""
    done = subprocess.run([sys.executable, "-c", STANDSTILL], capture_output=True, text=True, timeout=300)
    assert np.isfinite(float(done.stdout)), done.stderr


@pytest.mark.parametrize(("cores", "wanted"), [(4, {"NPROC": "32"}), (64, {})])
def test_workers_are_as_many_as_the_user_says(monkeypatch, cores, wanted):
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    given, left = {"NPROC": "3"}, {}
    enough_workers(given), enough_workers(left)
    assert given == {"NPROC": "3"} and left == wanted


OPTIONS = "--xla_backend_extra_options="


@pytest.mark.parametrize(
    ("before", "after"), [("", f"{OPTIONS}xla_"), ("--xla_x=1", f"--xla_x=1 {OPTIONS}xla_"), (f"{OPTIONS}a=1", f"{OPTIONS}a=1")]
)
def test_xla_options_of_the_user_stay(before, after):
    given = {"XLA_FLAGS": before}
    small_loops_in_one_piece(given)
    assert given["XLA_FLAGS"].startswith(after)


LOOP = """
import emfppl
import jax, jax.numpy as jnp
step = lambda x, t: (jnp.sin(x) + t, jnp.cos(x))
loop = jax.jit(lambda x: jax.lax.scan(step, x, jnp.arange(100.0))[1])
print("xla_cpu_small_call" in loop.lower(jnp.ones(500)).compile().as_text())
"""


def test_small_loops_are_one_function():
    """In a process of its own, since options are read once: a loop whose rounds touch more than XLA's own kilobyte."""
    done = subprocess.run([sys.executable, "-c", LOOP], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "True", done.stderr


def test_lapack_runs_in_one_thread_inside_the_block():
    found = _threads()
    if found is None:
        pytest.skip("SciPy comes without OpenBLAS")
    before = found[0]()
    with pytest.raises(ValueError, match="inside"), one_thread_each():
        assert found[0]() == 1
        raise ValueError("inside")
    assert found[0]() == before
