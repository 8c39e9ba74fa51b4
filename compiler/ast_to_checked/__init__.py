"""The checker: from the syntax tree to the checked program, or to everything that is wrong with it."""

from __future__ import annotations

from emfppl.compiler.ast_to_checked import (
    dims,
    functions,
    guide,
    laws,
    limits,
    lint,
    loops,
    names,
    observed,
    order,
    statements,
    structured,
    targets,
)
from emfppl.compiler.ast_to_checked.context import Context, Env, Scope, VariableInfo
from emfppl.compiler.checked_nodes import CheckedProgram, CheckedStatement
from emfppl.compiler.distributions import STANDARD, Table
from emfppl.compiler.expressions import Kind
from emfppl.compiler.graph import GuideSpec, Role, Variable
from emfppl.grammar.ast_nodes import Program
from emfppl.grammar.diagnostics import Diagnostic
from emfppl.grammar.source import SourceText

__all__ = ["check", "further", "survey", "variable_of"]

HIDDEN = "@"  # ends the name of a value that an argument of a sub-model stands for
Kinds = dict[str, tuple[Kind, str | None]]


def check(
    program: Program, source: SourceText, table: Table = STANDARD
) -> tuple[CheckedProgram | None, tuple[Diagnostic, ...]]:
    """The checked program (None if there is any error) and all diagnostics in source order."""
    c, body = survey(program, source, table)
    spec = further(c, program, body)
    diagnostics = tuple(sorted(c.found, key=lambda d: (d.span.start if d.span else 0, d.code)))
    if c.failed:
        return None, diagnostics
    variables = tuple(variable_of(v) for v in _all_variables(c))
    own = tuple(c.laws.values())
    return CheckedProgram(c.dims.listed(), variables, body, spec, own, (), tuple(c.models.values()), source), diagnostics


def survey(
    program: Program, source: SourceText, table: Table = STANDARD, scope: Scope | None = None
) -> tuple[Context, tuple[CheckedStatement, ...]]:
    """Every name and every statement for itself; `further` then asks how they go together."""
    kinds: Kinds = {}
    for _ in range(6):
        c = Context(source, table, kinds=kinds, scope=scope)
        body = _round(c, program)
        found = _computed_kinds(c)
        if all(found.get(name) == kinds.get(name) for name in c.guessed):
            break
        kinds = found
    return c, body


def _round(c: Context, program: Program) -> tuple[CheckedStatement, ...]:
    """Check the statements once; `c.kinds` are those of computed variables that are used before their line."""
    names.collect(c, program)
    laws.declare_laws(c)
    observed.declare(c, program)
    dims.declare_dims(c, program)
    observed.constants_of(c, program)
    loops.declare_loops(c, program)
    targets.declare_targets(c, program)
    for name in c.functions:
        if not c.functions[name].node.law:
            functions.check_function(c, name)
    laws.check_laws(c)
    return statements.check_body(c, program.statements, Env())


def further(c: Context, program: Program, body: tuple[CheckedStatement, ...]) -> GuideSpec:
    """What concerns the program as a whole: the guide, the order of its statements, what can't be done, and the lint."""
    spec = guide.check_guide(c, program, body)
    order.check_order(c, body)
    limits.check_limits(c, body)
    structured.check_structured(c, body)
    if not c.failed:
        lint.lint(c, body)
    return spec


def _all_variables(c: Context) -> list[VariableInfo]:
    return [*c.variables.values(), *(info for infos in c.helpers.values() for info in infos.values())]


def _computed_kinds(c: Context) -> Kinds:
    return {v.graph_name or v.name: (v.kind, v.of) for v in _all_variables(c) if v.kind is not None}


def hidden(name: str) -> bool:
    """Whether a computed variable is not reported: the value of an argument, or an inner one whose name begins with ``_``."""
    return name.endswith(HIDDEN) or "._" in name


def variable_of(v: VariableInfo) -> Variable:
    """A variable as the graph knows it."""
    said = v.declared
    assert v.dims is not None and v.kind is not None
    return Variable(
        name=v.graph_name or v.name,
        role=v.role,
        dims=v.dims,
        kind=v.kind,
        of=v.of,
        support=said.support if said else None,
        optional=said.optional if said else False,
        default=v.default,
        local=v.local or (v.role is Role.COMPUTED and hidden(v.name)),
        type_text=said.text if said else "",
        span=v.span,
    )
