"""The posterior: a fitted guide with its draws, figures and verdict."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.compiler.graph import Role
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.grammar.words import plural
from emfppl.runtime import arguments
from emfppl.runtime.certificate import Certificate
from emfppl.runtime.compile import count_elements, seldom
from emfppl.runtime.discrete.after_fit import most_probable, probabilities
from emfppl.runtime.fit import FitResult
from emfppl.runtime.guide import latent_nodes
from emfppl.runtime.ladder import WEIGHTS_MEMORY
from emfppl.runtime.noise import even_noise
from emfppl.runtime.posterior_text import text_of
from emfppl.runtime.precision import precision
from emfppl.runtime.summary import COLUMNS, Summary, escaped, summarise

if TYPE_CHECKING:
    import arviz

    from emfppl.runtime.calibration import Calibration
    from emfppl.runtime.compare import Comparison
    from emfppl.runtime.loo import Loo
    from emfppl.runtime.program import Program
    from emfppl.runtime.refined import Refined
    from emfppl.runtime.report import Report

Draws = dict[str, np.ndarray]
PREDICTIVE, BARREN, DISCRETE = 1, 2, 3  # streams of random numbers apart from that of the guide


class Posterior:
    """What `fit` gives.

    `draws`: arrays by name, leading axis draws, of every latent and computed variable, and of data with missing entries that were
    inferred. `elbo`, `elbo_se`, `log_evidence`, `khat`, `ess` (the share of importance draws that count) and `converged` say how
    good they are; `print` sums up.
    """

    def __init__(self, program: Program, result: FitResult, num_draws: int = 1000, seed: int = 0):
        self.program, self.result = program, result
        self.num_draws, self.seed = num_draws, seed
        self._functions: dict[str, Any] = {}

    # ------------------------------------------------------------ figures

    @property
    def certificate(self) -> Certificate:
        return self.result.certificate

    @property
    def elbo(self) -> float:
        """The evidence lower bound in nats."""
        return self.certificate.elbo

    @property
    def elbo_se(self) -> float:
        """The standard error of `elbo`."""
        return self.certificate.elbo_se

    @property
    def log_evidence(self) -> float:
        """The importance-weighted estimate of log p(data)."""
        return self.certificate.log_evidence

    @property
    def exact_evidence(self) -> float | None:
        """log p(data) by quadrature, where at most two numbers are left once the rest is integrated out; else None."""
        return self.certificate.exact_evidence

    @property
    def khat(self) -> float:
        """The Pareto shape of the importance weights."""
        return self.certificate.khat

    @property
    def ess(self) -> float:
        """The share of importance draws that count, from 0 to 1."""
        return self.certificate.ess

    @property
    def converged(self) -> bool:
        """Whether the last round of the optimiser gained nothing that counts."""
        return self.certificate.converged

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the fit; this is then the best guide found so far."""
        return self.certificate.interrupted

    @property
    def verdict(self) -> str:
        """What an honest statistician would say."""
        return self.certificate.verdict

    @property
    def num_params(self) -> int:
        """How many numbers were learned."""
        return self.result.guide.num_params(self.result.params)

    @property
    def seconds(self) -> float:
        """How long the fit took, compiling included."""
        return self.result.seconds

    @property
    def warnings(self) -> tuple[str, ...]:
        """What happened on the way that one should know."""
        return self.result.warnings

    @property
    def guide(self) -> str:
        """The name of the guide."""
        return self.result.guide.name

    def report(self) -> Report:
        """What was tried: guides from cheap to rich with their figures, which was kept, and why the search ended."""
        return self.result.report

    @property
    def gated(self) -> bool:
        """Whether the prior's maps take part in the guide."""
        return not self.result.guide.gates.shut

    @property
    def num_chains(self) -> int:
        """Draws of a guide are independent: one chain."""
        return 1

    # ------------------------------------------------------------ draws

    @cached_property
    def draws(self) -> Draws:
        """`num_draws` draws of every latent and computed variable; each row is one joint draw.

        Data with missing entries that were inferred are among them: imputed where they are missing, as given elsewhere.
        """
        return self.sample(self.num_draws, self.seed)

    def sample(self, num_draws: int = 1000, seed: int = 0) -> Draws:
        """Fresh draws, as in `draws`. They are spread more evenly than independent ones (`runtime/noise.py`)."""
        num_draws, seed = arguments.whole("num_draws", num_draws, 1), arguments.seed_of(seed)
        return self.at_noise(even_noise(num_draws, self.result.guide.dim, seed), seed)

    def at_noise(self, noise: np.ndarray, seed: int = 0) -> Draws:
        """The draws that the guide's map makes of noise (draws, D), with what is drawn given them; `seed` is for the latter."""
        num_draws = len(noise)
        with precision(self.result.precision):
            values = self._numpy(self.mapped("transform", self._transform)(self.result.params, noise, self.result.guide.data))
            values |= self._discrete(values, num_draws, seed)
        values = {**values, **self._barren(values, num_draws, seed)}
        order = [v.name for v in self.program.graph.variables if v.name in values]
        return {name: values[name] for name in order}

    def _transform(self, params: Any, eps: jax.Array, data: Any) -> dict[str, jax.Array]:
        return self.result.guide.transform(params, eps, data)[0]

    def _discrete(self, values: Draws, num_draws: int, seed: int) -> Draws:
        """The discrete latents that were summed out, each draw exact given the rest of it and the data."""
        if not self.program.marginals:
            return {}
        keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), DISCRETE), num_draws)
        given = {name: values[name] for name in self.latents}
        found = self.mapped("discrete", self._draw_discrete)(self.result.params, (keys, given), self.program.data)
        return self._numpy(found)

    def _draw_discrete(self, params: Any, one: Any, data: Any) -> dict[str, jax.Array]:
        key, given = one
        return self.program.draw_discrete(key, given, self.result.guide.given(params, data))

    def _barren(self, values: Draws, num_draws: int, seed: int) -> Draws:
        """Latents without an observation below, what is computed from them, and missing entries that nothing depends on, drawn
        forward from the rest and the data."""
        graph, binding = self.program.graph, self.program.binding
        wanted = {v.name for v in graph.of_role(Role.LATENT, Role.COMPUTED) if not v.local} - set(values)
        wanted &= set(self.program.selection.simulated)
        wanted |= set(binding.latent) & set(self.program.left_out)
        if not wanted:
            return {}
        drawn = self._simulated(values, num_draws, seed, BARREN)
        return {name: drawn[name] for name in wanted if name in drawn}

    def predict(self, num_draws: int | None = None, seed: int | None = None) -> Draws:
        """Posterior predictive draws of every observed variable, one for each posterior draw."""
        seed = self.seed if seed is None else arguments.seed_of(seed)
        values = self.draws if num_draws is None else self.sample(num_draws, seed)
        observed = {v.name for v in self.program.graph.of_role(Role.OBSERVED)}
        count = self.num_draws if num_draws is None else num_draws
        drawn = self._simulated(values, count, seed, PREDICTIVE)
        return {name: value for name, value in drawn.items() if name in observed}

    def _simulated(self, values: Draws, count: int, seed: int, stream: int) -> Draws:
        latent = {v.name for v in self.program.graph.of_role(Role.LATENT)} | set(self.program.binding.latent)
        latent |= self.program.hidden
        given = {n: v for n, v in values.items() if n in latent}
        with precision(self.result.precision):
            keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), stream), count)
            name, replicate = ("replicate", True) if stream == PREDICTIVE else ("simulate", False)
            run = self.mapped(name, partial(self._simulate, replicate=replicate))
            return self._numpy(run(self.result.params, (keys, given), self.program.data))

    def _simulate(self, params: Any, one: Any, data: Any, replicate: bool) -> dict[str, jax.Array]:
        key, given = one
        return self.program.simulate(key, given, self.result.guide.given(params, data), replicate)

    def mapped(self, name: str, function: Any) -> Any:
        """`function(params, one, data)` over a leading axis of `one`, some at a time, compiled once."""
        numbers = count_elements(self.program) + self.result.guide.further_work
        batch = int(np.clip(WEIGHTS_MEMORY / max(numbers, 1), 1, 1000))

        def run(params: Any, many: Any, data: Any) -> Any:
            return jax.lax.map(lambda one: function(params, one, data), many, batch_size=batch)

        return self._functions.setdefault(name, seldom(run, self.program))

    def _numpy(self, values: Mapping[str, Any]) -> Draws:
        return {name: np.asarray(value) for name, value in values.items()}

    # ------------------------------------------------------------ the density

    def log_prob(self, values: Mapping[str, Any]) -> Any:
        """log q of one draw (a float) or of many with a leading axis (an array); `values` holds every latent."""
        arrays = {name: self._value(values, name) for name in self.latents}
        ranks = {array.ndim - len(self.program.graph.variable(name).dims) for name, array in arrays.items()}
        if ranks - {0, 1} or len(ranks) > 1:
            message = "`log_prob` takes one draw, or many with one leading axis; these arrays are neither."
            raise EmfError([Diagnostic("E1104", message, hint="fit.log_prob(fit.draws), for instance")])
        one = ranks != {1}
        many = {name: array[None] if one else array for name, array in arrays.items()}
        with precision(self.result.precision):
            if not many:
                return 0.0
            found = np.asarray(self.mapped("log_prob", self._log_prob)(self.result.params, many, self.result.guide.data))
        return float(found[0]) if one else found

    @property
    def latents(self) -> list[str]:
        return list(dict.fromkeys(self.program.noise_variables.values()))

    def _value(self, values: Mapping[str, Any], name: str) -> np.ndarray:
        message = f"`log_prob` needs a value of every latent; `{name}` is not there."
        if isinstance(values, Mapping) and name in values:
            try:
                return np.asarray(values[name], np.float64)
            except (TypeError, ValueError):
                message = f"`log_prob` takes arrays of numbers; `{name}` is none."
        raise EmfError([Diagnostic("E1104", message, hint=f"the latents are {', '.join(self.latents)}")])

    def _log_prob(self, params: Any, one: Any, data: Any) -> jax.Array:
        return self.result.guide.log_prob(params, one, data)

    # ------------------------------------------------------------ params, gates, tables

    @cached_property
    def params(self) -> Draws:
        """The values learned for the program's `param` variables."""
        names = [v.name for v in self.program.graph.of_role(Role.PARAM)]
        with precision(self.result.precision):
            data = self.result.guide.given(self.result.params)
            return {name: np.asarray(data[name]) for name in names}

    def gates(self) -> Draws:
        """How far the prior's map stays open, λ from 0 to 1, by latent, over its dims.

        1: the latent is the prior's map of its noise; 0: the guide stands by itself. NaN where the prior has no map. A geometric
        gate has the mean of its two openings, a conjugate one the prior's share beside pseudo-observations, at the guide's centre.
        """
        guide, program = self.result.guide, self.program
        with precision(self.result.precision):
            openings = guide.kept(jax.tree.map(jnp.asarray, self.result.params))
        out = {name: np.full(program.shapes[name], np.nan) for name in self.latents}
        gaps = {gap.name: gap for gap in program.gaps.values()}
        for key, node in latent_nodes(program):
            if key not in program.plain:
                opening = np.asarray(openings.get(key, 1.0), np.float64)
                name = node.target.name
                places = program.part_of(node, np.arange(out[name].size).reshape(out[name].shape))
                if key in gaps:
                    places = gaps[key].places(places)
                _lay_out(out[name], places, opening)
        return out

    def probabilities(self, name: str) -> np.ndarray:
        """The posterior probabilities of the values of a discrete latent that was summed out, along a last axis: for a chain the
        smoothed ones. The axis begins with the smallest value that the latent can take."""
        return probabilities(self, name)

    def most_probable(self, name: str) -> np.ndarray:
        """The most probable values of a discrete latent that was summed out: of each element by itself; for a chain the most
        probable path (Viterbi's)."""
        return most_probable(self, name)

    def summary(self) -> Summary:
        """Mean, sd and quantiles of every scalar."""
        parts = [self.summary_of(name) for name in self.draws]
        return Summary({k: row for part in parts for k, row in part.items()}, parts[0].columns if parts else COLUMNS)

    def summary_of(self, name: str) -> Summary:
        """Mean, sd and quantiles of the scalars of one variable."""
        return summarise(self.program.binding, {name: self.draws[name]})

    def how(self) -> str:
        """A line: what was fitted how, and how the search ended."""
        return f"{self.guide} guide, {plural(self.num_params, 'parameter')}, {self.seconds:.1f} s, {self.certificate.state}"

    def figures(self) -> str:
        """A line: what says how good the guide is."""
        evidence, exact = f"log evidence {self.log_evidence:.2f}", self.exact_evidence
        if exact is not None:
            evidence = f"exact evidence {exact:.4f}, gap {exact - self.elbo:.1g}"
        return f"ELBO {self.elbo:.2f} ± {self.elbo_se:.2g}, {evidence}, k-hat {self.khat:.2f}, ESS {self.ess:.0%}"

    def __str__(self) -> str:
        return text_of(self)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{escaped(str(self))}</pre>"

    # ------------------------------------------------------------ better draws

    def refine(self, method: str = "nuts", seed: int | None = None, progress: bool = True) -> Refined:
        """Draws of the posterior itself, made with the help of the guide; see docs/trust.md. Raises `EmfError` E1105.

        ``"nuts"``: four chains in the space that the guide has straightened, with R-hat and effective sample sizes.
        ``"resample"``: draws of the guide chosen anew by their smoothed importance weights, as good as k-hat says.
        `param` variables stay as they were learned.
        """
        from emfppl.runtime.refine import refine

        return refine(self, method, self.seed if seed is None else arguments.seed_of(seed), progress)

    def calibrate(self, num: int = 100, seed: int | None = None, progress: bool = True) -> Calibration:
        """Whether posteriors by this guide are right: `num` times parameters and data are drawn from the program, the guide is
        fitted to them, and the true values are ranked among its draws (simulation-based calibration); see docs/trust.md.

        Raises `EmfError` E1105, E1108."""
        from emfppl.runtime.calibrate import calibrate

        return calibrate(self, arguments.whole("num", num, 1), self.seed if seed is None else arguments.seed_of(seed), progress)

    # ------------------------------------------------------------ prediction of what is left out

    def loo(self) -> Loo:
        """How well each observed entry is predicted from all others: PSIS-LOO, with the guide's own importance weights.

        Raises `EmfError` E1105, E1107."""
        from emfppl.runtime.loo import loo

        return loo(self)

    def compare(self, *others: Posterior) -> Comparison:
        """This fit and others of the same data, from the best to the worst by `loo`, with differences and their standard errors.

        Raises `EmfError` E1105, E1107."""
        from emfppl.runtime.compare import compare

        return compare([self, *others])

    # ------------------------------------------------------------ elsewhere

    def to_arviz(self) -> arviz.InferenceData:
        """An ArviZ `InferenceData`: posterior, posterior_predictive, log_likelihood, observed and constant data."""
        from emfppl.runtime.to_arviz import to_arviz

        return to_arviz(self)

    def save(self, path: str | Path) -> None:
        """Write one file that `emfppl.open` reads: program, sizes, labels, what was learned and the figures."""
        from emfppl.runtime.store import save

        save(self, path)


def _lay_out(out: np.ndarray, places: Any, opening: np.ndarray) -> None:
    """Put the openings of a node where its variable has them; where noise and value differ in shape, their mean."""
    positions = np.asarray(places.array)
    if opening.shape != positions.shape and opening.ndim:
        batch = sum(not str(label).startswith("#") for label in places.labels)
        opening = opening.reshape(*opening.shape[:batch], -1).mean(axis=-1)
        opening = opening.reshape(opening.shape + (1,) * (positions.ndim - batch))
    out.reshape(-1)[positions.reshape(-1)] = np.broadcast_to(opening, positions.shape).reshape(-1)
