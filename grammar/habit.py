"""One manner of writing that is another language's: what it looks like, and how the same is written here."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

Match = re.Match[str]


@dataclass(frozen=True)
class Habit:
    """`message` and `hint` may hold ``<name>``, which stands for the group of that name in `pattern`; the group ``mark``, or the
    whole match, is what the carets point at."""

    pattern: str
    code: str
    message: str
    hint: str | Callable[[Match], str]

    def found_in(self, line: str) -> Match | None:
        return re.search(self.pattern, line, re.S)  # compiled when first needed: most programs have no habit

    def texts(self, found: Match) -> tuple[str, str]:
        """The message and the hint for what was found."""
        hint = self.hint if isinstance(self.hint, str) else self.hint(found)
        return _filled(self.message, found), _filled(hint, found)


row = Habit


def _filled(text: str, found: Match) -> str:
    groups = found.groupdict()
    return re.sub(r"<(\w+)>", lambda m: groups.get(m[1]) or "" if m[1] in groups else m[0], text)
