"""Distributions and supports with their arguments evaluated."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax


@partial(jax.tree_util.register_dataclass, data_fields=("args",), meta_fields=("name",))
@dataclass(frozen=True)
class DistValue:
    """A distribution applied to arguments, arrays or distributions in their turn.

    Arrays broadcast against the batch shape followed, by the parameter's rank, by event axes. Inside ``Mixture``, weights and the
    component's arguments have the axis of the components directly after the batch axes; the categories of ``Categorical``
    are the last axis of its argument. Elementwise distributions of an ordered (…) vector have its axis last.
    """

    name: str
    args: dict[str, Any] = field(default_factory=dict)


@partial(jax.tree_util.register_dataclass, data_fields=("lower", "upper"), meta_fields=("name",))
@dataclass(frozen=True)
class SupportValue:
    """A support: ``interval`` and ``integers`` with bounds over the batch (None is no bound), or the name of a structured one."""

    name: str
    lower: Any = None
    upper: Any = None
