"""Training of density estimators, on a density that is simple enough to know everything about: a normal one."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from emfppl.runtime.density.batches import Blocks, Samples, Stream, split
from emfppl.runtime.density.lanes import DECAY, RECENT, begin, compiled
from emfppl.runtime.density.train import Plan, Trainer, plan_for
from emfppl.runtime.precision import precision


@pytest.fixture(autouse=True)
def double():
    with precision("float64"):
        yield


class Normal:
    """Any normal density: u = L (x − loc), L lower triangular."""

    def __init__(self, dim):
        self.dim = dim

    def init(self, rng):
        return {"loc": 0.01 * rng.normal(size=self.dim), "lower": np.zeros((self.dim, self.dim))}

    def warm(self, params, x, given):
        return params

    gated = 0

    def cost(self, params):
        return jnp.zeros(())

    def log_prob(self, params, x, given):
        logs = jnp.diag(params["lower"])
        u = (jnp.tril(params["lower"], -1) + jnp.diag(jnp.exp(logs))) @ (x - params["loc"])
        return jnp.sum(logs) - 0.5 * jnp.sum(u**2) - 0.5 * self.dim * jnp.log(2 * jnp.pi)


class Shifted(Normal):
    """A normal density about what is given."""

    def log_prob(self, params, x, given):
        return super().log_prob(params, x - given["c"], given)


class Gated(Normal):
    """A normal density whose variances are the model's, as far as the gate is open: right ones, or wrong ones."""

    gated = 1

    def __init__(self, variances):
        super().__init__(3)
        self.variances = np.asarray(variances)

    def init(self, rng):
        return {"loc": np.zeros(3), "gate": np.zeros(())}

    def shut(self, params, model):
        return {**params, "gate": np.full_like(params["gate"], -1e4)}

    def log_prob(self, params, x, given):
        opening = jax.nn.sigmoid(params["gate"])
        variances = opening * self.variances + (1 - opening)
        return -0.5 * jnp.sum((x - params["loc"]) ** 2 / variances + jnp.log(2 * jnp.pi * variances))


CENTRE = np.array([1.0, -2.0, 0.5])
COVARIANCE = np.array([[2.0, 0.9, 0.0], [0.9, 0.5, 0.1], [0.0, 0.1, 1.0]])
PLAN = Plan(batch=64, chunk=40, trial=1, climb=40, rates=(0.05,), patience=20)


def drawn(count, seed=0):
    return np.random.default_rng(seed).multivariate_normal(CENTRE, COVARIANCE, size=count)


def trained(stack, samples, plan=PLAN, **how):
    return Trainer(stack, samples, plan, **how).run()


@pytest.fixture(scope="module")
def recovered():
    with precision("float64"):
        return trained(Normal(3), Samples(drawn(3000)))


def test_a_normal_density_is_found(recovered):
    """Held-out samples are as likely as under the truth, within the error of 2,700 samples: 9 parameters cost 9/2/2700 nats."""
    held = split(Samples(drawn(3000)), 0.1, np.random.default_rng([0, 0]))[1]
    truth = stats.multivariate_normal(CENTRE, COVARIANCE).logpdf(held.x)
    lost = truth - recovered.logs
    assert abs(lost.mean()) < 3 * lost.std() / np.sqrt(len(lost)) + 0.005
    assert recovered.nats == pytest.approx(recovered.logs.mean()) and recovered.counts == (2700, 300)
    np.testing.assert_allclose(recovered.params["loc"], CENTRE, atol=0.1)


def test_equal_seeds_make_equal_trainings(recovered):
    again = trained(Normal(3), Samples(drawn(3000)))
    assert again.nats == recovered.nats
    np.testing.assert_array_equal(again.params["lower"], recovered.params["lower"])


def test_of_several_rates_the_best_is_taken():
    found = trained(Normal(3), Samples(drawn(300)), Plan(32, 20, 2, 2, rates=(1e-6, 0.05)))
    assert found.rate == 0.05 and found.steps == 20 * 6


