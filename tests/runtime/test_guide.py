"""Guides over programs: density and draws agree, gates at their ends, gradients that stick the landing, the rule of auto."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from posteriors import CHAIN, CHAIN_Y, CONJUGATE, GROUPS, LABELLED, Y, conjugate_posterior

import emfppl
from emfppl.compiler.affine import has_bent_loop
from emfppl.compiler.graph import GateSpec
from emfppl.runtime.bijections.node_map import DistValue, SupportValue, node_map
from emfppl.runtime.budget import BUDGETS
from emfppl.runtime.choose_guide import (
    FLOW,
    NAMES,
    build_guide,
    flat,
    ladder_of,
    order_of,
    rebuild_guide,
    recipe_of,
)
from emfppl.runtime.guides.backbone import Frame
from emfppl.runtime.guides.flows import build_flow
from emfppl.runtime.guides.inverse_graph import Inverse
from emfppl.runtime.known_noise import inverse_near
from emfppl.runtime.optimise.starts import Starts
from emfppl.runtime.precision import precision
from emfppl.runtime.recipe import Flow, Recipe


@pytest.fixture(autouse=True)
def double():
    with precision("float64"):
        yield


def program(text, data):
    return emfppl.load(text).bind(data).program


GROUPED, CHAINED = program(LABELLED, GROUPS), program(CHAIN, {"y": CHAIN_Y})
RECIPES = [
    Recipe("mean_field"),
    Recipe("full_rank", gates="shut"),
    Recipe("low_rank", 2),
    Recipe("full_rank", flow=Flow(hidden=(6,))),
    Recipe("mean_field", gates="conjugate"),
    Recipe("mean_field", gates="geometric"),
]


def random_params(guide, seed=0, size=0.3):
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: leaf + size * rng.normal(size=np.shape(leaf)), guide.init(0))


# ---------------------------------------------------------------- laws


@pytest.mark.parametrize("program", [GROUPED, CHAINED], ids=["grouped", "chain"])
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: r.name)
def test_density_at_a_draw_is_that_of_the_draw(program, recipe):
    guide = build_guide(program, recipe)
    params = random_params(guide)
    eps = np.random.default_rng(1).normal(size=guide.dim)
    values, log_q = jax.jit(guide.transform)(params, eps)
    np.testing.assert_allclose(jax.jit(guide.log_prob)(params, values), log_q, rtol=1e-8)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: r.name)
def test_density_against_autodiff(recipe):
    guide = build_guide(CHAINED, recipe)
    params = random_params(guide)
    eps = np.random.default_rng(1).normal(size=guide.dim)
    _, log_q = guide.transform(params, eps)
    jacobian = jax.jacfwd(lambda e: guide.transform(params, e)[0]["x"])(jnp.asarray(eps))
    exact = -0.5 * np.sum(eps**2) - 0.5 * guide.dim * np.log(2 * np.pi) - np.linalg.slogdet(jacobian)[1]
    np.testing.assert_allclose(log_q, exact, rtol=1e-9)


def identity(guide):
    return guide.init(0, Frame(np.zeros(guide.dim), np.ones(guide.dim)))


def test_open_gates_are_the_prior():
    guide = build_guide(GROUPED, Recipe("full_rank"))
    params = identity(guide)
    params["gates"] = {k: np.full_like(v, 40.0) for k, v in params["gates"].items()}
    eps = np.random.default_rng(2).normal(size=guide.dim)
    values, log_q = guide.transform(params, eps)
    prior, log_det = GROUPED.forward(guide.unravel(jnp.asarray(eps)))
    for name, value in prior.items():
        np.testing.assert_allclose(values[name], value, rtol=1e-6)
    np.testing.assert_allclose(log_q, -0.5 * eps @ eps - 0.5 * eps.size * np.log(2 * np.pi) - log_det, rtol=1e-6)


def test_shut_gates_are_the_transform_of_the_support():
    guide = build_guide(GROUPED, Recipe("full_rank", gates="shut"))
    eps = np.random.default_rng(2).normal(size=guide.dim)
    values, _ = guide.transform(identity(guide), eps)
    np.testing.assert_allclose(values["m"], eps[0])
    np.testing.assert_allclose(values["s"], np.exp(eps[1]))
    np.testing.assert_allclose(values["a"], eps[2:])


def test_centre_of_the_prior_with_shut_gates():
    guide = build_guide(
        program("data y: real\na ~ Normal(70, 2)\nb ~ LogNormal(3, 1)\ny ~ Normal(a, b)\n", {"y": 1.0}),
        Recipe("mean_field", gates="shut"),
    )
    np.testing.assert_allclose(guide.centre().loc, [70, 3], rtol=1e-6)


# ---------------------------------------------------------------- gradients


def exact_conjugate():
    """The full-rank guide that is the posterior."""
    guide = build_guide(program(CONJUGATE, {"y": Y}), Recipe("full_rank", gates="shut"))
    mean, sd = conjugate_posterior()
    return guide, guide.init(0, Frame(np.array([mean]), np.array([sd])))


def test_gradients_stick_the_landing():
    guide, params = exact_conjugate()
    for eps in ([-2.0], [0.3], [1.7]):
        stuck = jax.grad(guide.sticking_log_weight)(params, jnp.array(eps))
        np.testing.assert_allclose(np.concatenate([np.ravel(g) for g in jax.tree.leaves(stuck)]), 0, atol=1e-10)
    loose = jax.grad(guide.log_weight)(params, jnp.array([1.7]))
    assert abs(loose["backbone"]["affine"]["loc"][0]) > 0.1


def test_gates_stick_the_landing():
    """Under a gate λ mu is (1 + λ) u, so an affine backbone makes the guide the posterior; then no gradient has any noise."""
    guide = build_guide(program(CONJUGATE, {"y": Y}), Recipe("full_rank"))
    (mean, sd), slope = conjugate_posterior(), 1 + 0.6
    params = guide.init(0, Frame(np.array([mean]) / slope, np.array([sd]) / slope))
    params["gates"] = {"mu": np.asarray(np.log(0.6 / 0.4))}
    for e in (-2.0, 0.3, 1.7):
        stuck = jax.grad(guide.sticking_log_weight)(params, jnp.array([e]))
        np.testing.assert_allclose(np.concatenate([np.ravel(g) for g in jax.tree.leaves(stuck)]), 0, atol=1e-9)


def test_inverse_where_the_noise_is_known(quickly_compiled):
    """First derivatives in the value, the gate and an argument are those of the inverse by search."""

    def node(scale):
        return node_map(DistValue("HalfCauchy", {"scale": scale}), SupportValue("interval", jnp.zeros(()), None), False, (), ())

    def known(at):
        return jnp.stack(inverse_near(node(at[2]), at[0], at[1], jnp.asarray(-0.8)))

    def searched(at):
        return jnp.stack(node(at[2]).inverse(at[0], at[1]))

    x, log_det = jax.jit(lambda g, a: node(a).forward(jnp.asarray(-0.8), g))(0.3, 2.0)
    at = jnp.array([x, 0.3, 2.0])
    np.testing.assert_allclose(jax.jit(known)(at), (-0.8, -log_det), rtol=1e-12)
    slopes = [jax.jit(jax.jacrev(f))(at) for f in (known, searched)]
    np.testing.assert_allclose(*slopes, rtol=1e-7)


@pytest.mark.parametrize("recipe", RECIPES[::3], ids=lambda r: r.name)
def test_sticking_gradients_have_the_mean_of_the_full_ones(recipe):
    guide = build_guide(GROUPED, recipe)
    params = random_params(guide, size=0.1)
    eps = np.random.default_rng(3).normal(size=(20_000, guide.dim))
    value, stuck = value_and_gradients(guide.sticking_log_weight, params, eps)
    same, loose = value_and_gradients(guide.log_weight, params, eps)
    np.testing.assert_allclose(value, same, rtol=1e-10)
    for name in stuck:
        error = (stuck[name] - loose[name]).std(axis=0) / np.sqrt(len(eps))
        assert np.all(np.abs((stuck[name] - loose[name]).mean(axis=0)) < 5 * error + 1e-9), name


def value_and_gradients(function, params, eps):
    values, tree = jax.jit(jax.vmap(jax.value_and_grad(function), (None, 0)))(params, eps)
    return values, {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


# ---------------------------------------------------------------- the rule


def test_the_rule():
    rule = lambda program: recipe_of(program, "auto", blocks=False)  # noqa: E731
    conjugate = program(CONJUGATE, {"y": Y})
    assert rule(conjugate) == Recipe("full_rank", gates="shut")
    assert rule(GROUPED).name == "gated full_rank"
    assert recipe_of(conjugate, "auto").blocks and recipe_of(GROUPED, "auto").blocks
    many = "dim i\ndata y[i]: real\n{}x[i] ~ Normal({}, 1)\ny[i] ~ Normal(x, 1)\n"
    wide = program(many.format("", 0), {"y": np.zeros(300)})
    deep = program(many.format("m ~ Normal(0, 1)\n", "m"), {"y": np.zeros(300)})
    assert rule(wide).name == "low_rank" and rule(deep).name == "conjugate mean_field"
    assert recipe_of(deep, "iaf") == Recipe("mean_field", flow=FLOW)


@pytest.mark.parametrize(
    ("step", "bent"), [("0.9 * x[t-1]", False), ("x[t-1] - 0.1 * x[t-1] ^ 3", True), ("x[t-1] + sin(x[t-1])", True)]
)
def test_loops_that_are_not_affine(step, bent):
    """Their noise gets any covariance although it is long, and their mode is looked for from many points."""
    text = "dim time\ndata y[time]: real\nx[0] ~ Normal(0, 1)\nfor t in time[1:] {\n  x[t] ~ Normal(STEP, 1)\n}\n"
    text += "y[time] ~ Normal(x, 1)\n"
    long = program(text.replace("STEP", step), {"y": np.zeros(300)})
    assert has_bent_loop(long.graph) is bent
    assert recipe_of(long, "auto", blocks=False).affine == ("full_rank" if bent else "mean_field")
    guide = build_guide(long, Recipe("mean_field"))
    assert Starts(guide, 0, 600).effort == ((16, 60) if bent else (1, 200))



@pytest.mark.parametrize(
    ("text", "is_flat"),
    [
        (CONJUGATE, True),
        (LABELLED, False),
        (CHAIN, False),
        ("data y: real\na ~ Normal(0, 1)\nb = 2 * a\nc ~ Normal(b, 1)\ny ~ Normal(c, 1)\n", False),
        ("data y: real\nparam p: real\na ~ Normal(p, 1)\ny ~ Normal(a, 1)\n", False),
        ("data y: real\na ~ Normal(0, 1)\nc ~ Normal(a, 1)\ny ~ Normal(a, 1)\n", True),  # c is drawn forward
    ],
)
def test_flat_programs(text, is_flat):
    assert flat(emfppl.load(text)._graph) is is_flat


def test_scales_come_first_in_flows():
    """Of m, s, a[0], a[1], a[2] the scale s, then the other root m, then the groups."""
    assert order_of(GROUPED, GROUPED.noise_shapes) == (1, 0, 2, 3, 4)
    assert order_of(GROUPED, ["s"]) == (0,)


def test_ladders():
    def names(guide, budget="normal", blocks=False):
        recipes, wanted = ladder_of(GROUPED, guide, BUDGETS[budget], blocks)
        return [r.name for r in recipes], wanted

    assert names("auto", blocks=True) == (["messages, full_rank", "messages, splines"], False)
    assert names("messages") == (["messages, full_rank"], True)
    assert names("auto") == (["gated full_rank", "gated iaf"], False)
    assert names("auto", "quick") == (["gated full_rank"], False)
    assert names("auto", "thorough") == (["gated full_rank", "gated iaf", "gated splines + iaf"], False)
    assert names("gated") == (["gated mean_field"], True)
    assert names("iaf") == (["gated full_rank", "gated iaf"], True)


def test_ladders_over_a_gaussian_block():
    """Splines and a flow for the outer latents; where something inside is approximated the same without the block follows."""
    two = "dim obs\ndata y[obs]: {}\ns ~ HalfNormal(1)\nt ~ HalfNormal(1)\na[obs] ~ Normal(0, s)\ny[obs] ~ {}\n"
    exact = program(two.format("real", "Normal(a, t)"), {"y": [0.1, 0.4]})
    counts = program(two.format("count", "Poisson(exp(t + a))"), {"y": [1, 4]})
    names = [[r.name for r in ladder_of(p, "auto", BUDGETS["normal"])[0]] for p in (exact, counts)]
    assert names[0] == ["messages, full_rank", "messages, splines", "messages, splines + iaf"]
    assert names[1] == [*names[0], "gated full_rank", "gated iaf"]


def test_which_guide_extends_which():
    plain, flow = Recipe("full_rank"), Recipe("full_rank", flow=FLOW)
    assert flow.extends(plain) and replace(flow, splines=8).extends(flow) and replace(flow, splines=8).extends(plain)
    assert not plain.extends(flow) and not flow.extends(flow) and not flow.extends(Recipe("mean_field"))
    assert not replace(plain, flow=Flow(layers=3)).extends(flow)


def test_guide_blocks():
    block = "guide {{\n  backbone {}\n  gate all: per_variable, init = 0.6\n  gate m: off\n}}\n"

    def made(backbone, name="auto"):
        p = program(LABELLED + block.format(backbone), GROUPS)
        return build_guide(p, recipe_of(p, name))

    guide = made("iaf(layers = 3, hidden = [5])")
    assert guide.name == "gated iaf" and guide.backbone.flow.layers == 3 and guide.backbone.flow.hidden == (5,)
    assert guide.gates.spec("s") == GateSpec("per_variable", 0.6) and guide.gates.spec("m").mode == "off"
    np.testing.assert_allclose(jax.nn.sigmoid(guide.init(0)["gates"]["a"]), 0.6)
    inverse = Inverse((1, 0, 2, 3, 4), ((), (0,), (0, 1), (0, 1), (0, 1)))  # s, m, and groups that need these alone
    assert made("coupling(layers = 2, bins = 5)").backbone.flow == build_flow(Flow("coupling", 2, (32, 32), 5), inverse)
    assert made("spline_flow(bins = 5)").backbone.flow.bins == 5 and made("bnaf(hidden = [4])").backbone.flow.hidden == (4,)
    assert made("splines(bins = 6)").backbone.splines.bins == 6 and made("splines").name == "gated splines"
    assert made("low_rank(rank = 2)").backbone.affine.rank == 2
    assert made("full_rank").name == "gated full_rank"
    assert made("full_rank", "mean_field").name == "mean_field"  # a name given to fit wins


@pytest.mark.parametrize("name", NAMES)
def test_descriptions_rebuild_guides(name):
    guide = build_guide(GROUPED, recipe_of(GROUPED, name))
    again = rebuild_guide(GROUPED, guide.describe())
    assert again.describe() == guide.describe() and again.name == guide.name
    params = guide.init(0)
    assert jax.tree.map(np.shape, again.init(0)) == jax.tree.map(np.shape, params)
    eps = np.random.default_rng(0).normal(size=guide.dim)
    np.testing.assert_array_equal(again.transform(params, eps)[1], guide.transform(params, eps)[1])
