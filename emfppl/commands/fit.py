"""`emf fit`: from a program and data to a posterior with its verdict."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emfppl.commands.inputs import batch_option, data_option, output_option, read_all, size_option, source
from emfppl.commands.output import echo_json, need_writable, show
from emfppl.compilation_cache import use_cache
from emfppl.compiler.pipeline import check_text, compile_text
from emfppl.grammar.diagnostics import EmfError
from emfppl.grammar.source import SourceText
from emfppl.runtime.arguments import LARGEST_SEED

if TYPE_CHECKING:
    from emfppl.runtime.posterior import Posterior

INTERRUPTED = 130
FACTS = ("elbo", "elbo_se", "log_evidence", "exact_evidence", "khat", "ess", "converged", "num_params", "seconds")


@click.command()
@click.argument("file")
@data_option
@size_option
@output_option("Save the fit; emfppl.open reads it.")
@click.option("--netcdf", type=click.Path(path_type=Path), metavar="PATH", help="Write the draws for ArviZ.")
@click.option(
    "--guide",
    default="auto",
    show_default=True,
    metavar="NAME",
    help="How to approximate: see docs/inference.md.",
)
@click.option("--seed", type=click.IntRange(0, LARGEST_SEED), default=0, show_default=True)
@click.option("--num-draws", type=click.IntRange(min=1), default=1000, show_default=True)
@click.option(
    "--precision", type=click.Choice(["float32", "float64"]), help="Chosen from the program by default."
)
@click.option(
    "--budget",
    type=click.Choice(["quick", "normal", "thorough"]),
    default="normal",
    show_default=True,
    help="How much work: one cheap guide, richer ones while they pay, or all of them.",
)
@batch_option
@click.option("--density", metavar="NAME", help="Train this density estimator of the file; DATA are its samples.")
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="With --density: trainings side by side, of which the best is kept.",
)
@click.option(
    "--validation", type=float, default=0.1, show_default=True, help="With --density: the share of samples held out."
)
@click.option("--report", is_flag=True, help="Print first which guides were tried, and why no more.")
@click.option(
    "--refine",
    is_flag=False,
    flag_value="nuts",
    type=click.Choice(["nuts", "resample"]),
    help="Then draw by NUTS in the space that the fit has straightened, or resample. Before FILE: --refine=nuts.",
)
@click.option("--json", "machine", is_flag=True, help="Print the verdict and a row for every scalar as JSON.")
@click.option("--no-progress", is_flag=True, help="No progress bar.")
@click.option("--no-cache", is_flag=True, help="Compile anew; neither read nor fill JAX's cache on disk.")
def fit(
    file: str,
    data: tuple[str, ...],
    sizes: dict[str, int] | None,
    output: Path | None,
    netcdf: Path | None,
    report: bool,
    refine: str | None,
    machine: bool,
    no_progress: bool,
    no_cache: bool,
    density: str | None,
    seeds: int,
    validation: float,
    **how: Any,
) -> int:
    """Fit a program to data and print the posterior with its verdict; or train a density estimator.

    Ctrl-C ends the fit and prints the best so far, marked interrupted.
    """
    text = source(file)
    for path in (output, netcdf):
        need_writable(path)
    _warn(check_text(text))
    if no_cache:
        os.environ["JAX_ENABLE_COMPILATION_CACHE"] = "false"
    else:
        use_cache()
    progress = not no_progress and sys.stderr.isatty()
    if density is not None:
        others = {"netcdf": netcdf, "report": report, "refine": refine, "seeds": seeds, "validation": validation}
        return _trained(text, density, data, output, machine, {**how, **others, "sizes": sizes, "progress": progress})
    if seeds != 1 or validation != 0.1:
        raise click.UsageError("--seeds and --validation are for density estimators: --density NAME.")
    from emfppl.model import Model

    model = Model(text)
    posterior = model.fit(read_all(data, compile_text(text)), sizes=sizes, progress=progress, **how)
    tried, stopped = posterior.report(), posterior.interrupted
    if refine and not stopped:
        fitted, posterior = posterior, _refined(posterior, refine, progress)
        stopped = posterior is fitted or posterior.interrupted
    _save(posterior, output, netcdf)
    if machine:
        echo_json(as_json(posterior) | ({"report": tried.as_dict()} if report else {}))
    else:
        click.echo(f"{tried}\n\n{posterior}" if report else str(posterior))
    return INTERRUPTED if stopped else 0


def _trained(text: SourceText, name: str, data: tuple[str, ...], output: Path | None, machine: bool, how: dict[str, Any]) -> int:
    """Train a density estimator in place of a fit."""
    from emfppl.commands.fit_density import report, train

    flow = train(text, name, data, how)
    report(flow, output, machine)
    return INTERRUPTED if flow.interrupted else 0


def _warn(found: Any) -> None:
    """Show warnings and go on; raise with everything where there is an error."""
    if any(one.is_error for one in found):
        raise EmfError(found)
    show(found)


def _refined(posterior: Posterior, method: str, progress: bool) -> Posterior:
    """The refined fit; the fit itself if that is interrupted before there are draws."""
    try:
        return posterior.refine(method, progress=progress)
    except KeyboardInterrupt:
        click.echo("refinement interrupted before its first draws: this is the fit without it", err=True)
        return posterior


def _save(posterior: Posterior, output: Path | None, netcdf: Path | None) -> None:
    if output is not None:
        posterior.save(output)
    if netcdf is not None:
        posterior.to_arviz().to_netcdf(str(netcdf))


def as_json(posterior: Posterior) -> dict[str, Any]:
    """The verdict, and mean, sd and quantiles of every scalar by name."""
    facts = {name: getattr(posterior, name) for name in FACTS}
    told = {"interrupted": posterior.interrupted, "verdict": posterior.verdict}
    return {**facts, **told, "scalars": scalars(posterior)}


def scalars(posterior: Posterior) -> dict[str, dict[str, float]]:
    """``{"theta[0]": {"mean": …, "sd": …, "q5": …, "q50": …, "q95": …}}``; of NUTS also ``ess_bulk``, ``ess_tail``, ``rhat``."""
    return {name: {k: float(value) for k, value in row.items()} for name, row in posterior.summary().items()}
