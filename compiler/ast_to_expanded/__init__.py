"""Sub-models written out: each ``x ~ ar(phi)`` becomes the statements of ``model ar``, on the tree, before the checker.

The variable that ``return`` names is the one that is drawn; the others become ``x.name``. Dims that only the arguments or the
result name are those of the use. Dims of the target beyond the result's are independent repetitions: loops around the body,
which the passes make vectorised operations of. Each use has a copy of the model's text behind the source, so that spans
are unique and messages can say where the model is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from emfppl.compiler.ast_to_checked import survey
from emfppl.compiler.ast_to_expanded.own_checks import Known
from emfppl.compiler.ast_to_expanded.relevant import Relevant
from emfppl.compiler.ast_to_expanded.use import Written, write_out
from emfppl.compiler.distributions import STANDARD, Table
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.diagnostics import Diagnostic
from emfppl.grammar.source import SourceText, Span

__all__ = ["Expanded", "expand"]

Around = tuple[ast.For, ...]


@dataclass(frozen=True)
class Expanded:
    """A program without uses of models, the source that its spans point into, and what was found wrong."""

    program: ast.Program
    source: SourceText
    found: tuple[Diagnostic, ...] = ()

    def told(self, later: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
        """What was found in models and their uses, and later in the program written out: there a warning that a model has by
        itself is not said again."""
        if any(d.is_error for d in self.found):  # what stands in a use that is wrong would count as unused, and more
            return tuple(d for d in (*self.found, *later) if d.is_error)
        if any(d.is_error for d in later):
            return tuple(later)
        said = {(d.code, *_origin(d)) for d in self.found}
        return (*self.found, *(d for d in later if (d.code, *_origin(d)) not in said))


def _origin(one: Diagnostic) -> tuple[object, ...]:
    if one.source is None or one.span is None:
        return (None,)
    return (one.source.name_at(one.span.start), *one.source.position(one.span.start))


def expand(program: ast.Program, source: SourceText, table: Table = STANDARD) -> Expanded:
    """The program with its sub-models written out; uses that are wrong stay as they are."""
    if not any(isinstance(s, ast.Model) for s in program.statements):
        return Expanded(program, source)
    known = Known(program, source, table)
    known.check_all()
    done = expand_uses(program, source, known)
    return replace(done, found=(*known.found, *done.found))


def expand_uses(program: ast.Program, source: SourceText, known: Known) -> Expanded:
    """One use after another, in source order, those in models as well that are written out."""
    left: set[Span] = set()  # uses that are wrong
    found: list[Diagnostic] = []
    relevant = Relevant()
    while True:
        use = next((u for u in _uses(program.statements, known) if u[0].span not in left), None)
        if use is None:
            return Expanded(program, source, tuple(found))
        node, around = use
        written, told = _written(relevant.part(program, node, known.prefix(node)), source, node, around, known)
        if written is None:  # once more, with all names at hand for its messages
            _, told = _written(program, source, node, around, known)
        found += told
        if written is None:
            left.add(node.span)
        else:
            program, source = _with(program, node, written), written.source


def _written(
    program: ast.Program, source: SourceText, node: ast.Random, around: Around, known: Known
) -> tuple[Written | None, list[Diagnostic]]:
    c, _ = survey(program, source, known.table, known.scope)
    del c.found[:]
    return write_out(c, node, around, known), c.found


def _uses(statements: Sequence[ast.Statement], known: Known, around: Around = ()) -> Iterator[tuple[ast.Random, Around]]:
    """Every draw from a model, with the loops around it."""
    for node in statements:
        if isinstance(node, ast.For):
            yield from _uses(node.body, known, (*around, node))
        elif isinstance(node, ast.Random) and isinstance(node.dist, ast.Call) and node.dist.func in known.models:
            yield node, around


def _with(program: ast.Program, node: ast.Random, written: Written) -> ast.Program:
    """The program with a use replaced by what it stands for; dims and params go to the front."""
    body = _replaced(program.statements, node, written.statements)
    return replace(program, statements=(*written.declared, *body))


def _replaced(
    statements: Sequence[ast.Statement], node: ast.Random, new: tuple[ast.Statement, ...]
) -> tuple[ast.Statement, ...]:
    out: list[ast.Statement] = []
    for one in statements:
        if one is node:
            out += new
        else:
            out.append(replace(one, body=_replaced(one.body, node, new)) if isinstance(one, ast.For) else one)
    return tuple(out)
