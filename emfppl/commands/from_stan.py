"""`emf from-stan`: a Stan program as a program of this language."""

from __future__ import annotations

from pathlib import Path

import click

from emfppl.commands.inputs import output_option, source
from emfppl.commands.output import need_writable, write


@click.command("from-stan")
@click.argument("file")
@output_option("Write the program there in place of printing it.", "FILE.emf")
def from_stan(file: str, output: Path | None) -> None:
    """Translate the Stan program in FILE. FILE - is standard input.

    What has no counterpart is told, with its line and what to write instead; status 1.
    """
    from emfppl.compiler.from_stan import translate

    need_writable(output)
    text = translate(source(file))
    if output is None:
        click.echo(text, nl=False)
    else:
        write(output, text)
