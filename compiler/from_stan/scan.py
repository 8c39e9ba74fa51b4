"""What is looked up in a whole Stan program before it is translated: sizes, index data, outcomes of 0 and 1, scales."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from emfppl.compiler.from_stan.distribution_table import CATEGORIES, ZERO_ONE
from emfppl.compiler.from_stan.subscripts import flattened
from emfppl.grammar.stan import stan_nodes as stan


def nodes(node: Any) -> Iterator[Any]:
    """A tree's nodes, outermost first."""
    if isinstance(node, tuple):
        for one in node:
            yield from nodes(one)
    elif hasattr(node, "__slots__") and type(node).__module__ == stan.__name__:
        yield node
        for name in node.__slots__:
            yield from nodes(getattr(node, name))


def size_names(program: stan.StanProgram) -> frozenset[str]:
    """Names that are the whole size of some array."""
    found = (s for d in nodes(blocks(program)) if isinstance(d, stan.Declared) for s in (*d.array, *d.sizes))
    return frozenset(s.id for s in found if isinstance(s, stan.Name))


def index_names(program: stan.StanProgram) -> frozenset[str]:
    """Names that stand in subscripts by themselves or subscripted, and outcomes that are categories."""
    found = set()
    for node in nodes(blocks(program)):
        if isinstance(node, stan.Index):
            for index in node.indices:
                inner, _ = flattened(index) if not isinstance(index, stan.Range) else (None, ())
                found |= {inner.id} if isinstance(inner, stan.Name) else set()
        found |= _outcome(node, CATEGORIES)
    return frozenset(found)


def declared(program: stan.StanProgram) -> frozenset[str]:
    """Names of all variables."""
    return frozenset(d.name for d in nodes(blocks(program)) if isinstance(d, stan.Declared))


def zero_one(program: stan.StanProgram) -> frozenset[str]:
    """Outcomes of 0 and 1."""
    return frozenset(name for node in nodes(blocks(program)) for name in _outcome(node, ZERO_ONE))


def scale_names(program: stan.StanProgram) -> set[str]:
    """Names that stand as the last argument of a normal or the like: they are above 0."""
    scaled = ("normal", "lognormal", "student_t", "cauchy", "double_exponential", "logistic")
    found = set()
    for node in nodes(blocks(program)):
        args: tuple = ()
        if isinstance(node, stan.Drawn) and node.dist in scaled:
            args = node.args
        if isinstance(node, stan.Call) and node.name.rpartition("_")[0] in scaled:
            args = node.args
        if args:
            inner, _ = flattened(args[-1])
            found |= {inner.id} if isinstance(inner, stan.Name) else set()
    return found


def _outcome(node: Any, dists: tuple[str, ...]) -> set[str]:
    left = None
    if isinstance(node, stan.Drawn) and node.dist in dists:
        left = node.left
    elif isinstance(node, stan.Call) and node.args and node.name.rpartition("_")[0] in dists:
        left = node.args[0]
    inner, _ = flattened(left) if left is not None else (None, ())
    return {inner.id} if isinstance(inner, stan.Name) else set()


def blocks(program: stan.StanProgram) -> tuple:
    """All blocks with statements."""
    return (
        program.data, program.transformed_data, program.parameters, program.transformed_parameters, program.model,
        program.generated,
    )  # fmt: skip
