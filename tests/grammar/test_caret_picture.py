"""How a diagnostic prints."""

from __future__ import annotations

import pytest

from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.grammar.source import SourceText, Span


def shown(text: str, part: str, *notes: str, hint: str = "") -> str:
    """The picture of a diagnostic at the first place of `part`, with notes at the others."""
    where = {p: Span(text.index(p), text.index(p) + len(p)) for p in (part, *notes)}
    source = SourceText(text, "m.emf")
    return str(Diagnostic("E0203", "A message.", where[part], hint, source, tuple((where[n], "here") for n in notes)))


PICTURES = {
    "one line": (
        ("x = 1\nyy = abc\n", "abc"),
        """\
error[E0203]: A message.
 --> m.emf:2:6
  |
2 | yy = abc
  |      ^^^""",
    ),
    "a note above": (
        ("abc = 1\nx = 2\nyy = 3\n", "yy", "abc"),
        """\
error[E0203]: A message.
 --> m.emf:3:1
  |
1 | abc = 1
  | --- here
...
3 | yy = 3
  | ^^""",
    ),
    "a note in the same line": (
        ("abc = f(x\n", "x", "("),
        """\
error[E0203]: A message.
 --> m.emf:1:9
  |
1 | abc = f(x
  |         ^
  |        - here""",
    ),
    "line numbers of several digits": (
        ("\n" * 9 + "abc = 1\nx = 2\n", "x =", "abc"),
        """\
error[E0203]: A message.
  --> m.emf:11:1
   |
10 | abc = 1
   | --- here
11 | x = 2
   | ^^^""",
    ),
    "several lines": (
        ("x = f(\n  1)\n", "f(\n  1)"),
        """\
error[E0203]: A message.
 --> m.emf:1:5
  |
1 | x = f(
  |     ^^""",
    ),
    "tabs": (
        ("\tx =\ty\r\n", "y"),
        """\
error[E0203]: A message.
 --> m.emf:1:6
  |
1 |     x = y
  |         ^""",
    ),
    "wide and combining characters": (
        ("高さ = e\u0301 + abc", "abc"),
        """\
error[E0203]: A message.
 --> m.emf:1:11
  |
1 | 高さ = e\u0301 + abc
  |            ^^^""",
    ),
    "what can't be printed": (
        ("x\0 = abc", "abc"),
        """\
error[E0203]: A message.
 --> m.emf:1:6
  |
1 | x\ufffd = abc
  |      ^^^""",
    ),
    "the end of the text": (
        ("x = (", "("),
        """\
error[E0203]: A message.
 --> m.emf:1:5
  |
1 | x = (
  |     ^""",
    ),
}


@pytest.mark.parametrize(("where", "picture"), PICTURES.values(), ids=PICTURES)
def test_pictures(where, picture):
    assert shown(*where) == picture


def test_a_hint_stands_below():
    assert shown("abc", "abc", hint="write x").split("\n")[-1] == "hint: write x"


def test_long_lines_are_cut_around_the_place():
    text = "x = " + " + ".join(["abcdefgh"] * 60) + " + here + " + " + ".join(["abcdefgh"] * 60)
    *_, line, mark = shown(text, "here").split("\n")
    assert max(len(line), len(mark)) < 150
    assert line.index("here") == mark.index("^^^^")
    assert line.endswith("…")
    assert line[4] == "…"


def test_without_a_place():
    assert str(Diagnostic("E1001", "No data.")) == "error[E1001]: No data."
    assert str(Diagnostic("W0101", "Unused.", hint="delete it")) == "warning[W0101]: Unused.\nhint: delete it"


def test_an_error_of_several_tells_how_many():
    error, warning = Diagnostic("E0201", "A."), Diagnostic("W0101", "B.")
    assert str(EmfError([error])) == "error[E0201]: A."
    assert str(EmfError([error, error, warning])).endswith("\n\n2 errors, 1 warning")
    assert str(EmfError([error, error])).endswith("\n\n2 errors")
    assert EmfError([error]).diagnostics == (error,)
