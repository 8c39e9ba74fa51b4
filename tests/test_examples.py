"""Every example runs and agrees with its reference posterior: means within .1 sd, sds within 10 %, 5 % and 95 %
quantiles within .2 sd, with default options."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import emfppl
from benchmarks.agreement import Case, Task, agreement, examples, paper, posteriordb, regressions
from emfppl.cli import run

ROOT = Path(__file__).parents[1]
PROGRAMS = sorted(p for p in (ROOT / "examples").rglob("*.emf") if p.parent.name != "density")  # which have no posterior
REGRESSIONS = [c for c in regressions() if "eight_schools" not in c.name]
EIGHT_SCHOOLS = next(c for c in regressions() if "eight_schools" in c.name)
EXAMPLES = {c.name: c for c in examples()}
pytestmark = pytest.mark.usefixtures("well_compiled")


def fitted(case: Case, **options) -> emfppl.Posterior:
    return emfppl.fit(case.model, case.data, num_draws=20_000, progress=False, **options)


def test_there_is_a_reference_for_every_program():
    known = {c.model for c in (*posteriordb(), *examples(), *paper())}
    assert {p.resolve() for p in PROGRAMS} == {p.resolve() for p in known}


@pytest.mark.parametrize("case", [*posteriordb(), *examples(), *paper()], ids=lambda c: c.name)
def test_programs_and_their_data_are_clean_and_formatted(case: Case | Task, capsys):
    data = ["--data", str(case.data)] if case.data else []
    assert run(["check", str(case.model), *data]) == 0
    assert run(["fmt", "--check", str(case.model)]) == 0
    assert capsys.readouterr() == ("", "")


def test_the_measure_of_agreement():
    x = np.random.default_rng(0).normal(3, 2, 100_000)
    row = {"mean": 3.0, "sd": 2.0, "q5": 3 - 2 * 1.6449, "q95": 3 + 2 * 1.6449}
    assert agreement({"x": x}, {"x": row}).close
    assert agreement({"x": x + 0.5}, {"x": row}).mean == pytest.approx(0.25, abs=0.01)
    far = agreement({"x": np.stack([x, 3 + 0.5 * (x - 3)], axis=1)}, {"x[0]": row, "x[1]": row})
    assert far.sd_ratio == pytest.approx(0.5, abs=0.01) and far.quantile == pytest.approx(0.82, abs=0.02)
    assert not far.close


@pytest.mark.slow
@pytest.mark.parametrize("case", REGRESSIONS, ids=lambda c: c.name)
def test_regressions_with_default_options(case):
    fit = fitted(case)
    far = agreement(fit.draws, case.reference)
    assert far.close, far
    assert fit.converged


def test_eight_schools():
    fit = fitted(EIGHT_SCHOOLS)
    far = agreement(fit.draws, {k: v for k, v in EIGHT_SCHOOLS.reference.items() if k != "tau"})
    assert far.mean <= 0.1, far
    assert "theta" in str(fit)


@pytest.mark.parametrize("name", ["wells", "kidiq"])
def test_the_other_regressions(name):
    far = agreement(fitted(EXAMPLES[name]).draws, EXAMPLES[name].reference)
    assert far.close, far


@pytest.mark.slow
def test_the_missing_middle_of_the_brownian_bridge():
    case = EXAMPLES["brownian_bridge"]
    fit = fitted(case)
    far = agreement(fit.draws, case.reference)
    assert far.mean <= 0.1 and 0.9 <= far.sd_ratio <= 1.1, far
    seen = np.array(json.loads(case.data.read_text())["y"], float)
    sd = fit.draws["x"].std(axis=0)
    gap = np.flatnonzero(np.isnan(seen))
    assert sd[gap].max() > 1.5 * sd[~np.isnan(seen)].max()


@pytest.mark.slow
def test_radon_through_the_command_line(tmp_path, capsys):
    case = EXAMPLES["radon"]
    out = tmp_path / "radon.emfit"
    command = ["fit", str(case.model), "--data", str(case.data), "--num-draws", "20000", "-o", str(out), "--json"]
    assert run([*command, "--no-progress"]) == 0
    far = agreement(emfppl.open(out).draws, case.reference)
    assert far.mean <= 0.1 and 0.9 <= far.sd_ratio <= 1.1, far
    facts = json.loads(capsys.readouterr().out)
    assert len(facts["scalars"]) == len(case.reference)


@pytest.mark.slow
def test_nuts_runs_on_the_numpyro_model_of_radon():
    """NUTS on the compiled model agrees with the reference, which comes from a model written by hand."""
    import jax
    from numpyro.infer import MCMC, NUTS

    case = EXAMPLES["radon"]
    model = emfppl.load(case.model).numpyro_model
    mcmc = MCMC(NUTS(model), num_warmup=500, num_samples=2000, progress_bar=False)
    mcmc.run(jax.random.key(0), data=json.loads(case.data.read_text()))
    far = agreement({k: np.asarray(v) for k, v in mcmc.get_samples().items()}, case.reference)
    assert far.mean <= 0.2 and 0.85 <= far.sd_ratio <= 1.15, far  # with the noise of 2,000 draws


def test_the_picture_of_the_readme(tmp_path):
    import runpy

    space = runpy.run_path(str(ROOT / "examples/picture.py"), run_name="picture")
    space["main"](tmp_path / "schools.png")
    assert (tmp_path / "schools.png").read_bytes().startswith(b"\x89PNG")


def test_the_table_of_development_models():
    """One row of it: a gap in a recurrence, whose latents all count."""
    from benchmarks import development

    name, features, latents, compiles, *_ = development.row(next(t for t in paper() if t.name == "brownian_bridge"))
    assert (name, features, latents, compiles) == ("brownian_bridge", "recurrence, missing", 30, "yes")


def test_the_benchmarks_are_listed(capsys):
    from benchmarks.__main__ import main

    assert main([]) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} >= {"development", "regressions", "peers"}
    assert main(["nothing"]) == 2
