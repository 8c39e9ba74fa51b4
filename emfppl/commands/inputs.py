"""What commands are given: programs, data files, sizes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from emfppl.compiler.graph import Graph
from emfppl.grammar.source import SourceText
from emfppl.read_source import read_file
from emfppl.runtime.arguments import wrong

DATA_HELP = "Data: a JSON, NPZ, CSV or Parquet file. Several may be given; together they hold all variables."


def source(file: str) -> SourceText:
    """The program in a file, or on standard input for ``-``."""
    if file == "-":
        return SourceText(sys.stdin.read().replace("\r\n", "\n"), "<stdin>")
    return read_file(Path(file))


def data_option(command: Callable) -> Callable:
    return click.option("--data", "-d", "data", multiple=True, metavar="FILE", help=DATA_HELP)(command)


def output_option(text: str, metavar: str = "PATH") -> Callable[[Callable], Callable]:
    """``-o``: where the command writes what it makes."""
    return click.option("-o", "--output", type=click.Path(path_type=Path), metavar=metavar, help=text)


def size_option(command: Callable) -> Callable:
    text = "Size of a dim that no data show, as NAME=NUMBER; may be given several times."
    return click.option("--size", "sizes", multiple=True, metavar="NAME=NUMBER", callback=_sizes, help=text)(
        command
    )


def batch_option(command: Callable) -> Callable:
    text = "Work on so many entries of a dim at each step, drawn at random, as DIM=NUMBER."
    return click.option("--batch", multiple=True, metavar="DIM=NUMBER", callback=_sizes, help=text)(command)


def _sizes(context: click.Context, option: click.Parameter, values: Sequence[str]) -> dict[str, int] | None:
    out: dict[str, int] = {}
    for value in values:
        name, sign, number = value.partition("=")
        if not (name.strip() and sign and number.strip().isdigit()):
            raise click.BadParameter(f"{value!r} is not of the form {option.metavar}, such as time=30")
        out[name.strip()] = int(number)
    return out or None


def read_all(paths: Sequence[str], graph: Graph) -> Any:
    """The data of all files together; None without files.

    Of several, each name may stand in one only, and columns of tables that the program does not know are let be.
    """
    from emfppl.runtime.read_data import Table, read_data

    if len(paths) <= 1:
        return read_data(Path(paths[0])) if paths else None
    known = {v.name for v in graph.variables} | {d.name for d in graph.dims}
    merged: dict[str, Any] = {}
    home: dict[str, str] = {}
    for path in paths:
        found = read_data(Path(path))
        for name, values in found.items():
            if isinstance(found, Table) and name not in known:
                continue
            if name in merged:
                raise wrong(f"{home[name]} and {path} both hold `{name}`.", "keep it in one of them")
            merged[name], home[name] = values, path
    return merged
