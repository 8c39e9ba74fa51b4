"""The syntax tree as s-expressions, a statement a line: the form that says how a text was read, parentheses and all."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.source import Span


def to_text(program: ast.Program) -> str:
    """The tree of a whole program."""
    return "".join(line + "\n" for s in program.statements for line in _lines(s, "")) or "(empty)\n"


def _lines(node: object, indent: str) -> list[str]:
    """A statement; the statements inside it on lines of their own."""
    inside = [line for one in _inside(node) for line in _lines(one, indent + "  ")]
    if not inside:
        return [indent + _form(node)]
    return [indent + _form(node)[:-1], *inside[:-1], inside[-1] + ")"]


def _inside(node: object) -> tuple[object, ...]:
    """The statements inside a statement."""
    if isinstance(node, ast.For | ast.Function | ast.Model):
        return node.body
    return node.items if isinstance(node, ast.Guide | ast.Density) else ()


def _form(value: object) -> str:
    """Any part of the tree: names and numbers as they stand, everything else in parentheses behind the name of its class."""
    match value:
        case ast.Number(text):
            return text
        case ast.Name(name):
            return name
        case ast.Binary():
            return f"({value.op} {_form(value.left)} {_form(value.right)})"
        case ast.Unary():
            return f"({value.op} {_form(value.operand)})"
        case ast.Argument():
            return _form(value.value) if value.name is None else f"{value.name} = {_form(value.value)}"
        case tuple():
            return f"[{' '.join(map(_form, value))}]"
        case ast.ListLiteral(items):
            return _form(items)
        case None:
            return "_"
    if is_dataclass(value):
        return f"({' '.join([type(value).__name__.lower(), *_parts(value)])})"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _parts(node: object) -> list[str]:
    """The fields of a node, without places, comments and the statements inside."""
    values = [(f.name, getattr(node, f.name)) for f in fields(node)]  # type: ignore[arg-type]
    left_out = ("comments", "tail", "body", "items")
    return [_form(v) for name, v in values if name not in left_out and not isinstance(v, Span)]
