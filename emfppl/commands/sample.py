"""`emf sample`: samples of a trained density estimator."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from emfppl.commands.density_files import all_data, as_text, need_array_file, opened_flow, write_arrays
from emfppl.commands.inputs import output_option
from emfppl.compilation_cache import use_cache
from emfppl.runtime.arguments import LARGEST_SEED


@click.command()
@click.argument("file")
@click.option("-n", "--num-samples", type=click.IntRange(min=1), default=1000, show_default=True)
@click.option("--given", "-g", multiple=True, metavar="FILE", help="What the density is conditioned on, for all or for each.")
@click.option("--seed", type=click.IntRange(0, LARGEST_SEED), default=0, show_default=True)
@output_option("Write arrays by name, as .npz or .json.")
@click.option("--plot", type=click.Path(path_type=Path), metavar="PATH", help="Draw the samples: .svg, .png or .pdf.")
def sample(file: str, num_samples: int, given: tuple[str, ...], seed: int, output: Path | None, plot: Path | None) -> None:
    """Samples of a flow that `emf fit --density` has saved, printed as JSON or written with -o."""
    from emfppl.commands.calibrate import need_drawable

    need_array_file(output)
    need_drawable(plot)
    use_cache()
    flow = opened_flow(file)
    beside = all_data(given)
    drawn = flow.sample(num_samples, beside, seed)
    arrays = drawn if isinstance(drawn, dict) else {next(iter(flow.shapes)): drawn}
    if plot is not None:
        flow.plot(num_samples=min(num_samples, 2000), given=beside, seed=seed).savefig(plot)
    if output is not None:
        write_arrays(output, {name: np.asarray(value) for name, value in arrays.items()})
    elif plot is None:
        click.echo(as_text(arrays))
