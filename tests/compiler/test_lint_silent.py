"""Nothing that is right is warned of: examples, and programs of the documentation, have no warnings but those that a page shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from emfppl.compiler.pipeline import check_text
from emfppl.grammar.source import SourceText

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").rglob("*.emf"))


@pytest.mark.parametrize("path", EXAMPLES, ids=[str(p.relative_to(ROOT)) for p in EXAMPLES])
def test_examples_are_silent(path):
    assert [str(d) for d in check_text(SourceText(path.read_text(), str(path)))] == []


def test_a_comment_silences_each_warning():
    """Each bad program that is only warned of: with the comment on its line nothing is left."""
    silenced = 0
    for path in sorted((ROOT / "tests/golden/bad").glob("lint_*.emf")):
        source = SourceText(path.read_text())
        found = check_text(source)
        if any(d.is_error for d in found):
            continue
        rows = source.text.split("\n")
        for d in found:
            row = source.position(d.span.start)[0] - 1
            mark = re.search(r"# emf: ok", rows[row])
            rows[row] += f" {d.code}" if mark else f"  # emf: ok {d.code}"
        assert check_text(SourceText("\n".join(rows))) == ()
        silenced += len(found)
    assert silenced >= 15
