"""Density estimators as users have them: training, the flow, its file, the command line, and what is told of bad samples."""

from __future__ import annotations

import json

import numpy as np
import pytest

import emfppl as emf
from emfppl import EmfError
from emfppl.cli import run

T, S = 6, 0.5
PLAIN = """
dim time
model walk {
  param s: positive = 1
  x[0] ~ Normal(0, 1)
  for t in time[1:] { x[t] ~ Normal(x[t-1], s) }
}
density plain {
  data x[time]: real
  structured(walk, gated = false)
}
density gated {
  data x[time]: real
  maf(hidden = [8])
  structured(walk)
}
density mixed {
  data x[time]: real
  permute
  maf(hidden = [8])
}
"""
RINGS = """
dim k = 2
data c[k]: real
density rings {
  data x: real
  data y: positive
  conditioned_on c
  affine
  maf(hidden = [8])
}
density counts {
  data n[k]: count
  maf(hidden = [8])
  dequantize
}
"""


def walks(count=600, seed=0):
    steps = np.random.default_rng(seed).normal(size=(count, T)) * np.r_[1, np.full(T - 1, S)]
    return np.cumsum(steps, axis=1)


def trained(name, text=PLAIN, x=None, **how):
    return emf.load(text).density(name).fit(walks() if x is None else x, budget="quick", progress=False, **how)


@pytest.fixture(scope="module")
def plain():
    return trained("plain")


@pytest.fixture(scope="module")
def gated():
    return trained("gated")


@pytest.fixture(scope="module")
def rings():
    rng = np.random.default_rng(0)
    c = rng.normal(size=(500, 2))
    x, y = rng.normal(size=500) + 3 * c[:, 0], np.exp(0.3 * rng.normal(size=500) + c[:, 1])
    return trained("rings", RINGS, {"x": x, "y": y, "c": c})


# ---------------------------------------------------------------- what is learned


def test_the_params_of_a_model_are_learned(plain):
    """The standard error of s is s/√(2·540·5) = .007."""
    assert plain.params["s"] == pytest.approx(S, abs=0.03) and plain.num_params == 1
    x = walks(2000, seed=1)
    truth = -0.5 * np.log(2 * np.pi) * T - 0.5 * x[:, 0] ** 2 - ((np.diff(x) / S) ** 2).sum(axis=1) / 2 - (T - 1) * np.log(S)
    lost = truth - plain.log_prob(x)
    assert abs(lost.mean()) < 0.02
    assert plain.bits_per_dim(x) == pytest.approx(-plain.log_prob(x).mean() / np.log(2) / T)


def test_params_say_something_of_the_samples_whatever_flow_is_below(gated):
    """The flow below could take their place."""
    assert gated.params["s"] == pytest.approx(S, abs=0.1)


def test_layers_of_one_line_are_told_apart(gated):
    text = PLAIN.replace("maf(hidden = [8])", "maf(hidden = [8], layers = 2)")
    shown = str(trained("mixed", text)).splitlines()
    assert [line.split("  ")[1] for line in shown[3:7]] == ["permute", "maf(hidden = [8])", "reverse", "maf(hidden = [8])"]


def test_samples_are_walks(plain):
    x = plain.sample(4000, seed=3)
    assert x.shape == (4000, T)
    np.testing.assert_allclose(np.diff(x).std(axis=0), S, rtol=0.1)
    assert np.array_equal(plain.sample(10, seed=3), plain.sample(10, seed=3))
    assert not np.array_equal(plain.sample(10, seed=3), plain.sample(10, seed=4))


def test_series_of_another_length_are_told_of_as_such(plain):
    with pytest.raises(EmfError) as told:
        plain.log_prob(walks(3)[:, :-2])
    message = str(told.value)
    assert f"`time` has size {T} in the samples that were trained on, but {T - 2} in `x`" in message and "sizes`" not in message


def test_noise_and_samples_are_each_other(gated):
    x = walks(20, seed=2)
    noise = gated.to_noise(x)
    assert noise.shape == (20, T)
    np.testing.assert_allclose(gated.from_noise(noise), x, atol=1e-4)
    np.testing.assert_allclose(gated.to_noise(x[0]), noise[0], atol=1e-5)
    assert gated.log_prob(x[0]) == pytest.approx(gated.log_prob(x)[0], abs=1e-4)


def test_gates_are_told_by_variable(gated, plain):
    assert gated.gates()["x"].shape == (T,) and np.all((gated.gates()["x"] > 0) & (gated.gates()["x"] < 1))
    assert np.all(plain.gates()["x"] == 1)
    shown = str(gated)
    assert "structured(walk)" in shown and "maf(hidden = [8])" in shown and gated.verdict in shown
    assert f"{gated.num_params:,} parameters" in shown and "held-out log density" in shown


def test_a_model_that_is_wrong_is_shut():
    """Independent numbers, which are no walk: the gates are shut, and samples held out as likely as under the truth, but for what
    148 parameters cost with 1,350 samples."""
    x = np.random.default_rng(0).normal(size=(1500, T))
    flow = trained("gated", x=x)
    shown = str(flow)
    assert not np.any(flow.gates()["x"]) and "shut: samples held out are as likely without it" in shown and "s = " not in shown
    fresh = np.random.default_rng(1).normal(size=(5000, T))
    lost = -0.5 * np.sum(fresh**2, axis=1) - 0.5 * T * np.log(2 * np.pi) - flow.log_prob(fresh)
    assert lost.mean() < 0.1


