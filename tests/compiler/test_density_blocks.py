"""Density blocks: what the graph tells of them, what they share with the program of the file, and how they are shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emfppl import EmfError, check, fit, load
from emfppl.compiler.ast_to_checked.density_layers import LAYERS
from emfppl.compiler.expressions import Kind
from emfppl.compiler.graph import DensitySpec, Graph, Integers, Interval, LayerSpec, Role, Structured
from emfppl.compiler.graph_to_dot import to_dot, to_mermaid
from emfppl.compiler.pipeline import check_text, compile_text, stage_text
from emfppl.compiler.verify import BadGraph, verify
from emfppl.grammar.ast_to_text import format_program
from emfppl.grammar.source import SourceText
from emfppl.grammar.text_to_ast import parse

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples/density").glob("*.emf"))
BODY = """\
  param s: positive = 1
  x[0] ~ Normal(0, 1)
  for t in time[1:] {
    x[t] ~ Normal(x[t-1], s)
  }
"""
WALK = f"dim time\nmodel walk {{\n{BODY}}}\n"


def graph_of(text: str) -> Graph:
    return compile_text(SourceText(text))


def density(text: str) -> DensitySpec:
    return graph_of(text).densities[0]


def codes(text: str) -> list[str]:
    return [d.code for d in check_text(SourceText(text))]


# ---------------------------------------------------------------- layers


def test_layers_and_their_options():
    found = density(WALK + "density d {\n  coupling([8, 4], bins = 2 * 4)\n  structured(model = walk, gated = false)\n}\n").layers
    assert found[0] == LayerSpec("coupling", (("hidden", (8, 4)), ("bins", 8)))
    assert (found[1].kind, found[1].options) == ("structured", (("model", "walk"), ("gated", False)))


@pytest.mark.parametrize("layer", [name for name, options in LAYERS.items() if "layers" in options])
def test_a_layer_of_several_has_the_order_reversed_in_between(layer):
    short = density(f"dim k\ndensity d {{\n  data x[k]: real\n  {layer}(hidden = [4], layers = 3)\n}}\n").layers
    line = f"  {layer}(hidden = [4])\n"
    assert short == density(f"dim k\ndensity d {{\n  data x[k]: real\n{line}  reverse\n{line}  reverse\n{line}}}\n").layers


def test_the_model_of_a_layer_is_the_program_that_its_body_is():
    model = density(WALK + "density d {\n  structured(walk)\n}\n").layers[0].model
    alone = graph_of("dim time\n" + BODY)
    assert model is not None
    assert model == replace(alone, barren=frozenset())


def test_arguments_of_a_model_are_values_in_front_of_its_body():
    head = "dim time\ndata drift[time]: real\ndata s: positive\n"
    model = "model m(scale: positive, d[time]: real, start: real = 3) {\n  x[time] ~ Normal(start + d, scale)\n  return x\n}\n"
    layer = density(head + model + "density d {\n  structured(m(s ^ 2, d = drift))\n}\n").layers[0].model
    same = graph_of(head + "a = s ^ 2\nb[time] = drift\nc: real = 3\nx[time] ~ Normal(c + b, a)\n")
    assert layer is not None
    assert [(v.name, v.local) for v in layer.of_role(Role.COMPUTED)] == [("scale@", True), ("d@", True), ("start@", True)]
    assert str(layer.nodes) == _renamed(str(same.nodes), {"'a'": "'scale@'", "'b'": "'d@'", "'c'": "'start@'"})


def _renamed(text: str, names: dict[str, str]) -> str:
    for old, new in names.items():
        text = text.replace(old, new)
    return text


def test_a_value_may_have_the_name_of_another_argument():
    head = "dim k\ndata a: real\ndata b: positive\nmodel m(b: real, a: positive) {\n  x[k] ~ Normal(b, a)\n  return x\n}\n"
    model = density(head + "density d {\n  structured(m(a, b))\n}\n").layers[0].model
    assert model is not None and {v.name for v in model.of_role(Role.DATA)} == {"a", "b"}
    assert codes(head + "density d {\n  structured(m(a, b))\n}\n") == []


# ---------------------------------------------------------------- the event


@pytest.mark.parametrize(
    ("kind", "support"),
    [("real", "Normal(0, 1)"), ("positive", "Gamma(1, 1)"), ("unit", "Beta(1, 1)"), ("circular", "VonMises(0, 1)"),
     ("real(lower = 2, upper = 3)", "Uniform(2, 3)")],
)  # fmt: skip
def test_without_data_lines_the_event_is_what_the_last_model_draws(kind, support):
    made = density(f"dim k\nmodel m {{\n  z ~ Normal(0, 1)\n  x[k] ~ {support}\n}}\ndensity d {{\n  affine\n  structured(m)\n}}\n")
    said = density(f"dim k\ndensity d {{\n  data z: real\n  data x[k]: {kind}\n  affine\n}}\n")
    shown = [(v.name, v.role, v.dims, v.kind, v.type_text) for v in made.variables]
    assert shown == [(v.name, v.role, v.dims, v.kind, v.type_text) for v in said.variables]
    bounds = [(v.support.lower, v.support.upper) for v in (made.variables[1], said.variables[1]) if isinstance(v.support, Interval)]
    assert [[getattr(b, "value", None) for b in pair] for pair in bounds][0] == [getattr(b, "value", None) for b in bounds[1]]


def test_types_of_the_event():
    found = density("dim k\ndensity d {\n  data n[k]: int(0, 9)\n  data o[k]: ordered\n  affine\n  dequantize\n}\n").variables
    assert [(v.kind, type(v.support), v.role) for v in found] == [
        (Kind.INT, Integers, Role.OBSERVED), (Kind.REAL, Structured, Role.OBSERVED)
    ]  # fmt: skip


def test_a_dim_may_be_a_model_s_own():
    found = density("model m {\n  dim side = 2\n  x[side] ~ Normal(0, 1)\n}\ndensity d {\n  structured(m)\n}\n")
    assert [(d.name, str(d.size)) for d in found.dims] == [("side", "2")]


def test_dims_and_data_are_those_of_the_density():
    text = """\
