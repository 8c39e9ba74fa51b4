"""User functions, inlined, compute what the same function computes in Python."""

from __future__ import annotations

import numpy as np
import pytest
from checking import checked, codes, value_of, variable
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Oracle

from emfppl.compiler.expressions import ArrayCall, Reduce, walk

HEAD = """\
def plus(x: real, y: real): real { return x + y }
def dot(v[k], w[k]): real { return sum(v * w, over = k) }
def norm(v[k]: real): real {
  square_sum = dot(v, v)
  return sqrt(square_sum)
}
def quad(S[k, k'], v[k]): real { return v @ (S @ v[k']) }
def first(v[k]): real { return v[0] + v[-1] }
def tail(v[k]): real { return sum(v[1:]) }
def pairs(v[k], w[m]): real { return sum(v * w) }
def average(v[k]): real { return sum(v) / k }
def pick(v[k], i: index(k)): real { return v[i] }
def total(v[k], w[k]): real { return sum(w * v) }
def product(v[k], w[k]): real { return w @ v }
def shares(v[k], w[k]): real { return sum(softmax(w * v)) }
def largest(S[k, k']): real { return max(S) }
def pair(x: real, y: real = 3): real { return [x, x * y] }
def ends(v[k]): real { return [v[1], v[0]] }
def turned(v[k], S[k, k']): real { return S @ v[k'] }
dim a
dim b = 2
data u[a]: real
data v[b]: real
data m[a, b]: real
data s[a, a']: real
data g[b]: index(a)
"""
u, v = np.array([1.0, -2.0, 3.0]), np.array([0.5, 4.0])
m, s = np.arange(6.0).reshape(3, 2) - 2.5, np.arange(9.0).reshape(3, 3)
DATA = {"u": u, "v": v, "m": m, "s": s, "g": np.array([2, 0])}

CALLS = [
    ("x = plus(1, 2)", 3.0),
    ("x[a] = plus(u, 1)", u + 1),
    ("x[a] = plus(y = u, x = 2 * u)", 3 * u),
    ("x = dot(u, u)", u @ u),
    ("x = norm(u + 1)", np.linalg.norm(u + 1)),
    ("x[a] = norm(m)", np.linalg.norm(m, axis=1)),
    ("x = quad(s, u)", u @ s @ u),
    ("x = first(u) + first(2 * v)", u[0] + u[-1] + 2 * (v[0] + v[-1])),
    ("x = tail(u * 2)", 2 * u[1:].sum()),
    ("x = tail(u[1:] + 0)", u[2:].sum()),
    ("x = pairs(u, v)", np.outer(u, v).sum()),
    ("x = pairs(u, u)", np.outer(u, u).sum()),
    ("x = average(u)", u.mean()),
    ("x = average(u[1:])", u[1:].mean()),
    ("x[b] = pick(u, g)", u[[2, 0]]),
    ("x[b] = pick(u + 1, g)", u[[2, 0]] + 1),
    ("x[a] = total(m, v)", m @ v),
    ("x[a] = total(v, m)", m @ v),
    ("x[a] = product(m, v)", m @ v),
    ("x = largest(s)", s.max()),
    ("x[b] = pair(2)", [2, 6]),
    ("x[b] = 1 + pair(2, y = 1)", [3, 3]),
    ("x[a, b] = pair(u)", np.stack([u, 3 * u], 1)),
    ("x[b] = ends(v)", v[::-1]),
    ("x = sum(ends(v) * v)", 2 * v[0] * v[1]),
    ("x[a] = turned(u, s)", s @ u),
    ("x[a, b] = [u, 1]", np.stack([u, np.ones(3)], 1)),
    ("x[b, b'] = [[1, v[0]], [v[1], 2]] * [2, 3]", np.array([[1, v[0]], [v[1], 2]]) * [2, 3]),
    ("x[b] = if(v > 1, [1, 2], -[3, 4])", np.where(v > 1, [1, 2], [-3, -4])),
    ("x = plus(norm(u), dot(v, v))", np.linalg.norm(u) + v @ v),
]


def computed(text: str) -> np.ndarray:
    program = Oracle(checked(HEAD + text + "\n"), {"a": 3, "b": 2}, DATA)
    program.log_joint({})
    return program.values["x"]


@pytest.mark.parametrize(("text", "expected"), CALLS, ids=[c[0] for c in CALLS])
def test_calls_compute_what_they_say(text, expected):
    np.testing.assert_allclose(computed(text), expected)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["u", "2 * u", "u + 1", "u * u", "s[0]", "m[:, 1]"]), min_size=2, max_size=2))
def test_a_call_is_its_body_with_the_arguments_in_place(args):
    x, y = (t.replace("s[0]", "s[0, a]") for t in args)
    direct = computed(f"x = sum(({x}) * ({y}), over = a)")
    np.testing.assert_allclose(computed(f"x = dot({x}, {y})"), direct)


def test_a_function_of_vectors_works_along_its_own_dim():
    """Called with a matrix it is called for each row, whatever the order of the axes in its body."""
    for args in ("m, v", "v, m"):
        reduce = value_of(HEAD + f"x[a] = shares({args})\n", "x")
        calls = [e for e in walk(reduce) if isinstance(e, ArrayCall)]
        assert [e.cores for e in calls] == [(("b",),)]
        assert [e.over for e in walk(reduce) if isinstance(e, Reduce)] == [("b",)]


def test_faults_are_told_in_the_definition_and_once():
    assert codes("def f(a: real): real { return a + bb }\nx = f(1)\ny = f(2)\n") == ["E0201"]


def test_a_recursive_function_is_one_error():
    assert codes("def f(a: real): real { return f(a) }\nx = f(1)\n") == ["E0702"]


def test_a_function_may_be_used_above_its_definition():
    assert variable("x = f(1)\ndef f(a: real): real { return a / 2 }\n", "x").dims == ()
