"""Which variables the statements define: over which dims, from which pieces, and where a target points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from emfppl.compiler.ast_to_checked import dims, extents, loops, names, subscripts
from emfppl.compiler.ast_to_checked.context import Context, Env, VariableInfo
from emfppl.compiler.ast_to_checked.loops import Placed
from emfppl.compiler.expressions import At, Axis, Gather, Whole
from emfppl.compiler.graph import Role, Target
from emfppl.compiler.sizes import Size
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.words import plural

# ---------------------------------------------------------------- which variables there are


def declare_targets(c: Context, program: ast.Program) -> None:
    """Enter every variable that a `~` or `=` defines, with its dims from all of its pieces."""
    pieces: dict[str, list[Placed]] = {}
    for one in loops.placed(program.statements):
        if isinstance(one.node, ast.Random | ast.Assign):
            pieces.setdefault(one.node.target.name, []).append(one)
    for name, mine in pieces.items():
        _declare(c, name, mine)


def _declare(c: Context, name: str, pieces: list[Placed]) -> None:
    first = _statement(pieces[0]).target
    known = c.variables.get(name)
    if known is not None:
        _declared_before(c, known, pieces)
        return
    what = names.taken(c, name) or (
        "a dim" if name in c.dims else "a function" if name in c.functions else "a model" if name in c.models else None
    )
    if what is not None or name.endswith("'"):
        c.error(
            "E0204",
            f"`{name}` is {what or 'the name of a second axis'}; it can't name a variable.",
            first.name_span,
            f"choose another, such as {name}_",
        )
        c.variables.setdefault(name, VariableInfo(name, Role.LATENT, None, first.name_span, broken=True))
        return
    if all(_is_helper(p) for p in pieces):
        for piece in pieces:
            _declare_helper(c, name, piece)
        return
    randoms = [p for p in pieces if isinstance(p.node, ast.Random)]
    info = VariableInfo(name, Role.LATENT if randoms else Role.COMPUTED, None, first.span)
    c.variables[name] = info
    if randoms and len(randoms) < len(pieces):
        other = next(p for p in pieces if isinstance(p.node, ast.Assign))
        message = f"`{name}` is drawn with ~ in one place and set with = in another."
        hint = "give the fixed part a name of its own, and draw the rest from it"
        c.error(
            "E0804",
            message,
            _statement(other).target.span,
            hint,
            [(_statement(randoms[0]).target.span, "drawn here")],
        )
        info.incomplete = True
    info.dims = _infer(c, name, pieces)
    info.broken = info.dims is None


def _statement(piece: Placed) -> ast.Random | ast.Assign:
    assert isinstance(piece.node, ast.Random | ast.Assign)
    return piece.node


def _declared_before(c: Context, known: VariableInfo, pieces: list[Placed]) -> None:
    """A target that is data is observed; nothing else may set data or params."""
    for piece in pieces:
        node = _statement(piece)
        if known.role in (Role.DATA, Role.OBSERVED) and isinstance(node, ast.Random):
            known.role = Role.OBSERVED
            continue
        word = "a param" if known.role is Role.PARAM else "data"
        hint = (
            "give the new value a new name"
            if isinstance(node, ast.Assign)
            else "give it a prior with data below, not with ~ on a param"
        )
        c.error(
            "E0203",
            f"`{known.name}` is {word}; it can't be set here.",
            node.target.name_span,
            hint,
            [(known.span, "declared here")],
        )


def _is_helper(piece: Placed) -> bool:
    """A computed name inside loops without any loop variable in its subscripts."""
    if not piece.around or not isinstance(piece.node, ast.Assign):
        return False
    around = tuple(f.var for f in piece.around)
    return not any(loops.loops_in(i, around) for i in piece.node.target.indices)


def _declare_helper(c: Context, name: str, piece: Placed) -> None:
    """A helper lives in one round of its loops: in the graph it is an array over them."""
    node, home = _statement(piece), id(piece.around[-1])
    mine = c.helpers.setdefault(home, {})
    outer = next((c.helpers[id(f)][name] for f in piece.around if name in c.helpers.get(id(f), {})), None)
    if outer is not None:
        c.error(
            "E0203",
            f"`{name}` already has a value in this loop.",
            node.target.name_span,
            "give the new value a new name",
            [(outer.span, "set here")],
        )
        outer.incomplete = True
        return
    other = names.helper_home(c, name)
    env = loops.env_of(c, piece.around)
    labels = _unique(tuple(loop.axis_label for loop in env.loops))
    info = VariableInfo(
        name, Role.COMPUTED, None, node.target.span, loops=tuple(loop.label for loop in env.loops), local=True
    )
    info.graph_name = c.fresh(name) if other is not None else name
    own = _infer(c, name, [piece]) if node.target.indices else ()
    if own is not None and len(env.loops) == len(piece.around):
        info.dims = _unique((*labels, *own))
    info.broken = info.dims is None
    mine[name] = info


def _unique(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Labels with primes added until no two are equal; later ones change."""
    out: list[str] = []
    for label in labels:
        while label in out:
            label += "'"
        out.append(label)
    return tuple(out)