dim time = n
dim site
dim other = m
data n: count
data m: count
data c: index(site)
data w[time]: real
data unrelated[other]: real
z[other] ~ Normal(unrelated, 1)
model walk {
  x[time] ~ Normal(w, 1)
}
density d {
  data x[time]: real
  conditioned_on c
  structured(walk)
}
"""
    found = density(text)
    assert [d.name for d in found.dims] == ["time", "site"]
    assert ([v.name for v in found.data], found.given) == (["n", "c", "w"], ("c",))


# ---------------------------------------------------------------- beside a program

PROGRAM = "dim obs\ndata y[obs]: real\nmu ~ Normal(0, 1)\ny[obs] ~ Normal(mu, 1)\n"
BLOCK = """\
data level: real
g = 2 * 3
def twice(a: real): real { return 2 * a }
param drift: real
model walk {
  x[time] ~ Normal(twice(level) + drift, g)
}
density d {
  data x[time]: real
  conditioned_on level
  structured(walk)
}
"""


def test_the_program_is_what_it_would_be_without_the_density():
    whole = graph_of(PROGRAM + "dim time\n" + BLOCK)
    assert replace(whole, densities=()) == graph_of(PROGRAM)
    assert codes(PROGRAM + "dim time\n" + BLOCK) == []
    model = whole.densities[0].layers[0].model
    assert model is not None and [v.name for v in model.variables if v.role is not Role.LATENT] == ["level", "drift", "g"]


def test_what_program_and_density_share_stays_in_both():
    shared = "dim time\ndata level: real\nmodel m {\n  x[time] ~ Normal(level, 1)\n}\ndensity d {\n  structured(m)\n}\n"
    whole = graph_of(shared + "mu ~ Normal(level, 1)\ny[time] ~ Normal(mu, 1)\n")
    assert {v.name for v in whole.variables} == {"level", "mu", "y"} and [d.name for d in whole.dims] == ["time"]


def test_what_nothing_uses_is_told():
    extra = "dim lost\ndata unused: real\nmodel idle {\n  a ~ Normal(0, 1)\n  return a\n}\n"
    assert codes(PROGRAM + extra + "dim time\n" + BLOCK) == ["W0101", "W0102", "W0110"]


def test_models_that_no_density_leads_to_are_told():
    idle = "model idle {\n  a ~ inner(1)\n}\nmodel inner(s: positive) {\n  b ~ Normal(0, s)\n  return b\n}\n"
    assert codes(WALK + idle + "density d {\n  structured(walk)\n}\n") == ["W0110", "W0110"]
    assert codes("dim k\nmodel one {\n  x[k] ~ two(1)\n}\n" + idle.replace("inner", "two").replace("idle", "three")
                 + "density d {\n  structured(one)\n}\n") == ["W0110"]  # fmt: skip


@pytest.mark.parametrize(
    ("draws", "event", "fits"),
    [
        ("x[a, b] ~ Normal(0, 1)", "data x[a]: real\ndata y[b]: real", True),  # a b = a + b may be
        ("x[c] ~ Normal(0, 1)", "data x[a]: real\ndata y[b]: real", True),
        ("x[c] ~ Normal(0, 1)\n  z ~ Normal(0, 1)", "data x[a]: real\ndata y[b]: real", False),
        ("x[a] ~ Normal(0, 1)", "data y[b]: real", True),  # may be as long
        ("x[six] ~ Normal(0, 1)", "data y[six]: real\ndata z: real", False),
        ("x[six] ~ Normal(0, 1)", "data y[two, three]: real", True),
        ("dim own = 6\n  x[own] ~ Normal(0, 1)", "data y[two, three]: real", True),
        ("dim own = 5\n  x[own] ~ Normal(0, 1)", "data y[two, three]: real", False),
    ],
)
def test_models_draw_as_many_numbers_as_a_sample_has(draws, event, fits):
    dims = "dim a\ndim b\ndim c = a + b\ndim two = 2\ndim three = 3\ndim six = 6\n"
    found = codes(f"{dims}model m {{\n  {draws}\n}}\ndensity d {{\n{event}\nstructured(m)\n}}\n")
    assert ("E1504" in found) != fits


def test_a_comment_silences_a_warning_of_a_model():
    model = "dim k\nmodel m {\n  z ~ Normal(0, 1)\n  x[k] ~ Normal(0, z)%s\n}\ndensity d {\n  structured(m)\n}\n"
    assert codes(model % "") == ["W0105"]
    assert codes(model % "  # emf: ok W0105") == []


def test_only_densities_can_not_be_fitted(tmp_path):
    with pytest.raises(EmfError) as caught:
        fit(WALK + "density walks {\n  structured(walk)\n}\n", {"x": [1.0, 2.0]})
    assert [d.code for d in caught.value.diagnostics] == ["E1509"]
    assert '.density("walks")' in str(caught.value)
    assert repr(load(WALK + "density walks {\n  structured(walk)\n}\n")).endswith(": 1 densities>")


# ---------------------------------------------------------------- models of other files


def test_models_of_imported_files(tmp_path):
    step = "model step(s: positive) {\n  z ~ Normal(0, s)\n  return z\n}\n"
    (tmp_path / "walks.emf").write_text("model walk {\n  x[time] ~ step(1)\n}\n" + step)
    block = "density d {\n  data x[time]: real\n  structured(%swalk)\n}\n"
    for head, prefix in (('import "walks.emf"\n', ""), ('import "walks.emf" as w\n', "w.")):
        path = tmp_path / "main.emf"
        path.write_text(head + "dim time\n" + block % prefix)
        assert check(path) == []
        model = load(path)._graph.densities[0].layers[0].model
        assert model is not None and [v.name for v in model.of_role(Role.LATENT)] == ["x"]


def test_densities_are_not_imported(tmp_path):
    (tmp_path / "walks.emf").write_text(WALK + "density d {\n  structured(walk)\n}\n")
    (tmp_path / "main.emf").write_text('import "walks.emf"\n')
    assert "E0903" in [d.code for d in check(tmp_path / "main.emf")]


# ---------------------------------------------------------------- how they are shown


@pytest.mark.parametrize("path", EXAMPLES, ids=[p.stem for p in EXAMPLES])
def test_examples(path):
    source = SourceText(path.read_text(), path.name)
    assert check_text(source) == ()
    assert format_program(parse(source)[0]) == source.text
    graph = compile_text(source)
    assert not graph.nodes and graph.densities
    assert compile_text(SourceText(stage_text(source, "expanded"))).densities == graph.densities


def test_stages_tell_of_layers():
    lines = stage_text(SourceText(WALK + "density d {\n  maf(hidden = [8])\n  structured(walk)\n}\n"), "passes").splitlines()
    assert lines[:5] == ["density d", "  dim time", "  event x[time]: real", "  maf(hidden = [8])", "  structured(walk)"]
    assert lines[-1].split() == ["x[t]", "~", "Normal(x[t-1],", "s)", "t", "in", "time[1:]", "carried", "1,", "affine"]


def test_info():
    facts = load(WALK + "data c: real\ndensity d {\n  conditioned_on c\n  structured(walk, gated = true)\n}\n").info()["densities"]
    assert facts == json.loads(json.dumps(facts))
    (one,) = facts
    assert one["event"] == [{"name": "x", "dims": ["time"], "type": "real"}]
    assert one["conditioned_on"] == [{"name": "c", "dims": [], "type": "real"}]
    assert one["layers"][0]["draws"] == [{"name": "x", "dims": ["time"]}]
    assert one["layers"][0]["params"] == [{"name": "s", "dims": []}]


def test_drawings_lead_from_noise_to_the_event():
    text = WALK + "data c: real\ndensity d {\n  conditioned_on c\n  maf(hidden = [8])\n  structured(walk)\n}\n"
    drawn = to_mermaid(graph_of(text))
    ids = {name: drawn.split(f'"{name}')[0].split()[-1].rstrip("([") for name in ("noise", "maf", "structured", "x", "c")}
    for a, b in (("noise", "maf"), ("maf", "structured"), ("structured", "x"), ("c", "maf")):
        assert f"{ids[a]} --> {ids[b]}" in drawn
    assert f"{ids['c']} --> {ids['structured']}" not in drawn  # that model does not read it
    assert '"density d: layer 0" -> "density d: layer 1"' in to_dot(graph_of(text))


# ---------------------------------------------------------------- broken graphs


@pytest.mark.parametrize(
    "change",
    [
        lambda d: replace(d, dims=()),
        lambda d: replace(d, layers=()),
        lambda d: replace(d, variables=()),
        lambda d: replace(d, given=("nothing",)),
        lambda d: replace(d, layers=(replace(d.layers[0], model=None),)),
        lambda d: replace(d, layers=(replace(d.layers[0], kind="maf"),)),
        lambda d: replace(d, layers=(replace(d.layers[0], model=graph_of("dim k\n")),)),
    ],
)
def test_broken_densities_are_refused(change):
    graph = graph_of(WALK + "density d {\n  structured(walk)\n}\n")
    verify(graph)
    with pytest.raises(BadGraph):
        verify(replace(graph, densities=(change(graph.densities[0]),)))


lines = st.lists(st.sampled_from([f"  {name}" for name in LAYERS if name not in ("structured", "dequantize")]), min_size=1)


@settings(max_examples=50, deadline=None)
@given(lines)
def test_any_layers_in_any_order(body):
    text = "dim k\ndensity d {\n  data x[k]: real\n" + "\n".join(body) + "\n}\n"
    assert [layer.kind for layer in density(text).layers] == [line.strip() for line in body]
