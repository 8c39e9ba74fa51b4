"""Threads: one for each call of LAPACK while many small matrices are worked on at once, workers enough to wait for them, and none
that take turns with the rounds of a small loop.

XLA hands the matrices of a batch to LAPACK one by one, from threads of its own. Where the OpenBLAS behind it splits every one of
them over all cores as well, the threads fight: the gradient of the Cholesky factors of 64 matrices of 100 rows takes ten times
as long. XLA's LAPACK is the one that SciPy brings; NumPy has its own, which is left alone.

A call on a large batch is divided among XLA's workers, and the worker that made it waits for the rest. With as few workers as a
small machine has cores all of them can come to wait, and the program stands still for good: so did gradients through the covariance
of a Gaussian process, 16 draws of 100 points at a time, on two cores.

XLA's programs for CPUs are kernels of an operation or a few, handed from worker to worker; in a loop over the times of a short
series each of them is a thousandth of a millisecond of work. Loops whose rounds touch up to a kilobyte are one function instead;
here those are whose rounds touch up to 128.
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
EXTRA = "--xla_backend_extra_options"
SMALL = 2**17  # bytes that a round of a loop touches: up to here the loop is one function


def enough_workers(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let XLA have more workers than a small machine has cores, unless the user has said how many; before it has begun to work."""
    if (os.cpu_count() or 1) < WORKERS:
        environment.setdefault("NPROC", str(WORKERS))


def small_loops_in_one_piece(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let XLA compile small loops as one function each, unless the user has set such options; before it has begun to work."""
    flags = environment.get("XLA_FLAGS", "")
    if EXTRA not in flags:
        environment["XLA_FLAGS"] = f"{flags} {EXTRA}=xla_cpu_small_while_loop_byte_threshold={SMALL}".strip()


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
