"""The models of `examples/paper` written by hand in NumPy: log p(latents) and log p(data | latents), as in `hand_posteriordb`."""

from __future__ import annotations

import numpy as np
from hand_posteriordb import N, bernoulli
from scipy import special


def walk(x, scale, first):
    """Along the first axis."""
    return N(x[0], 0, first).sum() + N(np.diff(x, axis=0), 0, scale).sum()


def seen(y, x, scale):
    here = ~np.isnan(y)
    return N(y[here], x[here], scale).sum()


def signs(y, eta):
    here = ~np.isnan(y)
    return bernoulli(y[here], eta[here])


def brownian(v, d):
    return walk(v["x"], 0.1, 0.1), seen(d["y"], v["x"], 0.15)


def brownian_binary(v, d):
    return walk(v["x"], 0.1, 0.1), signs(d["y"], 5 * v["x"])


def geometric_brownian(v, d):
    return walk(np.log(v["x"]), 0.1, 0.1) - np.log(v["x"]).sum(), 0.0


def ornstein_uhlenbeck(v, d):
    x = v["x"]
    return N(x[0], 0, 5) + N(x[1:], 0.8 * x[:-1], 0.5).sum(), 0.0


def steps(path, drift, dt):
    """Euler steps of a system: (time, state) with standard normal starts and noise of sd √dt/10."""
    ahead = path[:-1] + dt * np.array([drift(s) for s in path[:-1]])
    return N(path[0]).sum() + N(path[1:], ahead, np.sqrt(dt) * 0.1).sum()


def lorenz_prior(v):
    drift = lambda s: (10 * (s[1] - s[0]), s[0] * (28 - s[2]) - s[1], s[0] * s[1] - 8 / 3 * s[2])  # noqa: E731
    return steps(np.stack([v["x"], v["y"], v["z"]], axis=1), drift, 0.02)


def lorenz(v, d):
    return lorenz_prior(v), seen(d["obs"], v["x"], 1)


def lorenz_binary(v, d):
    return lorenz_prior(v), signs(d["obs"], 2 * v["x"])


def van_der_pol_prior(v):
    drift = lambda s: (s[1], (1 - s[0] ** 2) * s[1] - s[0])  # noqa: E731
    return steps(np.stack([v["x"], v["y"]], axis=1), drift, 0.05)


def van_der_pol(v, d):
    return van_der_pol_prior(v), seen(d["obs"], v["x"], 0.5)


def van_der_pol_binary(v, d):
    return van_der_pol_prior(v), signs(d["obs"], v["x"])


def eight_schools(v, d):
    prior = N(v["mu"], 0, 10) + N(v["log_tau"], 5, 1) + N(v["theta_std"]).sum()
    return prior, N(d["y"], v["mu"] + np.exp(v["log_tau"]) * v["theta_std"], d["sigma"]).sum()


def tree(bend, leaf_scale, scale):
    """Layers from the leaves upwards; the last pair has the root above it."""

    def density(v, d):
        layer, rest = np.split(v["x"], [int(d["leaves"])])
        prior = N(layer, 0, leaf_scale).sum()
        while len(layer) > 2:
            above, rest = np.split(rest, [len(layer) // 2])
            prior += N(above, bend(layer[0::2]) - bend(layer[1::2]), scale).sum()
            layer = above
        assert len(rest) == 0
        return prior, N(d["y"], bend(layer[0]) - bend(layer[1]), scale)

    return density


def hierarchy(v, d):
    return N(v["m"]).sum() + N(v["x"], v["m"], 1).sum(), 0.0


def mixture_prior(v, d):
    """At the starts: equal weights, centres from −4 to 4, scales of 1."""
    centres = np.linspace(-4, 4, 100)
    return special.logsumexp(N(v["x"][:, None], centres, 1) - np.log(100), axis=1).sum(), 0.0


def continuity(v, d):
    return walk(v["path"], 1, 1), 0.0


def smoothness(v, d):
    x = v["path"]
    return N(x[:2]).sum() + N(x[2:], 2 * x[1:-1] - x[:-2], 1).sum(), 0.0


BY_HAND = {
    "brownian": brownian,
    "brownian_binary": brownian_binary,
    "geometric_brownian": geometric_brownian,
    "ornstein_uhlenbeck": ornstein_uhlenbeck,
    "lorenz": lorenz,
    "lorenz_binary": lorenz_binary,
    "van_der_pol": van_der_pol,
    "van_der_pol_binary": van_der_pol_binary,
    "eight_schools": eight_schools,
    "linear_tree": tree(lambda x: x, 0.2, 0.15),
    "tanh_tree": tree(np.tanh, 0.1, 0.05),
    "hierarchy": hierarchy,
    "mixture_prior": mixture_prior,
    "continuity": continuity,
    "smoothness": smoothness,
}
