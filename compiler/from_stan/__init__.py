"""From the generative subset of Stan to a program of this language."""

from __future__ import annotations

from emfppl.compiler.ast_to_checked import check
from emfppl.compiler.from_stan.stan_to_ast import program_of
from emfppl.grammar.ast_to_text import format_program
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.grammar.source import SourceText
from emfppl.grammar.stan.text_to_stan import parse_stan

__all__ = ["translate"]


def translate(source: SourceText) -> str:
    """The program as formatted text; `EmfError`, its places in the Stan program, with all that can't be carried over."""
    try:
        program, problems = parse_stan(source)
        if program is None:
            raise EmfError(problems)
        translated, found = program_of(program, source)
        if found:
            raise EmfError(found)
        wrong = [d for d in check(translated, source)[1] if d.is_error]
    except RecursionError:
        raise EmfError([Diagnostic("E0110", "This program is nested too deeply.", None, "", source)]) from None
    if wrong:
        raise EmfError(wrong)
    return format_program(translated)
