"""The table of functions that expressions may call: arguments, kinds, what each computes. The runtime implements each by the same
name, and docs/functions.md is made from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from emfppl.compiler.expressions import Kind


@dataclass(frozen=True, slots=True)
class Elementwise:
    """A function entry by entry; `kind` is that of the result, None that of the arguments (int stays int)."""

    name: str
    params: tuple[str, ...]
    formula: str
    kind: Kind | None = Kind.REAL


@dataclass(frozen=True, slots=True)
class Reduction:
    """A function of all entries along dims, which vanish; of a cumulative one (`along`) the one dim stays. `kind` as in
    `Elementwise`; INDEX is a position in the one dim that vanishes."""

    name: str
    formula: str
    kind: Kind | None = None
    along: bool = False


@dataclass(frozen=True, slots=True)
class ArrayFunction:
    """A function of whole vectors and matrices: the rank of each argument's core and of the result's; `square`: its matrices
    must be."""

    name: str
    params: tuple[str, ...]
    args: tuple[int, ...]
    result: int
    formula: str
    square: bool = True


@dataclass(frozen=True, slots=True)
class Special:
    """A function with a rule of its own for what its arguments and its result run over."""

    name: str
    params: tuple[str, ...]
    formula: str


Row = TypeVar("Row", Elementwise, Reduction, ArrayFunction, Special)


def _table(*rows: Row) -> dict[str, Row]:
    return {row.name: row for row in rows}


def _real(name: str, formula: str, params: str = "x") -> Elementwise:
    return Elementwise(name, tuple(params.split()), formula)


ELEMENTWISE: dict[str, Elementwise] = _table(
    _real("exp", "eˣ"),
    _real("log", "natural logarithm"),
    _real("log2", "logarithm to base 2"),
    _real("log10", "logarithm to base 10"),
    _real("log1p", "log(1 + x), exact for small x"),
    _real("log1m", "log(1 − x), exact for small x"),
    _real("log1m_exp", "log(1 − eˣ), x < 0"),
    _real("expm1", "eˣ − 1, exact for small x"),
    _real("logaddexp", "log(eᵃ + eᵇ)", "a b"),
    _real("logsubexp", "log(eᵃ − eᵇ), a > b", "a b"),
    _real("xlogy", "x log y, and 0 where x = 0", "x y"),
    _real("sqrt", "√x"),
    _real("cbrt", "∛x"),
    Elementwise("square", ("x",), "x²", None),
    Elementwise("abs", ("x",), "|x|", None),
    Elementwise("sign", ("x",), "−1, 0 or 1", None),
    Elementwise("minimum", ("a", "b"), "the smaller one", None),
    Elementwise("maximum", ("a", "b"), "the larger one", None),
    Elementwise("clip", ("x", "low", "high"), "min(max(x, low), high)", None),
    Elementwise("floor", ("x",), "the whole number below", Kind.INT),
    Elementwise("ceil", ("x",), "the whole number above", Kind.INT),
    Elementwise("round", ("x",), "the nearest whole number; halves to the even one", Kind.INT),
    Elementwise("int", ("x",), "x without its fraction", Kind.INT),
    Elementwise("isnan", ("x",), "whether x is not a number", Kind.BOOL),
    _real("sin", "sine"),
    _real("cos", "cosine"),
    _real("tan", "tangent"),
    _real("asin", "inverse of sin"),
    _real("acos", "inverse of cos"),
    _real("atan", "inverse of tan"),
    _real("atan2", "angle of the point (x, y)", "y x"),
    _real("hypot", "√(a² + b²)", "a b"),
    _real("sinh", "(eˣ − e⁻ˣ) / 2"),
    _real("cosh", "(eˣ + e⁻ˣ) / 2"),
    _real("tanh", "sinh(x) / cosh(x)"),
    _real("asinh", "inverse of sinh"),
    _real("acosh", "inverse of cosh"),
    _real("atanh", "inverse of tanh"),
    _real("inv_logit", "1 / (1 + e⁻ˣ)"),
    _real("sigmoid", "the same as inv_logit"),
    _real("logit", "log(x / (1 − x))"),
    _real("log_sigmoid", "log(inv_logit(x))"),
    _real("softplus", "log(1 + eˣ)"),
    _real("cloglog", "log(−log(1 − x))"),
    _real("inv_cloglog", "1 − exp(−eˣ)"),
    _real("Phi", "standard normal distribution function"),
    _real("log_Phi", "log(Phi(x)), exact far below 0"),
    _real("probit", "inverse of Phi"),
    _real("ndtri", "the same as probit"),
    _real("erf", "2 Phi(√2 x) − 1"),
    _real("erfc", "1 − erf(x)"),
    _real("lgamma", "log Γ(x)"),
    _real("digamma", "derivative of log Γ(x)"),
    _real("trigamma", "second derivative of log Γ(x)"),
    _real("lbeta", "log Γ(a) + log Γ(b) − log Γ(a + b)", "a b"),
    _real("log_choose", "log of the binomial coefficient n over k", "n k"),
    _real("log_factorial", "log n!", "n"),
)

OPERATORS = ("+", "-", "*", "/", "//", "%", "**", "<", "<=", ">", ">=", "==", "!=", "and", "or", "not", "neg", "if")

REDUCTIONS: dict[str, Reduction] = _table(
    Reduction("sum", "Σ xᵢ"),
    Reduction("prod", "Π xᵢ"),
    Reduction("mean", "Σ xᵢ / n", Kind.REAL),
    Reduction("var", "Σ (xᵢ − mean)² / (n − 1)", Kind.REAL),
    Reduction("sd", "√var", Kind.REAL),
    Reduction("min", "the smallest entry"),
    Reduction("max", "the largest entry"),
    Reduction("argmin", "the position of the smallest entry, an index of the dim", Kind.INDEX),
    Reduction("argmax", "the position of the largest entry, an index of the dim", Kind.INDEX),
    Reduction("logsumexp", "log Σ exp(xᵢ)", Kind.REAL),
    Reduction("any", "whether one entry is true", Kind.BOOL),
    Reduction("all", "whether every entry is true", Kind.BOOL),
    Reduction("cumsum", "x₀, x₀ + x₁, …", None, True),
    Reduction("cumprod", "x₀, x₀ x₁, …", None, True),
)

ARRAY: dict[str, ArrayFunction] = _table(
    ArrayFunction("softmax", ("v",), (1,), 1, "exp(vᵢ) / Σ exp(vⱼ)"),
    ArrayFunction("log_softmax", ("v",), (1,), 1, "its logarithm"),
    ArrayFunction("diag", ("v",), (1,), 2, "over [k, k']: v on the diagonal"),
    ArrayFunction("diagonal", ("A",), (2,), 1, "the diagonal of A"),
    ArrayFunction("trace", ("A",), (2,), 0, "the sum of the diagonal"),
    ArrayFunction("transpose", ("A",), (2,), 2, "Aᵀ"),
    ArrayFunction("outer", ("u", "v"), (1, 1), 2, "uᵢ vⱼ"),
    ArrayFunction("cholesky", ("A",), (2,), 2, "the lower triangular L with L Lᵀ = A; nan if A is not positive definite"),
    ArrayFunction("inverse", ("A",), (2,), 2, "A⁻¹"),
    ArrayFunction("logdet", ("A",), (2,), 0, "log |det A|"),
    ArrayFunction("matrix_exp", ("A",), (2,), 2, "I + A + A² / 2! + A³ / 3! + …"),
    ArrayFunction("qr_q", ("X",), (2,), 2, "over [n, k]: the Q of X = Q R, with columns of length 1 at right angles", False),
    ArrayFunction("qr_r", ("X",), (2,), 2, "over [k, k']: the R of X = Q R, upper triangular, its diagonal positive", False),
)
SOLVERS: dict[str, Special] = _table(
    Special("solve", ("A", "b"), "x with A x = b"),
    Special("solve_lower", ("L", "b"), "the same for lower triangular L; what is above the diagonal is not read"),
    Special("solve_upper", ("R", "b"), "the same for upper triangular R"),
)
MATRICES: dict[str, Special] = _table(
    Special("identity", ("k",), "over [k, k']: ones on the diagonal; k is a dim"),
    Special("add_diag", ("A", "v"), "A with v, a number or a vector, added to its diagonal"),
)
COVARIANCES: dict[str, Special] = _table(
    Special("exp_quad", ("x", "scale", "length"), "scale² exp(−d² / 2), d = |x − x'| / length"),
    Special("matern12", ("x", "scale", "length"), "scale² exp(−d)"),
    Special("matern32", ("x", "scale", "length"), "scale² (1 + √3 d) exp(−√3 d)"),
    Special("matern52", ("x", "scale", "length"), "scale² (1 + √5 d + 5 d² / 3) exp(−√5 d)"),
    Special("periodic", ("x", "scale", "length", "period"), "scale² exp(−2 Σ sin²(π (x − x') / period) / length²)"),
)
BASES: dict[str, Special] = _table(
    Special("bspline", ("x", "knots", "degree"), "the B-splines of that degree at x"),
    Special("ispline", ("x", "knots", "degree"), "their integrals, scaled to rise from 0 to 1: monotone"),
)
SOLUTIONS: dict[str, Special] = _table(
    Special("ode", ("f", "y0", "t0", "times"), "y at the times, where dy/dt = f(t, y, …) and y(t0) = y0"),
    Special("ode_stiff", ("f", "y0", "t0", "times"), "the same by an implicit method, for stiff equations"),
)

NAMES = frozenset((
    *ELEMENTWISE, *REDUCTIONS, *ARRAY, *SOLVERS, *MATRICES, *COVARIANCES, *BASES, *SOLUTIONS, "if",
))  # fmt: skip
