"""The ladder of guides: what is climbed, kept and told."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from posteriors import CONJUGATE, LABELLED, Y, fitted

import emfppl
from emfppl import EmfError
from emfppl.runtime import ladder as climbing
from emfppl.runtime.budget import BUDGETS
from emfppl.runtime.certificate import Certificate
from emfppl.runtime.ladder import Ladder, Rung
from emfppl.runtime.optimise.rounds import Score, Search
from emfppl.runtime.recipe import Flow, Recipe
from emfppl.runtime.report import report_from

PLAIN, FLOW, SPLINES = Recipe("full_rank"), Recipe("full_rank", flow=Flow()), Recipe("full_rank", splines=8)
RICH = Recipe("full_rank", flow=Flow(layers=3))


@pytest.fixture
def climb(monkeypatch):
    """Climbs made-up rungs, each by its gap to an evidence of 0; tells which were tried from which, and what was kept."""

    def run(recipes, gaps, wanted=False, budget="normal", converged=True, interrupted=()):
        tried = []

        def made(recipe, below=None):
            tried.append((recipe, below))
            gap = gaps[recipe]
            guide = SimpleNamespace(recipe=recipe, name=recipe.name, num_params=lambda params: 3)
            search = Search([{}], [Score(np.zeros(3))], converged=converged, interrupted=recipe in interrupted, steps=10)
            figures = Certificate(-gap, 0.001, 0.0, 0.3, np.exp(-gap), 1000, converged=converged)
            return Rung(guide, search, figures, 10)

        monkeypatch.setattr(climbing, "first_rung", lambda task, recipe, rounds: made(recipe))
        monkeypatch.setattr(climbing, "with_layers", lambda task, recipe, below: made(recipe, below.guide.recipe))
        ladder = Ladder(SimpleNamespace(budget=BUDGETS[budget]), wanted)
        best = ladder.climb(tuple(recipes))
        return tried, best.guide.recipe, ladder.report()

    return run


def test_it_ends_where_nothing_is_left_to_gain(climb):
    tried, best, report = climb([PLAIN, SPLINES, FLOW], {PLAIN: 0.3, SPLINES: 0.01})
    assert tried == [(PLAIN, None), (SPLINES, PLAIN)] and best == SPLINES
    assert "nothing left" in report.stopped and report.kept.guide == "gated splines"


def test_each_rung_starts_from_the_last_that_it_extends(climb):
    """A wider flow starts from the guide without one."""
    tried, best, report = climb([PLAIN, FLOW, RICH], {PLAIN: 0.9, FLOW: 0.5, RICH: 0.3}, budget="thorough")
    assert tried == [(PLAIN, None), (FLOW, PLAIN), (RICH, PLAIN)] and best == RICH
    assert report.stopped == "there is no richer guide for this program"


def test_a_rung_that_gains_nothing_is_not_kept(climb):
    tried, best, report = climb([PLAIN, FLOW], {PLAIN: 0.3, FLOW: 0.299})
    assert len(tried) == 2 and best == PLAIN and [a.kept for a in report.attempts] == [True, False]
    assert "budget" in report.stopped


def test_a_guide_that_was_asked_for_is_kept(climb):
    tried, best, report = climb([PLAIN, FLOW], {PLAIN: 0.01, FLOW: 0.3}, wanted=True)
    assert len(tried) == 2 and best == FLOW and "asked for" in report.stopped


def test_a_quick_budget_is_told(climb):
    assert climb([PLAIN], {PLAIN: 0.3}, budget="quick")[2].stopped == "the budget is quick"


def test_interruptions_end_it(climb):
    tried, best, report = climb([PLAIN, FLOW, RICH], {PLAIN: 0.3, FLOW: 0.4}, interrupted=[FLOW])
    assert len(tried) == 2 and best == PLAIN and report.stopped == "interrupted"
    assert sum(a.kept for a in report.attempts) == 1


def test_the_report_of_a_fit():
    """No rung lies below the one that it was started from, but for noise."""
    report = fitted(LABELLED).report()
    elbos = [(a.elbo, a.elbo_se) for a in report.attempts]
    assert all(b[0] > a[0] - 4 * (a[1] + b[1]) for a, b in zip(elbos, elbos[1:], strict=False))
    kept = report.kept
    assert kept.elbo == fitted(LABELLED).elbo and kept.guide == fitted(LABELLED).guide
    assert kept.num_params == fitted(LABELLED).num_params
    assert fitted(LABELLED).result.steps == sum(a.steps for a in report.attempts)
    text = str(report)
    assert kept.guide in text and "kept" in text and "ended there" in text
    assert report_from(report.as_dict()) == report


def test_an_unknown_budget():
    with pytest.raises(EmfError, match="E1106"):
        emfppl.fit(CONJUGATE, {"y": Y}, budget="huge")


def test_a_budget_limits_the_climb():
    report = emfppl.fit(CONJUGATE, {"y": Y}, budget="quick", progress=False).report()
    assert len(report.attempts) == 1


def test_rows_that_are_summed_beforehand_leave_draws_to_weigh():
    """A regression's weights differ by a cubic of the noise, whose tail is not seen in fewer than some ten thousand draws."""
    head = "dim n\ndata x[n]: real\ndata y[n]: real\n"
    text = head + "a ~ Normal(0, 5)\nb ~ Normal(0, 5)\ns ~ HalfNormal(5)\ny[n] ~ Normal(a + b * x, s)\n"
    rng = np.random.default_rng(0)
    x = rng.normal(size=3000)
    fit = emfppl.fit(text, {"x": x, "y": 1 + 2 * x + rng.normal(size=3000)}, progress=False)
    assert fit.certificate.draws == BUDGETS["normal"].weighed and fit.khat < 0.7
