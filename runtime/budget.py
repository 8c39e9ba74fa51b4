"""How much work a fit may do, by name."""

from __future__ import annotations

from dataclasses import dataclass

from emfppl.grammar.diagnostics import Diagnostic, EmfError


@dataclass(frozen=True)
class Budget:
    """`rounds` of the optimiser for a guide, and for one that a richer one may follow; whether the ladder is climbed, and
    whether up to its richest guides; at most so many draws are `weighed` for the certificate."""

    name: str
    rounds: int
    rounds_below: int
    climbs: bool = True
    rich: bool = False
    weighed: int = 100_000


BUDGETS = {b.name: b for b in (Budget("quick", 5, 5, climbs=False), Budget("normal", 5, 3), Budget("thorough", 7, 5, rich=True))}


def budget_of(name: object) -> Budget:
    """The budget of that name; raises `EmfError` E1106."""
    if isinstance(name, str) and name in BUDGETS:
        return BUDGETS[name]
    hint = "there are " + ", ".join(BUDGETS)
    raise EmfError([Diagnostic("E1106", f"There is no budget named {name!r}.", hint=hint)])
