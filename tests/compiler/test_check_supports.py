"""What a written type leaves of a distribution's support: against membership of points."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emfppl.compiler.graph import Integers, Interval, Structured
from emfppl.compiler.supports import contains, limits, narrow, number

bounds = st.none() | st.integers(-3, 3).map(float)
intervals = st.builds(
    lambda a, b: Interval(a if a is None else number(a), b if b is None else number(b)), bounds, bounds
)
whole = st.none() | st.integers(-3, 3)
integers = st.builds(
    lambda a, b: Integers(a if a is None else number(a), b if b is None else number(b)), whole, whole
)


def inside(support, value: float) -> bool:
    low, high = limits(support)
    return low < value < high


@given(intervals, intervals, st.floats(-5, 5))
def test_narrowing_an_interval_is_intersection(declared, own, value):
    found = narrow(declared, own)
    both = inside(declared, value) and inside(own, value)
    if found is None:
        assert not both
    else:
        assert inside(found[0], value) == both
        assert found[1] == (limits(found[0]) != limits(own))


@given(integers, integers, st.integers(-5, 5))
def test_narrowing_integers_is_intersection(declared, own, value):
    found = narrow(declared, own)
    both = contains(declared, value) and contains(own, value)
    assert both == (found is not None and contains(found[0], value))


@pytest.mark.parametrize("name", ["simplex", "ordered", "corr_cholesky"])
def test_a_structured_support_is_its_own_narrowing(name):
    assert narrow(Structured(name), Structured(name)) == (Structured(name), False)


def test_open_ends_matter_for_data():
    positive, nonnegative = Interval(number(0.0), None, True), Interval(number(0.0))
    assert contains(nonnegative, 0.0)
    assert not contains(positive, 0.0)
    assert not contains(Integers(number(0)), 0.5)
    assert contains(Interval(), math.pi)
