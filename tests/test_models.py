"""Sub-models mean what their statements mean: the same densities and maps as the program written by hand."""

from __future__ import annotations

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from oracle import Oracle
from strategies import Generated, programs

from emfppl.compiler.ast_to_checked.limits import leaves
from emfppl.compiler.ast_to_expanded import expand
from emfppl.compiler.checked_nodes import CheckedProgram, CheckedRandom
from emfppl.compiler.distributions import COUNT, DISTRIBUTION, STANDARD
from emfppl.compiler.graph import Integers, Role, Structured
from emfppl.compiler.pipeline import check_text, checked_program, compile_text, expanded_text
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.ast_to_text import format_program
from emfppl.grammar.source import SourceText
from emfppl.grammar.text_to_ast import parse
from emfppl.runtime.bind import bind
from emfppl.runtime.precision import precision
from emfppl.runtime.program import Program

few = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


pytestmark = pytest.mark.usefixtures("quickly_compiled")


# ---------------------------------------------------------------- drawn programs, with models in the place of distributions


def with_models(text: str) -> tuple[str, int]:
    """The program with a model of its own for every draw of single numbers: ``x ~ Normal(a, b)`` becomes ``x ~ draw0(a, b)``."""
    models: list[ast.Model] = []
    program, problems = parse(SourceText(text))
    assert not problems
    body = tuple(_with_models(s, models) for s in program.statements)
    return format_program(replace(program, statements=(*models, *body))), len(models)


def _with_models(node: ast.Statement, models: list[ast.Model]) -> ast.Statement:
    if isinstance(node, ast.For):
        return replace(node, body=tuple(_with_models(s, models) for s in node.body))
    if not isinstance(node, ast.Random) or node.type is not None or any(map(_is_slice, node.target.indices)):
        return node
    assert isinstance(node.dist, ast.Call)
    row = STANDARD.get(node.dist.func)
    if row is None or row.event_rank or row.name == "Categorical" or not node.dist.args:
        return node
    names = [a.name or row.forms[0][n].name for n, a in enumerate(node.dist.args)]
    kinds = {p.name: p.kind for form in row.forms for p in form}
    if DISTRIBUTION in kinds.values():
        return node
    head = tuple(ast.FunctionArgument(n, (), ast.TypeExpr("count") if kinds[n] == COUNT else None) for n in names)
    dist = ast.Call(row.name, tuple(ast.Argument(name, ast.Name(name)) for name in names))
    own = ast.Random(ast.Target("value"), None, dist)
    name = f"draw{len(models)}"
    models.append(ast.Model(name, head, (own, ast.Return(ast.Name("value")))))
    given_ = tuple(replace(a, name=n) for a, n in zip(node.dist.args, names, strict=True))
    return replace(node, dist=ast.Call(name, given_))


def _is_slice(item: ast.Expr | ast.SliceItem) -> bool:
    return isinstance(item, ast.SliceItem) or (isinstance(item, ast.Subscript) and isinstance(item.indices[0], ast.SliceItem))


@few
@given(programs())
def test_drawn_programs(g: Generated):
    text, count = with_models(g.text)
    assume(count)
    errors = [str(d) for d in check_text(SourceText(text)) if d.is_error]
    assert not errors, f"{text}\n" + "\n".join(errors)
    one, other = (checked_program(SourceText(t)) for t in (text, g.text))
    latents = some_values(other, g.sizes)
    data = {k: np.asarray(v) for k, v in g.data.items()}
    found, wanted = (Oracle(p, g.sizes, data).log_joint(latents) for p in (one, other))
    assert found == pytest.approx(wanted, abs=1e-9, nan_ok=True)


def some_values(program: CheckedProgram, sizes: dict[str, int]) -> dict[str, np.ndarray]:
    """Values for the latents, each within its support."""
    rng = np.random.default_rng(0)
    nodes = {s.target.name: s for s in leaves(program.statements) if isinstance(s, CheckedRandom)}
    out = {}
    for variable in program.variables:
        if variable.role is not Role.LATENT:
            continue
        shape = [sizes[d.rstrip("'")] for d in variable.dims]
        value = np.sort(rng.uniform(0.2, 0.8, size=shape)) if shape else np.array(rng.uniform(0.2, 0.8))
        support = nodes[variable.name].support
        if isinstance(support, Structured) and "cholesky" in support.name:
            value = np.broadcast_to(np.eye(value.shape[-1]), value.shape).copy()
        elif isinstance(support, Structured) and support.name == "simplex":
            value = value / value.sum(-1, keepdims=True)
        out[variable.name] = np.round(value) if isinstance(support, Integers) else value
    return out


