"""What is known: data and params as declared, and whether observed data suit their distribution."""

from __future__ import annotations

from emfppl.compiler.ast_to_checked import constants, declared, dims, dists
from emfppl.compiler.ast_to_checked.context import Context, Env, VariableInfo
from emfppl.compiler.expressions import Axis, Kind, walk
from emfppl.compiler.expressions import Ref as Reference
from emfppl.compiler.graph import Integers, Interval, Role, Structured
from emfppl.compiler.supports import DeclaredType, limits
from emfppl.grammar import ast_nodes as ast

# ---------------------------------------------------------------- declarations


def declare(c: Context, program: ast.Program) -> None:
    """Enter data and params; their types follow once all names are known."""
    nodes = [s for s in program.statements if isinstance(s, ast.Data | ast.Param)]
    for node in nodes:
        if node.name in c.variables or node.name in c.functions or node.name in c.dims:
            continue
        role = Role.DATA if isinstance(node, ast.Data) else Role.PARAM
        c.variables[node.name] = VariableInfo(node.name, role, None, node.name_span, broken=True)
    for node in nodes:
        info = c.variables.get(node.name)
        if info is not None and info.span == node.name_span:
            _fill(c, node, info)


def _fill(c: Context, node: ast.Data | ast.Param, info: VariableInfo) -> None:
    info.dims = dims.declared_dims(c, node.name, node.dims, Env())
    before = len(c.found)
    info.declared = declared.declared_type(c, node.type, len(node.dims), Env())
    if info.declared is None and len(c.found) == before:
        message = f"The bounds of `{node.name}` are constants; `{c.text(node.type)}` uses a variable."
        c.error("E0407", message, node.type.span, "write numbers, or leave the bounds out")
    if info.dims is None or info.declared is None or not _sound(c, node, info.declared):
        return
    info.kind, info.of, info.broken = info.declared.kind, info.declared.of, False


def constants_of(c: Context, program: ast.Program) -> None:
    """Defaults of data and starts of params, which need the sizes of dims."""
    for node in program.statements:
        if not isinstance(node, ast.Data | ast.Param):
            continue
        info = c.variables.get(node.name)
        given = node.default if isinstance(node, ast.Data) else node.start
        if (
            info is None
            or info.span != node.name_span
            or info.broken
            or info.dims is None
            or info.declared is None
            or given is None
        ):
            continue
        what = (
            f"The default of `{node.name}`" if isinstance(node, ast.Data) else f"The start of `{node.name}`"
        )
        info.default = constants.constant(c, given, info.declared, info.dims, what)


def _sound(c: Context, node: ast.Data | ast.Param, said: DeclaredType) -> bool:
    """Whether a type may stand in a declaration: no latents in bounds, params real."""
    bounds = [] if isinstance(said.support, Structured) else [said.support.lower, said.support.upper]
    for bound in bounds:
        if bound is not None and any(isinstance(e, Reference) for e in walk(bound)):
            message = f"The bounds of `{node.name}` are constants; `{said.text}` uses a variable."
            c.error("E0407", message, node.type.span, "write numbers, or leave the bounds out")
            return False
    if isinstance(node, ast.Param):
        if said.optional:
            c.error(
                "E0406", "Only data may have missing entries.", said.span, f"write {said.text.rstrip('?')}"
            )
            return False
        if said.kind is not Kind.REAL:
            message = (
                f"A param is learned by gradients and must be real; `{node.name}` is declared {said.text}."
            )
            c.error("E0705", message, said.span, "declare it real, positive, unit or real(lower, upper)")
            return False
    return True


# ---------------------------------------------------------------- observations


