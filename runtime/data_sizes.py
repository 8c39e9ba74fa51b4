"""Sizes of dims: shown by data, given by the program, by `sizes` or by labels; brought together, and told apart where they
disagree."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from emfppl.compiler.ast_to_checked.context import listed, near
from emfppl.compiler.expressions import Kind, SizeOf, walk
from emfppl.compiler.graph import DimSize, Graph, Variable, node_exprs
from emfppl.compiler.sizes import Size
from emfppl.grammar.words import plural
from emfppl.runtime.data_arrays import Given
from emfppl.runtime.data_given import data_variables
from emfppl.runtime.data_report import Report


@dataclass(frozen=True)
class Shown:
    """A size of a dim and who says so: data along one of their axes, or somebody else, in words."""

    size: int
    variable: Variable | None = None
    by: str = ""
    rank: int = 2  # 0: the program, 1: `sizes`, labels and the like, 2: data

    @property
    def source(self) -> str:
        return f"in `{self.variable.name}`" if self.variable is not None else self.by


@dataclass
class Sizes:
    """What has been shown so far of every dim."""

    shown: dict[str, list[Shown]] = field(default_factory=dict)

    def add(self, dim: str, one: Shown) -> None:
        self.shown.setdefault(dim.rstrip("'"), []).append(one)

    def add_given(self, given: Mapping[str, Given], graph: Graph) -> None:
        for variable in data_variables(graph).values():
            if variable.name in given:
                for dim, size in zip(variable.dims, given[variable.name].values.shape, strict=True):
                    self.add(dim, Shown(size, variable))


def unify(report: Report, sizes: Sizes, numbers: Mapping[str, int]) -> dict[str, int]:
    """One size a dim. `numbers`: scalar data that the program makes sizes of."""
    _empty(report, sizes)
    known = {dim: _agreed(shown) for dim, shown in sizes.shown.items()}
    for _ in report.graph.dims:  # sizes made of sizes made of sizes
        for dim in report.graph.dims:
            _from_program(report, dim, known, numbers, sizes)
    for dim in report.graph.dims:
        if len({s.size for s in sizes.shown.get(dim.name, ())}) > 1:
            _conflict(report, dim, sizes.shown[dim.name])
        if known.get(dim.name, 1) < 1 and dim.name not in report.unsure:
            _too_small(report, dim, known[dim.name])
    return {d.name: known[d.name] for d in report.graph.dims if d.name in known}


def _agreed(shown: list[Shown]) -> int:
    """The size that counts: of the best source, the most frequent."""
    best = min(s.rank for s in shown)
    return Counter(s.size for s in shown if s.rank == best).most_common(1)[0][0]


def _empty(report: Report, sizes: Sizes) -> None:
    for dim, shown in sizes.shown.items():
        for one in [s for s in shown if s.size == 0 and s.variable is not None]:
            assert one.variable is not None
            if report.sound(one.variable):
                message = f"`{one.variable.name}` is empty along `{dim}`; a dim holds at least one element."
                report.about(one.variable, "E1011", message)
            report.unsure.add(dim)
            shown.remove(one)
    for dim in [d for d, shown in sizes.shown.items() if not shown]:
        del sizes.shown[dim]


def _from_program(
    report: Report, dim: DimSize, known: dict[str, int], numbers: Mapping[str, int], sizes: Sizes
) -> None:
    """Use ``dim pair = school * 2``, forwards, or backwards if just one dim in it is not known."""
    if dim.size is None:
        return
    values = {**known, **numbers}
    unknown = [d for d in dim.size.dims if d not in values]
    if not unknown:
        size = dim.size.evaluate(values)
        one = Shown(size, None, f"by `dim {dim.name} = {dim.size}`", 0)
        if one not in sizes.shown.get(dim.name, ()):
            sizes.add(dim.name, one)
        known[dim.name] = size
    elif len(unknown) == 1 and dim.name in known and unknown[0] in {d.name for d in report.graph.dims}:
        solved = _solve(dim.size, unknown[0], known[dim.name], values)
        if solved is not None:
            known[unknown[0]] = solved


def _solve(size: Size, name: str, total: int, values: Mapping[str, int]) -> int | None:
    """The size of `name` for which `size` comes to `total`, if it enters linearly and divides."""
    if any(monomial.count(name) > 1 for monomial, _ in size.terms):
        return None
    at_zero = size.evaluate({**values, name: 0})
    slope = size.evaluate({**values, name: 1}) - at_zero
    return (total - at_zero) // slope if slope and (total - at_zero) % slope == 0 else None


def _conflict(report: Report, dim: DimSize, shown: list[Shown]) -> None:
    agreed = _agreed(shown)
    groups: dict[int, list[Shown]] = {agreed: []}
    for one in sorted(shown, key=lambda s: s.rank):
        groups.setdefault(one.size, []).append(one)
    parts = [f"{size} {listed(dict.fromkeys(s.source for s in group))}" for size, group in groups.items()]
    message = f"`{dim.name}` has size {', but '.join(parts)}."
    deviants = [s for s in shown if s.size != agreed and s.variable is not None]
    models = [s for s in groups[agreed] if s.variable is not None]
    notes = [(s.variable.span, f"{agreed} here") for s in models[:1] if s.variable is not None]
    if deviants and any(s.rank == 0 for s in groups[agreed]):
        notes = [(dim.span, f"{agreed} here")]
    for one in deviants:
        assert one.variable is not None
        report.broken.add(one.variable.name)
    report.unsure.add(dim.name)
    first = deviants[0].variable if deviants else None
    report.at(first.span if first is not None else dim.span, "E1004", message, _conflict_hint(dim, shown), notes)


def _conflict_hint(dim: DimSize, shown: list[Shown]) -> str:
    if any("labels in" in s.by for s in shown):
        return f'give all labels of {dim.name}, in the order of the data: {{"{dim.name}": [label, …]}}'
    if any(s.by.startswith("in `sizes`") for s in shown):
        return f"leave `{dim.name}` out of `sizes`; the data show it"
    return ""


def _too_small(report: Report, dim: DimSize, size: int) -> None:
    message = f"`dim {dim.name} = {dim.size}` comes to {size} here; a dim holds at least one element."
    report.at(dim.span, "E1011", message)
    report.unsure.add(dim.name)


# ---------------------------------------------------------------- sizes that nobody gives


def check_known(report: Report, sizes: Mapping[str, int], given: Mapping[str, Given], absent: frozenset[str]) -> None:
    """Tell of every dim in use without a size, unless a fault in the data over it is the reason."""
    used = _used(report.graph)
    for dim in report.graph.dims:
        if dim.name in sizes or dim.name in report.unsure or dim.name not in used:
            continue
        variables = data_variables(report.graph).values()
        over = [v for v in variables if dim.name in [d.rstrip("'") for d in v.dims]]
        made_of = dim.size.dims if dim.size is not None else frozenset()
        faulty = any(not report.sound(v) for v in variables if v in over or v.of == dim.name)
        if faulty or made_of & (report.broken | report.unsure):
            continue
        if dim.size is not None and any(d not in sizes for d in made_of if d in used):
            continue  # told of that one
        _tell_unknown(report, dim, given, [v for v in over if v.name in absent])


def _used(graph: Graph) -> set[str]:
    """Dims that some variable, loop, index type or expression runs over, and those that their sizes are made of."""
    used = {d.rstrip("'") for v in graph.variables for d in v.dims} | {v.of for v in graph.variables if v.of}
    for node in graph.nodes:
        used |= {axis.dim.rstrip("'") for axis in node.domain}
        used |= {d for e in node_exprs(node) for x in walk(e) if isinstance(x, SizeOf) for d in x.size.dims}
    for dim in graph.dims:
        used |= dim.size.dims if dim.size is not None and dim.name in used else frozenset()
    return used


def _tell_unknown(report: Report, dim: DimSize, given: Mapping[str, Given], absent: list[Variable]) -> None:
    example, hint = 30, ""
    message = f"Nothing says how large the dim `{dim.name}` is: no data are over it."
    if absent:
        message = f"Nothing says how large the dim `{dim.name}` is: `{absent[0].name}`, which is over it, was not given."
    for v in data_variables(report.graph).values():
        if v.kind is Kind.INDEX and v.of == dim.name and v.name in given and report.sound(v):
            low, high = _range(given[v.name])
            example = high + 1
            message = f"Nothing says how large `{dim.name}` is: `{v.name}` goes up to {high}, but there may be more."
            hint = f"; or if {v.name} holds labels rather than positions from 0, make them text" if low > 0 else ""
    remedy = f'give it: sizes={{"{dim.name}": {example}}}, or dim {dim.name} = {example}'
    report.at(dim.span, "E1005", message, remedy + hint)


def _range(given: Given) -> tuple[int, int]:
    numbers = [int(v) for v in given.values.ravel().tolist() if isinstance(v, int | float) and math.isfinite(v)]
    return min(numbers, default=0), max(numbers, default=29)


def check_argument(report: Report, given: Mapping[str, int] | None, sizes: Sizes) -> None:
    """Take in ``sizes={"time": 30}``."""
    names = [d.name for d in report.graph.dims]
    for name, size in (given or {}).items():
        if name not in names:
            hint = near(name, names) or (f"it has {listed(names)}" if names else "")
            report.at(None, "E1002", f"`sizes` names `{name}`, but the program has no such dim.", hint)
        elif size < 1:
            report.at(None, "E1011", f"`sizes` gives `{name}` the size {size}; a dim holds at least one element.")
            report.unsure.add(name)
        else:
            sizes.add(name, Shown(size, None, "in `sizes`", 1))


# ---------------------------------------------------------------- the right number of axes, the right way round


def check_rank(report: Report, variable: Variable, given: Given) -> bool:
    """Whether the data have as many axes as the declaration has dims."""
    shape = given.values.shape
    if len(shape) == len(variable.dims):
        return True
    what = {0: "a single value", 1: f"a list of {shape[0] if shape else 0}", 2: f"a table of shape {shape}"}
    got = what.get(len(shape), f"an array of shape {shape}")
    wanted = f"over [{', '.join(variable.dims)}]" if variable.dims else "without dims, as a single value"
    message = f"`{variable.name}` is declared {wanted}, but the data hold {got}."
    report.about(variable, "E1003", message, _rank_hint(variable, shape))
    return False


def _rank_hint(variable: Variable, shape: tuple[int, ...]) -> str:
    rank, name = len(variable.dims), variable.name
    squeezed = tuple(n for n in shape if n != 1)
    if len(shape) > rank and len(squeezed) <= rank and len(shape) - rank <= shape.count(1):
        return f"drop the axis of length 1: {name}.squeeze()" if rank else f"give the number itself, not a list: {name}[0]"
    if not shape:
        dims = plural(rank, "dim")
        return f"give one entry for each element, or declare it without {dims if rank > 1 else 'the dim'}"
    if len(shape) < rank:
        return f"nest the lists: one inner list over [{', '.join(variable.dims[1:])}] for each element of {variable.dims[0]}"
    return f"declare it with {plural(len(shape), 'dim')}, or give {wanted_rank(rank)}"


def wanted_rank(rank: int) -> str:
    return {0: "a single value", 1: "a list", 2: "a table"}.get(rank, f"an array with {rank} axes")


def check_transposed(report: Report, given: Mapping[str, Given], sizes: Sizes) -> None:
    """Find data whose axes fit their dims the other way round, and take what they show out of `sizes`."""
    for variable in data_variables(report.graph).values():
        one = given.get(variable.name)
        if one is None or len(variable.dims) != 2 or one.dims is not None or not report.sound(variable):
            continue
        others = {d: _by_others(sizes, d, variable) for d in variable.dims}
        shape, turned = one.values.shape, one.values.shape[::-1]
        fits = all(others[d] in (None, n) for d, n in zip(variable.dims, turned, strict=True))
        if not fits or all(others[d] in (None, n) for d, n in zip(variable.dims, shape, strict=True)):
            continue
        known = next(d for d in variable.dims if others[d] is not None)
        message = (
            f"`{variable.name}` is declared over [{', '.join(variable.dims)}], but its shape is {shape}; "
            f"`{known}` has size {others[known]}. It fits transposed."
        )
        report.about(variable, "E1004", message, f"give {variable.name}.T, or declare it over [{', '.join(variable.dims[::-1])}]")
        for shown in sizes.shown.values():
            shown[:] = [s for s in shown if s.variable is not variable]
        report.unsure |= {d.rstrip("'") for d in variable.dims if others[d] is None}


def _by_others(sizes: Sizes, dim: str, variable: Variable) -> int | None:
    shown = [s for s in sizes.shown.get(dim.rstrip("'"), ()) if s.variable is not variable]
    return _agreed(shown) if shown else None
