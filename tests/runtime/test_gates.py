"""Conjugate and geometric gates: what they make of a law against its definition, and guides with them against closed forms."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from node_cases import BATCH, SCALARS, VECTORS
from posteriors import CONJUGATE as NORMAL
from posteriors import GROUPS, LABELLED, Y, conjugate_evidence, conjugate_posterior

import emfppl
from emfppl.compiler.distributions import CONJUGATE, GEOMETRIC, STANDARD
from emfppl.runtime.bijections.pseudo_observations import FAMILIES, Dirichlet, Gaussian
from emfppl.runtime.bijections.updated_laws import LOC, SCALE, canonical, updated
from emfppl.runtime.choose_guide import build_guide, recipe_of
from emfppl.runtime.guides.backbone import Frame
from emfppl.runtime.precision import precision
from emfppl.runtime.recipe import Recipe

pytestmark = pytest.mark.usefixtures("quickly_compiled")
CASES = [c for c in (*SCALARS, *VECTORS) if c.name.split()[0] in CONJUGATE]
COORDINATE = {
    "LogNormal": np.log,
    "LogitNormal": lambda x: np.log(x / (1 - x)),
    "Normal": lambda x: x,
    "MultivariateNormal": lambda x: x,
}


@pytest.fixture(autouse=True)
def double():
    with precision("float64"):
        yield


def unit(case):
    """The case, a Uniform being that from 0 to 1."""
    ends = {"low": np.zeros(BATCH), "high": np.ones(BATCH)}
    return replace(case, draw=lambda rng: ends) if case.name == "Uniform" else case


def log_factor(name: str, x: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The logarithm of the factor, by its definition."""
    if name in COORDINATE:
        y = COORDINATE[name](x)
        each = a * y - 0.5 * b * y**2
        return each.sum(-1) if name == "MultivariateNormal" else each
    if name == "Dirichlet":
        return (a * np.log(x)).sum(-1)
    if name in ("Gamma", "Exponential", "Chi2"):
        return a * np.log(x) - b * x
    return -a * np.log(x) - b / x if name == "InverseGamma" else a * np.log(x) + b * np.log1p(-x)


def test_the_table_says_which_laws_are_conjugate():
    assert set(CONJUGATE) == set(FAMILIES)
    assert set(GEOMETRIC) == {name for name, (family, _) in FAMILIES.items() if isinstance(family, Gaussian)}
    assert {c.name.split()[0] for c in CASES} == set(CONJUGATE)


def somewhere(rng, case, shape):
    """Points of the support."""
    z = rng.normal(size=shape)
    if case.name == "Dirichlet":
        return rng.dirichlet(np.ones(shape[-1]), shape[:-1])
    upper, lower = (case.support(case.draw(rng)).upper, case.support(case.draw(rng)).lower)
    return 1 / (1 + np.exp(-z)) if upper is not None else np.exp(z) if lower is not None else z


