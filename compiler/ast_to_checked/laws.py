"""Distributions defined in the program: each becomes a row of the table, and its log density a checked expression."""

from __future__ import annotations

from dataclasses import replace

from emfppl.compiler.ast_to_checked import declared, functions, names
from emfppl.compiler.ast_to_checked.context import Context, Env
from emfppl.compiler.distributions import COUNT, POSITIVE, REAL, UNIT, WHOLE, Distribution, Parameter
from emfppl.compiler.expressions import Expr, Kind, Ref, Type
from emfppl.compiler.graph import UserDistribution
from emfppl.grammar import ast_nodes as ast

KINDS = {"real": REAL, "positive": POSITIVE, "nonnegative": REAL, "unit": UNIT, "circular": REAL, "int": WHOLE, "count": COUNT,
         "bool": COUNT}  # fmt: skip
SUPPORTS = {"real": "real", "positive": "positive", "nonnegative": "nonnegative", "unit": "unit", "circular": "circular",
            "int": "integer", "count": "count", "bool": "bool"}  # fmt: skip


def declare_laws(c: Context) -> None:
    """Enter the program's distributions into the table."""
    rows = [_row(c, info.node) for info in c.functions.values() if info.node.law]
    c.table = c.table.extended(*(r for r in rows if r is not None))


def _row(c: Context, node: ast.Function) -> Distribution | None:
    """The row of a definition; None, and the definition is broken, where it can't be one."""
    fine = [_fits(c, node, arg, first=n == 0) for n, arg in enumerate(node.args)]
    if not node.args:
        hint = f"write distribution {node.name}(x: real) {{ … }}"
        c.error("E0511", f"`{node.name}` has no variable: its first argument is what it draws.", node.name_span, hint)
    support = _support(c, node) if node.args and all(fine) else None
    if support is None:
        c.functions[node.name].broken = True
        return None
    parameters = tuple(_parameter(arg) for arg in node.args[1:])
    discrete = SUPPORTS[_type_name(node.args[0])] in ("integer", "count", "bool")
    return Distribution(node.name, (parameters,), support, discrete=discrete, written=True)


def _type_name(arg: ast.FunctionArgument) -> str:
    return "real" if arg.type is None else arg.type.name


def _fits(c: Context, node: ast.Function, arg: ast.FunctionArgument, first: bool) -> bool:
    """Whether an argument is a single number, with a name of its own."""
    if [a.name for a in node.args].count(arg.name) > 1:
        c.error("E0203", f"The distribution `{node.name}` has two arguments named `{arg.name}`.", arg.span)
        return False
    if names.taken(c, arg.name):
        c.error("E0204", f"`{arg.name}` is {names.taken(c, arg.name)}; it can't name an argument.", arg.span)
        return False
    if first and arg.default is not None:
        c.error("E0511", f"`{arg.name}` is what `{node.name}` draws; it has no default.", arg.default.span, "leave the default out")
        return False
    if arg.dims or _type_name(arg) not in KINDS:
        what = f"what `{node.name}` draws" if first else f"an argument of `{node.name}`"
        message = f"`{arg.name}`, {what}, is not a single number; distributions of your own are over single numbers."
        c.error("E0511", message, arg.span, "for a vector or a matrix write its log density as a factor")
        return False
    if not first and arg.default is not None and not isinstance(_constant(arg.default), float):
        c.error("E0511", f"The default of `{arg.name}` is a number.", arg.default.span, "write a number, such as 1")
        return False
    return True


def _constant(node: ast.Expr) -> float | None:
    if isinstance(node, ast.Unary) and node.op == "-":
        inner = _constant(node.operand)
        return None if inner is None else -inner
    return float(node.text) if isinstance(node, ast.Number) else None


def _parameter(arg: ast.FunctionArgument) -> Parameter:
    default = None if arg.default is None else _constant(arg.default)
    return Parameter(arg.name, KINDS[_type_name(arg)], default=default, required=default is None)


def _support(c: Context, node: ast.Function) -> str | None:
    """The support as the table names it; bounds are names of arguments, or numbers."""
    kind = node.args[0].type
    name = _type_name(node.args[0])
    if kind is None or not kind.args:
        return SUPPORTS[name]
    given: dict[str, str] = {}
    known = {a.name for a in node.args[1:]}
    for position, arg in enumerate(kind.args):
        bound = arg.value.id if isinstance(arg.value, ast.Name) and arg.value.id in known else _number(arg.value)
        if bound is None:
            message = f"A bound of what `{node.name}` draws is a number or one of its arguments; `{c.text(arg.value)}` is neither."
            return c.error("E0511", message, arg.span, f"name an argument, such as {next(iter(known), 'high')}")
        given[arg.name or ("lower", "upper")[min(position, 1)]] = bound
    low, high = given.get("lower"), given.get("upper")
    if name == "int":
        return _whole(c, node, low, high)
    if low is not None and high is not None:
        return f"interval({low}, {high})"
    return f"above({low})" if low is not None else f"below({high})"


def _whole(c: Context, node: ast.Function, low: str | None, high: str | None) -> str | None:
    if low == "0" and high is None:
        return "count"
    if low is None or high is None:
        return c.error("E0511", "Whole numbers are bounded on both sides, or count.", node.args[0].span, "write int(lower, upper)")
    return f"whole({low}, {high})"


def _number(node: ast.Expr) -> str | None:
    value = _constant(node)
    return None if value is None else f"{value:g}"


# ---------------------------------------------------------------- densities


def check_laws(c: Context) -> None:
    """Check the log densities of the program's distributions, their arguments standing for any values."""
    for info in c.functions.values():
        if info.node.law and not info.broken:
            found = _density(c, info.node)
            if found is not None:
                c.laws[info.node.name] = found


def _density(c: Context, node: ast.Function) -> UserDistribution | None:
    env = Env(function=node.name, standing=True, calls=(node.name,))
    places = {arg.name: c.fresh(arg.name) for arg in node.args}
    values: dict[str, Expr | None] = {}
    for arg in node.args:
        said = declared.declared_type(c, arg.type, 0, Env(function=node.name)) if arg.type and not arg.type.args else None
        kind = said.kind if said else (Kind.INT if _type_name(arg) == "int" else Kind.REAL)
        values[arg.name] = Ref(places[arg.name], (), Type(kind), arg.span)
    value = functions.body(c, node, replace(env, locals=values))
    row = c.table.get(node.name)
    if value is None or row is None:
        return None
    if value.type.kind is Kind.BOOL:
        message = f"`{node.name}` returns a condition; a distribution returns its log density, a number."
        return c.error("E0511", message, node.body[-1].span, "write if(condition, log density, -inf)")
    first, *others = places.items()
    return UserDistribution(row, first[1], tuple(others), value)


def faulty(c: Context, name: str) -> bool:
    """Whether a name is that of a distribution of the program that was found faulty: nothing more is said of its uses."""
    info = c.functions.get(name)
    return info is not None and info.node.law and c.table.get(name) is None