def test_a_model_that_is_of_no_use_is_shut():
    """Of variances 16, or 1 which are those without it, when 1 is right: shut for good. Of 16 when that is right: open, as if shut
    had never been tried."""
    x, plan = np.random.default_rng(0).normal(size=(600, 3)), Plan(32, 20, 1, 10, rates=(0.05,))
    for variances, scale, shut in (([16.0] * 3, 1, True), ([1.0] * 3, 1, True), ([16.0] * 3, 4, False)):
        stack = Gated(variances)
        found = trained(stack, Samples(scale * x), plan, seeds=2)
        assert (found.params["gate"] == -1e4) == shut and found.steps == plan.steps(1) == 2 * plan.steps()
        held = split(Samples(scale * x), 0.1, np.random.default_rng([0, 0]))[1]
        logs = [stack.log_prob(found.params, row, None) for row in held.x]
        np.testing.assert_allclose(found.logs, logs, rtol=1e-9)
        assert found.nats == max(found.lanes) == max(found.history[-1].held.max(), found.nats)
    alone = Gated([16.0] * 3)
    alone.gated = 0
    np.testing.assert_array_equal(trained(alone, Samples(4 * x), plan, seeds=2).logs, found.logs)


def test_interrupted_while_shut_the_better_one_is_kept():
    calls = []

    def stop(done, steps, nats):
        calls.append(done)
        assert done <= steps == 400
        if len(calls) == 12:
            raise KeyboardInterrupt

    x, plan = np.random.default_rng(0).normal(size=(600, 3)), Plan(32, 20, 1, 10, rates=(0.05,))
    found = trained(Gated([16.0] * 3), Samples(4 * x), plan, report=stop)
    assert found.ended == "interrupted" and found.params["gate"] > 0
    np.testing.assert_array_equal(found.logs, trained(Gated([16.0] * 3), Samples(4 * x), plan).logs)


def test_the_best_of_the_seeds_is_kept():
    found = trained(Normal(3), Samples(drawn(300)), Plan(32, 10, 1, 3, rates=(0.05,)), seeds=3)
    assert len(set(found.lanes)) == 3 and found.nats == max(found.lanes)
    alone = trained(Normal(3), Samples(drawn(300)), Plan(32, 10, 1, 3, rates=(0.05,)))
    assert alone.nats == pytest.approx(found.lanes[0], abs=1e-12)  # lanes do not touch each other


def test_what_is_given_belongs_to_its_sample():
    c = np.random.default_rng(1).normal(size=(2000, 3)) * 10
    found = trained(Shifted(3), Samples(drawn(2000) + c, {"c": c}), Plan(64, 40, 1, 20, rates=(0.05,)))
    assert found.nats == pytest.approx(stats.multivariate_normal(CENTRE, COVARIANCE).logpdf(drawn(2000)).mean(), abs=0.25)


def test_what_is_kept_is_an_average_of_recent_parameters():
    run = compiled(Normal(3)).chunk
    batches, one = (drawn(64 * 20).reshape(20, 64, 3), {}), (np.ones(1, bool), np.full(1, 0.05))
    lanes, mean = begin({"loc": np.zeros((1, 3)), "lower": np.zeros((1, 3, 3))}), np.zeros(3)
    for n in range(20):
        lanes, _ = run(lanes, *one, (batches[0][n : n + 1], {}), np.ones(1))
        mean = mean + (np.asarray(lanes.params["loc"])[0] - mean) / (1 + RECENT * (n + 1))
    np.testing.assert_allclose(lanes.mean["loc"][0], mean)


