"""Which parts of a file its density estimators need, and which its program."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from emfppl.compiler.trees import walk
from emfppl.grammar import ast_nodes as ast

Declaration = ast.Dim | ast.Data | ast.Param | ast.Function | ast.Model
NOT_STATEMENTS = Declaration | ast.Density | ast.Import


def mentioned(node: object) -> set[str]:
    """Every name that a part of the tree refers to or defines."""
    found: set[str] = set()
    for one in walk(node):
        match one:
            case ast.Name(name) | ast.DimRef(name) | ast.Call(name) | ast.Target(name):
                found.add(name.rstrip("'"))
    return found


def closure(program: ast.Program, names: Iterable[str]) -> set[str]:
    """The names, and all that the file's declarations of these names mention."""
    declared: dict[str, list[ast.Statement]] = {}
    for one in program.statements:
        if isinstance(one, Declaration):
            declared.setdefault(one.name, []).append(one)
    found: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += [inner for one in declared.get(name, ()) for inner in mentioned(one)]
    return found


def without_densities(program: ast.Program) -> ast.Program:
    """The program without density blocks and without what only these need: it would count as unused, and data as required."""
    if not any(isinstance(s, ast.Density) for s in program.statements):
        return program
    needed = _needed(program)
    own = closure(program, _roots(program, needed))
    lost = ast.Dim | ast.Data | ast.Param | ast.Model
    kept = (s for s in program.statements if not isinstance(s, lost) or s.name in own or s.name not in needed)
    return replace(program, statements=tuple(s for s in kept if not isinstance(s, ast.Density)))


def only_for_densities(program: ast.Program) -> tuple[ast.Statement, ...]:
    """The density blocks of a program, with their models and with what its other statements don't need."""
    kept, needed = set(map(id, without_densities(program).statements)), _needed(program)
    return tuple(s for s in program.statements if id(s) not in kept or (isinstance(s, ast.Model) and s.name in needed))


def _needed(program: ast.Program) -> set[str]:
    """The names that density blocks lead to."""
    return closure(program, {name for s in program.statements if isinstance(s, ast.Density) for name in mentioned(s)})


def _roots(program: ast.Program, needed: set[str]) -> set[str]:
    """What the program's statements mention, and definitions that no density needs."""
    found: set[str] = set()
    for one in program.statements:
        definition = isinstance(one, Declaration) and one.name not in needed
        if definition or not isinstance(one, NOT_STATEMENTS):
            found |= mentioned(one)
    return found
