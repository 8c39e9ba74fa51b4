"""The programs of `gaps` and `posteriordb` by NumPyro's automatic guides and TFP's ASVI, and by ours: ELBO, k-hat, error, seconds.

Every peer gets 10,000 steps of Adam with four draws a step and a cosine to zero, at two rates, of which the better counts; a row
is one guide on one program. `below ours` in nats; `mean` the worst error of a posterior mean in reference sds, where there is a
reference; seconds from call to result, compiling included: cold, that of a peer's first rate, and with JAX's cache on disk, that of
its second; `of ours` their ratio. A guide some of whose draws are outside of the posterior's support has an ELBO of minus infinity:
NumPyro's guides hold bounds that hang on other latents at what they were at the start.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import optax
from numpyro.infer import SVI, Predictive, Trace_ELBO
from numpyro.infer import autoguide as auto
from numpyro.infer.initialization import init_to_median, init_to_uniform

import emfppl
from benchmarks import gaps
from benchmarks.agreement import Case, agreement, line, posteriordb, table
from benchmarks.asvi import BY_HAND, surrogate
from benchmarks.rows import ROOT, Options, Row, Task, compiled_once, measured
from emfppl.runtime.certificate import certify

Draws = dict[str, np.ndarray]
GUIDES: dict[str, Callable[..., Any]] = {
    "AutoNormal": auto.AutoNormal,
    "AutoMultivariateNormal": auto.AutoMultivariateNormal,
    "AutoLowRankMultivariateNormal": auto.AutoLowRankMultivariateNormal,
    "AutoIAFNormal": auto.AutoIAFNormal,
    "AutoBNAFNormal": auto.AutoBNAFNormal,
    "AutoDAIS": auto.AutoDAIS,
}
OURS = "emfppl"
STEPS, DRAWS, RATES = 10_000, 4, (1e-2, 1e-3)
WEIGHTS, BATCH = 20_000, 500  # draws that the ELBO of a peer is the mean of
LOST = 1e4  # nats: a guide so far below has diverged
EQUAL = 0.01  # nats that do not count
HEAD = ("program", "guide", "ELBO", "error", "below ours", "k-hat", "mean", "cold", "warm", "of ours", "warm")
WIDTHS = (44, 29, 11, 7, 10, 6, 6, 7, 7, 7, 6)


def main(chosen: Options) -> None:
    if not find_spec("tensorflow_probability"):
        print("ASVI is left out: it needs pip install 'emfppl[bench]'\n")
    table(HEAD, WIDTHS)
    rows, ours = [], Row()
    names = [name for name in programs() if chosen.wants(name)]
    for row in measured("peers", [{"name": n, "guide": guide} for n in names for guide in (OURS, *GUIDES, *_of_tfp(n))], chosen):
        ours = row if row["guide"] == OURS else ours
        line(cells(row, ours), WIDTHS)
        rows.append(row)
    print("\n" + summary(rows))


def programs() -> dict[str, gaps.Known | Case]:
    """Programs by name."""
    return {**gaps.TASKS, **{case.name: case for case in posteriordb()}}


def _of_tfp(name: str) -> list[str]:
    return ["ASVI"] if name in BY_HAND and find_spec("tensorflow_probability") else []


def cells(row: Row, ours: Row) -> tuple[object, ...]:
    """A printed row."""
    if "error" in row:
        return (row["name"], row["guide"], *("",) * 6, row["error"][:7], "", "")
    known = row["guide"] != OURS and "error" not in ours
    below = f"{ours['elbo'] - row['elbo']:.3f}" if known else ""
    ratios = [f"{row[k] / ours[k]:.1f}" if known else "" for k in ("cold", "warm")]
    mean = "" if row["mean"] is None else row["mean"]
    lost = "outside" if row.get("outside") else "diverged" if known and row["elbo"] < ours["elbo"] - LOST else ""
    figures = (lost, "", "") if lost else (f"{row['elbo']:.3f}", f"{row['elbo_se']:.1g}", below)
    return (row["name"], row["guide"], *figures, row["khat"], mean, f"{row['cold']:.1f}", f"{row['warm']:.1f}", *ratios)


def summary(rows: list[Row]) -> str:
    """On how many programs ours is the best or equal in ELBO, and faster than the best of the others."""
    best, faster, names = [], [], sorted({r["name"] for r in rows})
    for name in names:
        ours, others = _sides([r for r in rows if r["name"] == name and "error" not in r])
        if ours is None:
            continue
        top = max(others, key=lambda r: r["elbo"], default=None)
        noise = EQUAL + 2 * np.hypot(ours["elbo_se"], top["elbo_se"]) if top else 0
        best += [name] if top is None or ours["elbo"] >= top["elbo"] - noise else []
        faster += [name] if top is None or ours["cold"] < top["cold"] else []
    late = [n for n in names if n not in best]
    return (
        f"best or equal in ELBO: {len(best)} of {len(names)} (not: {', '.join(late) or 'none'})\n"
        f"faster, cold, than the best of the others: {len(faster)} of {len(names)}"
    )


def _sides(rows: list[Row]) -> tuple[Row | None, list[Row]]:
    ours = next((r for r in rows if r["guide"] == OURS), None)
    return ours, [r for r in rows if r["guide"] != OURS and np.isfinite(r["elbo"]) and not r.get("outside")]


# ---------------------------------------------------------------- one row


def measure(task: Task) -> Row:
    """One guide on one program."""
    program = programs()[task["name"]]
    data = program.sets()[0] if isinstance(program, gaps.Known) else program.data
    reference = {} if isinstance(program, gaps.Known) else program.reference
    model = emfppl.load(ROOT / program.model)
    numpyro.enable_x64()
    with compiled_once():
        if task["guide"] == OURS:
            return _ours(model, data, reference)
        return _peer(task, model, data, reference)


def _ours(model: Any, data: Any, reference: Any) -> Row:
    call = (lambda: gaps._fit(model, data, 0)) if isinstance(data, dict) else (lambda: model.fit(data, progress=False))
    fit, cold = _timed(call)
    jax.clear_caches()
    _, warm = _timed(call)
    mean = agreement(fit.sample(20_000), reference).mean if reference else None
    figures = {k: float(getattr(fit, k)) for k in ("elbo", "elbo_se", "khat")}
    return {**figures, "mean": mean, "cold": cold, "warm": warm, "params": fit.num_params, "rate": None}


def _peer(task: Task, model: Any, data: Any, reference: Any) -> Row:
    """The better of two rates, which take as long but for what the second one finds compiled on disk."""
    run = _asvi(task["name"], data) if task["guide"] == "ASVI" else _automatic(model, data, GUIDES[task["guide"]])
    found: dict[float, Any] = {}
    seconds = []
    for rate in RATES:
        jax.clear_caches()
        found[rate], taken = _timed(partial(run, rate))
        seconds.append(taken)
    rows = {rate: _judged(*result) for rate, result in found.items()}
    rate = max(RATES, key=lambda rate: (-rows[rate]["outside"], np.nan_to_num(rows[rate]["elbo"], nan=-np.inf, neginf=-np.inf)))
    mean = _mean_error(found[rate][2], reference) if reference else None
    return {**rows[rate], "mean": mean, "cold": seconds[0], "warm": seconds[1], "rate": rate}


def _adam(rate: float) -> optax.GradientTransformation:
    """With the rate in its state, so that one program on disk does for all."""
    start = lambda _: jnp.asarray(rate)  # noqa: E731
    scale = optax.GradientTransformation(start, lambda updates, rate, _: (jax.tree.map(lambda u: rate * u, updates), rate))
    return optax.chain(optax.adam(optax.cosine_decay_schedule(1.0, STEPS)), scale)


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    return call(), time.perf_counter() - began


def _judged(params: Any, log_weight: Callable[[Any, jax.Array], jax.Array], _: Any) -> Row:
    """ELBO, its error and k-hat from many draws."""
    keys = jax.random.split(jax.random.key(1), WEIGHTS)
    weights = jax.jit(lambda keys: jax.lax.map(lambda k: log_weight(params, k), keys, batch_size=BATCH))(keys)
    found = certify(np.asarray(weights, float))
    sizes = [np.size(leaf) for leaf in jax.tree.leaves(params)]
    figures = {"elbo": found.elbo, "elbo_se": found.elbo_se, "khat": found.khat, "outside": found.not_finite}
    return {**figures, "params": int(sum(sizes))}


def _mean_error(draws: Callable[[], Draws], reference: Any) -> float | None:
    try:
        return agreement(draws(), reference).mean
    except KeyError:  # a variable that the NumPyro model has not
        return None


def _automatic(model: Any, data: Any, make: Callable[..., Any]) -> Callable[[float], tuple]:
    """A run of a NumPyro guide at a rate: parameters, a log weight by key, and draws."""
    program = model.bind({}, sizes=data["sizes"]) if isinstance(data, dict) and "sizes" in data else model.bind(data)
    target, loss = program.numpyro_model, Trace_ELBO(num_particles=1).loss

    def begun(start: Any, rate: float) -> tuple:
        guide = make(target, init_loc_fn=start)
        svi = SVI(target, guide, _adam(rate), Trace_ELBO(num_particles=DRAWS))
        return guide, svi.run(jax.random.key(0), STEPS, progress_bar=False, stable_update=True).params

    def run(rate: float) -> tuple:
        try:
            guide, params = begun(init_to_median(num_samples=50), rate)
        except RuntimeError:  # where the density is not finite at the median of the prior
            guide, params = begun(init_to_uniform, rate)
        jax.block_until_ready(params)

        def draws() -> Draws:
            found = guide.sample_posterior(jax.random.key(2), params, sample_shape=(20_000,))
            rest = Predictive(target, posterior_samples=found, batch_ndims=1)(jax.random.key(3))
            return {k: np.asarray(v) for k, v in {**rest, **found}.items()}

        return params, lambda p, key: -loss(key, p, target, guide), draws

    return run


def _asvi(name: str, data: Any) -> Callable[[float], tuple]:
    """A run of ASVI at a rate."""

    def run(rate: float) -> tuple:
        start, log_weight = surrogate(name, data)
        adam = _adam(rate)

        def loss(params: Any, key: jax.Array) -> jax.Array:
            return -jnp.mean(jax.vmap(lambda k: log_weight(params, k)[0])(jax.random.split(key, DRAWS)))

        def step(state: Any, key: jax.Array) -> tuple:
            params, memory = state
            updates, memory = adam.update(jax.grad(loss)(params, key), memory, params)
            return (optax.apply_updates(params, updates), memory), None

        keys = jax.random.split(jax.random.key(0), STEPS)
        (params, _), _ = jax.jit(lambda s, k: jax.lax.scan(step, s, k))((start, adam.init(start)), keys)
        jax.block_until_ready(params)
        return params, lambda p, key: log_weight(p, key)[0], dict

    return run