def test_weights_of_networks_decay_and_nothing_else():
    class Idle(Normal):
        def log_prob(self, params, x, given):
            return 0.0 * jnp.sum(params["weights0"]) + params["loc"] + 0.0 * jnp.sum(x)

    lanes = begin({"weights0": np.full((1, 2), 3.0), "loc": np.full(1, 5.0)})
    lanes, _ = compiled(Idle(1)).chunk(lanes, np.ones(1, bool), np.full(1, 0.1), (np.zeros((10, 4, 1)), {}), np.ones(10))
    np.testing.assert_allclose(lanes.params["weights0"], 3 * (1 - 0.1 * DECAY) ** 10)
    np.testing.assert_allclose(lanes.params["loc"], 5 + 0.1 * 10, rtol=1e-6)  # ten of Adam's steps along a slope of 1


# ---------------------------------------------------------------- ends


def test_overfitting_ends_early_with_the_best_parameters_kept():
    """Thirty samples of twenty numbers: any of the 230 parameters helps on them and harms elsewhere."""
    x = np.random.default_rng(3).normal(size=(30, 20))
    found = trained(Normal(20), Samples(x), Plan(27, 25, 2, 40, rates=(0.02,), patience=4))
    held = [r.held[0] for r in found.history]
    assert found.ended == "early" and found.kept < found.steps < 25 * 40
    assert found.nats == max(held) and min(held) < found.nats - 5
    assert found.history[-1].trained[0] > found.nats  # the samples seen are more likely


def test_an_interrupted_training_keeps_its_best():
    calls = []

    def stop(done, steps, nats):
        calls.append(nats)
        if len(calls) == 12:
            raise KeyboardInterrupt

    found = trained(Normal(3), Samples(drawn(500)), Plan(32, 10, 1, 40, rates=(0.05,)), report=stop)
    assert found.ended == "interrupted" and found.steps == 120
    assert found.nats == max(r.held[0] for r in found.history) > found.history[0].held[0]


def test_a_training_without_a_finite_step_ends():
    class Lost(Normal):
        def log_prob(self, params, x, given):
            return super().log_prob(params, x, given) + jnp.log(-1 - params["loc"][0] ** 2)

    found = trained(Lost(3), Samples(drawn(100)), Plan(32, 5, 1, 20, rates=(0.05, 0.01)))
    assert found.ended == "early" and found.nats == -np.inf and found.steps == 5 * (2 + 3)


def test_one_wild_sample_does_not_throw_a_training_off():
    """Steps along long gradients are shortened."""
    x = drawn(1000)
    x[17] = 1e6
    assert 1e6 not in split(Samples(x), 0.1, np.random.default_rng([1, 0]))[1].x
    found = trained(Normal(3), Samples(x), Plan(64, 40, 1, 20, rates=(0.02,)), seed=1)
    assert np.median(found.logs) > -8


# ---------------------------------------------------------------- batches and plans


def test_a_stream_shows_each_sample_once_a_pass():
    samples = Samples(np.arange(10.0)[:, None], {"c": np.arange(10) * 2})
    stream = Stream(samples, 4, lambda x, rng: x, np.random.default_rng(0))
    x, given = stream.take(5)
    assert x.shape == (5, 4, 1) and np.array_equal(given["c"], 2 * x[..., 0])
    flat = x.ravel()
    assert sorted(flat[:10]) == sorted(flat[10:]) == list(range(10)) and list(flat[:10]) != list(flat[10:])


def test_blocks_are_filled_up():
    blocks = Blocks.of(Samples(np.arange(5.0)[:, None]), 2)
    assert blocks.x.shape == (3, 2, 1) and list(blocks.x.ravel()[:5]) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("count", [9, 300, 9000, 10**6])
@pytest.mark.parametrize("size", [1, 64, 784, 100_000])
def test_plans_fit_their_samples(count, size):
    quick, normal = plan_for(count, size, "quick"), plan_for(count, size, "normal")
    for plan in (quick, normal):
        assert 1 <= plan.batch <= min(count, 256)
        assert plan.climb % plan.every == 0 and plan.trial % plan.every == 0 and plan.chunk >= 1
        assert plan.chunk * plan.batch * size <= 8_000_000 or plan.chunk == 1
    assert quick.steps() < normal.steps() < normal.steps(gated=1)
