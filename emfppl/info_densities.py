"""What a density estimator is made of, as plain data and as text."""

from __future__ import annotations

from typing import Any

from emfppl.compiler.graph import DensitySpec, LayerSpec, Role, Variable

Facts = dict[str, Any]


def density_facts(density: DensitySpec) -> Facts:
    """The event, what the density is conditioned on, data that models read, and the layers; a dict that JSON can hold."""
    constants = [v for v in density.data if v.name not in density.given]
    return {
        "name": density.name,
        "dims": [{"name": d.name, "size": None if d.size is None else str(d.size)} for d in density.dims],
        "event": [_named(v) for v in density.variables],
        "conditioned_on": [_named(v) for v in density.data if v.name in density.given],
        "data": [_named(v) for v in constants],
        "layers": [_layer(layer) for layer in density.layers],
    }


def _named(v: Variable) -> Facts:
    return {"name": v.name, "dims": list(v.dims), "type": v.type_text}


def _layer(layer: LayerSpec) -> Facts:
    options = {name: list(value) if isinstance(value, tuple) else value for name, value in layer.options}
    if layer.model is None:
        return {"kind": layer.kind, "options": options}
    drawn, params = (
        [{"name": v.name, "dims": list(v.dims)} for v in layer.model.of_role(role)] for role in (Role.LATENT, Role.PARAM)
    )
    return {"kind": layer.kind, "options": options, "draws": drawn, "params": params}


def density_note(facts: Facts) -> str:
    """``of x[time]  given c  through maf, reverse, structured``."""
    event = ", ".join(v["name"] + (f"[{', '.join(v['dims'])}]" if v["dims"] else "") for v in facts["event"])
    given = f"  given {', '.join(v['name'] for v in facts['conditioned_on'])}" if facts["conditioned_on"] else ""
    return f"of {event}{given}  through {', '.join(layer['kind'] for layer in facts['layers'])}"
