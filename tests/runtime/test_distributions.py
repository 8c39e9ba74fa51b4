"""Densities, quantiles and samplers of nodes against SciPy and NumPyro; what traces, scans and gates with them."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from node_cases import ALIKE, BATCH, COMPOSED, CONTINUOUS, EXACT, SCALARS, TABLE, VECTORS, Case, D
from numpyro.distributions import biject_to
from oracle import _frozen
from scipy import special, stats

from emfppl.compiler import graph as g
from emfppl.compiler.expressions import Axis, Const, Kind, Ref, Type, Whole
from emfppl.grammar.diagnostics import EmfError
from emfppl.runtime.bijections.counts_by_name import counts_of
from emfppl.runtime.bijections.node_map import SupportValue, is_exact, node_map
from emfppl.runtime.precision import precision

BUILT_IN_SCALARS = [c for c in SCALARS if not c.name.startswith("By")]
INTEGERS = SupportValue("integers", 0)
scalars = pytest.mark.parametrize("case", BUILT_IN_SCALARS, ids=lambda c: c.name)


def _element(case: Case, seed: int = 0) -> dict[str, np.ndarray]:
    return {k: v[:1] for k, v in case.draw(np.random.default_rng(seed)).items()}


def _scipy(case: Case, args: dict[str, np.ndarray]):
    return _frozen({"name": case.name} | {k: float(v[0]) for k, v in args.items()})


@scalars
def test_densities_and_quantiles_are_scipys(case: Case):
    with precision("float64"):
        args = _element(case)
        u = np.linspace(-3, 3, 13)
        expected = _scipy(case, args)
        node = case.node(args, u.shape)
        x, _ = node.forward(u)
        np.testing.assert_allclose(x, expected.ppf(stats.norm.cdf(u)), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(node.log_prob(x), expected.logpdf(x), rtol=1e-10, atol=1e-10)


@scalars
def test_numbers_outside_the_support_have_no_density(case: Case):
    with precision("float64"):
        args = _element(case)
        x = np.array([-9.0, -1.5, 0.5, 9.0])
        found = np.asarray(case.node(args, x.shape).log_prob(x))
        low, high = _scipy(case, args).support()
        np.testing.assert_array_equal(np.isfinite(found), (x > low) & (x < high))


DISCRETE = [
    ("Bernoulli", {"probs": 0.3}, SupportValue("integers", 0, 1)),
    ("Bernoulli", {"logits": -0.4}, SupportValue("integers", 0, 1)),
    ("Binomial", {"total_count": 7, "probs": 0.3}, SupportValue("integers", 0, 7)),
    ("Binomial", {"total_count": 7, "logits": 0.9}, SupportValue("integers", 0, 7)),
    ("Poisson", {"rate": 3.5}, INTEGERS),
    ("NegativeBinomial2", {"mean": 3.0, "concentration": 1.7}, INTEGERS),
    ("Geometric", {"probs": 0.3}, INTEGERS),
    ("Geometric", {"logits": 0.2}, INTEGERS),
    ("NegativeBinomial", {"total_count": 2.5, "probs": 0.4}, INTEGERS),
    ("NegativeBinomial", {"total_count": 2.5, "logits": -0.4}, INTEGERS),
    ("BetaBinomial", {"concentration1": 1.3, "concentration0": 2.0, "total_count": 7}, SupportValue("integers", 0, 7)),
    ("DiscreteUniform", {"low": 2, "high": 6}, SupportValue("integers", 2, 6)),
    ("ZeroInflatedPoisson", {"gate": 0.3, "rate": 2.5}, INTEGERS),
    ("ZeroInflatedNegativeBinomial2", {"mean": 3.0, "concentration": 1.7, "gate": 0.3}, INTEGERS),
    ("ZeroInflatedNegativeBinomial2", {"mean": 3.0, "concentration": 1.7, "gate_logits": 0.3}, INTEGERS),
]


@pytest.mark.parametrize(("name", "args", "support"), DISCRETE, ids=str)
def test_whole_numbers(name: str, args: dict, support: SupportValue):
    with precision("float64"):
        expected = _frozen({"name": name} | args)
        node = node_map(D(name, args), support, False, (9,), (), TABLE)
        x = np.arange(-1, 8)
        np.testing.assert_allclose(node.log_prob(x), expected.logpmf(x), rtol=1e-9, atol=1e-9)
        assert not node.exact
        draws = np.asarray(node_map(D(name, args), support, False, (4000,), (), TABLE).sample(jax.random.key(0)))
        counts = np.bincount(draws.astype(int), minlength=9)[:9]
        np.testing.assert_allclose(counts / 4000, expected.pmf(np.arange(9)), atol=0.04)


def test_booleans_given_as_such():
    node = node_map(D("Bernoulli", {"logits": np.array(0.3)}), SupportValue("integers", 0, 1), False, (2,), (), TABLE)
    np.testing.assert_allclose(node.log_prob(np.array([True, False])), np.log(special.expit([0.3, -0.3])), rtol=1e-5)


@pytest.mark.parametrize("form", ["probs", "logits"])
def test_categories(form: str):
    with precision("float64"):
        probs = np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]])
        value = probs if form == "probs" else np.log(probs) + 1.7
        node = node_map(D("Categorical", {form: value}), SupportValue("integers", 0, 2), False, (2,), (), TABLE)
        np.testing.assert_allclose(node.log_prob(np.array([1, 2])), np.log([0.5, 0.3]))
        np.testing.assert_array_equal(node.log_prob(np.array([3, -1])), [-np.inf, -np.inf])
        draws = jax.vmap(node.sample)(jax.random.split(jax.random.key(1), 4000))
        np.testing.assert_allclose(np.mean(draws == 1, axis=0), probs[:, 1], atol=0.03)


def test_a_mixture_of_whole_numbers():
    with precision("float64"):
        args = {"weights": np.array([0.4, 0.6]), "component": D("Poisson", {"rate": np.array([1.0, 9.0])})}
        node = node_map(D("Mixture", args), INTEGERS, False, (6,), (), TABLE)
        x = np.arange(-1, 5)
        expected = np.log(0.4 * stats.poisson(1.0).pmf(x) + 0.6 * stats.poisson(9.0).pmf(x))
        np.testing.assert_allclose(node.log_prob(x), expected)
        assert node.numpyro.batch_shape == (6,)


@pytest.mark.parametrize("component", [("Poisson", "rate", {}), ("NegativeBinomial2", "mean", {"concentration": 2.0})])
@pytest.mark.parametrize("name", ["float32", "float64"])
def test_inflated_zeros_have_a_gradient(component, name):
    law, argument, others = component
    x = np.array([0, 1, 12])
    with precision(name):

        def density(rate):
            args = {"weights": np.array([0.4, 0.6]), "component": D(law, {argument: jnp.array([0.0, 1.0]) * rate, **others})}
            return node_map(D("Mixture", args), INTEGERS, False, (3,), (), TABLE).log_prob(x)

        alone = node_map(D(law, {argument: jnp.array(3.0), **others}), INTEGERS, False, (3,), (), TABLE).log_prob(x)
        expected = np.logaddexp(np.log(0.6) + np.asarray(alone), [np.log(0.4), -np.inf, -np.inf])
        np.testing.assert_allclose(density(3.0), expected, rtol=1e-4)
        assert np.all(np.isfinite(jax.jacobian(density)(jnp.array(3.0))))


def test_a_truncated_mixture_is_cut_and_renormalised():
    with precision("float64"):
        weights, loc = np.array([0.3, 0.7]), np.array([-1.0, 2.0])
        mixture = D("Mixture", {"weights": weights, "component": D("Normal", {"loc": loc, "scale": 0.8})})
        node = node_map(D("truncated", {"base": mixture, "lower": 0.0}), SupportValue("interval", 0.0), False, (5,), (), TABLE)
        x = np.array([-0.5, 0.1, 1.0, 2.0, 4.0])
        density = (weights * stats.norm(loc, 0.8).pdf(x[:, None])).sum(-1) / (weights * stats.norm(loc, 0.8).sf(0)).sum()
        np.testing.assert_allclose(node.log_prob(x), np.log(np.where(x > 0, density, 0)))


@pytest.mark.parametrize("lower", [0.0, 8.0, 30.0])
def test_truncation_far_in_a_tail(lower: float):
    with precision("float64"):
        base = D("Normal", {"loc": 0.0, "scale": 1.0})
        u = np.linspace(-6, 6, 25)
        node = node_map(D("truncated", {"base": base, "lower": lower}), SupportValue("interval", lower), False, u.shape, (), TABLE)
        x, log_det = node.forward(u)
        expected = -special.ndtri_exp(stats.norm.logsf(u) + stats.norm.logsf(lower))
        np.testing.assert_allclose(x, expected, rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(stats.norm.logpdf(u) - log_det, node.log_prob(x), rtol=1e-9, atol=1e-8)


@pytest.mark.parametrize("shape", [1e-3, 0.1, 1.0, 30.0, 1e4])
def test_extreme_gammas(shape: float):
    with precision("float64"):
        u = np.linspace(-3, 6, 19) if shape < 0.01 else np.linspace(-6, 6, 25)
        node = node_map(D("Gamma", {"concentration": shape}), SupportValue("interval", 0.0), False, u.shape, (), TABLE)
        x = np.asarray(node.forward(u)[0])
        below, above = special.gammainc(shape, x), special.gammaincc(shape, x)
        found = np.where(u < 0, special.ndtri(below), -special.ndtri(above))
        usable = x > 1e-300
        assert usable.sum() > 5
        np.testing.assert_allclose(found[usable], u[usable], rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(("a", "b"), [(0.05, 3.0), (0.5, 0.5), (1.0, 1.0), (200.0, 0.3), (1e4, 3e4)])
def test_extreme_betas(a: float, b: float):
    with precision("float64"):
        u = np.linspace(-2, 2, 9)
        args = {"concentration1": a, "concentration0": b}
        node = node_map(D("Beta", args), SupportValue("interval", 0.0, 1.0), False, u.shape, (), TABLE)
        x = np.asarray(node.forward(u)[0])
        usable = x < 1 - 1e-9
        np.testing.assert_allclose(special.ndtri(special.betainc(a, b, x))[usable], u[usable], rtol=1e-7, atol=1e-7)


COMPARED = [c for c in CONTINUOUS if not c.name.startswith("ordered, not") and c.name not in ALIKE]


@pytest.mark.parametrize("case", COMPARED, ids=lambda c: c.name)
def test_the_numpyro_distribution_agrees(case: Case):
    with precision("float64"):
        args = {k: jnp.asarray(v) for k, v in case.draw(np.random.default_rng(2)).items()}
        node = case.node(args)
        law = node.numpyro
        assert law.batch_shape == (BATCH,)
        assert law.event_shape == case.event
        u = 0.5 * np.random.default_rng(4).normal(size=(BATCH, *case.noise))
        x, _ = jax.jit(node.forward)(u)
        np.testing.assert_allclose(law.log_prob(x), node.log_prob(x), rtol=1e-8, atol=1e-8)
        back = biject_to(law.support)
        np.testing.assert_allclose(back(back.inv(x)), x, rtol=1e-7, atol=1e-7)
        leaves, tree = jax.tree.flatten(law)
        np.testing.assert_allclose(jax.tree.unflatten(tree, leaves).log_prob(x), law.log_prob(x))


@pytest.mark.parametrize("case", [c for c in (*BUILT_IN_SCALARS, *COMPOSED) if c.name not in ALIKE], ids=lambda c: c.name)
def test_draws_follow_the_law(case: Case):
    """Back in noise, draws are standard normal (Kolmogorov and Smirnov)."""
    with precision("float64"):
        args = _element(case, 7)
        node = case.node(args, (2000,))
        draws = jax.jit(node.sample)(jax.random.key(3))
        assert draws.shape == (2000,)
        noise, _ = jax.jit(node.inverse)(draws)
        assert stats.kstest(np.asarray(noise), "norm").pvalue > 1e-4


@pytest.mark.parametrize("case", VECTORS, ids=lambda c: c.name)
def test_vector_draws_follow_the_law(case: Case):
    with precision("float64"):
        args = _element(case, 8)
        node = case.node(args, (2000,))
        draws = jax.jit(node.sample)(jax.random.key(5))
        assert draws.shape == (2000, *case.event)
        noise = np.asarray(jax.jit(node.inverse)(draws)[0])
        assert all(stats.kstest(noise[:, k], "norm").pvalue > 1e-4 for k in range(noise.shape[1]))
        assert np.max(np.abs(np.corrcoef(noise, rowvar=False) - np.eye(noise.shape[1]))) < 0.1


def test_order_statistics_are_sorted_draws():
    with precision("float64"):
        gamma = D("Gamma", {"concentration": np.array([2.0])})
        node = node_map(gamma, SupportValue("positive_ordered"), True, (3000,), (3,), TABLE)
        u = np.random.default_rng(0).normal(size=(3000, 3))
        x = np.asarray(jax.jit(node.forward)(u)[0])
        expected = np.sort(np.random.default_rng(1).gamma(2.0, size=(3000, 3)), axis=-1)
        assert np.all(np.diff(x) > 0)
        assert all(stats.ks_2samp(x[:, k], expected[:, k]).pvalue > 1e-4 for k in range(3))


def test_a_vector_out_of_order_has_no_density():
    node = node_map(D("Normal", {"loc": 0.0, "scale": 1.0}), SupportValue("ordered"), True, (2,), (3,), TABLE)
    found = np.asarray(node.log_prob(np.array([[0.0, 1.0, 2.0], [0.0, 2.0, 1.0]])))
    assert found[0] == pytest.approx(stats.norm.logpdf([0, 1, 2]).sum() + np.log(6), rel=1e-5)
    assert found[1] == -np.inf


def test_a_partial_correlation_matrix_is_a_cholesky_factor():
    with precision("float64"):
        node = node_map(D("LKJCholesky", {"concentration": 1.3}), SupportValue("corr_cholesky"), False, (5,), (4, 4), TABLE)
        x = np.asarray(node.forward(np.random.default_rng(0).normal(size=(5, 6)))[0])
        np.testing.assert_allclose(np.sum(x**2, axis=-1), 1.0)
        assert np.all(np.diagonal(x, axis1=1, axis2=2) > 0) and np.all(np.triu(x, 1) == 0)


def test_flat_has_no_draws():
    node = node_map(D("Flat"), SupportValue("interval", 0.0), False, (2,), (), TABLE)
    with pytest.raises(EmfError, match="Flat"):
        node.sample(jax.random.key(0))


def test_maps_scan_and_batch():
    """A chain of gamma steps in a scan, many at once, and its gradient."""
    with precision("float64"):

        def last(u: jax.Array, rate: jax.Array) -> jax.Array:
            def step(state: jax.Array, noise: jax.Array) -> tuple[jax.Array, jax.Array]:
                gamma = D("Gamma", {"concentration": 1 + state, "rate": rate})
                node = node_map(gamma, SupportValue("interval", 0.0), False, (), (), TABLE)
                x, log_det = node.forward(noise, 0.7)
                return x, log_det

            state, log_dets = jax.lax.scan(step, jnp.ones(()), u)
            return state + jnp.sum(log_dets)

        u = np.random.default_rng(0).normal(size=(3, 5))
        batched = jax.jit(jax.vmap(jax.value_and_grad(last, argnums=(0, 1)), in_axes=(0, None)))
        value, (du, drate) = batched(u, 1.5)
        numeric = [(last(v, 1.5 + 1e-6) - last(v, 1.5 - 1e-6)) / 2e-6 for v in u]
        np.testing.assert_allclose(drate, numeric, rtol=1e-6, atol=1e-6)
        assert np.all(np.isfinite(du)) and value.shape == (3,)


@pytest.mark.parametrize("name", ["Gamma", "Beta", "StudentT", "Mixture"])
def test_second_derivatives(name: str):
    """The curvature of a log density in noise is needed at a mode: by differences of gradients."""
    case = next(c for c in EXACT if c.name == name)
    with precision("float64"):
        args = {k: jnp.asarray(v[:1]) for k, v in case.draw(np.random.default_rng(0)).items()}
        key = {"Gamma": "concentration", "Beta": "concentration1", "StudentT": "df", "Mixture": "scale"}[name]

        def f(p: jax.Array) -> jax.Array:
            x, log_det = case.node({**args, key: args[key] * jnp.exp(p[0])}, (1,)).forward(p[1:])
            return jnp.sum(jnp.tanh(x) + log_det)

        p = jnp.array([0.1, 0.4])
        gradient = jax.jit(jax.grad(f))
        numeric = [(gradient(p.at[i].add(1e-5)) - gradient(p.at[i].add(-1e-5))) / 2e-5 for i in range(2)]
        np.testing.assert_allclose(jax.jit(jax.hessian(f))(p), numeric, rtol=1e-5, atol=1e-6)


def test_a_row_from_python_draws_with_its_own_sampler():
    from dataclasses import replace

    row = TABLE.get("ByCdf")
    assert row is not None
    own = replace(row, name="Own", sample=lambda key, shape, mu, s: jnp.full(shape, 7.0) + 0 * mu)
    node = node_map(D("Own", {"mu": 0.0, "s": 1.0}), SupportValue("interval"), False, (3,), (), TABLE.extended(own))
    np.testing.assert_array_equal(node.sample(jax.random.key(0)), [7.0, 7.0, 7.0])


def test_whether_a_node_has_a_prior_map_is_known_without_values():
    real = Type(Kind.REAL)
    number, vector = Const(1.0, real), Ref("m", (Whole(Axis.whole("a")),), Type(Kind.REAL, (Axis.whole("a"),)))
    normal = g.Dist("Normal", (("loc", vector), ("scale", number)))
    assert is_exact(normal, g.Interval(), False, TABLE)
    assert is_exact(normal, g.Interval(number), True, TABLE)
    assert is_exact(normal, g.Structured("ordered"), True, TABLE, ("b",))
    assert not is_exact(normal, g.Structured("ordered"), True, TABLE, ("a",))
    assert not is_exact(g.Dist("Flat", ()), g.Interval(), False, TABLE)
    for concentration, mapped in ((0.001, False), (0.5, True)):
        arguments = (("concentration", Const(concentration, real)), ("rate", number))
        assert is_exact(g.Dist("Gamma", arguments), g.Interval(number), False, TABLE) == mapped
    assert not is_exact(g.Dist("ByDensity", ()), g.Interval(), False, TABLE)
    assert is_exact(g.Dist("ByCdf", ()), g.Interval(), False, TABLE)
    assert not is_exact(g.Dist("Bernoulli", (("probs", number),)), g.Integers(), False, TABLE)


@pytest.mark.parametrize("form", ["probs", "logits"])
def test_multinomial_counts(form: str):
    with precision("float64"):
        probs = np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]])
        args = {"total_count": np.array([5, 7]), form: probs if form == "probs" else np.log(probs) + 0.3}
        node = node_map(D("Multinomial", args), INTEGERS, False, (2,), (3,), TABLE)
        x = np.array([[1, 3, 1], [4, 0, 3]])
        np.testing.assert_allclose(node.log_prob(x), stats.multinomial([5, 7], probs).logpmf(x), rtol=1e-12)
        np.testing.assert_array_equal(node.log_prob(x + 1), [-np.inf, -np.inf])
        draws = np.asarray(jax.vmap(node.sample)(jax.random.split(jax.random.key(1), 3000)))
        assert np.all(draws.sum(-1) == [5, 7])
        np.testing.assert_allclose(draws.mean(0), args["total_count"][:, None] * probs, atol=0.1)
        np.testing.assert_allclose(np.cov(draws[:, 1].T), stats.multinomial(7, probs[1]).cov(), atol=0.15)


def test_dirichlet_multinomial_counts():
    with precision("float64"):
        alpha = np.array([1.5, 0.7, 3.0])
        node = node_map(D("DirichletMultinomial", {"concentration": alpha, "total_count": 6}), INTEGERS, False, (), (3,), TABLE)
        x = np.array([1, 2, 3])
        np.testing.assert_allclose(node.log_prob(x), stats.dirichlet_multinomial(alpha, 6).logpmf(x), rtol=1e-12)
        draws = np.asarray(jax.vmap(node.sample)(jax.random.split(jax.random.key(2), 3000)))
        np.testing.assert_allclose(np.cov(draws.T), stats.dirichlet_multinomial(alpha, 6).cov(), atol=0.3)


def test_ordered_categories():
    with precision("float64"):
        eta, cut = np.array([0.3, -1.0, 2.0]), np.array([-1.0, 0.2, 1.5])
        node = node_map(D("OrderedLogistic", {"predictor": eta, "cutpoints": cut}), SupportValue("integers", 0, 3), False, (3,), (),
                        TABLE)  # fmt: skip
        below = np.concatenate([np.zeros((3, 1)), special.expit(cut - eta[:, None]), np.ones((3, 1))], axis=1)
        for k in range(4):
            np.testing.assert_allclose(node.log_prob(np.full(3, k)), np.log(below[:, k + 1] - below[:, k]), rtol=1e-12)
        assert np.all(np.isneginf(node.log_prob(np.full(3, 4))))
        draws = np.asarray(jax.vmap(node.sample)(jax.random.split(jax.random.key(3), 4000)))
        np.testing.assert_allclose(np.mean(draws <= 1, axis=0), below[:, 2], atol=0.03)


def test_inflated_zeros_of_any_counts():
    with precision("float64"):
        binomial = D("Binomial", {"total_count": 6, "probs": 0.3})
        node = node_map(D("ZeroInflated", {"base": binomial, "gate": 0.25}), SupportValue("integers", 0, 6), False, (9,), (), TABLE)
        x = np.arange(-1, 8)
        with np.errstate(divide="ignore"):
            expected = np.log(0.75 * stats.binom(6, 0.3).pmf(x) + 0.25 * (x == 0))
        np.testing.assert_allclose(node.log_prob(x), expected, rtol=1e-12)
        draws = np.asarray(jax.vmap(node.sample)(jax.random.split(jax.random.key(3), 1000)))
        shares = np.bincount(draws.ravel(), minlength=8)[:8] / draws.size
        np.testing.assert_allclose(shares, np.exp(expected)[1:], atol=0.02)


WHOLE = [c for c in DISCRETE if c[0] not in ("BetaBinomial",)]


@pytest.mark.parametrize(("name", "args", "support"), WHOLE, ids=str)
def test_distribution_functions_of_whole_numbers(name: str, args: dict, support: SupportValue):
    """Both tails in log space, and draws by inversion of a law cut at both sides."""
    with precision("float64"):
        expected = _frozen({"name": name} | args)
        law = counts_of(D(name, args), TABLE)
        x = np.array([-2, -1, 0, 1, 2.5, 3, 6, 7, 30])
        below, above = law.all_tails(x)
        with np.errstate(divide="ignore"):
            np.testing.assert_allclose(below, np.log(expected.cdf(x)), rtol=1e-10, atol=1e-12)
        near = x < 20
        np.testing.assert_allclose(np.exp(above)[near], 1 - expected.cdf(x)[near], rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize(("lower", "upper"), [(1, None), (2, 4), (None, 3), (0.5, 3.5), (40, 45)])
def test_truncated_counts_include_their_bounds(lower, upper):
    with precision("float64"):
        bounds = {k: v for k, v in {"lower": lower, "upper": upper}.items() if v is not None}
        base = D("NegativeBinomial2", {"mean": 3.0, "concentration": 1.7})
        node = node_map(D("truncated", {"base": base, **bounds}), INTEGERS, False, (60,), (), TABLE)
        x = np.arange(60)
        inside = (x >= (lower or 0)) & (x <= (60 if upper is None else upper))
        mass = stats.nbinom(1.7, 1.7 / 4.7).pmf(np.arange(3000))
        total = mass[[k for k in range(3000) if k >= (lower or 0) and (upper is None or k <= upper)]].sum()
        found = np.asarray(node.log_prob(x))
        np.testing.assert_allclose(found[inside], np.log(mass[:60][inside] / total), rtol=1e-10)
        assert np.all(np.isneginf(found[~inside]))
        draws = np.asarray(jax.vmap(node.sample)(jax.random.split(jax.random.key(3), 100))).ravel()
        np.testing.assert_allclose(np.bincount(draws, minlength=60)[:60] / draws.size, np.exp(found), atol=0.03)


def test_a_node_without_its_prior_map_keeps_its_density():
    """Its gate is shut for good; the law is still the declared one, cut to its type."""
    cut = node_map(D("Gamma", {"concentration": 0.01, "rate": 0.01}), SupportValue("interval", 0.1, 5.0), True, (), (), TABLE)
    law = stats.gamma(0.01, scale=100)
    exact = law.logpdf(2.0) - np.log(law.cdf(5.0) - law.cdf(0.1))
    for node in (cut, replace(cut, alone=True)):
        assert float(node.log_prob(jnp.asarray(2.0))) == pytest.approx(exact, rel=1e-4)
    u = jnp.asarray(0.3)
    x, log_det = replace(cut, alone=True).forward(u)
    assert float(x) == pytest.approx(0.1 + 4.9 / (1 + np.exp(-0.3)), rel=1e-6)
    assert float(replace(cut, alone=True).inverse(x)[0]) == pytest.approx(0.3, rel=1e-5)
    assert float(log_det) == pytest.approx(np.log(float(jax.grad(lambda v: replace(cut, alone=True).forward(v)[0])(u))), rel=1e-5)


def test_the_probability_of_an_order():
    """Of two normals by its closed form, of three others by brute force over a grid."""
    with precision("float64"):
        loc, scale = np.array([[3.0, 10.0], [2.0, 0.0]]), np.array([1.0, 1.5])
        node = node_map(D("Normal", {"loc": loc, "scale": scale}), SupportValue("ordered"), True, (2,), (2,), TABLE)
        x = np.array([[2.5, 9.0], [0.3, 0.8]])
        mass = stats.norm.logcdf((loc[:, 1] - loc[:, 0]) / np.hypot(*scale))
        expected = stats.norm(loc, scale).logpdf(x).sum(-1) - mass
        np.testing.assert_allclose(jax.jit(node.log_prob)(x), expected, rtol=1e-9)
        rate = np.array([1.0, 0.5, 2.0])
        node = node_map(D("Exponential", {"rate": rate}), SupportValue("positive_ordered"), True, (), (3,), TABLE)
        tail = np.cumsum(rate[::-1])[::-1]  # the first of all is 1, then 2 before 3
        expected = stats.expon(scale=1 / rate).logpdf([0.2, 0.4, 1.0]).sum() - np.log(rate[0] / tail[0] * rate[1] / tail[1])
        np.testing.assert_allclose(node.log_prob(np.array([0.2, 0.4, 1.0])), expected, rtol=1e-9)


def test_the_probability_of_an_order_has_a_gradient():
    with precision("float64"):

        def density(m):
            law = D("Normal", {"loc": jnp.stack([m, 2.0 * jnp.ones(())]), "scale": jnp.ones(1)})
            return node_map(law, SupportValue("ordered"), True, (), (2,), TABLE).log_prob(jnp.array([0.5, 1.5]))

        m = 0.7
        z = (2.0 - m) / np.sqrt(2)
        expected = (0.5 - m) + np.exp(stats.norm.logpdf(z) - stats.norm.logcdf(z)) / np.sqrt(2)
        np.testing.assert_allclose(jax.grad(density)(m), expected, rtol=1e-8)
