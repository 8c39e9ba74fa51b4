"""`emf info`: what a program holds."""

from __future__ import annotations

import click

from emfppl.commands.inputs import source
from emfppl.commands.output import echo_json
from emfppl.compiler.pipeline import compile_text


@click.command()
@click.argument("file")
@click.option("--json", "machine", is_flag=True, help="Print JSON.")
def info(file: str, machine: bool) -> None:
    """Tell the dims, data, latents, computed variables, loops and gates of a program."""
    from emfppl.info import info as about
    from emfppl.info import info_text

    facts = about(compile_text(source(file)))
    if machine:
        echo_json(facts)
    else:
        click.echo(info_text(facts))
