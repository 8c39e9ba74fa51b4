"""Which floating-point precision JAX computes in, for the length of a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jax


@contextmanager
def precision(name: str | None = None) -> Iterator[None]:
    """``"float32"`` or ``"float64"`` inside the block; None leaves it as it is."""
    if name is None:
        yield
        return
    with jax.enable_x64(name == "float64"):
        yield
