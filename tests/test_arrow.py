"""The one arrow ``grammar ◀ compiler ◀ runtime ◀ emfppl``, and what may be imported where."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("grammar", "compiler", "runtime", "emfppl")
LINKS = {ROOT / "emfppl" / name for name in FOLDERS[:3]}
HEAVY = {"jax", "jaxlib", "numpyro", "optax", "arviz", "scipy", "pandas"}


def files(folder: str) -> list[Path]:
    found = (ROOT / folder).rglob("*.py")
    return sorted(p for p in found if not LINKS & set(p.parents) and "__pycache__" not in p.parts)


def imported(path: Path) -> list[str]:
    """Every module that a file imports, anywhere in it."""
    out: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            out += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            head = "." * node.level + (node.module or "")
            out += [head, *(f"{head}.{alias.name}" for alias in node.names)]
    return out


def layer(module: str) -> int:
    """0 grammar … 3 emfppl; -1 for what is not ours."""
    parts = module.split(".")
    if parts[0] != "emfppl":
        return -1
    return FOLDERS.index(parts[1]) if len(parts) > 1 and parts[1] in FOLDERS[:3] else 3


EVERY = [(folder, path, module) for folder in FOLDERS for path in files(folder) for module in imported(path)]


def test_all_four_folders_are_read():
    assert {folder for folder, _, _ in EVERY} == set(FOLDERS)


def test_no_import_runs_against_the_arrow():
    # `from emfppl import x` names the package first; of which layer it is says what is taken from it
    against = [
        f"{path}: {module}"
        for folder, path, module in EVERY
        if layer(module) > FOLDERS.index(folder) and module != "emfppl"
    ]
    assert against == []


def test_no_import_is_relative_or_bare():
    wrong = [f"{path}: {module}" for _, path, module in EVERY if module.split(".")[0] in ("", *FOLDERS[:3])]
    assert wrong == []


def test_grammar_and_compiler_import_nothing_heavy():
    heavy = [f"{p}: {m}" for folder, p, m in EVERY if folder in FOLDERS[:2] and m.split(".")[0] in HEAVY]
    assert heavy == []


def test_every_package_is_listed():
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = set()
    for folder, path in ((f, p) for f in FOLDERS for p in files(f)):
        parts = path.relative_to(ROOT).parent.parts
        found.add(".".join(parts if folder == "emfppl" else ("emfppl", *parts)))
    assert listed == found


LIGHT = {
    "importing": "import emfppl",
    "names": "import emfppl; emfppl.EmfError, emfppl.load, emfppl.check, emfppl.fit",
    "loading": "import emfppl; emfppl.load('x ~ Normal(0, 1)').info()",
}
COMMANDS = (
    "--help",
    "check examples/eight_schools.emf examples/radon.emf",
    "check examples/eight_schools.emf --data examples/eight_schools.json",
    "fmt --check examples/eight_schools.emf",
    "info examples/radon.emf",
    "ir examples/radon.emf",
    "graph examples/radon.emf --format dot",
)
LIGHT |= {command: f"from emfppl.cli import run; run({command.split()})" for command in COMMANDS}


@pytest.mark.parametrize("code", LIGHT.values(), ids=LIGHT.keys())
def test_what_needs_no_jax_loads_none(code):
    after = f"{code}\nimport sys\nprint({{'jax', 'jaxlib', 'numpyro'}} & set(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", after], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "set()"


def test_importtime_shows_no_jax():
    command = [sys.executable, "-X", "importtime", "-c", "import emfppl"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    modules = [line.split("|")[-1].strip() for line in shown.splitlines()]
    assert "emfppl" in modules
    assert not [m for m in modules if m.split(".")[0] in HEAVY]
