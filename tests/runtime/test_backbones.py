"""Backbones: round trips, log determinants against autodiff, identity starts, frames that vanish."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy.optimize import minimize

from emfppl.runtime.guides.backbone import Backbone, Frame
from emfppl.runtime.guides.bnaf import Bnaf
from emfppl.runtime.guides.coupling import Coupling
from emfppl.runtime.guides.elementwise import Elementwise
from emfppl.runtime.guides.full_rank import FullRank
from emfppl.runtime.guides.iaf import Iaf
from emfppl.runtime.guides.low_rank import LowRank
from emfppl.runtime.guides.spline_flow import SplineFlow
from emfppl.runtime.guides.splines import REACH, Splines
from emfppl.runtime.precision import precision

DIM = 4
HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)
BACKBONES = {
    "mean_field": Backbone(Elementwise(DIM)),
    "full_rank": Backbone(FullRank(DIM)),
    "low_rank": Backbone(LowRank(DIM, 2)),
    "iaf": Backbone(FullRank(DIM), Iaf(DIM, 2, (8, 8))),
    "iaf_mean_field": Backbone(Elementwise(DIM), Iaf(DIM, 3, (5,))),
    "splines": Backbone(Elementwise(DIM), splines=Splines(DIM, 5)),
    "splines_even": Backbone(FullRank(DIM), splines=Splines(DIM, 10)),
    "iaf_splines": Backbone(FullRank(DIM), Iaf(DIM, 1, (5,)), Splines(DIM, 4)),
    "spline": Backbone(FullRank(DIM), SplineFlow(DIM, 2, (6,), bins=4)),
    "spline_ordered": Backbone(Elementwise(DIM), SplineFlow(DIM, 1, (6,), (2, 0, 3, 1), 2, bins=3)),
    "coupling": Backbone(FullRank(DIM), Coupling(DIM, 3, (6,), bins=4)),
    "coupling_affine": Backbone(Elementwise(DIM), Coupling(DIM, 2, (6,), (2, 0, 3, 1), 2, bins=0)),
    "bnaf": Backbone(Elementwise(DIM), Bnaf(DIM, 1, (4, 3))),
    "bnaf_ordered": Backbone(FullRank(DIM), Bnaf(DIM, 2, (3,), (2, 0, 3, 1), 2)),
    "iaf_ordered": Backbone(FullRank(DIM), Iaf(DIM, 2, (8, 8), (2, 0, 3, 1), 2)),
}
each = pytest.mark.parametrize("backbone", BACKBONES.values(), ids=BACKBONES.keys())
AFFINE = ("mean_field", "full_rank", "low_rank")
with_frames = pytest.mark.parametrize(
    ("backbone", "framed"),
    [(b, framed) for name, b in BACKBONES.items() for framed in ([False, True] if name in (*AFFINE, "iaf_splines") else [False])],
    ids=lambda value: next((name for name, b in BACKBONES.items() if b is value), str(value)),
)


@pytest.fixture(autouse=True)
def double(quickly_compiled):
    with precision("float64"):
        yield


def random_params(backbone, seed=0):
    """Parameters away from the start, all of them."""
    rng = np.random.default_rng(seed)
    start = backbone.init(Frame(rng.normal(size=DIM), np.exp(rng.normal(size=DIM))), rng)
    return jax.tree.map(lambda leaf: leaf + 0.5 * rng.normal(size=np.shape(leaf)), start)


def log_det_by_autodiff(backbone, params, eps):
    jacobian = jax.jit(jax.jacfwd(lambda e: backbone.forward_and_log_det(params, e)[0]))(eps)
    return jnp.linalg.slogdet(jacobian)[1]


@with_frames
def test_round_trip_and_log_det(backbone, framed):
    params = random_params(backbone)
    if framed:
        inner = random_params(backbone, 1)
        params = {**backbone.framed(params), "affine": inner["affine"]}
    eps = jnp.asarray(np.random.default_rng(2).normal(size=DIM))
    u, log_det = jax.jit(backbone.forward_and_log_det)(params, eps)
    back, log_det_back = jax.jit(backbone.inverse_and_log_det)(params, u)
    np.testing.assert_allclose(back, eps, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(log_det, log_det_by_autodiff(backbone, params, eps), rtol=1e-9)
    np.testing.assert_allclose(log_det_back, -log_det, rtol=1e-9)


@each
def test_starts_at_its_frame(backbone):
    frame = Frame(np.arange(DIM) - 1.0, np.array([0.1, 1.0, 2.0, 30.0]))
    params = backbone.init(frame, np.random.default_rng(0))
    eps = np.array([0.3, -1.0, 0.5, 2.0])
    u, _ = backbone.forward_and_log_det(params, eps)
    beside = {"low_rank": 1e-2, "bnaf": 0.1, "bnaf_ordered": 0.1}  # which start beside it, to have a gradient
    tolerance = next((t for name, t in beside.items() if backbone is BACKBONES[name]), 1e-12)
    np.testing.assert_allclose(u, frame.loc + frame.scale * eps, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("backbone", [BACKBONES[name] for name in (*AFFINE, "iaf_splines")], ids=[*AFFINE, "iaf_splines"])
def test_frames_change_nothing(backbone):
    params = random_params(backbone)
    eps = np.array([0.3, -1.0, 0.5, 2.0])
    forward = jax.jit(backbone.forward_and_log_det)
    u, log_det = forward(params, eps)
    framed = backbone.framed(params)
    inner = backbone.affine.forward_and_log_det(framed["affine"], eps)
    for same in (framed, backbone.folded(framed)):
        again, log_det_again = forward(same, eps)
        np.testing.assert_allclose(again, u, rtol=1e-10)
        np.testing.assert_allclose(log_det_again, log_det, rtol=1e-10)
    if backbone is not BACKBONES["low_rank"]:
        np.testing.assert_allclose(inner[0], eps)


@with_frames
def test_score_is_the_gradient_of_the_density(backbone, framed):
    params = random_params(backbone)
    if framed:
        params = {**backbone.framed(params), "affine": random_params(backbone, 1)["affine"]}

    def log_density(u):
        eps, log_det = backbone.inverse_and_log_det(params, u)
        return -0.5 * jnp.sum(eps**2) + log_det

    eps = jnp.asarray(np.random.default_rng(2).normal(size=DIM))
    u, _ = jax.jit(backbone.forward_and_log_det)(params, eps)
    np.testing.assert_allclose(jax.jit(backbone.score)(params, eps), jax.jit(jax.grad(log_density))(u), rtol=1e-8)


@pytest.mark.parametrize("kind", [Iaf, SplineFlow, Bnaf])
def test_score_of_a_long_flow(kind):
    """With the whole Jacobian, where every coordinate depends on many."""
    flow, rng = kind(40, 2, (8, 8)), np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: leaf + 0.4 * rng.normal(size=np.shape(leaf)), flow.init(rng))
    eps = jnp.asarray(rng.normal(size=40))
    slopes = jax.jit(jax.jacfwd(lambda e: flow.forward_and_log_det(params, e)[0]))(eps)
    bend = jax.jit(jax.grad(lambda e: flow.forward_and_log_det(params, e)[1]))(eps)
    assert np.abs(np.tril(slopes, -1)).max() > 0.1
    found = jax.jit(flow.push)(params, eps, -eps)[1]
    np.testing.assert_allclose(found, np.linalg.solve(np.asarray(slopes).T, -eps - bend), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kind", [Iaf, SplineFlow, Bnaf])
def test_flow_is_triangular(kind):
    flow = kind(DIM, 1, (8, 8), (2, 0, 3, 1), 2)
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: leaf + rng.normal(size=np.shape(leaf)), flow.init(rng))
    jacobian = jax.jacfwd(lambda e: flow.forward_and_log_det(params, e)[0])(jnp.asarray(rng.normal(size=DIM)))
    ordered = np.asarray(jacobian)[np.ix_(flow.order, flow.order)]
    free = np.eye(DIM, dtype=bool) | np.tril(np.arange(DIM) < 2)  # of the others only the first two are looked at
    np.testing.assert_array_equal(np.abs(ordered) > 1e-9, free)


def test_couplings_leave_their_other_half():
    flow = Coupling(DIM, 1, (8,), (2, 0, 3, 1), 2)
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: leaf + rng.normal(size=np.shape(leaf)), flow.init(rng))
    jacobian = jax.jacfwd(lambda e: flow.forward_and_log_det(params, e)[0])(jnp.asarray(rng.normal(size=DIM)))
    free = np.eye(DIM, dtype=bool)
    free[[0, 1, 3], 2] = True  # 2 stays; 0, dealt to the other half, and 1 and 3, which always move, depend on it
    np.testing.assert_array_equal(np.abs(np.asarray(jacobian)) > 1e-9, free)


@pytest.mark.parametrize("flow", [SplineFlow(1, 1, (3,)), Coupling(1, 2, (3,)), Bnaf(1, 1, (3,))], ids=lambda f: f.name)
def test_flows_of_one_coordinate(flow):
    backbone, eps = Backbone(Elementwise(1), flow), jnp.array([0.7])
    params = backbone.init(Frame(np.zeros(1), np.ones(1)), np.random.default_rng(0))
    u, log_det = backbone.forward_and_log_det(params, eps)
    back, log_det_back = backbone.inverse_and_log_det(params, u)
    np.testing.assert_allclose(back, eps, rtol=1e-9)
    np.testing.assert_allclose(log_det_back, -log_det, atol=1e-9)


def test_flow_of_one_coordinate_is_affine():
    backbone = Backbone(Elementwise(1), Iaf(1, 2, (4,)))
    params = backbone.init(Frame(np.zeros(1), np.ones(1)), np.random.default_rng(0))
    u, log_det = backbone.forward_and_log_det(params, jnp.array([1.5]))
    assert float(u[0]) == pytest.approx(1.5) and float(log_det) == pytest.approx(0)


@pytest.mark.parametrize("place", [-5.0, -REACH, -1.2, 0.0, 0.6, REACH, 7.5])
def test_splines_everywhere(place):
    """Round trip, slope and score in every bin, at knots, and in the tails, for slopes and bins of very different sizes."""
    splines, rng = Splines(3, 5), np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: leaf + 1.5 * rng.normal(size=leaf.shape), splines.init(rng))
    x = jnp.full(3, place)
    y, log_det = splines.forward_and_log_det(params, x)
    back, log_det_back = splines.inverse_and_log_det(params, y)
    np.testing.assert_allclose(back, x, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(log_det_back, -log_det, rtol=1e-8)
    step = 1e-6
    ahead, behind = (splines.forward_and_log_det(params, x + d)[0] for d in (step, -step))
    np.testing.assert_allclose(jnp.sum(jnp.log((ahead - behind) / (2 * step))), log_det, rtol=1e-4, atol=1e-4)


def test_slopes_of_splines_meet_at_the_knots():
    splines, rng = Splines(1, 4), np.random.default_rng(1)
    params = jax.tree.map(lambda leaf: leaf + rng.normal(size=leaf.shape), splines.init(rng))
    slope = jax.vmap(lambda x: splines.forward_and_log_det(params, x[None])[1])
    knots = np.linspace(-REACH, REACH, 5)
    np.testing.assert_allclose(slope(knots[1:-1]), params["slope"][0], rtol=1e-9)
    np.testing.assert_allclose(slope(knots[[0, -1]]), params["rise"][0, [0, -1]], rtol=1e-9)  # tails go on as the outer bins
    np.testing.assert_allclose(slope(knots - 1e-9), slope(knots + 1e-9), rtol=1e-6, atol=1e-6)


def log_gamma(x):
    """The log density of the logarithm of a Gamma(1/2) variable: a long tail to the left."""
    return 0.5 * x - jnp.exp(x) - 0.5723649429247001


def bumps(x):
    """Two normals, 2/3 and 1/3, apart."""
    return jnp.logaddexp(-0.5 * (x + 2) ** 2, -2 * (x - 2) ** 2) - jnp.log(1.5) - HALF_LOG_2PI


@pytest.mark.parametrize(("target", "gap"), [(log_gamma, 1e-3), (bumps, 0.1)])
def test_one_spline_fits_what_no_normal_does(target, gap):
    """KL(guide ‖ target) by quadrature, at its minimum."""
    backbone = Backbone(Elementwise(1), splines=Splines(1, 10))
    start, unravel = ravel_pytree(backbone.init(Frame(np.zeros(1), np.ones(1)), np.random.default_rng(0)))
    grid = np.linspace(-7, 7, 561)
    weights = np.exp(-0.5 * grid**2 - HALF_LOG_2PI) * (grid[1] - grid[0])

    def ratio(flat, eps):
        u, log_det = backbone.forward_and_log_det(unravel(flat), eps[None])
        return -0.5 * eps**2 - HALF_LOG_2PI - log_det - target(u[0])

    def divergence(flat):
        return weights @ jax.vmap(ratio, (None, 0))(flat, grid)

    found = minimize(jax.jit(jax.value_and_grad(divergence)), np.asarray(start), jac=True, options={"maxiter": 150})
    assert -1e-6 < found.fun < gap
