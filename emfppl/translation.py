"""Programs of other languages, translated."""

from __future__ import annotations

from pathlib import Path

from emfppl.compiler.from_stan import translate
from emfppl.grammar.source import SourceText
from emfppl.read_source import read_file


def from_stan(path_or_text: str | Path) -> str:
    """The text of a program for a Stan program, given as the path of a ``.stan`` file or as its text.

    Raises `EmfError` with the places in the Stan program of all that can't be carried over.
    """
    text = str(path_or_text)
    if isinstance(path_or_text, Path) or (text.endswith(".stan") and "\n" not in text):
        return translate(read_file(Path(text)))
    return translate(SourceText(text, "<stan>"))
