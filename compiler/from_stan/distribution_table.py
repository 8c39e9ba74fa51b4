"""Distributions of Stan and what they are here: a template, its letters the arguments in order.

`kinds`: a letter an argument: ``s`` entry by entry, ``v`` a vector over the variable's last dim, ``m`` a matrix over it, ``o`` over
dims of its own.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    template: str
    kinds: str = "s"
    event: int = 0  # how many of the last axes are one draw


TABLE: dict[str, Row] = {
    "std_normal": Row("Normal(0, 1)", ""),
    "normal": Row("Normal(a, b)", "ss"),
    "student_t": Row("StudentT(a, b, c)", "sss"),
    "cauchy": Row("Cauchy(a, b)", "ss"),
    "double_exponential": Row("Laplace(a, b)", "ss"),
    "logistic": Row("Logistic(a, b)", "ss"),
    "gumbel": Row("Gumbel(a, b)", "ss"),
    "lognormal": Row("LogNormal(a, b)", "ss"),
    "chi_square": Row("Gamma(a / 2, 0.5)"),
    "inv_chi_square": Row("InverseGamma(a / 2, 0.5)"),
    "scaled_inv_chi_square": Row("InverseGamma(a / 2, a * b ^ 2 / 2)", "ss"),
    "exponential": Row("Exponential(a)"),
    "gamma": Row("Gamma(a, b)", "ss"),
    "inv_gamma": Row("InverseGamma(a, b)", "ss"),
    "weibull": Row("Weibull(scale = b, concentration = a)", "ss"),
    "pareto": Row("Pareto(scale = a, alpha = b)", "ss"),
    "beta": Row("Beta(a, b)", "ss"),
    "beta_proportion": Row("Beta(a * b, (1 - a) * b)", "ss"),
    "uniform": Row("Uniform(a, b)", "ss"),
    "von_mises": Row("VonMises(a, b)", "ss"),
    "bernoulli": Row("Bernoulli(a)"),
    "bernoulli_logit": Row("Bernoulli(logits = a)"),
    "binomial": Row("Binomial(a, b)", "ss"),
    "binomial_logit": Row("Binomial(a, logits = b)", "ss"),
    "beta_binomial": Row("BetaBinomial(concentration1 = b, concentration0 = c, total_count = a)", "sss"),
    "poisson": Row("Poisson(a)"),
    "poisson_log": Row("Poisson(exp(a))"),
    "neg_binomial": Row("NegativeBinomial2(a / b, a)", "ss"),
    "neg_binomial_2": Row("NegativeBinomial2(a, b)", "ss"),
    "neg_binomial_2_log": Row("NegativeBinomial2(exp(a), b)", "ss"),
    "categorical": Row("Categorical(a)", "o"),
    "categorical_logit": Row("Categorical(logits = a)", "o"),
    "ordered_logistic": Row("OrderedLogistic(a, b)", "so"),
    "multi_normal": Row("MultivariateNormal(a, covariance_matrix = b)", "vm", 1),
    "multi_normal_prec": Row("MultivariateNormal(a, precision_matrix = b)", "vm", 1),
    "multi_normal_cholesky": Row("MultivariateNormal(a, scale_tril = b)", "vm", 1),
    "multi_student_t": Row("MultivariateStudentT(a, b, cholesky(c))", "svm", 1),
    "dirichlet": Row("Dirichlet(a)", "v", 1),
    "multinomial": Row("Multinomial(total_count = sum(y), probs = a)", "v", 1),
    "lkj_corr_cholesky": Row("LKJCholesky(a)", "s", 2),
    "lkj_corr": Row("LKJ(a)", "s", 2),
    "wishart": Row("Wishart(a, b)", "sm", 2),
}  # fmt: skip
GLM: dict[str, tuple[str, str]] = {
    # name: what it is without the regression, and the letter of the linear predictor among its arguments
    "normal_id_glm": ("normal", "a"), "bernoulli_logit_glm": ("bernoulli_logit", "a"), "poisson_log_glm": ("poisson_log", "a"),
    "neg_binomial_2_log_glm": ("neg_binomial_2_log", "a"),
}  # fmt: skip
ZERO_ONE = ("bernoulli", "bernoulli_logit", "bernoulli_logit_glm")
CATEGORIES = ("categorical", "categorical_logit", "ordered_logistic", "ordered_probit", "categorical_logit_glm")
HALF = {"Normal": "HalfNormal", "Cauchy": "HalfCauchy"}
