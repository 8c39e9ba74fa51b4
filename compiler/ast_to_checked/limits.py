"""What is legal but can't be done by this version: discrete latents that matter, missing entries that feed
other statements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from emfppl.compiler.ast_to_checked.context import Context
from emfppl.compiler.ast_to_checked.order import Leaf, leaf_exprs
from emfppl.compiler.checked_nodes import CheckedFactor, CheckedFor, CheckedRandom, CheckedStatement
from emfppl.compiler.expressions import Kind, Ref, walk
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
    """Discrete latents with observations below them would have to be summed out."""
    below = informed(statements)
    said: set[str] = set()
    for node in leaves(statements):
        if not isinstance(node, CheckedRandom) or node.observed or not isinstance(node.support, Integers):
            continue
        name = node.target.name
        if name in said or name not in below:
            continue
        said.add(name)
        info = c.variables.get(name)
        hint = "sum over its values by hand in a factor statement, or model it by a continuous variable"
        if info is not None and info.kind is Kind.INDEX:
            hint = "use Mixture: y[obs] ~ Mixture(weights, Normal(m, s)) in place of a draw of the component"
        elif info is not None and info.kind is Kind.BOOL:
            hint = "use Mixture over a dim of two, with weights for its two values"
        message = f"`{name}` is a discrete latent; this version can't sum it out yet."
        c.error("E0801", message, c.target_spans.get(node.span, node.span), hint)


def _missing(c: Context, statements: Sequence[CheckedStatement]) -> None:
    """Data with missing entries may be observed, but feed nothing."""
    optional = {
        n: i
        for n, i in c.variables.items()
        if i.declared is not None and i.declared.optional and not i.broken
    }
    for node in leaves(statements):
        for ref in refs(node):
            if ref.name in optional:
                info = optional[ref.name]
                message = (
                    f"`{ref.name}` may have missing entries, so nothing else can be computed from "
                    "it in this version."
                )
                hint = (
                    f"impute it first, or give it a latent of its own: {ref.name} ~ Normal(true_{ref.name}, s), "
                    f"and use true_{ref.name} here"
                )
                c.error(
                    "E0802",
                    message,
                    ref.span,
                    hint,
                    [(info.span, f"declared {info.declared.text if info.declared else ''} here")],
                )
    for info in optional.values():
        if info.role is Role.DATA:
            assert info.declared is not None
            message = f"`{info.name}` may have missing entries, but no statement says how they come about."
            plain = info.declared.text.rstrip("?")
            c.error(
                "E0406", message, info.declared.span, f"observe it ({info.name} ~ …), or declare it {plain}"
            )
