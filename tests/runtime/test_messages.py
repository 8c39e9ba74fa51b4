"""The guide that passes messages: its density against the program's, exact posteriors against dense algebra, evidence against
quadrature, and every use of a fit."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.infer import Trace_ELBO
from scipy import stats
from scipy.integrate import dblquad

import emfppl
from emfppl.grammar.diagnostics import EmfError
from emfppl.runtime.choose_guide import build_guide, recipe_of
from emfppl.runtime.graph_to_guide import numpyro_guide
from emfppl.runtime.guides.backbone import Frame
from emfppl.runtime.precision import precision

STEPS = """
dim time
data y[time]: real
q ~ HalfNormal(1)
x[0] ~ Normal(1, 2)
for t in time[1:] {
  x[t] ~ Normal(0.9 * x[t-1], q)
}
top = x[-1] + q
y[time] ~ Normal(x, 0.5)
"""
COUNTED = """
dim obs
data y[obs]: count
s ~ LogNormal(0, 0.5)
m ~ Normal(1, 1)
a[obs] ~ Normal(m, s)
y[obs] ~ Poisson(exp(a))
"""
SMOOTH = """
dim time
data y[time]: real?
x[0] ~ Normal(0, 0.1)
for t in time[1:] {
  x[t] ~ Normal(x[t-1], 0.1)
}
y[time] ~ Normal(x, 0.15)
"""
Y = np.random.default_rng(0).normal(size=12).cumsum() / 3
COUNTS = np.array([3, 1, 0, 6, 2, 9])


@pytest.fixture(autouse=True)
def double():
    with precision("float64"):
        yield


def guide_of(text, data):
    program = emfppl.load(text).bind(data).program
    return build_guide(program, recipe_of(program, "messages"))


GUIDES = {"steps": guide_of(STEPS, {"y": Y}), "counted": guide_of(COUNTED, {"y": COUNTS})}


def wide(guide):
    dim = guide.backbone.dim
    return guide.init(0, Frame(np.full(dim, 0.3), np.full(dim, 0.8)))


@pytest.mark.parametrize("name", GUIDES)
def test_gradients_in_single_precision(name):
    """Gradients are those of double precision, whether or not the data are summed up beforehand."""
    guide = GUIDES[name]
    params, eps = wide(guide), np.random.default_rng(1).normal(size=guide.dim)

    def gradient(data):
        return jax.tree.leaves(jax.device_get(jax.jit(jax.grad(guide.sticking_log_weight))(params, eps, data)))

    wanted = gradient(guide.data)
    with precision("float32"):
        for found in (gradient(guide.program.data), gradient(guide.data)):
            for one, other in zip(found, wanted, strict=True):
                np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("name", GUIDES)
def test_weights(name):
    """A weight is the program's own log density less log q, of every draw of the inner latents; log q is also that of the values; a
    weight in float64 and its sticking twin agree."""
    guide, rng = GUIDES[name], np.random.default_rng(1)
    params, eps = wide(guide), jnp.asarray(rng.normal(size=(3, guide.dim)))

    @jax.jit
    def found(eps):
        values, log_q = guide.transform(params, eps)
        back = guide.log_prob(params, values)
        joint = guide.program.log_density(values)
        return joint, log_q, back, guide.log_weight(params, eps), guide.sticking_log_weight(params, eps)

    joint, log_q, back, weight, sticking = (np.asarray(v) for v in jax.vmap(found)(eps))
    np.testing.assert_allclose(weight, joint - log_q, atol=1e-9)
    np.testing.assert_allclose(sticking, weight, atol=1e-9)
    np.testing.assert_allclose(back, log_q, atol=1e-9)


TREND = """
dim time
data y[time]: real?
x[0] ~ Normal(0, 1)
v[0] ~ Normal(0, 0.1)
for t in time[1:] {
  v[t] ~ Normal(v[t-1], 0.05)
  x[t] ~ Normal(x[t-1] + v[t-1], 0.1)
}
y[time] ~ Normal(x, 0.5)
"""


def test_long_chains(quickly_compiled):
    """Levels with slopes, 400 numbers that are swept: the evidence is that of the dense normal law of what is seen."""
    steps = np.arange(200)
    y = np.random.default_rng(3).normal(size=200)
    y[60:90] = np.nan
    guide = guide_of(TREND, {"y": y})
    assert guide.swept
    assert not GUIDES["steps"].swept
    slopes = 0.05 * np.clip(steps[:, None] - steps, 0, None)  # by innovation: of the slope at step n, and of the level
    slopes[:, 0] = 0.1 * steps
    levels = 0.1 * np.tri(200)
    levels[:, 0] = 1
    seen, root = np.isfinite(y), np.hstack([slopes, levels])
    law = stats.multivariate_normal(np.zeros(200)[seen], (root @ root.T + 0.25 * np.eye(200))[np.ix_(seen, seen)])
    found = jax.jit(guide.log_weight)(guide.init(), np.zeros(guide.dim))
    assert float(found) == pytest.approx(law.logpdf(y[seen]), abs=1e-8)


def test_sticking_gradients():
    """With sites the gradients that stick the landing have the mean of the plain ones."""
    guide = GUIDES["counted"]
    params, eps = wide(guide), jax.random.normal(jax.random.key(0), (20_000, guide.dim))
    mean = lambda weigh: lambda p: jnp.mean(jax.vmap(weigh, (None, 0))(p, eps))  # noqa: E731

    def plain_weight(params, eps):
        values, log_q = guide.transform(params, eps)
        return guide.program.log_density(values) - log_q

    both = jax.jit(lambda p: [jax.grad(mean(w))(p) for w in (plain_weight, guide.sticking_log_weight)])
    plain, sticking = both(params)
    for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(sticking), strict=True):
        np.testing.assert_allclose(a, b, atol=0.1 + 0.03 * np.abs(a).max(initial=0))


def test_linear_gaussian_programs_are_exact():
    """Nothing is learned: evidence, means and covariance are those of dense algebra, with entries missing too."""
    y = np.where(np.arange(12) % 5 == 2, np.nan, Y)
    fit = emfppl.fit(SMOOTH, {"y": y}, num_draws=4000, progress=False)
    seen, prior = ~np.isnan(y), 0.01 * (1 + np.minimum.outer(np.arange(12), np.arange(12)))
    noisy = prior[np.ix_(seen, seen)] + 0.15**2 * np.eye(seen.sum())
    evidence = stats.multivariate_normal(np.zeros(seen.sum()), noisy).logpdf(y[seen])
    assert (fit.num_params, fit.guide) == (0, "messages") and fit.elbo_se < 1e-12
    assert fit.elbo == pytest.approx(evidence, abs=1e-9)
    assert fit.verdict.startswith("exact")
    gain = prior[:, seen] @ np.linalg.inv(noisy)
    np.testing.assert_allclose(fit.draws["x"].mean(0), gain @ y[seen], atol=0.01)
    np.testing.assert_allclose(np.cov(fit.draws["x"].T), prior - gain @ prior[seen], atol=3e-4)


@pytest.fixture(scope="module")
def fitted():
    return emfppl.fit(COUNTED, {"y": COUNTS[:3]}, guide="messages", num_draws=2000, progress=False)


def test_evidence_with_sites(fitted):
    """The evidence of counts under a hierarchy is that of quadrature, and the guide near it."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)

    def given(m, log_s):
        a = m + np.exp(log_s) * nodes
        terms = [weights @ stats.poisson(np.exp(a)).pmf(k) / weights.sum() for k in COUNTS[:3]]
        return np.prod(terms) * stats.norm(1, 1).pdf(m) * stats.norm(0, 0.5).pdf(log_s)

    evidence = np.log(dblquad(given, -2.5, 2.5, -4, 5, epsabs=1e-7)[0])
    assert fitted.log_evidence == pytest.approx(evidence, abs=0.02)
    assert evidence - 0.2 < fitted.elbo < evidence + 0.01
    assert fitted.converged


