"""A density estimator before training: what `Model.density` gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from emfppl.compiler.ast_to_checked.context import listed, near
from emfppl.compiler.graph import DensitySpec
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.runtime import arguments
from emfppl.runtime.budget import budget_of

if TYPE_CHECKING:
    from emfppl.model import Model
    from emfppl.runtime.density.flow import Flow


class Density:
    """A `density` block of a program, to be trained on samples."""

    def __init__(self, model: Model, name: str | None = None):
        """Raises `EmfError` E1521."""
        self.model = model
        self.spec: DensitySpec = _chosen(model, name)

    @property
    def name(self) -> str:
        return self.spec.name

    def fit(
        self,
        x: Any,
        given: Any = None,
        *,
        data: Any = None,
        sizes: Mapping[str, int] | None = None,
        seed: int = 0,
        seeds: int = 1,
        validation: float = 0.1,
        budget: str = "normal",
        precision: str | None = None,
        progress: bool = True,
    ) -> Flow:
        """Train on samples by maximum likelihood, and keep what is best on a part of them that is held out.

        `x`: an array (N, …) where one sample is one variable; a dict of arrays (N, …) by name, a frame, or the path of a file.
        `given`: what the density is conditioned on, by name; it may stand in `x` as well. `data`: other data that models read, one
        value for all samples. `sizes`: of dims that none of these show. `seeds`: how many trainings from different starts, of which
        the best is kept. `validation`: the share of samples held out. `budget`: "quick", "normal" or "thorough". `precision`:
        "float32" (the default) or "float64". Raises `EmfError`.
        """
        seed, seeds = arguments.seed_of(seed), arguments.whole("seeds", seeds, 1)
        validation = arguments.share("validation", validation)
        width, budget = arguments.precision_of(precision), budget_of(budget).name
        from emfppl.runtime.density.samples import Sheet

        sheet = Sheet(self.model._graph, self.spec)
        checked = sheet.checked(x, given, data, arguments.sizes_of(sizes))
        from emfppl.runtime.density.fit_density import USUAL, How, fit_density

        how = How(seed, seeds, validation, budget, width or USUAL, progress)
        return fit_density(sheet, checked, self.model.table, how)

    def check(self, x: Any, given: Any = None, *, data: Any = None, sizes: Mapping[str, int] | None = None) -> list[Diagnostic]:
        """Everything that is wrong with samples for this density. Imports no JAX."""
        from emfppl.runtime.density.samples import Sheet

        try:
            Sheet(self.model._graph, self.spec).checked(x, given, data, arguments.sizes_of(sizes))
        except EmfError as error:
            return list(error.diagnostics)
        return []

    def __repr__(self) -> str:
        event = ", ".join(f"{v.name}[{', '.join(v.dims)}]" if v.dims else v.name for v in self.spec.variables)
        layers = ", ".join(layer.kind for layer in self.spec.layers)
        return f"<emfppl.Density {self.name} of {event}: {layers}>"


def _chosen(model: Model, name: Any) -> DensitySpec:
    """The block of that name, or the only one."""
    found = {d.name: d for d in model._graph.densities}
    if name is None and len(found) == 1:
        return next(iter(found.values()))
    if isinstance(name, str) and name in found:
        return found[name]
    names = listed([f"`{n}`" for n in found])
    if not found:
        message, hint = f"`{model.source.name}` holds no density estimator.", "write a block: density NAME { … }"
    elif name is None:
        message, hint = "The file holds several density estimators.", f"name one of {names}"
    else:
        hint = near(str(name), found) or f"there {'are' if len(found) > 1 else 'is'} {names}"
        message = f"There is no density estimator named {name!r}."
    raise EmfError([Diagnostic("E1521", message, hint=hint)])
