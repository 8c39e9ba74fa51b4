"""The pages that are made from tables are those of the tables (``make docs``)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from emfppl.compiler import functions
from emfppl.compiler.distributions import STANDARD
from emfppl.grammar.codes import CODES

DOCS = Path(__file__).parents[1] / "docs"
SPEC = importlib.util.spec_from_file_location("make_tables", DOCS / "make_tables.py")
make_tables = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(make_tables)


@pytest.mark.parametrize(("path", "text"), make_tables.pages().items(), ids=lambda p: p.name if isinstance(p, Path) else "")
def test_pages_are_up_to_date(path, text):
    assert path.read_text(encoding="utf-8") == text, "make docs"


def test_pages_are_complete():
    errors, distributions = (DOCS / "errors.md").read_text(), (DOCS / "distributions.md").read_text()
    assert all(f"### {code.id}: {code.title}\n\n{code.explanation}" in errors for code in CODES)
    assert all(f"`{row.name}(" in distributions for row in STANDARD.rows)
    assert all(f"`{name}(" in (DOCS / "functions.md").read_text() for name in functions.NAMES - {"if"})


def test_codes_are_in_order_and_each_once():
    codes = [code.id for code in CODES]
    assert codes == sorted(set(codes))