def same_program(text: str, by_hand: str, data: dict, sizes: dict) -> None:
    """The same map from noise, with the same Jacobian, and the same density; ``x.z`` is ``x_z`` by hand."""
    with precision("float64"):
        one, other = (Program(bind(whole(t), data, sizes or None)) for t in (text, by_hand))
        rng = np.random.default_rng(0)
        noise = {k: jnp.asarray(0.7 * rng.normal(size=s)) for k, s in sorted(other.noise_shapes.items())}
        back = {k.replace(".", "_"): k for k in one.noise_shapes}
        assert back.keys() == noise.keys()
        values, jacobian = one.forward({back[k]: v for k, v in noise.items()})
        wanted, theirs = other.forward(noise)
        assert float(jacobian) == pytest.approx(float(theirs), abs=1e-8)
        for name, value in wanted.items():
            mine = next(v for k, v in values.items() if k.replace(".", "_") == name)
            assert np.asarray(mine) == pytest.approx(np.asarray(value), abs=1e-9, nan_ok=True)
        assert float(one.log_density(values)) == pytest.approx(float(other.log_density(wanted)), abs=1e-8)


def whole(text: str):
    return replace(compile_text(SourceText(text)), barren=frozenset())


# ---------------------------------------------------------------- pairs written by hand

