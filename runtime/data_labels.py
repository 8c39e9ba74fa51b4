"""Labels of dims: found on Series, frames and Datasets, given by name, or made from index data that are labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from emfppl.compiler.ast_to_checked.context import near
from emfppl.compiler.expressions import Kind
from emfppl.compiler.graph import Variable
from emfppl.runtime.data_arrays import Given, plain_labels
from emfppl.runtime.data_given import data_variables
from emfppl.runtime.data_report import Report, entry, first, label_text, more, some

Coords = dict[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Labelled:
    """Labels of one dim as they stand somewhere: on an axis of a variable, or (None) given for the dim itself."""

    dim: str
    labels: tuple[Any, ...] | range
    variable: Variable | None = None
    axis: int = 0


# ---------------------------------------------------------------- of axes


def given_coords(report: Report, given: Mapping[str, Given]) -> Coords:
    """The labels that the data give for dims by name: ``{"school": ["Choate", …]}``."""
    coords: Coords = {}
    for dim, one in given.items():
        span = next(d.span for d in report.graph.dims if d.name == dim)
        labels = _as_labels(one)
        twice = next((v for v in labels if labels.count(v) > 1), None) if len(set(labels)) < len(labels) else None
        if not labels:
            report.at(span, "E1011", f"The labels given for `{dim}` are an empty list; a dim holds at least one element.")
            report.unsure.add(dim)
        elif twice is not None:
            report.at(span, "E1013", f"The labels given for `{dim}` hold `{label_text(twice)}` twice.")
        elif one.missing is not None:
            report.at(span, "E1013", f"A label given for `{dim}` is missing.")
        else:
            coords[dim] = labels
    return coords


def _as_labels(given: Given) -> tuple[Any, ...]:
    if given.categories is not None:
        return tuple(given.categories[i] for i in given.values.tolist())
    return plain_labels(given.values)


def align(report: Report, given: dict[str, Given], coords: Coords) -> None:
    """Find the coords of dims from labelled axes, and bring all data over a dim into one order.

    The order is that of labels given by name, or of the first labelled variable. Data without labels stay as they are.
    """
    found: dict[str, list[Labelled]] = {}
    for variable in data_variables(report.graph).values():
        for one in _axes(variable, given.get(variable.name)):
            found.setdefault(one.dim, []).append(one)
    for dim, all_of_it in found.items():
        firm = [x for x in all_of_it if not isinstance(x.labels, range)]
        if dim not in coords and firm:
            coords[dim] = tuple(firm[0].labels)
        if dim in coords:
            for one in all_of_it:
                _reorder(report, given, one, coords[dim], firm[0] if firm else None)


def _axes(variable: Variable, given: Given | None) -> Iterable[Labelled]:
    for axis, dim in enumerate(variable.dims if given is not None else ()):
        labels = given.labels_of(axis) if given is not None else None
        if labels is not None:
            yield Labelled(dim.rstrip("'"), labels if isinstance(labels, range) else tuple(labels), variable, axis)


def _reorder(
    report: Report, given: dict[str, Given], one: Labelled, order: tuple[Any, ...], model: Labelled | None
) -> None:
    """Sort one axis by labels. A default index (0, 1, 2 …) counts as labels only if it holds the very same ones."""
    if one.variable is None or tuple(one.labels) == order or not report.sound(one.variable):
        return
    place = {label: i for i, label in enumerate(one.labels)}
    if len(order) == len(place) and all(label in place for label in order):
        take = np.array([place[label] for label in order])
        given[one.variable.name] = _taken(given[one.variable.name], take, one.axis)
    elif not isinstance(one.labels, range) and len(one.labels) == len(order):
        _disagree(report, one, order, model)


def _taken(given: Given, take: np.ndarray, axis: int) -> Given:
    missing = None if given.missing is None else np.take(given.missing, take, axis)
    return replace(given, values=np.take(given.values, take, axis), missing=missing)


def _disagree(report: Report, one: Labelled, order: tuple[Any, ...], model: Labelled | None) -> None:
    assert one.variable is not None
    known = set(order)
    strange = [x for x in one.labels if x not in known]
    others = f"`{model.variable.name}` has" if model is not None and model.variable is not None else "the labels given have"
    message = f"`{one.variable.name}` is labelled {_listed(strange)} along `{one.dim}`, but {others} {_listed(order)}."
    report.about(one.variable, "E1013", message, "to go by position, give the values only: series.to_numpy()")


def _listed(labels: Iterable[Any]) -> str:
    return some((label_text(x) for x in labels), 4)


# ---------------------------------------------------------------- of index data


def is_labels(given: Given) -> bool:
    """Whether index data are labels rather than positions: text, dates, categories."""
    if given.categories is not None or given.values.dtype.kind in "UM":
        return True
    kinds = set(map(type, given.values.ravel().tolist())) if given.values.dtype.kind == "O" else set()
    return any(issubclass(kind, str) or hasattr(kind, "year") for kind in kinds)


def encode(report: Report, given: dict[str, Given], coords: Coords) -> None:
    """Turn index data that are labels into positions. Where the labels of a dim are not known yet they are those
    found: categories in their own order, others sorted, over all data that index the dim."""
    groups: dict[str, list[Variable]] = {}
    for variable in data_variables(report.graph).values():
        one = given.get(variable.name)
        if variable.kind is Kind.INDEX and variable.of and one is not None and is_labels(one):
            groups.setdefault(variable.of, []).append(variable)
    for dim, variables in groups.items():
        texts = {v.name: _texts(given[v.name]) for v in variables}
        if dim not in coords:
            labels = _found(report, variables, given, texts)
            if labels is None:
                continue
            coords[dim] = labels
        place = {label: i for i, label in enumerate(coords[dim])}
        for v in variables:
            _positions(report, v, given, texts[v.name], place, coords)


def _texts(given: Given) -> list[Any]:
    """The labels entry by entry, None where one is missing."""
    if given.categories is not None:
        return [given.categories[i] if i >= 0 else None for i in given.values.ravel().tolist()]
    flat: list[Any] = list(plain_labels(given.values.ravel()))
    if given.missing is None and given.values.dtype.kind == "M" and np.isnat(given.values).any():
        return [None if np.isnat(v) else v for v in flat]
    missing = np.zeros(len(flat), bool) if given.missing is None else given.missing.ravel()
    return [None if m else v for v, m in zip(flat, missing.tolist(), strict=True)] if missing.any() else flat


def _found(
    report: Report, variables: list[Variable], given: Mapping[str, Given], texts: Mapping[str, list[Any]]
) -> tuple[Any, ...] | None:
    union = list(dict.fromkeys(x for v in variables for x in texts[v.name] if x is not None))
    for v in variables:
        categories = given[v.name].categories
        if categories is not None and set(union) <= set(categories):
            return categories
    kinds = {isinstance(x, str) for x in union}
    if len(kinds) > 1:
        message = f"`{variables[0].name}` holds text and numbers side by side, so its labels can't be sorted."
        report.about(variables[0], "E1006", message, "make all of them text, or positions from 0")
        return None
    return tuple(sorted(union))


def _positions(
    report: Report, variable: Variable, given: dict[str, Given], texts: list[Any], place: dict[Any, int], coords: Coords
) -> None:
    one = given[variable.name]
    known = {**dict.fromkeys(set(texts), -1), **place, None: -2}
    codes = np.fromiter(map(known.__getitem__, texts), np.int64, len(texts)).reshape(one.values.shape)
    absent, unknown = codes == -2, codes == -1
    if unknown.any():
        _unknown(report, variable, unknown, texts, coords)
        return
    given[variable.name] = replace(
        one, values=np.where(absent, 0, codes), missing=absent if absent.any() else None, categories=None
    )


def _unknown(report: Report, variable: Variable, unknown: np.ndarray, texts: list[Any], coords: Coords) -> None:
    dim = str(variable.of)
    label = texts[int(np.argmax(unknown))]
    message = (
        f"{entry(variable, first(unknown), coords)} is `{label_text(label)}`, but `{dim}` has no such label."
        f"{more(unknown)}"
    )
    names = [label_text(x) for x in coords[dim]]
    hint = near(label_text(label), names) or f"`{dim}` has {some(names, 6)}"
    report.about(variable, "E1013", message, hint)


