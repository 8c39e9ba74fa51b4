"""Faithful inverses: against regressions in sparse normal distributions, and of programs; flows that are masked by them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import emfppl
from emfppl.runtime.choose_guide import build_guide, inverse_of
from emfppl.runtime.guides.bnaf import Bnaf
from emfppl.runtime.guides.flows import FLOWS
from emfppl.runtime.guides.iaf import Iaf
from emfppl.runtime.guides.inverse_graph import Inverse, faithful_inverse, markov_network
from emfppl.runtime.guides.spline_flow import SplineFlow
from emfppl.runtime.precision import precision
from emfppl.runtime.recipe import Recipe


@pytest.fixture(autouse=True)
def double(quickly_compiled):
    with precision("float64"):
        yield


def random_network(rng, dim):
    network = np.triu(rng.random((dim, dim)) < 0.25, 1)
    return network | network.T


@pytest.mark.parametrize("seed", range(5))
def test_nothing_needed_is_left_out(seed):
    """In a normal distribution with this sparsity each coordinate, regressed on all that are drawn before it, has coefficients
    where it needs them and none elsewhere."""
    rng, dim = np.random.default_rng(seed), 9
    network = random_network(rng, dim)
    weights = np.tril(rng.normal(size=(dim, dim)), -1) * network
    precision_matrix = weights + weights.T + 10 * np.eye(dim)
    inverse = faithful_inverse(network, tuple(rng.permutation(dim)))
    covariance = np.linalg.inv(precision_matrix)[np.ix_(inverse.order, inverse.order)]
    for place, needed in enumerate(inverse.needs):
        slopes = np.linalg.solve(covariance[:place, :place], covariance[:place, place])
        assert set(np.flatnonzero(np.abs(slopes) > 1e-10)) == set(needed)


def test_chains_stars_and_complete_graphs():
    chain = np.abs(np.subtract.outer(np.arange(6), np.arange(6))) == 1
    inverse = faithful_inverse(chain, range(6))
    assert inverse.order == (0, 1, 2, 3, 4, 5) and inverse.needs == ((), (0,), (1,), (2,), (3,), (4,))
    star = np.zeros((6, 6), bool)
    star[3, :] = star[:, 3] = ~np.eye(6, dtype=bool)[3]
    assert faithful_inverse(star, (3, 0, 1, 2, 4, 5)).needs[1:] == ((0,),) * 5
    complete = faithful_inverse(~np.eye(4, dtype=bool), (2, 0, 1, 3))
    assert complete == Inverse((2, 0, 1, 3)) and complete.seen == 4


def test_a_network_is_read_off_a_density():
    def log_density(u, data):
        return -u[0] ** 2 - jnp.exp(u[1]) * (u[2] - data) ** 2 - u[3] ** 4 + jnp.log1p(u[0] ** 2 * u[3] ** 2)

    found = markov_network(log_density, np.zeros(4), np.asarray(0.3))
    assert {tuple(pair) for pair in np.argwhere(np.triu(found))} == {(1, 2), (0, 3)}


TWO_LEVELS = """dim group
dim member
data y[group, member]: count
s ~ HalfNormal(1)
m[group] ~ Normal(0, s)
x[group, member] ~ Normal(m[group], 1)
y[group, member] ~ Poisson(exp(x))
"""


@pytest.fixture(scope="module")
def guide():
    return build_guide(emfppl.load(TWO_LEVELS).bind({"y": np.ones((2, 3), int)}).program, Recipe("full_rank", flow=FLOWS["iaf"]))


def test_members_of_a_group_need_the_group_alone(guide):
    """The coordinates are s, two groups, six members. In noise a member depends on its group's noise and on s."""
    inverse = inverse_of(guide)
    of = {i: {inverse.order[j] for j in inverse.needs[place]} for place, i in enumerate(inverse.order)}
    assert inverse.order[0] == 0 and set(inverse.order[1:3]) == {1, 2}
    assert of[1] | of[2] <= {0, 1, 2}
    assert [of[3 + n] for n in range(6)] == [{0, 1}] * 3 + [{0, 2}] * 3
    assert guide.inverse == inverse and guide.describe()["inverse"]["order"] == inverse.order


def test_a_guide_is_masked_by_its_inverse(guide):
    flow, rng = guide.backbone.flow, np.random.default_rng(0)
    assert flow.looked_at == 3
    params = jax.tree.map(lambda leaf: leaf + rng.normal(size=np.shape(leaf)), flow.init(rng))
    jacobian = jax.jacfwd(lambda e: flow.forward_and_log_det(params, e)[0])(jnp.asarray(rng.normal(size=9)))
    assert np.all(np.abs(np.asarray(jacobian)[np.ix_([3, 4, 5], [2, 6, 7, 8])]) < 1e-12)  # of the first group
    assert np.all(np.abs(np.asarray(jacobian)[3:, 0]) > 1e-9)


@pytest.mark.parametrize("kind", [Iaf, SplineFlow, Bnaf])
def test_what_is_needed_and_no_more(kind):
    """Needs that are not nested have units of their own, however narrow the network."""
    needs = ((), (0,), (0,), (1, 2), (3,))
    flow, rng = kind(5, 1, (2, 2), needs=needs), np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: leaf + rng.normal(size=np.shape(leaf)), flow.init(rng))
    jacobian = jax.jacfwd(lambda e: flow.forward_and_log_det(params, e)[0])(jnp.asarray(rng.normal(size=5)))
    wanted = np.eye(5, dtype=bool)
    for place, needed in enumerate(needs):
        wanted[place, list(needed)] = True
    np.testing.assert_array_equal(np.abs(np.asarray(jacobian)) > 1e-9, wanted)
