"""Functions of Stan and what they are here: a template of program text, its letters the arguments in order."""

from __future__ import annotations

# entry by entry; the same name and meaning
_SAME = """
exp log log1p expm1 sqrt sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh logit inv_logit Phi erf erfc lgamma digamma
log1m floor ceil round abs square
"""

ELEMENTWISE: dict[str, str] = {
    **{name: f"{name}(a)" for name in _SAME.split()},
    **{name: f"{name}(a, b)" for name in ("atan2", "hypot", "lbeta")},
    "fabs": "abs(a)", "inv": "1 / a", "inv_sqrt": "1 / sqrt(a)", "inv_square": "1 / a ^ 2", "pow": "a ^ b", "exp2": "2 ^ a",
    "log2": "log(a) / log(2)", "log10": "log(a) / log(10)", "cbrt": "sign(a) * abs(a) ^ (1 / 3)", "sign": "sign(a)",
    "fmin": "minimum(a, b)", "fmax": "maximum(a, b)", "fma": "a * b + c", "fdim": "maximum(a - b, 0)", "fmod": "a - b * int(a / b)",
    "log1p_exp": "softplus(a)", "log1m_exp": "log1m(exp(a))", "log_inv_logit": "log_sigmoid(a)",
    "log1m_inv_logit": "log_sigmoid(-a)",
    "log_diff_exp": "a + log1m(exp(b - a))", "inv_cloglog": "1 - exp(-exp(a))", "cloglog": "log(-log1m(a))", "inv_Phi": "probit(a)",
    "std_normal_qf": "probit(a)", "Phi_approx": "inv_logit(0.07056 * a ^ 3 + 1.5976 * a)", "tgamma": "exp(lgamma(a))",
    "lchoose": "log_choose(a, b)", "choose": "exp(log_choose(a, b))", "lmultiply": "a * log(b)", "multiply_log": "a * log(b)",
    "step": "if(a >= 0, 1, 0)", "int_step": "if(a > 0, 1, 0)", "trunc": "int(a)", "to_int": "int(a)", "beta": "exp(lbeta(a, b))",
    "lfactorial": "log_factorial(a)", "logistic": "inv_logit(a)", "expit": "inv_logit(a)", "log_falling_factorial":
    "lgamma(a + 1) - lgamma(a - b + 1)", "log_rising_factorial": "lgamma(a + b) - lgamma(a)",
}  # fmt: skip

REDUCTIONS: dict[str, str] = {
    "sum": "sum(a)", "mean": "mean(a)", "sd": "sd(a)", "variance": "var(a)", "prod": "prod(a)", "log_sum_exp": "logsumexp(a)",
    "dot_self": "sum(a ^ 2)", "norm2": "sqrt(sum(a ^ 2))", "norm1": "sum(abs(a))",
}  # fmt: skip
CONSTANTS = {"pi": "pi", "e": "e", "sqrt2": "sqrt(2)", "positive_infinity": "inf", "negative_infinity": "-inf", "log2": "log(2)",
             "machine_precision": "2.220446049250313e-16"}  # fmt: skip
SAME_VALUE = ("to_vector", "to_row_vector", "to_array_1d", "to_matrix")
REFUSED_FUNCTIONS: dict[str, str] = {
    "ode": "write the differential equation with ode(…), see docs/language.md",
    "integrate": "write the differential equation with ode(…), see docs/language.md",
    "segment": "groups of unequal length: give each entry its group, `data group_of[obs]: index(group)`, and gather with it",
    "head": "write a range, x[1:n]", "tail": "write a range, x[n:]",
    "block": "write ranges, x[1:n, 1:m]", "sub_col": "write a range, x[1:n, j]", "sub_row": "write a range, x[i, 1:n]",
    "append_row": "give the parts names of their own, or set them piece by piece",
    "append_col": "give the parts names of their own, or set them piece by piece",
    "sort_asc": "declare the variable ordered", "sort_desc": "declare the variable ordered",
    "reduce_sum": "write the likelihood as one `~` over all observations; it runs in parallel by itself",
    "map_rect": "write the likelihood as one `~` over all observations; it runs in parallel by itself",
    "algebra": "solve the equation by hand, or model the unknown directly",
    "csr": "write the product with gathers and sums",
    "gp_": "write the covariance out, or see the covariance functions in docs/language.md",
    "cov_exp_quad": "write the covariance out, or see the covariance functions in docs/language.md",
    "fft": "there is no Fourier transform here", "qr_": "do the QR decomposition outside, and give its factors as data",
    "rep_array": "write the number itself: it stands for all entries", "cumulative_sum": "write cumsum in the translated program",
    "hmm": "draw the hidden state in the open, z[t] ~ Categorical(P[z[t-1]]): it is summed out here",
    "log_mix": "draw the component in the open, z[obs] ~ Categorical(w), or write Mixture(w, …)",
}  # fmt: skip


def why_refused(name: str) -> str | None:
    """What to do in place of a function that is known and has no counterpart."""
    return next((hint for start, hint in REFUSED_FUNCTIONS.items() if name.startswith(start)), None)
