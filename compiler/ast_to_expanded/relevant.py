"""The part of a program that one use of a model depends on, so that each use costs what it needs to know and no more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from emfppl.compiler.trees import walk
from emfppl.grammar import ast_nodes as ast

DECLARATIONS = ast.Dim | ast.Data | ast.Param | ast.Function | ast.Model


@dataclass
class Relevant:
    """Remembers which names each statement defines and uses; a statement is known by its identity."""

    known: dict[int, tuple[ast.Statement, frozenset[str], frozenset[str]]] = field(default_factory=dict)

    def part(self, program: ast.Program, node: ast.Random, prefix: str) -> ast.Program:
        """Declarations, the statement that holds the use, and whatever defines what they refer to, or what begins with the
        names of the use's inner variables."""
        statements = [s for s in program.statements if not isinstance(s, DECLARATIONS)]
        facts = [self._facts(s) for s in statements]
        home: dict[str, list[int]] = {}
        for n, (_, defined, _) in enumerate(facts):
            for name in defined:
                home.setdefault(name, []).append(n)
        kept: set[int] = set()
        todo = [n for n, s in enumerate(statements) if any(one is node for one in _leaves(s))]
        todo += [n for name, places in home.items() if name.startswith(f"{prefix}.") for n in places]
        while todo:
            n = todo.pop()
            if n not in kept:
                kept.add(n)
                todo += [m for name in facts[n][1] | facts[n][2] for m in home.get(name, ())]
        declared = tuple(s for s in program.statements if isinstance(s, DECLARATIONS))
        return replace(program, statements=(*declared, *(statements[n] for n in sorted(kept))))

    def _facts(self, node: ast.Statement) -> tuple[ast.Statement, frozenset[str], frozenset[str]]:
        if id(node) not in self.known:
            inside = list(walk(node))
            defined = frozenset(n.name for n in inside if isinstance(n, ast.Target))
            self.known[id(node)] = (node, defined, frozenset(n.id for n in inside if isinstance(n, ast.Name)))
        return self.known[id(node)]


def _leaves(node: ast.Statement) -> Iterator[ast.Statement]:
    if isinstance(node, ast.For):
        for one in node.body:
            yield from _leaves(one)
    else:
        yield node
