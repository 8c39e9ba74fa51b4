"""What the data say of a block whatever the outer latents are: sums over rows that are made once, not at every step.

Where the location of a node reads no outer latent, and its scale is one number s (or is known), its residuals are ``(A z − b) / s``
with A and b known, and all that the quadratic form needs of them is::

    AᵀA (at the entries of the pattern),   Aᵀb,   bᵀb,   n          log p = const − n log s − (bᵀb − 2 bᵀA z + zᵀAᵀA z) / 2s²

with z counted from a centre, so that b are residuals. A step of the optimiser then costs as much as there are latents, not rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from emfppl.compiler import graph as g
from emfppl.compiler.expressions import At, Const, Expr, Gather, Kind, LoopVar, Ref, Type, walk
from emfppl.compiler.references import names_read, variable_refs
from emfppl.runtime.evaluate import Scope, evaluate
from emfppl.runtime.execute import Item

if TYPE_CHECKING:
    from emfppl.runtime.gaussian.block import Block, Form

KEY = "|moments"
Values = Mapping[str, Any]


class Summed(NamedTuple):
    """What is made of the data beforehand: the forms of all groups about a centre (dim,)."""

    forms: list[Form]
    centre: jax.Array


@dataclass(frozen=True)
class Group:
    """Nodes whose rows are summed beforehand, apart from a scale that they share; None where it is known with them."""

    keys: tuple[str, ...]
    scale: Expr | None


class Moments:
    """The nodes of a block that can be summed beforehand, and those that can't."""

    def __init__(self, block: Block):
        self.block, self._graph = block, block.program.graph
        standing, imputed = block.standing, set(block.program.binding.latent)
        self._data = {v.name for v in self._graph.of_role(g.Role.DATA, g.Role.OBSERVED)} - imputed
        self._computed = {v.name for v in self._graph.of_role(g.Role.COMPUTED)}
        random = [(k, n) for k, n in standing.gaussian if isinstance(n, g.RandomNode)]
        self.groups = self._groups(random)
        mine = {k for group in self.groups for k in group.keys}
        self.others = frozenset(k for k, n in random if k not in mine)
        shifted = [(k, n) for k, n in random if n.target.name in block.coordinates.shifted]
        needed = {k: self._scaled(n) if k in mine else n for k, n in random if k in mine or (k, n) in shifted}
        reads = {name for n in needed.values() for name in self._above(names_read(n))}
        self._items: list[Item] = [
            (k, needed.get(k, n))
            for k, n in standing.gaussian
            if k in needed or (isinstance(n, g.ComputedNode) and n.target.name in reads)
        ]

    def _groups(self, random: Sequence[tuple[str, g.RandomNode]]) -> list[Group]:
        """Nodes of known scale together, those of an unknown one by itself; nothing of the others."""
        found: dict[Expr | None, list[str]] = {}
        for key, node in random:
            args = dict(node.dist.args)
            shifted = node.target.name in self.block.coordinates.shifted
            if shifted or all(self.fixed(e, self.block.inner) for e in _location(node)):
                others = [e for n, e in args.items() if n != "loc" and not isinstance(e, g.Dist)]
                if all(map(self.fixed, others)):
                    found.setdefault(None, []).append(key)
                elif node.dist.name in ("Normal", "LogNormal") and all(map(_single, others)):
                    found.setdefault(args["scale"], []).append(key)  # type: ignore[arg-type]
        return [Group(tuple(keys), scale) for scale, keys in found.items()]

    def fixed(self, expr: Expr, also: Sequence[str] = ()) -> bool:
        """Whether an expression reads nothing but data, and variables in `also`."""
        read = self._above(names_of(expr))
        return read - self._computed <= self._data | set(also)

    def _above(self, names: set[str] | frozenset[str]) -> set[str]:
        """These variables, and those that computed ones among them are computed from, and those that move what stands by its
        excess."""
        found, todo = set(names), list(names)
        while todo:
            name = todo.pop()
            fresh: set[str] = set()
            if self._graph.variable(name).role is g.Role.COMPUTED:
                fresh = {r for n in self._graph.defining(name) for r in names_read(n)} - found
            elif name in self.block.coordinates.shifted:
                fresh = {r for n in self._graph.defining(name) for e in _location(n) for r in names_of(e)} - found
            if fresh:
                found |= fresh
                todo += fresh
        return found

    def _scaled(self, node: g.RandomNode) -> g.RandomNode:
        """The node with a scale of 1, if its own is unknown."""
        unknown = {n for n, e in node.dist.args if n != "loc" and not isinstance(e, g.Dist) and not self.fixed(e)}
        args = tuple((n, Const(1.0, Type(Kind.REAL)) if n in unknown else e) for n, e in node.dist.args)
        return replace(node, dist=replace(node.dist, args=args))

    # ------------------------------------------------------------ beforehand

    def of(self, data: Any, centre: jax.Array) -> Summed:
        """The form of each group, with a scale of 1 where it is unknown."""
        blank = {name: jnp.zeros(self.block.program.shapes[name]) for name in self.block.outer}

        def form(group: Group) -> Form:
            return self.block.form(lambda z: self.block.residuals(self._items, group.keys, z, blank, None, data), centre)

        return Summed([form(group) for group in self.groups], centre)

    def at(self, forms: Sequence[Form], variables: Values) -> Form:
        """The form of all groups with their scales."""
        scope = Scope(self.block.program.layout.sizes, {}, variables)

        def scaled(group: Group, form: Form) -> Form:
            return form if group.scale is None else form.over(jnp.asarray(evaluate(group.scale, scope).array, float))

        return reduce(lambda one, other: one.plus(other), map(scaled, self.groups, forms))


def names_of(expr: Expr) -> set[str]:
    """The variables that an expression reads."""
    return {r.name for r in variable_refs(expr)}


def _location(node: g.Node) -> list[Expr]:
    assert isinstance(node, g.RandomNode)
    return [e for name, e in node.dist.args if name == "loc" and not isinstance(e, g.Dist)]


def _single(expr: Expr) -> bool:
    """Whether an expression is one number for a whole node."""
    moves = (isinstance(e, LoopVar) or (isinstance(e, Ref) and any(_moving(i) for i in e.indices)) for e in walk(expr))
    return not expr.type.axes and not any(moves)


def _moving(index: Any) -> bool:
    return isinstance(index, Gather) or (isinstance(index, At) and index.loop is not None)
