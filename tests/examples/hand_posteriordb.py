"""The models of `examples/posteriordb` written by hand, from their description in words; NumPy and SciPy, discrete
states summed out.

Each takes the latents and the data as arrays by name and gives log p(latents) and log p(data | latents). Flat priors count 0.
"""

from __future__ import annotations

import numpy as np
from scipy import integrate, special, stats

N = stats.norm.logpdf
LOG_HALF = np.log(0.5)


def half_normal(x, scale):
    return stats.halfnorm.logpdf(x, scale=scale)


def half_cauchy(x, scale):
    return stats.halfcauchy.logpdf(x, scale=scale)


def gamma(x, shape, rate):
    return stats.gamma.logpdf(x, shape, scale=1 / rate)


def bernoulli(y, logits):
    """log p(y) with p(1) = 1 / (1 + exp(−logits))."""
    y = np.asarray(y, float)
    return np.sum(y * special.log_expit(logits) + (1 - y) * special.log_expit(-logits))


# ------------------------------------------------------------ linear regressions


def linear(response, *columns):
    """Flat priors: an intercept, a slope for each (name, column), and sigma."""

    def density(v, d):
        eta = v["alpha"] + sum(v[name] * column(d) for name, column in columns)
        return 0.0, N(response(d), eta, v["sigma"]).sum()

    return density


def column(name):
    return lambda d: d[name]


def is_code(name, code):
    return lambda d: (d[name] == code).astype(float)


def log_of(name):
    return lambda d: np.log(d[name])


def centred(name):
    return lambda d: d[name] - d[name].mean()


HEIGHT = ("b_height", column("height"))
MALE = ("b_male", column("male")), ("b_both", lambda d: d["height"] * d["male"])
VOLUME = ("b_volume", lambda d: np.log(d["diam1"] * d["diam2"] * d["canopy_height"]))
BUSH = ("diam1", "diam2", "canopy_height", "total_height", "density", "group")
NES = ("ideology", "race", "education", "gender", "income")


def density_of_logs(density, d, name, base=np.e):
    """A density of log(x) as one of x: the Jacobian of the logarithm, which does not depend on the latents."""
    return density - np.log(d[name] * np.log(base)).sum()


def logarithmic(response, base, *columns):
    regression = linear(lambda d: np.log(d[response]) / np.log(base), *columns)

    def density(v, d):
        prior, likelihood = regression(v, d)
        return prior, density_of_logs(likelihood, d, response, base)

    return density


def with_half_cauchy(regression):
    def density(v, d):
        prior, likelihood = regression(v, d)
        return prior + half_cauchy(v["sigma"], 2.5), likelihood

    return density


def kilpisjarvi(v, d):
    prior = N(v["alpha"], d["alpha_centre"], d["alpha_spread"]) + N(v["beta"], d["beta_centre"], d["beta_spread"])
    return prior, N(d["temperature"], v["alpha"] + v["beta"] * d["year"], v["sigma"]).sum()


def sblri(v, d):
    prior = N(v["beta"], 0, 10).sum() + half_normal(v["sigma"], 10)
    return prior, N(d["y"], d["X"] @ v["beta"], v["sigma"]).sum()


# ------------------------------------------------------------ hierarchies


def eight_schools(v, d):
    prior = N(v["mu"], 0, 5) + half_cauchy(v["tau"], 5) + N(v["theta"], v["mu"], v["tau"]).sum()
    return prior, N(d["y"], v["theta"], d["sigma"]).sum()


def radon_variable_intercept(v, d):
    prior = half_normal(v["sigma_y"], 1) + half_normal(v["sigma_alpha"], 1) + N(v["mu_alpha"], 0, 10) + N(v["beta"], 0, 10)
    prior += N(v["alpha"], v["mu_alpha"], v["sigma_alpha"]).sum()
    return prior, N(d["log_radon"], v["alpha"][d["county_of"]] + v["beta"] * d["floor"], v["sigma_y"]).sum()


def rats(v, d):
    prior = N(v["mu_alpha"], 0, 100) + N(v["mu_beta"], 0, 100)
    prior += N(v["alpha"], v["mu_alpha"], v["sigma_alpha"]).sum() + N(v["beta"], v["mu_beta"], v["sigma_beta"]).sum()
    line = v["alpha"][d["rat_of"]] + v["beta"][d["rat_of"]] * (d["day"] - d["middle_day"])
    return prior, N(d["weight"], line, v["sigma_y"]).sum()


