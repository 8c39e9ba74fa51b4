"""What the checker makes of right programs: dims, kinds, roles, axes, supports."""

from __future__ import annotations

import pytest
from checking import checked, codes, statements, value_of, variable

from emfppl.compiler.checked_nodes import CheckedRandom
from emfppl.compiler.expressions import At, Axis, Gather, Kind, Let, Ref, Whole, walk
from emfppl.compiler.graph import Integers, Interval, Role, Structured
from emfppl.compiler.sizes import Size

HEAD = """\
dim a
dim b
dim k = 3
dim time
data u[a]: real
data v[b]: real
data m[a, b]: real
data s[a, a']: cov
data n[a]: count
data f[a]: bool
data i[b]: index(a)
data j[b]: index(k)
data p[k]: simplex
data r: real
q ~ Normal(r, 1)
"""

EXPRESSIONS = [
    # expression, kind, labels of its axes
    ("1 + 2", Kind.INT, ""),
    ("1 / 2", Kind.REAL, ""),
    ("7 // 2", Kind.INT, ""),
    ("2 ^ 3", Kind.INT, ""),
    ("2 ^ -1", Kind.REAL, ""),
    ("2 ** 0.5", Kind.REAL, ""),
    ("1 < 2", Kind.BOOL, ""),
    ("not (1 < 2)", Kind.BOOL, ""),
    ("f and n > 2", Kind.BOOL, "a"),
    ("if(f, 1, 2)", Kind.INT, "a"),
    ("if(f, 1, 2.5)", Kind.REAL, "a"),
    ("f + 1", Kind.INT, "a"),
    ("u + v", Kind.REAL, "a b"),
    ("v + u", Kind.REAL, "b a"),
    ("m + v", Kind.REAL, "a b"),
    ("u[i]", Kind.REAL, "b"),
    ("u[i] + v", Kind.REAL, "b"),
    ("m[i]", None, ""),
    ("m[i, b']", Kind.REAL, "b b'"),
    ("s[i, i]", Kind.REAL, "b"),
    ("m[0]", Kind.REAL, "b"),
    ("m[:, 0]", Kind.REAL, "a"),
    ("m[-1, 1]", Kind.REAL, ""),
    ("u[a']", Kind.REAL, "a'"),
    ("u - u[a']", Kind.REAL, "a a'"),
    ("u[a[1:]]", Kind.REAL, "a"),
    ("u[1:] - u[:-1]", Kind.REAL, "a"),
    ("s @ u", Kind.REAL, "a"),
    ("s @ u[a']", Kind.REAL, "a"),
    ("u @ m", Kind.REAL, "b"),
    ("u @ u", Kind.REAL, ""),
    ("sum(m)", Kind.REAL, ""),
    ("sum(m, over = b)", Kind.REAL, "a"),
    ("mean(m, over = [a, b])", Kind.REAL, ""),
    ("sum(n)", Kind.INT, ""),
    ("sum(f)", Kind.INT, ""),
    ("mean(n)", Kind.REAL, ""),
    ("any(f)", Kind.BOOL, ""),
    ("cumsum(m, over = b)", Kind.REAL, "a b"),
    ("max(n)", Kind.INT, ""),
    ("exp(n)", Kind.REAL, "a"),
    ("abs(n)", Kind.INT, "a"),
    ("round(u)", Kind.INT, "a"),
    ("maximum(u, 0)", Kind.REAL, "a"),
    ("i", Kind.INDEX, "b"),
    ("i + 1", Kind.INT, "b"),
    ("i[0]", Kind.INDEX, ""),
    ("i == j", None, ""),
    ("k", Kind.INT, ""),
    ("2 * a - 1", Kind.INT, ""),
    ("pi", Kind.REAL, ""),
    ("cholesky(s)", Kind.REAL, "a a'"),
    ("inverse(s)", Kind.REAL, "a a'"),
    ("logdet(s)", Kind.REAL, ""),
    ("solve(s, u)", Kind.REAL, "a'"),
    ("diag(u)", Kind.REAL, "a a'"),
    ("diagonal(s)", Kind.REAL, "a"),
    ("outer(u, v)", Kind.REAL, "a b"),
    ("outer(u, u)", Kind.REAL, "a a'"),
    ("softmax(m)", Kind.REAL, "a b"),
    ("softmax(m, over = a)", Kind.REAL, "b a"),
    ("(u + q)[1:]", Kind.REAL, "a"),
    ("(u + q)[i]", Kind.REAL, "b"),
    ("m[i, j]", None, ""),
    ("m[a, 0]", Kind.REAL, "a"),
    ("m[b, 0]", None, ""),
]


