"""Checked programs from text, for the tests of the checker."""

from __future__ import annotations

from emfppl.compiler.ast_to_checked import check
from emfppl.compiler.checked_nodes import CheckedFor, CheckedProgram, CheckedStatement
from emfppl.compiler.expressions import Expr
from emfppl.compiler.graph import Variable
from emfppl.grammar.diagnostics import Diagnostic
from emfppl.grammar.source import SourceText
from emfppl.grammar.text_to_ast import parse


def diagnose(text: str) -> tuple[CheckedProgram | None, tuple[Diagnostic, ...]]:
    source = SourceText(text)
    program, problems = parse(source)
    assert not problems, [(p.code, p.message) for p in problems]
    return check(program, source)


def checked(text: str) -> CheckedProgram:
    program, found = diagnose(text)
    assert program is not None, [(d.code, d.message) for d in found]
    return program


def codes(text: str) -> list[str]:
    return [d.code for d in diagnose(text)[1]]


def variable(text: str, name: str) -> Variable:
    return next(v for v in checked(text).variables if v.name == name)


def statements(body: tuple[CheckedStatement, ...]) -> list[CheckedStatement]:
    """All statements, those in loops included, loops left out."""
    return [x for s in body for x in (statements(s.body) if isinstance(s, CheckedFor) else [s])]


def value_of(text: str, name: str) -> Expr:
    """The (last) value that `name` is set to."""
    return [
        s.value
        for s in statements(checked(text).statements)
        if getattr(getattr(s, "target", None), "name", "") == name
    ][-1]