def agrees(
    c: Context, node: ast.Random, info: VariableInfo, typed: dists.TypedDist, said: DeclaredType | None
) -> bool:
    """Whether data of their declared type can come from a distribution."""
    if said is not None:
        hint = f"leave the type out here; it is {info.declared.text if info.declared else 'declared above'}"
        c.error(
            "E0409",
            f"The type of `{info.name}` is written where it is declared as data.",
            said.span,
            hint,
            [(info.span, "declared here")],
        )
        return False
    own = info.declared
    if own is None:
        return False
    family = typed.dist.name
    notes = [(info.span, f"declared {own.text} here")]
    head = f"`{info.name}` is declared {own.text}, but `{family}` draws"
    if family == "Flat":
        c.error(
            "E0506",
            f"`Flat` says nothing about data; `{info.name}` is data.",
            node.dist.span,
            "delete the line",
        )
        return False
    if typed.kind is Kind.INDEX:
        if own.kind is Kind.INDEX and own.of == typed.of:
            return True
        c.error("E0508", f"{head} index({typed.of}).", node.dist.span, f"declare it index({typed.of})", notes)
        return False
    if own.kind is Kind.INDEX and typed.levels is not None:
        return _as_many_levels(c, node, info, own, typed.levels, notes)
    if own.kind is Kind.INDEX:
        c.error(
            "E0508", f"{head} numbers.", node.dist.span, "declare it int or count, or use Categorical", notes
        )
        return False
    if typed.kind is not Kind.REAL and own.kind is Kind.REAL:
        kind = "bool" if typed.kind is Kind.BOOL else "count"
        drawn = "0 or 1" if typed.kind is Kind.BOOL else "whole numbers"
        c.error("E0508", f"{head} {drawn}.", node.dist.span, f"declare it {kind}", notes)
        return False
    return _ranges_meet(c, node, info, own, typed, notes)


def _as_many_levels(
    c: Context, node: ast.Random, info: VariableInfo, own: DeclaredType, levels: Axis, notes: list
) -> bool:
    """Whether ordered categories are as many as the dim that the data index is long."""
    assert own.of is not None
    if dims.same_length(c, Axis.whole(own.of), levels):
        return True
    cuts = levels.label
    message = f"`{info.name}` is declared {own.text}, but `{cuts}` is not known to be one shorter than `{own.of}`."
    hint = f"declare the dim of the cutpoints as dim {cuts if cuts != own.of else 'cut'} = {own.of} - 1"
    c.error("E0508", message, node.dist.span, hint, notes)
    return False


def _ranges_meet(
    c: Context, node: ast.Random, info: VariableInfo, own: DeclaredType, typed: dists.TypedDist, notes: list
) -> bool:
    a, b = own.support, typed.support
    if isinstance(a, Structured) or isinstance(b, Structured):
        plain = isinstance(a, Interval)
        vector = isinstance(a, Structured) and (a == b or b == Structured("real_vector"))
        if plain or vector:
            return True
        draws = b.name if isinstance(b, Structured) else "single numbers"
        c.error(
            "E0508",
            f"`{info.name}` is declared {own.text}, but `{typed.dist.name}` draws {draws}.",
            node.dist.span,
            "",
            notes,
        )
        return False
    if isinstance(a, Integers) and isinstance(b, Interval) and typed.dist.name == "rounded":
        return True
    if isinstance(a, Integers) and isinstance(b, Interval):
        c.error(
            "W0106",
            f"`{info.name}` is declared {own.text}, but `{typed.dist.name}` is continuous.",
            node.dist.span,
            "declare it real if that is meant",
        )
        return True
    (low, high), (floor, ceiling) = limits(a), limits(b)
    if _above(low, ceiling) or _above(floor, high):
        c.error(
            "E0508",
            f"No value of `{info.name}`, declared {own.text}, can come from `{typed.dist.name}`.",
            node.dist.span,
            "",
            notes,
        )
        return False
    if low is not None and floor is not None and low < floor and a.lower is None:
        better = (
            {"Integers": "count", "Interval": "positive"}[type(b).__name__] if floor == 0 else "with bounds"
        )
        better = (
            "unit"
            if ceiling == 1 and isinstance(b, Interval)
            else "bool"
            if typed.kind is Kind.BOOL
            else better
        )
        message = (
            f"`{info.name}` is declared {own.text}, but `{typed.dist.name}` gives no value below "
            f"{floor:g} a density."
        )
        c.error("W0107", message, node.dist.span, f"declare it {better}, and the data are checked")
    return True


def _above(a: float | None, b: float | None) -> bool:
    return a is not None and b is not None and a > b
