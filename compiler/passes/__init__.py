"""The passes: each a function from a graph to a graph of the same meaning, run in this order."""

from __future__ import annotations

from collections.abc import Callable

from emfppl.compiler.graph import Graph
from emfppl.compiler.passes.barren import barren
from emfppl.compiler.passes.eliminate_discrete import eliminate_discrete
from emfppl.compiler.passes.gaussian_blocks import gaussian_blocks
from emfppl.compiler.passes.recurrences import recurrences

PASSES: tuple[Callable[[Graph], Graph], ...] = (recurrences, barren, eliminate_discrete, gaussian_blocks)