def test_uses(fitted, tmp_path):
    """Draws, predictions, densities, saved fits and NumPyro's objective work as with every guide."""
    assert fitted.predict()["y"].shape == (2000, 3)
    assert np.all(np.isfinite(fitted.log_prob(fitted.draws)))
    fitted.save(tmp_path / "fit.emfit")
    again = emfppl.open(tmp_path / "fit.emfit")
    np.testing.assert_array_equal(again.draws["a"], fitted.draws["a"])
    assert again.guide == fitted.guide == "messages, full_rank"
    bound = emfppl.load(COUNTED).bind({"y": COUNTS[:3]})
    params = {f"guide/{path}": leaf for path, leaf in _flattened(fitted.result.params)}
    made = numpyro_guide(bound.program, "messages")
    loss = Trace_ELBO(num_particles=2000).loss(jax.random.key(2), params, bound.numpyro_model, made)
    assert -float(loss) == pytest.approx(fitted.elbo, abs=0.05)


def _flattened(tree, prefix=""):
    for name, value in tree.items():
        yield from _flattened(value, f"{prefix}{name}/") if isinstance(value, dict) else [(prefix + name, value)]


def test_computed_variables():
    """What is computed from inner and outer latents is among the draws."""
    values, _ = jax.jit(GUIDES["steps"].transform)(wide(GUIDES["steps"]), jnp.ones(13))
    assert values["top"] == pytest.approx(values["x"][-1] + values["q"])


def test_programs_without_a_block():
    """A program without jointly normal latents has no messages to pass."""
    with pytest.raises(EmfError, match="jointly normal") as caught:
        emfppl.fit("p ~ Beta(1, 1)\ndata y: bool\ny ~ Bernoulli(p)", {"y": True}, guide="messages", progress=False)
    assert caught.value.diagnostics[0].code == "E1101"


