"""The value of an expression that is made of constants, sizes and data only, as a NumPy array over named axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from emfppl.compiler import expressions as x

OPERATIONS: dict[str, Callable[..., Any]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "//": np.floor_divide, "%": np.mod,
    "**": np.power, "neg": np.negative, "minimum": np.minimum, "maximum": np.maximum, "abs": np.abs,
    "square": np.square, "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "floor": np.floor, "ceil": np.ceil,
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal, "==": np.equal,
    "!=": np.not_equal, "and": np.logical_and, "or": np.logical_or, "not": np.logical_not, "if": np.where,
}  # fmt: skip


class NotKnown(Exception):
    """The expression depends on something else than constants, sizes and data."""


@dataclass(frozen=True)
class Known:
    """Sizes, data by name, and the ranges of the loops around."""

    sizes: Mapping[str, int]
    values: Mapping[str, np.ndarray]
    loops: Mapping[str, tuple[int, int]]


def value_over(expr: x.Expr, labels: tuple[str, ...], known: Known) -> np.ndarray:
    """The value as an array that broadcasts over axes `labels`; raises `NotKnown`."""
    array, own = _value(expr, known)
    if not set(own) <= set(labels):
        raise NotKnown
    order = [own.index(label) for label in labels if label in own]
    shape = [array.shape[own.index(label)] if label in own else 1 for label in labels]
    return array.transpose(order).reshape(shape)


def _value(expr: x.Expr, known: Known) -> tuple[np.ndarray, tuple[str, ...]]:
    match expr:
        case x.Const():
            return np.asarray(expr.value, float), ()
        case x.Array():
            return np.asarray(expr.values, float), tuple(a.label for a in expr.type.axes)
        case x.SizeOf():
            return np.asarray(expr.size.evaluate(known.sizes), float), ()
        case x.LoopVar() if expr.label in known.loops:
            return np.arange(*known.loops[expr.label], dtype=float), (expr.label,)
        case x.Ref() if expr.name in known.values:
            return _reference(expr, known)
        case x.Apply() if expr.op in OPERATIONS:
            parts = [_value(a, known) for a in expr.args]
            labels = tuple(dict.fromkeys(label for _, own in parts for label in own))
            with np.errstate(all="ignore"):
                return OPERATIONS[expr.op](*(value_over(a, labels, known) for a in expr.args)), labels
    raise NotKnown


def _reference(expr: x.Ref, known: Known) -> tuple[np.ndarray, tuple[str, ...]]:
    """Pick positions axis by axis, the last one first, so that the others keep their places."""
    array = known.values[expr.name]
    labels: list[str] = []
    for axis in reversed(range(len(expr.indices))):
        positions, label = _positions(expr.indices[axis], known)
        if positions.size and not (positions.min() >= -array.shape[axis] and positions.max() < array.shape[axis]):
            raise NotKnown
        array = np.take(array, positions, axis)
        labels[:0] = [label] if label is not None else []
    if len(set(labels)) < len(labels):
        raise NotKnown
    return array, tuple(labels)


def _positions(index: x.Index, known: Known) -> tuple[np.ndarray, str | None]:
    """Positions along one axis, and the label that they run over (None: a single one)."""
    match index:
        case x.Whole(axis):
            return np.arange(axis.lower.evaluate(known.sizes), axis.upper.evaluate(known.sizes)), axis.label
        case x.At(None, _, offset):
            return np.asarray(offset.evaluate(known.sizes)), None
        case x.At(str(loop), scale, offset) if loop in known.loops:
            return scale * np.arange(*known.loops[loop]) + offset.evaluate(known.sizes), loop
        case x.Gather(inner):
            array, labels = _value(inner, known)
            if len(labels) <= 1:
                return array.astype(int), labels[0] if labels else None
    raise NotKnown
