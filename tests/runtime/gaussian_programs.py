"""Programs with a Gaussian block, each with the rows of its residuals written by hand in NumPy.

`rows(v, d)` gives for values v of the outer latents and data d the triples (row of coefficients of z, datum or constant, scale) as
arrays: the residuals are (A z − b) / s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RNG = np.random.default_rng(7)


@dataclass(frozen=True)
class Case:
    name: str
    text: str
    data: dict
    rows: object
    colours: int  # at most so many products tell the precision matrix


def stacked(*parts):
    """(A, b, s) of several groups of rows."""
    return tuple(np.concatenate([np.asarray(p[n], float) for p in parts]) for n in range(3))


def group(a, b, s):
    """Rows with the same constant or scale, where it is a number."""
    a = np.atleast_2d(np.asarray(a, float))
    return a, np.broadcast_to(np.asarray(b, float), len(a)), np.broadcast_to(np.asarray(s, float), len(a))


def one(dim, *where):
    """Rows of zeros with ones: row n has one at where[n]."""
    return np.eye(dim)[list(where)]


G = np.array([0, 1, 1, 2, 2, 2])
Y6, X6 = RNG.normal(size=6), RNG.normal(size=6)


def hierarchy(v, d):
    a = one(4, *(1 + G))
    return stacked(group(one(4, 0), 1, 2), group(one(4, 1, 2, 3) - one(4, 0, 0, 0), 0, v["s"]), group(a, d["y"], 0.5))


def uncentred(v, d):
    a = one(4, *(np.zeros(6, int))) + v["s"] * one(4, *(1 + G))
    return stacked(group(one(4, 0), 0, 1), group(one(4, 1, 2, 3), 0, 1), group(a, d["y"], 0.7))


def crossed(v, d):
    prior = np.r_[np.full(3, v["s"]), np.full(2, 1.5)]
    a = one(5, *G) + one(5, *(3 + d["h"]))
    return stacked(group(np.eye(5), 0, prior), group(a, d["y"], v["t"]))


def regression(v, d):
    return stacked(group(np.eye(3), 0, 2), group(d["design"], d["y"], v["s"]))


def level(v, d):
    t = len(d["y"])
    seen = ~np.isnan(d["y"])
    steps = np.eye(t)[1:] - np.eye(t)[:-1]
    return stacked(group(one(t, 0), 1, 2), group(steps, 0, v["s"]), group(np.eye(t)[seen], d["y"][seen], v["o"]))


def two_lags(v, d):
    t = len(d["y"])
    e = np.eye(t)
    steps = e[2:] - 0.5 * e[1:-1] - 0.3 * e[:-2]
    return stacked(group(e[:2], 0, 1), group(steps, 0.1, v["s"]), group(e, d["y"], 0.4))


def trend(v, d):
    t = len(d["y"])
    e, zero = np.eye(t), np.zeros((t, t))
    lev, slope = np.hstack([e, zero]), np.hstack([zero, e])
    return stacked(
        group(lev[:1], 0, 1), group(slope[:1], 0, 1), group(lev[1:] - lev[:-1] - slope[:-1], 0, v["s"]),
        group(slope[1:] - slope[:-1], 0, 0.1), group(lev, d["y"], 0.4),
    )  # fmt: skip


def tree(v, d):
    e = np.eye(6)
    inner = [e[4] - e[0] + e[1], e[5] - e[2] + e[3]]
    return stacked(group(e[:4], 0, 0.2), group(inner, 0, 0.15), group(e[4] - e[5], d["y"], 0.15))


SPREAD = np.array([[1.0, 0.3, 0.1], [0.3, 0.8, -0.2], [0.1, -0.2, 1.2]])


def vectors(v, d):
    white = np.linalg.inv(np.linalg.cholesky(SPREAD))
    e, w = np.eye(7), np.kron(np.eye(2), white)
    steps = w @ e[1:]
    from_m = np.repeat(white.sum(1)[None], 2, 0).ravel()[:, None] * e[:1]
    logs = np.log(np.diag(np.linalg.cholesky(SPREAD)))
    prior = steps - from_m
    s = np.exp(np.tile(logs, 2))  # the scales that make the normalising constant right
    return stacked(group(e[:1], 0, 1), (prior * s[:, None], np.zeros(6), s), group(e[1:], d["y"].ravel(), v["s"]))


def panel(v, d):
    n, t = d["y"].shape
    e = np.eye(n * t + 1)
    x = e[1:].reshape(n, t, -1)
    first, steps = x[:, 0] - e[0], (x[:, 1:] - 0.8 * x[:, :-1]).reshape(n * (t - 1), -1)
    return stacked(group(e[:1], 0, 3), group(first, 0, 1), group(steps, 0, v["s"]), group(e[1:], d["y"].ravel(), 0.3))


def flat(v, d):
    a = np.stack([np.ones(6), d["x"]], 1)
    return group(a, np.log(d["y"]), v["s"])


def helper(v, d):
    t = len(d["y"])
    e = np.eye(t + 1)
    total, rows = np.zeros(t + 1), []
    for n in range(t):
        total = 0.5 * total + e[1 + n] + (n > 0) * e[0]
        rows.append(total)
    return stacked(group(e, 0, np.r_[1, np.full(t, v["s"])]), group(rows, d["y"], 0.5))


def of_vectors(v, d):
    e = np.eye(3)
    sums = group(np.tril(np.ones((3, 3)))[1:] * v["s"], d["w"][1:], 1)
    return stacked(group(e, 0, 1), group(np.tile(e.mean(0), (4, 1)), d["y"], 0.5), sums)


GROUPED = "dim group = 3\ndim obs\ndata g[obs]: index(group)\ndata y[obs]: real\n"
SERIES = "dim time\ndata y[time]: real?\n"

CASES = [
    Case("hierarchy", GROUPED + "m ~ Normal(1, 2)\ns ~ HalfNormal(1)\na[group] ~ Normal(m, s)\ny[obs] ~ Normal(a[g], 0.5)\n",
         {"g": G, "y": Y6}, hierarchy, 2),
    Case("not centred", GROUPED + "m ~ Normal(0, 1)\ns ~ HalfNormal(1)\ne[group] ~ Normal(0, 1)\na[group] = m + s * e\n"
         "y[obs] ~ Normal(a[g], 0.7)\n", {"g": G, "y": Y6}, uncentred, 2),
    Case("crossed", GROUPED + "dim item = 2\ndata h[obs]: index(item)\ns ~ HalfNormal(1)\nt ~ HalfNormal(1)\n"
         "a[group] ~ Normal(0, s)\nb[item] ~ Normal(0, 1.5)\ny[obs] ~ Normal(a[g] + b[h], t)\n",
         {"g": G, "h": np.array([0, 0, 1, 1, 0, 1]), "y": Y6},
         crossed, 5),
    Case("regression", "dim obs\ndim k\ndata design[obs, k]: real\ndata y[obs]: real\ns ~ LogNormal(0, 1)\nb[k] ~ Normal(0, 2)\n"
         "y[obs] ~ Normal(design @ b, s)\n", {"design": RNG.normal(size=(6, 3)), "y": Y6}, regression, 3),
    Case("level with gaps", SERIES + "s ~ HalfNormal(1)\no ~ HalfNormal(1)\nx[0] ~ Normal(1, 2)\nfor t in time[1:] {\n"
         "  x[t] ~ Normal(x[t-1], s)\n}\ny[time] ~ Normal(x, o)\n",
         {"y": np.array([0.3, np.nan, 1.0, 0.2, np.nan, np.nan, 2.0, 1.1])}, level, 3),
    Case("two lags", SERIES + "s ~ HalfNormal(1)\nx[time[:2]] ~ Normal(0, 1)\nfor t in time[2:] {\n"
         "  x[t] ~ Normal(0.5 * x[t-1] + 0.3 * x[t-2] + 0.1, s)\n}\ny[time] ~ Normal(x, 0.4)\n", {"y": RNG.normal(size=9)},
         two_lags, 5),
    Case("level and slope", SERIES + "s ~ HalfNormal(1)\nl[0] ~ Normal(0, 1)\nv[0] ~ Normal(0, 1)\nfor t in time[1:] {\n"
         "  l[t] ~ Normal(l[t-1] + v[t-1], s)\n  v[t] ~ Normal(v[t-1], 0.1)\n}\ny[time] ~ Normal(l, 0.4)\n",
         {"y": RNG.normal(size=8)}, trend, 6),
    Case("tree", "dim node = 6\ndata y: real\nx[node[:4]] ~ Normal(0, 0.2)\nfor n in node[4:] {\n"
         "  x[n] ~ Normal(x[2*(n-4)] - x[2*(n-4)+1], 0.15)\n}\ny ~ Normal(x[-2] - x[-1], 0.15)\n", {"y": 0.4}, tree, 5),
    Case("vectors", "dim row = 2\ndim k\ndata spread[k, k']: cov\ndata y[row, k]: real\ns ~ HalfNormal(1)\nm ~ Normal(0, 1)\n"
         "f[row, k] ~ MultivariateNormal(m, covariance_matrix = spread)\ny[row, k] ~ Normal(f, s)\n",
         {"spread": SPREAD, "y": RNG.normal(size=(2, 3))}, vectors, 4),
    Case("panel", "dim unit\ndim time\ndata y[unit, time]: real\ns ~ HalfNormal(1)\nm ~ Normal(0, 3)\nx[unit, 0] ~ Normal(m, 1)\n"
         "for t in time[1:] {\n  x[unit, t] ~ Normal(0.8 * x[unit, t-1], s)\n}\ny[unit, time] ~ Normal(x, 0.3)\n",
         {"y": RNG.normal(size=(3, 5))}, panel, 4),
    Case("flat", "dim obs\ndata x[obs]: real\ndata y[obs]: positive\ns ~ HalfNormal(1)\na ~ Flat()\nb ~ Flat()\n"
         "y[obs] ~ LogNormal(a + b * x, s)\n", {"x": X6, "y": np.exp(Y6)}, flat, 2),
    Case("a computed recurrence", SERIES + "s ~ HalfNormal(1)\nm ~ Normal(0, 1)\ne[time] ~ Normal(0, s)\nc[0] = e[0]\n"
         "for t in time[1:] {\n  c[t] = 0.5 * c[t-1] + e[t] + m\n}\ny[time] ~ Normal(c, 0.5)\n", {"y": RNG.normal(size=5)},
         helper, 6),
    Case("sums", "dim k = 3\ndim obs\ndata y[obs]: real\ndata w[k]: real?\ns ~ HalfNormal(1)\nb[k] ~ Normal(0, 1)\n"
         "def run(v[n]: real, s: real): real { return s * cumsum(v, over = n) }\n"
         "y[obs] ~ Normal(mean(b), 0.5)\nw[k] ~ Normal(run(b, s), 1)\n",
         {"y": Y6[:4], "w": np.array([np.nan, 0.4, -1.0])}, of_vectors, 3),
]  # fmt: skip
