"""The text of a program, from a path or given as it is."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.grammar.source import SourceText


def read_source(path_or_text: str | Path) -> SourceText:
    """A `Path`, or a string that ends in ``.emf``, names a file; one with a newline or a ``~`` is a program.

    Raises `EmfError` E1301 for anything else, E1201 and E1202 where the file is missing or can't be read.
    """
    if isinstance(path_or_text, Path):
        return read_file(path_or_text)
    if not isinstance(path_or_text, str):
        given = type(path_or_text).__name__
        hint = "the program comes first, then the data: fit(\"model.emf\", data={...})"
        raise EmfError([Diagnostic("E1301", f"A program is a path or a text; this is a {given}.", hint=hint)])
    if path_or_text.endswith(".emf") and "\n" not in path_or_text:
        return read_file(Path(path_or_text))
    if "\n" in path_or_text or "~" in path_or_text:
        return SourceText(path_or_text)
    hint = "the name of a file ends in .emf; anything else can be given as pathlib.Path"
    message = f"{path_or_text!r} is neither the name of a .emf file nor the text of a program."
    raise EmfError([Diagnostic("E1301", message, hint=hint)])


def read_file(path: Path) -> SourceText:
    """The text of a file, in UTF-8."""
    path = path.expanduser()
    try:
        return SourceText(path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n"), str(path))
    except FileNotFoundError:
        raise EmfError([missing(path)]) from None
    except UnicodeDecodeError as error:
        message = f"{path} is not a text in UTF-8 (byte {error.start})."
        raise EmfError([Diagnostic("E1202", message, hint="is it the right file?")]) from None
    except OSError as error:
        why = "it is a folder" if path.is_dir() else (error.strerror or str(error)).lower()
        raise EmfError([Diagnostic("E1202", f"{path} can't be read: {why}.")]) from None


def missing(path: Path) -> Diagnostic:
    """That there is no such file, with the nearest name in its folder."""
    if not path.parent.is_dir():
        return Diagnostic("E1201", f"There is no folder {path.parent}.")
    names = [p.stem for p in path.parent.iterdir() if p.suffix == path.suffix]
    near = get_close_matches(path.stem, names, n=1, cutoff=0.6)
    hint = f"did you mean {path.with_name(near[0] + path.suffix)}?" if near else ""
    return Diagnostic("E1201", f"There is no file {path}.", hint=hint)
