"""Data whose axes have names (xarray): brought into the order of the declaration."""

from __future__ import annotations

from dataclasses import replace

from emfppl.compiler.ast_to_checked.context import near
from emfppl.compiler.graph import Variable
from emfppl.runtime.data_arrays import Given
from emfppl.runtime.data_report import Report, over


def by_name(report: Report, variable: Variable, given: Given) -> Given | None:
    """Transpose as the declaration says. A primed dim may go by any name that is left over: xarray has each name once."""
    if given.dims is None:
        return given
    order = _order(variable.dims, given.dims)
    if order is None:
        message = f"`{variable.name}` is declared {over(variable.dims)}, but the data are {over(given.dims)}."
        report.about(variable, "E1003", message, _hint(variable, given.dims))
        return None
    missing = None if given.missing is None else given.missing.transpose(order)
    labels = tuple(given.labels[i] for i in order)
    return replace(given, values=given.values.transpose(order), missing=missing, labels=labels, dims=variable.dims)


def _order(wanted: tuple[str, ...], has: tuple[str, ...]) -> list[int] | None:
    if len(wanted) != len(has):
        return None
    left = [i for i, d in enumerate(has) if d not in wanted]
    order = []
    for dim in wanted:
        if dim in has:
            order.append(has.index(dim))
        elif dim.endswith("'") and left:
            order.append(left.pop(0))
        else:
            return None
    return order


def _hint(variable: Variable, has: tuple[str, ...]) -> str:
    strange = [d for d in has if d not in variable.dims]
    free = [d for d in variable.dims if d not in has]
    if len(strange) == len(free) and strange:
        close = near(strange[0], free)
        target = close.split("`")[1] if close else free[0]
        return f'rename its dim: .rename({{"{strange[0]}": "{target}"}})'
    return f"sum or select over {strange[0]} first" if strange else ""

