"""Laws of the layers of density estimators and of their stacks: inverses, log-determinants, starts, densities that integrate to 1,
samples that agree with them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from emfppl.compiler.ast_to_checked.density_layers import LAYERS
from emfppl.compiler.pipeline import compile_text
from emfppl.grammar.diagnostics import EmfError
from emfppl.grammar.source import SourceText
from emfppl.runtime.bind import Binding
from emfppl.runtime.density.batches import Samples
from emfppl.runtime.density.layers.networks import VARIES
from emfppl.runtime.density.layers.structured import RATE
from emfppl.runtime.density.model_start import Started
from emfppl.runtime.density.stack import Stack
from emfppl.runtime.density.train import Plan, Trainer
from emfppl.runtime.guides import perceptron
from emfppl.runtime.precision import precision

FILE = """dim time
dim part
data c: real
data g: index(part)
"""
MODELS = {
    "walk": "param s: positive = 0.5\nx[0] ~ Normal(c, 1)\nfor t in time[1:] { x[t] ~ Normal(x[t-1], s) }",
    "bent": "x[time] ~ Weibull(1, 2)",
    "shares": "low[time] ~ LogNormal(0, 1)\nhigh[time] ~ Uniform(low, low + 2)",
    "blend": "param w[part]: real = 0\nparam m[time, part]: real = 0\nparam s[part]: positive = 1\n"
    "x[time] ~ Mixture(softmax(w), Normal(m[time], s))",
}
SIZES = {"time": 3, "part": 4}
NETWORKS = ("maf(hidden = [8])", "iaf(hidden = [6])", "coupling(hidden = [6])", "coupling(hidden = [6], bins = 3)",
            "spline_flow(hidden = [6], bins = 4)", "bnaf(hidden = [3])")  # fmt: skip
OTHERS = ("affine", "actnorm", "permute", "reverse", "lu", "splines(bins = 4)", "maf(hidden = [3, 3], layers = 2)")
STRUCTURED = ("structured(walk, gated = true)", "structured(bent, gated = per_variable)", "structured(blend, gated = false)")
EVERY = (*NETWORKS, *OTHERS, *STRUCTURED)


@pytest.fixture(autouse=True)
def double(quickly_compiled):
    with precision("float64"):
        yield


def stack_of(*layers: str, event: str = "data x[time]: real", given: str = "c, g", **sizes: int) -> Stack:
    """A density whose layers these lines are."""
    lines = [event, f"conditioned_on {given}" if given else "", *layers]
    models = [f"model {name} {{\n{body}\n}}" for name, body in MODELS.items() if f"({name}" in "".join(layers)]
    graph = compile_text(SourceText("\n".join([FILE, *models, "density d {", *lines, "}", ""]), "a.emf"))
    data = {} if given else {"c": np.array(0.5)}
    return Stack(graph.densities[0], Binding(graph, {**SIZES, **sizes}, {}, data))


def beside(stack: Stack, count: int, seed: int = 3):
    """What is given with so many samples."""
    rng = np.random.default_rng(seed)
    known = {"c": rng.normal(size=count), "g": rng.integers(0, 4, count).astype(np.int32)}
    return {v.name: known[v.name] for v in stack.context.variables}


def start(stack: Stack, seed: int = 0):
    return stack.init(np.random.default_rng(seed))


def away(stack: Stack, seed: int = 0, wide: float = 0.4):
    """Parameters away from the start; of gates and params of models, which move faster, as much less."""
    rng, params = np.random.default_rng(seed), start(stack, seed)
    less = {name: 0.1 if "gates" in layer else 1.0 for name, layer in params["layers"].items()}
    move = lambda name, layer: jax.tree.map(lambda v: v + less[name] * wide * rng.normal(size=np.shape(v)), layer)  # noqa: E731
    unit = lambda: {"loc": rng.normal(size=stack.dim), "width": np.exp(0.3 * rng.normal(size=stack.dim))}  # noqa: E731
    units = {name: unit() for name in params["units"]}
    return {**params, "layers": {name: move(name, layer) for name, layer in params["layers"].items()}, "units": units}


def compiled(stack: Stack):
    """Draws, noise found again, both log-determinants and that of the Jacobian, of a batch of noise."""
    real = lambda p, u, b: stack.event.to_real(stack.forward(p, u, b)[0])  # noqa: E731

    def everything(params, u, b):
        x, log_det = stack.forward(params, u, b)
        slope = jnp.linalg.slogdet(jax.jacfwd(lambda u: real(params, u, b)[0])(u))[1]
        return x, log_det, *stack.inverse(params, x, b), slope - real(params, u, b)[1]

    return jax.jit(jax.vmap(everything, (None, 0, 0)))


def check_laws(stack: Stack, params, noise, run=None):
    """Law 1."""
    x, log_det, back, log_det_back, slope = (run or compiled(stack))(params, noise, beside(stack, len(noise)))
    np.testing.assert_allclose(back, noise, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(log_det_back, -log_det, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(log_det, slope, rtol=1e-6, atol=1e-6)
    return np.asarray(x)


def test_every_kind_is_covered():
    assert {line.split("(")[0] for line in EVERY} == set(LAYERS) - {"dequantize"}


@pytest.mark.parametrize("line", EVERY)
def test_laws_of_a_layer(line):
    stack, noise = stack_of(line), np.random.default_rng(1).normal(size=(4, 3))
    run = compiled(stack)
    x = check_laws(stack, away(stack), noise, run)
    if line in NETWORKS:  # what is given counts
        other = run(away(stack), noise, {**beside(stack, 4), "c": np.full(4, 2.0)})[0]
        assert np.all(np.max(np.abs(other - x), axis=1) > 1e-4)
    if line not in STRUCTURED:  # the identity at its start
        x, log_det = run(start(stack), noise, beside(stack, 4))[:2]
        close = 0.4 if line.startswith("bnaf") else 1e-12
        turned = line in ("reverse", OTHERS[-1])
        wanted = noise[:, ::-1] if turned else noise[:, stack.layers[0].order] if line == "permute" else noise
        np.testing.assert_allclose(x, wanted, atol=close)
        np.testing.assert_allclose(log_det, 0, atol=3 * close)


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(st.lists(st.sampled_from(EVERY), min_size=2, max_size=3), st.integers(1, 4), st.integers(0, 2**16))
def test_laws_of_random_stacks(layers, size, seed):
    stack = stack_of(*layers, time=size)
    check_laws(stack, away(stack, seed, 0.2), 0.7 * np.random.default_rng(seed).normal(size=(2, size)))


def test_laws_with_bounds_that_are_variables():
    event = "data low[time]: positive\ndata high[time]: real"
    stack = stack_of("structured(shares, gated = false)", "affine", event=event, time=1)
    check_laws(stack, away(stack, wide=0.2), 0.7 * np.random.default_rng(0).normal(size=(3, 2)))


def test_samples_have_the_type_of_the_event():
    stack = stack_of("coupling(hidden = [4])", event="data x[time]: ordered\ndata y: unit\ndata z: real(-1, 2)")
    x = check_laws(stack, away(stack), np.random.default_rng(0).normal(size=(9, 5)))
    assert np.all(np.diff(x[:, :3]) > 0) and np.all((x[:, 3] > 0) & (x[:, 3] < 1)) and np.all((x[:, 4] > -1) & (x[:, 4] < 2))


# ---------------------------------------------------------------- gates


@pytest.mark.parametrize("model", ["walk", "bent", "blend"])
def test_gates_open_are_the_model_and_shut_the_identity(model):
    gated, plain = (stack_of(f"structured({model}, gated = {word})", "reverse") for word in ("true", "false"))
    noise, known, params = np.random.default_rng(0).normal(size=(4, 3)), beside(gated, 4), start(gated)
    whole, run = (jax.jit(jax.vmap(stack.forward, (None, 0, 0))) for stack in (plain, gated))
    layer = params["layers"]["layer0"]
    for opening, wanted in ((60.0, whole(start(plain), noise, known)[0]), (-60.0, noise[:, ::-1])):
        layer["gates"] = {name: np.full_like(gate, opening) for name, gate in layer["gates"].items()}
        np.testing.assert_allclose(run(params, noise, known)[0], wanted, rtol=1e-6, atol=1e-6)


def test_gates_are_told_by_variable():
    stack = stack_of("structured(walk)", "affine", "structured(bent, gated = per_variable)", "structured(walk, gated = false)")
    (_, first), (_, second), (_, third) = stack.gates(start(stack))
    np.testing.assert_allclose(first["x"], 0.98)
    np.testing.assert_allclose(second["x"], 0.98)
    np.testing.assert_allclose(third["x"], 1.0)
    assert stack.num_params(start(stack)) == (3 + 1) + 6 + 1 + 1
    assert [list(found) for _, found in stack.model_params(start(stack))] == [["s"], [], ["s"]]


def test_gates_that_no_sample_pays_for_close():
    """Numbers that follow one another and such that don't: a layer below can undo a model, which the second has no use for. Both
    are as likely without the model, which would be shut for that; here it is only trained with it."""
    stack = stack_of("lu", "affine", "structured(walk)", given="c", time=2)
    rng, found = np.random.default_rng(0), {}
    for name, follows in (("walk", 1.0), ("apart", 0.0)):
        first = rng.normal(size=1000)
        x = np.stack([first, follows * first + 0.3 * rng.normal(size=1000)], axis=1)
        plan = Plan(64, 60, 1, 20, rates=(0.05,))
        started = Started(stack)
        started.gated = 0
        trained = Trainer(started, Samples(x, {"c": np.zeros(1000)}), plan).run()
        found[name] = stack.gates(trained.params)[0][1]["x"][1]
    assert found["apart"] < 0.2 < 0.8 < found["walk"]


def test_the_cost_of_gates_is_that_of_the_sum_of_openings():
    stack = stack_of("structured(walk)", "affine", "structured(bent, gated = per_variable)", "structured(walk, gated = false)")
    assert float(stack.cost(start(stack))) == pytest.approx(0.03 * 0.98 * (3 + 3))


# ---------------------------------------------------------------- against closed forms


def log_prob(stack: Stack, params, x, known=None):
    return np.asarray(jax.jit(jax.vmap(stack.log_prob, (None, 0, 0)))(params, np.asarray(x), known or {}))


def test_a_model_alone_is_its_own_density():
    x, c = np.random.default_rng(0).normal(size=(5, 3)), np.linspace(-1, 1, 5)
    stack = stack_of("structured(walk, gated = false)", event="", given="c")
    params = start(stack)
    params["layers"]["layer0"]["params"]["s"] = params["layers"]["layer0"]["params"]["s"] + 0.1
    ((_, found),) = stack.model_params(params)
    wanted = stats.norm.logpdf(x[:, 0], c) + stats.norm.logpdf(np.diff(x), scale=found["s"]).sum(axis=1)
    np.testing.assert_allclose(found["s"], 0.5 * np.exp(0.1 * RATE))
    np.testing.assert_allclose(log_prob(stack, params, x, {"c": c}), wanted, rtol=1e-10)


@pytest.mark.parametrize(("event", "of_x"), [("data x[time]: positive", lambda x: x), ("data x[time]: real", np.exp)])
def test_supports_of_model_and_event(event, of_x):
    x = np.random.default_rng(0).normal(size=(5, 3))
    x = np.exp(x) if "positive" in event else x
    stack = stack_of("structured(bent, gated = false)", event=event, given="")
    jacobian = 0 if "positive" in event else x.sum(axis=1)
    wanted = stats.weibull_min.logpdf(of_x(x), 2).sum(axis=1) + jacobian
    np.testing.assert_allclose(log_prob(stack, start(stack), x), wanted, rtol=1e-9)


def test_mixtures_of_many_components():
    stack = stack_of("structured(blend, gated = false)", given="", part=40)
    params, x = start(stack), 2 * np.random.default_rng(0).normal(size=(5, 3))
    ((_, found),) = stack.model_params(params)
    assert np.std(found["m"], axis=1).min() > 0.5  # told apart, or they would stay equal
    each = stats.norm.logpdf(x[:, :, None], found["m"], found["s"]) + np.log(np.exp(found["w"]) / np.exp(found["w"]).sum())
    wanted = np.logaddexp.reduce(each, axis=2).sum(axis=1)
    np.testing.assert_allclose(log_prob(stack, params, x), wanted, rtol=1e-8)
    search = jax.make_jaxpr(lambda x: stack.inverse(params, x))(x[0])
    assert "while" not in str(search)  # what is trained needs no search


def test_no_model_of_another_length():
    with pytest.raises(EmfError) as error:
        stack_of("structured(walk)", event="data y[part]: real", given="c")
    assert error.value.diagnostics[0].code == "E1526"
    assert "has 3 numbers" in str(error.value) and "has 4" in str(error.value)


# ---------------------------------------------------------------- densities and samples

PLANES = (
    ("maf(hidden = [6])", "lu", "spline_flow(hidden = [6], bins = 4)"),
    ("bnaf(hidden = [3])", "structured(bent)", "coupling(hidden = [6], bins = 4)"),
)


@pytest.mark.parametrize("layers", PLANES)
def test_a_density_integrates_to_one_and_samples_follow_it(layers):
    stack = stack_of(*layers, time=2, given="")
    params = away(stack, 1, 0.3)
    params["units"] = start(stack)["units"]
    edges = np.linspace(-10, 10, 801)
    middle = (edges[1:] + edges[:-1]) / 2
    grid = np.stack(np.meshgrid(middle, middle, indexing="ij"), axis=-1).reshape(-1, 2)
    density = np.exp(log_prob(stack, params, grid)).reshape(800, 800) * (edges[1] - edges[0]) ** 2
    np.testing.assert_allclose(density.sum(), 1, atol=1e-3)
    x = np.asarray(jax.jit(jax.vmap(stack.forward, (None, 0)))(params, np.random.default_rng(0).normal(size=(4000, 2)))[0])
    cuts = np.r_[0, np.arange(320, 481, 16), 800]
    expected = np.add.reduceat(np.add.reduceat(density, cuts[:-1], axis=0), cuts[:-1], axis=1)
    found = np.histogram2d(*x.T, bins=edges[cuts])[0]
    often = expected * len(x) > 5
    rest = lambda a: np.append(a[often], a[~often].sum())  # noqa: E731
    share = rest(expected) / expected.sum()
    assert stats.chisquare(rest(found), share * found.sum()).pvalue > 1e-3


def test_whole_numbers_are_spread_out():
    stack = stack_of("maf(hidden = [4])", "dequantize", event="data x[time]: int(0, 3)", given="", time=1)
    whole = np.arange(4.0)[:, None].repeat(50, axis=1).reshape(-1, 1)
    spread = stack.event.spread_out(whole, np.random.default_rng(0))
    assert np.ptp(spread - whole) > 0.9
    np.testing.assert_array_equal(stack.event.rounded(spread), whole)
    middles = np.linspace(0, 4, 20001)[:-1, None] + 1e-4
    params = away(stack)
    np.testing.assert_allclose(np.exp(log_prob(stack, params, middles)).mean() * 4, 1, atol=1e-3)


# ---------------------------------------------------------------- starts, and what can be held


def test_starts_told_by_data():
    stack = stack_of("maf(hidden = [4])", "affine")
    x = np.random.default_rng(0).normal([1, -20, 3], [100, 1, 0.01], size=(200, 3))
    params = stack.warm(start(stack), x, beside(stack, 200))
    noise = jax.vmap(stack.inverse, (None, 0, 0))(params, x, beside(stack, 200))[0]
    np.testing.assert_allclose(noise.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(noise.std(axis=0), 1, rtol=1e-6)
    gradient = jax.grad(lambda p: stack.log_prob(p, x[0], {"c": 1.0, "g": 1}))(params)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves((gradient["units"], gradient["given"])))
    assert stack.num_params(params) == sum(np.size(leaf) for leaf in jax.tree.leaves(params["layers"]))


def test_layers_above_models_have_units_of_their_own():
    stack = stack_of("affine", "structured(walk, gated = false)", "maf(hidden = [4])", given="c")
    x = np.random.default_rng(0).normal([1, -20, 3], [100, 1, 0.01], size=(200, 3))
    params = stack.warm(start(stack), x, {"c": np.zeros(200)})
    np.testing.assert_allclose(params["units"]["layer2"]["loc"], x.mean(axis=0))
    np.testing.assert_allclose(params["units"]["layer2"]["width"], x.std(axis=0))


def test_no_sample_is_absurdly_unlikely():
    stack = stack_of("maf(hidden = [6])", given="")
    params, x = away(stack, wide=20), np.random.default_rng(0).normal(size=(200, 3)) * np.geomspace(0.1, 1e6, 200)[:, None]
    slopes = jax.jit(jax.vmap(jax.jacfwd(lambda x: stack.inverse(params, x)[0])))(x)
    logs = np.log(np.diagonal(slopes, axis1=1, axis2=2))
    assert 2 * VARIES >= np.ptp(logs, axis=0).max() > VARIES  # however far away, no narrower than e^VARIES times the usual
    moved = jax.jit(jax.vmap(lambda x: stack.inverse(params, x)[0]))(x) / np.exp(logs) - x
    assert np.abs(moved).max() < 1e5  # a network says no more of a million standard deviations than of four


def test_components_start_where_data_are():
    stack = stack_of("structured(blend)", "structured(blend, gated = false)", given="")
    x = np.random.default_rng(0).normal([1, -20, 3], [9, 1, 0.1], size=(400, 3))
    (_, low), (_, top) = stack.model_params(stack.warm(start(stack), x))
    np.testing.assert_allclose(top["m"], np.quantile(x, [0.125, 0.375, 0.625, 0.875], axis=0).T)
    assert np.all(np.diff(low["m"]) > 0)


def test_a_model_starts_with_all_its_params_where_the_data_are():
    stack = stack_of("structured(blend, gated = false)", given="", time=1, part=4)
    rng = np.random.default_rng(0)
    x = np.where(rng.random((400, 1)) < 0.5, -6, 6) + 0.2 * rng.normal(size=(400, 1))
    likely = lambda params: np.mean(log_prob(stack, params, x))  # noqa: E731
    found = Started(stack).warm(start(stack), x, {})
    truth = np.mean(np.log(0.5 * stats.norm.pdf(np.abs(x), 6, 0.2)))
    assert likely(stack.warm(start(stack), x)) < truth - 0.7
    assert likely(found) > truth - 0.15


def test_units_stay_below_models():
    stack = stack_of("actnorm", "structured(walk, gated = false)", "affine", given="c")
    x, known = np.cumsum(np.random.default_rng(0).normal(size=(300, 3)), axis=1), {"c": np.zeros(300)}
    params = stack.warm(start(stack), x, known)
    np.testing.assert_allclose(params["units"]["data"]["width"], [1, 2, 2], rtol=0.2)  # of steps in units of s
    np.testing.assert_allclose(params["layers"]["layer0"]["log_scale"], 0, atol=1e-6)


def test_known_coordinates_can_be_held():
    known = np.array([True, True, False])
    stack = stack_of("affine", "maf(hidden = [4])", "structured(walk)", given="c")
    settled, stopped = stack.settled(known)
    assert stopped is None and settled.tolist() == known.tolist()
    rng, params = np.random.default_rng(0), away(stack)
    x = jnp.asarray(rng.normal(size=3))
    u = stack.inverse(params, x, {"c": 0.3})[0]
    again = stack.forward(params, jnp.where(settled, u, rng.normal(size=3)), {"c": 0.3})[0]
    np.testing.assert_allclose(again[:2], x[:2])
    assert abs(again[2] - x[2]) > 1e-3
    assert stack_of("maf(hidden = [4])", "reverse", "maf(hidden = [4])").settled(known)[1] == 0
    assert stack_of("affine", "coupling(hidden = [4])").settled(np.array([True, False, True]))[1] == 1
    assert stack_of("lu", "splines(bins = 3)").settled(known)[1] == 0


# ---------------------------------------------------------------- the size of programs


def test_one_product_a_matrix_and_no_gathers():
    layers = ("permute", "maf(hidden = [16, 16])", "coupling(hidden = [8], bins = 3)", "splines(bins = 3)")
    stack = stack_of(*layers, given="", time=40)
    batch = jax.vmap(stack.log_prob, (None, 0))
    text = jax.jit(batch).lower(start(stack), np.zeros((7, 40))).as_text()
    assert text.count("stablehlo.dot_general") == 3 + 2 * 2
    assert text.count('"stablehlo.gather"') == 1  # of permute, of whole rows
    turned = jax.jit(jax.grad(lambda p, x: jnp.sum(batch(p, x)))).lower(start(stack), np.zeros((7, 40))).as_text()
    assert "scatter" not in turned


def test_few_units_see_coordinates_from_all_over():
    masks = perceptron.masks(perceptron.earlier(40, 40), (6, 6), 2)
    reached = np.linalg.multi_dot([np.asarray(m, float) for m in reversed(masks)]) > 0
    assert not np.any(np.triu(reached[:40]))
    assert reached[39, 30:39].any() and reached[39, :10].any()
