"""Translating Stan programs: golden files, and the log density against NumPy by hand.

``make golden`` writes `tests/stan/*.emf` and `tests/stan/refused/*.txt` anew; read them before committing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import emfppl
from emfppl.cli import run
from emfppl.compiler.from_stan import translate
from emfppl.compiler.pipeline import check_text, compile_text
from emfppl.grammar.diagnostics import EmfError
from emfppl.grammar.source import SourceText

FOLDER = Path(__file__).parents[1] / "stan"
TAKEN = sorted(FOLDER.glob("*.stan"))
REFUSED = sorted((FOLDER / "refused").glob("*.stan"))


def source_of(path: Path) -> SourceText:
    return SourceText(path.read_text(), path.name)


def names(paths: list[Path]) -> list[str]:
    return [p.stem for p in paths]


def compared(found: str, path: Path, request) -> None:
    if request.config.getoption("--update-golden"):
        path.write_text(found)
    assert path.exists(), "make golden"
    assert found == path.read_text()


@pytest.mark.parametrize("path", TAKEN, ids=names(TAKEN))
def test_translations(path, request):
    text = translate(source_of(path))
    assert [str(d) for d in check_text(SourceText(text)) if d.is_error] == []
    compile_text(SourceText(text))
    compared(text, path.with_suffix(".emf"), request)


@pytest.mark.parametrize("path", REFUSED, ids=names(REFUSED))
def test_messages_of_what_is_refused(path, request):
    with pytest.raises(EmfError) as refused:
        translate(source_of(path))
    compared(f"{refused.value}\n", path.with_suffix(".txt"), request)


def test_there_are_many():
    assert len(TAKEN) >= 25 and len(REFUSED) >= 25


def test_the_command(tmp_path, capsys):
    where = FOLDER / "ar2.stan"
    assert run(["from-stan", str(where)]) == 0
    assert capsys.readouterr().out == emfppl.from_stan(where) == where.with_suffix(".emf").read_text()
    assert run(["from-stan", str(where), "-o", str(tmp_path / "ar2.emf")]) == 0
    assert (tmp_path / "ar2.emf").read_text() == where.with_suffix(".emf").read_text()
    assert run(["from-stan", str(FOLDER / "refused" / "choice.stan")]) == 1
    assert "choice.stan:11:3" in capsys.readouterr().err


# ---------------------------------------------------------------- the same density

N, J = 6, 3
RNG = np.random.default_rng(1)
X, Y, G = RNG.normal(size=N), RNG.normal(size=N), np.array([0, 1, 2, 0, 1, 2])


def normal(x, m, s):
    return -0.5 * ((x - m) / s) ** 2 - np.log(s)


def cauchy(x, m, s):
    return -np.log(s) - np.log1p(((x - m) / s) ** 2)


def bernoulli_logit(y, eta):
    return y * eta - np.log1p(np.exp(eta))


def eight_schools(v, d):
    theta = v["mu"] + v["tau"] * v["eta"]
    prior = normal(v["mu"], 0, 5) + cauchy(v["tau"], 0, 5) + normal(v["eta"], 0, 1).sum()
    return prior + normal(d["y"], theta, d["sigma"]).sum()


def radon(v, d):
    out = normal(v["a"], v["g_0"] + v["g_1"] * d["u"], v["sigma_a"]).sum()
    out += normal(d["y"], v["a"][d["county"]] + v["b"] * d["x"], v["sigma_y"]).sum()
    return out + sum(normal(v[k], 0, 1) for k in ("b", "g_0", "g_1", "sigma_y", "sigma_a"))


def ar2(v, d):
    y = d["y"]
    m = v["alpha"] + v["beta"] * y[1:-1] + v["gamma"] * y[:-2]
    return normal(v["alpha"], 0, 10) + normal(v["gamma"], 0, 0.5) - v["sigma"] + normal(y[2:], m, v["sigma"]).sum()


def random_walk(v, d):
    mu = v["mu"]
    out = normal(mu[1:], mu[:-1], v["sigma_level"]).sum() + normal(d["y"], mu, v["sigma_irreg"]).sum()
    return out - v["sigma_level"] - v["sigma_irreg"]


def bradley_terry(v, d):
    eta = v["alpha"][d["player1"]] - v["alpha"][d["player0"]]
    return -v["sigma"] + normal(v["alpha"], 0, v["sigma"]).sum() + bernoulli_logit(d["y"], eta).sum()


def varying_slopes(v, d):
    scaled = v["tau"][:, None] * v["L_Omega"]
    beta = d["u"] @ v["gamma"] + (scaled @ v["z"]).T
    out = normal(v["z"], 0, 1).sum() + cauchy(v["tau"], 0, 2.5).sum() + normal(v["gamma"], 0, 5).sum() - v["sigma"]
    k = v["tau"].size
    out += sum((k - i + 2 * 2 - 2) * np.log(v["L_Omega"][i - 1, i - 1]) for i in range(2, k + 1))
    return out + normal(d["y"], (d["x"] * beta[d["jj"]]).sum(1), v["sigma"]).sum()


def soft_constraint(v, d):
    phi = v["phi"]
    eta = np.log(d["expected"]) + v["beta0"] + v["sigma"] * phi
    out = -0.5 * ((phi[d["node1"]] - phi[d["node2"]]) ** 2).sum() + normal(phi.sum(), 0, 0.001 * phi.size)
    return out + normal(v["beta0"], 0, 5) + normal(v["sigma"], 0, 1) + stats.poisson.logpmf(d["y"], np.exp(eta)).sum()


def double_draw(v, d):
    out = normal(v["mu"], 0, 1) + normal(v["mu"], 0.2, 0.1) + normal(v["tau"], 0, 1) + normal(np.log(v["tau"]), 0, 3)
    out += normal(v["theta"], v["mu"], v["tau"]).sum() + normal(d["y"], v["theta"], d["se"]).sum()
    return out + normal(d["dose"][1:], v["mu"], 1).sum()


def censored(v, d):
    return np.log(v["rate"]) - 2 * v["rate"] + (np.log(v["rate"]) - v["rate"] * d["t"]).sum() - v["rate"] * d["t_cut"].sum()


def weighted(v, d):
    full = stats.norm.logpdf(d["y"], v["mu"], v["sigma"])
    return normal(v["mu"], 0, 10) - v["sigma"] + (d["w"] * full).sum()


def gaussian_process(v, d):
    diff = d["x"][:, None] - d["x"]
    cov = v["alpha"] ** 2 * np.exp(-0.5 * (diff / v["rho"]) ** 2) + np.eye(diff.shape[0]) * (v["sigma"] ** 2 + 1e-6)
    prior = -6 * np.log(v["rho"]) - 5 / v["rho"] + normal(v["alpha"], 0, 1) + normal(v["sigma"], 0, 1)
    return prior + stats.multivariate_normal.logpdf(d["y"], np.zeros(diff.shape[0]), cov)


POSITIVE = np.exp(Y)
CASES = {
    "eight_schools": (eight_schools, {"y": Y, "sigma": POSITIVE}, {}),
    "radon": (radon, {"county": G, "x": X, "y": Y, "u": X[:J]}, {}),
    "ar2": (ar2, {"y": Y}, {}),
    "random_walk": (random_walk, {"y": Y}, {}),
    "bradley_terry": (bradley_terry, {"player1": G, "player0": G[::-1].copy(), "y": (Y > 0).astype(int)}, {"K": J}),
    "varying_slopes": (
        varying_slopes, {"jj": G, "x": RNG.normal(size=(N, 2)), "u": RNG.normal(size=(J, 2)), "y": Y}, {},
    ),
    "soft_constraint": (
        soft_constraint, {"node1": G, "node2": (G + 1) % J, "y": np.array([1, 0, 2]), "expected": POSITIVE[:J]}, {},
    ),
    "double_draw": (double_draw, {"y": Y, "se": POSITIVE, "dose": X}, {}),
    "censored": (censored, {"t": POSITIVE, "t_cut": POSITIVE[:2]}, {}),
    "weighted": (weighted, {"y": Y, "w": POSITIVE}, {}),
    "gaussian_process": (gaussian_process, {"x": X, "y": Y}, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_log_densities_differ_by_a_constant_only(name):
    by_hand, data, sizes = CASES[name]
    model = emfppl.load((FOLDER / f"{name}.emf").read_text())
    bound = model.bind(data, sizes=sizes, precision="float64")
    rng = np.random.default_rng(3)
    differences = []
    for _ in range(3):
        values = bound.from_noise({k: rng.normal(size=s) * 0.5 for k, s in bound.noise_shapes.items()})
        values = {k: np.asarray(v, dtype=float) for k, v in values.items()}
        differences.append(float(bound.log_joint(values)) - by_hand(values, data))
    assert np.ptp(differences) < 1e-8
