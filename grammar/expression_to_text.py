"""Expressions as text: as few parentheses as keep the tree, and line breaks where a line would be too long."""

from __future__ import annotations

from emfppl.grammar import ast_nodes as ast

WIDTH = 100
INDENT = "  "
OR, AND, NOT, COMPARISON, SUM, PRODUCT, SIGN, POWER, POSTFIX, ATOM = range(10)  # how tightly a form binds
LEVEL = {
    "or": OR, "and": AND, **dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), COMPARISON), "+": SUM, "-": SUM,
    **dict.fromkeys(("*", "/", "//", "%", "@"), PRODUCT), "^": POWER, "**": POWER,
}  # fmt: skip


def level_of(node: ast.Expr) -> int:
    match node:
        case ast.Binary(op):
            return LEVEL[op]
        case ast.Unary(op):
            return NOT if op == "not" else SIGN
        case ast.Subscript():
            return POSTFIX
    return ATOM


def sides(node: ast.Binary) -> tuple[int, int]:
    """How tightly the two sides must bind to stand there without parentheses: powers group from the right, the rest
    from the left."""
    level = LEVEL[node.op]
    return (POSTFIX, SIGN) if level == POWER else (level, level + 1)


# ---------------------------------------------------------------- on one line


def text_of(node: ast.Expr, at_least: int = OR, tight: bool = False) -> str:
    """The expression on one line; `tight`: without spaces around operators, as in ``x[t-1]``."""
    inner = _plain(node, tight)
    return f"({inner})" if level_of(node) < at_least else inner


def _plain(node: ast.Expr, tight: bool) -> str:
    match node:
        case ast.Number(text):
            return text
        case ast.Bool(value):
            return "true" if value else "false"
        case ast.Name(name):
            return name
        case ast.ListLiteral(items):
            return f"[{', '.join(map(text_of, items))}]"
        case ast.Unary(op, operand):
            space = " " if op == "not" else ""
            return op + space + text_of(operand, level_of(node), tight)
        case ast.Binary(op, left, right):
            first, second = sides(node)
            space = "" if tight else " "
            return f"{text_of(left, first, tight)}{space}{op}{space}{text_of(right, second, tight)}"
        case ast.Call(func, args):
            return f"{func}({', '.join(map(argument, args))})"
        case ast.Subscript(base, indices):
            return f"{text_of(base, POSTFIX)}[{subscripts(indices)}]"


def argument(node: ast.Argument) -> str:
    return (f"{node.name} = " if node.name else "") + text_of(node.value)


def subscripts(items: tuple[ast.Expr | ast.SliceItem, ...]) -> str:
    """What stands in the brackets behind a name."""
    return ", ".join(slice_text(i) if isinstance(i, ast.SliceItem) else text_of(i, tight=_simple(i)) for i in items)


def slice_text(node: ast.SliceItem) -> str:
    """``1:``, ``t-2:t``."""
    return ":".join("" if side is None else text_of(side, tight=_simple(side)) for side in (node.lower, node.upper))


def _simple(node: ast.Expr) -> bool:
    """Whether a subscript is made of names and numbers with + - * only, and is written without spaces."""
    match node:
        case ast.Binary(op, left, right):
            return op in ("+", "-", "*") and _simple(left) and _simple(right)
        case ast.Unary(op, operand):
            return op in ("-", "+") and _simple(operand)
    return isinstance(node, ast.Name | ast.Number)


# ---------------------------------------------------------------- over several lines


def fitted(node: ast.Expr, column: int, indent: str, at_least: int = OR, enclosed: bool = False) -> str:
    """The expression starting at a column, broken inside brackets where it passes the width; further lines are indented
    by `indent` and more. `enclosed`: brackets around it are open, so that a line may end anywhere."""
    flat = text_of(node, at_least)
    if column + len(flat) <= WIDTH:
        return flat
    match node:
        case ast.Call(func, args) if args:
            return f"{func}({_rows([_argument(a, indent + INDENT) for a in args], indent)})"
        case ast.ListLiteral(items) if items:
            return f"[{_rows(_filled([text_of(i) for i in items], indent + INDENT), indent)}]"
        case ast.Binary():
            return _chain(node, indent, not enclosed or level_of(node) < at_least)
    return flat


def _rows(rows: list[str], indent: str) -> str:
    inner = "\n" + indent + INDENT
    return inner + f",{inner}".join(rows) + "\n" + indent


def _argument(node: ast.Argument, indent: str) -> str:
    head = f"{node.name} = " if node.name else ""
    return head + fitted(node.value, len(indent) + len(head) + 1, indent, enclosed=True)


def _filled(items: list[str], indent: str) -> list[str]:
    """Short items, as many in a row as there is room for."""
    rows: list[str] = []
    for item in items:
        if rows and len(indent) + len(rows[-1]) + len(item) + 3 <= WIDTH:
            rows[-1] += f", {item}"
        else:
            rows.append(item)
    return rows


def _chain(node: ast.Binary, indent: str, brackets: bool) -> str:
    """``(a + b + c)``, an operand a line, each operator in front of its operand."""
    inner = indent + INDENT if brackets else indent
    level, right = sides(node)
    rows: list[str] = []
    left: ast.Expr = node
    while isinstance(left, ast.Binary) and (left is node or LEVEL[left.op] == level):
        rows.append(f"{left.op} {fitted(left.right, len(inner) + len(left.op) + 1, inner, right, True)}")
        left = left.left
    rows.append(fitted(left, len(inner), inner, level, True))
    body = f"\n{inner}".join(reversed(rows))
    return f"(\n{inner}{body}\n{indent})" if brackets else body