# ---------------------------------------------------------------- over which dims


def _infer(c: Context, name: str, pieces: list[Placed]) -> tuple[str, ...] | None:
    """The dims of a variable from the subscripts of all its pieces."""
    counts = [len(_statement(p).target.indices) for p in pieces]
    if len(set(counts)) > 1:
        other = next(p for p, n in zip(pieces, counts, strict=True) if n != counts[0])
        first, node = _statement(pieces[0]).target, _statement(other).target
        message = (
            f"`{name}` has {plural(counts[0], 'subscript')} in one place and "
            f"{len(node.indices)} in another."
        )
        hint = f"write all dims of `{name}` wherever it is defined"
        return c.error("E0305", message, node.span, hint, [(first.span, "the other place")])
    out: list[tuple[str, bool]] = []
    for position in range(counts[0]):
        label = _infer_one(c, name, pieces, position)
        if label is None:
            return None
        out.append(label)
    labels = [label for label, _ in out]
    twice = next((n for n, (label, said) in enumerate(out) if said and label in labels[:n]), None)
    if twice is not None:
        item = _statement(pieces[0]).target.indices[twice]
        message = f"`{name}` has the dim `{labels[twice]}` twice; its axes could not be told apart."
        return c.error("E0307", message, item.span, f"prime the second: {labels[twice]} and {labels[twice]}'")
    return _unique(tuple(labels))


def _infer_one(c: Context, name: str, pieces: list[Placed], position: int) -> tuple[str, bool] | None:
    """The label of one position, and whether a piece says it by name."""
    found: list[tuple[int, str, ast.Expr | ast.SliceItem]] = []
    poisoned = False
    for piece in pieces:
        item = _statement(piece).target.indices[position]
        env = loops.env_of(c, piece.around)
        label, weight = _label_said(c, item, env)
        poisoned = poisoned or (label is None and bool(loops.loops_in(item, tuple(env.locals))))
        if label is not None:
            found.append((weight, label, item))
    found.sort(key=lambda f: f[0])
    if poisoned:
        return None
    if not found:
        reached = extents.dim_reached(c, [(_statement(p).target.indices[position], loops.env_of(c, p.around)) for p in pieces])
        return (reached, False) if reached is not None else _nothing_said(c, name, pieces, position)
    weight, label, _ = found[0]
    for other_weight, other, item in found[1:]:
        if other.rstrip("'") != label.rstrip("'") and other_weight <= 1:
            where = f"the {subscripts.ordinal(position)} subscript of `{name}`"
            message = f"`{c.text(item)}` makes {where} run over `{other}`; elsewhere it runs over `{label}`."
            return c.error(
                "E0305",
                message,
                item.span,
                "a variable has the same dims wherever it is defined",
                [(found[0][2].span, "elsewhere")],
            )
    return label, weight == 0


def _label_said(c: Context, item: ast.Expr | ast.SliceItem, env: Env) -> tuple[str | None, int]:
    """The label that a subscript of a target says; 0: by name, 1: by a plain loop variable, 2: by one with
    an offset."""
    if isinstance(item, ast.SliceItem):
        return None, 0
    named = subscripts.named_dim(c, item, env)
    if named is not None:
        return named[0], 0
    found = dims.affine(c, item, env)
    loop = env.loop(found.loop) if found is not None and found.loop is not None else None
    if found is None or loop is None or found.scale != 1:
        return None, 0
    return loop.axis_label, 1 if found.offset == Size() else 2


