"""Arguments of calls from Python and from the command line, checked before anything heavy is imported."""

from __future__ import annotations

import operator
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from emfppl.compiler.ast_to_checked.context import listed, near
from emfppl.grammar.diagnostics import Diagnostic, EmfError

LARGEST_SEED = 2**32 - 1  # JAX wraps larger ones around


def whole(name: str, value: Any, least: int, most: int | None = None) -> int:
    """`value` as an int from `least` to `most`; raises `EmfError` E1302."""
    hint = f"write {name}={max(least, 1)}, for instance"
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None:
        raise wrong(f"`{name}` is a whole number; {value!r} is not.", hint)
    if number < least:
        raise wrong(f"`{name}` is at least {least}; {number} is less.", hint)
    if most is not None and number > most:
        raise wrong(f"`{name}` is at most {most}; {number} is more.", hint)
    return number


def seed_of(value: Any) -> int:
    """A seed: 0 to 2³² − 1."""
    return whole("seed", value, 0, LARGEST_SEED)


def sizes_of(value: Any) -> dict[str, int] | None:
    """``{"time": 30}`` or None."""
    if value is None:
        return None
    if not isinstance(value, Mapping) or not all(isinstance(k, str) for k in value):
        raise wrong("`sizes` maps names of dims to whole numbers.", 'write sizes={"time": 30}')
    return {k: whole(f"sizes[{k!r}]", v, 0) for k, v in value.items()}


def batch_of(value: Any) -> dict[str, int] | None:
    """``{"obs": 1024}`` or None: the entries of one dim that a step works on."""
    if value is None:
        return None
    if not isinstance(value, Mapping) or len(value) != 1 or not all(isinstance(k, str) for k in value):
        raise wrong("`batch` maps the name of one dim to a whole number.", 'write batch={"obs": 1024}')
    return {k: whole(f"batch[{k!r}]", v, 1) for k, v in value.items()}


def precision_of(value: Any) -> str | None:
    """``"float32"``, ``"float64"`` or None."""
    if value in (None, "float32", "float64"):
        return value
    message = f'`precision` is "float32", "float64" or None; {value!r} is none of these.'
    raise wrong(message, "leave it out for the default")


def share(name: str, value: Any) -> float:
    """A part of a whole, more than 0 and less than 1."""
    if isinstance(value, bool) or not hasattr(value, "__float__") or not 0 < float(value) < 1:
        raise wrong(f"`{name}` is a number between 0 and 1; {value!r} is not.", f"write {name}=0.1, for instance")
    return float(value)


def guide_name(value: Any) -> str:
    """The name of a guide; which names there are is for the fit to say."""
    if isinstance(value, str):
        return value
    raise wrong(f"`guide` is a name; {value!r} is not.", 'write guide="auto"')


def arrays(what: str, given: Any, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """One array for each name in `shapes`, of that shape (a scalar broadcasts); raises `EmfError` with all
    that is missing, unknown or of another shape. Names of further variables of the program are fine."""
    if not isinstance(given, Mapping):
        raise wrong(f"{what} are a dict of arrays by name; this is a {type(given).__name__}.")
    found: list[Diagnostic] = []
    missing = [name for name in shapes if name not in given]
    if missing:
        each = "one array for each" if len(shapes) > 1 else "one array"
        hint = f"give {each}: {listed(f'{n} of shape {s}' for n, s in shapes.items())}" if len(shapes) < 9 else ""
        found.append(Diagnostic("E1302", f"{what}: {listed(f'`{m}`' for m in missing)} {_is(missing)} missing.", hint=hint))
    for name in given:
        if name not in shapes:
            hint = near(str(name), shapes) or f"there are {listed(shapes)}"
            found.append(Diagnostic("E1302", f"{what} hold `{name}`, which is not one of them.", hint=hint))
    out = {k: _array(what, k, given[k], s, found) for k, s in shapes.items() if k in given}
    if found:
        raise EmfError(found)
    return {k: v for k, v in out.items() if v is not None}


def _is(names: list[str]) -> str:
    return "are" if len(names) > 1 else "is"


def _array(
    what: str, name: str, value: Any, shape: tuple[int, ...], found: list[Diagnostic]
) -> np.ndarray | None:
    if _traced(value):
        hint = "inside jit, grad and vmap use bound.numpyro_model with numpyro.infer.util.log_density"
        found.append(Diagnostic("E1302", f"{what}: `{name}` is traced by JAX; here numbers are needed.", hint=hint))
        return None
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        found.append(Diagnostic("E1302", f"{what}: `{name}` is not an array of numbers."))
        return None
    if array.shape == shape or array.shape == ():
        return np.broadcast_to(array, shape)
    found.append(Diagnostic("E1302", f"{what}: `{name}` has shape {array.shape}; it should be {shape}."))
    return None


def _traced(value: Any) -> bool:
    """Whether a value is JAX's placeholder inside a transformation; JAX need not be loaded to tell."""
    jax = sys.modules.get("jax")
    return jax is not None and isinstance(value, jax.core.Tracer)


def wrong(message: str, hint: str = "") -> EmfError:
    """An `EmfError` about an argument of a call."""
    return EmfError([Diagnostic("E1302", message, hint=hint)])
