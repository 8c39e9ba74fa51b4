"""Threads for LAPACK: one for each call while many small matrices are worked on at once.

XLA hands the matrices of a batch to LAPACK one by one, from threads of its own. Where the OpenBLAS behind it splits every one of
them over all cores as well, the threads fight: the gradient of the Cholesky factors of 64 matrices of 100 rows takes ten times
as long. XLA's LAPACK is the one that SciPy brings; NumPy has its own, which is left alone.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import scipy

NAMES = ("scipy_openblas_{}_num_threads", "openblas_{}_num_threads")


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
