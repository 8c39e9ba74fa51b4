"""Samples for a density estimator against its description: names, ranks, sizes, labels, values. All that is wrong is told at once.

Samples are checked as any data are, over one dim more: that of the samples, which comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from emfppl.compiler.expressions import Kind
from emfppl.compiler.graph import DensitySpec, DimSize, Graph, Interval, Role, Variable
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.grammar.words import plural
from emfppl.runtime.arguments import wrong
from emfppl.runtime.bind import Binding, bind
from emfppl.runtime.data_arrays import family
from emfppl.runtime.data_checks import bound
from emfppl.runtime.data_report import declared, entry, first, more, number_text
from emfppl.runtime.read_data import Table, read_data

FEWEST = 10  # samples
NAMES = ("sample", "draw", "row")  # of the dim of the samples: the first that the program does not have


@dataclass(frozen=True, eq=False)
class Checked:
    """Samples by name (N, …), what is given with each by name (N, …), and the file's other data, with sizes and labels of dims."""

    binding: Binding
    values: dict[str, np.ndarray]
    given: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))


@dataclass(frozen=True, eq=False)
class Sheet:
    """What is known of a density before it has data: its description."""

    graph: Graph
    spec: DensitySpec

    @property
    def event(self) -> tuple[Variable, ...]:
        """The variables of one sample."""
        return self.spec.variables

    @property
    def given(self) -> tuple[Variable, ...]:
        """The variables that are given with each sample."""
        return tuple(v for v in self.spec.data if v.name in self.spec.given)

    @property
    def samples(self) -> str:
        """The name of the dim of the samples."""
        known = {d.name for d in self.spec.dims}
        return next((name for name in NAMES if name not in known), f"{NAMES[0]}_of_{self.spec.name}")

    def _lengthened(self, variable: Variable) -> Variable:
        """A variable with the dim of the samples in front."""
        return replace(variable, role=Role.DATA, dims=(self.samples, *variable.dims), optional=False, default=None)

    def own_graph(self) -> Graph:
        """The data that a density has, with nothing drawn from anything."""
        data = tuple(replace(v, role=Role.DATA) for v in self.spec.data)
        return Graph(self.spec.dims, data, (), distributions=self.graph.distributions, source=self.graph.source)

    # ------------------------------------------------------------ samples

    def checked(self, x: Any, given: Any = None, data: Any = None, sizes: Mapping[str, int] | None = None) -> Checked:
        """Samples to train on; raises `EmfError`."""
        constants = [replace(v, role=Role.DATA) for v in self.spec.data if v.name not in self.spec.given]
        named = [self._named(x, self.event), self._named(given, self.given), self._named(data, ())]
        found = self._bound(_together(named), (*self.event, *self.given), constants, sizes)
        samples = self._cut(found, self.event)
        if len(samples[self.event[0].name]) < FEWEST:
            raise self._too_few(len(samples[self.event[0].name]))
        known = {v.name: found.values[v.name] for v in constants if v.name in found.values}
        binding = Binding(self.own_graph(), self._sizes(found), self._coords(found), known)
        return Checked(binding, samples, self._cut(found, self.given))

    def again(self, binding: Binding, x: Any, given: Any = None) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Samples, and what is given with them, for a density whose sizes and labels are known; raises `EmfError`."""
        named = [self._named(x, self.event), self._named(given, self.given)]
        found = self._bound_again(named, (*self.event, *self.given), binding)
        return self._cut(found, self.event), self._cut(found, self.given)

    def given_again(self, binding: Binding, given: Any) -> dict[str, np.ndarray]:
        """What is given with samples that are to be drawn: (N, …) by name; raises `EmfError`."""
        if not self.given:
            return {}
        found = self._bound_again([self._named(given, self.given)], self.given, binding)
        return self._cut(found, self.given)

    def _bound_again(self, named: list[Mapping[str, Any]], variables: tuple[Variable, ...], binding: Binding) -> Binding:
        """Data checked against sizes that are known, which are those of the samples that were trained on."""
        try:
            return self._bound(_together(named), variables, [], binding.sizes, binding.coords)
        except EmfError as error:
            raise EmfError(_of_training(d) for d in error.diagnostics) from None

    def _bound(
        self,
        data: Any,
        lengthened: Iterable[Variable],
        constants: Iterable[Variable],
        sizes: Mapping[str, int] | None,
        coords: Mapping[str, tuple] | None = None,
    ) -> Binding:
        """Data checked as those of a program; edges of types besides, where no finite density is."""
        variables = tuple(self._lengthened(v) for v in lengthened)
        dims = (DimSize(self.samples), *self.spec.dims)
        graph = Graph(dims, (*variables, *constants, *self._inside(variables)), (), source=self.graph.source)
        if coords:
            data = {**{d: labels for d, labels in coords.items() if d not in data}, **data}
        faults, found = [], None
        try:
            found = bind(graph, data, sizes)
        except EmfError as error:
            faults = list(error.diagnostics)
        if found is None:
            raise EmfError(faults)
        faults = [d for v in variables if v.name not in self.spec.given for d in self._on_edge(v, found)]
        if faults:
            raise EmfError(faults)
        return found

    def _inside(self, seen: Iterable[Variable]) -> tuple[Variable, ...]:
        """Variables of models, over dims whose sizes must be known."""
        names = {v.name for v in seen}
        models = [layer.model for layer in self.spec.layers if layer.model is not None]
        latent = {v.name: v for m in models for v in m.of_role(Role.LATENT, Role.PARAM) if v.name not in names}
        return tuple(latent.values())

    def _cut(self, binding: Binding, variables: Iterable[Variable]) -> dict[str, np.ndarray]:
        return {v.name: binding.values[v.name] for v in variables}

    def _sizes(self, binding: Binding) -> dict[str, int]:
        return {d: n for d, n in binding.sizes.items() if d != self.samples}

    def _coords(self, binding: Binding) -> dict[str, tuple]:
        return {d: labels for d, labels in binding.coords.items() if d != self.samples}

    # ------------------------------------------------------------ forms

    def _named(self, given: Any, variables: tuple[Variable, ...]) -> Mapping[str, Any]:
        """Data by name: files read, a bare array, or a table of other columns, under the name of the only variable."""
        if given is None:
            return {}
        if isinstance(given, str | Path):
            given = read_data(given)
        given = _as_mapping(given, {v.name for v in variables})
        names = {v.name for v in self.event} | {v.name for v in self.spec.data} | {d.name for d in self.spec.dims}
        if isinstance(given, Table) and len(variables) == 1 and len(variables[0].dims) == 1 and not names & set(given):
            return {variables[0].name: np.column_stack([np.asarray(column) for column in given.values()])}
        if isinstance(given, Mapping):
            return Table({n: v for n, v in given.items() if n in names}) if isinstance(given, Table) else given
        if len(variables) == 1:
            return {variables[0].name: given}
        told = ", ".join(f'"{v.name}": …' for v in variables)
        raise EmfError([Diagnostic("E1015", f"This {type(given).__name__} has no names.", hint=f"give {{{told}}}")])

    # ------------------------------------------------------------ faults of samples

    def _on_edge(self, variable: Variable, found: Binding) -> list[Diagnostic]:
        """Tell of real numbers that are the bound of their type, which no finite number of the real line comes to."""
        x, support = found.values[variable.name], variable.support
        if variable.kind is not Kind.REAL or not isinstance(support, Interval):
            return []
        bad = (x == bound(support.lower, -np.inf, found.sizes)) | (x == bound(support.upper, np.inf, found.sizes))
        if not bad.any():
            return []
        where, value = entry(variable, first(bad), found.coords), number_text(x[first(bad)])
        message = f"{where} is {value}, on the edge of its type: {declared(variable)}.{more(bad)}"
        hint = "a density has samples inside of their support; move them inside, or declare a wider type"
        return [Diagnostic("E1522", message, variable.span, hint, self.graph.source)]

    def _too_few(self, count: int) -> EmfError:
        message = f"`{self.spec.name}` is to learn from {plural(count, 'sample', 'samples')}; it needs {FEWEST} at least."
        hint = "each sample is one entry along the first axis"
        return EmfError([Diagnostic("E1523", message, self.spec.span, hint, self.graph.source)])


def _of_training(fault: Diagnostic) -> Diagnostic:
    """A fault of sizes, told by one who gave none."""
    if fault.code != "E1004" or "in `sizes`" not in fault.message:
        return fault
    message = fault.message.replace("in `sizes`", "in the samples that were trained on")
    return replace(fault, message=message, hint="a density is that of events of one size; fit another one to events of this size")


def _as_mapping(given: Any, names: set[str]) -> Any:
    """Frames and Datasets as mappings, if they hold some of the names; others as they are."""
    match family(given), type(given).__name__:
        case "xarray", "Dataset":
            return {str(name): given[name] for name in given.data_vars}
        case ("pandas" | "polars", "DataFrame"):
            columns = [name for name in given.columns if isinstance(name, str)]
        case "pyarrow", "Table":
            columns = list(given.column_names)
        case _:
            return given
    if names & set(columns) or family(given) == "pyarrow":
        return Table({name: given[name] for name in columns})
    return given


def _together(parts: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Data of several arguments as one; a table alone stays one."""
    parts = [p for p in parts if len(p)]
    if len(parts) <= 1:
        return parts[0] if parts else {}
    out: dict[str, Any] = {}
    for one in parts:
        for name in one:
            if name in out:
                raise wrong(f"`{name}` is given twice.", "give it in one of the arguments")
            out[name] = one[name]
    return out
