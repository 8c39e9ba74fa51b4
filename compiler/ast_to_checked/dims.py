"""Which dims and ranges are meant: sizes, labels, slices, and how axes line up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from emfppl.compiler import trees
from emfppl.compiler.ast_to_checked import quotients
from emfppl.compiler.ast_to_checked.context import Context, Env, listed, near
from emfppl.compiler.expressions import Axis, Expr
from emfppl.compiler.graph import Role
from emfppl.compiler.sizes import Size
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.source import Span

LONGEST = 2**31 - 1

# ---------------------------------------------------------------- sizes


def declare_dims(c: Context, program: ast.Program) -> None:
    """Fill the table of dims; sizes may use dims declared anywhere, and scalar whole-number data."""
    nodes = [
        s for s in program.statements if isinstance(s, ast.Dim) and c.dims.spans.get(s.name) == s.name_span
    ]
    for node in nodes:
        if node.size is not None and not quotients.is_quotient(node.size):
            c.dims.sizes[node.name] = size_of(c, node.size)
    quotients.declare(c, [n for n in nodes if n.size is not None and quotients.is_quotient(n.size)], size_of)
    for node in nodes:
        if _in_a_circle(c, node.name):
            c.error(
                "E0311",
                f"The size of dim `{node.name}` depends on itself.",
                node.name_span,
                "give one of these dims a number",
            )
            c.dims.sizes[node.name] = None
    for node in nodes:
        size = c.dims.sizes[node.name]
        value = None if size is None else c.dims.known(size)
        if node.size is not None and max([value or 0, *_numbers(node.size)]) > LONGEST:
            message = f"`{c.text(node.size)}` is more than any array holds."
            c.error("E0311", message, node.size.span, f"a dim has at most {LONGEST} elements")
            c.dims.sizes[node.name] = None
        elif value is not None and value < 1:
            c.error(
                "E0311", f"Dim `{node.name}` has size {value}; a dim holds at least one element.", node.span
            )
            c.dims.sizes[node.name] = None


def _numbers(node: ast.Expr) -> list[int]:
    """The whole numbers in a size."""
    return [int(n.text) for n in trees.walk(node) if isinstance(n, ast.Number) and n.is_int]


def _in_a_circle(c: Context, name: str) -> bool:
    seen: set[str] = set()
    todo = [name]
    while todo:
        size = c.dims.sizes.get(todo.pop())
        for dim in size.dims if size is not None else ():
            if dim == name:
                return True
            if dim not in seen:
                seen.add(dim)
                todo.append(dim)
    return False


def size_of(c: Context, node: ast.Expr) -> Size | None:
    """A size as written behind ``dim NAME =``."""
    match node:
        case ast.Number():
            if node.is_int:
                return Size.const(int(node.text))
            return c.error("E0311", f"The size of a dim is a whole number, not {node.text}.", node.span)
        case ast.Name(name):
            return _size_name(c, name, node.span)
        case ast.Unary("-" | "+" as op, operand):
            inner = size_of(c, operand)
            return None if inner is None else -inner if op == "-" else inner
        case ast.Binary("+" | "-" | "*" as op, left, right):
            a, b = size_of(c, left), size_of(c, right)
            if a is None or b is None:
                return None
            return a + b if op == "+" else a - b if op == "-" else a * b
    hint = "use whole numbers, other dims, +, - and *; / by a whole number stands alone: dim half = all / 2"
    return c.error("E0311", f"`{c.text(node)}` can't be the size of a dim.", node.span, hint)


def _size_name(c: Context, name: str, span: Span) -> Size | None:
    if name in c.dims:
        c.used_dims.add(name.rstrip("'"))
        return Size.of(name)
    info = c.variables.get(name)
    if info is None:
        hint = (
            near(name, c.dims.sizes)
            or "sizes are made of numbers, dims, and scalar data of type int or count"
        )
        return c.error("E0205", f"There is no dim named `{name}`.", span, hint)
    declared = info.declared
    if (
        info.role is not Role.DATA
        or info.dims
        or declared is None
        or declared.text.split("(")[0] not in ("int", "count")
    ):
        hint = "the size of a dim is made of numbers, dims, and scalar data of type int or count"
        return c.error("E0311", f"`{name}` can't be the size of a dim.", span, hint)
    c.dims.numbers.add(name)
    c.used.add(name)
    return Size.of(name)


# ---------------------------------------------------------------- labels


def label_of(c: Context, name: str, env: Env) -> str | None:
    """The axis label that a name stands for, if it names a dim here (inside a function: one of its own
    dims, first)."""
    base = name.rstrip("'")
    if name in env.labels:
        return env.labels[name]
    if base in env.labels:
        return env.labels[base] + name[len(base) :]
    if name in env.locals or env.loop(name) or name not in c.dims:
        return None
    c.used_dims.add(base)
    return name


def need_label(c: Context, ref: ast.DimRef, env: Env) -> str | None:
    """The label of a dim in a declaration or the head of a loop."""
    label = label_of(c, ref.name, env)
    if label is not None:
        return label
    if ref.name in c.variables or env.loop(ref.name):
        return c.error(
            "E0205", f"`{ref.name}` is not a dim.", ref.span, "brackets of a declaration hold names of dims"
        )
    hint = near(ref.name, c.dims.sizes) or f"declare it: dim {ref.name}"
    return c.error("E0205", f"There is no dim named `{ref.name}`.", ref.span, hint)


def declared_dims(c: Context, name: str, refs: Sequence[ast.DimRef], env: Env) -> tuple[str, ...] | None:
    """The labels of ``NAME[a, b]`` in a declaration."""
    labels: list[str] = []
    fine = True
    for ref in refs:
        label = need_label(c, ref, env)
        if label is None:
            fine = False
        elif ref.bounds is not None:
            hint = f"declare a dim of that size, such as dim {ref.name}2 = {ref.name} - 1"
            c.error(
                "E0312", f"`{name}` is declared over a slice; a declaration takes whole dims.", ref.span, hint
            )
            fine = False
        elif label in labels:
            message = f"`{name}` has the dim `{label}` twice; its axes could not be told apart."
            c.error("E0307", message, ref.span, f"prime the second: {name}[{label}, {label}']")
            fine = False
        else:
            labels.append(label)
    return tuple(labels) if fine else None


# ---------------------------------------------------------------- numbers known before data: a + b * t


@dataclass(frozen=True, slots=True)
class Affine:
    """``scale * loop + offset``."""

    loop: str | None
    scale: int
    offset: Size


def affine(c: Context, node: ast.Expr, env: Env) -> Affine | None:
    """The expression as ``scale * t + offset`` with whole numbers and sizes of dims, if it is one."""
    match node:
        case ast.Number() if node.is_int:
            return Affine(None, 0, Size.const(int(node.text)))
        case ast.Name(name):
            if name not in env.locals and env.loop(name):
                return Affine(name, 1, Size())
            label = label_of(c, name, env)
            return None if label is None or name.endswith("'") else Affine(None, 0, env.size_of(name, label))
        case ast.Unary("-" | "+" as op, operand):
            inner = affine(c, operand, env)
            return _scaled(inner, -1) if inner and op == "-" else inner
        case ast.Binary("+" | "-" as op, left, right):
            a, b = affine(c, left, env), affine(c, right, env)
            if a is None or b is None or (a.loop and b.loop and a.loop != b.loop):
                return None
            b = _scaled(b, -1) if op == "-" else b
            scale = a.scale + b.scale
            return Affine((a.loop or b.loop) if scale else None, scale, a.offset + b.offset)
        case ast.Binary("*", left, right):
            a, b = affine(c, left, env), affine(c, right, env)
            if a is None or b is None or (a.loop and b.loop):
                return None
            a, b = (a, b) if b.loop is None else (b, a)
            if a.loop is None:
                return Affine(None, 0, a.offset * b.offset)
            return None if b.offset.value is None else _scaled(a, b.offset.value)
    return None


def _scaled(a: Affine, by: int) -> Affine:
    return Affine(a.loop if a.scale * by else None, a.scale * by, a.offset * by)


# ---------------------------------------------------------------- slices


def slice_axis(c: Context, axis: Axis, item: ast.SliceItem, env: Env, local: bool = False) -> Axis | None:
    """The part ``a:b`` of an axis; negative bounds count from its end. Positions count from the start of
    the dim, or of a local array."""
    length = axis.length if local else Size.of(axis.label)
    lower = _bound(c, item.lower, Size(), length, env)
    upper = _bound(c, item.upper, length, length, env)
    if lower is None or upper is None:
        return None
    if any(c.dims.negative(s) for s in (lower, upper, length - lower, length - upper)):
        size = c.dims.resolve(length)
        return c.error(
            "E0306",
            f"The slice `{c.text(item)}` reaches outside `{axis.label}`, which has size {size}.",
            item.span,
        )
    if c.dims.negative(upper - lower):
        message = f"The slice `{c.text(item)}` ends before it starts."
        return c.error(
            "E0306", message, item.span, "ranges are half-open and count from 0: a:b holds a, …, b - 1"
        )
    return Axis(axis.label, lower, upper)


def _bound(c: Context, node: ast.Expr | None, default: Size, length: Size, env: Env) -> Size | None:
    if node is None:
        return default
    found = affine(c, node, env)
    if found is None:
        hint = "bounds of a slice are whole numbers and sizes of dims"
        if isinstance(node, ast.Subscript):
            hint += "; for series of unequal length declare the data with ?, and let rows end early"
        return c.error(
            "E0312",
            f"`{c.text(node)}` can't bound a slice: it is not known before the data.",
            node.span,
            hint,
        )
    if found.loop is not None:
        t = found.loop
        message = f"The length of this slice changes with `{t}`; that of an axis must not depend on the loop."
        hint = f"let both ends move, such as x[{t}-3:{t}], or use a sum carried along: total[{t}] = total[{t}-1] + x[{t}-1]"
        return c.error("E0312", message, node.span, hint)
    value = found.offset.value
    return found.offset + length if value is not None and value < 0 else found.offset


# ---------------------------------------------------------------- axes side by side


def same_length(c: Context, a: Axis, b: Axis) -> bool:
    return c.dims.same(a.length, b.length)


def axis_text(axis: Axis) -> str:
    """``time`` or ``time[1:]``."""
    size = Size.of(axis.label)
    if axis.lower == Size() and axis.upper == size:
        return axis.label
    end = axis.upper.value
    upper = "" if axis.upper == size else str(end if end is not None else axis.upper)
    return f"{axis.label}[{'' if axis.lower == Size() else axis.lower}:{upper}]"


def union(c: Context, args: Iterable[Expr], span: Span) -> tuple[Axis, ...] | None:
    """The axes of an operation on several arrays: by label, those of the first first."""
    out: list[Axis] = []
    fine = True
    for arg in args:
        for axis in arg.type.axes:
            other = next((o for o in out if o.label == axis.label), None)
            if other is None:
                out.append(axis)
            elif not same_length(c, other, axis):
                message = (
                    f"`{axis_text(other)}` and `{axis_text(axis)}` differ in length: "
                    f"{c.dims.resolve(other.length)} against {c.dims.resolve(axis.length)}."
                )
                c.error(
                    "E0301", message, span, f"slice both sides to equal length, such as [{axis.label}[1:]]"
                )
                fine = False
    return tuple(out) if fine else None


def check_within(
    c: Context, value: Expr, allowed: Sequence[Axis], what: str, target: str, span: Span
) -> bool:
    """Whether every axis of a value is one of the allowed; says what is wrong otherwise."""
    fine = True
    for axis in value.type.axes:
        home = next((a for a in allowed if a.label == axis.label), None)
        if home is None:
            dims = ", ".join([*(a.label for a in allowed), axis.label])
            message = f"{what} has the dim `{axis.label}`, which `{target}` does not have."
            hint = f"write {_bare(target)}[{dims}], or reduce it: mean(…, over = {axis.label})"
            c.error("E0302", message, span, hint)
            fine = False
        elif not same_length(c, home, axis):
            message = (
                f"{what} runs over `{axis_text(axis)}` (length {c.dims.resolve(axis.length)}), "
                f"but `{target}` over `{axis_text(home)}` (length {c.dims.resolve(home.length)})."
            )
            c.error("E0301", message, span, "slice one of them so that both have the same length")
            fine = False
    return fine


def _bare(target: str) -> str:
    return target.split("[")[0]


def dims_text(labels: Sequence[str]) -> str:
    """``over school and obs`` or ``a single number``."""
    return f"over {listed(labels)}" if labels else "a single number"
