"""`load`, `check`, `fit`, `Model` and `Bound`; and that whatever goes in wrong comes out as `EmfError`."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import emfppl as emf

ROOT = Path(__file__).parents[2]
SCHOOLS = ROOT / "examples/eight_schools.emf"
DATA = {"y": [28, 8, -3, 7, -1, 1, 18, 12], "sigma": [15, 10, 16, 11, 9, 11, 10, 18]}
MEAN = "dim obs\ndata y[obs]: real\nmu ~ Normal(0, 1)\ny[obs] ~ Normal(mu, 1)\n"


def fails(code: str, call, *args, **kwargs) -> str:
    """The messages of the `EmfError` that a call raises, all with this code."""
    with pytest.raises(emf.EmfError) as caught:
        call(*args, **kwargs)
    found = caught.value.diagnostics
    assert found and {d.code for d in found} == {code}, caught.value
    return str(caught.value)


# ---------------------------------------------------------------- programs


@pytest.mark.parametrize("program", [SCHOOLS, str(SCHOOLS), SCHOOLS.read_text()], ids=["Path", "name", "text"])
def test_a_program_is_a_path_a_name_or_a_text(program):
    assert {v["name"] for v in emf.load(program).info()["latents"]} == {"mu", "tau", "theta"}
    assert emf.check(program) == []


@pytest.mark.parametrize(
    ("program", "code"),
    [("nope.emf", "E1201"), ("nowhere/x.emf", "E1201"), (ROOT, "E1202"), ("eight_schools", "E1301"), (3, "E1301"),
     ({"y": [1]}, "E1301"), (None, "E1301")],
)  # fmt: skip
def test_what_is_no_program(program, code):
    fails(code, emf.load, program)
    assert [d.code for d in emf.check(program)] == [code]


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "x.emf").write_bytes(b"x ~ Normal(0, 1) # \xff\n")
    assert "UTF-8" in fails("E1202", emf.load, tmp_path / "x.emf")


def test_windows_files_are_read(tmp_path):
    (tmp_path / "x.emf").write_bytes(b"\xef\xbb\xbfx ~ Normal(0, 1)\r\ny ~ Normal(x, 1)\r\n")
    assert emf.check(tmp_path / "x.emf") == []


def test_load_raises_all_errors_and_check_returns_them():
    text = "x ~ Normal(0, s)\ny ~ Nrmal(0, 1)\n"
    with pytest.raises(emf.EmfError) as caught:
        emf.load(text)
    assert [d.code for d in caught.value.diagnostics] == [d.code for d in emf.check(text)] == ["E0201", "E0207"]


def test_warnings_do_not_raise():
    text = "s ~ Normal(0, 1)\nx ~ Normal(0, s)\n"
    assert [d.code for d in emf.check(text)] == ["W0105"]
    assert [d.code for d in emf.load(text).check()] == ["W0105"]
    assert emf.check(text.replace("s)\n", "s)  # emf: ok W0105\n")) == []


# ---------------------------------------------------------------- data


def test_check_of_data_needs_the_observed_ones_and_bind_does_not():
    model = emf.load(SCHOOLS)
    assert model.check(DATA) == []
    assert [d.code for d in model.check({"sigma": [1, 2]})] == ["E1001"]
    assert model.bind({"sigma": [1, 2]}).sizes == {"school": 2}
    assert [d.code for d in model.check({**DATA, "sigma": [1] * 7 + [-1]})] != []


def test_fit_needs_the_observed_data():
    model = emf.load(SCHOOLS)
    fails("E1001", model.fit, {"sigma": [1, 2]})
    fails("E1001", model.bind({"sigma": [1, 2]}).fit)


def test_sizes_serve_where_no_data_show_them():
    model = emf.load(MEAN)
    assert model.sample_prior(4, sizes={"obs": 3})["y"].shape == (4, 3)
    with pytest.raises(emf.EmfError):
        model.sample_prior(4)


@pytest.mark.parametrize(
    "arguments",
    [{"seed": -1}, {"seed": 2**32}, {"seed": "a"}, {"seed": 1.5}, {"seed": True}, {"num_draws": 0}, {"num_draws": None},
     {"guide": 3}, {"precision": "double"}, {"sizes": [3]}, {"sizes": {"obs": -1}}, {"sizes": {"obs": 2.5}}],
    ids=str,
)  # fmt: skip
def test_arguments_are_checked(arguments):
    fails("E1302", emf.fit, MEAN, {"y": [1.0]}, **arguments)


def test_an_unknown_guide():
    assert "mean_field" in fails("E1101", emf.fit, MEAN, {"y": [1.0]}, guide="meanfield")


# ---------------------------------------------------------------- a bound program


def test_log_joint_is_the_density():
    bound = emf.load(SCHOOLS).bind(DATA)
    values = {"mu": 1.0, "tau": 2.0, "theta": np.linspace(-1, 3, 8)}
    exact = stats.norm(0, 5).logpdf(1.0) + stats.halfcauchy(scale=5).logpdf(2.0)
    exact += stats.norm(1.0, 2.0).logpdf(values["theta"]).sum()
    exact += stats.norm(values["theta"], DATA["sigma"]).logpdf(DATA["y"]).sum()
    assert bound.log_joint(values) == pytest.approx(exact, abs=1e-9)


def test_traced_values_are_told_where_to_go():
    from numpyro.infer.util import log_density

    bound = emf.load(MEAN).bind({"y": [0.5, 1.5]})
    assert "log_density" in fails("E1302", jax.grad(bound.log_joint), {"mu": jnp.array(0.3)})
    slope = jax.grad(lambda values: log_density(bound.numpyro_model, (), {}, values)[0])({"mu": jnp.array(0.3)})
    up, down = (bound.log_joint({"mu": 0.3 + step}) for step in (1e-3, -1e-3))
    assert slope["mu"] == pytest.approx((up - down) / 2e-3, abs=1e-3)


def test_single_precision_on_request():
    bound = emf.load(SCHOOLS).bind(DATA, precision="float32")
    assert bound.sample_prior(2)["mu"].dtype == np.float32
    assert emf.load(SCHOOLS).bind(DATA).sample_prior(2)["mu"].dtype == np.float64


def test_noise_there_and_back():
    bound = emf.load(SCHOOLS).bind(DATA)
    rng = np.random.default_rng(0)
    noise = {k: rng.normal(size=s) for k, s in bound.noise_shapes.items()}
    values = bound.from_noise(noise)
    assert {k: np.shape(v) for k, v in values.items()} == bound.latent_shapes
    back = bound.to_noise(values)
    assert all(np.allclose(back[k], noise[k], atol=1e-9) for k in noise)


def test_values_and_noise_are_checked():
    bound = emf.load(SCHOOLS).bind(DATA)
    good = {"mu": 0.0, "tau": 1.0, "theta": np.zeros(8)}
    fails("E1302", bound.log_joint, {"mu": 0.0})
    assert "did you mean `theta`" in fails("E1302", bound.to_noise, {**good, "thta": 0})
    assert "(8,)" in fails("E1302", bound.log_joint, {**good, "theta": np.zeros(7)})
    fails("E1302", bound.log_joint, {**good, "theta": "x"})
    fails("E1302", bound.log_joint, [1, 2])
    fails("E1302", bound.from_noise, {})


BOUNDS = """
dim k = 3
cap ~ HalfNormal(1)
x[0]: real(0, cap) ~ Normal(0, 1)
for i in k[1:] {
  x[i]: real(x[i-1], cap) ~ Normal(0, 1)
}
w[k] ~ Dirichlet(1)
m[k]: ordered ~ Normal(0, 1)
factor -cap - sum(x * w * m)
"""


@pytest.mark.parametrize(
    "wrong",
    [{"cap": -1.0}, {"cap": 0.55}, {"x": [0.4, 0.3, 0.6]}, {"w": [0.5, 0.6, -0.1]}, {"m": [1, 0, 2]}, {"x": np.nan}],
    ids=lambda w: next(iter(w)),
)
def test_outside_of_a_support_there_is_no_density(wrong):
    bound = emf.load(BOUNDS).bind()
    good = {"cap": 1.0, "x": [0.2, 0.4, 0.6], "w": [0.2, 0.3, 0.5], "m": [-1, 0, 1]}
    assert np.isfinite(bound.log_joint(good)) and bound.to_noise(good)
    assert bound.log_joint({**good, **wrong}) == -np.inf
    assert "outside" in fails("E1302", bound.to_noise, {**good, **wrong})


STRUCTURES = """
dim k = 12
w[k] ~ Dirichlet(0.5)
L[k, k'] ~ LKJCholesky(1)
m[k]: ordered ~ Normal(0, 1)
p[k]: positive_ordered ~ Normal(0, 1)
z[k]: sum_to_zero ~ Normal(0, 1)
s ~ HalfCauchy(1)
u: real(0, s) ~ Normal(0, 10)
factor sum(w) + sum(L) + sum(m) + sum(p) + sum(z) + u
"""


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_our_own_draws_are_inside_of_their_supports(precision):
    bound = emf.load(STRUCTURES).bind(precision=precision)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        noise = {k: 1.5 * rng.normal(size=s) for k, s in bound.noise_shapes.items()}
        values = bound.from_noise(noise)
        assert np.isfinite(bound.log_joint(values))
        assert bound.to_noise(values).keys() == noise.keys()


def test_prior_draws_have_the_prior_moments():
    draws = emf.load(MEAN).sample_prior(4000, sizes={"obs": 2}, seed=1)
    assert draws["mu"].std() == pytest.approx(1, rel=0.05)
    assert draws["y"].std() == pytest.approx(2**0.5, rel=0.05)
    assert np.corrcoef(draws["mu"], draws["y"][:, 0])[0, 1] == pytest.approx(0.5**0.5, abs=0.03)


def test_equal_seeds_give_equal_draws():
    model = emf.load(MEAN)
    one, two, other = (model.sample_prior(5, sizes={"obs": 2}, seed=s)["y"] for s in (3, 3, 4))
    assert np.array_equal(one, two) and not np.array_equal(one, other)


# ---------------------------------------------------------------- NumPyro


def test_the_numpyro_model_in_all_its_forms():
    from numpyro.infer.util import log_density

    model = emf.load(SCHOOLS)
    values = {"mu": 1.0, "tau": 2.0, "theta": jnp.ones(8)}
    ours = model.bind(DATA).log_joint(values)
    filled = model.numpyro_model(DATA)
    for one, args, kwargs in (
        (filled, (), {}),
        (model.bind(DATA).numpyro_model, (), {}),
        (model.numpyro_model, (DATA,), {}),
        (model.numpyro_model, (), DATA),
    ):
        assert float(log_density(one, args, kwargs, values)[0]) == pytest.approx(ours, rel=1e-5)


def test_nuts_and_predictive_run_on_it():
    from numpyro.infer import MCMC, NUTS, Predictive

    model = emf.load(MEAN)
    mcmc = MCMC(NUTS(model.numpyro_model), num_warmup=200, num_samples=500, progress_bar=False)
    mcmc.run(jax.random.key(0), data={"y": [0.5, 1.5]})
    assert mcmc.get_samples()["mu"].mean() == pytest.approx(2 / 3, abs=0.15)
    drawn = Predictive(model.numpyro_model({}, sizes={"obs": 3}), num_samples=7)(jax.random.key(1))
    assert drawn["y"].shape == (7, 3)


VECTOR = MEAN.replace("mu ~", "dim k = 3\nm[k] ~ Normal(0, 1)\nw[k] ~ Dirichlet(1)\nmu ~").replace(
    "Normal(mu, 1)", "Normal(mu, 1 + 0 * sum(m * w))"
)


@pytest.mark.parametrize("program", [MEAN, VECTOR], ids=["scalar", "vectors"])
def test_svi_runs_on_model_and_guide(program):
    import optax
    from numpyro.infer import SVI, Trace_ELBO

    model, data = emf.load(program), {"y": [0.5, 1.5]}
    guide = model.numpyro_guide(data, "gated" if program == VECTOR else "mean_field")
    svi = SVI(model.numpyro_model(data), guide, optax.adam(0.02), Trace_ELBO(num_particles=8))
    found = svi.run(jax.random.key(0), 1500, progress_bar=False)
    y, cov = np.array([0.5, 1.5]), np.eye(2) + 1
    exact = -0.5 * (y @ np.linalg.solve(cov, y) + np.log(np.linalg.det(2 * np.pi * cov)))
    assert -float(found.losses[-200:].mean()) == pytest.approx(exact, abs=0.03)


def test_data_can_not_be_traced():
    model = emf.load(MEAN)
    assert "filled in" in fails("E1302", jax.jit(lambda y: model.numpyro_model({"y": y})), jnp.ones(2))
    fails("E1302", model.numpyro_model, [1, 2], y=3)


# ---------------------------------------------------------------- distributions of one's own


def rayleigh(**more) -> emf.Distribution:
    return emf.Distribution(
        "Rayleigh",
        forms=((emf.Parameter("scale", "positive"),),),
        support="positive",
        log_prob=lambda x, scale: jnp.log(x) - 2 * jnp.log(scale) - 0.5 * (x / scale) ** 2,
        **more,
    )


MAPS = {
    "cdf": lambda x, scale: -jnp.expm1(-0.5 * (x / scale) ** 2),
    "quantile": lambda p, scale: scale * jnp.sqrt(-2 * jnp.log1p(-p)),
}
WIND = "dim day\ndata v[day]: positive\ns ~ Rayleigh(3)\nv[day] ~ Rayleigh(s)\n"


@pytest.mark.parametrize("maps", [MAPS, {}], ids=["with a quantile", "with a density alone"])
def test_a_registered_distribution_through_a_fit(maps):
    v = np.array([2.0, 3.5, 1.2, 4.1, 2.2])
    fit = emf.load(WIND, distributions=[rayleigh(**maps)]).fit({"v": v}, num_draws=4000, progress=False)
    grid = np.linspace(0.3, 12, 4000)
    density = stats.rayleigh(scale=3).pdf(grid) * np.prod([stats.rayleigh.pdf(x, scale=grid) for x in v], axis=0)
    mean = np.sum(grid * density) / np.sum(density)
    sd = np.sqrt(np.sum((grid - mean) ** 2 * density) / np.sum(density))
    assert abs(fit.draws["s"].mean() - mean) < 0.1 * sd
    assert fit.log_evidence == pytest.approx(np.log(np.trapezoid(density, grid)), abs=0.02)


def test_a_registered_distribution_is_drawn_from():
    model = emf.load(WIND, distributions=[rayleigh(**MAPS)])
    drawn = model.sample_prior(4000, sizes={"day": 1})
    assert drawn["s"].mean() == pytest.approx(stats.rayleigh(scale=3).mean(), rel=0.03)


def test_registered_distributions_are_checked():
    assert emf.check(WIND, distributions=[rayleigh()]) == []
    assert [d.code for d in emf.check(WIND)] == ["E0207", "E0207"]
    wrong = WIND.replace("Rayleigh(3)", "Rayleigh(-3)")
    assert [d.code for d in emf.check(wrong, distributions=[rayleigh()])] == ["E0505"]
    fails("E1302", emf.load, WIND, distributions=["Rayleigh"])


@pytest.mark.parametrize(
    ("change", "words"),
    [({"name": "a b"}, "name"), ({"log_prob": None}, "log density"), ({"cdf": 3}, "`cdf`"), ({"forms": ()}, "forms"),
     ({"forms": ("scale",)}, "forms"), ({"forms": ((emf.Parameter("scale", "positve"),),)}, "did you mean `positive`"),
     ({"support": "postive"}, "did you mean `positive`"), ({"support": "above(low)"}, "no argument `low`"),
     ({"support": "interval(scale)"}, "unknown support"), ({"log_prob": lambda x, s: x}, "lambda x, scale"),
     ({"sample": lambda key, scale: scale}, "lambda key, shape, scale")],
)  # fmt: skip
def test_rows_that_can_not_serve(change, words):
    from dataclasses import replace

    row = replace(rayleigh(), **change)
    assert words in fails("E1302", emf.load, WIND, distributions=[row])
    assert [d.code for d in emf.check(WIND, distributions=[row])] == ["E1302"]


@pytest.mark.parametrize("maps", [MAPS, {}], ids=["with a quantile", "with a density alone"])
def test_a_registered_density_is_not_summed(maps):
    from dataclasses import replace

    whole = rayleigh(**maps)
    row = replace(whole, log_prob=lambda x, scale: jnp.sum(whole.log_prob(x, scale)))
    bound = emf.load(WIND, distributions=[row]).bind({"v": [2.0, 3.5, 1.2]})
    assert "without a sum" in fails("E1302", bound.log_joint, {"s": 2.0})


def test_without_a_sampler_there_are_no_draws():
    row = emf.Distribution("Odd", ((),), "real", log_prob=lambda x: -jnp.abs(x))
    model = emf.load("x ~ Odd()\n", distributions=[row])
    assert "registered" in fails("E1191", model.sample_prior, 3)


def test_arguments_of_a_posterior_are_checked(tmp_path):
    fit = emf.fit(MEAN, {"y": [0.5, 1.5]}, progress=False)
    for call, args in ((fit.save, (3,)), (emf.open, (3,)), (fit.sample, (0,)), (fit.sample, (5, -1)),
                       (fit.predict, ("a",)), (fit.predict, (3, 1.5))):  # fmt: skip
        fails("E1302", call, *args)
    for values in ({"mu": "x"}, {}, 3, {"mu": [[1, 2]]}):
        fails("E1104", fit.log_prob, values)
    fails("E1203", fit.save, tmp_path)


# ---------------------------------------------------------------- looking at it


def test_the_drawing_shows_itself(tmp_path, monkeypatch):
    drawing = emf.load(SCHOOLS).graph()
    assert "theta" in drawing.mermaid and "theta" in drawing.dot and str(drawing) == drawing.mermaid
    drawing.save(tmp_path / "g.mmd")
    assert (tmp_path / "g.mmd").read_text() == drawing.mermaid
    monkeypatch.setenv("PATH", str(tmp_path))
    assert drawing.svg is None and "mermaid" in drawing._repr_mimebundle_()["text/markdown"]
    fails("E1302", drawing.save, tmp_path / "g.svg")
    fails("E1302", drawing.save, tmp_path / "g.png")
    fails("E1203", drawing.save, tmp_path / "no/g.dot")


def test_repr_counts():
    assert repr(emf.load(SCHOOLS)) == f"<emfppl.Model {SCHOOLS}: 2 data, 3 latents>"


def test_names_of_the_package():
    assert set(emf.__all__) <= set(dir(emf))
    assert all(getattr(emf, name) is not None for name in emf.__all__)
    with pytest.raises(AttributeError):
        emf.nothing  # noqa: B018
