"""Backbones: round trips, log determinants against autodiff, identity starts, frames that vanish."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emfppl.runtime.guides.backbone import Backbone, Frame
from emfppl.runtime.guides.elementwise import Elementwise
from emfppl.runtime.guides.full_rank import FullRank
from emfppl.runtime.guides.iaf import Iaf
from emfppl.runtime.guides.low_rank import LowRank
from emfppl.runtime.precision import precision

DIM = 4
BACKBONES = {
    "mean_field": Backbone(Elementwise(DIM)),
    "full_rank": Backbone(FullRank(DIM)),
    "low_rank": Backbone(LowRank(DIM, 2)),
    "iaf": Backbone(FullRank(DIM), Iaf(DIM, 2, (8, 8))),
    "iaf_mean_field": Backbone(Elementwise(DIM), Iaf(DIM, 3, (5,))),
    "iaf_ordered": Backbone(FullRank(DIM), Iaf(DIM, 2, (8, 8), (2, 0, 3, 1), 2)),
}
each = pytest.mark.parametrize("backbone", BACKBONES.values(), ids=BACKBONES.keys())


@pytest.fixture(autouse=True)
def double():
    with precision("float64"):
        yield


def random_params(backbone, seed=0):
    """Parameters away from the start, all of them."""
    rng = np.random.default_rng(seed)
    start = backbone.init(Frame(rng.normal(size=DIM), np.exp(rng.normal(size=DIM))), rng)
    return jax.tree.map(lambda leaf: leaf + 0.5 * rng.normal(size=np.shape(leaf)), start)


def log_det_by_autodiff(backbone, params, eps):
    jacobian = jax.jacfwd(lambda e: backbone.forward_and_log_det(params, e)[0])(eps)
    return jnp.linalg.slogdet(jacobian)[1]


@each
@pytest.mark.parametrize("framed", [False, True])
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
    tolerance = 1e-2 if backbone is BACKBONES["low_rank"] else 1e-12  # which starts beside it, to have a gradient
    np.testing.assert_allclose(u, frame.loc + frame.scale * eps, rtol=tolerance, atol=tolerance)


@each
def test_frames_change_nothing(backbone):
    params = random_params(backbone)
    eps = np.array([0.3, -1.0, 0.5, 2.0])
    u, log_det = backbone.forward_and_log_det(params, eps)
    framed = backbone.framed(params)
    inner = backbone.affine.forward_and_log_det(framed["affine"], eps)
    for same in (framed, backbone.folded(framed)):
        again, log_det_again = backbone.forward_and_log_det(same, eps)
        np.testing.assert_allclose(again, u, rtol=1e-10)
        np.testing.assert_allclose(log_det_again, log_det, rtol=1e-10)
    if backbone is not BACKBONES["low_rank"]:
        np.testing.assert_allclose(inner[0], eps)


@each
@pytest.mark.parametrize("framed", [False, True])
def test_score_is_the_gradient_of_the_density(backbone, framed):
    params = random_params(backbone)
    if framed:
        params = {**backbone.framed(params), "affine": random_params(backbone, 1)["affine"]}

    def log_density(u):
        eps, log_det = backbone.inverse_and_log_det(params, u)
        return -0.5 * jnp.sum(eps**2) + log_det

    eps = jnp.asarray(np.random.default_rng(2).normal(size=DIM))
    u, _ = backbone.forward_and_log_det(params, eps)
    np.testing.assert_allclose(backbone.score(params, eps), jax.grad(log_density)(u), rtol=1e-8)


def test_flow_is_triangular():
    flow = Iaf(DIM, 1, (8, 8), (2, 0, 3, 1), 2)
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: leaf + rng.normal(size=np.shape(leaf)), flow.init(rng))
    jacobian = jax.jacfwd(lambda e: flow.forward_and_log_det(params, e)[0])(jnp.asarray(rng.normal(size=DIM)))
    ordered = np.asarray(jacobian)[np.ix_(flow.order, flow.order)]
    free = np.eye(DIM, dtype=bool) | np.tril(np.arange(DIM) < 2)  # of the others only the first two are looked at
    np.testing.assert_array_equal(np.abs(ordered) > 1e-9, free)


def test_flow_of_one_coordinate_is_affine():
    backbone = Backbone(Elementwise(1), Iaf(1, 2, (4,)))
    params = backbone.init(Frame(np.zeros(1), np.ones(1)), np.random.default_rng(0))
    u, log_det = backbone.forward_and_log_det(params, jnp.array([1.5]))
    assert float(u[0]) == pytest.approx(1.5) and float(log_det) == pytest.approx(0)
