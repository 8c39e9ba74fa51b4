"""Laws 1 to 3 of every node's map: inverse and log-determinant, the prior exactly, gates open and shut."""

from __future__ import annotations

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from node_cases import ALIKE, BATCH, CONTINUOUS, EXACT, PLAIN, SCALARS, VECTORS, Case, D, free

from emfppl.compiler.distributions import BUILT_IN
from emfppl.runtime.bijections import multinomial
from emfppl.runtime.bijections.counts import LAWS as COUNTS
from emfppl.runtime.bijections.families import COMPOSED, LAWS
from emfppl.runtime.bijections.node_map import node_map
from emfppl.runtime.bijections.vectors import MAPS
from emfppl.runtime.precision import precision

BOUNDED = ("BetaProportion", "Kumaraswamy", "LogitNormal", "LogUniform", "VonMises")
few = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
seeds = st.integers(0, 2**16)
every = pytest.mark.parametrize("case", CONTINUOUS, ids=lambda c: c.name)
exact = pytest.mark.parametrize("case", EXACT, ids=lambda c: c.name)


def log_normal(u: jax.Array) -> jax.Array:
    """The log density of standard normal noise over the batch."""
    each = -0.5 * u**2 - 0.5 * jnp.log(2 * jnp.pi)
    return jnp.sum(each.reshape(BATCH, -1), axis=-1)


@cache
def compiled(case: Case, name: str, dtype: str):
    """A method of a case's map, compiled once for all arguments of the case. XLA takes seconds for some: the fewer the better."""

    def gated(args: dict, u: jax.Array, gate: jax.Array) -> tuple:
        run = lambda v: case.node(args).forward(v, gate)  # noqa: E731
        return (*run(u), jax.jacfwd(lambda v: _free(case, args, run(v)[0]))(u))

    def forward(args: dict, u: jax.Array) -> tuple:
        x, log_det = case.node(args).forward(u)
        return x, log_det, case.node(args).log_prob(x), *case.node(args).inverse(x)

    def there_and_back(args: dict, u: jax.Array, gate: jax.Array) -> tuple:
        x, log_det = case.node(args).forward(u, gate)
        return x, log_det, *case.node(args).inverse(x, gate)

    gated_inverse = lambda args, x, gate: case.node(args).inverse(x, gate)  # noqa: E731
    methods = {"gated": gated, "gated_inverse": gated_inverse, "forward": forward, "there_and_back": there_and_back}
    assert dtype in ("float32", "float64")
    return jax.jit(methods[name])


def _free(case: Case, args: dict, x: jax.Array) -> jax.Array:
    """Free coordinates summed over the batch, whose derivative holds the blocks of the Jacobian."""
    x = free(case.node(args).support.name, x)
    return jnp.sum(x.reshape(BATCH, -1), axis=0)


def arguments(case: Case, seed: int, scale: float = 1.0, dtype: str = "float64"):
    rng = np.random.default_rng(seed)
    args = {k: np.asarray(v, dtype) for k, v in case.draw(rng).items()}
    u = np.clip(scale * rng.normal(size=(BATCH, *case.noise)), -3.5, 3.5).astype(dtype)
    return args, u, rng.uniform(0.05, 0.95, u.shape).astype(dtype)


def log_det_of(jacobian: np.ndarray) -> np.ndarray:
    """log |det| of the blocks (n, BATCH, …) over the batch."""
    blocks = np.moveaxis(np.asarray(jacobian), 1, 0)
    return np.linalg.slogdet(blocks.reshape(BATCH, blocks.shape[1], -1))[1]


