"""Every function of the language against NumPy and SciPy: its values, and its slopes against differences of theirs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import interpolate, linalg, special

from emfppl.compiler import functions
from emfppl.compiler.pipeline import compile_text
from emfppl.grammar.source import SourceText
from emfppl.runtime import operations
from emfppl.runtime.evaluate import Scope, evaluate
from emfppl.runtime.execute import ranges_of
from emfppl.runtime.named import filled
from emfppl.runtime.precision import precision

RNG = np.random.default_rng(5)
HEAD = """
dim r = 3
dim c = 4
dim knot = 4
dim basis = 6
data a[r]: real
data b[c]: real
data p[r]: unit
data m[r, c]: real
data tall[c, r]: real
data q[r, r']: real
data spd[r, r']: cov
data u[r, r']: real
data knots[knot]: real
data yes[r]: bool
s ~ Normal(0, 1)
h ~ Normal(0, 1)
"""
LOW = np.tril(RNG.normal(size=(3, 3))) + 3 * np.eye(3)
DATA = {
    "a": RNG.normal(size=3), "b": RNG.normal(size=4), "p": RNG.random(3) * 0.8 + 0.1, "m": RNG.normal(size=(3, 4)),
    "tall": RNG.normal(size=(4, 3)), "q": RNG.normal(size=(3, 3)), "spd": np.eye(3) + 0.2, "u": LOW.T, "low": LOW,
    "knots": np.array([0.0, 0.3, 0.7, 1.0]), "yes": np.array([True, False, True]), "s": np.array(1.3), "h": np.array(0.7),
}  # fmt: skip
SIZES = {"r": 3, "c": 4, "knot": 4, "basis": 6}


@dataclass(frozen=True)
class Case:
    """`f` is of the arrays that `of` names, all of which it has slopes in where `smooth` is not False."""

    target: str
    expression: str
    of: str
    f: Callable
    smooth: bool = True

    def __str__(self) -> str:
        return self.expression


def each(name: str, f: Callable, smooth: bool = True, inside: str = "p", g: Callable = lambda p: p) -> Case:
    """A function of one number, at p or at a function g of it."""
    return Case("y[r]", f"{name}({inside})", "p", lambda p: f(g(p)), smooth)


def points(x: np.ndarray, z: np.ndarray, length: float | np.ndarray) -> np.ndarray:
    """Distances between points (n,) or (n, f) and (m,) or (m, f), divided by the length."""
    x, z = x.reshape(len(x), -1), z.reshape(len(z), -1)
    return np.sqrt((((x[:, None] - z[None]) / length) ** 2).sum(-1))


def exp_quad(d: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * d**2)


def matern32(d: np.ndarray) -> np.ndarray:
    return (1 + np.sqrt(3) * d) * np.exp(-np.sqrt(3) * d)


def matern52(d: np.ndarray) -> np.ndarray:
    return (1 + np.sqrt(5) * d + 5 * d**2 / 3) * np.exp(-np.sqrt(5) * d)


def qr(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    q, r = np.linalg.qr(a)
    signs = np.sign(np.diagonal(r))
    return q * signs, r * signs[:, None]


def whole_basis(x: np.ndarray, knots: np.ndarray, degree: int) -> np.ndarray:
    t = np.r_[[knots[0]] * degree, knots, [knots[-1]] * degree]
    n = len(t) - degree - 1
    return np.stack([interpolate.BSpline(t, np.eye(n)[i], degree)(x) for i in range(n)], -1)


def integrals(x: np.ndarray, knots: np.ndarray, degree: int) -> np.ndarray:
    """∫ of M-splines, B-splines of integral 1, from the first knot to x."""
    t = np.r_[[knots[0]] * degree, knots, [knots[-1]] * degree]
    n = len(t) - degree - 1
    splines = [interpolate.BSpline(t, np.eye(n)[i] * (degree + 1) / (t[i + degree + 1] - t[i]), degree) for i in range(n)]
    return np.array([[one.integrate(knots[0], at) for one in splines] for at in x])


SQUARE = lambda p: 1 + p  # noqa: E731
CASES = [
    each("exp", np.exp), each("log", np.log), each("log2", np.log2), each("log10", np.log10), each("log1p", np.log1p),
    each("log1m", lambda x: np.log(1 - x)), each("log1m_exp", lambda x: np.log(1 - np.exp(x)), inside="-p", g=np.negative),
    each("expm1", np.expm1), each("sqrt", np.sqrt), each("cbrt", np.cbrt), each("square", np.square),
    each("abs", np.abs, inside="-p", g=np.negative), each("sign", np.sign), each("floor", np.floor, False),
    each("ceil", np.ceil, False), each("round", np.round, False), each("int", np.trunc, False, "3 * p", lambda p: 3 * p),
    each("isnan", np.isnan, False, "0 / (p - p)", lambda p: np.full(3, np.nan)),
    each("sin", np.sin), each("cos", np.cos), each("tan", np.tan), each("asin", np.arcsin), each("acos", np.arccos),
    each("atan", np.arctan), each("sinh", np.sinh), each("cosh", np.cosh), each("tanh", np.tanh), each("asinh", np.arcsinh),
    each("acosh", np.arccosh, inside="1 + p", g=SQUARE), each("atanh", np.arctanh),
    each("inv_logit", special.expit), each("sigmoid", special.expit), each("logit", special.logit),
    each("log_sigmoid", special.log_expit), each("softplus", lambda x: np.log1p(np.exp(x))),
    each("cloglog", lambda x: np.log(-np.log(1 - x))), each("inv_cloglog", lambda x: 1 - np.exp(-np.exp(x))),
    each("Phi", special.ndtr), each("log_Phi", special.log_ndtr, inside="-20 * p", g=lambda p: -20 * p),
    each("probit", special.ndtri), each("ndtri", special.ndtri), each("erf", special.erf), each("erfc", special.erfc),
    each("lgamma", special.gammaln), each("digamma", special.digamma), each("trigamma", lambda x: special.polygamma(1, x)),
    each("log_factorial", lambda x: special.gammaln(x + 1)),
    Case("y[r]", "logaddexp(a, p)", "a p", np.logaddexp),
    Case("y[r]", "logsubexp(1 + p, p * 0.5)", "p", lambda p: np.log(np.exp(1 + p) - np.exp(p * 0.5))),
    Case("y[r]", "xlogy(a, p) + xlogy(0, p)", "a p", special.xlogy),
    Case("y[r]", "minimum(a, p)", "a p", np.minimum), Case("y[r]", "maximum(a, p)", "a p", np.maximum),
    Case("y[r]", "clip(a, -0.5, 0.5)", "a", lambda a: np.clip(a, -0.5, 0.5)),
    Case("y[r]", "atan2(a, p)", "a p", np.arctan2), Case("y[r]", "hypot(a, p)", "a p", np.hypot),
    Case("y[r]", "lbeta(p, 2 * p)", "p", lambda p: special.betaln(p, 2 * p)),
    Case("y[r]", "log_choose(3 + p, 1 + p)", "p", lambda p: np.log(special.binom(3 + p, 1 + p))),
    # reductions
    Case("y[r]", "sum(m, over = c)", "m", lambda m: m.sum(1)), Case("y[c]", "prod(m, over = r)", "m", lambda m: m.prod(0)),
    Case("y", "mean(m)", "m", np.mean), Case("y[r]", "var(m, over = c)", "m", lambda m: m.var(1, ddof=1)),
    Case("y", "sd(m)", "m", lambda m: m.std(ddof=1)), Case("y[r]", "min(m, over = c)", "m", lambda m: m.min(1)),
    Case("y[c]", "max(m, over = r)", "m", lambda m: m.max(0)),
    Case("y[r]", "argmin(m, over = c)", "m", lambda m: m.argmin(1), False), Case("y", "argmax(b)", "b", np.argmax, False),
    Case("y[r]", "logsumexp(m, over = c)", "m", lambda m: special.logsumexp(m, 1)),
    Case("y", "any(yes) and not any(not yes and yes)", "yes", np.any, False), Case("y", "all(yes)", "yes", np.all, False),
    Case("y[r, c]", "cumsum(m, over = r)", "m", lambda m: m.cumsum(0)),
    Case("y[r, c]", "cumprod(m, over = c)", "m", lambda m: m.cumprod(1)),
    # vectors and matrices
    Case("y[r, c]", "softmax(m)", "m", lambda m: special.softmax(m, 1)),
    Case("y[r, c]", "log_softmax(m, over = r)", "m", lambda m: special.log_softmax(m, 0)),
    Case("y[r, r']", "diag(a)", "a", np.diag), Case("y[r]", "diagonal(q)", "q", np.diagonal), Case("y", "trace(q)", "q", np.trace),
    Case("y[r, r']", "transpose(q)", "q", np.transpose), Case("y[r, c]", "outer(a, b)", "a b", np.outer),
    Case("y[r, r']", "outer(a, p)", "a p", np.outer),
    Case("y[r, r']", "cholesky(spd)", "spd", lambda s: linalg.cholesky((s + s.T) / 2, lower=True)),
    Case("y[r, r']", "inverse(spd)", "spd", np.linalg.inv), Case("y", "logdet(q)", "q", lambda q: np.linalg.slogdet(q)[1]),
    Case("y[r, r']", "matrix_exp(q)", "q", linalg.expm),
    Case("y[c, r]", "qr_q(tall)", "tall", lambda t: qr(t)[0]), Case("y[r, r']", "qr_r(tall)", "tall", lambda t: qr(t)[1]),
    Case("y[r']", "solve(q, a)", "q a", np.linalg.solve),
    Case("y[r]", "solve(q, a[r'])", "q a", lambda q, a: np.linalg.solve(q.T, a)),
    Case("y[r', c]", "solve(spd, m)", "spd m", np.linalg.solve),
    Case("y[r']", "solve_lower(q + 4 * identity(r), a)", "q a", lambda q, a: np.linalg.solve(np.tril(q) + 4 * np.eye(3), a)),
    Case("y[r]", "solve_lower(q + 4 * identity(r), a[r'])", "q a", lambda q, a: np.linalg.solve((np.tril(q) + 4 * np.eye(3)).T, a)),
    Case("y[r', c]", "solve_upper(u, m)", "u m", lambda u, m: np.linalg.solve(np.triu(u), m)),
    Case("y[r, r']", "identity(r) * s + spd", "spd s", lambda k, s: k + s * np.eye(3)),
    Case("y[r, r']", "add_diag(spd, s)", "spd s", lambda k, s: k + s * np.eye(3)),
    Case("y[r, r']", "add_diag(spd, a)", "spd a", lambda k, a: k + np.diag(a)),
    # covariances
    Case("y[r, r']", "exp_quad(a, s, h)", "a s h", lambda a, s, h: s**2 * exp_quad(points(a, a, h))),
    Case("y[r, r']", "exp_quad(m, s, b * b)", "m s b", lambda m, s, b: s**2 * exp_quad(points(m, m, b * b))),
    Case("y[c, r]", "exp_quad(b, a, s, h)", "b a s h", lambda b, a, s, h: s**2 * exp_quad(points(b, a, h))),
    Case("y[c, c']", "exp_quad(m, s, h, over = c)", "m s h", lambda m, s, h: s**2 * exp_quad(points(m.T, m.T, h))),
    Case("y[r, c, c']", "exp_quad(b, p, 1)", "b p", lambda b, p: p[:, None, None] ** 2 * exp_quad(points(b, b, 1))),
    Case("y[r, c]", "matern12(a, b, s, h)", "a b s h", lambda a, b, s, h: s**2 * np.exp(-points(a, b, h))),
    Case("y[r, r']", "matern32(m, s, h)", "m s h", lambda m, s, h: s**2 * matern32(points(m, m, h))),
    Case("y[r, r']", "matern52(a, scale = s, length = h)", "a s h", lambda a, s, h: s**2 * matern52(points(a, a, h))),
    Case("y[r, r']", "periodic(a, s, h, 3)", "a s h",
         lambda a, s, h: s**2 * np.exp(-2 * np.sin(np.pi * (a[:, None] - a) / 3) ** 2 / h**2)),
    # splines
    Case("y[r, basis]", "bspline(p, knots, 3)", "p", lambda p: whole_basis(p, DATA["knots"], 3)),
    Case("y[r, basis]", "bspline(p, knots, 3)", "knots", lambda t: whole_basis(DATA["p"], t, 3)),
    Case("y[r, basis]", "ispline(p, knots, 3)", "p", lambda p: integrals(p, DATA["knots"], 3)),
]  # fmt: skip


def test_every_function_has_its_case_and_its_implementation():
    elsewhere = {"if", "ode", "ode_stiff"}  # in test_evaluate and test_ode
    assert functions.NAMES - elsewhere == {case.expression.partition("(")[0] for case in CASES}
    assert set(functions.ELEMENTWISE) | set(functions.OPERATORS) == set(operations.ELEMENTWISE)
    assert set(functions.REDUCTIONS) == set(operations.REDUCE) | set(operations.CUMULATIVE)
    assert set(functions.ARRAY) | set(functions.COVARIANCES) | {"add_diag"} == set(operations.ARRAY)
    assert set(functions.SOLVERS) == set(operations.SOLVERS)
    assert set(functions.BASES) == set(operations.BASES)


def ours(case: Case) -> Callable:
    """The function of the language, of the arrays that the case names."""
    node = compile_text(SourceText(f"{HEAD}\n{case.target} = {case.expression}\n")).nodes[-1]
    labels = tuple(axis.label for axis in node.domain)
    shape = tuple(SIZES[axis.dim] for axis in node.domain)

    def f(*arrays: jax.Array) -> jax.Array:
        variables = {**DATA, **dict(zip(case.of.split(), arrays, strict=True))}
        return filled(evaluate(node.value, Scope(SIZES, ranges_of(node, SIZES), variables)), labels, shape)

    return f


@pytest.mark.parametrize("case", CASES, ids=str)
def test_values_and_slopes(case):
    arrays = [DATA[name] for name in case.of.split()]
    f, expected = ours(case), case.f(*arrays)
    weights = np.random.default_rng(1).normal(size=np.shape(expected))
    with precision("float64"):
        if not case.smooth:
            np.testing.assert_array_equal(f(*arrays), expected)
            return
        value, slopes = with_slopes(f, arrays, weights)
    np.testing.assert_allclose(value, expected, rtol=1e-9, atol=1e-11)
    for n, slope in enumerate(slopes):
        np.testing.assert_allclose(slope, differences(case.f, arrays, n, weights), rtol=1e-5, atol=1e-7)


def with_slopes(f: Callable, arrays: list[np.ndarray], weights: np.ndarray) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    """The value of f, and the slopes of Σ weights · f in each array."""

    @jax.jit
    def both(*arrays: jax.Array) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        value, pull = jax.vjp(f, *arrays)
        return value, pull(weights)

    return both(*map(jnp.asarray, arrays))


def differences(f: Callable, arrays: list[np.ndarray], n: int, weights: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """Central differences of Σ weights · f in the entries of one array."""
    out = np.zeros(np.shape(arrays[n]))
    for place in np.ndindex(out.shape):
        ends = []
        for sign in (1, -1):
            moved = np.array(arrays[n], float)
            moved[place] += sign * step
            ends.append(np.sum(weights * f(*arrays[:n], moved, *arrays[n + 1 :])))
        out[place] = (ends[0] - ends[1]) / (2 * step)
    return out