FAR = {
    "groups": (
        "dim j = 10\ndim n\ndata g[n]: index(j)\ndata y[n]: real\ntau ~ HalfNormal(1)\ns ~ HalfNormal(1)\n"
        "mu ~ Normal(0, 20000)\nth[j] ~ Normal(mu, tau)\ny[n] ~ Normal(th[g[n]], s)\n",
        lambda tau, s, g: 2e4**2 + tau**2 * (g[:, None] == g[None, :]) + s**2 * np.eye(60),
    ),
    "walk": (
        "dim n\ndata y[n]: real\ntau ~ HalfNormal(1)\ns ~ HalfNormal(1)\n"
        "x[0] ~ Normal(0, 20000)\nfor t in n[1:] {\n  x[t] ~ Normal(x[t-1], tau)\n}\ny[n] ~ Normal(x, s)\n",
        lambda tau, s, g: 2e4**2 + tau**2 * np.minimum(*np.indices((60, 60))) + s**2 * np.eye(60),
    ),
    "slopes of outer latents": (
        "dim j = 10\ndim n\ndata g[n]: index(j)\ndata y[n]: real\ntau ~ HalfNormal(1)\ns ~ HalfNormal(1)\n"
        "mu ~ Normal(0, 20000)\nth[j] ~ Normal(0, 1)\ny[n] ~ Normal(mu + tau * th[g[n]], s)\n",
        lambda tau, s, g: 2e4**2 + tau**2 * (g[:, None] == g[None, :]) + s**2 * np.eye(60),
    ),
}


@pytest.mark.parametrize("name", FAR)
def test_data_far_from_zero_in_single_precision(name):
    """Against the normal density of the data, in double precision: data whose rounding is .0003 are summed up before they are
    rounded, if their location reads no outer latent."""
    text, covariance = FAR[name]
    rng, groups = np.random.default_rng(4), np.repeat(np.arange(10), 6)
    data = {"y": 10_000 + 0.5 * rng.normal(size=10)[groups] + rng.normal(size=60), "g": groups}
    guide = guide_of(text, data if "j = 10" in text else {"y": data["y"]})
    error = 0.05 if name == "slopes of outer latents" else 1e-3
    with precision("float32"):
        density = jax.jit(lambda tau, s, data: guide.log_density({"tau": tau, "s": s}, data))
        for tau, s in [(0.5, 1.0), (0.2, 0.7), (1.5, 2.0)]:
            spread = stats.Covariance.from_cholesky(np.linalg.cholesky(covariance(tau, s, groups)))
            exact = stats.multivariate_normal(np.zeros(60), spread).logpdf(data["y"])
            exact += stats.halfnorm.logpdf([tau, s]).sum()
            assert float(density(tau, s, guide.data)) == pytest.approx(exact, abs=error)


FLAT = "dim n\ndata x[n]: real\ndata w[n]: real\ndata y[n]: real\ns ~ HalfNormal(1)\na ~ Flat()\n"
YEARS = {"x": np.arange(1990.0, 2020.0), "w": np.ones(30), "y": np.random.default_rng(3).normal(size=30)}
IMPROPER = {
    "alone": ("b ~ Flat()\ny[n] ~ Normal(a, s)\n", "`b`"),
    "below a plate": ("m ~ Flat()\nb[n] ~ Normal(m, 1)\ny[n] ~ Normal(a + 0 * b, s)\n", "`m`"),
    "the same twice": ("b ~ Flat()\ny[n] ~ Normal(a + b, s)\n", "`a` and `b`"),
    "with weights": ("b ~ Flat()\ny[n] ~ Normal(0.3 * a + 0.7 * b, 0.37)\n", "`a` and `b`"),
    "a column of ones": ("b ~ Flat()\nc ~ Flat()\ny[n] ~ Normal(a + b * x + c * w, s)\n", "`a` and `c`"),
    "levels of a series": (
        "b[0] ~ Flat()\nfor t in n[1:] {\n  b[t] ~ Normal(b[t-1], 0.3)\n}\ny[n] ~ Normal(a + b, s)\n",
        "`a` and `b`",
    ),
    "scales that differ": ("q[n] ~ HalfNormal(1)\nb ~ Flat()\ny[n] ~ Normal(a - b, q)\n", "`a` and `b`"),
}
PROPER = {
    "years, squared and cubed": "b ~ Flat()\nc ~ Flat()\nd ~ Flat()\ny[n] ~ Normal(a + b * x + c * x^2 + d * x^3 / 1000, s)\n",
    "told by a vague prior": "b ~ Normal(0, 1e8)\ny[n] ~ Normal(a + b, s)\n",
    "told by a prior": "b ~ Normal(0, 100)\ny[n] ~ Normal(a + b, s)\n",
    "told by counts": "b ~ Flat()\nz[n] ~ Normal(a + b, s)\ny[n] ~ StudentT(4, z + b, 1)\n",
}


@pytest.mark.parametrize("name", IMPROPER)
def test_improper_posteriors_are_refused(name):
    text, names = IMPROPER[name]
    with pytest.raises(EmfError) as error:
        emfppl.load(FLAT + text).fit(YEARS, progress=False)
    (found,) = error.value.diagnostics
    assert found.code == "E1110" and names in found.message and "proper prior" in found.hint


@pytest.mark.parametrize("name", PROPER)
def test_proper_posteriors_are_not_refused(name):
    assert np.isfinite(guide_of(FLAT + PROPER[name], YEARS).data["|moments"].centre).all()
