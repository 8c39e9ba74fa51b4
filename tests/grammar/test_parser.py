"""The saved tables of the parser are those of the grammar."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emfppl.grammar import parser, text_to_ast
from emfppl.grammar.source import SourceText

TEXTS = [p.read_bytes().decode() for p in sorted((Path(__file__).parents[1] / "golden").glob("*/*.emf"))]


def test_tables_are_those_of_the_grammar():
    saved = json.loads(parser.TABLES.read_text())["of"].split()[0]
    assert saved == parser.fingerprint().split()[0], "make tables"


def test_tables_read_what_the_grammar_reads(monkeypatch):
    saved = parser._saved()
    if saved is None:
        pytest.skip("tables of another version of lark")
    read = {}
    for name, one in (("saved", saved), ("compiled", parser.compiled())):
        monkeypatch.setattr(text_to_ast, "line_parser", lambda one=one: one)
        read[name] = [text_to_ast.parse(SourceText(text)) for text in TEXTS]
    assert read["saved"] == read["compiled"]


def test_tables_of_another_grammar_are_not_used(monkeypatch, tmp_path):
    other = tmp_path / "emf.lark"
    other.write_text(parser.GRAMMAR.read_text() + "\n// changed\n")
    monkeypatch.setattr(parser, "GRAMMAR", other)
    assert parser._saved() is None
    monkeypatch.setattr(parser, "TABLES", tmp_path / "none.json")
    assert parser._saved() is None


def test_tables_can_be_written(monkeypatch, tmp_path):
    monkeypatch.setattr(parser, "TABLES", tmp_path / "tables.json")
    parser.save()
    assert list(parser._saved().lex("x = 1")) == list(parser.compiled().lex("x = 1"))