@every
@few
@given(seed=seeds)
def test_law_1_inverse_and_log_determinant(case: Case, seed: int):
    with precision("float64"):
        args, u, gate = arguments(case, seed)
        gate[0] = 1.0  # quite open, where the map is the prior's
        x, log_det, jacobian = compiled(case, "gated", "float64")(args, u, gate)
        again, log_det_back = compiled(case, "gated_inverse", "float64")(args, x, gate)
        assert np.all(np.isfinite(x)) and log_det.shape == (BATCH,)
        np.testing.assert_allclose(again, u, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(log_det_back, -log_det, rtol=1e-9, atol=1e-8)
        np.testing.assert_allclose(log_det, log_det_of(jacobian), rtol=1e-9, atol=1e-9)


@exact
@few
@given(seed=seeds)
def test_laws_2_and_3_the_open_gate_is_the_prior(case: Case, seed: int):
    with precision("float64"):
        args, u, _ = arguments(case, seed)
        assert case.node(args).exact
        x, log_det, log_prob, again, log_det_back = compiled(case, "forward", "float64")(args, u)
        np.testing.assert_allclose(log_normal(u) - log_det, log_prob, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(again, u, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(log_det_back, -log_det, rtol=1e-9, atol=1e-8)
        gated = compiled(case, "gated", "float64")
        opened, open_det, _ = gated(args, u, np.ones_like(u))
        np.testing.assert_allclose(opened, x, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(open_det, log_det, rtol=1e-9, atol=1e-9)
        shut, shut_det, _ = gated(args, u, np.zeros_like(u))
        expected, expected_det = node_map(D("Flat"), case.support(args), False, (BATCH,), case.event).forward(u)
        np.testing.assert_allclose(shut, expected, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(shut_det, expected_det, rtol=1e-9, atol=1e-9)


@every
@few
@given(seed=seeds)
def test_law_1_in_single_precision(case: Case, seed: int):
    with precision("float32"):
        args, u, gate = arguments(case, seed, 0.7, "float32")
        x, log_det, again, log_det_back = compiled(case, "there_and_back", "float32")(args, u, gate)
        assert x.dtype == jnp.float32
        np.testing.assert_allclose(again, u, rtol=1e-4, atol=1e-4 * (1 + np.abs(x).max()))
        np.testing.assert_allclose(log_det_back, -log_det, rtol=1e-4, atol=2e-4)
    with precision("float64"):
        double = {k: v.astype("float64") for k, v in args.items()}
        full = compiled(case, "gated", "float64")(double, u.astype("float64"), gate.astype("float64"))
        np.testing.assert_allclose(x, full[0], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(log_det, full[1], rtol=1e-4, atol=1e-4)


def test_every_distribution_has_a_family_and_a_case():
    whole = {*COUNTS, *multinomial.NAMES, "ZeroInflated"}
    known = set(LAWS) | set(MAPS) | set(COMPOSED) | whole
    assert known == {row.name for row in BUILT_IN}
    tested = {word for case in CONTINUOUS for word in case.name.replace(",", "").split()}
    assert known - whole - {"censored", "rounded"} <= tested  # those are observed only: test_censored.py
    assert {c.name for c in PLAIN if not c.name.startswith("Flat")} == {"ordered, not identical", "ByDensity"}


@pytest.mark.parametrize("case", [c for c in SCALARS if c.name not in ("Uniform", "ByQuantile", "ByCdf")], ids=lambda c: c.name)
def test_far_in_both_tails(case: Case):
    with precision("float64"):
        args = {k: v[:1] for k, v in case.draw(np.random.default_rng(1)).items()}
        u = np.linspace(-8, 8, 65)
        u = u[abs(u) < 4] if case.name in ("Beta", "Pareto", *BOUNDED) else u  # further out x is rounded to a bound
        node = case.node(args, u.shape)

        def everything(u: jax.Array) -> tuple:
            (x, log_det), slopes = jax.jvp(node.forward, (u,), (jnp.ones_like(u),))
            return x, log_det, node.inverse(x)[0], slopes[0]

        x, log_det, again, slope = jax.jit(everything)(u)
        assert np.all(np.diff(x) > 0)
        np.testing.assert_allclose(again, u, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(np.log(slope), log_det, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", [c for c in (*SCALARS, *VECTORS) if c.name not in ALIKE], ids=lambda c: c.name)
def test_gradients_are_finite_and_right(case: Case):
    """In noise, arguments and gate, at the centre, further out and for gates nearly and quite shut or open."""
    with precision("float64"):
        args, u, _ = arguments(case, 3)
        weights = np.random.default_rng(0).normal(size=(BATCH, *case.event))

        def total(args: dict, u: jax.Array, gate: jax.Array) -> jax.Array:
            x, log_det = case.node(args).forward(u, gate)
            return jnp.sum(weights * jnp.tanh(x)) + jnp.sum(log_det)

        both = jax.jit(jax.value_and_grad(total, argnums=(0, 1, 2)))
        for noise in (np.zeros_like(u), u, 2 * u):
            for opening in (0.0, 1e-8, 0.5, 1.0):
                _, found = both(args, noise, np.full_like(u, opening))
                assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(found))
        gate = np.full_like(u, 0.6)
        _, found = both(args, u, gate)
        for n, point in enumerate((args, u, gate)):
            direction = jax.tree.map(lambda a: np.random.default_rng(5).normal(size=a.shape), point)
            if n == 0 and any(k in args for k in ("covariance_matrix", "precision_matrix", "scale_tril")):
                lower = {k: np.tril(v) if v.ndim > 2 else v for k, v in direction.items()}
                mirrored = {k: v + v.swapaxes(-1, -2) if v.ndim > 2 else v for k, v in lower.items()}
                direction = lower if "scale_tril" in args else mirrored
            upper, lower = (_moved((args, u, gate), n, direction, h) for h in (1e-5, -1e-5))
            numeric = (both(*upper)[0] - both(*lower)[0]) / 2e-5
            pairs = zip(jax.tree.leaves(found[n]), jax.tree.leaves(direction), strict=True)
            analytic = sum(np.vdot(a, b) for a, b in pairs)
            np.testing.assert_allclose(analytic, numeric, rtol=2e-6, atol=2e-6)


def _moved(points: tuple, n: int, direction: object, step: float) -> list:
    """The points, the n-th a step along a direction."""
    return [jax.tree.map(lambda a, b: a + step * b, p, direction) if m == n else p for m, p in enumerate(points)]
