"""A program with its data: joint density, map from noise to variables, simulator, NumPyro model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from emfppl.compiler.ast_to_checked.context import listed
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.runtime import arguments
from emfppl.runtime.bind import Binding
from emfppl.runtime.fit import default_precision
from emfppl.runtime.graph_to_model import numpyro_model
from emfppl.runtime.inside import inside
from emfppl.runtime.precision import precision
from emfppl.runtime.program import Program

if TYPE_CHECKING:
    from emfppl.model import Model
    from emfppl.runtime.posterior import Posterior

Values = Mapping[str, Any]


class Bound:
    """What `Model.bind` gives. Methods take and give one draw: arrays by name, in declared dim order."""

    def __init__(self, model: Model, binding: Binding, precision: str | None = None):
        self.model = model
        self.precision = precision
        self.program = Program(binding, model.table)
        self._precision = precision or default_precision(self.program)
        self._functions: dict[str, Callable] = {}

    @property
    def sizes(self) -> dict[str, int]:
        """The size of every dim."""
        return dict(self.program.binding.sizes)

    @property
    def latent_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every latent that observations inform, and of data some missing entries of which are latents: what
        `log_joint` and `to_noise` take."""
        guided = self.program.selection.guided | set(self.program.binding.latent)
        return {v.name: self.program.shapes[v.name] for v in self.program.graph.variables if v.name in guided}

    @property
    def noise_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of the noise of every node: what `from_noise` takes."""
        return dict(self.program.noise_shapes)

    # ------------------------------------------------------------ the bijection and the density

    def log_joint(self, values: Values) -> float:
        """log p(data, values), `values` holding every latent; −inf outside of their supports."""
        latents = self._latents(values)
        return -np.inf if self._outside(latents) else float(self._compiled("log_density")(latents))

    def from_noise(self, noise: Values) -> dict[str, np.ndarray]:
        """Latent and computed variables from standard normal noise: they are distributed as the prior."""
        given = arguments.arrays("The noise", noise, self.noise_shapes)
        return _numpy(self._compiled("forward")(given)[0])

    def to_noise(self, values: Values) -> dict[str, np.ndarray]:
        """The noise that `from_noise` takes to `values`; `EmfError` outside of their supports."""
        latents = self._latents(values)
        outside = self._outside(latents)
        if outside:
            raise arguments.wrong(f"The values of {listed(f'`{n}`' for n in outside)} are outside of their support.")
        return _numpy(self._compiled("inverse")(latents)[0])

    def _outside(self, latents: Values) -> list[str]:
        """The latents that are not in their supports."""
        found = self._compiled("inside")(latents)
        names = self.program.noise_variables
        return list(dict.fromkeys(names[key] for key, fine in found.items() if not np.all(fine)))

    def _latents(self, values: Values) -> dict[str, np.ndarray]:
        """The latents among `values`; computed variables, as `from_noise` gives them, are left out."""
        known = {v.name for v in self.program.graph.variables}
        latent = self.latent_shapes
        if isinstance(values, Mapping):
            values = {k: v for k, v in values.items() if k in latent or k not in known}
        return arguments.arrays("The values", values, latent)

    def _compiled(self, name: str) -> Callable:
        def call(argument: Values) -> Any:
            with precision(self._precision):
                return self._jitted(name)(argument)

        return call

    def _jitted(self, name: str) -> Callable:
        if name not in self._functions:
            whole = partial(inside, self.program) if name == "inside" else getattr(self.program, name)
            self._functions[name] = jax.jit(whole)
        return self._functions[name]

    # ------------------------------------------------------------ draws and the posterior

    def sample_prior(self, num_draws: int = 1000, seed: int = 0) -> dict[str, np.ndarray]:
        """Draws of every latent, computed and observed variable, leading axis draws."""
        seed, num_draws = arguments.seed_of(seed), arguments.whole("num_draws", num_draws, 1)
        with precision(self._precision):
            keys = jax.random.split(jax.random.key(seed), num_draws)
            return _numpy(jax.jit(jax.vmap(self.program.simulate))(keys))

    def fit(
        self,
        guide: str = "auto",
        seed: int = 0,
        num_draws: int = 1000,
        progress: bool = True,
        budget: str = "normal",
        batch: Mapping[str, int] | None = None,
    ) -> Posterior:
        """The posterior; see `Model.fit`."""
        from emfppl.runtime.fit import fit_program
        from emfppl.runtime.posterior import Posterior

        seed, num_draws = arguments.seed_of(seed), arguments.whole("num_draws", num_draws, 1)
        absent = sorted(self.program.binding.absent)
        if absent:
            message = f"The data lack {listed(f'`{n}`' for n in absent)}; a posterior needs all observed data."
            raise EmfError([Diagnostic("E1001", message, hint="give them to bind")])
        result = fit_program(
            self.program, guide=arguments.guide_name(guide), seed=seed, precision=self.precision,
            progress=progress, budget=budget, batch=arguments.batch_of(batch),
        )  # fmt: skip
        return Posterior(self.program, result, num_draws, seed)

    @cached_property
    def numpyro_model(self) -> Callable[[], None]:
        """A NumPyro model without arguments: ``MCMC(NUTS(bound.numpyro_model), …).run(key)``."""
        return numpyro_model(self.program)

    def numpyro_guide(self, guide: str = "auto", seed: int = 0) -> Callable[[], None]:
        """A NumPyro guide for `numpyro_model`: ``SVI(bound.numpyro_model, bound.numpyro_guide(), …)``."""
        from emfppl.runtime.graph_to_guide import numpyro_guide

        return numpyro_guide(self.program, arguments.guide_name(guide), arguments.seed_of(seed))


class NumpyroModel:
    """A NumPyro model that takes its data when it runs.

    As a model: ``NUTS(m)``, then ``mcmc.run(key, data={...})``, or each data variable as an argument of its
    own, ``mcmc.run(key, y=…, sigma=…)``. Called outside of any inference, ``m(data)`` gives the model with
    the data filled in.
    """

    def __init__(self, model: Model):
        self.model = model
        self.__name__ = "numpyro_model"

    def __call__(self, data: Any = None, sizes: Mapping[str, int] | None = None, **named: Any) -> Any:
        from numpyro.primitives import _PYRO_STACK

        filled = self._filled(_merged(data, named), sizes)
        return filled() if _PYRO_STACK else filled

    def _filled(self, data: Any, sizes: Mapping[str, int] | None) -> Callable[[], None]:
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(data)):
            message = "The data must be known when the model is traced; here they are arguments of jit."
            hint = "use model.numpyro_model(data), which has them filled in, and no arguments later"
            raise arguments.wrong(message, hint)
        return self.model.bind(data, sizes).numpyro_model


def _merged(data: Any, named: dict[str, Any]) -> Any:
    if not named:
        return data
    if data is not None and not isinstance(data, Mapping):
        raise arguments.wrong("Data given by name go together with a dict only.", "put all into one dict")
    return {**(data or {}), **named}


def _numpy(values: Values) -> dict[str, np.ndarray]:
    return {k: np.asarray(v) for k, v in values.items()}