def test_what_is_given_counts(rings):
    drawn = rings.sample(2000, given={"c": [1.0, 0.5]})
    assert set(drawn) == {"x", "y"} and np.all(drawn["y"] > 0)
    assert drawn["x"].mean() == pytest.approx(3, abs=0.5) and np.log(drawn["y"]).mean() == pytest.approx(0.5, abs=0.3)
    each = rings.sample(2, given={"c": [[0.0, 0.0], [5.0, 0.0]]})
    assert each["x"][1] > each["x"][0] + 5
    with pytest.raises(EmfError, match="E1001"):
        rings.sample(10)
    with pytest.raises(EmfError, match="given for 3 samples"):
        rings.sample(10, given={"c": np.zeros((3, 2))})


def test_coordinates_that_are_held(gated):
    """The rest of a walk given its beginning: it goes on from the last value."""
    drawn = gated.condition({0: 0.0, 1: 1.0, 2: 2.0}, 4000, seed=1)
    np.testing.assert_array_equal(drawn[:, :3], np.tile([0.0, 1.0, 2.0], (4000, 1)))
    assert drawn[:, 3].mean() == pytest.approx(2, abs=0.2) and drawn[:, 3].std() == pytest.approx(S, abs=0.1)
    template = np.full(T, np.nan)
    template[:3] = [0, 1, 2]
    assert np.array_equal(gated.condition(template, 5, seed=2), gated.condition({"x": template}, 5, seed=2))
    with pytest.raises(EmfError, match="E1525") as caught:
        gated.condition({T - 1: 0.0})
    assert "maf" in str(caught.value)
    with pytest.raises(EmfError, match="leave some"):
        gated.condition(np.zeros(T))
    with pytest.raises(EmfError, match="does not fit"):
        gated.condition({17: 0.0})


def test_counts_come_as_whole_numbers():
    n = np.random.default_rng(0).poisson(4, size=(300, 2))
    flow = trained("counts", RINGS, n)
    drawn = flow.sample(1000)
    assert np.array_equal(drawn, np.floor(drawn)) and drawn.min() >= 0 and drawn.mean() == pytest.approx(4, abs=0.7)
    assert flow.log_prob(n, seed=1)[0] != flow.log_prob(n, seed=2)[0]
    with pytest.raises(EmfError, match="dequantize"):
        flow.condition({0: 3})


# ---------------------------------------------------------------- files and commands


