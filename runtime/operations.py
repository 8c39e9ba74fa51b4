"""What the functions of the language compute: one JAX function a name of `compiler.functions`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy import special
from jax.scipy.linalg import solve_triangular

from emfppl.runtime.bijections.normal import log1mexp, log_cdf
from emfppl.runtime.kernels import KERNELS
from emfppl.runtime.splines import bspline, ispline


def _number(x: Any) -> Any:
    """Bools count as 0 and 1."""
    return jnp.asarray(x, jnp.int32) if jnp.result_type(x) == jnp.bool_ else x


def _arithmetic(f: Callable) -> Callable:
    return lambda *args: f(*map(_number, args))


def _real(f: Callable) -> Callable:
    """A function of real numbers: ints become floats first."""
    return lambda *args: f(*(jnp.asarray(x, float) if not jnp.issubdtype(jnp.result_type(x), jnp.floating) else x for x in args))


def _to_int(f: Callable) -> Callable:
    return lambda x: jnp.asarray(f(_number(x)), int)


def _lbeta(a: Any, b: Any) -> Any:
    return special.gammaln(a) + special.gammaln(b) - special.gammaln(a + b)


def _log_choose(n: Any, k: Any) -> Any:
    return -jnp.log1p(n) - _lbeta(n - k + 1, k + 1)


def _logsubexp(a: Any, b: Any) -> Any:
    return a + log1mexp(b - a)


def _cloglog(x: Any) -> Any:
    return jnp.log(-jnp.log1p(-x))


def _inv_cloglog(x: Any) -> Any:
    return -jnp.expm1(-jnp.exp(x))


def _hypot(a: Any, b: Any) -> Any:
    return jnp.sqrt(a * a + b * b)


ELEMENTWISE: Mapping[str, Callable] = MappingProxyType(
    {
        "+": _arithmetic(jnp.add), "-": _arithmetic(jnp.subtract), "*": _arithmetic(jnp.multiply),
        "/": _real(jnp.true_divide), "//": _arithmetic(jnp.floor_divide), "%": _arithmetic(jnp.remainder),
        "**": _arithmetic(jnp.power), "neg": _arithmetic(jnp.negative),
        "<": jnp.less, "<=": jnp.less_equal, ">": jnp.greater, ">=": jnp.greater_equal,
        "==": jnp.equal, "!=": jnp.not_equal,
        "and": jnp.logical_and, "or": jnp.logical_or, "not": jnp.logical_not, "if": jnp.where,
        "exp": _real(jnp.exp), "log": _real(jnp.log), "log1p": _real(jnp.log1p), "expm1": _real(jnp.expm1),
        "sqrt": _real(jnp.sqrt), "sin": _real(jnp.sin), "cos": _real(jnp.cos), "tan": _real(jnp.tan),
        "asin": _real(jnp.arcsin), "acos": _real(jnp.arccos), "atan": _real(jnp.arctan),
        "sinh": _real(jnp.sinh), "cosh": _real(jnp.cosh), "tanh": _real(jnp.tanh),
        "asinh": _real(jnp.arcsinh), "acosh": _real(jnp.arccosh), "atanh": _real(jnp.arctanh),
        "logit": _real(special.logit), "inv_logit": _real(jax.nn.sigmoid), "sigmoid": _real(jax.nn.sigmoid),
        "softplus": _real(jax.nn.softplus), "log_sigmoid": _real(jax.nn.log_sigmoid),
        "probit": _real(special.ndtri), "ndtri": _real(special.ndtri), "Phi": _real(special.ndtr),
        "erf": _real(special.erf), "erfc": _real(special.erfc),
        "lgamma": _real(special.gammaln), "digamma": _real(special.digamma),
        "log2": _real(jnp.log2), "log10": _real(jnp.log10), "cbrt": _real(jnp.cbrt), "xlogy": _real(special.xlogy),
        "log1m_exp": _real(log1mexp), "logsubexp": _real(_logsubexp), "cloglog": _real(_cloglog),
        "inv_cloglog": _real(_inv_cloglog), "log_Phi": _real(log_cdf), "trigamma": _real(lambda x: special.polygamma(1, x)),
        "log1m": _real(lambda x: jnp.log1p(-x)), "log_factorial": _real(lambda n: special.gammaln(n + 1)),
        "atan2": _real(jnp.arctan2), "hypot": _real(_hypot), "logaddexp": _real(jnp.logaddexp),
        "lbeta": _real(_lbeta), "log_choose": _real(_log_choose),
        "abs": _arithmetic(jnp.abs), "square": _arithmetic(jnp.square), "sign": _arithmetic(jnp.sign),
        "minimum": _arithmetic(jnp.minimum), "maximum": _arithmetic(jnp.maximum), "clip": _arithmetic(jnp.clip),
        "floor": _to_int(jnp.floor), "ceil": _to_int(jnp.ceil), "round": _to_int(jnp.round), "int": _to_int(jnp.trunc),
        "isnan": _real(jnp.isnan),
    }
)  # fmt: skip


def _sample_variance(x: Any, axis: tuple[int, ...]) -> Any:
    return jnp.var(x, axis=axis, ddof=1)


def _sample_sd(x: Any, axis: tuple[int, ...]) -> Any:
    return jnp.std(x, axis=axis, ddof=1)


def _first(f: Callable) -> Callable:
    """A function along the only axis that it is given."""
    return lambda x, axis: jnp.asarray(f(x, axis=axis[0]), int)


# name -> f(array, axis); the divisor of sd and var is n − 1
REDUCE: Mapping[str, Callable] = MappingProxyType(
    {
        "sum": jnp.sum, "mean": jnp.mean, "sd": _sample_sd, "var": _sample_variance, "min": jnp.min, "max": jnp.max,
        "prod": jnp.prod, "logsumexp": special.logsumexp, "any": jnp.any, "all": jnp.all,
        "argmin": _first(jnp.argmin), "argmax": _first(jnp.argmax),
    }
)  # fmt: skip
CUMULATIVE: Mapping[str, Callable] = MappingProxyType({"cumsum": jnp.cumsum, "cumprod": jnp.cumprod})


def reduce(op: str, array: Any, axes: tuple[int, ...]) -> Any:
    """A reduction over `axes`, or a cumulative one along a single axis."""
    array = array if op in ("any", "all") else _number(array)
    return CUMULATIVE[op](array, axis=axes[0]) if op in CUMULATIVE else REDUCE[op](array, axis=axes)


def _logdet(a: Any) -> Any:
    return jnp.linalg.slogdet(a)[1]


def _diag(v: Any) -> Any:
    return v[..., None] * jnp.eye(v.shape[-1], dtype=v.dtype)


def _add_diag(a: Any, v: Any) -> Any:
    v = v[..., None] if v.ndim < a.ndim - 1 else v
    return a + v[..., None] * jnp.eye(a.shape[-1], dtype=a.dtype)


def _trace(a: Any) -> Any:
    return jnp.trace(a, axis1=-2, axis2=-1)


def _qr(a: Any) -> tuple[Any, Any]:
    """Thin Q and R, signs such that the diagonal of R is positive."""
    q, r = jnp.linalg.qr(a)
    signs = jnp.where(jnp.diagonal(r, axis1=-2, axis2=-1) < 0, -1.0, 1.0)
    return q * signs[..., None, :], r * signs[..., :, None]


# Functions of whole vectors and matrices: core axes last, batch axes broadcast.
ARRAY: Mapping[str, Callable] = MappingProxyType(
    {
        "softmax": lambda v: jax.nn.softmax(v, axis=-1),
        "log_softmax": lambda v: jax.nn.log_softmax(v, axis=-1),
        "diag": _diag,
        "diagonal": lambda a: jnp.diagonal(a, axis1=-2, axis2=-1),
        "trace": _trace,
        "transpose": lambda a: jnp.swapaxes(a, -1, -2),
        "outer": lambda a, b: a[..., :, None] * b[..., None, :],
        "cholesky": jnp.linalg.cholesky,
        "inverse": jnp.linalg.inv,
        "logdet": _logdet,
        "matrix_exp": jax.scipy.linalg.expm,
        "add_diag": _add_diag,
        "qr_q": lambda a: _qr(a)[0],
        "qr_r": lambda a: _qr(a)[1],
        **KERNELS,
    }
)
# f(x, knots, degree), the degree a plain number
BASES: Mapping[str, Callable] = MappingProxyType({"bspline": bspline, "ispline": ispline})


def _triangular(lower: bool) -> Callable:
    def solve(a: Any, b: Any, transposed: bool) -> Any:
        return solve_triangular(a, b, lower=lower, trans=1 if transposed else 0)

    return solve


def _solve(a: Any, b: Any, transposed: bool) -> Any:
    return jnp.linalg.solve(jnp.swapaxes(a, -1, -2) if transposed else a, b)


# f(A, B, transposed): A (…, n, n), B (…, n, columns)
SOLVERS: Mapping[str, Callable] = MappingProxyType(
    {"solve": _solve, "solve_lower": _triangular(True), "solve_upper": _triangular(False)}
)
