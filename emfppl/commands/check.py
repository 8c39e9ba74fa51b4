"""`emf check`: everything wrong with programs, and with data for them."""

from __future__ import annotations

import click

from emfppl.commands.inputs import data_option, read_all, size_option, source
from emfppl.commands.output import as_json, echo_json, show
from emfppl.compiler.pipeline import check_text
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.grammar.source import SourceText


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@data_option
@size_option
@click.option("--density", metavar="NAME", help="The data are samples for this density estimator of the file.")
@click.option("--json", "machine", is_flag=True, help="Print the diagnostics as a JSON list on stdout.")
def check(files: tuple[str, ...], data: tuple[str, ...], sizes: dict[str, int] | None, density: str | None, machine: bool) -> int:
    """Check programs, and data for them where given. FILE - is standard input.

    Status 1 if there is any error; warnings alone leave it 0.
    """
    found = [one for file in files for one in diagnose(file, data, sizes, density)]
    if machine:
        echo_json([as_json(one) for one in found])
    else:
        show(found)
    return int(any(one.is_error for one in found))


def diagnose(file: str, data: tuple[str, ...], sizes: dict[str, int] | None, density: str | None = None) -> list[Diagnostic]:
    """All there is to say about one program and its data."""
    found: list[Diagnostic] = []
    try:
        text = source(file)
        found += check_text(text)
        if (data or sizes or density) and not any(one.is_error for one in found):
            _bind(text, data, sizes, density)
    except EmfError as error:
        found += error.diagnostics
    return found


def _bind(text: SourceText, data: tuple[str, ...], sizes: dict[str, int] | None, density: str | None) -> None:
    from emfppl.compiler.pipeline import compile_text
    from emfppl.runtime.bind import bind

    graph = compile_text(text)
    if density is not None or (graph.densities and not graph.nodes):
        _samples(text, data, sizes, density)
    else:
        bind(graph, read_all(data, graph) or {}, sizes, "required" if data else "optional")


def _samples(text: SourceText, data: tuple[str, ...], sizes: dict[str, int] | None, density: str | None) -> None:
    """Raise with everything that is wrong with the data as samples for a density estimator."""
    from emfppl.commands.density_files import all_data
    from emfppl.model import Model

    chosen = Model(text).density(density)
    wrong = chosen.check(all_data(data), sizes=sizes) if data else []
    if wrong:
        raise EmfError(wrong)
