"""Arrays whose axes are known by label: two of them align by name, never by position."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

Labels = tuple[str, ...]


@partial(jax.tree_util.register_dataclass, data_fields=["array"], meta_fields=["labels"])
@dataclass(frozen=True)
class Named:
    """An array and one label an axis, each label once. A tree whose leaf is the array."""

    array: Any
    labels: Labels = ()

    def length(self, label: str) -> int:
        return jnp.shape(self.array)[self.labels.index(label)]

    def renamed(self, labels: Iterable[str]) -> Named:
        return Named(self.array, tuple(labels))


def union(parts: Iterable[Named]) -> Labels:
    """All labels, in the order of their first appearance."""
    return tuple(dict.fromkeys(label for part in parts for label in part.labels))


def arranged(value: Named, labels: Sequence[str]) -> Any:
    """The array with its axes in the order of `labels`, of length 1 where it has no such axis."""
    order = [value.labels.index(label) for label in labels if label in value.labels]
    if len(order) != len(value.labels):
        raise ValueError(f"axes {value.labels} do not fit into {tuple(labels)}")
    array = value.array if order == list(range(len(order))) else jnp.transpose(value.array, order)
    shape = [value.length(label) if label in value.labels else 1 for label in labels]
    return array if list(jnp.shape(array)) == shape else jnp.reshape(array, shape)


def aligned(parts: Sequence[Named]) -> tuple[list[Any], Labels]:
    """The arrays ready to broadcast against each other, and the labels of the result. Scalars stay scalars."""
    labels = union(parts)
    return [part.array if not part.labels else arranged(part, labels) for part in parts], labels


def filled(value: Named, labels: Sequence[str], shape: Sequence[int]) -> jax.Array:
    """The array over exactly these labels, broadcast to `shape`."""
    return jnp.broadcast_to(arranged(value, labels), tuple(shape))


def stripped(value: Named, label: str) -> tuple[Any, Labels]:
    """The array with the axis `label` first, and the labels of the others."""
    where = value.labels.index(label)
    return jnp.moveaxis(value.array, where, 0), value.labels[:where] + value.labels[where + 1 :]
