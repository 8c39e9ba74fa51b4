"""A trained flow as a text: what it is made of, what it learned, how good it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import jax
import numpy as np

from emfppl.grammar.words import plural
from emfppl.runtime.summary import number

if TYPE_CHECKING:
    from emfppl.compiler.graph import LayerSpec
    from emfppl.runtime.density.flow import Flow, Values

SHUT = 0.05  # gates that are said to be so
EVEN = 0.05  # gates that differ by less are told as one
MOST = 6  # numbers of a param that are printed


def text_of(flow: Flow) -> str:
    """Head, layers, figures, verdict."""
    size, params = flow.stack.event.size, flow.num_params
    over = ", ".join(_over(v.name, v.dims) for v in flow.sheet.event)
    given = f" given {', '.join(v.name for v in flow.sheet.given)}" if flow.sheet.given else ""
    head = f"density {flow.name} of {over}{given}: {plural(size, 'number', 'numbers')} a sample, {params:,} parameters"
    return "\n".join([head, "", *_layers(flow), "", *_figures(flow), flow.verdict])


def _over(name: str, dims: tuple[str, ...]) -> str:
    return f"{name}[{', '.join(dims)}]" if dims else name


def _layers(flow: Flow) -> list[str]:
    """A row a layer, from noise to data, with what a model learned."""
    gates, learned = list(flow.gates_by_layer.values()), list(flow.params_by_layer.values())
    rows, places = [], iter(range(len(gates)))
    for number_, spec in enumerate(flow.sheet.spec.layers):
        count = _count(flow, number_)
        told = ""
        if spec.kind == "structured":
            place = next(places)
            told = _of_model(gates[place], learned[place], dict(spec.options).get("gated", True) is not False)
        rows.append(f"  {_layer(flow, spec).ljust(_width(flow))}  {count:>9,}  {told}".rstrip())
    return [f"  {'from noise to data'.ljust(_width(flow))}  {'learned':>9}", *rows]


def _of_model(gates: Values, learned: Values, gated: bool) -> str:
    """What a model learned, after its gates; of one whose gates were shut for good that alone."""
    if gated and not any(np.any(opening) for opening in gates.values()):
        return "shut: samples held out are as likely without it"
    told = map(_gate, gates.items()) if gated else ()
    return "; ".join([*told, *(_learned(n, v) for n, v in learned.items())])


def _width(flow: Flow) -> int:
    return max(18, *(len(_layer(flow, spec)) for spec in flow.sheet.spec.layers))


def _layer(flow: Flow, spec: LayerSpec) -> str:
    """A layer as the program writes it."""
    source = flow.sheet.graph.source
    text = "" if source is None else " ".join(source.text[spec.span.start : spec.span.end].split())
    if not text.startswith(spec.kind):
        return spec.kind  # what stands between the layers of one line
    return re.sub(r",? ?layers ?= ?\d+", "", text).replace("()", "")


def _count(flow: Flow, place: int) -> int:
    """How many numbers a layer learned."""
    found = flow.params_tree["layers"].get(f"layer{place}", {})
    return sum(int(np.size(leaf)) for leaf in jax.tree.leaves(found))


def _gate(item: tuple[str, np.ndarray]) -> str:
    """How far the gates of a variable are open: their mean, and the least and largest where they differ."""
    name, openings = item[0], np.asarray(item[1], float)
    mean = float(np.mean(openings))
    how = "shut" if mean < SHUT else f"{mean:.0%} open"
    if openings.size < 2 or np.ptp(openings) < EVEN:
        return f"gate of {name} {how}"
    return f"gates of {name} {how}, from {openings.min():.0%} to {openings.max():.0%}"


def _learned(name: str, value: np.ndarray) -> str:
    """The value of a param, or where its numbers lie."""
    flat = np.ravel(value)
    if flat.size == 1:
        return f"{name} = {number(float(flat[0]))}"
    if flat.size <= MOST:
        return f"{name} = [{', '.join(number(float(v)) for v in flat)}]"
    return f"{name} from {number(float(flat.min()))} to {number(float(flat.max()))}"


def _figures(flow: Flow) -> list[str]:
    """What training saw, and the likelihood of what it did not see."""
    f = flow.facts
    error = f" ± {number(f.nats_se)}" if np.isfinite(f.nats_se) else ""
    bits, seeds = f"{flow.held_out_bits:.4g} bits per dimension", ""
    if len(f.lanes) > 1:
        seeds = f", the best of {len(f.lanes)} seeds ({number(min(f.lanes))} to {number(max(f.lanes))})"
    how = f"{f.steps:,} steps of {f.batch}, rate {f.rate:g}, {f.seconds:.1f} s"
    return [
        f"trained on {f.num_trained:,} samples, {f.num_held:,} held out: {how}",
        f"held-out log density {f.nats:.4g}{error} nats a sample, {bits}{seeds}",
    ]
