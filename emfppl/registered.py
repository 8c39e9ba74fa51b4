"""Distributions that users register: whether a row can serve, before anything is compiled with it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from emfppl.compiler.ast_to_checked.context import near
from emfppl.compiler.distributions import COUNT, POSITIVE, REAL, SIMPLEX, STANDARD, UNIT, Distribution, Parameter, Table
from emfppl.runtime.arguments import wrong

KINDS = (REAL, POSITIVE, UNIT, COUNT, SIMPLEX, "vector", "covariance", "cholesky", "logits")
SUPPORTS = ("real", "positive", "nonnegative", "unit", "circular", "bool", "count", "integer",
            "simplex", "real_vector", "corr_cholesky")  # fmt: skip
WITH_ARGUMENTS = {"interval": 2, "above": 1, "upto": 1}


def table_with(distributions: Iterable[Distribution] | Distribution) -> Table:
    """The standard table with these rows added; `EmfError` E1302 for a row that can't serve."""
    rows = (distributions,) if isinstance(distributions, Distribution) else tuple(distributions)
    for row in rows:
        _check(row)
    return STANDARD.extended(*rows)


def _check(row: Any) -> None:
    if not isinstance(row, Distribution):
        message = f"`distributions` holds emfppl.Distribution rows; {row!r} is not one."
        raise wrong(message, "write distributions=[emfppl.Distribution(…)]")
    if not (isinstance(row.name, str) and row.name.isidentifier()):
        raise wrong(f"{row.name!r} can't be the name of a distribution.", "names are letters, digits and _")
    if not callable(row.log_prob):
        raise _about(row, "needs its log density", "log_prob=lambda x, scale: …, with arguments by name")
    for name in ("sample", "cdf", "quantile"):
        if getattr(row, name) is not None and not callable(getattr(row, name)):
            raise _about(row, f"has a `{name}` that is not a function")
    _check_forms(row)
    _check_support(row)
    _check_functions(row)


def _check_forms(row: Distribution) -> None:
    parameters = [p for form in row.forms for p in form] if isinstance(row.forms, tuple) else [None]
    if not row.forms or not all(isinstance(p, Parameter) for p in parameters):
        hint = 'write forms=((emfppl.Parameter("loc"), emfppl.Parameter("scale", "positive")),)'
        raise _about(row, "needs its arguments as a tuple of forms, each a tuple of emfppl.Parameter", hint)
    for p in (p for p in parameters if p is not None):
        if p.kind not in KINDS:
            hint = near(str(p.kind), KINDS) or f"kinds are {', '.join(KINDS)}"
            raise _about(row, f"has an argument `{p.name}` of the unknown kind {p.kind!r}", hint)


def _check_functions(row: Distribution) -> None:
    """Every function takes the arguments of every form by name, after x, p, or a key and a shape."""
    for name, first in (("log_prob", ["x"]), ("cdf", ["x"]), ("quantile", ["p"]), ("sample", ["key", "shape"])):
        function = getattr(row, name)
        for form in row.forms if function is not None else ():
            names = [p.name for p in form]
            if not _takes(function, len(first), names):
                hint = f"write {name}=lambda {', '.join(first + names)}: …"
                raise _about(row, f"has a `{name}` that can't be called with its arguments by name", hint)


def _takes(function: Any, positional: int, names: list[str]) -> bool:
    """Whether a function can be called with so many positional arguments and these by name, as far as its signature tells."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(*range(positional), **dict.fromkeys(names))
    except TypeError:
        return False
    return True


def _check_support(row: Distribution) -> None:
    name, _, inside = str(row.support).partition("(")
    arguments = [a for a in inside.rstrip(")").split(", ") if a]
    if (name in SUPPORTS and not inside) or (len(arguments) == WITH_ARGUMENTS.get(name)):
        known = {p.name for form in row.forms for p in form}
        unknown = [a for a in arguments if a not in known]
        if not unknown:
            return
        raise _about(row, f"has the support {row.support!r}, but no argument `{unknown[0]}`")
    hint = near(name, SUPPORTS) or f"supports are {', '.join(SUPPORTS)}, interval(low, high) and above(low)"
    raise _about(row, f"has the unknown support {row.support!r}", hint)


def _about(row: Distribution, what: str, hint: str = "") -> Exception:
    return wrong(f"The distribution `{row.name}` {what}.", hint)
