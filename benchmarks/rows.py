"""Rows of a long table: each measured in a process of its own, under a time limit, and kept in a file as it comes.

A benchmark has a function ``measure(task)`` from a JSON-able task to a JSON-able row. Rows lie in
``build/benchmarks/NAME.jsonl`` with the version of the code that they were measured on; a run that was interrupted goes on
where it stopped, and a row of other code is measured again unless ``--keep`` says otherwise. With ``--jobs`` several are measured
at once, each on a core of its own (where the system can hold a process to one), so that they do not take each other's time.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import Any

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build" / "benchmarks"
MARK = "row: "  # in front of the row, in what the process prints
Task = Mapping[str, Any]
Row = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """What a user may ask of a benchmark: parts of names to select by, the number of seeds, seconds a row may take, how many
    rows at once, and more than fits into an hour."""

    models: tuple[str, ...] = ()
    seeds: int = 3
    limit: float = 900.0
    jobs: int = 1
    again: bool = False
    keep: bool = False
    cached: bool = False
    full: bool = False

    def wants(self, name: str) -> bool:
        """Whether a name is selected."""
        return not self.models or any(part in name for part in self.models)


def options(arguments: list[str]) -> tuple[list[str], Options]:
    """The benchmarks that a command line names, and its options."""
    reads = argparse.ArgumentParser(prog="python -m benchmarks", description="the options are those of the long benchmarks")
    reads.add_argument("names", nargs="*", help="the benchmarks to run; without any, what there is")
    reads.add_argument("--models", default="", help="parts of names, with commas between them; all by default")
    reads.add_argument("--seeds", type=int, default=3, help="seeds a row (gaps, density)")
    reads.add_argument("--limit", type=float, default=900.0, help="seconds that a row may take")
    reads.add_argument("--jobs", type=int, default=1, help="rows at once, each on a core of its own")
    reads.add_argument("--again", action="store_true", help="measure every row again")
    reads.add_argument("--keep", action="store_true", help="keep rows that were measured on other code")
    reads.add_argument("--cached", action="store_true", help="compile with JAX's cache on disk: quicker, and seconds mean less")
    reads.add_argument("--full", action="store_true", help="the paper's widths, and as long as it takes (density)")
    found = vars(reads.parse_args(arguments))
    names, models = found.pop("names"), tuple(part for part in found.pop("models").split(",") if part)
    return names, Options(models=models, **found)


def measured(bench: str, tasks: Iterable[Task], chosen: Options) -> Iterator[Row]:
    """The row of each task in their order, its own entries among it, from the file or by measuring."""
    path = FOLDER / f"{bench}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {} if chosen.again else rows_in(path, None if chosen.keep else version())
    free, writing = _cores(chosen.jobs), Lock()

    def row_of(task: Task) -> Row:
        if key_of(task) in kept:
            return kept[key_of(task)]
        core = free.get()
        try:
            row = {**task, **in_process(bench, task, chosen, core), "version": version()}
        finally:
            free.put(core)
        with writing, path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        return row

    with ThreadPoolExecutor(chosen.jobs) as pool:
        yield from pool.map(row_of, tasks)


def _cores(jobs: int) -> SimpleQueue[int | None]:
    """The cores that rows may be measured on, one each; a row that is measured alone may have all of them."""
    free: SimpleQueue[int | None] = SimpleQueue()
    cores = sorted(os.sched_getaffinity(0)) if jobs > 1 and hasattr(os, "sched_getaffinity") else []
    for n in range(jobs):
        free.put(cores[n % len(cores)] if cores else None)
    return free


def key_of(task: Task) -> str:
    return json.dumps(task, sort_keys=True)


def rows_in(path: Path, wanted: str | None) -> dict[str, Row]:
    """The last row of each task in a file, of one version of the code or of any; rows that failed are left out."""
    if not path.exists():
        return {}
    rows = [json.loads(text) for text in path.read_text().splitlines()]
    good = [r for r in rows if "error" not in r and wanted in (None, r["version"])]
    return {key_of({k: r[k] for k in r["task"]}): r for r in good}


@cache
def version() -> str:
    """The commit, with a plus where files differ from it; empty where there is no git."""
    called = ["git", "describe", "--always", "--abbrev=10", "--dirty=+", "--exclude=*"]
    found = subprocess.run(called, cwd=ROOT, capture_output=True, text=True, check=False)
    return found.stdout.strip()


def in_process(bench: str, task: Task, chosen: Options, core: int | None = None) -> Row:
    """One row from a process of its own, on one core where that is given, with its whole time and its peak memory; what went
    wrong where it gives none."""
    began = time.perf_counter()
    try:
        where = [] if core is None else [str(core)]
        called = [sys.executable, "-m", "benchmarks.rows", bench, json.dumps(task), *where]
        found = subprocess.run(
            called, cwd=ROOT, capture_output=True, text=True, timeout=chosen.limit, check=False, env=_environment(chosen)
        )
        row = _row_of(found)
    except subprocess.TimeoutExpired:
        row = {"error": f"no result after {chosen.limit:.0f} s"}
    return {"task": sorted(task), **row, "whole": time.perf_counter() - began}


def _environment(chosen: Options) -> dict[str, str]:
    """Without a compilation cache on disk unless it is asked for: it would spoil the seconds."""
    cache = {k: v for k, v in os.environ.items() if chosen.cached or not k.startswith("JAX_COMPILATION_CACHE")}
    return cache | {"PYTHONPATH": os.pathsep.join([str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]).rstrip(":")}


def _row_of(found: subprocess.CompletedProcess[str]) -> Row:
    told = [text for text in found.stdout.splitlines() if text.startswith(MARK)]
    if told:
        return json.loads(told[-1].removeprefix(MARK))
    lines = [text for text in found.stderr.splitlines() if text.strip()]
    told = [text for text in lines if "Error" in text.partition(":")[0]] or lines or [f"the process ended with {found.returncode}"]
    return {"error": told[-1][:200]}


@contextmanager
def compiled_once() -> Iterator[None]:
    """A block in which what is compiled is kept on disk, in a folder of its own, and found there when it is wanted again."""
    import jax

    with tempfile.TemporaryDirectory() as folder:
        jax.config.update("jax_compilation_cache_dir", folder)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
        yield


class Stopwatch:
    """Seconds that XLA compiles, from JAX's own events."""

    EVENT = "/jax/core/compile/backend_compile_duration"

    def __init__(self) -> None:
        import jax.monitoring

        self.compiling = 0.0
        jax.monitoring.register_event_duration_secs_listener(self._take)

    def _take(self, event: str, seconds: float, **_: Any) -> None:
        if event == self.EVENT:
            self.compiling += seconds

    def timed(self, call: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
        """What a call gives; its seconds, and how many of them were compiling."""
        before, began = self.compiling, time.perf_counter()
        given = call()
        return given, {"seconds": time.perf_counter() - began, "compiling": self.compiling - before}


def peak_memory() -> float:
    """The most memory that this process has held, in MiB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


def main(bench: str, task: str, core: str = "") -> None:
    """One row, printed as JSON: what the process of a row runs. JAX counts the cores it may use when it is first called."""
    if core:
        os.sched_setaffinity(0, {int(core)})
    row = import_module(f"benchmarks.{bench}").measure(json.loads(task))
    print(MARK + json.dumps({**row, "memory": peak_memory()}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:4])
