"""The files that a program imports: found, read, and put behind its text."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.diagnostics import Diagnostic
from emfppl.grammar.source import SourceText, Span
from emfppl.grammar.text_to_ast import parse

LIBRARY = Path(__file__).with_name("library")
STANDARD = "std/"

parsed = lru_cache(maxsize=256)(parse)


def gathered(source: SourceText) -> SourceText:
    """The source with the text of every file behind it that it imports, those that they import too. A file that is there
    already is not read again: a saved fit has all of them in it."""
    todo = list(imports_of(SourceText(source.own_text, source.name)))
    seen: set[str] = set()
    while todo:
        name = todo.pop(0)
        if name in seen:
            continue
        seen.add(name)
        part = next((p for p in source.parts if p.name == name), None)
        text = source.text_of(part) if part else read(name)
        if text is None:
            continue
        if part is None:
            source = source.with_part(text, name)
        todo += imports_of(SourceText(text, name))
    return source


def imports_of(source: SourceText) -> Iterator[str]:
    """The names of the files that one file imports."""
    program, _ = parsed(source)
    return (file_of(s.path, source.name) for s in program.statements if isinstance(s, ast.Import))


def file_of(path: str, importer: str) -> str:
    """The name of an imported file: of the standard library as written, any other beside the file that imports it."""
    if path.startswith(STANDARD):
        return path if path.endswith(".emf") else f"{path}.emf"
    folder = "" if importer.startswith("<") else os.path.dirname(importer)
    return os.path.normpath(os.path.join(folder, os.path.expanduser(path))).replace(os.sep, "/")


def read(name: str) -> str | None:
    """The text of an imported file, or None."""
    path = LIBRARY / name.removeprefix(STANDARD) if name.startswith(STANDARD) else Path(name)
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except (OSError, ValueError):
        return None


def missing(name: str, node: ast.Import, source: SourceText, span: Span) -> Diagnostic:
    """Why a file can't be imported."""
    from emfppl.compiler.ast_to_checked.context import listed, near

    if name.startswith(STANDARD):
        known = sorted(STANDARD + p.stem for p in LIBRARY.glob("*.emf"))
        hint = near(node.path, known) or f"there are {listed(known)}"
        return Diagnostic("E0901", f"The standard library has no file `{node.path}`.", span, hint, source)
    path = Path(name)
    if os.path.exists(path):  # of any name, too long a one included
        why = "it is a folder" if os.path.isdir(path) else "it is no text in UTF-8, or it may not be read"
        return Diagnostic("E0901", f"`{name}` can't be imported: {why}.", span, "", source)
    folder = path.parent
    names = sorted(p.name for p in folder.glob("*.emf")) if os.path.isdir(folder) else []
    close = near(path.name, names) if path.suffix else f"did you mean `{path.name}.emf`?" * (f"{path.name}.emf" in names)
    where = "working directory" if source.name_at(span.start).startswith("<") else "folder of the file that imports it"
    hint = close or f"it is looked up from the {where}; for the standard library write import \"std/…\""
    return Diagnostic("E0901", f"There is no file `{name}`.", span, hint, source)
