"""A progress bar for fits that take longer than a moment, on a terminal only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

PATIENCE = 2.0  # seconds before the bar appears


class Progress:
    """A context in which a fit reports; silent if not wanted, or if standard error is no terminal."""

    def __init__(self, wanted: bool):
        self._wanted = wanted and sys.stderr.isatty()
        self._began = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()

    def say(self, what: str) -> None:
        """That something of unknown length has begun."""
        self._show(what, 0, None)

    def report(self, name: str) -> Callable[[int, int, float], None]:
        """What a search of the guide `name` reports to: steps done, steps of the round, ELBO."""
        return lambda done, steps, elbo: self._show(f"{name}, ELBO {elbo:.2f}", done, steps)

    def train(self, name: str) -> Callable[[int, int, float], None]:
        """What a training reports to: steps done, steps of all, best mean log density of samples held out."""
        return lambda done, steps, nats: self._show(f"{name}, held-out log density {nats:.2f}", done, steps)

    def count(self, name: str) -> Callable[[int, int], None]:
        """What a sampler reports to: steps done, steps of all."""
        return lambda done, steps: self._show(name, done, steps)

    def _show(self, text: str, done: int, total: int | None) -> None:
        if not self._wanted or time.monotonic() - self._began < PATIENCE:
            return
        if self._bar is None:
            self._open()
        self._bar.update(self._task, description=text, completed=done, total=total)

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("", total=None)
        self._bar.start()
