"""Data in all the forms that users have them, taken apart by name: what is given for which variable, and labels of dims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emfppl.compiler.ast_to_checked.context import near
from emfppl.compiler.graph import Graph, Role, Variable
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.runtime import data_ragged
from emfppl.runtime.data_arrays import Given, NotAnArray, family, to_given
from emfppl.runtime.data_report import Report, quoted, some
from emfppl.runtime.read_data import Table, read_data

KNOWN = (Role.DATA, Role.OBSERVED)
FORMS = "data are a dict, a pandas or polars frame, an xarray Dataset, or the path of a .json, .npz, .csv or .parquet file"


@dataclass
class Gathered:
    """What was given for each data variable, the labels given for dims, and sizes of dims that a Dataset shows.
    `surplus`: names that the program does not know, where that is a fault."""

    given: dict[str, Given] = field(default_factory=dict)
    labels: dict[str, Given] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    surplus: dict[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ()  # all that the data hold, for near names


def gather(report: Report, data: Any) -> Gathered:
    """Take `data` apart; raises `EmfError` if it has no known form."""
    if isinstance(data, str | Path):
        data = read_data(data)
    if data is None:
        return Gathered()
    if isinstance(data, Table):
        return _table(report, data)
    if isinstance(data, Mapping) and family(data) != "xarray":
        return _mapping(report, data)
    match family(data), type(data).__name__:
        case "pandas", "DataFrame":
            return _table(report, Table({n: data[n] for n in data.columns if isinstance(n, str)}))
        case "polars", "DataFrame":
            return _table(report, Table({n: data[n] for n in data.columns}))
        case "polars", "LazyFrame":
            return gather(report, data.collect())
        case "pyarrow", "Table":
            return _table(report, Table({n: data[n] for n in data.column_names}))
        case "xarray", "Dataset":
            return _dataset(report, data)
    raise EmfError([Diagnostic("E1015", f"Data can't be given as {_form(data)}.", hint=_form_hint(report.graph, data))])


def _form(data: Any) -> str:
    name = "array" if type(data).__name__ == "ndarray" else type(data).__name__
    library = family(data)
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}" if library in ("builtins", "numpy") else f"a {library} {name}"


def _form_hint(graph: Graph, data: Any) -> str:
    names = [v.name for v in graph.of_role(*KNOWN)]
    return f'give it a name: data={{"{names[0]}": …}}' if len(names) == 1 else FORMS


def data_variables(graph: Graph) -> dict[str, Variable]:
    return {v.name: v for v in graph.of_role(*KNOWN)}


# ---------------------------------------------------------------- by name


def _mapping(report: Report, data: Mapping[Any, Any]) -> Gathered:
    """A dict: every key must be the name of a data variable, or of a dim whose labels it gives."""
    known, dims = data_variables(report.graph), {d.name for d in report.graph.dims}
    out = Gathered(names=tuple(str(k) for k in data))
    for key in data:
        if key in known:
            _take(report, out, known[key], data[key])
        elif key in dims:
            _labels_of_dim(report, out, key, data[key])
        else:
            out.surplus[str(key)] = data[key]
    return out


def _take(report: Report, out: Gathered, variable: Variable, value: Any) -> None:
    if value is None and (variable.dims or not variable.optional):
        return  # as if it were not there
    try:
        out.given[variable.name] = to_given(value)
    except NotAnArray as why:
        padded = data_ragged.padded(value, len(variable.dims)) if why.code == "E1010" and variable.optional else None
        if padded is not None:
            out.given[variable.name] = padded
            return
        report.about(variable, why.code, f"`{variable.name}` {why.what.replace('{}', variable.name)}", why.hint)


def _labels_of_dim(report: Report, out: Gathered, dim: str, value: Any) -> None:
    try:
        given = to_given(value)
    except NotAnArray as why:
        report.at(_span(report, dim), why.code, f"The labels of `{dim}`: `{dim}` {why.what.replace('{}', dim)}", why.hint)
        return
    if given.values.ndim == 1:
        out.labels[dim] = given
        return
    message = f"`{dim}` is a dim; in the data stand its labels, a list, or nothing."
    size = str(value) if isinstance(value, int) else "30"
    report.at(_span(report, dim), "E1002", message, f'its size is given as sizes={{"{dim}": {size}}}')


def _span(report: Report, dim: str) -> Any:
    return next(d.span for d in report.graph.dims if d.name == dim)


# ---------------------------------------------------------------- tables


def _table(report: Report, table: Table) -> Gathered:
    """Columns by name; those that the program does not know are let be."""
    known = data_variables(report.graph)
    out = Gathered(names=tuple(table))
    used = [known[name] for name in table if name in known]
    rows = _rows(report, used)
    for variable in used:
        if len(variable.dims) == 1 and rows in (None, variable.dims[0]):
            _take(report, out, variable, table[variable.name])
        elif report.sound(variable):
            _not_a_column(report, variable, rows)
    if rows in table:
        _labels_of_dim(report, out, str(rows), table[str(rows)])
    return out


def _rows(report: Report, used: Iterable[Variable]) -> str | None:
    """The dim of the rows: the one that most columns are over. A column over another one is a fault."""
    columns = [v for v in used if len(v.dims) == 1]
    if not columns:
        return None
    rows = Counter(v.dims[0] for v in columns).most_common(1)[0][0]
    model = next(v for v in columns if v.dims[0] == rows)
    for v in columns:
        if v.dims[0] != rows:
            message = (
                f"The rows of a table are one dim, but its column `{model.name}` is over `{rows}` "
                f"and its column `{v.name}` over `{v.dims[0]}`."
            )
            hint = f'use a dict: {{"{model.name}": table["{model.name}"], …, "{v.name}": [one entry a {v.dims[0]}]}}'
            report.about(v, "E1016", message, hint, [(model.span, "the other column")])
    return rows


def _not_a_column(report: Report, variable: Variable, rows: str | None) -> None:
    what = f"over [{', '.join(variable.dims)}]" if variable.dims else "a single value"
    message = f"`{variable.name}` is {what}, so it can't be a column of a table."
    hint = f'use a dict, the columns as table["NAME"], and beside them "{variable.name}": …'
    report.about(variable, "E1003", message, hint)


def _dataset(report: Report, data: Any) -> Gathered:
    """An xarray Dataset; variables that the program does not know are let be."""
    known = data_variables(report.graph)
    out = Gathered(names=tuple(str(n) for n in data.variables))
    for name, variable in known.items():
        if name in data.variables:
            _take(report, out, variable, data[name])
    dims = {d.name for d in report.graph.dims}
    out.sizes = {str(d): int(n) for d, n in data.sizes.items() if d in dims}
    return out


# ---------------------------------------------------------------- names that are missing or not known


def check_names(report: Report, found: Gathered, required: bool) -> frozenset[str]:
    """Tell of missing and unknown names; gives the observed variables without data."""
    absent = set()
    for name, variable in data_variables(report.graph).items():
        if name in found.given or not report.sound(variable) or variable.default is not None:
            continue
        if variable.role is Role.OBSERVED and not required:
            absent.add(name)
        else:
            _missing(report, variable, found)
    for name, value in found.surplus.items():
        report.at(None, "E1002", f"The data hold `{name}`, which the program does not declare as data.",
                  _surplus_hint(report.graph, name, value, found))
    return frozenset(absent)


def _missing(report: Report, variable: Variable, found: Gathered) -> None:
    size = f"[{', '.join(variable.dims)}]" if variable.dims else ""
    message = f"The data lack `{variable.name}{size}`, declared {variable.type_text}."
    unknown = [n for n in found.names if n not in found.given]
    close = near(variable.name, unknown)
    if close:
        name = close.split("`")[1]
        found.surplus.pop(name, None)
        report.about(variable, "E1001", message, f"the data hold `{name}`; is it that?")
        return
    others = [n for n in found.names if n not in found.given]
    hint = f"the data hold {some(f'`{n}`' for n in others)}" if others else f'add "{variable.name}" to the data'
    report.about(variable, "E1001", message, hint)


def _surplus_hint(graph: Graph, name: str, value: Any, found: Gathered) -> str:
    other = next((v for v in graph.variables if v.name == name), None)
    if other is not None:
        kind = {Role.PARAM: "a param: it is learned", Role.LATENT: "unknown: it is inferred"}
        return f"`{name}` is {kind.get(other.role, 'computed by the program')}"
    free = [n for n in data_variables(graph) if n not in found.given]
    close = near(name, free)
    if close:
        return close
    if family(value) in ("pandas", "polars") and hasattr(value, "columns"):
        return "the columns of a frame go by their own names: data=frame, or {**frame, …}"
    if isinstance(value, int) and not isinstance(value, bool):
        return "leave it out; sizes of dims follow from the data"
    declared = quoted(data_variables(graph))
    return f"leave it out; the program declares {declared}" if data_variables(graph) else "it declares no data at all"
