"""`emf ir`: the text form of every stage of the compiler."""

from __future__ import annotations

import click

from emfppl.commands.inputs import source
from emfppl.compiler.pipeline import STAGES, stage_text


@click.command()
@click.argument("file")
@click.option(
    "--stop-after",
    "stage",
    type=click.Choice(STAGES),
    default="passes",
    show_default=True,
    help="The stage to print.",
)
def ir(file: str, stage: str) -> None:
    """Print what the compiler makes of a program after one of its stages."""
    click.echo(stage_text(source(file), stage).rstrip("\n"))
