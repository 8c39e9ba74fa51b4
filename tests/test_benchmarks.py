"""The parts of the benchmarks that need no fit: exact evidences, how draws are judged, rows that are kept."""

from __future__ import annotations

import json
from threading import Lock
from time import sleep

import numpy as np
import pytest
from numpyro.infer.util import log_density
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

import emfppl
from benchmarks import asvi, exact, gaps, peers, posteriordb, rows, scaling
from benchmarks.agreement import EXAMPLES, PAPER, paper
from emfppl.runtime.precision import precision
from emfppl.runtime.report import Attempt

SCHOOLS = {k: np.array(v, float) for k, v in json.loads((EXAMPLES / "eight_schools.json").read_text()).items()}
TASKS = {t.name: t for t in paper()}


@pytest.mark.parametrize(("prior", "known"), [((5, 0, 5), -31.2612), ((10, 5, 1), -36.1308)])
def test_the_evidence_of_eight_schools(prior, known):
    """Against adaptive quadrature of the multivariate normal density, and the published figure."""
    mu_sd, loc, sd = prior

    def density(log_tau):
        covariance = np.diag(SCHOOLS["sigma"] ** 2 + np.exp(2 * log_tau)) + mu_sd**2
        return np.exp(multivariate_normal.logpdf(SCHOOLS["y"], cov=covariance) + 30) * norm.pdf(log_tau, loc, sd)

    found = exact.eight_schools(SCHOOLS["y"], SCHOOLS["sigma"], *prior)
    assert found == pytest.approx(np.log(quad(density, -25, 12, points=(0, 2, 4), limit=200)[0]) - 30, abs=1e-6)
    assert found == pytest.approx(known, abs=1e-4)


@pytest.mark.parametrize("name", ["brownian_smoothing", "brownian_bridge", "linear_tree_4", "linear_tree_8"])
def test_the_evidence_of_linear_programs(name):
    data = json.loads(TASKS[name].data.read_text())
    if name.startswith("linear"):
        found = [exact.linear_tree(data["leaves"], data["y"])]
    else:
        y = np.array(data["y"], float)
        found = [exact.brownian(y), exact.long_brownian(y)]
    np.testing.assert_allclose(found, TASKS[name].log_evidence, rtol=1e-10)


def test_the_evidence_of_the_seeds_given_their_scale():
    """With effects that are nearly zero: against importance sampling of the logistic regression alone."""
    data = {k: np.array(v, float) for k, v in json.loads((gaps.PROGRAMS / "seeds.json").read_text()).items()}
    design = np.stack([np.ones(21), data["seed"], data["extract"], data["seed"] * data["extract"]], axis=1)
    found, mode = exact._given_scale(14.0, np.zeros(4), data["r"], data["n"], design, order=5)

    def log_joint(a):
        eta = a @ design.T
        choose = exact.gammaln(data["n"] + 1) - exact.gammaln(data["r"] + 1) - exact.gammaln(data["n"] - data["r"] + 1)
        each = data["r"] * eta - data["n"] * np.logaddexp(0, eta) + choose
        return each.sum(axis=-1) + norm.logpdf(a, 0, 10).sum(axis=-1)

    guide = multivariate_normal(mode, 1.3 * exact._covariance(log_joint, mode), seed=0)
    draws = guide.rvs(50_000)
    weights = log_joint(draws) - guide.logpdf(draws)
    assert found == pytest.approx(exact.logsumexp(weights) - np.log(draws.shape[0]), abs=0.01)


def test_the_particle_filter():
    """Two filters agree within their errors; a first observation alone has an evidence in closed form."""
    obs = np.array(json.loads((PAPER / "lorenz_smoothing.json").read_text())["obs"], float)
    (a, b), (c, d) = exact.lorenz(obs, 2_000, 4), exact.lorenz(obs, 4_000, 3)
    assert abs(a - c) < 5 * np.hypot(b, d) + 0.1
    assert exact.lorenz(obs[:1], 20_000, 2)[0] == pytest.approx(norm.logpdf(obs[0], 0, np.sqrt(2)), abs=0.02)


# ---------------------------------------------------------------- rows


@pytest.fixture
def measuring(monkeypatch, tmp_path):
    """Rows in a folder of their own, measured by counting."""
    calls = []

    def in_process(bench, task, chosen, core=None):
        calls.append(task["name"])
        return {"task": sorted(task), "figure": len(calls), **({"error": "no"} if task["name"] == "broken" else {})}

    monkeypatch.setattr(rows, "FOLDER", tmp_path)
    monkeypatch.setattr(rows, "in_process", in_process)
    monkeypatch.setattr(rows, "version", lambda: "one")
    return calls