@pytest.mark.parametrize(("text", "kind", "labels"), EXPRESSIONS, ids=[e[0] for e in EXPRESSIONS])
def test_kind_and_axes_of_an_expression(text, kind, labels):
    target = f"x[{', '.join(labels.split())}]" if labels else "x"
    part = "[1:]" in text or "[:-1]" in text or "a[1:]" in text
    if part:
        target, rest = "x[a[1:]]", "x[0] = 0\n"
    else:
        rest = ""
    program = HEAD + f"{target} = {text}\n" + rest
    if kind is None:
        assert any(c.startswith("E") for c in codes(program))
        return
    value = next(s.value for s in checked(program).statements if s.target.name == "x")
    assert value.type.kind is kind
    assert " ".join(a.label for a in value.type.axes) == labels


def test_slices_keep_their_label_and_know_their_length():
    value = value_of("dim time\ndata y[time]: real\nd[time[1:]] = y[1:] - y[:-1]\nd[0] = 0\n", "d")
    first = value_of("dim time\ndata y[time]: real\nd[0] = 0\nd[time[1:]] = y[1:] - y[:-1]\n", "d")
    assert value.value == 0
    assert first.type.axes == (Axis("time", Size.const(1), Size.of("time")),)
    assert first.type.axes[0].length == Size.of("time") - 1


def test_dims_that_the_file_computes_align_by_their_polynomials():
    text = "dim a\ndim edge = a - 1\ndata x[a]: real\ndata w[edge]: real\n"
    text += "for i in edge {\n  y[i] = w[i] + x[i+1]\n}\n"
    assert variable(text, "y").dims == ("edge",)
    assert codes("dim a = 3\ndim b = 3\ndata x[a]: real\nfor i in b {\n  y[i] = x[i]\n}\n") == ["E0303"]


def test_subscripts_become_positions_wholes_and_gathers():
    text = (
        HEAD
        + "data x[time]: real\nz[time[:2]] = 0\nfor t in time[2:] {\n  z[t] = m[i[0], -1] + x[t-2] + t\n}\n"
    )
    refs = {e.name: e for e in walk(value_of(text, "z")) if isinstance(e, Ref)}
    assert isinstance(refs["m"].indices[0], Gather)
    assert refs["m"].indices[1] == At(None, 1, Size.of("b") - 1)
    assert refs["x"].indices == (At("t", 1, Size.const(-2)),)
    assert refs["i"].indices == (At(None, 1, Size()),)


ROLES = """\
dim time
dim series
data y[time, series]: real?
param c: positive = 1
x[0, series] ~ Normal(0, c)
for t in time[1:] {
  drift = 0.5 * t
  for i in series {
    m = x[t-1, i] + drift
    x[t, i] ~ Normal(m, 1)
  }
}
total = sum(x)
y[time, series] ~ Normal(x, 1)
"""


@pytest.mark.parametrize(
    ("name", "role", "dims", "local"),
    [
        ("y", Role.OBSERVED, ("time", "series"), False),
        ("c", Role.PARAM, (), False),
        ("x", Role.LATENT, ("time", "series"), False),
        ("drift", Role.COMPUTED, ("time",), True),
        ("m", Role.COMPUTED, ("time", "series"), True),
        ("total", Role.COMPUTED, (), False),
    ],
)
def test_variables_have_roles_and_dims(name, role, dims, local):
    v = variable(ROLES, name)
    assert (v.role, v.dims, v.local) == (role, dims, local)


def test_a_helper_stands_for_its_round():
    m = next(s for s in statements(checked(ROLES).statements) if s.target.name == "m")
    assert m.target.indices == (At("t", 1, Size()), At("i", 1, Size()))
    drift = next(e for e in walk(m.value) if isinstance(e, Ref) and e.name == "drift")
    assert drift.indices == (At("t", 1, Size()),)


