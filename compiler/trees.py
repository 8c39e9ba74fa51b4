"""Syntax trees rewritten and searched, whatever their classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.source import Span

Node = TypeVar("Node")


def rebuilt(node: Node, change: Callable[[Any], Any]) -> Node:
    """The node with `change` applied to each node and span directly inside it."""
    new: dict[str, Any] = {}
    for f in fields(node):  # type: ignore[arg-type]
        old = getattr(node, f.name)
        value = tuple(change(v) if is_dataclass(v) else v for v in old) if isinstance(old, tuple) else old
        value = change(old) if is_dataclass(old) else value
        if value is not old:
            new[f.name] = value
    return replace(node, **new) if new else node  # type: ignore[type-var]


def moved(node: Node, by: int) -> Node:
    """The tree with every span moved by so many characters."""
    return node.moved(by) if isinstance(node, Span) else rebuilt(node, lambda inner: moved(inner, by))  # type: ignore[return-value]


def walk(node: Any) -> Iterator[Any]:
    """The node and every node inside it."""
    yield node
    for f in fields(node):
        value = getattr(node, f.name)
        for one in value if isinstance(value, tuple) else (value,):
            if is_dataclass(one) and not isinstance(one, Span | ast.Comments):
                yield from walk(one)


def calls_in(node: Any) -> Iterator[ast.Call]:
    return (one for one in walk(node) if isinstance(one, ast.Call))
