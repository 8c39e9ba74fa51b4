"""A compiled program, and the short ways to it: `load`, `check`, `fit`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emfppl.compiler.distributions import STANDARD, Distribution, Table
from emfppl.compiler.graph import Graph
from emfppl.compiler.pipeline import check_text, compile_text
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.grammar.source import SourceText
from emfppl.read_source import read_source
from emfppl.registered import table_with
from emfppl.runtime import arguments
from emfppl.runtime.budget import budget_of

if TYPE_CHECKING:
    from emfppl.bound import Bound, NumpyroModel
    from emfppl.density import Density
    from emfppl.drawing import Drawing
    from emfppl.runtime.bind import Binding
    from emfppl.runtime.posterior import Posterior

Sizes = Mapping[str, int]


class Model:
    """A program, compiled: what `load` gives. Data come with `fit`, `bind` and `check`."""

    def __init__(self, source: SourceText, table: Table = STANDARD):
        self.source = source
        self.table = table
        self._graph: Graph = compile_text(source, table)

    # ------------------------------------------------------------ inference

    def fit(
        self,
        data: Any = None,
        guide: str = "auto",
        seed: int = 0,
        num_draws: int = 1000,
        progress: bool = True,
        *,
        sizes: Sizes | None = None,
        precision: str | None = None,
        budget: str = "normal",
        batch: Mapping[str, int] | None = None,
    ) -> Posterior:
        """The posterior given `data`: a dict, a frame, a Dataset, or the path of a JSON, NPZ, CSV or Parquet
        file.

        `guide`: how to approximate ("auto" chooses from the program; docs/inference.md lists the names).
        `num_draws`: how many draws ``fit.draws`` holds. `sizes`: of dims that no data show. `precision`:
        "float32" or "float64". `budget`: "quick", "normal" or "thorough". `batch`: ``{"obs": 1024}`` makes
        every step work on so many entries of a dim, drawn at random. Raises `EmfError`.
        """
        arguments.seed_of(seed), arguments.whole("num_draws", num_draws, 1)
        arguments.guide_name(guide)
        budget_of(budget), arguments.batch_of(batch)
        bound = self.bind_all(data, sizes, precision)
        return bound.fit(guide, seed, num_draws, progress, budget, batch)

    def bind(self, data: Any = None, sizes: Sizes | None = None, precision: str | None = None) -> Bound:
        """The program with its data: a joint density, a map from noise to variables, a simulator.

        Observed variables may be left out: then there is a prior only, and sizes that they would have shown
        come from `sizes`.
        """
        return self._bind(data, sizes, precision, "optional")

    def bind_all(self, data: Any, sizes: Sizes | None = None, precision: str | None = None) -> Bound:
        """The same where all observed variables must be there, as for a posterior."""
        return self._bind(data, sizes, precision, "required")

    def _bind(self, data: Any, sizes: Sizes | None, precision: str | None, observed: str) -> Bound:
        """Wrong data are told before JAX is imported."""
        precision = arguments.precision_of(precision)
        binding = self._binding(data, sizes, observed)
        from emfppl.bound import Bound

        return Bound(self, binding, precision)

    def _binding(self, data: Any, sizes: Sizes | None, observed: str) -> Binding:
        from emfppl.runtime.bind import bind

        self._need_program()
        return bind(self._graph, {} if data is None else data, arguments.sizes_of(sizes), observed)

    def _need_program(self) -> None:
        """Raise where the file holds density estimators and no program."""
        names = [d.name for d in self._graph.densities]
        if names and not self._graph.nodes:
            hint = f'train one on samples: model.density("{names[0]}").fit(x), or emf fit FILE --density {names[0]} --data x.npz'
            message = f"`{self.source.name}` holds density estimators only ({', '.join(names)}), and no program to fit."
            raise EmfError([Diagnostic("E1509", message, self._graph.densities[0].span, hint, self.source)])

    def sample_prior(
        self, num_draws: int = 1000, data: Any = None, sizes: Sizes | None = None, seed: int = 0
    ) -> dict[str, Any]:
        """Draws from the prior of every latent, computed and observed variable, leading axis draws.

        Data that only feed the program are needed, observed ones are not: their dims come from `sizes` if
        nothing else shows them.
        """
        seed, num_draws = arguments.seed_of(seed), arguments.whole("num_draws", num_draws, 1)
        return self.bind(data, sizes).sample_prior(num_draws, seed)

    def density(self, name: str | None = None) -> Density:
        """The density estimator of a `density` block: its `fit(x)` trains it. The name may be left out where there is one only.
        Raises `EmfError` E1521."""
        from emfppl.density import Density

        return Density(self, name)

    @cached_property
    def numpyro_model(self) -> NumpyroModel:
        """A NumPyro model. ``NUTS(model.numpyro_model)`` and then ``mcmc.run(key, data={...})``; or, with the
        data filled in, ``NUTS(model.numpyro_model(data))`` and ``mcmc.run(key)``."""
        from emfppl.bound import NumpyroModel

        return NumpyroModel(self)

    def numpyro_guide(
        self, data: Any, guide: str = "auto", seed: int = 0, sizes: Sizes | None = None
    ) -> Callable[[], None]:
        """A NumPyro guide: ``SVI(model.numpyro_model(data), model.numpyro_guide(data), …)``."""
        return self.bind(data, sizes).numpyro_guide(guide, seed)

    # ------------------------------------------------------------ looking at it

    def check(self, data: Any = None, sizes: Sizes | None = None) -> list[Diagnostic]:
        """What there is to say about the program (warnings) and, where data are given, everything wrong with
        them. Imports no JAX."""
        found = list(check_text(self.source, self.table))
        if data is not None or sizes is not None:
            try:
                self._binding(data, sizes, "optional" if data is None else "required")
            except EmfError as error:
                found += error.diagnostics
        return found

    def graph(self) -> Drawing:
        """The program drawn: plates as boxes, observed variables shaded. Shows itself in a notebook; its
        `save` writes SVG, DOT or Mermaid."""
        from emfppl.drawing import Drawing

        return Drawing(self._graph)

    def info(self) -> dict[str, Any]:
        """Dims, data, latents, computed variables, loops and gates, as plain data."""
        from emfppl.info import info

        return info(self._graph)

    def __repr__(self) -> str:
        about = self.info()
        counts = ", ".join(
            f"{len(about[kind])} {kind}" for kind in ("data", "latents", "computed", "densities") if about[kind]
        )
        return f"<emfppl.Model {self.source.name}: {counts or 'empty'}>"


def load(path_or_text: str | Path, *, distributions: Iterable[Distribution] = ()) -> Model:
    """Compile a program, from a file or a text; `distributions` are known to it beside the built-in ones.

    Raises `EmfError` with everything that is wrong with it.
    """
    return Model(read_source(path_or_text), table_with(distributions))


def check(path_or_text: str | Path, *, distributions: Iterable[Distribution] = ()) -> list[Diagnostic]:
    """All errors and warnings about a program, in source order; never raises `EmfError`."""
    try:
        source, table = read_source(path_or_text), table_with(distributions)
    except EmfError as error:
        return list(error.diagnostics)
    return list(check_text(source, table))


def fit(
    path_or_model: str | Path | Model,
    data: Any = None,
    guide: str = "auto",
    seed: int = 0,
    num_draws: int = 1000,
    progress: bool = True,
    *,
    sizes: Sizes | None = None,
    precision: str | None = None,
    budget: str = "normal",
    batch: Mapping[str, int] | None = None,
    distributions: Iterable[Distribution] = (),
) -> Posterior:
    """``load(path_or_model).fit(data, …)`` in one call; see `Model.fit`."""
    if not isinstance(path_or_model, Model):
        path_or_model = load(path_or_model, distributions=distributions)
    return path_or_model.fit(
        data, guide, seed, num_draws, progress, sizes=sizes, precision=precision, budget=budget, batch=batch
    )
