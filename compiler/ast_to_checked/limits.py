"""What is legal but can't be done by this version: discrete latents that matter, missing whole numbers that
feed other statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from emfppl.compiler.ast_to_checked.context import Context, VariableInfo
from emfppl.compiler.ast_to_checked.order import Leaf, leaf_exprs
from emfppl.compiler.checked_nodes import CheckedFactor, CheckedFor, CheckedRandom, CheckedStatement
from emfppl.compiler.expressions import Apply, Const, Expr, Kind, Ref, SizeOf, Whole, walk
from emfppl.compiler.graph import Integers, Role


def leaves(statements: Sequence[CheckedStatement]) -> Iterator[Leaf]:
    """Every statement other than a loop."""
    for s in statements:
        if isinstance(s, CheckedFor):
            yield from leaves(s.body)
        else:
            yield s


def refs(node: Leaf) -> Iterator[Ref]:
    """Every reference in a statement."""
    for expr in leaf_exprs(node):
        yield from (e for e in walk(expr) if isinstance(e, Ref))


def informed(statements: Sequence[CheckedStatement]) -> set[str]:
    """The variables with an observation or a factor below them."""
    parents: dict[str, set[str]] = {}
    found: set[str] = set()
    for node in leaves(statements):
        names = {r.name for r in refs(node)}
        if isinstance(node, CheckedFactor) or (isinstance(node, CheckedRandom) and node.observed):
            found |= names
        else:
            parents.setdefault(node.target.name, set()).update(names)
    todo = list(found)
    while todo:
        for name in parents.get(todo.pop(), set()) - found:
            found.add(name)
            todo.append(name)
    return found


def check_limits(c: Context, statements: Sequence[CheckedStatement]) -> None:
    _discrete(c, statements)
    _missing(c, statements)


def _discrete(c: Context, statements: Sequence[CheckedStatement]) -> None:
    """Discrete latents with observations below them are summed out, which takes values that can be listed."""
    below = informed(statements)
    said: set[str] = set()
    for node in leaves(statements):
        if not isinstance(node, CheckedRandom) or node.observed or not isinstance(node.support, Integers):
            continue
        name = node.target.name
        if name not in said and name in below and _endless(c, node, name):
            said.add(name)


def _endless(c: Context, node: CheckedRandom, name: str) -> bool:
    """Tell of a discrete variable whose values can't be listed before anything is known of the latents."""
    assert isinstance(node.support, Integers)
    where = c.target_spans.get(node.span, node.span)
    lower, upper = node.support.lower, node.support.upper
    if lower is None or upper is None:
        message = f"`{name}` is a discrete latent without a largest value, so that it can't be summed out."
        if upper is not None:
            message = f"`{name}` is a discrete latent without a smallest value, so that it can't be summed out."
        family = node.dist.name
        c.error("E0801", message, where, f"bound it: {_head(node)}: int(0, 200) ~ {family}(…)")
        return True
    for bound in (lower, upper):
        found = sorted(_unknown(c, bound))
        if found:
            message = f"The values that `{name}` may take depend on `{found[0]}`, so that they can't be listed and summed over."
            c.error("E0801", message, where, "let its bounds, or the count of a Binomial, be constants or data")
            return True
    return False


def _unknown(c: Context, bound: Expr) -> set[str]:
    """The variables that keep the largest value of a bound from being known; sums and extremes of other discrete latents don't."""
    names = {r.name for r in walk(bound) if isinstance(r, Ref)}
    unknown = {v.name for v in c.variables.values() if v.role in (Role.LATENT, Role.PARAM, Role.COMPUTED, Role.OBSERVED)}
    growing = all(e.op in ("+", "minimum", "maximum") for e in walk(bound) if isinstance(e, Apply))
    plain = all(isinstance(e, Ref | Apply | Const | SizeOf) for e in walk(bound))
    counted = {v.name for v in c.variables.values() if v.role is Role.LATENT and v.kind in (Kind.INT, Kind.BOOL)}
    return (names & unknown) - (counted if growing and plain else set())


def _head(node: CheckedRandom) -> str:
    dims = [i.axis.label for i in node.target.indices if isinstance(i, Whole)]
    return node.target.name + (f"[{', '.join(dims)}]" if dims and len(dims) == len(node.target.indices) else "")


def _missing(c: Context, statements: Sequence[CheckedStatement]) -> None:
    """Data with missing entries are observed; whole numbers among them feed nothing."""
    optional = {
        n: i
        for n, i in c.variables.items()
        if i.declared is not None and i.declared.optional and not i.broken
    }
    endless = _drawn_without_end(c, statements)
    for node in leaves(statements):
        for ref in refs(node):
            if ref.name in optional and ref.name in endless:
                _counted(c, ref, optional[ref.name])
    for info in optional.values():
        if info.role is Role.DATA:
            assert info.declared is not None
            message = f"`{info.name}` may have missing entries, but no statement says how they come about."
            plain = info.declared.text.rstrip("?")
            hint = f"observe it ({info.name} ~ …), or declare it {plain}"
            c.error("E0406", message, info.declared.span, hint)


def _drawn_without_end(c: Context, statements: Sequence[CheckedStatement]) -> set[str]:
    """The variables whose whole numbers have no bound, be it by their distribution or by their type."""
    out = set()
    for s in leaves(statements):
        if isinstance(s, CheckedRandom) and isinstance(s.support, Integers):
            declared = c.variables[s.target.name].declared if s.target.name in c.variables else None
            typed = declared.support if declared is not None else None
            bounds = [(s.support.lower, s.support.upper)]
            bounds += [(typed.lower, typed.upper)] if isinstance(typed, Integers) else []
            if any(all(pair[n] is None for pair in bounds) for n in (0, 1)):
                out.add(s.target.name)
    return out


def _counted(c: Context, ref: Ref, info: VariableInfo) -> None:
    message = f"`{ref.name}` holds whole numbers that may be missing, and as many as can't all be summed over."
    hint = f"bound them in the declaration: {info.name}: int(0, 200)?, with bounds that leave nothing probable out"
    notes = [(info.span, f"declared {info.declared.text if info.declared else ''} here")]
    c.error("E0802", message, ref.span, hint, notes)
