"""The command `emf`: its group of commands, and what becomes of errors.

Nothing heavy is imported here or at the top of a command: `emf check` answers without JAX.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module

import click

from emfppl.commands.output import show
from emfppl.grammar.diagnostics import EmfError

FINE, DIAGNOSED, USAGE, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 130, 141


COMMANDS = ("calibrate", "check", "fit", "fmt", "from-stan", "graph", "info", "ir", "sample", "score")


class Group(click.Group):
    """The commands, each in a module of its own that is imported when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        module = name.replace("-", "_")
        return getattr(import_module(f"emfppl.commands.{module}"), module) if name in COMMANDS else None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            near = get_close_matches(name, COMMANDS, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(COMMANDS)}"
            ctx.fail(f"There is no command {name!r}; {hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="emfppl", prog_name="emf")
def emf() -> None:
    """Probabilistic programs in .emf files: check them, look at them, fit them to data, train and use their density estimators.

    Exit status: 0 fine, 1 something was diagnosed, 2 wrong usage.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and leave with its status."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """The status of one command; diagnostics go to stderr."""
    try:
        status = emf.main(
            args=None if arguments is None else list(arguments), prog_name="emf", standalone_mode=False
        )
        sys.stdout.flush()
        return int(status or FINE)
    except EmfError as error:
        show(error.diagnostics)
        return DIAGNOSED
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        error.show()
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # or Python complains once more on leaving
        return PIPE_CLOSED
