"""Sparse factors against NumPy's dense ones: chains, trees, arrows, grids and random patterns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emfppl.runtime.gaussian import chains, ordering
from emfppl.runtime.gaussian.elimination import factor
from emfppl.runtime.gaussian.plan import Level, Sweep, make_plan
from emfppl.runtime.precision import precision


def chain(steps, width=1, hubs=0):
    """States of some width that follow one another, all depending on the same hubs."""
    step = np.repeat(np.arange(steps), width)
    near = np.abs(step[:, None] - step[None, :]) <= 1
    dim = steps * width + hubs
    whole = np.ones((dim, dim), bool)
    whole[: steps * width, : steps * width] = near
    return np.nonzero(np.tril(whole)), dim


def long_chain(steps, width):
    """The same without hubs, not by a dense matrix."""
    dim = steps * width
    rows, cols = (a.ravel() for a in np.broadcast_arrays(np.arange(dim)[:, None], np.arange(dim)[:, None] - np.arange(2 * width)))
    near = (cols >= 0) & (rows // width - cols // width <= 1)
    return (rows[near], cols[near]), dim


def arrow(leaves, hubs):
    dim = leaves + hubs
    whole = np.eye(dim, dtype=bool)
    whole[leaves:] = True
    return np.nonzero(np.tril(whole)), dim


def tree(depth):
    dim = 2 ** (depth + 1) - 1
    nodes = np.arange(1, dim)
    return (np.r_[np.arange(dim), nodes], np.r_[np.arange(dim), (nodes - 1) // 2]), dim


def two_levels(regions, schools, pupils):
    """Pupils in schools in regions under a grand mean."""
    n, m = regions * schools * pupils, regions * schools
    dim = n + m + regions + 1
    parents = np.r_[n + np.arange(n) // pupils, n + m + np.arange(m) // schools, np.full(regions, dim - 1)]
    return (np.r_[np.arange(dim), parents], np.r_[np.arange(dim), np.arange(dim - 1)]), dim


def grid(side):
    place = np.arange(side * side).reshape(side, side)
    right, below = (place[:, 1:], place[:, :-1]), (place[1:], place[:-1])
    rows, cols = (np.concatenate([place.ravel(), right[n].ravel(), below[n].ravel()]) for n in (0, 1))
    return (rows, cols), side * side


def mixed_up(shape):
    """The same with its scalars in a random order."""
    (rows, cols), dim = shape
    place = np.random.default_rng(0).permutation(dim)
    rows, cols = place[rows], place[cols]
    return (np.maximum(rows, cols), np.minimum(rows, cols)), dim


def side_by_side(steps, series):
    """Chains that have nothing to do with one another."""
    (rows, cols), dim = chain(steps)
    shift = dim * np.arange(series)[:, None]
    return ((rows + shift).ravel(), (cols + shift).ravel()), dim * series


def dominant(pattern, dim, seed=0):
    """A positive definite matrix with this pattern, and its entries there."""
    rng = np.random.default_rng(seed)
    matrix = np.zeros((dim, dim))
    matrix[pattern] = rng.normal(size=len(pattern[0]))
    matrix = np.tril(matrix, -1)
    matrix += matrix.T
    np.fill_diagonal(matrix, np.abs(matrix).sum(1) + 0.5)
    return matrix, matrix[pattern]


def agrees(pattern, dim):
    plan = make_plan(*pattern, dim)
    matrix, entries = dominant(pattern, dim)
    h = np.random.default_rng(1).normal(size=dim)

    @jax.jit
    def found(entries, h):
        made = factor(plan, entries)
        return made.log_det, made.coloured(made.whitened(h)), made.whitened(h), jax.vmap(made.coloured)(jnp.eye(dim)).T

    with precision("float64"):
        log_det, solved, white, root = map(np.asarray, found(entries, h))
    np.testing.assert_allclose(log_det, np.linalg.slogdet(matrix)[1], atol=1e-9)
    np.testing.assert_allclose(solved, np.linalg.solve(matrix, h), atol=1e-9)
    np.testing.assert_allclose(root @ root.T, np.linalg.inv(matrix), atol=1e-9)
    np.testing.assert_allclose(white @ white, h @ np.linalg.solve(matrix, h), atol=1e-9)
    return plan


@pytest.mark.usefixtures("quickly_compiled")
@pytest.mark.parametrize(
    ("shape", "levels"),
    [(chain(60), 3), (chain(1), 0), (chain(30, 1, 2), 2), (tree(4), 2), (arrow(40, 3), 1), (two_levels(2, 2, 40), 2), (grid(6), 4)],
)
def test_shapes(shape, levels):
    """Every shape agrees with the dense factor, in few levels."""
    assert len(agrees(*shape).levels) <= levels


def short_sweeps(monkeypatch):
    """Chains are swept from few steps on."""
    monkeypatch.setattr(chains, "LONG", 20)
    monkeypatch.setattr(chains, "SHORTEST", 3)


@pytest.mark.usefixtures("quickly_compiled")
@pytest.mark.parametrize("shape", [chain(61, 1, 2), mixed_up(chain(30, 2)), side_by_side(25, 3)])
def test_sweeps(shape, monkeypatch):
    """So does what is swept: states, hubs, chains whose scalars are in no order or lie side by side."""
    short_sweeps(monkeypatch)
    assert isinstance(agrees(*shape).levels[0], Sweep)


@pytest.mark.parametrize("shape", [tree(9), two_levels(4, 10, 20), grid(20), arrow(500, 3), side_by_side(20, 30), chain(250)])
def test_no_sweeps(shape):
    """What is no long chain goes by levels."""
    pattern, dim = shape
    assert all(isinstance(level, Level) for level in make_plan(*pattern, dim).levels)


@st.composite
def patterns(draw):
    dim = draw(st.integers(1, 25))
    pairs = draw(st.sets(st.tuples(st.integers(0, dim - 1), st.integers(0, dim - 1)), max_size=2 * dim))
    below = sorted({(max(p), min(p)) for p in pairs} | {(i, i) for i in range(dim)})
    rows, cols = np.array(below).T
    return (rows, cols), dim


@pytest.mark.usefixtures("quickly_compiled")
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(patterns())
def test_any_pattern(shape):
    agrees(*shape)


@pytest.mark.usefixtures("quickly_compiled")
@pytest.mark.parametrize("shape", [chain(7, 2), arrow(20, 2), chain(24, 1, 1)])
def test_gradients(shape, monkeypatch):
    """First and second derivatives of evidence and draws equal those of dense algebra, under vmap too."""
    short_sweeps(monkeypatch)
    monkeypatch.setattr(ordering, "SMALL", 3)
    monkeypatch.setattr(ordering, "DENSE", 0.9)
    pattern, dim = shape
    plan = make_plan(*pattern, dim)
    assert plan.levels
    matrix, entries = dominant(pattern, dim)
    rng = np.random.default_rng(2)
    h, direction = rng.normal(size=dim), rng.normal(size=len(entries)) / 10

    def by_plan(t, h):
        made = factor(plan, entries + t * direction)
        solved = made.coloured(made.whitened(h))
        return 0.5 * h @ solved - 0.5 * made.log_det + jnp.sum(solved**3)

    def by_algebra(t, h):
        lower = jnp.zeros((dim, dim)).at[pattern].set(entries + t * direction)
        whole = jnp.tril(lower) + jnp.tril(lower, -1).T
        return 0.5 * h @ jnp.linalg.solve(whole, h) - 0.5 * jnp.linalg.slogdet(whole)[1] + jnp.sum(jnp.linalg.solve(whole, h) ** 3)

    with precision("float64"):
        points = jnp.asarray([0.0, 0.3, -0.2])

        @jax.jit
        def derivatives(points, h):
            each = lambda f: (f, jax.grad(f, 1), jax.grad(jax.grad(f)))  # noqa: E731
            return [[jax.vmap(d, (0, None))(points, h) for d in each(f)] for f in (by_plan, by_algebra)]

        for found, wanted in zip(*derivatives(points, jnp.asarray(h)), strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("width", [1, 2])
def test_program_size(width):
    """The program of a chain is the same however long it is."""

    def lines(steps):
        pattern, dim = long_chain(steps, width)
        plan = make_plan(*pattern, dim)
        return len(plan.levels), len(str(jax.make_jaxpr(lambda e: factor(plan, e).log_det)(np.ones(len(pattern[0])))).splitlines())

    (few, small), (more, large) = lines(2000), lines(20_000)
    assert few == more <= 4 * width
    assert abs(large - small) <= 20


def test_not_positive_definite():
    """What has no factor gives nan, and no exception."""
    pattern, dim = chain(20)
    plan = make_plan(*pattern, dim)
    _, entries = dominant(pattern, dim)
    negative = np.where(pattern[0] == pattern[1], -entries, entries)
    log_det, draw = jax.jit(lambda e: (factor(plan, e).log_det, factor(plan, e).coloured(jnp.ones(dim))))(negative)
    assert np.isnan(log_det)
    assert np.isnan(np.asarray(draw)).any()


def test_singular():
    """So does what is singular but for rounding: of three numbers a weighted sum alone is told."""
    pattern = np.tril_indices(3)
    plan = make_plan(*pattern, 3)
    with precision("float64"):
        told = np.random.default_rng(0).normal(size=(50, 3))
        entries = (told[:, :, None] * told[:, None, :])[:, pattern[0], pattern[1]]
        log_det = jax.jit(jax.vmap(lambda e: factor(plan, e).log_det))
        assert np.all(np.isnan(log_det(entries)))
        assert np.all(np.isfinite(log_det(entries + 1e-6 * (pattern[0] == pattern[1]))))


def test_too_wide():
    """A factor that would be full of fill has no plan."""
    rng = np.random.default_rng(0)
    dim = 1500
    rows, cols = rng.integers(0, dim, (2, 30_000))
    keys = np.unique(np.maximum(rows, cols) * dim + np.minimum(rows, cols))
    assert make_plan(keys // dim, keys % dim, dim) is None
