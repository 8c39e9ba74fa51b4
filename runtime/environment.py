"""What XLA reads from the environment, once, when it first works.

Its workers: a call of LAPACK on a large batch is divided among them, and the worker that made it waits for the rest. With as few
as a small machine has cores all of them can come to wait, and the program stands still for good: so did gradients through the
covariance of a Gaussian process, 16 draws of 100 points at a time, on two cores.

Its kernels: a program for CPUs is kernels of an operation or a few, handed from worker to worker; in a loop over the times of a
short series each of them is a thousandth of a millisecond of work. Loops whose rounds touch up to a kilobyte are one function
instead; here those are whose rounds touch up to 128.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

WORKERS = 32
EXTRA = "--xla_backend_extra_options"
SMALL = 2**17  # bytes that a round of a loop touches: up to here the loop is one function


def prepare(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set what the user has not set; of no effect where XLA has worked already."""
    enough_workers(environment)
    small_loops_in_one_piece(environment)


def enough_workers(environment: MutableMapping[str, str]) -> None:
    """Let XLA have more workers than a small machine has cores, unless the user has said how many."""
    if (os.cpu_count() or 1) < WORKERS:
        environment.setdefault("NPROC", str(WORKERS))


def small_loops_in_one_piece(environment: MutableMapping[str, str]) -> None:
    """Let XLA compile small loops as one function each, unless the user has set such options."""
    flags = environment.get("XLA_FLAGS", "")
    if EXTRA not in flags:
        environment["XLA_FLAGS"] = f"{flags} {EXTRA}=xla_cpu_small_while_loop_byte_threshold={SMALL}".strip()
