"""Constrained vectors and matrices: which may be drawn, from what, and which may be learned."""

from __future__ import annotations

import pytest
from checking import codes, diagnose

HEAD = "dim k\ndim o\ndata c[k]: real\ndata S[k, k']: cov\ndata y[o]: real\nm ~ Normal(0, 1)\nparam p: real\n"
FINE = [
    "x[k]: ordered ~ Normal(m, exp(m))",
    "x[o, k]: ordered ~ Normal(m * y, 1)",
    "x[k]: ordered ~ Normal(c, 1)",
    "x[k]: positive_ordered ~ StudentT(3, m, 1)",
    "x[k]: ordered ~ LogNormal(m, 1)",
    "x[k]: ordered ~ MultivariateNormal(0, covariance_matrix = S)",
    "x[k]: ordered ~ Flat()",
    "x[k]: sum_to_zero ~ Normal(0, exp(m))",
    "x[k]: sum_to_zero ~ Flat()",
    "x[k]: simplex ~ Flat()",
    "x[k] ~ Dirichlet(exp(m * c))",
    "x[k, k']: corr_cholesky ~ LKJCholesky(2)",
    "x[k, k']: corr_cholesky ~ Flat()",
    "param x[k]: simplex\nparam z[k]: ordered",
    "x[k, k']: cov ~ Flat()",
    "x[k, k']: corr ~ Flat()",
    "x[o, k, k']: cov_cholesky ~ Flat()",
    "param x[k, k']: cov",
    "x[k, k'] ~ LKJ(2)",
    "x[k]: ordered ~ Normal(m + c, 1)",
    "q[k] = m * c\nx[k]: ordered ~ Normal(q, 1)",
    "x[k]: ordered ~ Normal(p * c, 1)",
    "x[k]: positive_ordered ~ Normal(c, exp(m))",
    "x[o, k, k']: corr ~ LKJ(exp(m))",
    "x[k, k'] ~ Wishart(5, S)",
    "x[k, k']: cov ~ Wishart(5 + exp(m), rate_matrix = S)",
    "x[k] ~ MultivariateStudentT(3, c, scale_matrix = S)",
    "x[o, k] ~ GaussianRandomWalk(exp(m))",
]
WRONG = {
    "E0805": [
        "x[k]: ordered ~ MultivariateNormal(m, covariance_matrix = S)",
        "x[k]: sum_to_zero ~ Normal(c, 1)",
        "x[k]: sum_to_zero ~ StudentT(3, 0, 1)",
    ],
    "E0506": ["x[k]: simplex ~ Normal(0, 1)", "x[k, k']: cov ~ Normal(0, 1)"],
}


def errors(text: str) -> list[str]:
    return [c for c in codes(HEAD + text + "\n") if c.startswith("E")]


@pytest.mark.parametrize("text", FINE)
def test_fine(text):
    assert errors(text) == []


@pytest.mark.parametrize(("code", "text"), [(c, t) for c, ts in WRONG.items() for t in ts])
def test_wrong(code, text):
    assert errors(text) == [code]


@pytest.mark.parametrize("kind", ["cov", "corr", "cov_cholesky", "corr_cholesky", "ordered", "simplex", "sum_to_zero"])
def test_data_may_be_anything(kind):
    dims = "k, k'" if kind in ("cov", "corr", "cov_cholesky", "corr_cholesky") else "k"
    assert errors(f"data d[{dims}]: {kind}") == []


def test_every_refusal_has_a_remedy():
    for code, texts in WRONG.items():
        for text in texts:
            found = [d for d in diagnose(HEAD + text + "\n")[1] if d.code == code]
            assert all(d.hint for d in found) or code == "E0506"
