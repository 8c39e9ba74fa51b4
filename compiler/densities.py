"""All density blocks of a program, checked one after another, with the models of their layers."""

from __future__ import annotations

from emfppl.compiler.ast_to_checked.density import check_density, check_names
from emfppl.compiler.checked_nodes import CheckedDensity
from emfppl.compiler.density_models import ModelReader
from emfppl.compiler.density_parts import needed_by_densities
from emfppl.compiler.distributions import Table
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.diagnostics import Diagnostic
from emfppl.grammar.source import SourceText


def check_densities(
    program: ast.Program, source: SourceText, table: Table
) -> tuple[tuple[CheckedDensity, ...], tuple[Diagnostic, ...]]:
    """The density blocks of a linked program, those without errors, and what is wrong: each thing once, though several layers
    may have one model, and several densities the file's data."""
    blocks = [s for s in program.statements if isinstance(s, ast.Density)]
    if not blocks:
        return (), ()
    found, done = check_names(program, source), []
    reader = ModelReader(program, source, table, found)
    for block in blocks:
        made, told = check_density(block, program, source, table, reader)
        found += told
        if made is not None:
            done.append(made)
    found += _unused_models(program, source)
    once = {(d.code, d.message, d.span): d for d in reversed(found)}
    return tuple(done), tuple(sorted(once.values(), key=lambda d: (d.span.start if d.span else 0, d.code)))


def _unused_models(program: ast.Program, source: SourceText) -> list[Diagnostic]:
    """In a file of density estimators only, its own models that none of them leads to."""
    if any(isinstance(s, ast.Random | ast.Factor | ast.For) for s in program.statements):
        return []  # they are told of where the program is expanded
    needed = needed_by_densities(program)
    own = (s for s in program.statements if isinstance(s, ast.Model) and source.part_at(s.span.start) is None)
    hint = "delete it, or make a layer of it: structured({})"
    told = "Nothing is drawn from the model `{}`."
    return [Diagnostic("W0110", told.format(s.name), s.name_span, hint.format(s.name), source) for s in own if s.name not in needed]
