"""Threads for LAPACK: one for each call while many small matrices are worked on at once, and workers enough to wait for them.

XLA hands the matrices of a batch to LAPACK one by one, from threads of its own. Where the OpenBLAS behind it splits every one of
them over all cores as well, the threads fight: the gradient of the Cholesky factors of 64 matrices of 100 rows takes ten times
as long. XLA's LAPACK is the one that SciPy brings; NumPy has its own, which is left alone.

A call on a large batch is divided among XLA's workers, and the worker that made it waits for the rest. With as few workers as a
small machine has cores all of them can come to wait, and the program stands still for good: so did gradients through the covariance
of a Gaussian process, 16 draws of 100 points at a time, on two cores.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import scipy

NAMES = ("scipy_openblas_{}_num_threads", "openblas_{}_num_threads")
WORKERS = 32


def enough_workers(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let XLA have more workers than a small machine has cores, unless the user has said how many; before it has begun to work."""
    if (os.cpu_count() or 1) < WORKERS:
        environment.setdefault("NPROC", str(WORKERS))


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Calls of LAPACK inside the block use one thread each; where SciPy comes with another LAPACK, nothing changes."""
    found = _threads()
    if found is None:
        yield
        return
    get, set_ = found
    before = get()
    set_(1)
    try:
        yield
    finally:
        set_(before)


@cache
def _threads() -> tuple[Callable[[], int], Callable[[int], Any]] | None:
    """Reads and sets the number of threads of SciPy's OpenBLAS."""
    for path in _libraries():
        library = ctypes.CDLL(str(path))
        for name in NAMES:
            if hasattr(library, name.format("set")):
                return getattr(library, name.format("get")), getattr(library, name.format("set"))
    return None


def _libraries() -> list[Path]:
    """The files of SciPy's OpenBLAS, beside the package on Linux and Windows and inside of it on a Mac."""
    package = Path(scipy.__file__).parent
    return sorted(p for folder in (package.parent / "scipy.libs", package / ".dylibs") for p in folder.glob("*openblas*"))
