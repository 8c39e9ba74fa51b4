"""The table of functions that expressions may call: names, arity, kinds. The runtime implements each by the same name."""

from __future__ import annotations

from dataclasses import dataclass

# Elementwise, real result: name -> arity.
_ONE_REAL = """
exp log log1p expm1 sqrt sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh logit inv_logit sigmoid
softplus log_sigmoid probit Phi ndtri erf erfc lgamma digamma log1m log_factorial
"""
ELEMENTWISE_REAL: dict[str, int] = {
    **dict.fromkeys(_ONE_REAL.split(), 1),
    **dict.fromkeys(("atan2", "hypot", "logaddexp", "lbeta", "log_choose"), 2),
}
# Elementwise, result of the kind of the arguments (int stays int).
ELEMENTWISE_SAME: dict[str, int] = {"abs": 1, "square": 1, "sign": 1, "minimum": 2, "maximum": 2, "clip": 3}
# Elementwise, int result.
ELEMENTWISE_INT: dict[str, int] = {"floor": 1, "ceil": 1, "round": 1, "int": 1}
ELEMENTWISE_BOOL: dict[str, int] = {"isnan": 1}

OPERATORS = ("+", "-", "*", "/", "//", "%", "**", "<", "<=", ">", ">=", "==", "!=", "and", "or", "not", "neg", "if")
REDUCTIONS = ("sum", "mean", "sd", "var", "min", "max", "prod", "logsumexp", "any", "all")
CUMULATIVE = ("cumsum", "cumprod")


@dataclass(frozen=True, slots=True)
class ArrayFunction:
    """A function of whole vectors and matrices: the rank of each argument's core and of the result's."""

    name: str
    args: tuple[int, ...]
    result: int


ARRAY: tuple[ArrayFunction, ...] = (
    ArrayFunction("softmax", (1,), 1),
    ArrayFunction("log_softmax", (1,), 1),
    ArrayFunction("diag", (1,), 2),  # vector over k -> matrix over (k, k')
    ArrayFunction("diagonal", (2,), 1),
    ArrayFunction("outer", (1, 1), 2),
    ArrayFunction("cholesky", (2,), 2),
    ArrayFunction("inverse", (2,), 2),
    ArrayFunction("logdet", (2,), 0),
    ArrayFunction("solve", (2, 1), 1),  # solve(A, b): A over (k, k'), b over k -> over k'
    ArrayFunction("transpose", (2,), 2),
)
