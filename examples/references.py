"""Reference posteriors of the examples: long NUTS runs on models written by hand in NumPyro, apart from emfppl.

    python examples/references.py        writes references.json beside this file (some minutes)
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro import deterministic, sample
from numpyro.diagnostics import summary
from numpyro.infer import MCMC, NUTS
from numpyro.infer.initialization import init_to_median

HERE = Path(__file__).parent


def radon(county_of, floor, uranium, log_radon):
    g0, g1 = sample("g0", dist.Normal(0, 1)), sample("g1", dist.Normal(0, 1))
    sigma_county = sample("sigma_county", dist.HalfNormal(1))
    e = sample("_e", dist.Normal(jnp.zeros(uranium.shape), 1))
    a = deterministic("a", g0 + g1 * uranium + sigma_county * e)
    b, sigma_y = sample("b", dist.Normal(0, 1)), sample("sigma_y", dist.HalfNormal(1))
    sample("log_radon", dist.Normal(a[county_of] + b * floor, sigma_y), obs=log_radon)


def brownian_bridge(y):
    s = sample("s", dist.LogNormal(0, 2))
    x = deterministic("x", s * jnp.cumsum(sample("_e", dist.Normal(jnp.zeros(y.shape), 1))))
    seen = np.flatnonzero(~np.isnan(y))
    sample("y", dist.Normal(x[seen], 0.15), obs=y[seen])


def wells(dist_, arsenic, switched):
    alpha, b_distance, b_arsenic = (
        sample(name, dist.ImproperUniform(dist.constraints.real, (), ()))
        for name in ("alpha", "b_distance", "b_arsenic")
    )
    sample("switched", dist.Bernoulli(logits=alpha + b_distance * dist_ / 100 + b_arsenic * arsenic), obs=switched)


def kidiq(kid_score, mom_hs, mom_iq):
    hs, iq = mom_hs - mom_hs.mean(), mom_iq - mom_iq.mean()
    alpha, b_hs = sample("alpha", dist.Normal(80, 20)), sample("b_hs", dist.Normal(0, 20))
    b_iq, b_both = sample("b_iq", dist.Normal(0, 2)), sample("b_both", dist.Normal(0, 2))
    sigma = sample("sigma", dist.HalfNormal(30))
    sample("kid_score", dist.Normal(alpha + b_hs * hs + b_iq * iq + b_both * hs * iq, sigma), obs=kid_score)


def arrays(name: str) -> dict[str, np.ndarray]:
    data = json.loads((HERE / f"{name}.json").read_text())
    out = {k: np.array(v, dtype=float if None in v else None) for k, v in data.items()}
    return {"dist_" if k == "dist" else k: v for k, v in out.items()}


def reference(name: str, model: Callable) -> dict[str, dict[str, float]]:
    """Mean, sd and quantiles of every scalar; refuses a run that has not mixed."""
    nuts = NUTS(model, target_accept_prob=0.95, init_strategy=init_to_median)
    mcmc = MCMC(nuts, num_warmup=2000, num_samples=5000, num_chains=4, chain_method="sequential", progress_bar=False)
    mcmc.run(jax.random.key(4711), **arrays(name))
    draws = {k: np.asarray(v) for k, v in mcmc.get_samples(group_by_chain=True).items() if not k.startswith("_")}
    rows = summary(draws)
    assert all(np.all(r["r_hat"] < 1.01) and np.all(r["n_eff"] > 2000) for r in rows.values()), name
    return {scalar: row for k, v in draws.items() for scalar, row in of_variable(k, v.reshape(-1, *v.shape[2:]))}


def of_variable(name: str, draws: np.ndarray) -> list[tuple[str, dict[str, float]]]:
    out = []
    for index in np.ndindex(draws.shape[1:]):
        x = draws[(slice(None), *index)]
        q5, q50, q95 = np.quantile(x, [0.05, 0.5, 0.95])
        row = {"mean": x.mean(), "sd": x.std(ddof=1), "q5": q5, "q50": q50, "q95": q95}
        out.append((name + (f"[{', '.join(map(str, index))}]" if index else ""), {k: float(f"{v:.8g}") for k, v in row.items()}))
    return out


def main() -> None:
    numpyro.enable_x64()
    models = (radon, brownian_bridge, wells, kidiq)
    blocks = []
    for model in models:
        rows = reference(model.__name__, model)
        lines = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in rows.items())
        blocks.append(f' "{model.__name__}": {{\n{lines}\n }}')
    (HERE / "references.json").write_text("{\n" + ",\n".join(blocks) + "\n}\n")


if __name__ == "__main__":
    main()
