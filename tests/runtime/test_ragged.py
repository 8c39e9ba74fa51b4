"""Series of unequal length: rows filled up with missing entries, which cost nothing beyond the end of each."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import emfppl as emf
from emfppl.grammar.diagnostics import EmfError

RAGGED = """
dim series
dim time
data y[series, time]: real?
rho ~ Normal(0, 0.5)
for i in series {
  y[i, 0] ~ Normal(0, 1)
  for t in time[1:] {
    y[i, t] ~ Normal(rho * y[i, t-1], 0.7)
  }
}
twice[series, time] = 2 * y
"""
ROWS = [[0.1, 0.2, 0.3], [1.0, None, 2.0, 3.0, 1.0], [0.4]]


def test_only_gaps_inside_a_series_are_latent():
    bound = emf.load(RAGGED).bind({"y": ROWS})
    assert bound.sizes == {"series": 3, "time": 5}
    assert bound.noise_shapes == {"rho": (), "y[:, 1:][missing]": (1,)}


def test_the_density_is_that_of_the_series_one_by_one():
    bound = emf.load(RAGGED).bind({"y": ROWS})
    values = bound.from_noise({"rho": 0.3, "y[:, 1:][missing]": np.array([0.5])})
    rho = float(values["rho"])
    gap = float(values["y"][1, 1])
    total = stats.norm(0, 0.5).logpdf(rho)
    for row in ([0.1, 0.2, 0.3], [1.0, gap, 2.0, 3.0, 1.0], [0.4]):
        total += stats.norm(0, 1).logpdf(row[0]) + stats.norm(rho * np.array(row[:-1]), 0.7).logpdf(row[1:]).sum()
    assert bound.log_joint(values) == pytest.approx(total, abs=1e-9)


def test_rows_and_a_long_table_give_the_same():
    ragged = emf.load("dim g\ndim k\ndata y[g, k]: real?\nm[g] ~ Normal(0, 1)\ny[g, k] ~ Normal(m, 0.5)\n")
    long = emf.load("dim g = 3\ndim n\ndata of[n]: index(g)\ndata y[n]: real\nm[g] ~ Normal(0, 1)\ny[n] ~ Normal(m[of], 0.5)\n")
    m = {"m": np.array([0.2, -0.4, 1.0])}
    rows = [[0.1, 0.2, 0.3], [1.0], [0.4, 0.6]]
    flat = {"y": [0.1, 0.2, 0.3, 1.0, 0.4, 0.6], "of": [0, 0, 0, 1, 2, 2]}
    assert ragged.bind({"y": rows}).log_joint(m) == pytest.approx(long.bind(flat).log_joint(m), abs=1e-12)


def test_what_is_beyond_the_end_is_drawn_forward():
    fit = emf.load(RAGGED).fit({"y": ROWS}, seed=1, num_draws=2000, guide="mean_field", progress=False)
    assert "y: 7 of 15 missing, 1 inferred and 6 drawn forward" in str(fit)
    y, rho = fit.draws["y"], fit.draws["rho"]
    np.testing.assert_allclose(y[:, 0, :3], np.broadcast_to([0.1, 0.2, 0.3], (2000, 3)), atol=1e-6)
    step = y[:, 0, 3] - rho * 0.3
    assert step.mean() == pytest.approx(0, abs=0.06)
    assert step.std() == pytest.approx(0.7, abs=0.05)
    np.testing.assert_allclose(fit.draws["twice"], 2 * y, rtol=1e-6)


def test_rows_of_rows():
    text = "dim a\ndim b\ndim c\ndata y[a, b, c]: real?\nm ~ Normal(0, 1)\ny[a, b, c] ~ Normal(m, 1)\n"
    bound = emf.load(text).bind({"y": [[[1, 2], [3]], [[4]]]})
    assert bound.sizes == {"a": 2, "b": 2, "c": 2}
    assert bound.log_joint({"m": 0.5}) == pytest.approx(stats.norm(0.5, 1).logpdf([1, 2, 3, 4]).sum() + stats.norm.logpdf(0.5))


@pytest.mark.parametrize("rows", [[[1.0, 2.0], 3.0], [[1.0, "two"], [3.0]], [[1.0, [2.0]], [3.0]]])
def test_what_are_no_rows_of_numbers_is_told(rows):
    with pytest.raises(EmfError):
        emf.load(RAGGED).bind({"y": rows})


def test_rows_of_data_without_gaps_stay_an_error():
    with pytest.raises(EmfError, match="ragged"):
        emf.load(RAGGED.replace("real?", "real")).bind({"y": [[1.0, 2.0], [3.0]]})
