"""Where Lark keeps the tables that it makes of the grammar: a tenth of a second saved at every start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def cache_file(environment: Mapping[str, str] = os.environ) -> str | None:
    """A file in the user's cache folder; None if it can't be made or EMF_NO_CACHE is set.

    Lark itself checks that what is in the file belongs to this grammar, its options and its version.
    """
    if environment.get("EMF_NO_CACHE"):
        return None
    try:
        home = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        folder = Path(home) / "emfppl"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None  # a read-only home, or none
    return str(folder / "grammar.lark-tables") if os.access(folder, os.W_OK) else None
