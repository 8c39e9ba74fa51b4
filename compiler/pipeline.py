"""The way of a program through the compiler, from top to bottom.

text ─ parse, link, expand ─▶ syntax tree ─ check ─▶ checked program ─ build ─▶ graph ─ PASSES ─▶ graph

`link` joins imported files, `expand` writes sub-models out.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from emfppl.compiler.ast_to_checked import check
from emfppl.compiler.ast_to_expanded import expand
from emfppl.compiler.ast_to_linked import link
from emfppl.compiler.ast_to_text import to_text as tree_text
from emfppl.compiler.checked_nodes import CheckedProgram
from emfppl.compiler.checked_to_graph import build
from emfppl.compiler.checked_to_text import to_text as checked_text
from emfppl.compiler.densities import check_densities
from emfppl.compiler.density_parts import only_for_densities, without_densities
from emfppl.compiler.discrete_limits import discrete_limits
from emfppl.compiler.distributions import STANDARD, Table
from emfppl.compiler.expressions import Kind
from emfppl.compiler.graph import DensitySpec, Graph, Role
from emfppl.compiler.graph_to_text import to_text as graph_text
from emfppl.compiler.imported_files import gathered
from emfppl.compiler.passes import PASSES
from emfppl.compiler.recovery import told
from emfppl.compiler.silence import not_silenced
from emfppl.compiler.verify import verify
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.ast_to_text import format_program
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.grammar.source import SourceText
from emfppl.grammar.text_to_ast import parse

STAGES = ("ast", "expanded", "checked", "graph", "passes")


def check_text(source: SourceText, table: Table = STANDARD) -> tuple[Diagnostic, ...]:
    """Everything that is wrong with a program, or likely wrong, in source order; warnings that a line
    silences left out."""
    return _checked(gathered(source), table)[1]


def compile_text(source: SourceText, table: Table = STANDARD) -> Graph:
    """The graph after all passes; `EmfError` with all errors if there is any."""
    return _compiled(gathered(source), table)


@lru_cache(maxsize=64)
def _compiled(source: SourceText, table: Table) -> Graph:
    checked = checked_program(source, table)
    try:
        return optimised(build(checked))
    except RecursionError:
        raise EmfError([_too_deep(source)]) from None


def optimised(graph: Graph) -> Graph:
    """A graph after all passes, verified around each."""
    verify(graph)
    for rewrite in PASSES:
        graph = rewrite(graph)
        verify(graph)
    return replace(graph, densities=tuple(map(_optimised_density, graph.densities)))


def _optimised_density(density: DensitySpec) -> DensitySpec:
    """The models of its layers after all passes. Nothing stands below their latents, and all of them are wanted."""
    models = [one.model and replace(optimised(one.model), barren=frozenset()) for one in density.layers]
    layers = (replace(one, model=model) for one, model in zip(density.layers, models, strict=True))
    return replace(density, layers=tuple(layers))


def checked_program(source: SourceText, table: Table = STANDARD) -> CheckedProgram:
    """The checked program; `EmfError` with all errors if there is any."""
    program, diagnostics = _checked(gathered(source), table)
    if program is None:
        raise EmfError(d for d in diagnostics if d.is_error)
    return program


@lru_cache(maxsize=64)
def _checked(source: SourceText, table: Table) -> tuple[CheckedProgram | None, tuple[Diagnostic, ...]]:
    """The checked program and everything there is to say, of a source with all imported files behind it."""
    program, problems = link(source)
    try:
        expanded = expand(without_densities(program), source, table)
        checked, found = check(expanded.program, expanded.source, table)
        if any(d.is_error for d in (*problems, *expanded.found)):
            checked = None  # a statement or a use of a model is missing
        densities, more = check_densities(program, source, table)
        found = (*expanded.told((*found, *_limits(checked))), *more)
        if any(d.is_error for d in more):
            found = tuple(d for d in found if d.is_error)
        whole = expanded.source
    except RecursionError:
        checked, found, whole, densities = None, (_too_deep(source),), source, ()
    if any(d.code.startswith("E09") for d in problems):  # names that an import should have brought
        found = tuple(d for d in found if d.is_error and d.code not in ("E0206", "E0207"))
    everything = told(program, source, problems, found)
    failed = any(d.is_error for d in everything)
    checked = None if failed or checked is None else replace(checked, densities=densities)
    return checked, not_silenced(whole, everything)


def _limits(checked: CheckedProgram | None) -> tuple[Diagnostic, ...]:
    """What only the graph can tell: discrete variables that can't be summed out."""
    if checked is None or not any(v.kind is not Kind.REAL and v.role is Role.LATENT for v in checked.variables):
        return ()
    return tuple(discrete_limits(optimised(build(checked))))


def _too_deep(source: SourceText) -> Diagnostic:
    message = "Its expressions, with functions written out, are nested too deeply for this program to be checked."
    return Diagnostic("E0110", message, None, "give parts of them names of their own: part = …", source)


def stage_text(source: SourceText, stage: str, table: Table = STANDARD) -> str:
    """The text form of a program after a stage: ``ast``, ``expanded``, ``checked``, ``graph`` or ``passes``."""
    if stage == "ast":
        program, problems = parse(source)
        if problems:
            raise EmfError(problems)
        return tree_text(program)
    if stage == "expanded":
        checked_program(source, table)
        return expanded_text(source, table)
    if stage == "checked":
        return checked_text(checked_program(source, table))
    if stage == "graph":
        return graph_text(build(checked_program(source, table)))
    return graph_text(compile_text(source, table))


def expanded_text(source: SourceText, table: Table = STANDARD) -> str:
    """The program with its sub-models written out, as `emf fmt` would lay it out."""
    source = gathered(source)
    program = link(source)[0]
    expanded = expand(without_densities(program), source, table).program
    kept = tuple(s for s in expanded.statements if not isinstance(s, ast.Model | ast.Import))
    return format_program(replace(expanded, statements=(*kept, *only_for_densities(program)), tail=()))
