"""Arguments of calls from Python and from the command line, checked before anything heavy is imported."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

from emfppl.grammar.diagnostics import Diagnostic, EmfError


def whole(name: str, value: Any, least: int) -> int:
    """`value` as an int of at least `least`; raises `EmfError` E1302."""
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise wrong(f"`{name}` is a whole number; {value!r} is not.", f"write {name}={max(least, 1)}, for instance")
    if number < least:
        raise wrong(f"`{name}` is at least {least}; {number} is less.", f"write {name}={max(least, 1)} or more")
    return number


def sizes_of(value: Any) -> dict[str, int] | None:
    """``{"time": 30}`` or None."""
    if value is None:
        return None
    if not isinstance(value, Mapping) or not all(isinstance(k, str) for k in value):
        raise wrong("`sizes` maps names of dims to whole numbers.", 'write sizes={"time": 30}')
    return {k: whole(f"sizes[{k!r}]", v, 0) for k, v in value.items()}


def precision_of(value: Any) -> str | None:
    """``"float32"``, ``"float64"`` or None."""
    if value in (None, "float32", "float64"):
        return value
    raise wrong(f"`precision` is \"float32\", \"float64\" or None; {value!r} is none of these.", "leave it out for the default")


def wrong(message: str, hint: str = "") -> EmfError:
    return EmfError([Diagnostic("E1302", message, hint=hint)])
