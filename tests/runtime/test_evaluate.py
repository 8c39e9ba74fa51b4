"""Values of expressions, against NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from emfppl.compiler.pipeline import compile_text
from emfppl.grammar.source import SourceText
from emfppl.runtime.bind import bind
from emfppl.runtime.program import Program

RNG = np.random.default_rng(3)
DATA = {
    "a": RNG.normal(size=3), "b": RNG.normal(size=4), "m": RNG.normal(size=(3, 4)), "p": RNG.random(3) * 0.8 + 0.1,
    "q": RNG.normal(size=(3, 3)), "spd": np.eye(3) + 0.2, "n": np.array([3, 1, 4]), "k": np.array([1, 0, 2]),
    "i": np.array([2, 0, 1, 1]), "yes": np.array([True, False, True]), "big": RNG.normal(size=(2, 3, 4)),
}  # fmt: skip
HEAD = """
dim r
dim c
dim s
data a[r]: real
data b[c]: real
data m[r, c]: real
data p[r]: unit
data q[r, r']: real
data spd[r, r']: cov
data n[r]: count
data k[r]: int
data i[c]: index(r)
data yes[r]: bool
data big[s, r, c]: real
"""
A, B, M, P, Q, SPD, N, K, AT, YES, BIG = (DATA[name] for name in ("a", "b", "m", "p", "q", "spd", "n", "k", "i", "yes", "big"))


def value(target: str, expression: str) -> np.ndarray:
    graph = compile_text(SourceText(f"{HEAD}\n{target} = {expression}\n"))
    return Program(bind(graph, DATA)).data[target.split("[")[0]]


CASES = [
    ("x[r]", "log_choose(n + 2, k)", np.log(special.comb(N + 2, K))),
    ("x[r]", "minimum(a, p) + maximum(a, 0) + clip(a, -0.5, 0.5)", np.minimum(A, P) + np.maximum(A, 0) + np.clip(A, -0.5, 0.5)),
    # arithmetic of ints, bools and reals
    ("x[r]", "n // 2 + n % 2", N // 2 + N % 2),
    ("x[r]", "n / 2", N / 2),
    ("x[r]", "-n // 2", -N // 2),
    ("x[r]", "a ^ 2 - p ** 0.5", A**2 - P**0.5),
    ("x[r]", "if(yes and not (a > 0), 1, a)", np.where(YES & ~(A > 0), 1, A)),
    ("x", "sum(yes)", 2),
    ("x[r]", "if(n >= 3 or k == 0, a, -a)", np.where((N >= 3) | (K == 0), A, -A)),
    # alignment by name
    ("x[r, c]", "a * b", A[:, None] * B),
    ("x[r, c]", "b + m - a", B + M - A[:, None]),
    ("x[c, r]", "m", M.T),
    ("x[r]", "r * a + c", 3 * A + 4),
    # subscripts
    ("x[c]", "a[i]", A[AT]),
    ("x[r, c]", "q[r, i]", Q[:, AT]),
    ("x", "a[0] + a[-1] * m[1, 2]", A[0] + A[-1] * M[1, 2]),
    ("x", "sum(a[1:] - a[:-1])", np.sum(A[1:] - A[:-1])),
    ("x[r]", "m[:, 1]", M[:, 1]),
    ("x[s]", "big[:, 1, 2]", BIG[:, 1, 2]),
    ("x[c]", "(a * 2)[i]", 2 * A[AT]),
    # reductions
    ("x[r]", "mean(m, over = c)", M.mean(1)),
    ("x[r]", "sd(m, over = c) + var(m, over = c)", M.std(1, ddof=1) + M.var(1, ddof=1)),
    ("x[c]", "min(m, over = r) + max(m, over = r)", M.min(0) + M.max(0)),
    ("x[r]", "logsumexp(m, over = c)", special.logsumexp(M, axis=1)),
    ("x", "sum(big, over = [s, r, c]) + prod(p)", BIG.sum() + P.prod()),
    ("x[r, c]", "cumsum(m, over = c)", np.cumsum(M, 1)),
    ("x[r]", "cumprod(p)", np.cumprod(P)),
    ("x", "if(any(a > 0) and not all(a > 0), 1, 0)", float((A > 0).any() and not (A > 0).all())),
    # sums over a shared dim
    ("x[r]", "m @ b", M @ B),
    ("x[c]", "a @ m", A @ M),
    ("x[s, r]", "big @ b", BIG @ B),
    ("x[r, r']", "q @ spd", Q @ SPD),
    ("x[r, r']", "diag(a) @ q @ transpose(q) @ diag(p)", np.diag(A) @ Q @ Q.T @ np.diag(P)),
    ("x[r]", "q @ spd @ a[r']", Q @ SPD @ A),
    ("x[r]", "q @ a + a[r'] @ q[r', r]", Q @ A + A @ Q),
    ("x[r]", "q @ (spd @ a)", Q @ SPD @ A),
    ("x", "a @ q @ a[r']", A @ Q @ A),
]  # fmt: skip


@pytest.mark.parametrize(("target", "expression", "expected"), CASES, ids=[c[1] for c in CASES])
def test_values(target, expression, expected):
    np.testing.assert_allclose(value(target, expression), expected, rtol=1e-10, atol=1e-12)


def test_loops_make_slices():
    """Affine subscripts, backwards too; two subscripts of one loop variable; a gather beside a slice."""
    text = HEAD + """
for t in c[1:] {
  x[t] = b[t-1] + b[t] * t
}
x[0] = 0
for t in r {
  d[t] = q[t, t] + a[r - 1 - t]
}
for j in c {
  e[j] = m[i[j], j]
}
"""
    data = Program(bind(compile_text(SourceText(text)), DATA)).data
    np.testing.assert_allclose(data["x"], np.r_[0, B[:-1] + B[1:] * np.arange(1, 4)])
    np.testing.assert_allclose(data["d"], np.diagonal(Q) + A[::-1])
    np.testing.assert_allclose(data["e"], M[AT, np.arange(4)])
