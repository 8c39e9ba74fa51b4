"""What commands print: diagnostics to stderr, results to stdout, files where asked for."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from emfppl.grammar.diagnostics import Diagnostic, EmfError


def show(diagnostics: Iterable[Diagnostic]) -> None:
    """Caret pictures on stderr, in colour on a terminal."""
    for one in diagnostics:
        head, line, rest = str(one).partition("\n")
        colour = "red" if one.is_error else "yellow"
        click.echo(click.style(head, fg=colour, bold=True) + line + rest, err=True)
        click.echo(err=True)


def as_json(one: Diagnostic) -> dict[str, Any]:
    """A diagnostic as plain data: places count lines and columns from 1, ends are exclusive."""
    place: dict[str, Any] = {"file": one.source.name if one.source else None}
    if one.source is not None and one.span is not None:
        place["file"] = one.source.name_at(one.span.start)
        line, column = one.source.position(one.span.start)
        end_line, end_column = one.source.position(one.span.end)
        place |= {"line": line, "column": column, "end_line": end_line, "end_column": end_column}
    kind = "error" if one.is_error else "warning"
    return {"code": one.code, "kind": kind, "message": one.message, "hint": one.hint, **place}


def echo_json(value: Any) -> None:
    """Strict JSON: a number that is not finite becomes null."""
    click.echo(json.dumps(finite(value), indent=1, allow_nan=False, ensure_ascii=False))


def finite(value: Any) -> Any:
    """Plain data without NaN and infinities."""
    if isinstance(value, dict):
        return {str(k): finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    if isinstance(value, float) or hasattr(value, "dtype"):
        number = value.item() if hasattr(value, "item") else value
        return number if not isinstance(number, float) or math.isfinite(number) else None
    return value


def need_writable(path: Path | None) -> None:
    """Refuse a file that can't be written, before any work is done for it: E1203."""
    if path is None:
        return
    folder = path.parent
    if path.is_dir():
        raise _not_writable(path, "it is a folder", f"write {path / 'fit.emfit'}")
    if not folder.is_dir():
        raise _not_writable(path, f"there is no folder {folder}", f"make it first: mkdir -p {folder}")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise _not_writable(path, "permission denied", "choose another place")


def write(path: Path, text: str) -> None:
    """Write a text; E1203 where that fails."""
    need_writable(path)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _not_writable(path, (error.strerror or str(error)).lower(), "choose another place") from None


def _not_writable(path: Path, why: str, hint: str) -> EmfError:
    return EmfError([Diagnostic("E1203", f"{path} can't be written: {why}.", hint=hint)])
