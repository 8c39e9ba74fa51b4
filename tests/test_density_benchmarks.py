"""The data of the density benchmarks and their entropies, against computations of other kinds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

import emfppl
from benchmarks.density import baselines, cells
from benchmarks.density.methods import FULL, METHODS, SHORT
from benchmarks.density.targets import TARGETS, Chain, Target, on_grid
from benchmarks.density.verdicts import summary

KNOWN = [t.name for t in TARGETS.values() if t.entropy]
ENDS = {"eight_gaussians": (6, 240), "checkerboard": (5, 400), "two_spirals": (4.5, 120), "diamond": (4.2, 300)}


@pytest.mark.parametrize("name", KNOWN)
def test_draws_agree_with_density_and_entropy(name):
    """E log p of draws is minus the entropy; a constant density has no spread at all."""
    target, n = TARGETS[name], 400 if name == "two_spirals" else 2_000
    logs = target.log_density(target.train(3, n))
    assert logs.mean() == pytest.approx(-target.entropy(), abs=4 * logs.std() / np.sqrt(n) + 1e-9)


@pytest.mark.parametrize("name", ENDS)
def test_densities_in_the_plane_integrate_to_one(name):
    assert on_grid(TARGETS[name].log_density, *ENDS[name])[0] == pytest.approx(1, abs=1e-3)


def test_the_entropy_of_the_diamond():
    """Turned back, it is a product of two mixtures on a line: twice the entropy of one, by adaptive quadrature."""
    centres = np.linspace(-2.5, 2.5, 15)

    def each(x):
        p = norm.pdf(x, centres, 0.06).mean()
        return -p * np.log(p) if p > 0 else 0.0

    middles = (centres[1:] + centres[:-1]) / 2
    pieces = [-3.2, *middles, 3.2]
    one = sum(quad(each, a, b, points=[c])[0] for a, b, c in zip(pieces, pieces[1:], centres, strict=False))
    assert TARGETS["diamond"].entropy() == pytest.approx(2 * one, abs=1e-6)


def test_the_entropy_of_eight_gaussians():
    """Far from each other they would have that of one and log 8; they overlap a little."""
    apart = np.log(8) + 1 + np.log(2 * np.pi) + 2 * np.log(0.5 / 1.414)
    assert apart - 0.2 < TARGETS["eight_gaussians"].entropy() < apart


@pytest.mark.parametrize(("name", "start", "pull", "noise"), [("brownian", 0.1, 1, 0.1), ("ornstein_uhlenbeck", 5, 0.8, 0.5)])
def test_linear_series_are_multivariate_normal(name, start, pull, noise):
    """x = A ε with A the unrolled recursion: SciPy's density and entropy of N(0, A Aᵀ)."""
    times = np.arange(30)
    unrolled = np.tril(float(pull) ** (times[:, None] - times)) * np.where(times == 0, start, noise)
    normal, target = multivariate_normal(np.zeros(30), unrolled @ unrolled.T), TARGETS[name]
    assert target.entropy() == pytest.approx(normal.entropy(), rel=1e-9)
    x = target.train(0, 5)
    flat = np.log(x[..., 0]) if name == "brownian" else x[..., 0]
    jacobian = flat.sum(axis=1) if name == "brownian" else 0
    np.testing.assert_allclose(target.log_density(x), normal.logpdf(flat) - jacobian, rtol=1e-9)


def moved(name, before):
    """Where a step of an oscillator goes without noise, coordinate by coordinate."""
    if name == "lorenz":
        a, b, c = before
        return [a + 0.2 * (b - a), b + 0.02 * (28 * a - a * c - b), c + 0.02 * a * b - 0.16 / 3 * c]
    a, b = before
    return [a + 0.05 * b, b + 0.05 * (b - a * a * b - a)]


@pytest.mark.parametrize(("name", "noise"), [("lorenz", np.sqrt(2e-4)), ("van_der_pol", np.sqrt(5e-4))])
def test_oscillators_step_by_step(name, noise):
    """Against SciPy's normal density, a step at a time."""
    (path,) = TARGETS[name].train(1, 1)
    steps = [norm.logpdf(after, moved(name, before), noise).sum() for before, after in zip(path, path[1:], strict=False)]
    wanted = norm.logpdf(path[0]).sum() + np.sum(steps)
    assert TARGETS[name].log_density(path[None])[0] == pytest.approx(wanted, rel=1e-10)


def test_training_and_held_out_data():
    """Seeds have data of their own; all are judged on the same; images are not in both."""
    target = TARGETS["ornstein_uhlenbeck"]
    assert not np.allclose(target.train(0, 3), target.train(1, 3))
    np.testing.assert_array_equal(target.test(3), target.test(3))