def test_rows_are_kept_and_failures_measured_again(measuring, monkeypatch):
    tasks = [{"name": "a"}, {"name": "broken"}, {"name": "b"}]
    first = list(rows.measured("some", tasks, rows.Options()))
    again = list(rows.measured("some", tasks, rows.Options()))
    assert measuring == ["a", "broken", "b", "broken"]
    assert [r["figure"] for r in first] == [1, 2, 3] and [r["figure"] for r in again] == [1, 4, 3]
    monkeypatch.setattr(rows, "version", lambda: "two")
    assert [r["figure"] for r in rows.measured("some", tasks[:1], rows.Options(keep=True))] == [1]
    assert [r["figure"] for r in rows.measured("some", tasks[:1], rows.Options())] == [5]
    assert [r["figure"] for r in rows.measured("some", tasks[:1], rows.Options(again=True))] == [6]


def test_rows_at_once_come_in_order_and_have_cores_of_their_own(measuring, monkeypatch):
    running, most, lock = set(), [], Lock()

    def in_process(bench, task, chosen, core):
        with lock:
            assert core is None or core not in running
            running.add(core)
            most.append(len(running))
        sleep(0.05 / task["name"])
        with lock:
            running.discard(core)
        return {"task": sorted(task), "core": core}

    monkeypatch.setattr(rows, "in_process", in_process)
    monkeypatch.setattr(rows.os, "sched_getaffinity", lambda _: {3, 5}, raising=False)
    found = list(rows.measured("some", [{"name": n} for n in (1, 2, 3, 4)], rows.Options(jobs=2)))
    assert [r["name"] for r in found] == [1, 2, 3, 4] and {r["core"] for r in found} == {3, 5} and max(most) == 2
    assert len(rows.rows_in(rows.FOLDER / "some.jsonl", "one")) == 4


def test_a_row_comes_from_a_process_of_its_own():
    row = rows.in_process("exact", {"name": "nothing"}, rows.Options(limit=60))
    assert "error" in row and row["task"] == ["name"] and row["whole"] > 0
    assert "no result" in rows.in_process("exact", {}, rows.Options(limit=0.01))["error"]


def test_options():
    names, chosen = rows.options(["gaps", "--models=seeds,funnel", "--seeds", "1"])
    assert names == ["gaps"] and chosen.seeds == 1
    assert chosen.wants("funnel_10") and not chosen.wants("lorenz") and rows.Options().wants("lorenz")


# ---------------------------------------------------------------- judging


def test_correlations_against_a_reference():
    rng = np.random.default_rng(0)
    x = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], size=40_000)
    draws = {"a": x[:, 0], "b": x[:, 1:]}
    wanted = {"names": ["a", "b[0]"], "matrix": np.array([[1, 0.7], [0.7, 1]]), "count": 10_000}
    assert posteriordb.correlation_error(draws, wanted) == pytest.approx(0.1, abs=0.01)
    few = posteriordb.correlation_error(draws, {**wanted, "count": 1_000})
    assert few == pytest.approx(0.1 - 3.5 * 0.51 / np.sqrt(1000), abs=0.01)
    assert posteriordb.correlation_error(draws, None) is None


def test_two_components_in_the_order_of_their_means():
    names, draws = ["mu[1]", "mu[2]", "theta"], np.array([[2.0, 1.0, 0.3], [1.0, 2.0, 0.7]])
    np.testing.assert_allclose(posteriordb.ordered(names, draws), [[1, 2, 0.7], [1, 2, 0.7]])


def test_a_wrong_row_with_a_good_verdict_misleads():
    row = {"name": "x", "mean": 0.3, "sd_ratio": 1.0, "quantile": 0.1, "correlation": None, "level": 0, "khat": 0.1}
    row |= {"ess": 0.9, "guide": "full_rank", "seconds": 1.0, "within": False}
    assert posteriordb.cells(row)[-1] == "MISLEADS"
    assert posteriordb.cells({**row, "level": 1})[-1] == "no" and posteriordb.cells({**row, "within": True})[-1] == "yes"
    assert posteriordb.cells({"name": "x", "error": "no", "whole": 1.0})[-1] == "NO RESULT"


def test_what_is_to_be_reached():
    schools = gaps.TASKS["eight_schools"]
    assert schools.wanted == "gap ≤ 0.01, k-hat < 0.5, 50 params"
    row = {"gap": 0.009, "khat": 0.4, "ess": 0.9, "params": 42, "evidence_error": 0.0}
    assert schools.reached(row)
    for worse in ({"gap": 0.011}, {"khat": 0.6}, {"params": 51}):
        assert not schools.reached({**row, **worse})
    assert not gaps.TASKS["seeds"].reached(row)
    assert gaps.TASKS["lorenz_smoothing"].reached({**row, "gap": 0.55, "evidence_error": 0.03})
    assert all((gaps.ROOT / known.model).exists() and known.sets() for known in gaps.TASKS.values())