@pytest.mark.parametrize("kind", ["gated", "rings"])
def test_a_flow_is_opened_as_it_was(kind, request, tmp_path):
    flow = request.getfixturevalue(kind)
    flow.save(tmp_path / "flow.emfit")
    again = emf.open(tmp_path / "flow.emfit")
    given = {"c": [0.5, -1.0]} if kind == "rings" else None
    one, other = flow.sample(20, given), again.sample(20, given)
    assert str(again) == str(flow) and again.held_out == flow.held_out
    for a, b in zip([one] if kind == "gated" else one.values(), [other] if kind == "gated" else other.values(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_command_line_goes_all_the_way(tmp_path, capsys):
    program, data, flow, out = (tmp_path / n for n in ("m.emf", "x.npz", "f.emfit", "y.npz"))
    program.write_text(PLAIN)
    np.savez(data, x=walks(300))
    how = ["--density", "plain", "--budget", "quick", "--no-cache"]
    assert run(["fit", str(program), *how, "--data", str(data), "-o", str(flow), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["density"] == "plain" and told["params"]["walk"]["s"] == pytest.approx(S, abs=0.05)
    assert run(["sample", str(flow), "-n", "7", "--seed", "1", "-o", str(out)]) == 0
    opened = emf.open(flow)
    np.testing.assert_array_equal(np.load(out)["x"], opened.sample(7, seed=1))
    assert run(["sample", str(flow), "-n", "2"]) == 0
    assert np.shape(json.loads(capsys.readouterr().out)["x"]) == (2, T)
    assert run(["score", str(flow), "--data", str(data), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["log_density"] == pytest.approx(opened.log_prob(walks(300)).mean())
    assert run(["score", str(flow), "--data", str(data)]) == 0
    assert "bits per dimension" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["fit", "{m}", "--density", "plane", "--data", "{x}"], 1, "did you mean `plain`?"),
        (["fit", "{m}", "--density", "plain"], 2, "--data"),
        (["fit", "{m}", "--density", "plain", "--data", "{x}", "--guide", "gated"], 2, "--guide is for"),
        (["fit", "{m}", "--seeds", "2", "--data", "{x}"], 2, "--density NAME"),
        (["fit", "{m}", "--density", "plain", "--data", "{x}", "--validation", "2"], 1, "between 0 and 1"),
        (["sample", "{x}"], 1, "E1207"),
        (["sample", "{x}", "-o", "samples.xls"], 1, "E1203"),
        (["score", "{x}"], 2, "--data"),
    ],
)
def test_wrong_commands_are_told(arguments, status, said, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.emf").write_text(PLAIN)
    np.savez(tmp_path / "x.npz", x=walks(50))
    assert run([a.format(m="m.emf", x="x.npz") for a in arguments]) == status
    assert said in " ".join(capsys.readouterr().err.split())


def test_interruption_keeps_the_best(monkeypatch):
    from emfppl.runtime.density import fit_density

    plan = fit_density.plan_for

    class Stopped(fit_density.Trainer):
        def _trials(self):
            super()._trials()
            raise KeyboardInterrupt

    monkeypatch.setattr(fit_density, "Trainer", Stopped)
    monkeypatch.setattr(fit_density, "plan_for", plan)
    flow = trained("plain")
    assert flow.interrupted and "interrupted after" in flow.verdict and "best so far" in str(flow)
    assert np.all(np.isfinite(flow.log_prob(walks(5))))


# ---------------------------------------------------------------- bad samples


X = walks(20)


def with_(place, value):
    x = X.copy()
    x[place] = value
    return x


@pytest.mark.parametrize(
    ("name", "x", "codes"),
    [
        ("plain", X[0], {"E1003"}),
        ("plain", X[:, :, None], {"E1003"}),
        ("plain", with_((3, 2), np.nan), {"E1009"}),
        ("plain", with_((3, 2), np.inf), {"E1009"}),
        ("plain", X[:5], {"E1523"}),
        ("plain", {"z": X}, {"E1001", "E1002"}),
        ("plain", "nowhere.npz", {"E1201"}),
        ("plain", X[:, :1] * [[]], {"E1011"}),
        ("rings", X, {"E1015"}),
        ("rings", {"x": X[:, 0], "y": -np.exp(X[:, 1]), "c": X[:9, :2]}, {"E1007", "E1004"}),
        ("rings", {"x": X[:, 0], "y": np.exp(X[:, 1])}, {"E1001"}),
        ("rings", {"x": X[:, 0], "y": with_((0, 0), 0)[:, 0] * 0 + 1, "c": X}, {"E1004"}),
        ("counts", X[:, :2], {"E1006"}),
        ("counts", -np.ones((20, 2), int), {"E1007"}),
    ],
)
def test_all_that_is_wrong_with_samples_is_told(name, x, codes):
    density = emf.load(PLAIN if name == "plain" else RINGS).density(name)
    assert {d.code for d in density.check(x)} == codes
    with pytest.raises(EmfError):
        density.fit(x, progress=False)


def test_samples_on_the_edge_of_their_type():
    density = emf.load("density d {\n  data x: nonnegative\n  affine\n}\n").density()
    (found,) = density.check(np.r_[0.0, 1:20, 0.0])
    assert found.code == "E1522" and "`x[0]` is 0" in found.message and "1 more entry" in found.message


def test_frames_of_columns():
    import pandas

    one = pandas.DataFrame(X, columns=["mo", "tu", "we", "th", "fr", "sa"])
    flow = trained("plain", x=one)
    assert flow.binding.labels("time") == tuple(one.columns)
    assert flow.log_prob(one).shape == (20,)
    several = pandas.DataFrame({"x": X[:, 0], "y": np.exp(X[:, 1]), "else": 1})
    density = emf.load(RINGS).density("rings")
    assert density.check(several, {"c": X[:, :2]}) == []


def test_names_of_densities():
    with pytest.raises(EmfError, match="E1521.*\n.*`plain`, `gated` and `mixed`"):
        emf.load(PLAIN).density()
    with pytest.raises(EmfError, match="E1521"):
        emf.load("x ~ Normal(0, 1)\n").density("plain")
    assert repr(emf.load(PLAIN).density("plain")) == "<emfppl.Density plain of x[time]: structured>"


def test_wrong_arguments_are_told():
    density = emf.load(PLAIN).density("plain")
    for how in ({"seed": -1}, {"seeds": 0}, {"validation": 1.0}, {"precision": "half"}, {"budget": "none"}, {"sizes": 3}):
        with pytest.raises(EmfError):
            density.fit(X, progress=False, **how)


def test_a_density_that_is_not_finite_is_told():
    text = PLAIN.replace("Normal(x[t-1], s)", "Normal(x[t-1] + sqrt(-1 - s), s)")
    with pytest.raises(EmfError, match="E1524"):
        trained("plain", text)


# ---------------------------------------------------------------- the figure


def test_figures(plain, rings, tmp_path):
    pytest.importorskip("matplotlib")
    plain.plot(num_samples=50).savefig(tmp_path / "series.png")
    assert [ax.get_title() for ax in plain.plot(num_samples=50).axes] == ["data", "samples", "5 %, 50 % and 95 %"]
    figure = rings.plot(num_samples=50)
    assert [ax.get_xlabel() for ax in figure.axes] == ["x", "x", "x", "y"]
    again = rings.plot({"x": [0.0] * 20, "y": [1.0] * 20}, 50, given={"c": np.zeros((20, 2))})
    assert len(again.axes) == 4
