"""`emf score`: how well a trained density estimator predicts samples."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from emfppl.commands.density_files import all_data, need_array_file, opened_flow, write_arrays
from emfppl.commands.inputs import data_option, output_option
from emfppl.commands.output import echo_json
from emfppl.compilation_cache import use_cache


@click.command()
@click.argument("file")
@data_option
@output_option("Write the log density of every sample, as .npz or .json.")
@click.option("--json", "machine", is_flag=True, help="Print the figures as JSON.")
def score(file: str, data: tuple[str, ...], output: Path | None, machine: bool) -> None:
    """The mean log density of samples under a flow that `emf fit --density` has saved, and bits per dimension."""
    if not data:
        raise click.UsageError("Samples are needed: --data FILE.")
    need_array_file(output)
    use_cache()
    flow = opened_flow(file)
    logs = np.atleast_1d(flow.log_prob(all_data(data)))
    mean, error = float(np.mean(logs)), float(np.std(logs, ddof=1) / np.sqrt(len(logs))) if len(logs) > 1 else float("nan")
    bits = -mean / np.log(2) / flow.stack.event.size
    if output is not None:
        write_arrays(output, {"log_prob": logs})
    if machine:
        echo_json({"log_density": mean, "standard_error": error, "bits_per_dim": bits, "num_samples": len(logs)})
    else:
        around = f" ± {error:.2g}" if np.isfinite(error) else ""
        click.echo(f"log density {mean:.6g}{around} nats a sample over {len(logs):,} samples, {bits:.4g} bits per dimension")
