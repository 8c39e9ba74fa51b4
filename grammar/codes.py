"""The table of codes, one row a kind of diagnostic; `docs/errors.md` is generated from it.

Blocks: E01 text and syntax, E02 names, E03 dims and shapes, E04 types, E05 distributions and supports, E06 loops and recurrences,
E07 functions, params and guide blocks, E08 what the compiler can't do with a legal program, E10 data, E11 fitting, E12 files,
W01 lint.
"""

from __future__ import annotations

from emfppl.grammar.diagnostics import Code

CODES: tuple[Code, ...] = (
    # -- E01 text and syntax
    # -- E02 names
    # -- E03 dims and shapes
    # -- E04 types
    # -- E05 distributions and supports
    # -- E06 loops and recurrences
    # -- E07 functions, params, guide blocks
    # -- E08 limits of the compiler
    # -- E10 data
    # -- E11 fitting
    # -- E12 files
    # -- W01 lint
)
