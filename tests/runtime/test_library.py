"""The standard library: the log density of each model, against its formula in NumPy and SciPy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.interpolate import BSpline

import emfppl
from emfppl.compiler.imported_files import LIBRARY
from emfppl.compiler.pipeline import check_text, compile_text
from emfppl.grammar.ast_to_text import format_program
from emfppl.grammar.source import SourceText
from emfppl.grammar.text_to_ast import parse
from emfppl.runtime.bind import bind
from emfppl.runtime.precision import precision
from emfppl.runtime.program import Program

FILES = sorted(LIBRARY.glob("*.emf"))
RNG = np.random.default_rng(3)
N, K = 5, 3
Y, X = RNG.normal(size=N), np.sort(RNG.uniform(0, 4, size=N))
MATRIX = RNG.normal(size=(N, K))
KNOTS = np.array([-0.5, 1.0, 2.5, 4.5])
EDGES = np.array([[0, 0, 1, 2, 3], [1, 2, 2, 3, 4]])  # of five regions
Values = dict[str, np.ndarray]


@pytest.mark.parametrize("path", FILES, ids=[p.stem for p in FILES])
def test_files_are_silent_and_formatted(path: Path):
    text = path.read_text()
    assert [str(d) for d in check_text(SourceText(text, path.name))] == []
    assert format_program(parse(SourceText(text))[0]) == text


def norm(x, loc=0.0, scale=1.0) -> float:
    return float(np.sum(stats.norm.logpdf(x, loc, scale)))


def half_cauchy(x, scale=1.0) -> float:
    return float(np.sum(stats.halfcauchy.logpdf(x, scale=scale)))


# ---------------------------------------------------------------- time series


def walk(x, scale, start=0.0, start_scale=1.0, drift=0.0) -> float:
    return norm(x[0], start, start_scale) + norm(x[1:], x[:-1] + drift, scale)


def trend(level, slope) -> float:
    return norm(slope[0]) + norm(slope[1:], slope[:-1], 0.3) + norm(level[0], 2, 10) + norm(level[1:], level[:-1] + slope[:-1], 0.7)


def stationary(phi: list[float], scale: float) -> np.ndarray:
    """The covariance of N values of a stationary autoregression, from its moving average of infinite length."""
    psi = [1.0]
    for n in range(1, 4000):
        psi.append(sum(p * psi[n - 1 - k] for k, p in enumerate(phi) if n - 1 - k >= 0))
    gamma = [scale**2 * float(np.dot(psi[: len(psi) - h], psi[h:])) for h in range(N)]
    return np.array([[gamma[abs(i - j)] for j in range(N)] for i in range(N)])


def ar(v: Values) -> float:
    phi, past, total = np.array([0.5, -0.3, 0.1]), list(v["x.before"]), norm(v["x.before"], 1, 10)
    for value in v["x"]:
        total += norm(value, 1 + phi @ (np.array(past[:3]) - 1), 0.8)
        past.insert(0, value)
    return total


# ---------------------------------------------------------------- Gaussian processes


def process(f, kernel: Callable[[np.ndarray], np.ndarray], scale: float, noise=0.0) -> float:
    covariance = scale**2 * kernel(np.abs(X[:, None] - X)) + (noise**2 + 1e-6 * scale**2) * np.eye(N)
    return float(stats.multivariate_normal(np.zeros(N), covariance).logpdf(f))


KERNELS = {
    "exp_quad": lambda d: np.exp(-(d**2) / 2),
    "matern32": lambda d: (1 + np.sqrt(3) * d) * np.exp(-np.sqrt(3) * d),
    "matern52": lambda d: (1 + np.sqrt(5) * d + 5 * d**2 / 3) * np.exp(-np.sqrt(5) * d),
}


# ---------------------------------------------------------------- the rest


def slab(v: Values) -> float:
    c2, tau, lam = v["x.slab"], v["x.tau"], v["x.lambda"]
    shrunk = np.sqrt(c2) * lam / np.sqrt(c2 + tau**2 * lam**2)
    prior = half_cauchy(tau, 0.1) + half_cauchy(lam) + float(stats.invgamma(2, scale=2 * 2**2).logpdf(c2))
    return prior + norm(v["x"], 0, tau * shrunk)


def varying(v: Values) -> float:
    L, sd = v["x.L"], v["x.sd"]
    corr = float(sum((K - k - 1 + 2 * (2 - 1)) * np.log(L[k, k]) for k in range(1, K)))  # LKJ(2), up to its constant
    S = np.diag(sd) @ L @ L.T @ np.diag(sd)
    each = [stats.multivariate_normal(np.zeros(K), S).logpdf(row) for row in v["x"]]
    return corr + float(np.sum(stats.halfnorm(scale=1.5).logpdf(sd))) + float(np.sum(each))


def icar(v: Values, scale=1.0) -> float:
    e = v["x"]
    return float(-np.sum((e[EDGES[0]] - e[EDGES[1]]) ** 2) / (2 * scale**2) - (N - 1) * np.log(scale))


DATA = "dim n\ndim k\ndim knot\ndata y[n]: real\ndata p[n]: real\ndata X[n, k]: real\ndata knots[knot]: real\n"
DIMS = "dim n = 5\ndim k = 3\n"
CASES: dict[str, tuple[str, str, Callable[[Values], float]]] = {
    # file, program, log density
    "random_walk": ("time_series", DIMS + "x[n] ~ random_walk(0.5, drift = 0.1, start = 1, start_scale = 2)",
                    lambda v: walk(v["x"], 0.5, 1, 2, 0.1)),
    "random_walk of data": ("time_series", DATA + "y[n] ~ random_walk(0.5)", lambda v: walk(Y, 0.5)),
    "local_level": ("time_series", DATA + "y[n] ~ local_level(0.5, 0.2, start = 1, start_scale = 2)",
                    lambda v: walk(v["y.level"], 0.5, 1, 2) + norm(Y, v["y.level"], 0.2)),
    "linear_trend": ("time_series", DIMS + "x[n] ~ linear_trend(0.7, 0.3, start = 2)", lambda v: trend(v["x"], v["x.slope"])),
    "local_linear_trend": ("time_series", DATA + "y[n] ~ local_linear_trend(0.7, 0.3, 0.2, start = 2)",
                           lambda v: trend(v["y.level"], v["y.level.slope"]) + norm(Y, v["y.level"], 0.2)),
    "ar1": ("time_series", DIMS + "x[n] ~ ar1(0.8, 1.5, centre = 2)",
            lambda v: float(stats.multivariate_normal(np.full(N, 2), stationary([0.8], 1.5)).logpdf(v["x"]))),
    "ar2": ("time_series", DIMS + "x[n] ~ ar2(0.6, -0.4, 1.5)",
            lambda v: float(stats.multivariate_normal(np.zeros(N), stationary([0.6 * 1.4, -0.4], 1.5)).logpdf(v["x"]))),
    "ar": ("time_series", DIMS + "phi[k] = [0.5, -0.3, 0.1]\nx[n] ~ ar(phi, 0.8, centre = 1)", ar),
    "horseshoe": ("regression", DIMS + "x[k] ~ horseshoe(0.1)",
                  lambda v: half_cauchy(v["x.tau"], 0.1) + half_cauchy(v["x.lambda"])
                  + norm(v["x"], 0, v["x.tau"] * v["x.lambda"])),
    "regularised_horseshoe": ("regression", DIMS + "x[k] ~ regularised_horseshoe(0.1)", slab),
    "varying_effects": ("regression", DIMS + "x[n, k] ~ varying_effects(1.5)", varying),
    "monotone_spline": ("splines", DATA + "x[n] ~ monotone_spline(p, knots, 2, start = 1)",
                        lambda v: float(np.sum(stats.halfnorm(scale=2).logpdf(v["x.weight"])))),
    "smooth_spline": ("splines", DATA + "x[n] ~ smooth_spline(p, knots, 2)", lambda v: walk(v["x.weight"], 2, 0, 10)),
    "qr_predictor": ("regression", DATA + "x[n] ~ qr_predictor(X, 2)", lambda v: norm(v["x.theta"], 0, 2)),
    "hsgp_exp_quad": ("gaussian_process", DATA + "x[n] ~ hsgp_exp_quad(p, 1, 1, terms = 4)", lambda v: norm(v["x.weight"])),
    **{f"gp_{name}": ("gaussian_process", DATA + f"x[n] ~ gp_{name}(p, 1.5, 0.8)",
                      lambda v, k=k: process(v["x"], lambda d: k(d / 0.8), 1.5)) for name, k in KERNELS.items()},
    "gp_periodic": ("gaussian_process", DATA + "y[n] ~ gp_periodic(p, 1.5, 0.8, 3, noise = 0.4)",
                    lambda v: process(Y, lambda d: np.exp(-2 * np.sin(np.pi * d / 3) ** 2 / 0.8**2), 1.5, 0.4)),
}  # fmt: skip
MAP = "dim n\ndim edge\ndata one[edge]: index(n)\ndata other[edge]: index(n)\n"


def given(text: str) -> dict:
    """Those of the data that a program declares."""
    everything = {"y": Y, "p": X, "X": MATRIX, "knots": KNOTS, "one": EDGES[0], "other": EDGES[1]}
    return {k: v for k, v in everything.items() if f"data {k}[" in text}


def program_of(file: str, text: str) -> Program:
    graph = compile_text(SourceText(f'import "std/{file}"\n{text}\n'))
    sizes = {"n": N, "k": K, "knot": len(KNOTS)}
    return Program(bind(graph, given(text), {d.name: sizes[d.name] for d in graph.dims if d.name in sizes and d.size is None}))


def drawn(program: Program, seed: int = 1) -> Values:
    rng = np.random.default_rng(seed)
    noise = {k: jnp.asarray(0.7 * rng.normal(size=s)) for k, s in program.noise_shapes.items()}
    return {k: np.asarray(v) for k, v in program.forward(noise)[0].items()}


def whole(text: str) -> str:
    """Everything below a factor, so that nothing is left to be drawn forward."""
    return text if "y[n] ~" in text else f"{text}\nfactor 0 * sum(x)"


@pytest.mark.parametrize("name", CASES)
def test_log_densities(name):
    file, text, expected = CASES[name]
    with precision("float64"):
        program = program_of(file, whole(text))
        values = drawn(program)
        found, wanted = log_density(program, values), expected(values)
        if name == "varying_effects":  # up to the constant of LKJ, which is tested with the distribution
            other = drawn(program, 2)
            found, wanted = found - log_density(program, other), wanted - expected(other)
    assert found == pytest.approx(wanted, abs=1e-6)


def log_density(program: Program, values: Values) -> float:
    return float(program.log_density({k: jnp.asarray(v) for k, v in values.items()}))


# ---------------------------------------------------------------- what is computed


def test_icar_and_bym2():
    text = MAP + "x[n] ~ icar(one, other, 0.5)\nb[n] ~ bym2(one, other, 2, 0.3, 0.4)\nfactor 0 * sum(x + b)"
    with precision("float64"):
        program = program_of("areal", text)
        values = drawn(program)
        assert values["x"].sum() == pytest.approx(0, abs=1e-9)
        assert values["b.shared"].sum() == pytest.approx(0, abs=1e-9)
        found = log_density(program, values)
        shared = {"x": values["b.shared"]}
        assert found == pytest.approx(icar(values, 0.5) + icar(shared) + norm(values["b.alone"]), abs=1e-8)
        wanted = 2 * (np.sqrt(0.7) * values["b.alone"] + np.sqrt(0.3 / 0.4) * values["b.shared"])
        assert values["b"] == pytest.approx(wanted, abs=1e-9)


def test_qr_predictor_is_the_linear_predictor_of_its_coefficients():
    with precision("float64"):
        values = drawn(program_of("regression", whole(CASES["qr_predictor"][1])))
    assert values["x"] == pytest.approx(MATRIX @ values["x.beta"], abs=1e-9)
    q, r = np.linalg.qr(MATRIX)
    signs = np.sign(np.diag(r))
    assert values["x"] == pytest.approx(np.sqrt(N - 1) * (q * signs) @ values["x.theta"], abs=1e-9)


def test_splines():
    with precision("float64"):
        smooth = drawn(program_of("splines", whole(CASES["smooth_spline"][1])))
        rising = drawn(program_of("splines", whole(CASES["monotone_spline"][1])))
    ends = np.concatenate([[KNOTS[0]] * 3, KNOTS, [KNOTS[-1]] * 3])
    assert smooth["x"] == pytest.approx(BSpline(ends, smooth["x.weight"], 3)(X), abs=1e-9)
    assert (np.diff(rising["x"]) >= 0).all()
    assert (rising["x"] >= 1).all()
    assert rising["x"].max() <= 1 + rising["x.weight"].sum()


@pytest.mark.parametrize("name", KERNELS)
def test_hilbert_space_approximates_the_process(name):
    """With many terms the covariance of f is the kernel's, inside the range of the points."""
    text = DATA + f"x[n] ~ hsgp_{name}(p, 1.5, 0.8, terms = 300, boundary = 4)\nfactor 0 * sum(x)"
    with precision("float64"):
        program = program_of("gaussian_process", text)
        eye = jnp.eye(300)
        rows = np.stack([np.asarray(program.forward({"x.weight": eye[j]})[0]["x"]) for j in (0, 1, 299)])
    half, w = 4 * (X.max() - X.min()) / 2, (np.array([0, 1, 299]) + 1) * np.pi / 2
    waves = np.sin(np.outer(w / half, X - (X.max() + X.min()) / 2 + half)) / np.sqrt(half)
    assert rows == pytest.approx(np.sqrt(spectral(name, w / half, 1.5, 0.8))[:, None] * waves, abs=1e-7)
    w = (np.arange(300) + 1) * np.pi / 2 / half
    waves = np.sin(np.outer(w, X - (X.max() + X.min()) / 2 + half)) / np.sqrt(half)
    covariance = waves.T @ (spectral(name, w, 1.5, 0.8)[:, None] * waves)
    assert covariance == pytest.approx(1.5**2 * KERNELS[name](np.abs(X[:, None] - X) / 0.8), abs=0.01)


