"""Whole programs on file: bad ones with their full messages, good ones in the formatter's layout.

``make golden`` (or ``pytest tests/test_golden.py --update-golden``) writes the messages anew; read them before committing.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from emfppl.compiler.pipeline import check_text, compile_text
from emfppl.grammar.ast_to_text import format_program
from emfppl.grammar.diagnostics import EmfError
from emfppl.grammar.source import SourceText
from emfppl.grammar.text_to_ast import parse

FOLDER = Path(__file__).parent / "golden"
BAD = sorted((FOLDER / "bad").glob("*.emf"))
GOOD = sorted((FOLDER / "good").glob("*.emf"))


def source_of(path: Path) -> SourceText:
    return SourceText(path.read_bytes().decode(), path.name)


def messages(path: Path) -> str:
    return str(EmfError(check_text(source_of(path)))) + "\n"


@pytest.mark.parametrize("path", BAD, ids=[p.stem for p in BAD])
def test_messages_of_bad_programs(path, request):
    found, expected = messages(path), path.with_suffix(".txt")
    if request.config.getoption("--update-golden"):
        expected.write_bytes(found.encode())
    assert expected.exists(), "make golden"
    assert found == expected.read_bytes().decode()
    assert found.strip()


def test_no_message_is_left_of_a_program_that_is_gone():
    assert {p.stem for p in (FOLDER / "bad").glob("*.txt")} == {p.stem for p in BAD}


@pytest.mark.parametrize("path", GOOD, ids=[p.stem for p in GOOD])
def test_good_programs_have_no_messages_and_are_formatted(path):
    source = source_of(path)
    assert [str(d) for d in check_text(source)] == []
    assert format_program(parse(source)[0]) == source.text
    compile_text(source)  # verified around each pass


def test_there_are_many():
    assert len(BAD) >= 200
    assert len(GOOD) >= 200