def test_helpers_of_two_loops_are_two_variables():
    text = "dim a\nfor i in a {\n  h = 2 * i\n  x[i] = h\n}\nfor i in a {\n  h = 3 * i\n  y[i] = h\n}\n"
    names = [v.name for v in checked(text).variables if v.local]
    assert len(set(names)) == 2
    assert names[0] == "h"


def test_two_loops_over_one_dim_make_a_primed_axis():
    assert variable("dim a\nfor i in a {\n  for j in a {\n    K[i, j] = i - j\n  }\n}\n", "K").dims == (
        "a",
        "a'",
    )


def test_kinds_that_grow_around_a_loop():
    assert variable("dim t\nn[0] = 0\nfor i in t[1:] {\n  n[i] = n[i-1] + 1\n}\n", "n").kind is Kind.INT
    assert variable("dim t\nn[0] = 0\nfor i in t[1:] {\n  n[i] = n[i-1] + 0.5\n}\n", "n").kind is Kind.REAL


def latent(text: str, name: str = "x") -> CheckedRandom:
    return next(s for s in statements(checked(text).statements) if s.target.name == name)


SUPPORTS = [
    ("x ~ Normal(0, 1)", "real", False),
    ("x: positive ~ Normal(0, 1)", "positive", True),
    ("x: real ~ HalfNormal(1)", "positive", False),
    ("x: positive ~ Gamma(1, 1)", "positive", False),
    ("x: nonnegative ~ Gamma(1, 1)", "positive", False),
    ("x: unit ~ Normal(0, 1)", "unit", True),
    ("x: unit ~ Gamma(1, 1)", "unit", True),
    ("x: positive ~ Beta(1, 1)", "unit", False),
    ("x ~ Uniform(0, 1)", "unit", False),
    ("x: positive ~ Flat()", "positive", False),
    ("x ~ Flat()", "real", False),
    ("x ~ truncated(Normal(0, 1), 0, 1)", "unit", False),
    ("x ~ truncated(Normal(0, 1), lower = 0)", "positive", False),
    ("x: positive ~ truncated(Normal(0, 1), upper = 1)", "unit", False),
    ("x ~ truncated(truncated(Normal(0, 1), upper = 1), lower = 0)", "unit", False),
]
BOUNDS = {"real": (None, None), "positive": (0, None), "unit": (0, 1)}


@pytest.mark.parametrize(("text", "name", "narrowed"), SUPPORTS, ids=[s[0] for s in SUPPORTS])
def test_supports_of_latents(text, name, narrowed):
    found = latent(text)
    assert isinstance(found.support, Interval)
    bounds = tuple(None if b is None else b.value for b in (found.support.lower, found.support.upper))
    assert bounds == BOUNDS[name]
    assert found.narrowed is narrowed


def test_bounds_may_depend_on_earlier_latents():
    found = latent("a ~ Uniform(0, 1)\nx: real(0, 1 - a) ~ Uniform(0, 1)\n")
    assert found.narrowed
    assert any(isinstance(e, Ref) and e.name == "a" for e in walk(found.support.upper))


@pytest.mark.parametrize(
    ("text", "support", "narrowed", "event"),
    [
        ("x[k] ~ Dirichlet(1)", "simplex", False, ("k",)),
        ("x[a, k] ~ Dirichlet(2)", "simplex", False, ("k",)),
        ("x[k]: ordered ~ Normal(0, 1)", "ordered", True, ()),
        ("x[k]: positive_ordered ~ Normal(0, 1)", "positive_ordered", True, ()),
        ("x[k]: ordered ~ Gamma(1, 1)", "positive_ordered", True, ()),
        ("x[k]: simplex ~ Flat()", "simplex", False, ()),
        ("x[k] ~ MultivariateNormal(0, S)", "real_vector", False, ("k",)),
        ("x[a, k]: ordered ~ MultivariateNormal(0, S)", "ordered", True, ("k",)),
        ("x[k, k'] ~ LKJCholesky(2)", "corr_cholesky", False, ("k", "k'")),
    ],
)
def test_structured_supports(text, support, narrowed, event):
    found = latent("dim k\ndim a\ndata S[k, k']: cov\n" + text + "\n")
    assert found.support == Structured(support)
    assert found.narrowed is narrowed
    assert found.dist.event == event