def surgical(v, d):
    prior = N(v["mu"], 0, 1000) + stats.invgamma.logpdf(v["sigmasq"], 0.001, scale=0.001)
    prior += N(v["b"], v["mu"], np.sqrt(v["sigmasq"])).sum()
    n, r = d["operations"], d["deaths"]
    ways = special.gammaln(n + 1) - special.gammaln(r + 1) - special.gammaln(n - r + 1)
    return prior, np.sum(ways + r * special.log_expit(v["b"]) + (n - r) * special.log_expit(-v["b"]))


# ------------------------------------------------------------ counts, curves, rates


def wells(v, d):
    return 0.0, bernoulli(d["switched"], v["alpha"] + v["b_distance"] * d["dist"] / 100 + v["b_arsenic"] * d["arsenic"])


def dogs(v, d):
    """How often each dog avoided the shock and got it, strictly before each trial."""
    y = np.asarray(d["y"], float)
    before = lambda x: np.cumsum(x, axis=1) - x  # noqa: E731
    eta = v["beta_0"] + v["beta_avoid"] * before(1 - y) + v["beta_shock"] * before(y)
    return sum(N(v[k], 0, 100) for k in ("beta_0", "beta_avoid", "beta_shock")), bernoulli(y, eta)


def glm_poisson(v, d):
    t = d["time"]
    eta = v["alpha"] + v["beta1"] * t + v["beta2"] * t**2 + v["beta3"] * t**3
    counts = d["pairs"]
    return -np.log(40) - 3 * np.log(20), np.sum(counts * eta - np.exp(eta) - special.gammaln(counts + 1))


def dugongs(v, d):
    prior = N(v["alpha"], 0, 1000) + N(v["beta"], 0, 1000) + np.log(2) + gamma(v["tau"], 1e-4, 1e-4)
    curve = v["alpha"] - v["beta"] * v["lambda"] ** d["age"]
    return prior, N(d["length"], curve, 1 / np.sqrt(v["tau"])).sum()


def rate_1(v, d):
    return 0.0, stats.binom.logpmf(d["k"], d["n"], v["theta"])


# ------------------------------------------------------------ time series


def ark(v, d):
    y, order = d["y"], 5
    prior = N(v["alpha"], 0, 10) + N(v["beta"], 0, 10).sum() + half_cauchy(v["sigma"], 2.5)
    terms = [N(y[t], v["alpha"] + v["beta"] @ y[t - order : t], v["sigma"]) for t in range(order, len(y))]
    return prior, sum(terms)


def garch11(v, d):
    y, s = d["y"], [float(d["sigma1"])]
    for t in range(1, len(y)):
        s.append(np.sqrt(v["alpha0"] + v["alpha1"] * (y[t - 1] - v["mu"]) ** 2 + v["beta1"] * s[-1] ** 2))
    return 0.0, N(y, v["mu"], np.array(s)).sum()


def hmm_example(v, d):
    """Forward algorithm in logarithms. The law of the ordered means lacks its constant."""
    log_p = np.log(v["P"])
    emission = N(d["y"][:, None], v["mu"], 1)
    ahead = LOG_HALF + emission[0]
    for row in emission[1:]:
        ahead = special.logsumexp(ahead[:, None] + log_p, axis=0) + row
    return N(v["mu"], [3, 10], 1).sum(), special.logsumexp(ahead)


def lotka_volterra(v, d):
    theta, z0, s = v["theta"], v["z_init"], v["sigma"]
    prior = N(theta, [1, 0.05, 1, 0.05], [0.5, 0.05, 0.5, 0.05]).sum() - special.log_ndtr([2, 1, 2, 1]).sum()
    log_normal = lambda x, m, sd: np.sum(N(np.log(x), m, sd) - np.log(x))  # noqa: E731
    prior += log_normal(z0, np.log(10), 1) + log_normal(s, -1, 1)
    change = lambda t, z: [(theta[0] - theta[1] * z[1]) * z[0], (-theta[2] + theta[3] * z[0]) * z[1]]  # noqa: E731
    path = integrate.solve_ivp(change, (0, d["ts"][-1]), z0, t_eval=d["ts"], method="DOP853", rtol=1e-11, atol=1e-11)
    assert path.success
    return prior, log_normal(d["y_init"], np.log(z0), s) + log_normal(d["y"], np.log(path.y.T), s)


