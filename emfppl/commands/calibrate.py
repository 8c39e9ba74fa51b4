"""`emf calibrate`: whether posteriors of a program by its guide are right, on data simulated from the program itself."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from emfppl.commands.inputs import data_option, read_all, size_option, source
from emfppl.commands.output import echo_json, need_writable
from emfppl.compilation_cache import use_cache
from emfppl.compiler.pipeline import compile_text
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.runtime.arguments import LARGEST_SEED

MISCALIBRATED, INTERRUPTED = 1, 130
FIGURES = (".svg", ".png", ".pdf")


@click.command()
@click.argument("file")
@data_option
@size_option
@click.option("--num", type=click.IntRange(min=1), default=100, show_default=True, help="How many data sets.")
@click.option("--guide", default="auto", show_default=True, metavar="NAME", help="See docs/inference.md.")
@click.option("--seed", type=click.IntRange(0, LARGEST_SEED), default=0, show_default=True)
@click.option(
    "--plot", type=click.Path(path_type=Path), metavar="PATH", help="Draw the figure: .svg, .png or .pdf."
)
@click.option("--json", "machine", is_flag=True, help="Print verdict, p-values and ranks as JSON.")
@click.option("--no-progress", is_flag=True, help="No progress bar.")
def calibrate(
    file: str,
    data: tuple[str, ...],
    sizes: dict[str, int] | None,
    num: int,
    guide: str,
    seed: int,
    plot: Path | None,
    machine: bool,
    no_progress: bool,
) -> int:
    """Fit a program, then its guide again to data drawn from the program, and rank the true values.

    Exit status 1 if the ranks are not uniform. Ctrl-C ends it, and what has been ranked so far is printed.
    """
    text, progress = source(file), not no_progress and sys.stderr.isatty()
    need_drawable(plot)
    use_cache()
    from emfppl.model import Model
    from emfppl.runtime.calibrate import refuse

    bound = Model(text).bind_all(read_all(data, compile_text(text)), sizes)
    refuse(bound.program)
    fit = bound.fit(guide, seed, progress=progress)
    if fit.interrupted:
        raise KeyboardInterrupt
    found = fit.calibrate(num, seed, progress)
    if plot is not None:
        found.save(plot)
    if machine:
        ranks = {name: [int(rank) for rank in values] for name, values in found.ranks.items()}
        told = ("verdict", "calibrated", "untrusted", "interrupted")
        facts = {name: getattr(found, name) for name in told}
        echo_json({**facts, "num": found.num, "draws": found.draws, "pvalues": found.pvalues, "ranks": ranks})
    else:
        click.echo(str(found))
    if found.interrupted:
        return INTERRUPTED
    return 0 if found.calibrated else MISCALIBRATED


def need_drawable(plot: Path | None) -> None:
    """Refuse a figure that can't be drawn, before any work is done for it: E1203, E1302."""
    if plot is None:
        return
    need_writable(plot)
    if plot.suffix.lower() not in FIGURES:
        hint = f"its name ends in {', '.join(FIGURES[:-1])} or {FIGURES[-1]}"
        raise EmfError([Diagnostic("E1203", f"{plot} can't be written: it is not of a kind that is drawn.", hint=hint)])
    from emfppl.runtime.calibration import need_matplotlib

    need_matplotlib()
