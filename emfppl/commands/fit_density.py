"""`emf fit --density`: from samples to a trained density estimator."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from emfppl.commands.density_files import all_data
from emfppl.commands.output import echo_json
from emfppl.grammar.source import SourceText

if TYPE_CHECKING:
    from emfppl.runtime.density.flow import Flow

FACTS = ("held_out", "held_out_se", "num_params", "steps", "seconds", "interrupted", "verdict")
OTHERS = {"guide": "auto", "num_draws": 1000, "batch": None, "netcdf": None, "report": False, "refine": None}


def train(text: SourceText, name: str, data: tuple[str, ...], how: dict[str, Any]) -> Flow:
    """Train the density of that name. Options that are about posteriors are wrong usage."""
    from emfppl.model import Model

    for option, default in OTHERS.items():
        if how.pop(option, default) != default:
            raise click.UsageError(f"--{option.replace('_', '-')} is for the fit of a program, not with --density.")
    density = Model(text).density(name)
    if not data:
        raise click.UsageError("A density estimator is trained on samples: --data FILE.")
    return density.fit(all_data(data), **how)


def report(flow: Flow, output: Path | None, machine: bool) -> None:
    """Save what is asked for, and print."""
    if output is not None:
        flow.save(output)
    if machine:
        echo_json(as_json(flow))
    else:
        click.echo(str(flow))


def as_json(flow: Flow) -> dict[str, Any]:
    """Figures, gates and params of models by layer and variable."""
    facts = {name: getattr(flow, name) for name in FACTS}
    gates, learned = flow.gates_by_layer, flow.params_by_layer
    plain = {
        key: {layer: {name: value.tolist() for name, value in parts.items()} for layer, parts in found.items()}
        for key, found in (("gates", gates), ("params", learned))
    }
    return {"density": flow.name, **facts, "bits_per_dim": flow.held_out_bits, **plain}
