"""Log densities as formulas, for what is no draw of a variable. `x` is the variable, `a`, `b`, `c` the arguments."""

from __future__ import annotations

DENSITIES: dict[str, tuple[int, str]] = {
    "std_normal": (0, "-0.5 * x ^ 2"),
    "normal": (2, "-0.5 * ((x - a) / b) ^ 2 - log(b)"),
    "cauchy": (2, "-log(b) - log1p(((x - a) / b) ^ 2)"),
    "double_exponential": (2, "-log(b) - abs(x - a) / b"),
    "logistic": (2, "-(x - a) / b - log(b) - 2 * softplus(-(x - a) / b)"),
    "student_t": (3, "lgamma((a + 1) / 2) - lgamma(a / 2) - 0.5 * log(a) - log(c) - (a + 1) / 2 * log1p(((x - b) / c) ^ 2 / a)"),
    "lognormal": (2, "-log(x) - log(b) - 0.5 * ((log(x) - a) / b) ^ 2"),
    "exponential": (1, "log(a) - a * x"),
    "gamma": (2, "a * log(b) - lgamma(a) + (a - 1) * log(x) - b * x"),
    "inv_gamma": (2, "a * log(b) - lgamma(a) - (a + 1) * log(x) - b / x"),
    "beta": (2, "(a - 1) * log(x) + (b - 1) * log1m(x) - lbeta(a, b)"),
    "weibull": (2, "log(a) - a * log(b) + (a - 1) * log(x) - (x / b) ^ a"),
    "bernoulli": (1, "x * log(a) + (1 - x) * log1m(a)"),
    "bernoulli_logit": (1, "x * a - softplus(a)"),
    "binomial": (2, "log_choose(a, x) + x * log(b) + (a - x) * log1m(b)"),
    "binomial_logit": (2, "log_choose(a, x) + x * b - a * softplus(b)"),
    "poisson": (1, "x * log(a) - a - log_factorial(x)"),
    "poisson_log": (1, "x * a - exp(a) - log_factorial(x)"),
}  # fmt: skip
TAILS: dict[str, tuple[int, str, str]] = {
    # the logarithm of the probability below and above x
    "normal": (2, "log(Phi((x - a) / b))", "log(Phi((a - x) / b))"),
    "std_normal": (0, "log(Phi(x))", "log(Phi(-x))"),
    "logistic": (2, "log_sigmoid((x - a) / b)", "log_sigmoid((a - x) / b)"),
    "exponential": (1, "log1m(exp(-a * x))", "-a * x"),
    "weibull": (2, "log1m(exp(-(x / b) ^ a))", "-(x / b) ^ a"),
    "lognormal": (2, "log(Phi((log(x) - a) / b))", "log(Phi((a - log(x)) / b))"),
}  # fmt: skip


LEFT_OUT = {  # constants that matter where a density is weighted or taken to a power
    "std_normal": " - 0.5 * log(2 * pi)", "normal": " - 0.5 * log(2 * pi)", "lognormal": " - 0.5 * log(2 * pi)",
    "cauchy": " - log(pi)", "student_t": " - 0.5 * log(pi)", "double_exponential": " - log(2)",
}  # fmt: skip


def density(name: str, kind: str, args: int) -> str | None:
    """The template of a log density, or of the log probability below (``lcdf``) or above (``lccdf``)."""
    if kind == "density":
        found = DENSITIES.get(name)
        return found[1] if found and found[0] == args else None
    tails = TAILS.get(name)
    if tails is None or tails[0] != args:
        return None
    return tails[1] if kind == "lcdf" else tails[2]