WALK = """
model walk(scale: positive, start: real = 0) {
  shock ~ HalfNormal(scale)
  x[0] ~ Normal(start, 1)
  for t in time[1:] {
    m = 0.9 * x[t-1]
    x[t] ~ Normal(m, shock)
  }
  return x
}
"""
DIMS = "dim day\ndim shop\ndata y[shop, day]: real\ndata w[shop]: positive\ndata u[day]: real\ndata of[day]: index(shop)\n"
DATA = {"y": np.ones((2, 4)) * 0.3, "w": [0.5, 1.5], "u": [0.1, 0.2, -0.3, 0.4], "of": [0, 1, 1, 0]}
PAIRS = {
    "alone": (
        WALK + "x[day] ~ walk(2, start = 1)",
        """x_shock ~ HalfNormal(2)
x[0] ~ Normal(1, 1)
for t in day[1:] { x[t] ~ Normal(0.9 * x[t-1], x_shock) }""",
    ),
    "observed": (
        WALK + "u[day] ~ walk(2)",
        """u_shock ~ HalfNormal(2)
u[0] ~ Normal(0, 1)
for t in day[1:] { u[t] ~ Normal(0.9 * u[t-1], u_shock) }""",
    ),
    "a panel": (
        WALK + "x[shop, day] ~ walk(2 * w, start = w)\ny[shop, day] ~ Normal(x, x.shock)",
        """x_shock[shop] ~ HalfNormal(2 * w)
for i in shop {
  x[i, 0] ~ Normal(w[i], 1)
  for t in day[1:] { x[i, t] ~ Normal(0.9 * x[i, t-1], x_shock[i]) }
}
y[shop, day] ~ Normal(x, x_shock)""",
    ),
    "a panel the other way round": (
        WALK + "x[day, shop] ~ walk(exp(u))\ny[shop, day] ~ Normal(x, 1)",
        """x_shock[day] ~ HalfNormal(exp(u))
for i in day {
  x[i, 0] ~ Normal(0, 1)
  for t in shop[1:] { x[i, t] ~ Normal(0.9 * x[i, t-1], x_shock[i]) }
}
y[shop, day] ~ Normal(x, 1)""",
    ),
    "in a loop": (
        WALK + "for i in shop {\n  s = w[i] * 2\n  x[i, day] ~ walk(s)\n}",
        """x_shock[shop] ~ HalfNormal(2 * w)
for i in shop {
  x[i, 0] ~ Normal(0, 1)
  for t in day[1:] { x[i, t] ~ Normal(0.9 * x[i, t-1], x_shock[i]) }
}""",
    ),
    "not centred": (
        "model nc(mu, tau) {\n  z ~ Normal(0, 1)\n  return mu + tau * z\n}\nx[day, shop] ~ nc(u, exp(w))",
        "x_z[day, shop] ~ Normal(0, 1)\nx[day, shop] = u + exp(w) * x_z",
    ),
    "of models": (
        WALK
        + """model smooth(scale: positive) {
  slope[time] ~ walk(scale)
  x[0] ~ Normal(0, slope.shock)
  for t in time[1:] { x[t] ~ Normal(x[t-1] + slope[t-1], 1) }
  return x
}
x[shop, day] ~ smooth(w)
y[shop, day] ~ Normal(x + x.slope, 1)""",
        """x_slope_shock[shop] ~ HalfNormal(w)
for i in shop {
  x_slope[i, 0] ~ Normal(0, 1)
  for t in day[1:] { x_slope[i, t] ~ Normal(0.9 * x_slope[i, t-1], x_slope_shock[i]) }
  x[i, 0] ~ Normal(0, x_slope_shock[i])
  for t in day[1:] { x[i, t] ~ Normal(x[i, t-1] + x_slope[i, t-1], 1) }
}
y[shop, day] ~ Normal(x + x_slope, 1)""",
    ),
    "returned through two models": (
        "model a(s) {\n  k ~ HalfNormal(s)\n  z ~ Normal(0, k)\n  return z\n}\n"
        "model b(s) {\n  k ~ HalfNormal(s)\n  q ~ a(k)\n  return q\n}\nx[shop] ~ b(w)",
        "x_k[shop] ~ HalfNormal(w)\nx_q_k[shop] ~ HalfNormal(x_k)\nx[shop] ~ Normal(0, x_q_k)",
    ),
    "indices": (
        "model effects(g[i]: index(k), s) {\n  e[k] ~ Normal(0, s)\n  return e[g]\n}\nx[day] ~ effects(of, 2)",
        "x_e[shop] ~ Normal(0, 2)\nx[day] = x_e[of]",
    ),
    "two dims of one kind": (
        "model pairs(a[i], b[j]) {\n  z[i, j] ~ Normal(a + 2 * b, 1)\n  return z\n}\nx[shop, shop'] ~ pairs(w, w)",
        "x[shop, shop'] ~ Normal(w + 2 * w[shop'], 1)",
    ),
    "dims, params, constants, factors": (
        "e = 2\nmodel f(v[i], m: count) {\n  dim k = m\n  param s: positive = 2\n  for n in k { a[n] ~ Normal(n, s) }\n"
        "  factor -sum(v) * e0(a[k[1:]])\n  return sum(a) * v * pi\n}\ndef e0(x): real { return 0.1 * x ^ 2 }\n"
        "x[shop, day] ~ f(y, 2 + 1)",
        "dim k = 3\nparam x_s[shop]: positive = 2\nfor i in shop {\n  for n in k {\n    x_a[i, n] ~ Normal(n, x_s[i])\n  }\n"
        "  factor -sum(y[i, day]) * 0.1 * x_a[i, 1:] ^ 2\n}\nx[shop, day] = sum(x_a, over = k) * y * pi",
    ),
    "vectors and matrices": (
        "model m(mu[k], s: positive) {\n  L[k, k'] ~ LKJCholesky(2)\n  x[g, k] ~ MultivariateNormal(mu, scale_tril = s * L)\n"
        "  return x\n}\nx[shop, day] ~ m(u, 2)",
        "x_L[day, day'] ~ LKJCholesky(2)\ns = 2\nx[shop, day] ~ MultivariateNormal(u, scale_tril = s * x_L)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_pairs(name):
    text, by_hand = PAIRS[name]
    used = {k: v for k, v in DATA.items() if k in ("y", "w", "u", "of")}
    ending = "" if "y[shop, day] ~" in text or "u[day] ~" in text else "\nfactor 0 * sum(x)"
    same_program(DIMS + text + ending, DIMS + by_hand + ending, used, {})


def test_expanded_programs_say_the_same():
    """What `emf ir --stop-after expanded` prints has a statement for each of the models'."""
    text = DIMS + PAIRS["of models"][0]
    program, _ = parse(SourceText(text))
    expanded = expand(program, SourceText(text))
    assert expanded.found == ()
    kept = [s for s in expanded.program.statements if not isinstance(s, ast.Model)]
    assert format_program(ast.Program(tuple(kept))) == expanded_text(SourceText(text))
    assert "x.slope.shock[shop.x] ~ HalfNormal(w[shop.x])" in expanded_text(SourceText(text))


def test_spans_of_a_use_are_its_own():
    source = SourceText(WALK + "dim day\na[day] ~ walk(1)\nb[day] ~ walk(2)\n")
    expanded = expand(parse(source)[0], source)
    spans = [s.span for s in expanded.program.statements if isinstance(s, ast.Random | ast.For)]
    assert len(set(spans)) == len(spans) == 6
    texts = [expanded.source.text[s.start : s.end].split("\n")[0] for s in spans]
    assert texts[:3] == texts[3:] == ["shock ~ HalfNormal(scale)", "x[0] ~ Normal(start, 1)", "for t in time[1:] {"]
    assert {expanded.source.position(s.start)[0] for s in spans} == {3, 4, 5}


def test_models_are_on_the_graph():
    walk = "model walk {\n  x[0] ~ Normal(0, 1)\n  for t in time[1:] { x[t] ~ Normal(x[t-1], 1) }\n}\n"
    graph = compile_text(SourceText(f"dim time\n{walk}"))
    assert [m.name for m in graph.models] == ["walk"]
    assert graph.nodes == ()