def spectral(name: str, w: np.ndarray, scale: float, length: float) -> np.ndarray:
    """The spectral density ∫ k(d) cos(w d) dd, by the trapezoidal rule."""
    d = np.linspace(0, 30, 60_001)
    kernel = scale**2 * KERNELS[name](d / length)
    return np.array([2 * np.trapezoid(kernel * np.cos(one * d), d) for one in w])


def test_zero_sum_effects():
    """Covariance scale² (I - 1 / K)."""
    draws = emfppl.load('import "std/regression"\ndim k = 4\nx[k] ~ zero_sum_effects(2)\n').sample_prior(20_000, seed=0)["x"]
    assert draws.sum(1) == pytest.approx(0, abs=1e-4)
    assert np.cov(draws.T) == pytest.approx(4 * (np.eye(4) - 0.25), abs=0.15)


def test_panels_of_series_are_so_many_series():
    text = "dim s\ndim n\ndata scale[s]: positive\nx[s, n] ~ random_walk(scale)\nfactor 0 * sum(x)\n"
    with precision("float64"):
        graph = compile_text(SourceText(f'import "std/time_series" as ts\n{text.replace("random", "ts.random")}'))
        program = Program(bind(graph, {"scale": [0.5, 2.0]}, {"n": N}))
        values = drawn(program)
        found = log_density(program, values)
    assert found == pytest.approx(walk(values["x"][0], 0.5) + walk(values["x"][1], 2.0), abs=1e-9)
