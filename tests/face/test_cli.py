"""The command line: what is printed where, and with which status."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emfppl.cli import run

ROOT = Path(__file__).parents[2]
SCHOOLS = str(ROOT / "examples/eight_schools.emf")
SCHOOLS_DATA = str(ROOT / "examples/eight_schools.json")
EMF = Path(sys.executable).with_name("emf")


@pytest.fixture
def program(tmp_path):
    """Writes a program to a file and gives its name."""

    def write(text: str, name: str = "model.emf") -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


def test_the_version_is_that_of_the_package(capsys):
    import emfppl

    assert run(["--version"]) == 0
    assert emfppl.__version__ in capsys.readouterr().out


@pytest.mark.parametrize("command", ["calibrate", "check", "fmt", "ir", "graph", "info", "fit", "sample", "score"])
def test_every_command_has_help_and_needs_a_file(capsys, command):
    assert run([command, "--help"]) == 0
    assert "FILE" in capsys.readouterr().out
    assert run([command]) == 2
    out, err = capsys.readouterr()
    assert "Missing argument" in err and not out


def test_a_misspelt_command_is_wrong_usage(capsys):
    assert run(["chekc", "x.emf"]) == 2
    assert "did you mean check?" in capsys.readouterr().err


# ---------------------------------------------------------------- check


def test_check_says_nothing_of_a_good_program(capsys):
    assert run(["check", SCHOOLS]) == 0
    assert capsys.readouterr() == ("", "")


def test_check_tells_all_faults_of_all_files_on_stderr(capsys, program):
    one, two = program("x ~ Normal(0, s)\n"), program("y ~ Nrmal(0, 1)\nz ~ Beta(1)\n", "two.emf")
    assert run(["check", one, two]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert [err.count(code) for code in ("E0201", "E0207", "E0502")] == [1, 1, 1]
    assert f"{one}:1:15" in err


def test_warnings_alone_leave_the_status_0(capsys, program):
    assert run(["check", program("s ~ Normal(0, 1)\nx ~ Normal(0, s)\n")]) == 0
    assert "W0105" in capsys.readouterr().err


def test_check_with_data_tells_what_is_wrong_with_them(capsys, tmp_path):
    data = tmp_path / "data.json"
    data.write_text('{"y": [1, 2, 3], "sigma": [1, -1, 2]}')
    assert run(["check", SCHOOLS, "--data", str(data)]) == 1
    assert "sigma[1]" in capsys.readouterr().err
    data.write_text('{"sigma": [1, 1, 2]}')
    assert run(["check", SCHOOLS, "--data", str(data)]) == 1
    assert "`y[school]`" in capsys.readouterr().err


def test_check_of_samples_for_a_density_estimator(capsys, tmp_path):
    program, good, bad = tmp_path / "d.emf", tmp_path / "good.npz", tmp_path / "bad.npz"
    program.write_text("dim k\ndensity d {\n  data x[k]: positive\n  affine\n}\n")
    np.savez(good, x=np.ones((20, 3)))
    np.savez(bad, x=-np.ones((20, 3)))
    assert run(["check", str(program), "--data", str(good)]) == 0
    assert run(["check", str(program), "--data", str(bad)]) == 1
    assert "E1007" in capsys.readouterr().err
    with_program = tmp_path / "both.emf"
    with_program.write_text("mu ~ Normal(0, 1)\n" + program.read_text())
    assert run(["check", str(with_program), "--density", "d", "--data", str(good)]) == 0
    assert run(["check", str(with_program), "--density", "e"]) == 1
    assert "E1521" in capsys.readouterr().err


def test_check_as_json(capsys, program):
    assert run(["check", program("x ~ Normal(0,\n  sigma)\n"), "--json"]) == 1
    (one,) = json.loads(capsys.readouterr().out)
    assert (one["code"], one["kind"]) == ("E0201", "error")
    assert [one[k] for k in ("line", "column", "end_line", "end_column")] == [2, 3, 2, 8]


def test_a_program_on_standard_input(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("x ~ Normal(0, s)\n"))
    assert run(["check", "-"]) == 1
    assert "<stdin>:1:15" in capsys.readouterr().err


def test_a_file_that_is_not_there(capsys, program):
    near = program("x ~ Normal(0, 1)\n", "schools.emf")
    assert run(["info", near.replace("schools", "scools")]) == 1
    err = capsys.readouterr().err
    assert "E1201" in err and "did you mean" in err and "schools.emf?" in err


# ---------------------------------------------------------------- fmt


def test_fmt_in_place(program, capsys):
    file = program("x~Normal( 0,1 )   # note\n")
    assert run(["fmt", "--check", file]) == 1
    assert "would be formatted" in capsys.readouterr().out
    assert run(["fmt", file]) == 0
    assert Path(file).read_text().split() == ["x", "~", "Normal(0,", "1)", "#", "note"]
    assert run(["fmt", "--check", file]) == 0


def test_fmt_to_stdout_leaves_the_file(program, capsys):
    file = program("x~Normal(0,1)\n")
    assert run(["fmt", "--stdout", file]) == 0
    assert capsys.readouterr().out == "x ~ Normal(0, 1)\n"
    assert Path(file).read_text() == "x~Normal(0,1)\n"


def test_fmt_leaves_what_does_not_parse(program, capsys):
    file = program("x ~ Normal(0, 1\n")
    assert run(["fmt", file]) == 1
    assert Path(file).read_text() == "x ~ Normal(0, 1\n"
    assert "E01" in capsys.readouterr().err


# ---------------------------------------------------------------- ir, graph, info


@pytest.mark.parametrize("stage", ["ast", "checked", "graph", "passes"])
def test_every_stage_prints(capsys, stage):
    assert run(["ir", SCHOOLS, "--stop-after", stage]) == 0
    assert "theta" in capsys.readouterr().out


def test_drawings(capsys, tmp_path):
    assert run(["graph", SCHOOLS, "--format", "mermaid"]) == 0
    assert capsys.readouterr().out.startswith(("graph", "flowchart"))
    assert run(["graph", SCHOOLS, "-o", str(tmp_path / "g.dot")]) == 0
    assert (tmp_path / "g.dot").read_text().startswith("digraph")
    assert run(["graph", SCHOOLS, "-o", str(tmp_path / "g.pdf")]) == 1
    assert run(["graph", SCHOOLS, "-o", str(tmp_path / "no/g.dot")]) == 1
    assert "E1203" in capsys.readouterr().err


def test_without_graphviz_a_drawing_is_mermaid(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(["graph", SCHOOLS]) == 0
    assert capsys.readouterr().out.startswith(("graph", "flowchart"))
    assert run(["graph", SCHOOLS, "--format", "svg"]) == 1
    assert "Graphviz" in capsys.readouterr().err


def test_graphviz_draws_the_svg(capsys, monkeypatch, tmp_path):
    dot = tmp_path / "dot"
    dot.write_text(f"#!{sys.executable}\nimport sys\nprint('<svg>', len(sys.stdin.read()) > 9, '</svg>')\n")
    dot.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(["graph", SCHOOLS]) == 0
    assert capsys.readouterr().out == "<svg> True </svg>\n"


def test_info_tells_loops_latents_and_gates(capsys):
    assert run(["info", str(ROOT / "examples/brownian_bridge.emf"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["loops"] == [{"loop": "t in time[1:]", "dim": "time", "vectorised": [], "scanned": ["x"], "affine": ["x"]}]
    s, x = facts["latents"]
    assert (s["support"], s["gate"]) == (["positive"], {"mode": "off"})
    assert (x["parents"], x["gate"]) == (["s", "x"], {"mode": "per_element", "init": 0.98})
    assert run(["info", str(ROOT / "examples/radon.emf")]) == 0
    assert "a[county]" in capsys.readouterr().out


# ---------------------------------------------------------------- fit

TINY = "dim obs\ndata y[obs]: real\nmu ~ Normal(0, 1)\ny[obs] ~ Normal(mu, 1)\n"


@pytest.fixture
def tiny(program, tmp_path):
    (tmp_path / "y.json").write_text('{"y": [0.5, 1.5]}')
    return [program(TINY), "--data", str(tmp_path / "y.json"), "--num-draws", "50", "--no-progress"]


def test_fit_prints_saves_and_exports(capsys, tiny, tmp_path):
    out, netcdf = tmp_path / "tiny.emfit", tmp_path / "tiny.nc"
    assert run(["fit", *tiny, "-o", str(out), "--netcdf", str(netcdf)]) == 0
    printed = capsys.readouterr().out
    assert "mu" in printed and "ELBO" in printed
    import emfppl

    assert emfppl.open(out).draws["mu"].shape == (50,)
    import arviz

    assert arviz.from_netcdf(netcdf).posterior["mu"].size == 50


def test_fit_as_json_is_strict(capsys, tiny):
    assert run(["fit", *tiny, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert {"elbo", "elbo_se", "log_evidence", "khat", "ess", "converged", "num_params", "seconds"} <= set(facts)
    assert set(facts["scalars"]["mu"]) == {"mean", "sd", "q5", "q50", "q95"}
    # the posterior is N(2/3, 1/3); the evidence that of N(0, I + 11ᵀ) at y
    y, cov = np.array([0.5, 1.5]), np.eye(2) + 1
    exact = -0.5 * (y @ np.linalg.solve(cov, y) + np.log(np.linalg.det(2 * np.pi * cov)))
    assert facts["elbo"] == pytest.approx(exact, abs=1e-3)


def test_fit_refines(capsys, tiny):
    assert run(["fit", *tiny, "--refine", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert facts["scalars"]["mu"]["rhat"] < 1.01 and facts["verdict"].startswith("trustworthy: R-hat")
    assert run(["fit", *tiny, "--refine", "laplace"]) == 2


def test_a_refinement_that_is_interrupted_leaves_the_fit(capsys, tiny, monkeypatch):
    def refine(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("emfppl.runtime.posterior.Posterior.refine", refine)
    assert run(["fit", *tiny, "--refine"]) == 130
    out, err = capsys.readouterr()
    assert "ELBO" in out and "without it" in err


def test_calibrate(capsys, tiny, tmp_path):
    pytest.importorskip("matplotlib")
    figure = tmp_path / "ranks.svg"
    assert run(["calibrate", *tiny[:3], "--no-progress", "--num", "20", "--json", "--plot", str(figure)]) == 0
    facts = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert facts["calibrated"] and len(facts["ranks"]["mu"]) == 20 and facts["pvalues"]["mu"] > 0.001
    assert "<svg" in figure.read_text()


def test_calibrate_refuses_before_it_fits(capsys, program, tiny, monkeypatch):
    monkeypatch.setattr("emfppl.bound.Bound.fit", lambda *_, **__: pytest.fail("fitted"))
    flat = program("dim obs\ndata y[obs]: real\nmu ~ Flat()\ny[obs] ~ Normal(mu, 1)\n", "flat.emf")
    assert run(["calibrate", flat, *tiny[1:3]]) == 1
    assert "E1108" in capsys.readouterr().err
    assert run(["calibrate", *tiny[:3], "--plot", "ranks.txt"]) == 1
    assert "ends in .svg, .png or .pdf" in capsys.readouterr().err


def test_an_interrupted_calibration(capsys, tiny, monkeypatch):
    from emfppl.runtime import calibrate

    plain, begun = calibrate._ranks, []

    def ranks(*arguments):
        if begun:
            raise KeyboardInterrupt
        begun.append(1)
        return plain(*arguments)

    monkeypatch.setattr(calibrate, "_ranks", ranks)
    assert run(["calibrate", *tiny[:3], "--no-progress", "--json"]) == 130
    facts = json.loads(capsys.readouterr().out)
    assert facts["interrupted"] and facts["num"] == 1
    monkeypatch.setattr("emfppl.runtime.posterior.Posterior.interrupted", True)
    assert run(["calibrate", *tiny[:3], "--no-progress"]) == 130
    out, err = capsys.readouterr()
    assert (out, err.strip()) == ("", "interrupted")


def test_fit_looks_for_trouble_before_it_works(capsys, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("emfppl.model.Model.fit", lambda *_, **__: pytest.fail("fitted"))
    assert run(["fit", *tiny, "-o", str(tmp_path / "nowhere/fit.emfit")]) == 1
    assert "E1203" in capsys.readouterr().err
    assert run(["fit", *tiny, "--netcdf", str(tmp_path)]) == 1
    assert run(["fit", tiny[0], "--size", "obs"]) == 2
    assert run(["fit", tiny[0], "--size", "obs=many"]) == 2
    assert run(["fit", *tiny, "--precision", "float16"]) == 2


def test_fit_in_batches_says_why_not(capsys, program, tmp_path):
    chain = "dim t\ndata y[t]: real\nx[0] ~ Normal(0, 1)\nfor i in t[1:] { x[i] ~ Normal(x[i-1], 1) }\ny[t] ~ Normal(x, 1)\n"
    (tmp_path / "y.json").write_text('{"y": [1.0, 2.0, 3.0]}')
    given = ["fit", program(chain), "-d", str(tmp_path / "y.json"), "--no-progress"]
    assert run([*given, "--batch", "t=2"]) == 1
    error = capsys.readouterr().err
    assert "E1109" in error and "carries values along it" in error
    assert run([*given, "--batch", "t"]) == 2


def test_fit_without_data_says_which(capsys, tiny):
    assert run(["fit", tiny[0]]) == 1
    assert "`y[obs]`" in capsys.readouterr().err


def test_data_of_several_files_go_together(capsys, program, tmp_path):
    file = program("dim obs\ndata y[obs]: real\ndata s: positive\nmu ~ Normal(0, s)\ny[obs] ~ Normal(mu, 1)\n")
    (tmp_path / "y.csv").write_text("name,y\na,1\nb,2\n")
    np.savez(tmp_path / "s.npz", s=2.0)
    (tmp_path / "more.json").write_text('{"s": 1}')
    files = [str(tmp_path / name) for name in ("y.csv", "s.npz", "more.json")]
    assert run(["check", file, "--data", files[0], "--data", files[1]]) == 0
    assert run(["check", file, *(f"--data={f}" for f in files)]) == 1
    assert "both hold `s`" in capsys.readouterr().err


def test_an_interrupted_fit_is_printed_and_saved(capsys, tiny, tmp_path, monkeypatch):
    def report(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("emfppl.runtime.progress.Progress.report", lambda *_: report)
    assert run(["fit", *tiny, "--guide", "full_rank", "-o", str(tmp_path / "tiny.emfit"), "--json"]) == 130
    facts = json.loads(capsys.readouterr().out)
    assert facts["interrupted"] and not facts["converged"]
    assert run(["fit", *tiny, "--guide", "full_rank"]) == 130
    assert "interrupted" in capsys.readouterr().out
    import emfppl

    assert emfppl.open(tmp_path / "tiny.emfit").interrupted


def test_an_interrupt_elsewhere_ends_quietly(capsys, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("emfppl.commands.check.check_text", interrupted)
    assert run(["check", SCHOOLS]) == 130
    out, err = capsys.readouterr()
    assert (out, err.strip()) == ("", "interrupted")


def test_a_closed_pipe_ends_quietly():
    command = f"{EMF} ir {ROOT}/examples/radon.emf | true"
    done = subprocess.run(["bash", "-c", f"for i in 1 2 3; do {command}; done"], capture_output=True, text=True)
    assert done.stderr == ""


def test_the_cache_of_compiled_code(tmp_path):
    from emfppl.compilation_cache import use_cache

    environment = {"XDG_CACHE_HOME": str(tmp_path)}
    folder = use_cache(environment)
    assert folder is not None and folder.is_dir() and folder.is_relative_to(tmp_path)
    assert environment["JAX_COMPILATION_CACHE_DIR"] == str(folder)
    for other in ({"EMF_NO_CACHE": "1"}, {"JAX_COMPILATION_CACHE_DIR": "/elsewhere"}):
        assert use_cache(dict(other) | {"XDG_CACHE_HOME": str(tmp_path)}) is None
    file = tmp_path / "file"
    file.write_text("")
    assert use_cache({"XDG_CACHE_HOME": str(file)}) is None


def test_no_cache_is_respected(tiny, tmp_path):
    env = {k: v for k, v in os.environ.items() if not k.startswith("JAX_COMPILATION")}
    env["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    subprocess.run([EMF, "fit", *tiny, "--no-cache"], env=env, check=True, capture_output=True)
    assert not (tmp_path / "cache").exists()
    subprocess.run([EMF, "fit", *tiny], env=env, check=True, capture_output=True)
    assert list((tmp_path / "cache").rglob("*-cache"))
