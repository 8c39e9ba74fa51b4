"""A trained flow in one file, of the form that fits have (`emfppl.runtime.store`); the samples are not in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from emfppl.compiler.distributions import Table
from emfppl.compiler.graph import Graph
from emfppl.runtime import store
from emfppl.runtime.bind import Binding, bind_description
from emfppl.runtime.density.flow import Flow
from emfppl.runtime.density.samples import Sheet
from emfppl.runtime.density.stack import Stack
from emfppl.runtime.density.training_text import facts_from
from emfppl.runtime.precision import precision

if TYPE_CHECKING:
    pass

KIND = "density"


def save_flow(flow: Flow, path: str | Path) -> None:
    """Write the file; raises `EmfError` E1203 where it can't be written."""
    path = store.path_of(path, "saved", 'flow.save("flow.emfit")')
    parts = {**store.source_parts(flow.sheet.graph), store.PARAMS: save_tensors(store.flattened(flow.params_tree))}
    known = {name: np.asarray(value, order="C") for name, value in flow.binding.values.items()}
    if known:
        parts[store.DATA] = save_tensors(known)
    about = {"name": flow.name, "binding": flow.binding.describe(), "facts": store.all_plain(flow.facts.as_dict())}
    store.write(path, store.head(flow.sheet.graph) | {KIND: about}, parts)


def rebuilt(graph: Graph, table: Table, manifest: Mapping[str, Any], parts: Mapping[str, bytes]) -> Flow:
    """The flow of a file; KeyError, TypeError or ValueError where it is damaged."""
    about = manifest[KIND]
    spec = next((d for d in graph.densities if d.name == about["name"]), None)
    if spec is None:
        raise ValueError(about["name"])
    sheet, facts = Sheet(graph, spec), facts_from(about["facts"])
    own = sheet.own_graph()
    described = bind_description(own, about["binding"])
    values = load_tensors(parts[store.DATA]) if store.DATA in parts else {}
    with precision(facts.precision):
        stack = Stack(spec, Binding(own, described.sizes, described.coords, values), table)
        template = stack.init(np.random.default_rng(0))
        params = store.filled(template, load_tensors(parts[store.PARAMS]))
        params = jax.tree.map(lambda leaf: np.asarray(leaf, jax.dtypes.canonicalize_dtype(np.float64)), params)
    return Flow(sheet, stack, params, facts)