@pytest.mark.parametrize(("name", "shape"), [("iris", (10, 4)), ("digit_sets", (20, 64)), ("digits", (64,))])
def test_sets_and_images(name, shape):
    pytest.importorskip("sklearn")
    target = TARGETS[name]
    x, test = target.train(0, 50), target.test(50)
    assert x.shape == (50, *shape) == (50, *target.shape)
    if name == "digits":
        assert not {tuple(row) for row in target.train(0, 5_000)} & {tuple(row) for row in target.test(5_000)}
        assert (x == np.round(x)).all() and test.max() <= 16
    else:
        after = x[:, 1:].mean(axis=1)  # the mean is that of one member more, so near that of the others
        assert np.abs(x[:, 0] - after).max() < 0.3 * x.std() * shape[0] / 3


@pytest.mark.parametrize("support", [None, (0, np.inf), (0, 17)])
def test_the_way_to_the_real_line(support):
    """Its log-determinant against central differences: the map is one of each number alone."""
    x, step = np.random.default_rng(0).uniform(1, 16, size=(4, 3)), 1e-5
    z, log_det = baselines.to_real_line(x, support)
    slopes = (baselines.to_real_line(x + step, support)[0] - baselines.to_real_line(x - step, support)[0]) / (2 * step)
    np.testing.assert_allclose(log_det, np.log(slopes).sum(axis=1), rtol=1e-6, atol=1e-8)
    back = {None: lambda z: z, (0, np.inf): np.exp, (0, 17): lambda z: 17 / (1 + np.exp(-z))}
    np.testing.assert_allclose(back[support](z), x)


def test_flows_of_flowjax():
    """A short training on a walk comes near its density, 2.7 nats from that of its margins; what is learned is counted."""
    pytest.importorskip("flowjax")
    chain = Chain(4, 1, 1.0, 0.5, lambda x: x)
    target = Target("short", (4, 1), chain.draw, chain.log_density, chain.entropy)
    flow = baselines.train("flowjax_maf", target, target.train(0, 2_000), width=16, steps=200, batch=200, seed=0)
    x = target.test(1_000)
    gap = (chain.log_density(x) - flow.log_density(x)).mean()
    assert -0.01 < gap < 1.5 and flow.num_params > 500


# ---------------------------------------------------------------- rows and verdicts


def row(target, method, nll, **more):
    rest = {"dim": TARGETS[target].dim, "gap": None, "gates": {}, "params": 9, "step": 1e-3, "seconds": 2.0}
    return {"target": target, "method": method, "nll": nll, **rest, **more}


def test_a_printed_row():
    known = row("brownian", "gemf_t_c", [1.0, 1.2, 1.4], gap=[0.3, 0.3, 0.6], entropy=0.8, gates={"x": (0.5, 0.1)})
    assert cells(known)[2:] == ("1.200", "0.115", "0.800", "0.400", "0.100", "0.0133", 9, "0.001", "2", "x 0.50 ≥ 0.10")
    assert cells(row("iris", "maf", [1.0]))[2:8] == ("1.000", "nan", "", "", "", "")
    assert cells({"target": "iris", "method": "maf", "error": "no"})[-1] == "no"


def test_verdicts_over_backbones():
    """Differences are paired over seeds, which share their data."""
    maf, walk = row("brownian", "maf", [2.0, 3.0, 4.0]), row("brownian", "gemf_t_c", [1.9, 2.89, 3.9])
    wrong = row("brownian", "gemf_t_s", [2.1, 3.1, 4.0], gates={"x": (0.1, 0), "y": (0.3, 0.2)})
    told = summary([maf, walk, wrong])
    assert told[0].endswith("1 of 1 ahead") and "+0.103" in told[1]
    assert told[2].endswith("1 of 1 harmless") and "gates 0.20" in told[3]
    level = row("brownian", "gemf_t_c", [2.0, 3.1, 3.95])
    assert "0 of 1" in summary([maf, level])[0]
    calm = [row("brownian", "maf", [2.0, 2.01, 2.02]), row("brownian", "gemf_t_s", [2.2, 2.21, 2.22])]
    assert "HARM" in summary(calm)[1]


@pytest.mark.parametrize("name", TARGETS)
def test_programs_have_the_methods(name):
    """Every method is a density of the program; `--full` writes other widths and bins into it, and all of it compiles."""
    ours = [m for m in METHODS[name] if not m.startswith("flowjax")]
    assert FULL.width(name) == 512 and ("bins = 32" in FULL.source(name)) == ("bins" in SHORT.source(name))
    model = emfppl.load(FULL.source(name))
    assert {d.name for d in model._graph.densities} == set(ours)
