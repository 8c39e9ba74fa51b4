"""What `info` says of programs."""

from __future__ import annotations

import json

import pytest

import emfppl
from emfppl.cli import run
from emfppl.info import info_text

PROGRAM = """
dim state = 3
dim time
dim pair = time * 2
data y[time]: real
data w: positive = 1
param k: positive = 2
P[state, state'] ~ Dirichlet(1)
cap ~ HalfNormal(k)
low: real(0, cap) ~ Normal(0, w)
x[0] ~ Normal(0, 1)
for t in time[1:] {
  m = low * x[t-1]
  x[t] ~ Normal(m, 1)
}
for t in time {
  y[t] ~ Normal(x[t], 1)
}
z[pair] ~ Normal(low, 1)
total = sum(x)
factor -total ^ 2
"""


@pytest.fixture(scope="module")
def facts():
    return emfppl.load(PROGRAM).info()


TEXT, FLAG, NAMES = str, bool, [str]
PLACED = [{"name": TEXT, "dims": NAMES}]
TYPED = [{"name": TEXT, "dims": NAMES, "type": TEXT}]
SCHEMA = {
    "dims": [{"name": TEXT, "size": (TEXT, None)}],
    "data": [{
        "name": TEXT, "dims": NAMES, "type": TEXT, "observed": FLAG, "has_default": FLAG, "missing": (TEXT, None),
        "distribution?": NAMES, "parents?": NAMES,
    }],
    "params": [{"name": TEXT, "dims": NAMES, "type": TEXT}],
    "latents": [{
        "name": TEXT, "dims": NAMES, "type": TEXT, "distribution": NAMES, "support": NAMES, "parents": NAMES,
        "gate": ({"mode": TEXT, "init?": float}, None), "in_guide": FLAG, "summed_out": (TEXT, None),
    }],
    "computed": [{"name": TEXT, "dims": NAMES, "type": TEXT, "parents": NAMES}],
    "factors": int,
    "loops": [{"loop": TEXT, "dim": TEXT, "vectorised": NAMES, "scanned": NAMES, "affine": NAMES}],
    "models": [{"name": TEXT, "arguments": NAMES}],
    "guide": (TEXT, None),
    "gaussian": ({"latents": NAMES, "given": NAMES, "exact": NAMES, "others": int}, None),
    "densities": [{
        "name": TEXT, "dims": [{"name": TEXT, "size": (TEXT, None)}], "event": TYPED, "conditioned_on": TYPED, "data": TYPED,
        "layers": [{"kind": TEXT, "options": dict, "draws?": PLACED, "params?": PLACED}],
    }],
}  # fmt: skip


def obeys(value, schema) -> bool:
    """Whether plain data have the form that docs/cli.md gives: keys with ``?`` may be missing, others are as listed."""
    if isinstance(schema, tuple):
        return any(value is None if one is None else obeys(value, one) for one in schema)
    if isinstance(schema, list):
        return isinstance(value, list) and all(obeys(v, schema[0]) for v in value)
    if isinstance(schema, dict):
        known = {key.rstrip("?"): one for key, one in schema.items()}
        needed = {key for key in schema if not key.endswith("?")}
        return isinstance(value, dict) and needed <= set(value) <= set(known) and all(obeys(v, known[k]) for k, v in value.items())
    return isinstance(value, schema)


HIDDEN = """
dim state = 2
dim time
data y[time]: real?
data x[time]: real?
data k[time]: count?
P[state, state'] ~ Dirichlet(1)
start[state] ~ Dirichlet(1)
z[0] ~ Categorical(start)
for t in time[1:] {
  z[t] ~ Categorical(P[z[t-1]])
}
m[state] ~ Normal(0, 1)
b ~ Normal(0, 1)
x[time] ~ Normal(0, 1)
k[time] ~ Poisson(exp(b))
y[time] ~ Normal(m[z] + b * x, 1)
guide {
  gate m: per_variable, init = 0.9
  gate b: off
}
"""


DENSITY = """
dim time
data level: real
data width: positive
model around {
  param s: positive = 1
  x[time] ~ Normal(level, s * width)
}
density d {
  conditioned_on level
  maf(hidden = [8])
  structured(around, gated = true)
}
"""


