"""Which parts of a file its density estimators need, and which its program."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from emfppl.compiler.trees import walk
from emfppl.grammar import ast_nodes as ast

LOST = ast.Dim | ast.Data | ast.Param | ast.Model | ast.Assign  # what a program may do without


def declares(node: ast.Statement) -> str | None:
    """The name that a statement of the file gives to others without drawing it."""
    if isinstance(node, ast.Assign):
        return node.target.name
    return node.name if isinstance(node, ast.Dim | ast.Data | ast.Param | ast.Function | ast.Model) else None


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
        if name := declares(one):
            declared.setdefault(name, []).append(one)
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
    needed = needed_by_densities(program)
    own = closure(program, _roots(program, needed))
    kept = (s for s in program.statements if not isinstance(s, LOST) or declares(s) in own or declares(s) not in needed)
    return replace(program, statements=tuple(s for s in kept if not isinstance(s, ast.Density)))


def only_for_densities(program: ast.Program) -> tuple[ast.Statement, ...]:
    """The density blocks of a program, with their models and with what its other statements don't need."""
    kept, needed = set(map(id, without_densities(program).statements)), needed_by_densities(program)
    return tuple(s for s in program.statements if id(s) not in kept or (isinstance(s, ast.Model) and s.name in needed))


def needed_by_densities(program: ast.Program) -> set[str]:
    """The names that density blocks lead to."""
    return closure(program, {name for s in program.statements if isinstance(s, ast.Density) for name in mentioned(s)})


def _roots(program: ast.Program, needed: set[str]) -> set[str]:
    """What the program's statements mention, and declarations that no density needs."""
    found: set[str] = set()
    for one in program.statements:
        if not isinstance(one, ast.Density | ast.Import) and declares(one) not in needed:
            found |= mentioned(one)
    return found
