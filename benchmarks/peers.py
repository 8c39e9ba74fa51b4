"""Eight schools, radon and wells against NumPyro's automatic guides: ELBO, seconds, and their ratio to ours.

The peers run on the same NumPyro model, Adam 1e-2 with a cosine to zero, 10,000 steps of 4 draws; their ELBO is the
mean of 20,000 draws, ours as the certificate says. Seconds include compilation on both sides.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpyro
import optax
from numpyro.infer import SVI, Trace_ELBO
from numpyro.infer import autoguide as auto
from numpyro.infer.initialization import init_to_median

import emfppl
from benchmarks.agreement import EXAMPLES, line, table

MODELS = ("eight_schools", "radon", "wells")
GUIDES: dict[str, Callable] = {
    "AutoNormal": auto.AutoNormal,
    "AutoMultivariateNormal": auto.AutoMultivariateNormal,
    "AutoLowRankMultivariateNormal": auto.AutoLowRankMultivariateNormal,
    "AutoIAFNormal": auto.AutoIAFNormal,
}
STEPS, DRAWS = 10_000, 4
LOST = 1e4  # nats: a guide so far below has diverged, and is shown as nan
HEAD = ("model", "guide", "ELBO", "below ours", "seconds", "of ours")
WIDTHS = (14, 29, 11, 10, 8, 8)


def main() -> None:
    numpyro.enable_x64()
    table(HEAD, WIDTHS)
    for name in MODELS:
        model = emfppl.load(EXAMPLES / f"{name}.emf")
        data = EXAMPLES / f"{name}.json"
        began = time.perf_counter()
        fit = model.fit(data, progress=False)
        seconds = time.perf_counter() - began
        line((name, "emfppl", float(fit.elbo), 0.0, seconds, 1.0), WIDTHS)
        for guide, make in GUIDES.items():
            elbo, took = peer(model.bind(data).numpyro_model, make)
            elbo = elbo if elbo > fit.elbo - LOST else float("nan")
            line((name, guide, elbo, float(fit.elbo) - elbo, took, took / seconds), WIDTHS)


def peer(model: Callable, make: Callable) -> tuple[float, float]:
    """ELBO and seconds of one automatic guide."""
    began = time.perf_counter()
    guide = make(model, init_loc_fn=init_to_median(num_samples=50))
    rate = optax.cosine_decay_schedule(1e-2, STEPS)
    svi = SVI(model, guide, optax.adam(rate), Trace_ELBO(num_particles=DRAWS))
    found = svi.run(jax.random.key(0), STEPS, progress_bar=False, stable_update=True)
    loss = Trace_ELBO(num_particles=1000).loss
    many = jax.jit(lambda key: loss(key, found.params, model, guide))
    keys = jax.random.split(jax.random.key(1), 20)
    return -float(jnp.mean(jnp.array([many(k) for k in keys]))), time.perf_counter() - began