@pytest.mark.parametrize("case", map(unit, CASES), ids=lambda c: c.name)
def test_an_updated_law_is_the_law_times_its_factor(case):
    """Up to a constant; without weight it is the law itself."""
    rng = np.random.default_rng(3)
    args, name = case.draw(rng), case.name.split()[0]
    family, node, shape = FAMILIES[name][0], case.node(args), (BATCH, *case.event)
    names = ("log_counts",) if isinstance(family, Dirichlet) else ("loc", "log_weight")
    learned = {n: 0.7 * rng.normal(size=shape) for n in names}
    parts = family.parts(learned)
    made = replace(node, dist=updated(node.dist, parts, STANDARD))
    a, b = np.asarray(parts["a"]), np.asarray(parts.get("b", 0.0))
    points = [somewhere(rng, case, shape) for _ in range(3)]
    left = [np.asarray(made.log_prob(x) - node.log_prob(x)) - log_factor(name, x, a, b) for x in points]
    np.testing.assert_allclose(left[1:], [left[0]] * 2, atol=1e-8)
    nothing = family.parts({n: np.full(shape, -60.0 if n != "loc" else 0.0) for n in names})
    same = replace(node, dist=updated(node.dist, nothing, STANDARD))
    np.testing.assert_allclose(same.log_prob(points[0]), node.log_prob(points[0]), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", map(unit, CASES), ids=lambda c: c.name)
def test_pseudo_observations_are_placed(case):
    """The law that they make is centred where it was asked for, and the law itself has the share that was asked for."""
    args = case.draw(np.random.default_rng(4))
    node, family = case.node(args), FAMILIES[case.name.split()[0]][0]
    rng, own = np.random.default_rng(7), canonical(node.dist, STANDARD)
    x = somewhere(rng, case, (BATCH, *case.event))
    ratio = jnp.full((BATCH, *case.noise), 50.0)
    parts = family.parts(family.placed(own, jnp.asarray(x), ratio))
    made = family.updated(own, parts)
    assert all(np.isfinite(v).all() and (n == "loc" or n == "scale_tril" or np.all(v > 0)) for n, v in made.items())
    match family.law:
        case "Gamma":
            middle = made["concentration"] / made["rate"]
        case "InverseGamma":
            middle = made["rate"] / made["concentration"]
        case "Beta":
            middle = made["concentration1"] / (made["concentration1"] + made["concentration0"])
        case "Dirichlet":
            middle = made["concentration"] / jnp.sum(made["concentration"], axis=-1, keepdims=True)
        case name:
            x, middle = COORDINATE[name](x), made["loc"]
    np.testing.assert_allclose(middle, x, rtol=0.05, atol=0.01)
    np.testing.assert_allclose(family.kept(own, parts), np.full((BATCH, *case.noise), 1 / 51), rtol=0.1)


def test_the_normal_update_is_that_of_a_noisy_measurement():
    """Mean (1 − k) f + k m and variance g² (1 − k), with k = g² / (g² + s²)."""
    f, g, m, s = 1.3, 2.0, -0.7, 0.6
    args = {"loc": jnp.asarray(f), "scale": jnp.asarray(g)}
    family = FAMILIES["Normal"][0]
    made = family.updated(args, family.parts({"loc": m, "log_weight": -2 * np.log(s)}))
    k = g**2 / (g**2 + s**2)
    np.testing.assert_allclose(made["loc"], (1 - k) * f + k * m)
    np.testing.assert_allclose(made["scale"], g * np.sqrt(1 - k))


@pytest.mark.parametrize("name", GEOMETRIC)
def test_a_geometric_gate_is_a_partly_non_centred_variable(name):
    """z = f + g^(1−λ) (z̃ − λ f) with z̃ ~ N(λ f, g^λ) in unconstrained space; the prior's map and the identity at its ends."""
    case = next(c for c in SCALARS if c.name == name)
    args = case.draw(np.random.default_rng(5))
    node, u = case.node(args), np.random.default_rng(6).normal(size=BATCH)
    f, g = args["loc"], args["scale"]

    def unconstrained(loc, scale):
        made = replace(node, dist=updated(node.dist, {LOC: jnp.full(BATCH, loc), SCALE: jnp.full(BATCH, scale)}, STANDARD))
        return COORDINATE[name](np.asarray(made.forward(u)[0]))

    for opening in (1.0, 0.3, 0.0):
        centred = 1 - opening
        np.testing.assert_allclose(unconstrained(opening, opening), f + g**opening * (u - centred * f), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(unconstrained(0.2, 1.0), f + g * (u - 0.8 * f), rtol=1e-8)
    np.testing.assert_allclose(unconstrained(0.0, 0.0), u, rtol=1e-8)


# ---------------------------------------------------------------- guides


def program(text, data):
    return emfppl.load(text).bind(data).program


def test_a_conjugate_gate_can_be_the_posterior():
    guide = build_guide(program(NORMAL, {"y": Y}), Recipe("mean_field", gates="conjugate"))
    params = guide.init(0)
    params["gates"]["mu"] = {"loc": Y.mean(), "log_weight": np.log(len(Y))}
    mean, sd = conjugate_posterior()
    for eps in (-1.5, 0.0, 0.8):
        values, _ = guide.transform(params, jnp.array([eps]))
        np.testing.assert_allclose(values["mu"], mean + sd * eps)
        np.testing.assert_allclose(guide.log_weight(params, jnp.array([eps])), conjugate_evidence())
    assert guide.num_params(params) == 2
    np.testing.assert_allclose(guide.kept(params)["mu"], sd**2 / 4)


def test_conjugate_gates_start_where_the_frame_is():
    """Narrow at the prior's centre; beside a backbone that does the same they weigh little."""
    grouped = program(LABELLED, GROUPS)
    narrow = build_guide(grouped, Recipe("mean_field", gates="conjugate"))
    draws = jax.vmap(lambda e: narrow.transform(narrow.init(0), e)[0]["m"])(jnp.array([[z, 0, 0, 0, 0] for z in (-1.0, 0.0, 1.0)]))
    np.testing.assert_allclose(draws, [-0.1, 0, 0.1], atol=1e-12)
    open_ = build_guide(grouped, Recipe("full_rank", gates="conjugate"))
    np.testing.assert_allclose(open_.kept(open_.init(0))["a"], 0.98)


MANY = """
dim group
dim part = 3
data y[group]: count
data w[part]: count
data v: real
rate[group] ~ Gamma(2, 1)
share[part] ~ Dirichlet([1, 2, 3])
h ~ HalfNormal(1)
y[group] ~ Poisson(rate)
w[part] ~ Multinomial(12, share)
v ~ Normal(0, h)
guide {
  backbone mean_field
  gate all: conjugate
}
"""


def test_a_guide_block_asks_for_conjugate_gates():
    data = {"y": [3, 0], "w": [2, 4, 6], "v": 0.5}
    bound = emfppl.load(MANY).bind(data)
    guide = build_guide(bound.program, recipe_of(bound.program, "auto"))
    assert guide.name == "conjugate mean_field"
    params = guide.init(0)
    learned = params["gates"]
    assert {name: sorted(v) for name, v in learned.items() if name != "h"} == {
        "rate": ["loc", "log_weight"],
        "share": ["log_counts"],
    }
    assert np.shape(learned["h"]) == () and np.shape(learned["share"]["log_counts"]) == (3,)
    assert guide.backbone.affine.learned.tolist() == [guide.dim - 1]  # of h alone
    eps = np.random.default_rng(0).normal(size=guide.dim)
    params = jax.tree.map(lambda leaf: leaf + 0.3, params)
    values, log_q = jax.jit(guide.transform)(params, eps)
    np.testing.assert_allclose(jax.jit(guide.log_prob)(params, values), log_q, rtol=1e-8)


def test_conjugate_gates_of_the_latents_above_a_gaussian_block():
    """The scale's law is updated, centred where the frame is, and the block stays exact given it."""
    text = "dim i\ndata y[i]: real\nv ~ LogNormal(0, 1)\nx[i] ~ Normal(0, v)\ny[i] ~ Normal(x, 1)\n"
    guide = build_guide(program(text, {"y": [1.0, -2.0]}), Recipe("mean_field", gates="conjugate", blocks=True))
    params = guide.init(0, Frame(np.array([0.5]), np.array([0.2])))
    assert sorted(params["gates"]) == ["v"] and guide.num_params(params) == 2
    values, log_q = guide.transform(params, jnp.zeros(3))
    np.testing.assert_allclose(values["v"], np.exp(0.5))
    np.testing.assert_allclose(guide.log_prob(params, values), log_q)
    np.testing.assert_allclose(guide.kept(params)["v"], 0.04)


def test_a_gate_that_a_law_does_not_have_is_told():
    text = "p ~ Uniform(2, 5)\nq ~ Uniform(0, 1)\nr ~ Flat()\ndata y: real\ny ~ Normal(p + q * r, 1)\n"
    asked = text + "guide {\n  gate p: conjugate\n  gate q: conjugate\n  gate r: per_element\n}\n"
    fit = emfppl.load(asked).fit({"y": 4.0}, budget="quick", progress=False)
    first, second = fit.warnings
    assert first.startswith("gate p: conjugate does not fit its law, Uniform") and "per_element" in first
    assert second.startswith("gate r") and second.endswith("it has none") and str(fit).count("does not fit") == 2
