"""All manners of other languages, in the order in which a line that can't be read is compared with them."""

from __future__ import annotations

from emfppl.grammar.habit import Habit, Match
from emfppl.grammar.habits_of_flow import BLOCKS, FLOW
from emfppl.grammar.habits_of_python import PYTHON
from emfppl.grammar.habits_of_signs import DECLARATIONS, OPERATORS, RANGES
from emfppl.grammar.habits_of_stan import STAN

LONGEST = 500  # characters of a line that are looked at
LINES: tuple[Habit, ...] = (*BLOCKS, *FLOW, *STAN, *PYTHON, *OPERATORS, *DECLARATIONS, *RANGES)


def habit_of(line: str, habits: tuple[Habit, ...] = LINES) -> tuple[Habit, Match] | None:
    """The first manner that a line shows."""
    return next(((habit, found) for habit in habits if (found := habit.found_in(line[:LONGEST]))), None)
