"""The checked program as text: as in the file, with names resolved, positions worked out and functions written into their calls."""

from __future__ import annotations

from emfppl.compiler.checked_nodes import CheckedAssign, CheckedFactor, CheckedFor, CheckedProgram, CheckedRandom, CheckedStatement
from emfppl.compiler.expression_text import dist_text, range_text, support_text, target_text, text
from emfppl.compiler.graph import Interval
from emfppl.compiler.graph_to_text import density_lines, dim_text, guide_lines, variable_text


def to_text(checked: CheckedProgram) -> str:
    """Dims, variables, statements with their loops, and the guide block."""
    dims = map(dim_text, checked.dims)
    body = [line for s in checked.statements for line in _lines(s)]
    densities = [line for density in checked.densities for line in density_lines(density, to_text)]
    return "\n".join([*dims, *map(variable_text, checked.variables), *body, *guide_lines(checked.guide), *densities]) + "\n"


def _lines(s: CheckedStatement) -> list[str]:
    match s:
        case CheckedFor():
            inside = ["  " + line for one in s.body for line in _lines(one)]
            return [f"for {s.label} in {s.dim}{range_text(s.lower, s.upper, s.dim)} {{", *inside, "}"]
        case CheckedRandom():
            return [_random(s)]
        case CheckedAssign():
            return [f"{target_text(s.target)} = {text(s.value)}"]
        case CheckedFactor():
            return [f"factor {text(s.value)}"]
    raise TypeError(s)


def _random(s: CheckedRandom) -> str:
    """A draw, with its support where that is more than the distribution says."""
    more = s.narrowed or (s.dist.name == "Flat" and s.support != Interval())
    kind = f": {support_text(s.support)}" if more else ""
    return f"{target_text(s.target)}{kind} ~ {dist_text(s.dist)}" + "    observed" * s.observed
