"""`emf graph`: a program drawn."""

from __future__ import annotations

from pathlib import Path

import click

from emfppl.commands.inputs import output_option, source
from emfppl.commands.output import need_writable
from emfppl.compiler.pipeline import compile_text

FORMATS = ("svg", "dot", "mermaid")


@click.command()
@click.argument("file")
@output_option("Write to a .svg, .dot or .mmd file.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(FORMATS),
    help="Of what is printed; svg where Graphviz is installed, else mermaid.",
)
def graph(file: str, output: Path | None, kind: str | None) -> None:
    """Draw a program: plates as boxes, observed variables shaded."""
    from emfppl.drawing import Drawing

    drawing = Drawing(compile_text(source(file)))
    if output is None:
        click.echo(drawing.text(kind).rstrip("\n"))
    else:
        need_writable(output)
        drawing.save(output, kind)