# ------------------------------------------------------------ discrete latents, a process


def low_dim_gauss_mix(v, d):
    prior = np.log(2) + N(v["mu"], 0, 2).sum() + half_normal(v["sigma"], 2).sum() + stats.beta.logpdf(v["theta"], 5, 5)
    terms = np.log([v["theta"], 1 - v["theta"]]) + N(d["y"][:, None], v["mu"], v["sigma"])
    return prior, special.logsumexp(terms, axis=1).sum()


def normal_mixture(v, d):
    shares = np.array([v["theta"], 1 - v["theta"]])
    return N(v["mu"], 0, 10).sum(), special.logsumexp(np.log(shares) + N(d["y"][:, None], v["mu"], 1), axis=1).sum()


def m0(v, d):
    y = np.asarray(d["y"], float)
    seen, occasions = y.sum(axis=1), y.shape[1]
    caught = v["omega"] * v["p"] ** seen * (1 - v["p"]) ** (occasions - seen)
    return 0.0, np.log(caught + (1 - v["omega"]) * (seen == 0)).sum()


def gp_regr(v, d):
    prior = gamma(v["rho"], 25, 4) + half_normal(v["alpha"], 2) + half_normal(v["sigma"], 1)
    x = np.asarray(d["x"], float)
    kernel = v["alpha"] ** 2 * np.exp(-((x[:, None] - x) ** 2) / (2 * v["rho"] ** 2)) + v["sigma"] * np.eye(len(x))
    return prior, stats.multivariate_normal(np.zeros(len(x)), kernel).logpdf(d["y"])


LEVELS = tuple((b, is_code("mom_work", n)) for n, b in enumerate(("b_second", "b_third", "b_fourth"), start=1))
AGES = tuple((b, is_code("age", n)) for n, b in enumerate(("b_30_to_44", "b_45_to_64", "b_65_and_over"), start=1))
SHAPE = (
    ("b_area", lambda d: np.log(d["diam1"] * d["diam2"])),
    ("b_shape", lambda d: np.log(d["diam1"] / d["diam2"])),
    ("b_total", log_of("total_height")),
    ("b_density", log_of("density")),
    ("b_group", column("group")),
)
MOTHER = ("b_hs", column("mom_hs")), ("b_iq", column("mom_iq"))
CENTRED = ("b_hs", centred("mom_hs")), ("b_iq", centred("mom_iq"))
BOTH = ("b_both", lambda d: centred("mom_hs")(d) * centred("mom_iq")(d))
SHORT = {"canopy_height": "canopy", "total_height": "total"}

BY_HAND = {
    "earn_height": linear(column("earn"), HEIGHT),
    "logearn_height": logarithmic("earn", np.e, HEIGHT),
    "log10earn_height": logarithmic("earn", 10, HEIGHT),
    "logearn_interaction": logarithmic("earn", np.e, HEIGHT, *MALE),
    "kidscore_momiq": with_half_cauchy(linear(column("kid_score"), MOTHER[1])),
    "kidscore_momhsiq": with_half_cauchy(linear(column("kid_score"), *MOTHER)),
    "kidscore_interaction_c": linear(column("kid_score"), *CENTRED, BOTH),
    "kidscore_mom_work": linear(column("kid_score"), *LEVELS),
    "mesquite": linear(column("weight"), *((f"b_{SHORT.get(n, n)}", column(n)) for n in BUSH)),
    "logmesquite_logvolume": logarithmic("weight", np.e, VOLUME),
    "logmesquite_logvas": logarithmic("weight", np.e, VOLUME, *SHAPE),
    "nes": linear(column("party"), *((f"b_{n}", column(n)) for n in NES), *AGES),
    "kilpisjarvi": kilpisjarvi,
    "sblri": sblri,
    "eight_schools": eight_schools,
    "radon_variable_intercept": radon_variable_intercept,
    "rats": rats,
    "surgical": surgical,
    "wells": wells,
    "dogs": dogs,
    "GLM_Poisson": glm_poisson,
    "dugongs": dugongs,
    "Rate_1": rate_1,
    "arK": ark,
    "garch11": garch11,
    "hmm_example": hmm_example,
    "lotka_volterra": lotka_volterra,
    "low_dim_gauss_mix": low_dim_gauss_mix,
    "normal_mixture": normal_mixture,
    "M0": m0,
    "gp_regr": gp_regr,
}
