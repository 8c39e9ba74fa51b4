"""From what the parser recognises to nodes of the syntax tree: one method a rule of `emf.lark`, called while it parses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from lark import Token, Transformer

from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.source import Span
from emfppl.grammar.tokens import place

Parts = list[Any]  # the children of a rule: tokens and nodes, in source order
Node = TypeVar("Node")


@dataclass(frozen=True, slots=True)
class _Listed:
    """What a bracketed list in a rule holds."""

    items: tuple[Any, ...]
    span: Span


def span_of(part: Any) -> Span:
    """Where a token or a node stands."""
    return place(part) if isinstance(part, Token) else part.span


def span_over(parts: Parts) -> Span:
    return span_of(parts[0]).to(span_of(parts[-1]))


def _behind(parts: Parts, sign: str) -> Any:
    """The part behind a sign, or None where the sign is left out."""
    return next((parts[i + 1] for i, p in enumerate(parts) if p == sign and isinstance(p, Token)), None)


def _only(parts: Parts, kind: type[Node]) -> Node | None:
    return next((p for p in parts if isinstance(p, kind)), None)


def _nodes(parts: Parts) -> tuple[Any, ...]:
    return tuple(p for p in parts if not isinstance(p, Token))


def _listed(parts: Parts) -> tuple[Any, ...]:
    found = _only(parts, _Listed)
    return found.items if found else ()


class TreeBuilder(Transformer):
    """Heads of blocks become blocks with an empty body."""

    # ------------------------------------------------------------ declarations

    def dim(self, parts: Parts) -> ast.Dim:
        return ast.Dim(str(parts[1]), _behind(parts, "="), name_span=span_of(parts[1]), span=span_over(parts))

    def data(self, parts: Parts) -> ast.Data:
        return self._declared(ast.Data, parts)

    def param(self, parts: Parts) -> ast.Param:
        return self._declared(ast.Param, parts)

    def _declared(self, kind: Callable[..., Node], parts: Parts) -> Node:
        return kind(
            str(parts[1]), _listed(parts), _only(parts, ast.TypeExpr), _behind(parts, "="),
            name_span=span_of(parts[1]), span=span_over(parts),
        )  # fmt: skip

    def function_head(self, parts: Parts) -> ast.Function:
        return ast.Function(
            str(parts[1]), _listed(parts), _behind(parts, ":"), (),
            name_span=span_of(parts[1]), span=span_over(parts),
        )  # fmt: skip

    def law_head(self, parts: Parts) -> ast.Function:
        return replace(self.function_head(parts), law=True)

    def function_arg(self, parts: Parts) -> ast.FunctionArgument:
        kind, default = _only(parts, ast.TypeExpr), _behind(parts, "=")
        return ast.FunctionArgument(str(parts[0]), _listed(parts), kind, default, span_over(parts))

    def model_head(self, parts: Parts) -> ast.Model:
        return ast.Model(str(parts[1]), _listed(parts), (), name_span=span_of(parts[1]), span=span_over(parts))

    def density_head(self, parts: Parts) -> ast.Density:
        return ast.Density(str(parts[1]), (), name_span=span_of(parts[1]), span=span_over(parts))

    def given(self, parts: Parts) -> ast.Given:
        names = [p for p in parts[1:] if p.type == "NAME"]
        return ast.Given(tuple(ast.Name(str(n), span_of(n)) for n in names), span=span_over(parts))

    def layer(self, parts: Parts) -> ast.Layer:
        call = ast.Call(str(parts[0]), _listed(parts), span_of(parts[0]), span_over(parts))
        return ast.Layer(call, span=span_over(parts))

    def import_(self, parts: Parts) -> ast.Import:
        alias = str(parts[3]) if len(parts) > 3 else None
        return ast.Import(str(parts[1])[1:-1], alias, path_span=span_of(parts[1]), span=span_over(parts))

    def type_expr(self, parts: Parts) -> ast.TypeExpr:
        return ast.TypeExpr(str(parts[0]), _listed(parts), parts[-1] == "?", span_over(parts))

    def dim_ref(self, parts: Parts) -> ast.DimRef:
        return ast.DimRef(str(parts[0]), _only(parts, ast.SliceItem), span_over(parts))

    # ------------------------------------------------------------ statements

    def random(self, parts: Parts) -> ast.Random:
        return ast.Random(parts[0], _only(parts, ast.TypeExpr), parts[-1], span=span_over(parts))

    def assign(self, parts: Parts) -> ast.Assign:
        return ast.Assign(parts[0], _only(parts, ast.TypeExpr), parts[-1], span=span_over(parts))

    def target(self, parts: Parts) -> ast.Target:
        return ast.Target(str(parts[0]), _listed(parts), span_of(parts[0]), span_over(parts))

    def factor(self, parts: Parts) -> ast.Factor:
        return ast.Factor(parts[1], span=span_over(parts))

    def result(self, parts: Parts) -> ast.Return:
        return ast.Return(parts[1], span=span_over(parts))

    def for_head(self, parts: Parts) -> ast.For:
        return ast.For(str(parts[1]), parts[3], (), var_span=span_of(parts[1]), span=span_over(parts))

    def guide_head(self, parts: Parts) -> ast.Guide:
        return ast.Guide((), span=span_over(parts))

    def backbone(self, parts: Parts) -> ast.Backbone:
        call = ast.Call(str(parts[1]), _listed(parts), span_of(parts[1]), span_over(parts[1:]))
        return ast.Backbone(call, span=span_over(parts))

    def gate(self, parts: Parts) -> ast.Gate:
        return ast.Gate(str(parts[1]), str(parts[3]), _nodes(parts), name_span=span_of(parts[1]), span=span_over(parts))

    # ------------------------------------------------------------ expressions

    def _binary(self, parts: Parts) -> ast.Binary:
        left, op, right = parts
        return ast.Binary(str(op), left, right, span_of(op), span_over(parts))

    either = both = comparison = sum = product = power = _binary

    def _unary(self, parts: Parts) -> ast.Unary:
        return ast.Unary(str(parts[0]), parts[1], span_over(parts))

    negation = sign = _unary

    def subscript(self, parts: Parts) -> ast.Subscript:
        return ast.Subscript(parts[0], _listed(parts), span_over(parts))

    def number(self, parts: Parts) -> ast.Number:
        return ast.Number(str(parts[0]), span_of(parts[0]))

    def truth(self, parts: Parts) -> ast.Bool:
        return ast.Bool(parts[0] == "true", span_of(parts[0]))

    def name(self, parts: Parts) -> ast.Name:
        return ast.Name(str(parts[0]), span_of(parts[0]))

    def call(self, parts: Parts) -> ast.Call:
        return ast.Call(str(parts[0]), _listed(parts), span_of(parts[0]), span_over(parts))

    def list_literal(self, parts: Parts) -> ast.ListLiteral:
        return ast.ListLiteral(_listed(parts), span_over(parts))

    def parentheses(self, parts: Parts) -> ast.Expr:
        return replace(parts[1], span=span_over(parts))

    def argument(self, parts: Parts) -> ast.Argument:
        return ast.Argument(None, parts[0], span_over(parts))

    def named_argument(self, parts: Parts) -> ast.Argument:
        return ast.Argument(str(parts[0]), parts[2], span_over(parts))

    def slice(self, parts: Parts) -> ast.SliceItem:
        colon = next(i for i, p in enumerate(parts) if isinstance(p, Token))
        before, after = parts[:colon], parts[colon + 1 :]
        return ast.SliceItem(before[0] if before else None, after[0] if after else None, span_over(parts))

    # ------------------------------------------------------------ lists

    def _list(self, parts: Parts) -> _Listed:
        return _Listed(_nodes(parts), span_over(parts))

    dims = function_args = items = arguments = indices = _list
