"""emfppl: a probabilistic programming language whose programs compile into flows.

    import emfppl as emf

    fit = emf.fit("eight_schools.emf", data={"y": [...], "sigma": [...]})
    print(fit)

Every name is loaded when it is first used, so that importing the package and checking a file need no JAX.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from emfppl.runtime.environment import prepare

if TYPE_CHECKING:
    from emfppl.bound import Bound
    from emfppl.compiler.distributions import Distribution, Parameter
    from emfppl.density import Density
    from emfppl.grammar.diagnostics import Diagnostic, EmfError
    from emfppl.model import Model, check, fit, load
    from emfppl.runtime.density.flow import Flow
    from emfppl.runtime.posterior import Posterior
    from emfppl.runtime.store import open_saved as open
    from emfppl.translation import from_stan

prepare()

_HOME = {
    "load": "emfppl.model",
    "fit": "emfppl.model",
    "check": "emfppl.model",
    "Model": "emfppl.model",
    "Bound": "emfppl.bound",
    "Density": "emfppl.density",
    "Flow": "emfppl.runtime.density.flow",
    "Posterior": "emfppl.runtime.posterior",
    "from_stan": "emfppl.translation",
    "EmfError": "emfppl.grammar.diagnostics",
    "Diagnostic": "emfppl.grammar.diagnostics",
    "Distribution": "emfppl.compiler.distributions",
    "Parameter": "emfppl.compiler.distributions",
}
_OTHER_NAME = {"open": ("emfppl.runtime.store", "open_saved")}

__all__ = [
    "Bound",
    "Density",
    "Diagnostic",
    "Distribution",
    "EmfError",
    "Flow",
    "Model",
    "Parameter",
    "Posterior",
    "__version__",
    "check",
    "fit",
    "from_stan",
    "load",
    "open",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("emfppl")
    module, attribute = _OTHER_NAME.get(name) or (_HOME.get(name), name)
    if module is None:
        raise AttributeError(f"module 'emfppl' has no attribute {name!r}")
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
