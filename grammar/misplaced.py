"""Statements that can be read and stand where they can't stand."""

from __future__ import annotations

from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.diagnostics import Diagnostic
from emfppl.grammar.source import SourceText, Span

# What can't stand in a model: its word, why, and the remedy.
NOT_IN_MODEL: dict[type, tuple[str, str, str]] = {
    ast.Data: ("data", "a model takes data through its arguments", "write it there: model NAME(x[obs]: real)"),
    ast.Function: ("def", "functions stand beside models, not in them", "move it out of the model"),
    ast.Model: ("model", "models stand beside each other", "move it out and draw from it here: x ~ NAME(…)"),
    ast.Guide: ("guide", "a guide is the whole program's", "set gates of inner variables in its guide block: gate x.z: off"),
    ast.Density: ("density", "densities stand beside models", "move it out; its layer structured(NAME) takes the model"),
    ast.Import: ("import", "imports stand at the beginning of a file", "move it out of the model"),
}


def misplaced(node: object, head: object, span: Span, source: SourceText) -> Diagnostic | None:
    """What to say of a statement in the block of `head` (None: the file) where it can't stand there."""
    message = hint = ""
    if isinstance(head, ast.Function):
        if not isinstance(node, ast.Assign | ast.Return):
            what = "distribution" if head.law else "function"
            message = f"A {what} computes: `NAME = expression` and `return` are all it may hold."
            hint = "draw outside and give the function the value, or write a model; a reduction such as sum(x) needs no loop"
    elif isinstance(node, ast.Return):
        if not isinstance(head, ast.Model):
            message = "`return` stands outside of a function."
            hint = "write it in the body of a def or of a model"
            if isinstance(head, ast.For):
                hint = "write it behind the loop, as the last statement of the model"
    elif isinstance(head, ast.Model) and type(node) in NOT_IN_MODEL:
        word, why, hint = NOT_IN_MODEL[type(node)]
        message = f"`{word}` can't stand in a model: {why}."
    elif isinstance(head, ast.For) and isinstance(node, ast.Density):
        message, hint = "`density` can't stand in a loop.", "move it out; a density estimator is the file's"
    elif isinstance(node, ast.Import) and source.text[node.path_span.end - 1] != source.text[node.path_span.start]:
        return Diagnostic("E0108", "The name of the file never ends.", node.path_span, "close it with a quotation mark", source)
    return Diagnostic("E0109", message, span, hint, source) if message else None
