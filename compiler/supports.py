"""Supports: which values a type or a distribution allows, and what is left where both speak."""

from __future__ import annotations

import math
from dataclasses import dataclass

from emfppl.compiler.expressions import Apply, Const, Expr, Kind, Type
from emfppl.compiler.graph import Integers, Interval, Structured, Support
from emfppl.grammar.source import Span

INT, REAL = Type(Kind.INT), Type(Kind.REAL)


@dataclass(frozen=True, slots=True)
class DeclaredType:
    """A type as written: element kind, the dim an index type indexes, support, whether entries may be
    missing."""

    kind: Kind
    support: Support
    of: str | None = None
    optional: bool = False
    text: str = ""
    span: Span = Span()

    @property
    def event_rank(self) -> int:
        return self.support.event_rank if isinstance(self.support, Structured) else 0


def number(value: float | int) -> Const:
    return Const(value, INT if isinstance(value, int) else REAL)


SCALAR_TYPES: dict[str, tuple[Kind, Support]] = {
    "real": (Kind.REAL, Interval()),
    "positive": (Kind.REAL, Interval(number(0.0), None, True)),
    "nonnegative": (Kind.REAL, Interval(number(0.0))),
    "unit": (Kind.REAL, Interval(number(0.0), number(1.0))),
    "circular": (Kind.REAL, Interval(number(-math.pi), number(math.pi))),
    "int": (Kind.INT, Integers()),
    "count": (Kind.INT, Integers(number(0))),
    "bool": (Kind.BOOL, Integers(number(0), number(1))),
}
STRUCTURED_TYPES = (
    "simplex", "ordered", "positive_ordered", "sum_to_zero", "corr_cholesky", "corr", "cov_cholesky", "cov",
)  # fmt: skip
TYPE_NAMES = (*SCALAR_TYPES, "index", *STRUCTURED_TYPES)

# Structured supports that a distribution's own may be narrowed to: own -> declared.
_NARROWER: dict[str, tuple[str, ...]] = {
    "real_vector": ("real_vector", "ordered", "positive_ordered", "sum_to_zero"),
    "simplex": ("simplex",),
    "corr_cholesky": ("corr_cholesky",),
    "corr": ("corr",),
    "cov": ("cov",),
    "cov_cholesky": ("cov_cholesky",),
    "ordered": ("ordered",),
    "positive_ordered": ("positive_ordered", "ordered"),
    "sum_to_zero": ("sum_to_zero",),
}


def const_bound(bound: Expr | None, missing: float) -> float | None:
    """A bound's number: `missing` where there is none, None where it is not a constant."""
    if bound is None:
        return missing
    return float(bound.value) if isinstance(bound, Const) else None


def limits(support: Interval | Integers) -> tuple[float | None, float | None]:
    """Both bounds as numbers, infinite where absent, None where they are expressions."""
    return const_bound(support.lower, -math.inf), const_bound(support.upper, math.inf)


def narrow(declared: Support, own: Support) -> tuple[Support, bool] | None:
    """The support of ``x: declared ~ Dist`` where Dist's own is `own`, and whether that cuts off some of
    it; None if they don't meet."""
    match declared, own:
        case Interval(), Interval():
            return _intersect(declared, own)
        case Integers(), Integers():
            return _intersect(declared, own)
        case Structured(), Structured():
            return _narrow_structured(declared, own)
        case Structured(name), Interval():
            lower, upper = limits(own)
            if name in ("ordered", "positive_ordered"):
                fine = upper == math.inf and lower in (
                    (-math.inf, 0.0) if name == "positive_ordered" else (-math.inf,)
                )
                positive = name == "ordered" and lower == 0.0 and upper == math.inf
                return (
                    (Structured("positive_ordered"), True) if positive else (declared, True) if fine else None
                )
            return (
                (declared, True)
                if name == "sum_to_zero" and (lower, upper) == (-math.inf, math.inf)
                else None
            )
        case Interval(None, None, _), Structured("real_vector"):
            return own, False
        case Interval(), Structured():
            lower, upper = limits(declared)
            within = {"simplex": (0.0, 1.0), "corr_cholesky": (-1.0, 1.0), "corr": (-1.0, 1.0)}.get(
                own.name, (-math.inf, math.inf)
            )
            wide = lower is not None and upper is not None and lower <= within[0] and upper >= within[1]
            return (own, False) if wide else None
    return None


def _narrow_structured(declared: Structured, own: Structured) -> tuple[Support, bool] | None:
    if declared.name not in _NARROWER.get(own.name, (own.name,)):
        return None
    if declared.name == "ordered" and own.name == "positive_ordered":
        return own, False
    return declared, declared != own


def _intersect(declared: Interval | Integers, own: Interval | Integers) -> tuple[Support, bool] | None:
    lower, cut_below = _tighter(declared.lower, own.lower, "maximum")
    upper, cut_above = _tighter(declared.upper, own.upper, "minimum")
    low, high = const_bound(lower, -math.inf), const_bound(upper, math.inf)
    if low is not None and high is not None and (low > high or (isinstance(own, Interval) and low == high)):
        return None
    if isinstance(own, Integers):
        return Integers(lower, upper), cut_below or cut_above
    assert isinstance(declared, Interval)
    opened = (
        declared.open_lower
        if cut_below
        else own.open_lower or (declared.open_lower and declared.lower == own.lower)
    )
    return Interval(lower, upper, opened), cut_below or cut_above


def _tighter(declared: Expr | None, own: Expr | None, op: str) -> tuple[Expr | None, bool]:
    """The tighter of two bounds, and whether the declared one cuts."""
    if declared is None or declared == own:
        return own, False
    if own is None:
        return declared, True
    a, b = const_bound(declared, 0.0), const_bound(own, 0.0)
    if a is None or b is None:
        axes = (*declared.type.axes, *(x for x in own.type.axes if x not in declared.type.axes))
        return Apply(op, (declared, own), Type(Kind.REAL, axes)), True
    cuts = a > b if op == "maximum" else a < b
    return (declared, True) if cuts else (own, False)


def contains(support: Support, value: float) -> bool:
    """Whether a number is allowed, as far as constant bounds tell."""
    if isinstance(support, Structured):
        return True
    lower, upper = limits(support)
    if isinstance(support, Integers) and value != int(value):
        return False
    above = lower is None or value > lower or (value == lower and not getattr(support, "open_lower", False))
    return above and (upper is None or value <= upper)
