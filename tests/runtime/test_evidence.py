"""The evidence by quadrature, against closed forms and SciPy's quadrature."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from posteriors import CONJUGATE, Y, conjugate_evidence
from scipy import integrate, stats

import emfppl
from emfppl.runtime.choose_guide import build_guide
from emfppl.runtime.gaussian.evidence import exact_evidence
from emfppl.runtime.guides.backbone import Frame
from emfppl.runtime.precision import precision
from emfppl.runtime.recipe import Recipe
from emfppl.runtime.weighing import Weighing

TWO = "dim obs\ndata y[obs]: real\ns ~ HalfCauchy(1)\nm ~ Normal(0, 3)\ny[obs] ~ StudentT(4, m, s)\n"


WALK = """dim t
data y[t]: real
s ~ HalfNormal(1)
x[0] ~ Normal(0, 1)
for n in t[1:] {
  x[n] ~ Normal(x[n-1], s)
}
y[t] ~ Normal(x, 0.5)
"""


def evidence(text, data, frame, recipe=None, **limit):
    """As if the fit had ended at a frame."""
    with precision("float64"):
        guide = build_guide(emfppl.load(text).bind(data).program, recipe or Recipe("full_rank", gates="shut"))
        return exact_evidence(Weighing(guide), guide.init(0, frame), **limit)


def of_a_walk(steps, **limit):
    y = np.sin(np.arange(steps))
    return evidence(WALK, {"y": y}, Frame(np.zeros(1), np.full(1, 0.1)), Recipe("full_rank", gates="shut", blocks=True), **limit)


@pytest.mark.parametrize("loc", [1.3, -4.0])  # however badly it fits
def test_of_a_number_in_closed_form(loc):
    value, error = evidence(CONJUGATE, {"y": Y}, Frame(np.array([loc]), np.array([0.1])))
    assert error < 1e-8
    np.testing.assert_allclose(value, conjugate_evidence(), atol=1e-9)


def test_of_two_numbers_against_scipy():
    m, log_s = np.linspace(-30, 35, 1601)[:, None], np.linspace(-9, 12, 1201)
    s = np.exp(log_s)
    joint = sum(stats.t.logpdf(y, 4, m, s) for y in Y) + stats.norm.logpdf(m, 0, 3) + stats.halfcauchy.logpdf(s) + log_s
    exact = integrate.simpson(integrate.simpson(np.exp(joint), x=log_s), x=m[:, 0])
    value, error = evidence(TWO, {"y": Y}, Frame(np.array([0.0, 1.0]), np.array([[0.5, 0.0], [0.2, 0.5]])))
    assert error < 1e-6
    np.testing.assert_allclose(value, np.log(exact), atol=1e-6)


def test_work_counts_the_rows_that_are_looked_at():
    """Rows that are not Gaussian at every draw; rows whose sums are made beforehand not at all."""
    head, y = "dim obs\ndata x[obs]: real\ndata y[obs]: {}\na ~ Normal(0, 1)\nb ~ Normal(0, 1)\n", np.arange(500.0) % 2
    logistic = head.format("bool") + "y[obs] ~ Bernoulli(logits = a + b * x)\n"
    linear = head.format("real") + "s ~ HalfNormal(1)\ny[obs] ~ Normal(a + b * x, s)\n"
    programs = [emfppl.load(text).bind({"x": y + np.linspace(0, 1, 500), "y": y}).program for text in (logistic, linear)]
    many, few = (Weighing(build_guide(p, Recipe("full_rank", blocks=True))).work for p in programs)
    assert many >= 500 > few


def test_not_where_there_is_nothing_but_rounding():
    assert evidence(CONJUGATE, {"y": Y}, Frame(np.array([1e9]), np.array([1e-3]))) is None


def test_not_of_more():
    text = "data y: real\na ~ Normal(0, 1)\nb ~ Normal(a, 1)\nc ~ Normal(b, 1)\ny ~ Normal(c, 1)\n"
    assert evidence(text, {"y": 1.0}, Frame(np.zeros(3), np.ones(3))) is None


def test_a_slow_clock_changes_nothing(monkeypatch):
    frame = Frame(np.array([0.0, 1.0]), np.array([[0.5, 0.0], [0.2, 0.5]]))
    first = evidence(TWO, {"y": Y}, frame)
    clock = itertools.count(0.0, 1000.0)
    for name in ("perf_counter", "monotonic", "time", "process_time"):
        monkeypatch.setattr(time, name, lambda: next(clock))
    assert evidence(TWO, {"y": Y}, frame) == first


def test_the_work_limits_the_grid():
    """A few grids give some digits of what more give, one grid tells nothing of its error; a longer walk is more work."""
    fine, error = of_a_walk(20)
    assert error < 1e-8
    rough, wider = of_a_walk(20, work=100_000)
    assert 1e-12 < wider < 0.1 and rough == pytest.approx(fine, abs=wider)
    assert of_a_walk(20, work=20_000) is None
    assert of_a_walk(200, work=100_000) is None
