"""Samples of some coordinates given others.

Where every layer, from data to noise, takes the known coordinates to as many that depend on no other, the noise of these is
known too. The rest of the noise is drawn, and the whole taken back to data: the known coordinates come out as they went in, and the
others are drawn from their distribution given them, exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from emfppl.compiler.graph import Structured
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.runtime.arguments import wrong
from emfppl.runtime.data_report import quoted
from emfppl.runtime.density.batches import Samples

if TYPE_CHECKING:
    from emfppl.runtime.density.flow import Flow


def condition(flow: Flow, known: Any, num_samples: int, given: Any, seed: int) -> Any:
    """See `Flow.condition`."""
    flat = flow.stack.event.flat(_filled_in(flow, known))
    mask = ~np.isnan(flat)
    below = _held(flow, mask)
    beside = flow.given_for(given, num_samples)
    whole = np.where(mask, flat, _anything(flow, beside))
    one = {name: value[None] for name, value in flow.stack.event.by_name(whole).items()}
    checked, _ = flow.sheet.again(flow.binding, one, {name: value[:1] for name, value in beside.items()})
    samples = Samples(np.repeat(flow.stack.event.flat(checked), num_samples, axis=0), beside)
    drawn = np.random.default_rng(seed).normal(size=(num_samples, flow.stack.dim))
    noise = np.where(below, flow.over("to_noise", samples), drawn)
    return flow.named(np.where(mask, flat, flow.over("from_noise", Samples(noise, beside))))


def _held(flow: Flow, mask: np.ndarray) -> np.ndarray:
    """Which numbers of the noise (D,) belong to those of a sample (E,) that are known; raises `EmfError` E1525."""
    if flow.stack.event.spread:
        raise _not_possible(flow, "whole numbers are spread by `dequantize`, so that none can be held")
    for variable in flow.sheet.event:
        part = flow.stack.event.by_name(mask)[variable.name]
        if isinstance(variable.support, Structured) and np.any(part[..., 1:] & ~part[..., :-1]):
            raise _not_possible(flow, f"`{variable.name}` is {variable.type_text}; of it the first entries can be known")
    below, blocking = flow.stack.settled(mask)
    if blocking is not None:
        kind = flow.stack.spec.layers[blocking].kind
        raise _not_possible(flow, f"layer {blocking + 1}, `{kind}`, mixes what is known with what is not", blocking)
    return below


def _anything(flow: Flow, beside: dict[str, np.ndarray]) -> np.ndarray:
    """Some sample (E,), whose coordinates stand in for those that are not known."""
    first = {name: value[:1] for name, value in beside.items()}
    return flow.over("from_noise", Samples(np.zeros((1, flow.stack.dim)), first))[0]


def _filled_in(flow: Flow, known: Any) -> dict[str, np.ndarray]:
    """Every variable in the shape of one sample, NaN where it is not known."""
    shapes = flow.shapes
    values = {name: np.full(shape, np.nan) for name, shape in shapes.items()}
    if isinstance(known, Mapping) and all(isinstance(key, str) for key in known):
        strange = [key for key in known if key not in shapes]
        if strange:
            raise wrong(f"`known` holds {quoted(strange)}, not of the event.", f"its variables are {quoted(shapes)}")
        for name, value in known.items():
            _put(values[name], ..., value, name)
    elif len(shapes) > 1:
        raise wrong("`known` is a dict of arrays by name here.", f"its variables are {quoted(shapes)}")
    elif isinstance(known, Mapping):
        name = next(iter(shapes))
        for place, value in known.items():
            _put(values[name], place, value, name)
    else:
        name = next(iter(shapes))
        _put(values[name], ..., known, name)
    count = sum(int(np.sum(~np.isnan(v))) for v in values.values())
    if not 0 < count < flow.stack.event.size:
        raise wrong(f"`known` gives {count} of {flow.stack.event.size} numbers.", "give some, and leave some to be drawn as NaN")
    return values


def _put(array: np.ndarray, place: Any, value: Any, name: str) -> None:
    try:
        array[place] = np.asarray(value, float)
    except (IndexError, TypeError, ValueError) as error:
        why = str(error).split("\n")[0]
        raise wrong(f"What is known does not fit into one sample of `{name}`, of shape {array.shape}: {why}.") from None


def _not_possible(flow: Flow, why: str, place: int | None = None) -> EmfError:
    """These coordinates can't be held while the others are drawn."""
    message = f"These coordinates of `{flow.name}` can't be held while the others are drawn: {why}."
    spec = flow.sheet.spec
    span = spec.layers[place].span if place is not None else spec.span
    hint = "a density with these among its conditioned_on can be trained"
    if place is not None:
        hint = "layers such as maf hold the first coordinates, with no reverse or permute below; or train with conditioned_on"
    return EmfError([Diagnostic("E1525", message, span, hint, flow.sheet.graph.source)])
