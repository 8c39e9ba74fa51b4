"""What the commands for density estimators share: trained flows from files, samples into files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from emfppl.commands.output import finite, need_writable
from emfppl.grammar.diagnostics import Diagnostic, EmfError

if TYPE_CHECKING:
    from emfppl.runtime.density.flow import Flow

ENDINGS = (".npz", ".json")


def opened_flow(path: str) -> Flow:
    """The trained flow in a file; raises `EmfError` E1207 where it holds something else."""
    from emfppl.runtime.density.flow import Flow
    from emfppl.runtime.store import open_saved

    found = open_saved(path)
    if not isinstance(found, Flow):
        hint = "such a file is written by: emf fit FILE --density NAME --data x.npz -o flow.emfit"
        raise EmfError([Diagnostic("E1207", f"{path} holds a fit of a program, and no trained density estimator.", hint=hint)])
    return found


def all_data(paths: tuple[str, ...]) -> Any:
    """What one or several files hold, by name; None without files. Each name may stand in one only."""
    from emfppl.runtime.arguments import wrong
    from emfppl.runtime.read_data import read_data

    found = [read_data(path) for path in paths]
    if len(found) <= 1:
        return found[0] if found else None
    merged: dict[str, Any] = {}
    for path, part in zip(paths, found, strict=True):
        twice = next((name for name in part if name in merged), None)
        if twice is not None:
            raise wrong(f"{path} holds `{twice}`, as another file does.", "keep it in one of them")
        merged |= part
    return merged


def need_array_file(path: Path | None) -> None:
    """Refuse a file that arrays can't be written to, before any work is done for it: E1203."""
    need_writable(path)
    if path is not None and path.suffix.lower() not in ENDINGS:
        hint = f"its name ends in {' or '.join(ENDINGS)}"
        raise EmfError([Diagnostic("E1203", f"{path} can't be written: its ending does not say how.", hint=hint)])


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Arrays by name, as NPZ or JSON by the ending of the file."""
    try:
        if path.suffix.lower() == ".json":
            path.write_text(as_text(arrays), encoding="utf-8")
        else:
            np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise EmfError([Diagnostic("E1203", f"{path} can't be written: {why}.")]) from None


def as_text(arrays: dict[str, np.ndarray]) -> str:
    """Arrays by name as JSON."""
    return json.dumps({name: finite(value.tolist()) for name, value in arrays.items()}, allow_nan=False)