def _nothing_said(c: Context, name: str, pieces: list[Placed], position: int) -> Any:
    target = _statement(pieces[0]).target
    item, around = target.indices[position], tuple(f.var for f in pieces[0].around)
    if around and not any(loops.loops_in(i, around) for i in target.indices):
        return _again(c, target, name, loops.env_of(c, pieces[0].around), around[-1], "~", "drawn")
    if isinstance(item, ast.Name | ast.Subscript) and _base(item) in c.variables:
        return _gathered(c, item)
    if isinstance(item, ast.Name) and not any(f.var == item.id for f in pieces[0].around):
        hint = dims.near(item.id, c.dims.sizes) or f"declare it: dim {item.id}"
        return c.error("E0205", f"There is no dim named `{item.id}`.", item.span, hint)
    message = f"Nothing says over which dim the {subscripts.ordinal(position)} subscript of `{name}` runs."
    hint = f"define some of it by dim, such as {name}[time] ~ … or for t in time[1:] {{ {name}[t] ~ … }}"
    found = None if isinstance(item, ast.SliceItem) else dims.affine(c, item, loops.env_of(c, pieces[0].around))
    if found is not None and found.loop is not None and found.scale > 1:
        loop = loops.env_of(c, pieces[0].around).loop(found.loop)
        hint = f"give a dim the size that it reaches to: dim NAME = {found.scale} * {loop.dim if loop else 'dim'}"
    return c.error("E0305", message, item.span, hint)


# ---------------------------------------------------------------- where a target points


def resolve(c: Context, target: ast.Target, info: VariableInfo, env: Env, random: bool) -> Target | None:
    """The rectangle that a target names."""
    if info.dims is None:
        return None
    outer = tuple(At(loop, 1, Size()) for loop in info.loops)
    axes = tuple(Axis.whole(d) for d in info.dims[len(outer) :])
    found = subscripts.resolve(c, target.indices, axes, env, info.name, target.span)
    if found is None:
        return None
    for item, index, axis in zip(target.indices, found[0], axes, strict=False):
        if not _points(c, item, index, axis, info):
            return None
    indices = (*outer, *(i for i in found[0] if not isinstance(i, Gather)))
    if not _every_round(c, target, info, indices, env, random):
        return None
    return Target(info.graph_name or info.name, indices)


def _points(
    c: Context, item: ast.Expr | ast.SliceItem, index: At | Whole | Gather, axis: Axis, info: VariableInfo
) -> bool:
    if isinstance(index, Gather):
        _gathered(c, item)
        return False
    if isinstance(index, Whole) and index.axis.label != axis.label:
        message = f"`{info.name}` is over `{axis.label}` here, not `{index.axis.label}`."
        c.error("E0303", message, item.span, f"write {axis.label}")
        return False
    return True


def _base(item: ast.Expr | ast.SliceItem) -> str:
    inner = item.base if isinstance(item, ast.Subscript) else item
    return inner.id if isinstance(inner, ast.Name) else ""


def _gathered(c: Context, item: ast.Expr | ast.SliceItem) -> None:
    message = (
        f"`{c.text(item)}` can't be a subscript on the left: what it defines is not known before the data."
    )
    hint = "on the left stand dims, slices, numbers and loop variables; gather on the right instead"
    c.error("E0607", message, item.span, hint)


def _again(c: Context, target: ast.Target, name: str, env: Env, label: str, sign: str, verb: str) -> None:
    """Say that a statement in a loop defines the same place in every round."""
    rest = [c.text(i) for i in target.indices if c.text(i) not in [loop.label for loop in env.loops]]
    rest = [r for r in rest if not r.lstrip("-").isdigit()]
    inside = ", ".join([*(loop.label for loop in env.loops), *rest])
    message = f"`{c.text(target) or name}` is {verb} again in every round of the loop over `{label}`."
    c.error("E0604", message, target.span, f"write {name}[{inside}] {sign} …, or move it out of the loop")


def _every_round(
    c: Context, target: ast.Target, info: VariableInfo, indices: Sequence[At | Whole], env: Env, random: bool
) -> bool:
    """Whether each round of each loop around defines a place of its own."""
    used = [i.loop for i in indices if isinstance(i, At) and i.loop is not None]
    for loop in env.loops:
        if used.count(loop.label) == 1:
            continue
        if loop.label in used:
            message = (
                f"`{loop.label}` stands twice on the left; only a diagonal of `{info.name}` would be defined."
            )
            c.error("E0607", message, target.span, "use two loops, or diag(…) for a diagonal matrix")
            return False
        verb = "observed" if info.role is Role.OBSERVED else "drawn" if random else "set"
        _again(c, target, info.name, env, loop.label, "~" if random else "=", verb)
        return False
    return True
