"""The quadratic form of Gaussian blocks against NumPy by hand; sites against autodiff; programs of one size."""

from __future__ import annotations

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gaussian_programs import CASES
from scipy import stats

import emfppl
from emfppl.runtime.gaussian.block import block_of
from emfppl.runtime.gaussian.pattern import pattern
from emfppl.runtime.precision import precision

pytestmark = pytest.mark.usefixtures("quickly_compiled")


@pytest.fixture(autouse=True)
def double():
    with precision("float64"):
        yield


PARTIAL = ("not centred", "sums")  # a location that reads an outer latent: the rows can't be summed beforehand


def program_of(text, data):
    return emfppl.load(text).bind(data).program


def at_random(program, seed=0):
    """Values of all latents."""
    rng = np.random.default_rng(seed)
    noise = {k: jnp.asarray(0.6 * rng.normal(size=s)) for k, s in program.noise_shapes.items()}
    return jax.jit(program.forward)(noise)[0]


def dense(block, entries):
    out = np.zeros((block.dim, block.dim))
    out[block.rows, block.cols] = out[block.cols, block.rows] = entries
    return out


def in_latents(block, outer, entries, linear, constant):
    """A quadratic form in z as one in the latents themselves: z = M v + c."""
    at = lambda v: block.of_values({**outer, **block.coordinates.unravel(v)})  # noqa: E731
    c, m = jax.jit(lambda v: (at(v), jax.jacfwd(at)(v)))(jnp.zeros(block.dim))
    matrix, m, c = dense(block, entries), np.asarray(m), np.asarray(c)
    np.testing.assert_allclose(np.linalg.det(m), 1)
    return m.T @ matrix @ m, m.T @ (linear - matrix @ c), constant + linear @ c - 0.5 * c @ matrix @ c


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_against_numpy(case):
    program = program_of(case.text, case.data)
    block = block_of(program)
    values = at_random(program)
    outer = {name: values[name] for name in block.outer}
    direct, prepared = jax.jit(lambda o: (block.quadratic(o), block.quadratic(o, None, block.prepared())))(outer)
    for one, other in zip(direct, prepared, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-10)
    matrix, linear, constant = in_latents(block, outer, *direct)
    a, b, s = case.rows({k: float(v) for k, v in outer.items()}, case.data)
    a, b = a / s[:, None], b / s
    np.testing.assert_allclose(matrix, a.T @ a, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(linear, a.T @ b, rtol=1e-9, atol=1e-12)
    jacobian = np.sum(np.log(case.data["y"])) if case.name == "flat" else 0.0  # of the logarithm of data
    exact = -0.5 * b @ b - np.sum(np.log(s)) - 0.5 * len(s) * np.log(2 * np.pi) - jacobian
    np.testing.assert_allclose(constant, exact, rtol=1e-9)
    assert not block.moments.others or case.name in PARTIAL
    assert block.pattern.num_colours <= case.colours and np.all(block.rows >= block.cols)
    z = np.random.default_rng(1).normal(size=block.dim)
    np.testing.assert_allclose(block.of_values({**values, **block.values(z, outer)}), z, rtol=1e-12)


GAPS = (
    "dim o\ndata x[o]: real?\ndata y[o]: real\nm ~ Normal(0, 1)\nb ~ Normal(0, 1)\nx[o] ~ Normal(m, 1)\n"
    "y[o] ~ Normal(b * x, 0.5)\n",
    {"x": [0.3, np.nan, 1.2], "y": [0.5, -1.0, 0.2]},
)
PARTS = {"hierarchy": (CASES[0].text, CASES[0].data), "gaps": (CASES[4].text, CASES[4].data), "gaps that are latents": GAPS}


@pytest.mark.parametrize("name", PARTS)
def test_the_parts_make_up_the_joint_density(name):
    program = program_of(*PARTS[name])
    block = block_of(program)
    values = at_random(program, 3)
    outer, z = {name: values[name] for name in block.outer}, block.of_values(values)
    (entries, linear, constant), apart = jax.jit(lambda o: (block.quadratic(o), block.outer_log_density(o)))(outer)
    total = constant + linear @ z - 0.5 * z @ dense(block, entries) @ z + apart
    np.testing.assert_allclose(total, jax.jit(program.log_density)(values), rtol=1e-10)


@pytest.mark.parametrize("scale", [1e-3, 1e-8, 1e-14])
def test_scales_that_vanish(scale):
    """A hierarchy whose groups are all but one number: its evidence is that of the one number."""
    case = CASES[0]
    block = block_of(program_of(case.text, case.data))
    entries, linear, constant = (np.asarray(a) for a in jax.jit(block.quadratic)({"s": scale}))
    triangle = np.linalg.cholesky(dense(block, entries))
    white = np.linalg.solve(triangle, linear)
    evidence = constant + 0.5 * white @ white - np.log(np.diag(triangle)).sum() + 0.5 * block.dim * np.log(2 * np.pi)
    y = case.data["y"]
    pooled = stats.multivariate_normal(np.ones(len(y)), 4 + 0.25 * np.eye(len(y))).logpdf(y)
    np.testing.assert_allclose(evidence, pooled, atol=max(1e-9, 100 * scale**2))


# ---------------------------------------------------------------- sites

SEEDS = """
dim plate
data r[plate]: count
data n[plate]: count
data x[plate]: real
s ~ HalfNormal(1)
a ~ Normal(0, 2)
b ~ Normal(0, 2)
e[plate] ~ Normal(0, s)
eta[plate] = a + b * x + e
p[plate] = inv_logit(eta)
r[plate] ~ Binomial(n, p)
"""
VOLATILITY = """
dim time
data y[time]: real?
h[0] ~ Normal(0, 1)
for t in time[1:] {
  h[t] ~ Normal(0.9 * h[t-1], 0.3)
}
y[time] ~ Normal(0, exp(h / 2))
"""
MIXED = """
dim group = 3
dim obs
data g[obs]: index(group)
data n[obs]: count
data y[obs]: real
m ~ Normal(0, 1)
a[group] ~ Normal(m, 1)
n[obs] ~ Poisson(exp(a[g]))
y[obs] ~ Normal(a[g] + m, 0.5)
factor -log(cosh(2 * m - 1))
"""
DISCRETE = """
dim k
dim obs
data w[k]: simplex
data y[obs]: real
m[k] ~ Normal(0, 2)
z[obs] ~ Categorical(w)
y[obs] ~ Normal(m[z], 0.5)
"""
HIDDEN = """
dim obs
data y[obs]: real
data v: real
a ~ Normal(0, 1)
b ~ Normal(0, 1)
z[obs] ~ Bernoulli(inv_logit(a))
up[obs] = if(z, 2, -1)
y[obs] ~ Normal(up, 1)
v ~ Normal(a + b, 0.3)
"""
COUNTS = {"g": np.array([0, 1, 1, 2, 2, 2]), "n": np.array([1, 0, 2, 5, 0, 3]), "y": np.linspace(-1, 1, 6)}
WITH_SITES = [
    (SEEDS, {"r": [3, 8, 2, 5], "n": [10, 12, 9, 8], "x": [0.0, 1.0, 0.0, 1.0]}, 4, True),
    (VOLATILITY, {"y": [0.4, None, -1.3, 0.2, 2.0]}, 5, True),
    (MIXED, COUNTS, 4, True),  # an element of a is one predictor, whoever reads it
    (DISCRETE, {"w": [0.4, 0.6], "y": [0.1, 1.2, -2.0]}, 2, False),
    (HIDDEN, {"y": [0.1, 1.2, -2.0], "v": 0.5}, 1, True),  # by way of the law of a discrete variable alone
]


NAMES = ["seeds", "volatility", "mixed", "discrete", "hidden"]


@pytest.mark.parametrize(("text", "data", "count", "separate"), WITH_SITES, ids=NAMES)
def test_sites(text, data, count, separate):
    """The quadratic form counts them; at first they have the terms' slope in z, and their curvature where that is negative."""
    program = program_of(text, data)
    block = block_of(program)
    assert block.num_sites == count
    values = at_random(program)
    outer, z = {name: values[name] for name in block.outer}, block.of_values(values)

    @jax.jit
    def everything(outer, z):
        sites = block.initial_sites(z, outer)
        log_site = lambda z: block.site_log_density(z, outer, sites)  # noqa: E731
        terms = lambda z: block.term_log_density({**outer, **block.values(z, outer)})  # noqa: E731
        slopes, curvatures = (jax.grad(log_site)(z), jax.grad(terms)(z)), (jax.hessian(log_site)(z), jax.hessian(terms)(z))
        rest = program.log_density({**outer, **block.values(z, outer)}) - terms(z) - block.outer_log_density(outer) + log_site(z)
        return block.quadratic(outer, sites), rest, slopes, curvatures

    (entries, linear, constant), exact, slopes, curvatures = everything(outer, z)
    np.testing.assert_allclose(constant + linear @ z - 0.5 * z @ dense(block, entries) @ z, exact, rtol=1e-9)
    np.testing.assert_allclose(*slopes, rtol=1e-8, atol=1e-8)
    if separate:
        np.testing.assert_allclose(*curvatures, rtol=1e-6, atol=3e-6)


LOGISTIC = """
dim g = 4
dim obs
data of[obs]: index(g)
data x[obs]: real
data y[obs]: bool
m ~ Normal(0, 1)
b ~ Normal(0, 1)
s ~ HalfNormal(1)
a[g] ~ Normal(m, s)
y[obs] ~ Bernoulli(logits = a[of] + b * x)
"""


def test_rows_of_the_same_latents_share_a_site():
    """Two numbers for each group, (a, b), with slope and Hessian of all its rows; of a group without rows nothing."""
    rng = np.random.default_rng(0)
    rows = 90
    program = program_of(LOGISTIC, {"of": rng.integers(0, 3, rows), "x": rng.normal(size=rows), "y": rng.random(rows) < 0.4})
    block = block_of(program)
    assert block.num_sites == 6 and not block.sites.by_element
    values = at_random(program)
    outer, z = {"s": values["s"]}, block.of_values(values)

    @jax.jit
    def everything(z):
        sites = block.initial_sites(z, outer)
        of_sites = lambda z: block.site_log_density(z, outer, sites)  # noqa: E731
        of_terms = lambda z: block.term_log_density({**outer, **block.values(z, outer)})  # noqa: E731
        derivatives = [(jax.grad(f)(z), jax.hessian(f)(z)) for f in (of_sites, of_terms)]
        rest = program.log_density({**outer, **block.values(z, outer)}) - of_terms(z) - block.outer_log_density(outer) + of_sites(z)
        return block.quadratic(outer, sites, block.prepared()), rest, derivatives

    (entries, linear, constant), exact, ((slope, hessian), (exact_slope, exact_hessian)) = everything(z)
    np.testing.assert_allclose(constant + linear @ z - 0.5 * z @ dense(block, entries) @ z, exact, rtol=1e-9)
    np.testing.assert_allclose(slope, exact_slope, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(hessian, exact_hessian, rtol=1e-4, atol=1e-4)


def test_which_sites_there_are():
    text = "dim g = 5\ndim obs\ndata of[obs]: index(g)\ndata h[obs]: index(g)\ndata n[obs]: count\nm ~ Normal(0, 1)\n"
    text += "a[g] ~ Normal(m, 1)\n"
    rows = 3000
    data = {"of": np.arange(rows) % 5, "h": np.arange(rows) % 4, "n": np.ones(rows, int)}
    assert block_of(program_of(text + "n[obs] ~ Poisson(exp(a[of]))\n", data)).num_sites == 5
    assert block_of(program_of(text + "n[obs] ~ Poisson(exp(a[of] + a[h]))\n", data)).num_sites == 2 * 14  # pairs of groups


# ---------------------------------------------------------------- sizes


def test_the_program_is_of_one_size():
    def equations(steps):
        program = program_of(CASES[4].text, {"y": np.zeros(steps)})
        block = block_of(program)
        return str(jax.make_jaxpr(block.quadratic)({"s": 1.0, "o": 1.0})).count(" = ")

    assert equations(10) == equations(300)


def test_large_patterns_are_found_fast():
    rng = np.random.default_rng(0)
    start = time.perf_counter()
    rows = 200_000
    found = pattern([np.stack([2 + rng.integers(0, 20_000, rows), np.zeros(rows, int), np.ones(rows, int)], 1)], 20_002,
                    [(0, 1), (1, 2), (2, 20_002)])  # fmt: skip
    assert found.num_colours == 3 and len(found.rows) == 3 + 3 * 20_000
    steps = np.arange(30_000)
    chain = pattern([np.stack([steps[:-1], steps[1:]], 1)], 30_000, [(0, 30_000)])
    assert chain.num_colours == 3 and len(chain.rows) == 59_999
    assert time.perf_counter() - start < 5


def test_irregular_patterns():
    """Every entry of a random sparse matrix is told by the products."""
    rng = np.random.default_rng(1)
    spokes = np.stack([np.zeros(100, int), rng.integers(0, 400, 100), np.full(100, -1)], 1)
    ids = np.concatenate([rng.integers(0, 400, (700, 3)), spokes])
    found = pattern([ids], 400, [(0, 150), (150, 400)])
    dense = np.zeros((400, 400))
    dense[found.rows, found.cols] = dense[found.cols, found.rows] = rng.normal(size=len(found.rows))
    products = np.stack([dense[:, found.colours == c].sum(1) for c in range(found.num_colours)])
    np.testing.assert_allclose(products.ravel()[found.places], dense[found.rows, found.cols])
    assert found.num_colours < 80
