"""Imports: where files are looked up, whose names mean what, and whose lines messages show."""

from __future__ import annotations

from pathlib import Path

import pytest

from emfppl import EmfError, check, load
from emfppl.compiler.ast_to_linked import link
from emfppl.compiler.imported_files import gathered
from emfppl.compiler.pipeline import check_text, compile_text, expanded_text
from emfppl.grammar.source import SourceText
from emfppl.read_source import read_file

WALKS = """import "base.emf"
g = 9.81
twice = 2 * g
_secret = 3
def double(x: real): real { return 2 * x }
model walk(scale: positive) {
  x[0] ~ Normal(0, double(scale))
  for t in time[1:] {
    x[t] ~ step(x[t-1], scale)
  }
  return x
}
"""
BASE = """model step(before: real, scale: positive) {
  x ~ Normal(before, scale)
  return x
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/walks.emf").write_text(WALKS)
    (tmp_path / "lib/base.emf").write_text(BASE)
    return tmp_path


def written(folder: Path, text: str, name: str = "main.emf") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def told(path: Path) -> list[tuple[str, str]]:
    """The codes, and which line of which file each points at."""
    out = []
    for one in check(path):
        assert one.source is not None and one.span is not None
        file = Path(one.source.name_at(one.span.start)).name
        out.append((one.code, f"{file}:{one.source.position(one.span.start)[0]}"))
    return out


def test_files_are_looked_up_from_the_file_that_imports_them(folder):
    path = written(folder, 'import "lib/walks.emf"\ndim day\ny[day] ~ walk(2)\nz = twice\n')
    assert told(path) == []
    text = expanded_text(read_file(path))
    assert "y[0] ~ Normal(0, double(2))" in text
    assert "y[y.t] ~ Normal(y[y.t-1], 2)" in text
    assert text.startswith("g = 9.81\ntwice = 2 * g\n")


def test_a_text_imports_from_the_working_directory(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert check('import "lib/walks.emf"\ndim day\ny[day] ~ walk(2)\n') == []
    monkeypatch.chdir(folder / "lib")
    assert [d.code for d in check('import "lib/walks.emf"\ndim day\ny[day] ~ walk(2)\n')] == ["E0901"]


def test_own_names_win(folder):
    """A function, a constant and a model of a library whose names the program uses for something else."""
    text = 'import "lib/walks.emf"\ndim day\ng ~ Normal(0, 1)\ndouble = 3\ndef step(x): real { return x + 1 }\nexp = 1\n'
    path = written(folder, text + "y[day] ~ walk(2)\nh = twice + double + step(2) + exp\n")
    assert told(path) == []
    assert "twice = 2 * walks.g" in expanded_text(read_file(path))
    assert "y[0] ~ Normal(0, walks.double(2))" in expanded_text(read_file(path))


def test_names_of_an_import(folder):
    path = written(folder, 'import "lib/walks.emf" as w\ndim day\ny[day] ~ w.walk(2)\nz = w.double(w.g)\n')
    assert told(path) == []
    wrong = written(folder, 'import "lib/walks.emf" as w\ndim day\ny[day] ~ walk(2)\nz = double(2)\nu = w.double(w.h)\n')
    assert told(wrong) == [("E0207", "main.emf:3"), ("E0206", "main.emf:4"), ("E0201", "main.emf:5")]
    near = written(folder, 'import "lib/walks.emf" as w\ndim day\ny[day] ~ w.wlak(2)\n')
    assert check(near)[0].hint == "did you mean `w.walk`?"


def test_files_do_not_see_the_program_that_imports_them(folder):
    written(folder, "model noise(s: positive) {\n  x ~ Normal(f(s), 1)\n  return x\n}\nc = 2 * k\n", "noise.emf")
    path = written(folder, 'import "noise.emf"\ndef f(x): real { return exp(x) }\nk = 3\nx ~ noise(1)\nz = c\n')
    assert told(path) == [("E0206", "noise.emf:2"), ("E0201", "noise.emf:5")]


def test_names_with_an_underscore_stay_at_home(folder):
    assert told(written(folder, 'import "lib/walks.emf"\nx = _secret\n')) == [("E0201", "main.emf:2")]


def test_two_files_with_one_name(folder):
    written(folder, BASE, "other.emf")
    path = written(folder, 'import "lib/base.emf"\nimport "other.emf"\nx ~ step(0, 1)\n')
    assert told(path) == [("E0904", "main.emf:2")]
    path = written(folder, 'import "lib/base.emf"\nimport "other.emf" as o\nx ~ step(0, 1)\nz ~ o.step(x, 1)\n')
    assert told(path) == []


def test_a_file_twice_is_one_file(folder):
    path = written(folder, 'import "lib/base.emf"\nimport "lib/walks.emf"\nx ~ step(0, 1)\n')
    assert told(path) == []


def test_faults_are_shown_in_their_own_file(folder):
    written(folder, "# one\nmodel broken(s: positive) {\n  x ~ Normal(m, s)\n  return x\n}\n", "broken.emf")
    path = written(folder, 'import "broken.emf"\nx ~ broken(1)\n')
    assert told(path) == [("E0201", "broken.emf:3")]
    assert f"--> {folder}/broken.emf:3:14" in str(check(path)[0])
    written(folder, "model broken(s: positive) {\n  x ~ ~ Normal(m, s)\n  return x\n}\n", "broken.emf")
    assert told(path) == [("E0105", "broken.emf:2")]


def test_faults_in_a_use_are_shown_with_the_use(folder):
    written(folder, "model noise(s) {\n  t = 2 * s\n  x ~ Normal(0, t + s)\n  z ~ Normal(x, s)\n  return z\n}\n", "noise.emf")
    path = written(folder, 'import "noise.emf"\na ~ Normal(0, 1)\nb = a\nx ~ noise(b)\nx ~ Normal(0, 1)\n')
    (one,) = check(path)
    assert one.code == "E0603"
    assert f"::: {folder}/noise.emf:4:" in str(one)


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"a.emf": 'import "b.emf"\n', "b.emf": 'import "a.emf"\n'}, "E0902"),
        ({"a.emf": 'import "a.emf"\n'}, "E0902"),
        ({"a.emf": 'import "main.emf"\n'}, "E0902"),
        ({"a.emf": "dim day\n"}, "E0903"),
        ({"a.emf": "x ~ Normal(0, 1)\n"}, "E0903"),
        ({"b.emf": ""}, "E0901"),
        ({"a.emf": "model m(x) {\n  y ~ m(x)\n  return y\n}\n"}, "E0905"),
        ({"a.emf": "def f(x): real { return x }\ndef f(x): real { return 2 * x }\n"}, "E0203"),
    ],
)
def test_wrong_imports(folder, files, code):
    for name, text in files.items():
        written(folder, text, name)
    path = written(folder, 'import "a.emf"\nx ~ Normal(0, 1)\n')
    assert {d.code for d in check(path)} == {code}
    with pytest.raises(EmfError):
        load(path)


def test_what_can_not_be_read(folder):
    (folder / "a.emf").write_bytes(b"\xff\xfe\xff")
    path = written(folder, 'import "a.emf"\n')
    assert "UTF-8" in check(path)[0].message
    assert "folder" in check(written(folder, 'import "lib"\n'))[0].message
    assert check(written(folder, 'import "lib/wakls.emf"\n'))[0].hint == "did you mean `walks.emf`?"
    assert check(written(folder, 'import "lib/walks"\n'))[0].hint == "did you mean `walks.emf`?"


def test_a_changed_library_is_read_again(folder):
    path = written(folder, 'import "lib/base.emf"\nx ~ step(0, 1)\n')
    before = compile_text(read_file(path))
    (folder / "lib/base.emf").write_text(BASE.replace("Normal", "Cauchy"))
    assert compile_text(read_file(path)) != before


def test_a_gathered_source_needs_no_files(folder):
    path = written(folder, 'import "lib/walks.emf"\ndim day\ny[day] ~ walk(2)\n')
    whole = gathered(read_file(path))
    before = compile_text(whole)
    for file in (folder / "lib").iterdir():
        file.unlink()
    assert [d.code for d in check_text(read_file(path))] == ["E0901"]
    assert compile_text(whole) == before
    assert [part.name for part in whole.files] == [f"{folder}/lib/walks.emf", f"{folder}/lib/base.emf"]
    assert SourceText(whole.own_text, whole.name) == read_file(path)


def test_spans_of_imported_statements_are_their_own(folder):
    path = written(folder, 'import "lib/walks.emf"\n')
    whole = gathered(read_file(path))
    program, problems = link(whole)
    assert problems == ()
    names = {whole.text[s.name_span.start : s.name_span.end] for s in program.statements if hasattr(s, "name_span")}
    assert names == {"walk", "double", "step"}


def test_distributions_come_with_an_import(folder):
    """Under the name that the program gives them, or where it has one of its own under that of their file."""
    law = "distribution Ray(x: positive, s: positive) { return log(x) - 2 * log(s) - x ^ 2 / (2 * s ^ 2) }\n"
    written(folder, law + "model speed(scale: positive) {\n  x ~ Ray(scale)\n  return x\n}\n", "laws.emf")
    path = written(folder, 'import "laws.emf" as l\na ~ l.speed(2)\nb ~ l.Ray(1)\n')
    assert told(path) == []
    assert "a ~ l.Ray(2)" in expanded_text(read_file(path))
    own = "distribution Ray(x: positive, s: positive) { return log(s) - s * x }\n"
    path = written(folder, f'import "laws.emf"\n{own}a ~ speed(2)\nb ~ Ray(1)\n')
    assert told(path) == []
    assert "a ~ laws.Ray(2)" in expanded_text(read_file(path))
