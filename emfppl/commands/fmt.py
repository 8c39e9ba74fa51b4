"""`emf fmt`: programs in the one layout; comments stay."""

from __future__ import annotations

from pathlib import Path

import click

from emfppl.commands.inputs import source
from emfppl.commands.output import show, write
from emfppl.grammar.source import SourceText
from emfppl.grammar.text_to_ast import parse


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--check",
    "only_check",
    is_flag=True,
    help="Write nothing; name the files that would change, status 1 if any.",
)
@click.option("--stdout", "to_stdout", is_flag=True, help="Print the result in place of writing the file.")
def fmt(files: tuple[str, ...], only_check: bool, to_stdout: bool) -> int:
    """Format programs in place. FILE - reads standard input and prints.

    A program with syntax errors is left as it is, and diagnosed.
    """
    return max([_one(file, only_check, to_stdout) for file in files])


def _one(file: str, only_check: bool, to_stdout: bool) -> int:
    text = source(file)
    new = formatted(text)
    if new is None:
        return 1
    if only_check:
        if new != text.text:
            click.echo(f"{text.name} would be formatted")
        return int(new != text.text)
    if to_stdout or file == "-":
        click.echo(new, nl=False)
    elif new != text.text:
        write(Path(file), new)
        click.echo(f"{file} formatted", err=True)
    return 0


def formatted(text: SourceText) -> str | None:
    """The program in its layout; None, after telling why, if it does not parse."""
    from emfppl.grammar.ast_to_text import format_program

    program, problems = parse(text)
    if any(one.is_error for one in problems):
        show(problems)
        return None
    return format_program(program)