def test_rungs_that_fell():
    """Only to a guide of the same kind, and beyond the noise of both."""
    rungs = [("messages, full_rank", -1.0, 0.3), ("messages, splines", -1.5, 0.0), ("messages, iaf", -2.5, 0.4), ("iaf", -9, 0)]
    attempts = [Attempt(name, 1, elbo, se, 0.1, 0.5, 0.9, 10, 1.0, converged=True) for name, elbo, se in rungs]
    assert gaps.fall(attempts) == pytest.approx(0.2)
    assert gaps.fall(attempts[:2]) == gaps.fall(attempts[2:]) == gaps.fall([]) == 0


# ---------------------------------------------------------------- peers and scaling


def peers_row(guide, elbo, cold):
    return {"name": "x", "guide": guide, "elbo": elbo, "elbo_se": 0.001, "khat": 0.3, "mean": None, "cold": cold, "warm": cold / 2}


def test_peers_are_judged_against_ours():
    rows = [peers_row("emfppl", -3.0, 2.0), peers_row("AutoNormal", -4.0, 1.0), peers_row("AutoIAFNormal", -2.995, 5.0)]
    rows.append({**peers_row("AutoDAIS", np.nan, 9.0)})
    assert peers.cells(rows[1], rows[0])[4:] == ("1.000", 0.3, "", "1.0", "0.5", "0.5", "0.5")
    assert peers.cells(peers_row("AutoNormal", -1e6, 1.0), rows[0])[2] == "diverged"
    rows.append({**peers_row("AutoMultivariateNormal", -1.0, 0.5), "outside": 0.01})
    assert peers.cells(rows[-1], rows[0])[2] == "outside"
    told = peers.summary(rows)
    assert "ELBO: 1 of 1" in told and "others: 1 of 1" in told
    told = peers.summary([peers_row("emfppl", -3.5, 6.0), *rows[1:]])
    assert "ELBO: 0 of 1 (not: x)" in told and "others: 0 of 1" in told


def test_a_peer_is_below_the_evidence(monkeypatch):
    """A few steps of a mean field on eight schools: a bound, with draws of every variable."""
    model, data = emfppl.load(gaps.ROOT / gaps.TASKS["eight_schools"].model), gaps.TASKS["eight_schools"].sets()[0]
    monkeypatch.setattr(peers, "STEPS", 300)
    monkeypatch.setattr(peers, "WEIGHTS", 2_000)
    with precision("float64"):
        params, log_weight, draws = peers._automatic(model, data, peers.GUIDES["AutoNormal"])(0.03)
        judged = peers._judged(params, log_weight, draws)
        assert -60 < judged["elbo"] < -31.26 + 3 * judged["elbo_se"] and judged["params"] == 20
        assert draws()["theta"].shape == (20_000, 8)


@pytest.mark.parametrize("name", ["eight_schools", "seeds", "funnel_10", "lorenz_smoothing"])
def test_programs_by_hand(name):
    """Their priors and likelihoods against the programs' joint densities."""
    tfp = pytest.importorskip("tensorflow_probability.substrates.jax", exc_type=ImportError)
    known, hand = gaps.TASKS[name], asvi.BY_HAND[name]
    data = known.sets()[0]
    given = {k: np.array(v, float) for k, v in data.items() if k != "sizes"}
    rng = np.random.default_rng(0)
    with precision("float64"):
        joint = tfp.distributions.JointDistributionCoroutineAutoBatched(lambda: hand.prior(tfp.distributions, given))
        shapes = joint.event_shape
        values = type(shapes)(*(0.3 * rng.normal(size=tuple(s)) for s in shapes))
        theirs = float(joint.log_prob(values) + hand.log_likelihood(values, given))
        if name == "lorenz_smoothing":
            latents = {k: np.array([getattr(values, f"{k}{t}") for t in range(30)]) for k in "xyz"}
        else:
            latents = {k: np.asarray(getattr(values, k)) for k in shapes._fields}
        model = emfppl.load(gaps.ROOT / known.model)
        bound = model.bind(given, sizes=data.get("sizes"))
        funnel = name.startswith("funnel")  # without data, a program has no latents that count
        ours = log_density(bound.numpyro_model, (), {}, latents)[0] if funnel else bound.log_joint(latents)
        assert theirs == pytest.approx(float(ours), rel=1e-9)


def test_slopes_are_those_of_the_largest_sizes():
    figures = lambda n: {"compiling": 3.0, "running": 2e-3 * n, "step": None, "memory": 5.0 * n**0.5}  # noqa: E731
    rows = [{"size": n, **figures(n)} for n in (10, 100, 1000, 10_000)]
    rows[0] |= {"running": 50.0}
    assert scaling.slopes(rows) == pytest.approx({"compiling": 0.0, "running": 1.0, "memory": 0.5}, abs=1e-9)


@pytest.mark.parametrize("name", scaling.PROGRAMS_OF)
def test_programs_that_grow(name):
    growing = scaling.PROGRAMS_OF[name]
    data = growing.data(120)
    assert emfppl.load(growing.model).bind(data).noise_shapes
    if growing.evidence:
        assert growing.evidence(data) == pytest.approx(exact.brownian(data["y"]), rel=1e-9)
