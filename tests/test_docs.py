"""Every block of code in the documentation does what its page says.

``emf`` blocks are programs: plain ones compile without a diagnostic; ``error=E0303`` and ``warning=W0105`` give just
that code. ``python`` blocks of a page run one after another in one namespace, ``sh`` blocks marked ``run`` line by
line, with ``status=1`` if they shall fail; both where `examples/` is at hand.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import emfppl
from emfppl.compiler.pipeline import check_text, compile_text
from emfppl.grammar.source import SourceText

ROOT = Path(__file__).parents[1]
TOP = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md", "examples/README.md")]
PAGES = [*TOP, *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<code>.*?)^```\s*$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, its language, what it is marked with, its text."""

    page: Path
    line: int
    language: str
    marks: tuple[tuple[str, str], ...]
    code: str

    def mark(self, name: str, default: str = "") -> str:
        return dict(self.marks).get(name, default)

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    out = []
    for found in FENCE.finditer(text):
        language, *marks = found["info"].split() or [""]
        pairs = tuple((name, value) for name, _, value in (mark.partition("=") for mark in marks))
        out.append(Block(page, text.count("\n", 0, found.start()) + 1, language, pairs, found["code"]))
    return out


ALL = [block for page in PAGES for block in blocks(page)]


def of(*languages: str) -> list[Block]:
    return [b for b in ALL if b.language in languages]


def test_the_language_reference_is_read():
    assert len([b for b in of("emf") if b.page.name == "language.md"]) >= 35
    assert {b.language for b in ALL} <= {"emf", "python", "sh", "text", "json", "mermaid", "toml"}


@pytest.mark.parametrize("block", of("emf"), ids=str)
def test_programs_are_what_the_page_says(block):
    source = SourceText(block.code)
    codes = {d.code for d in check_text(source)}
    expected = {code for kind, code in block.marks if kind in ("error", "warning")}
    assert codes == expected, "\n".join(map(str, check_text(source)))
    if not block.mark("error"):
        graph = compile_text(source)
        assert graph.nodes or graph.densities or not re.search("[~=]", block.code)


VALUES = {"positive": 1.5, "nonnegative": 1.0, "unit": 0.4, "int": 2, "count": 3, "bool": True, "index": 0}
RUNNABLE = [b for b in of("emf") if b.page.name in ("language.md", "library.md", "README.md") and not b.mark("error")]


def made_up(model: emfppl.Model, size: int = 4) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Data for a program, and sizes of its dims; real numbers ascend from above 0, since they may be times."""
    facts = model.info()
    wanted = [v for v in facts["data"] if not v["has_default"]]
    numbers = {v["name"]: VALUES["count"] for v in wanted if not v["dims"] and v["type"] == "count"}
    sizes = {d["name"]: size for d in facts["dims"] if d["size"] is None}
    known = {**numbers, **sizes}
    for dim in facts["dims"]:
        if dim["size"] is not None:
            known[dim["name"]] = eval(dim["size"], {}, known)
    rng = np.random.default_rng(0)
    data = {}
    for variable in wanted:
        shape = tuple(known[dim.rstrip("'")] for dim in variable["dims"])
        kind = variable["type"].rstrip("?").partition("(")[0]
        ascending = np.sort(np.abs(rng.normal(size=shape)), axis=-1) if shape else 0.5
        data[variable["name"]] = ascending if kind == "real" else np.full(shape, VALUES[kind])
    return {**data, **numbers}, sizes


@pytest.mark.slow
@pytest.mark.parametrize("block", RUNNABLE, ids=str)
def test_programs_run(block):
    """Bound to made-up data a program has a finite density at the centre of its noise, and can be simulated."""
    model = emfppl.load(block.code)
    if model.info()["densities"] and not model.info()["latents"]:
        return  # estimators only, of which there are laws of their own
    bound = model.bind(*made_up(model))
    values = bound.from_noise({name: np.full(shape, 0.1) for name, shape in bound.noise_shapes.items()})
    assert np.isfinite(bound.log_joint(values))
    if not re.search(r"Flat\(\)|std/areal", block.code):
        bound.sample_prior(2)


def test_the_messages_of_the_readme_are_those_that_come():
    mine = blocks(ROOT / "README.md")
    program = next(b for b in mine if b.mark("name"))
    told = next(b for b in mine if ("told", "") in b.marks)
    source = SourceText(program.code, program.mark("name"))
    assert "\n\n".join(map(str, check_text(source))) == told.code.rstrip("\n")


def test_the_fit_of_the_readme_is_the_one_that_comes(capsys):
    """But for the digits of numbers."""
    from emfppl.cli import run

    shown = next(b for b in blocks(ROOT / "README.md") if ("output", "") in b.marks)
    files = [str(ROOT / f"examples/eight_schools.{ending}") for ending in ("emf", "json")]
    assert run(["fit", files[0], "--data", files[1]]) == 0
    printed = capsys.readouterr().out.replace(str(ROOT) + "/", "")
    assert without_digits(printed) == without_digits(shown.code)


def without_digits(text: str) -> list[str]:
    return re.sub(r"-?\d[\d.e+-]*", "0", text).split()


PYTHON_PAGES = sorted({b.page for b in of("python")})
SHELL_PAGES = sorted({b.page for b in of("sh") if ("run", "") in b.marks})


@pytest.fixture
def folder(tmp_path):
    """An empty folder with the examples in it."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


def short(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PYTHON_PAGES, ids=short)
def test_python_blocks_run(page, folder, monkeypatch):
    monkeypatch.chdir(folder)
    namespace: dict[str, object] = {"__name__": "docs"}
    for block in blocks(page):
        if block.language == "python":
            code = compile("\n" * block.line + block.code, str(page), "exec")
            exec(code, namespace)


@pytest.mark.parametrize("page", SHELL_PAGES, ids=short)
def test_commands_run(page, folder):
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    for block in (b for b in blocks(page) if b.language == "sh" and ("run", "") in b.marks):
        for line in block.code.splitlines():
            done = subprocess.run(
                line, shell=True, cwd=folder, capture_output=True, text=True, env={**os.environ, "PATH": path}
            )
            expected = int(block.mark("status", "0"))
            assert done.returncode == expected, f"{line}\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{target} in {page.name}"
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there), f"{target} in {page.name}"


def test_every_page_is_linked_to():
    linked = {
        (page.parent / target.partition("#")[0]).resolve()
        for page in PAGES
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    }
    assert [short(p) for p in PAGES if p.resolve() not in linked and p.name != "README.md"] == []


def anchors(page: Path) -> set[str]:
    """The anchors that headings give, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in heads}
