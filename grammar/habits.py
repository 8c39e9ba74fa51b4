"""What people write who come from Stan, BUGS, JAGS, R, PyMC or NumPyro, and how the same is written here."""

from __future__ import annotations

# Names of values: constants and arguments that a program does not define here.
_VALUES = {
    "PI": "pi", "Inf": "inf", "INF": "inf", "infinity": "inf", "positive_infinity": "inf", "negative_infinity": "-inf",
    "True": "true", "TRUE": "true", "False": "false", "FALSE": "false",
    "exp1": "e", "M_PI": "pi",
}  # fmt: skip
_ZERO_INFLATED = "ZeroInflated(Poisson(rate), gate), with the probability of an extra 0 as gate"
_ORDERED = "OrderedLogistic(predictor, cutpoints), with cutpoints[cut]: ordered"
_CENSORED = "censored(distribution, lower, upper)"
_CHAIN = "a loop: for t in time[1:] { x[t] ~ Normal(x[t-1], s) }"
# Distributions, in Stan's, BUGS's, R's, PyMC's, SciPy's and NumPyro's names; lower case, as `hint_for_name` looks them up.
_DISTRIBUTIONS = {
    "norm": "Normal(loc, scale)", "gaussian": "Normal(loc, scale)", "std_normal": "Normal(0, 1)",
    "dnorm": "Normal(loc, scale), with a standard deviation (BUGS has a precision: scale = 1 / sqrt(tau))",
    "lnorm": "LogNormal(loc, scale)", "lognormal": "LogNormal(loc, scale)",
    "dlnorm": "LogNormal(loc, scale), with a standard deviation (BUGS has a precision)",
    "halfnorm": "HalfNormal(scale)", "dhalfnorm": "HalfNormal(scale)", "half_normal": "HalfNormal(scale)",
    "half_cauchy": "HalfCauchy(scale)", "dhalfcauchy": "HalfCauchy(scale)",
    "student_t": "StudentT(df, loc, scale)", "t": "StudentT(df, loc, scale)",
    "dt": "StudentT(df, loc, scale), with a scale (BUGS has a precision)",
    "double_exponential": "Laplace(loc, scale)", "ddexp": "Laplace(loc, scale), with a scale (BUGS has a rate)",
    "dlaplace": "Laplace(loc, scale)", "dlogis": "Logistic(loc, scale)", "dcauchy": "Cauchy(loc, scale)",
    "dexp": "Exponential(rate)", "expon": "Exponential(rate)", "dgamma": "Gamma(concentration, rate)",
    "inv_gamma": "InverseGamma(concentration, rate)", "invgamma": "InverseGamma(concentration, rate)",
    "dinvgamma": "InverseGamma(concentration, rate)", "dbeta": "Beta(concentration1, concentration0)",
    "dunif": "Uniform(low, high)", "unif": "Uniform(low, high)",
    "ddirch": "Dirichlet(concentration)", "ddirich": "Dirichlet(concentration)",
    "multi_normal": "MultivariateNormal(loc, covariance_matrix = S)", "mvnormal": "MultivariateNormal(loc, covariance_matrix = S)",
    "mvn": "MultivariateNormal(loc, covariance_matrix = S)",
    "multivariate_normal": "MultivariateNormal(loc, covariance_matrix = S)",
    "multi_normal_cholesky": "MultivariateNormal(loc, scale_tril = L)",
    "multi_normal_prec": "MultivariateNormal(loc, precision_matrix = P)",
    "dmnorm": "MultivariateNormal(loc, precision_matrix = P)", "lkj_corr_cholesky": "LKJCholesky(concentration)",
    "lkjcholeskycov": "LKJCholesky(concentration) with scales of its own",
    "lkj_corr": "LKJ(concentration)", "lkjcorr": "LKJ(concentration)", "dlkjcorr": "LKJ(concentration)",
    "bernoulli_logit": "Bernoulli(logits = eta)", "bernoullilogits": "Bernoulli(logits = eta)",
    "bernoulliprobs": "Bernoulli(probs)", "dbern": "Bernoulli(probs)",
    "binomial_logit": "Binomial(total_count, logits = eta)",
    "dbinom": "Binomial(total_count, probs); BUGS has them the other way round",
    "dbin": "Binomial(total_count, probs); BUGS has them the other way round", "binom": "Binomial(total_count, probs)",
    "categorical_logit": "Categorical(logits = eta)", "dcat": "Categorical(probs)",
    "poisson_log": "Poisson(exp(eta))", "dpois": "Poisson(rate)", "pois": "Poisson(rate)",
    "neg_binomial_2": "NegativeBinomial2(mean, concentration)", "negbin": "NegativeBinomial2(mean, concentration)",
    "neg_binomial_2_log": "NegativeBinomial2(exp(eta), concentration)",
    "neg_binomial": "NegativeBinomial2(alpha / beta, alpha)",
    "dnegbin": "NegativeBinomial(total_count, probs), where probs is 1 less that of BUGS and R",
    "nbinom": "NegativeBinomial(total_count, probs), where probs is 1 less that of SciPy and R", "dgeom": "Geometric(probs)",
    "dflat": "Flat()", "improperuniform": "Flat()", "halfflat": "name: positive ~ Flat()",
    "truncatednormal": "truncated(Normal(loc, scale), lower, upper)",
    "truncateddistribution": "truncated(distribution, lower, upper)", "truncnorm": "truncated(Normal(loc, scale), lower, upper)",
    "mixturesamefamily": "Mixture(weights, component)", "normalmixture": "Mixture(weights, Normal(loc, scale))",
    "log_mix": "Mixture(weights, component)", "deterministic": "name = expression, without a distribution",
    "potential": "factor expression", "delta": "name = value, without a distribution",
    "mvnormalcholesky": "MultivariateNormal(loc, scale_tril = L)",
    "beta_binomial": "BetaBinomial(concentration1, concentration0, total_count)",
    "dbetabin": "BetaBinomial(concentration1, concentration0, total_count)",
    "dmulti": "Multinomial(total_count, probs)", "dmultinom": "Multinomial(total_count, probs)",
    "multinomial_logit": "Multinomial(total_count, logits = eta)",
    "dirichlet_multinomial": "DirichletMultinomial(concentration, total_count)",
    "zero_inflated_poisson": "ZeroInflatedPoisson(gate, rate)", "dzip": "ZeroInflatedPoisson(gate, rate)",
    "zip": "ZeroInflatedPoisson(gate, rate)", "zinb": "ZeroInflatedNegativeBinomial2(mean, concentration, gate)",
    "zeroinflatedbinomial": "ZeroInflated(Binomial(n, p), gate)", "zeroinflateddistribution": _ZERO_INFLATED,
    "zeroinflatednegativebinomial": "ZeroInflatedNegativeBinomial2(mean, concentration, gate)",
    "hurdlepoisson": "a model of y > 0, and truncated(Poisson(rate), lower = 1) for the others",
    "ordered_logistic": _ORDERED, "orderedprobit": _ORDERED, "ordered_probit": _ORDERED, "ordered_logistic_glm": _ORDERED,
    "cumulative": _ORDERED,
    "chisquare": "Chi2(df)", "chi_square": "Chi2(df)", "chisquared": "Chi2(df)", "dchisq": "Chi2(df)", "dchisqr": "Chi2(df)",
    "inv_chi_square": "InverseGamma(df / 2, 0.5)", "scaled_inv_chi_square": "InverseGamma(df / 2, df * s^2 / 2)",
    "dweib": "Weibull(scale, concentration); BUGS has v = concentration and lambda = scale^-concentration",
    "dweibull": "Weibull(scale, concentration); R and Stan have the shape first", "weibull_min": "Weibull(scale, concentration)",
    "invweibull": "Frechet(scale, concentration)", "loglogis": "LogLogistic(scale, concentration)",
    "dllogis": "LogLogistic(scale, concentration)", "fisk": "LogLogistic(scale, concentration)",
    "dpar": "Pareto(scale, alpha); BUGS has them the other way round", "dpareto": "Pareto(scale, alpha)",
    "vonmises": "VonMises(loc, concentration)", "von_mises": "VonMises(loc, concentration)",
    "dvonmises": "VonMises(loc, concentration)", "circular": "VonMises(loc, concentration)",
    "halft": "HalfStudentT(df, scale)", "half_t": "HalfStudentT(df, scale)", "half_student_t": "HalfStudentT(df, scale)",
    "dhalft": "HalfStudentT(df, scale)", "loggamma": "log of a Gamma draw",
    "beta_proportion": "BetaProportion(mean, concentration)", "reciprocal": "LogUniform(low, high)",
    "logitnorm": "LogitNormal(loc, scale)", "skew_double_exponential": "AsymmetricLaplace(loc, scale, asymmetry)",
    "laplace_asymmetric": "AsymmetricLaplace(loc, scale, asymmetry)",
    "multi_student_t": "MultivariateStudentT(df, loc, scale_matrix = S)",
    "mvstudentt": "MultivariateStudentT(df, loc, scale_matrix = S)",
    "dmt": "MultivariateStudentT(df, loc, scale_matrix = S)", "multivariate_t": "MultivariateStudentT(df, loc, scale_matrix = S)",
    "dwish": "Wishart(df, rate_matrix = R)", "wishart_cholesky": "Wishart(concentration, scale_matrix)",
    "inv_wishart": "R ~ LKJ(1) with scales of its own, or Wishart for the precision matrix",
    "inversewishart": "R ~ LKJ(1) with scales of its own, or Wishart for the precision matrix",
    "dinvwish": "R ~ LKJ(1) with scales of its own, or Wishart for the precision matrix",
    "discrete_range": "DiscreteUniform(low, high)", "randint": "DiscreteUniform(low, high), with high included",
    "gammapoisson": "NegativeBinomial2(concentration / rate, concentration)",
    "negativebinomialprobs": "NegativeBinomial(total_count, probs)",
    "negativebinomiallogits": "NegativeBinomial(total_count, logits = eta)",
    "surv": _CENSORED, "dinterval": _CENSORED,
    "random_walk": "GaussianRandomWalk(scale), or " + _CHAIN, "ar": _CHAIN, "ar1": _CHAIN,
}  # fmt: skip
_FUNCTIONS = {
    "range": "for t in DIM { … }: loops run over dims", "arange": "for t in DIM { … }: loops run over dims",
    "append_row": "a variable defined in pieces: x[0] = …, then for t in time[1:] { … }",
    "concatenate": "a variable defined in pieces: x[0] = …, then for t in time[1:] { … }",
    "c": "a list in brackets: [1, 2, 3]", "rep": "a single number, which broadcasts",
    "rep_array": "a single number, which broadcasts",
    "zeros": "0, which broadcasts", "ones": "1, which broadcasts", "to_vector": "the value itself: arrays align by their dims",
    "nrow": "the dim itself, which stands for its size", "ncol": "the dim itself, which stands for its size",
    "num_elements": "the dim itself, which stands for its size", "rows": "the dim itself, which stands for its size",
    "cols": "the dim itself, which stands for its size", "multiply": "x * y", "divide": "x / y",
    "multiply_lower_tri_self_transpose": "L[k, k''] @ L[k', k'']", "diag_pre_multiply": "scales * L, which align by their dims",
    "quad_form_diag": "scales * R * scales[k'], which align by their dims", "cholesky_decompose": "cholesky(S)",
    "sqr": "square(x) or x ^ 2", "cloglog": "log(-log1m(x))", "inv_cloglog": "1 - exp(-exp(x))", "phi": "Phi(x)",
    "print": "nothing: all variables are in the posterior", "plate": "a dim: name[obs] ~ …", "sample": "name ~ distribution",
}  # fmt: skip


def hint_for_name(name: str) -> str | None:
    """What a name of a distribution or a value known from elsewhere is here, as a hint, or None."""
    here = _VALUES.get(name) or _DISTRIBUTIONS.get(name.lower())
    return f"here that is {here}" if here else hint_for_function(name)


def hint_for_function(name: str) -> str | None:
    """The same for functions."""
    here = _FUNCTIONS.get(name.lower())
    return f"here that is {here}" if here else None