@pytest.mark.parametrize("text", [PROGRAM, HIDDEN, DENSITY], ids=["everything", "hidden states", "a density estimator"])
def test_the_json_has_its_documented_form(text, tmp_path, capsys):
    path = tmp_path / "model.emf"
    path.write_text(text)
    assert run(["info", str(path), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert obeys(printed, SCHEMA)
    assert printed == json.loads(json.dumps(emfppl.load(path).info()))
    assert not obeys({**printed, "more": 1}, SCHEMA) and not obeys({**printed, "dims": [{"name": 1}]}, SCHEMA)


def test_hidden_states_and_missing_entries():
    facts = emfppl.load(HIDDEN).info()
    assert {d["name"]: d["missing"] for d in facts["data"]} == {
        "y": "left out of the likelihood", "x": "latents", "k": "left out of the likelihood",
    }  # fmt: skip
    z = latent(facts, "z")
    assert (z["type"], z["support"], z["in_guide"]) == ("index(state)", ["index(state)"], False)
    assert z["summed_out"] == "forward algorithm along time"
    assert latent(facts, "m")["gate"] == {"mode": "per_variable", "init": 0.9}
    lines = info_text(facts)
    assert "missing entries: latents" in lines and "summed out: forward algorithm along time" in lines


def latent(facts, name):
    return next(entry for entry in facts["latents"] if entry["name"] == name)


def test_dims_data_and_params(facts):
    assert [d["size"] for d in facts["dims"]] == ["3", None, "2 * time"]
    y, w = facts["data"]
    assert y["observed"] and y["distribution"] == ["Normal(x[t], 1)"] and y["parents"] == ["x"]
    assert w["has_default"] and not w["observed"] and w["type"] == "positive"
    assert facts["params"] == [{"name": "k", "dims": [], "type": "positive"}]


def test_latents(facts):
    assert latent(facts, "P")["support"] == ["simplex"] and latent(facts, "P")["dims"] == ["state", "state'"]
    assert latent(facts, "cap")["support"] == ["positive"]
    assert latent(facts, "low")["support"] == ["real(0, cap)"]
    assert latent(facts, "low")["parents"] == ["w", "cap"]
    assert latent(facts, "x")["parents"] == ["low", "x"]
    assert latent(facts, "x")["distribution"] == ["Normal(0, 1)", "Normal(m, 1)"]
    assert [e["name"] for e in facts["latents"] if not e["in_guide"]] == ["P", "z"]


def test_loops_and_factors(facts):
    scanned = {loop["loop"]: loop["scanned"] for loop in facts["loops"]}
    assert scanned == {"t in time[1:]": ["m", "x"], "t in time": []}
    assert facts["loops"][1]["vectorised"] == ["y"]
    assert facts["factors"] == 1
    assert facts["computed"] == [{"name": "total", "dims": [], "type": "real", "parents": ["x"]}]


def test_the_text_has_a_line_an_entry(facts):
    lines = info_text(facts).splitlines()
    assert [line.split()[0] for line in lines] == (
        ["dim"] * 3 + ["data"] * 2 + ["param"] + ["latent"] * 5 + ["computed", "factor", "loop", "loop", "gaussian"]
    )
    assert "drawn forward" in next(line for line in lines if " z[pair]" in line)


def test_sub_models():
    """Those of the program's own file; what they draw under names with a dot, without values of arguments and ``_`` names."""
    text = (
        'import "std/time_series"\nmodel noise(scale: positive, about = 0) {\n  _twice = 2 * scale\n  s ~ HalfNormal(_twice)\n'
        "  x ~ Normal(about, s)\n  return x\n}\ndim day\ndim lag = 2\nphi[lag] ~ Normal(0, 1)\na ~ noise(exp(phi[0]))\n"
        "z[day] ~ ar(phi, a.s)\n"
    )
    about = emfppl.load(text).info()
    assert about["models"] == [{"name": "noise", "arguments": ["scale", "about"]}]
    assert [v["name"] for v in about["latents"]] == ["phi", "a.s", "a", "z.before", "z"]
    assert about["computed"] == []
    draws = emfppl.load(text).sample_prior(3, sizes={"day": 4})
    assert {k: v.shape for k, v in draws.items()} == {
        "phi": (3, 2), "a.s": (3,), "a": (3,), "z.before": (3, 2), "z": (3, 4),
    }  # fmt: skip


def test_gaussian_blocks():
    program = "data y: real\ndata n: count\ns ~ HalfNormal(1)\nm ~ Normal(0, 1)\ny ~ Normal(m, s)\nn ~ Poisson(exp(m))\n"
    facts = emfppl.load(program).info()
    assert facts["gaussian"] == {"latents": ["m"], "given": ["s"], "exact": ["y"], "others": 1}
    assert "gaussian  m  jointly, given s; y exactly; 1 other statements approximately" in info_text(facts)
    assert emfppl.load("y ~ Normal(0, 1)\n").info()["gaussian"] is None
