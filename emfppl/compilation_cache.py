"""Where JAX keeps what it compiled, so that a second run of `emf` starts at once."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import MutableMapping
from importlib.metadata import version
from pathlib import Path


def use_cache(environment: MutableMapping[str, str] = os.environ) -> Path | None:
    """Point JAX to the user's cache folder, by variables of the environment: JAX must not be imported yet.

    A folder that the user has set is left alone; EMF_NO_CACHE switches the cache off.
    """
    if environment.get("EMF_NO_CACHE") or "JAX_COMPILATION_CACHE_DIR" in environment:
        return None
    folder = cache_folder(environment)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None  # a read-only home: compile anew
    environment["JAX_COMPILATION_CACHE_DIR"] = str(folder)
    environment.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    return folder


def cache_folder(environment: MutableMapping[str, str] = os.environ) -> Path:
    """One folder for each jaxlib and kind of CPU: machine code must never wander to another."""
    home = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "emfppl" / f"jaxlib-{version('jaxlib')}-{_cpu()}"


def _cpu() -> str:
    """A short hash of what the CPU can do."""
    try:
        text = Path("/proc/cpuinfo").read_text()
        told = ("model name", "flags", "Features")
        kind = "".join(sorted({line for line in text.splitlines() if line.startswith(told)}))
    except OSError:
        kind = platform.processor()
    return hashlib.sha256(f"{platform.machine()} {kind}".encode()).hexdigest()[:12]
