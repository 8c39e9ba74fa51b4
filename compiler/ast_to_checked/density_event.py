"""The event of a density: the variables of one sample, with types that a flow can bring to the real line."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from functools import reduce

from emfppl.compiler.ast_to_checked.context import Context, VariableInfo
from emfppl.compiler.ast_to_checked.limits import leaves
from emfppl.compiler.checked_nodes import CheckedLayer, CheckedProgram, CheckedRandom
from emfppl.compiler.expression_text import support_text
from emfppl.compiler.expressions import Kind
from emfppl.compiler.graph import Role, Structured, Support, Variable
from emfppl.compiler.sizes import Size
from emfppl.compiler.supports import SCALAR_TYPES, const_bound
from emfppl.grammar import ast_nodes as ast

VECTORS = ("ordered", "positive_ordered")


def sound(c: Context, info: VariableInfo) -> bool:
    """Whether data may be the event of a density."""
    said = info.declared
    if said is None:
        return False
    name = info.name
    if info.default is not None:
        message = f"`{name}` is what the density is of; it has no default."
        return c.error("E1505", message, info.span, "leave the default out") or False
    if said.optional:
        message = f"`{name}` is what the density is of; its entries can't be missing."
        return c.error("E1505", message, said.span, f"write {said.text.rstrip('?')}") or False
    if said.kind is Kind.INDEX or said.kind is Kind.BOOL:
        message = f"`{name}` is declared {said.text}; a density estimator takes real numbers, or whole numbers that count."
        hint = "condition on it (conditioned_on), or declare it int(0, 1)" if said.kind is Kind.BOOL else "condition on it"
        return c.error("E1505", message, said.span, hint) or False
    if isinstance(said.support, Structured) and said.support.name not in VECTORS:
        message = f"`{name}` is declared {said.text}, which has fewer free numbers than entries."
        return c.error("E1505", message, said.span, "declare real what is left when the others are known") or False
    return True


def event_of(c: Context, block: ast.Density, model: CheckedProgram) -> tuple[Variable, ...] | None:
    """The event of a density that declares none: what the structured layer next to the data draws, with its supports as types."""
    found: list[Variable] = []
    for v in model.variables:
        if v.role is not Role.LATENT:
            continue
        supports = {s.support for s in leaves(model.statements) if isinstance(s, CheckedRandom) and s.target.name == v.name}
        support = next(iter(supports))
        if len(supports) > 1 or not _constant(support):
            message = f"The range of `{v.name}` differs from piece to piece, or depends on other values."
            over = f"[{', '.join(v.dims)}]" if v.dims else ""
            hint = f"say in the block what one sample is: data {v.name}{over}: real"
            return c.error("E1505", message, block.name_span, hint)
        text = _type_of(support)
        found.append(Variable(v.name, Role.OBSERVED, v.dims, v.kind, None, support, type_text=text, span=v.span))
    return tuple(found)


def need_as_many(c: Context, name: str, variables: tuple[Variable, ...], layer: CheckedLayer) -> None:
    """Report a model that draws more or fewer numbers than a sample has, as far as dims tell without data."""
    if layer.model is None:
        return
    own = {d.name: d.size for d in layer.model.dims if d.name not in c.dims and d.size is not None}
    drawn = _count(c, (v for v in layer.model.variables if v.role is Role.LATENT), own)
    wanted = _count(c, variables, {})
    if c.dims.negative(drawn - wanted) or c.dims.negative(wanted - drawn):
        model = dict(layer.options)["model"]
        message = f"The model `{model}` draws {_numbers(drawn)}, but a sample of `{name}` has {_numbers(wanted)}."
        hint = "a layer has as many numbers as a sample: what the event does not hold is computed, or written as part of it"
        c.error("E1504", message, layer.span, hint)


def _count(c: Context, variables: Iterable[Variable], own: Mapping[str, Size]) -> Size:
    """How many numbers variables hold together."""
    total = Size()
    for v in variables:
        sizes = [own.get(d.rstrip("'"), Size.of(d)) for d in v.dims]
        total += reduce(operator.mul, sizes, Size.const(1))
    return c.dims.resolve(total)


def _numbers(size: Size) -> str:
    return "1 number" if size.value == 1 else f"{size} numbers"


def _constant(support: Support) -> bool:
    if isinstance(support, Structured):
        return True
    return all(const_bound(b, 0.0) is not None for b in (support.lower, support.upper))


def _type_of(support: Support) -> str:
    """The type that has a support, by its name where it has one."""
    named = next((name for name, (_, own) in SCALAR_TYPES.items() if own == support), None)
    return named or ("real" if support == Structured("real_vector") else support_text(support))
