"""Degrees of expressions: what is called affine is, numerically; what plainly is affine is found out."""

from __future__ import annotations

import numpy as np
import pytest
from checking import checked, value_of
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Oracle
from strategies import real_expr

from emfppl.compiler.affine import AFFINE, FREE, OTHER, degree

HEAD = "dim a\ndata x: real\ndata u[a]: real\ndata c: real\ndata w[a]: real\ndata m[a, a']: real\n"
OWN = {"x": AFFINE, "u": AFFINE}
TABLE = {
    FREE: ["c", "w[0]", "sum(w)", "c ** 2", "exp(c)", "1", "if(c > 0, 1, 2)", "sum(w @ m[a, a'])"],
    AFFINE: [
        "x", "-x", "x + c", "2 * x - sum(w)", "x * exp(c)", "(x + c) / c", "sum(u)", "mean(u)", "u[0] + u[1]", "w @ u",
        "sum(u @ m)", "if(c > 0, x, 1 - x)", "sum(cumsum(u))", "f(x, c)", "f(c, x)",
    ],
    OTHER: ["x * x", "x ** 2", "exp(x)", "c / x", "u @ u", "if(x > 0, x, c)", "max(u)", "abs(x)", "sd(u)", "x % 2", "f(x, x)"],
}  # fmt: skip
FUNCTION = "def f(p: real, q: real): real {\n  r = p * q\n  return r + p\n}\n"


@pytest.mark.parametrize(("expected", "written"), [(d, t) for d, ts in TABLE.items() for t in ts])
def test_table(expected, written):
    assert degree(value_of(HEAD + FUNCTION + f"z = {written}\n", "z"), OWN) == expected


def test_a_choice_that_depends_on_what_is_carried_is_not_affine():
    value = value_of(HEAD + "data i[a]: index(a)\nz[a] = w[i]\n", "z")
    assert degree(value, {"i": AFFINE}) == OTHER
    assert degree(value, {"w": AFFINE}) == AFFINE
    choice = value_of(HEAD + "data flag: bool\nz = if(flag, 1, 2)\n", "z")
    assert degree(choice, {"flag": AFFINE}) == OTHER


class Names:
    """What the expressions of `strategies` may refer to."""

    real = {"x": (), "c": ()}
    positive = {"p": ()}


finite = st.floats(-2, 2).map(lambda v: round(v, 3))


@settings(max_examples=300, deadline=None)
@given(real_expr(Names(), (), 3), finite, finite, st.floats(0.1, 0.9))
def test_affine_is_affine(written, here, there, share):
    """f(s x + (1 − s) y) = s f(x) + (1 − s) f(y)."""
    text = f"data x: real\ndata c: real\ndata p: positive\nz = {written}\n"
    found = degree(value_of(text, "z"), {"x": AFFINE})
    program = checked(text)

    def at(x: float) -> float:
        run = Oracle(program, {}, {"x": np.array(x), "c": np.array(0.7), "p": np.array(1.3)})
        run.log_joint({})
        return run.values["z"].item()

    if found <= AFFINE:
        between = at(share * here + (1 - share) * there)
        assert between == pytest.approx(share * at(here) + (1 - share) * at(there), abs=1e-9)
    if found == FREE:
        assert at(here) == at(there)
