"""The order in which a program reads from top to bottom: each name drawn or set before it is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from emfppl.compiler.from_stan.build import names_in
from emfppl.grammar import ast_nodes as ast


def defines(s: ast.Statement) -> set[str]:
    """The variables that a statement draws or sets."""
    if isinstance(s, ast.For):
        return set().union(*map(defines, s.body))
    return {s.target.name} if isinstance(s, ast.Random | ast.Assign) else set()


def uses(s: ast.Statement) -> set[str]:
    if isinstance(s, ast.For):
        return set().union(*map(uses, s.body))
    return names_in(s)


def ordered(statements: Sequence[ast.Statement]) -> list[ast.Statement]:
    """A stable order; loops that stand in a circle are taken apart first."""
    done = _sorted([_inside(s) for s in statements])
    if done is not None:
        return done
    apart = [piece for s in statements for piece in _apart(s)]
    return _sorted(apart) or apart


def _inside(s: ast.Statement) -> ast.Statement:
    if not isinstance(s, ast.For):
        return s
    body = [_inside(one) for one in s.body]
    own = set().union(*map(defines, body))
    return replace(s, body=tuple(_sorted(body) or body)) if own else s


def _apart(s: ast.Statement) -> list[ast.Statement]:
    """A loop as loops of one statement each, unless it holds helpers."""
    if not isinstance(s, ast.For) or any(isinstance(one, ast.Assign) and not _indexed(one, s.var) for one in s.body):
        return [s]
    loops = [replace(s, body=(one,)) for one in s.body]
    return [loops[0], *(replace(one, comments=ast.Comments()) for one in loops[1:])]


def _indexed(s: ast.Assign, var: str) -> bool:
    return var in names_in(s.target)


def _sorted(statements: Sequence[ast.Statement]) -> list[ast.Statement] | None:
    """Source order, but for what must wait; None where statements wait for one another."""
    left = list(statements)
    out: list[ast.Statement] = []
    while left:
        ready = next((i for i in range(len(left)) if not any(_waits(left, i, j) for j in range(len(left)))), None)
        if ready is None:
            return None
        out.append(left.pop(ready))
    return out


def _waits(left: Sequence[ast.Statement], i: int, j: int) -> bool:
    """Whether a statement must wait for another: that sets something which it uses, or an earlier part of the same variable."""
    here, there = defines(left[i]), defines(left[j])
    if i == j or not there:
        return False
    if there & uses(left[i]) - here:
        return True
    both = here & there
    walks, starts = bool(both & uses(left[i])), not both & uses(left[j])
    return bool(both) and (starts if walks else j < i and starts)
