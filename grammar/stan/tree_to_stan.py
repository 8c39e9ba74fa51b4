"""From Lark's tree of a Stan program to the nodes of `stan_nodes`."""

from __future__ import annotations

from typing import Any

from lark import Token, Tree

from emfppl.grammar.source import Span
from emfppl.grammar.stan import stan_nodes as stan

BLOCKS = ("data", "transformed_data", "parameters", "transformed_parameters", "model", "generated")
OPERATIONS = ("either", "both", "equality", "comparison", "sum", "product", "power")


def program_of(tree: Tree) -> stan.StanProgram:
    """The program without its comments."""
    found: dict[str, Any] = {}
    for block in _trees(tree):
        if block.data == "functions":
            found["functions"] = tuple(_function(f) for f in _trees(block))
        else:
            found[str(block.data)] = statements(block.children)
    return stan.StanProgram(**found)


def _trees(tree: Tree) -> list[Tree]:
    return [c for c in tree.children if isinstance(c, Tree)]


def _span(tree: Tree | Token) -> Span:
    place = tree if isinstance(tree, Token) else tree.meta
    return Span(getattr(place, "start_pos", 0) or 0, getattr(place, "end_pos", 0) or 0)


def _function(tree: Tree) -> stan.Function:
    returned, name, *rest = tree.children
    args = tuple(_argument(t) for t in rest if isinstance(t, Tree) and t.data == "function_argument")
    body = next((statements(t.children) for t in rest if isinstance(t, Tree) and t.data == "block"), ())
    return stan.Function(str(name), _unsized(returned.children[0]) if returned.children else "void", args, body, span=_span(tree))


def _argument(tree: Tree) -> tuple[str, str]:
    kind, name = tree.children[-2:]
    return str(name), _unsized(kind)


def _unsized(tree: Tree) -> str:
    base = next(str(c) for c in tree.children if isinstance(c, Token) and c.type == "BASE")
    many = sum(isinstance(c, Token) and c.type == "COMMA" for c in tree.children) + any(
        isinstance(c, Tree) and c.data == "old_brackets" for c in tree.children
    )
    is_array = many or tree.children[0] != base
    return f"array {base}" if is_array else base


# ---------------------------------------------------------------- statements


def statements(trees: list[Any]) -> tuple[stan.Statement, ...]:
    return tuple(s for t in trees for s in _statement(t))


def _statement(tree: Tree) -> list[stan.Statement]:
    span, parts = _span(tree), tree.children
    match str(tree.data):
        case "declaration":
            return _declared(tree)
        case "assignment":
            return [stan.Assigned(expression(parts[0]), str(parts[1]), expression(parts[2]), span=span)]
        case "tilde":
            return [_drawn(tree)]
        case "increment":
            return [stan.Increment(expression(parts[-1]), span=span)]
        case "for_loop":
            var, lower, upper, body = parts
            return [stan.For(str(var), expression(lower), expression(upper), _body(body), span=span)]
        case "choice":
            no = _body(parts[2]) if len(parts) > 2 else ()
            return [stan.Choice(expression(parts[0]), _body(parts[1]), no, span=span)]
        case "block":
            return [stan.Block(statements(parts), span=span)]
        case "profile":
            return [stan.Block(statements([p for p in parts if isinstance(p, Tree)]), span=span)]
        case "result":
            return [stan.Result(expression(parts[0]) if parts else None, span=span)]
        case "call_statement":
            return [stan.Other(str(parts[0].children[0]), span=span)]
        case "nothing_done":
            return []
        case kind:
            return [stan.Other({"while_loop": "while", "for_each": "foreach"}.get(kind, kind), span=span)]


def _body(tree: Tree) -> tuple[stan.Statement, ...]:
    """What a loop or a choice holds, its braces taken off."""
    return statements(tree.children) if tree.data == "block" else statements([tree])


def _declared(tree: Tree) -> list[stan.Statement]:
    kind, *names = tree.children
    at = next(i for i, c in enumerate(kind.children) if isinstance(c, Token) and c.type == "BASE")
    bounds = tuple((str(c.children[0]), expression(c.children[1])) for c in kind.children if _is(c, "constraint"))
    front = tuple(expression(c) for c in kind.children[:at])
    behind = tuple(expression(c) for c in kind.children[at + 1 :] if not _is(c, "constraint"))
    out: list[stan.Statement] = []
    for one in names:
        old = tuple(expression(c) for c in one.children[1:] if not _is(c, "start"))
        value = next((expression(c.children[0]) for c in one.children if _is(c, "start")), None)
        whole = _span(tree) if len(names) == 1 else _span(one)
        out.append(stan.Declared(str(one.children[0]), str(kind.children[at]), front + old, behind, bounds, value, span=whole))
    return out


def _is(node: Any, kind: str) -> bool:
    return isinstance(node, Tree) and node.data == kind


def _drawn(tree: Tree) -> stan.Drawn:
    left, name, *rest = tree.children
    args = tuple(expression(c) for c in rest if not _is(c, "truncation"))
    cut = next((c for c in rest if _is(c, "truncation")), None)
    sides = None
    if cut is not None:
        found = {str(c.data): expression(c.children[0]) for c in _trees(cut)}
        sides = (found.get("lower_bound"), found.get("upper_bound"))
    return stan.Drawn(expression(left), str(name), args, sides, span=_span(tree))


# ---------------------------------------------------------------- expressions


def expression(tree: Tree) -> stan.Expr:
    span, parts, kind = _span(tree), tree.children, str(tree.data)
    if kind in OPERATIONS:
        return stan.Operation(str(parts[1]), (expression(parts[0]), expression(parts[2])), span)
    match kind:
        case "number":
            return stan.Number(str(parts[0]), span)
        case "name":
            return stan.Name(str(parts[0]), span)
        case "string":
            return stan.Name("a string", span)
        case "ternary":
            return stan.Operation("?", tuple(map(expression, parts)), span)
        case "sign":
            return stan.Operation(str(parts[0]), (expression(parts[1]),), span)
        case "transposed":
            return stan.Operation("'", (expression(parts[0]),), span)
        case "parentheses":
            return expression(parts[0])
        case "call":
            return _call(tree)
        case "subscript":
            return stan.Index(expression(parts[0]), tuple(_index(i) for i in parts[1].children), span)
    return stan.Items(tuple(map(expression, parts)), span)


def _call(tree: Tree) -> stan.Call:
    name, *args = tree.children
    plain = [expression(a) for a in args if not _is(a, "given")]
    given = [expression(a) for g in args if _is(g, "given") for a in g.children]
    return stan.Call(str(name), (*plain, *given), _span(tree))


def _index(tree: Tree) -> stan.Expr | stan.Range:
    sides = {
        "range_from": lambda: (expression(tree.children[0]), expression(tree.children[1]) if len(tree.children) > 1 else None),
        "range_to": lambda: (None, expression(tree.children[0])),
        "whole": lambda: (None, None),
    }.get(str(tree.data))
    return expression(tree) if sides is None else stan.Range(*sides(), _span(tree))