def test_matrix_arguments_come_under_the_label_and_its_primed_twin():
    found = latent("dim k\ndata S[k', k]: cov\ndata T[k, k'']: cov\nx[k] ~ MultivariateNormal(0, T)\n")
    assert {a.label for a in dict(found.dist.args)["covariance_matrix"].type.axes} == {"k", "k'"}


def test_categorical_indexes_the_dim_of_its_probabilities():
    text = "dim state\ndim obs\nP[state, state'] ~ Dirichlet(1)\ndata z[obs]: index(state)\n"
    text += "z[0] ~ Categorical(P[0])\n"
    text += "for t in obs[1:] {\n  z[t] ~ Categorical(P[z[t-1]])\n}\n"
    last = [s for s in statements(checked(text).statements) if s.target.name == "z"][-1]
    assert last.dist.over == "state'"
    assert isinstance(last.support, Integers)
    assert last.observed


def test_discrete_draws_without_observations_below_are_simulated():
    text = (
        "dim obs\ndata y[obs]: count\nrate ~ Gamma(2, 2)\ny[obs] ~ Poisson(rate)\nnew[obs] ~ Poisson(rate)\n"
    )
    assert variable(text, "new").kind is Kind.INT


def test_mixture_sums_over_the_dim_that_the_target_lacks():
    text = "dim k\ndim obs\ndata y[obs]: real\nw[obs, k] ~ Dirichlet(1)\nm[k] ~ Normal(0, 1)\n"
    text += "y[obs] ~ Mixture(w, Normal(m, 1))\n"
    assert latent(text, "y").dist.over == "k"


def test_defaults_are_filled_in():
    assert [n for n, _ in latent("x ~ Normal(scale = 2)").dist.args] == ["loc", "scale"]
    assert [n for n, _ in latent("x ~ Exponential(2)").dist.args] == ["rate"]
    assert [
        n for n, _ in latent("data y: bool\nx ~ Normal(0, 1)\ny ~ Bernoulli(logits = x)", "y").dist.args
    ] == ["logits"]


def test_lists_take_the_dims_of_their_place():
    assert value_of("dim k = 2\nw[k] = [1, 2.5]\n", "w").type.axes == (Axis.whole("k"),)
    assert value_of("dim k = 2\ndim l = 3\nw[k, l] = [[1, 2, 3], [4, 5, 6]]\n", "w").values == (
        (1, 2, 3),
        (4, 5, 6),
    )
    found = latent("dim k = 2\nx[k] ~ Dirichlet([1/2, 3])")
    assert dict(found.dist.args)["concentration"].values == (0.5, 3)


def test_sizes_may_come_from_scalar_data():
    program = checked("data N: count\ndim obs = N\ndata y[obs]: real\nm ~ Normal(0, 1)\ny ~ Normal(m, 1)\n")
    assert program.dims[0].size == Size.of("N")


def test_trailing_subscripts_on_the_left_of_data_may_be_left_out():
    assert latent("dim obs\ndata y[obs]: real\nm ~ Normal(0, 1)\ny ~ Normal(m, 1)\n", "y").target.indices == (
        Whole(Axis.whole("obs")),
    )


def test_guide_block():
    guide = checked(
        "x ~ Normal(0, 1)\nguide {\n  backbone iaf(layers = 2, hidden = [8, 8])\n  gate x: off\n}\n"
    ).guide
    assert guide.backbone == ("iaf", (("layers", 2), ("hidden", (8, 8))))
    assert [(n, g.mode) for n, g in guide.gates] == [("x", "off")]


def test_a_variable_may_be_called_as_a_function_is():
    text = "data floor: real\nx = floor(floor + 0.5)\nsd ~ HalfNormal(1)\ny = sd + x\n"
    assert variable(text, "x").kind is Kind.INT


def test_subscripts_of_expressions_are_local_names():
    value = value_of("dim a\ndata u[a]: real\nx = (u + 1)[2]\n", "x")
    assert isinstance(value, Let)
    assert isinstance(value.body, Ref)


def test_truncating_twice_cuts_once():
    dist = latent("x: positive ~ truncated(Normal(0, 1), upper = 1)").dist
    assert dist == latent("x ~ truncated(Normal(0, 1), 0.0, 1)").dist
