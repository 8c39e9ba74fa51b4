"""Ordinary differential equations: ``z[time, species] = ode(lotka_volterra, z0, 0, times, alpha, beta)``.

The function after which an equation runs is one of the user's, ``def f(t: real, z[k]: real, …)``, and returns the slopes of z, over
z's own dims. The result runs over the dim of the times and those of the state. What y0, t0, the times and the further arguments
run over besides is a batch: one equation for each point.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from emfppl.compiler.ast_to_checked import arrays, dims, inlining, types
from emfppl.compiler.ast_to_checked.constants import number_of
from emfppl.compiler.ast_to_checked.context import Context, Env, FunctionInfo, near
from emfppl.compiler.expressions import Axis, Expr, Kind, Ode, Ref, Type
from emfppl.compiler.types import describe
from emfppl.grammar import ast_nodes as ast

Place = tuple[Axis, ...] | None
OPTIONS = {"rtol": 1e-6, "atol": 1e-6, "max_steps": 4096}
LONGEST = 1_000_000
FIRST = ("y0", "t0", "times")


@dataclass(frozen=True)
class Passed:
    """One argument: its value, what the function sees in its place, and its own axes (core)."""

    value: Expr
    seen: Ref
    axes: tuple[Axis, ...]

    @property
    def core(self) -> tuple[str, ...]:
        return tuple(a.label for a in self.axes)


def ode(c: Context, node: ast.Call, env: Env, place: Place) -> Expr | None:
    """The value of ``ode(…)`` or ``ode_stiff(…)``."""
    options = _options(c, node)
    args = [a for a in node.args if a.name not in OPTIONS]
    info = _function(c, node, args, env)
    if info is None or options is None or not _arity(c, node, args, info):
        for arg in args[1:]:
            if not isinstance(arg.value, ast.ListLiteral):
                types.type_of(c, arg.value, env)
        return None
    values = [types.type_of(c, a.value, env, place if n == 0 else None) for n, a in enumerate(args[1:])]
    given = [v for v in values if v is not None]
    if len(given) < len(values) or not _numbers(c, args, given):
        return None
    return _solved(c, node, info, args, given, options, env)


# ---------------------------------------------------------------- which argument is which


def _options(c: Context, node: ast.Call) -> dict[str, float] | None:
    """Tolerances and the largest number of steps: constants."""
    found: dict[str, float] = dict(OPTIONS)
    for arg in node.args:
        if arg.name is None:
            continue
        if arg.name not in OPTIONS:
            hint = near(arg.name, OPTIONS) or f"write {node.func}(f, y0, t0, times, …), what f takes further in its order"
            return c.error("E0704", f"`{node.func}` has no argument named `{arg.name}`.", arg.span, hint)
        value = number_of(c, arg.value)
        whole = arg.name == "max_steps"
        if value is None or isinstance(value, bool) or value <= 0 or (whole and (value > LONGEST or value != int(value))):
            wanted = f"a whole number from 1 to {LONGEST}" if whole else "a positive constant"
            return c.error("E0505", f"`{arg.name}` is {wanted}; `{c.text(arg.value)}` is none.", arg.value.span)
        found[arg.name] = value
    return found


def _function(c: Context, node: ast.Call, args: list[ast.Argument], env: Env) -> FunctionInfo | None:
    """The function of the equation."""
    if not args:
        return c.error("E0701", f"`{node.func}` takes a function, y0, t0 and the times.", node.span, _usage(node))
    name = args[0].value
    if isinstance(name, ast.Name) and name.id in c.functions:
        info = inlining.callee(c, name.id, name.span, env)
        return None if info is None or info.broken else info
    hint = "define it: def f(t: real, y[k]: real): real { return … }, and write ode(f, …)"
    if isinstance(name, ast.Name):
        hint = near(name.id, c.functions) or hint
    elif isinstance(name, ast.Call) and name.func in c.functions:
        hint = f"write its name only, and what it is passed behind the times: {node.func}({name.func}, y0, t0, times, …)"
    return c.error("E0709", f"The first argument of `{node.func}` is the name of a function.", args[0].span, hint)


def _usage(node: ast.Call) -> str:
    return f"write {node.func}(f, y0, t0, times, …)"


def _arity(c: Context, node: ast.Call, args: list[ast.Argument], info: FunctionInfo) -> bool:
    """Whether the function takes t, y and what follows the times."""
    wanted, more = info.node.args, args[4:]
    name = info.node.name
    if len(args) < 4:
        c.error("E0701", f"`{node.func}` takes a function, y0, t0 and the times.", node.span, _usage(node))
        return False
    if len(wanted) < 2 or wanted[0].dims:
        message = f"The function of `{node.func}` takes the time and then the state; `{name}` does not."
        hint = f"write def {name}(t: real, y[k]: real, …): real {{ … }}"
        c.error("E0709", message, args[0].span, hint, [(info.node.name_span, "defined here")])
        return False
    least = sum(a.default is None for a in wanted[2:])
    if not least <= len(more) <= len(wanted) - 2:
        takes = ", ".join(a.name for a in wanted[2:]) or "nothing"
        message = f"Besides t and y `{name}` takes {takes}; {len(more)} {'is' if len(more) == 1 else 'are'} given here."
        c.error("E0701", message, node.span, f"write {node.func}({', '.join([name, *FIRST, *(a.name for a in wanted[2:])])})")
        return False
    return True


def _numbers(c: Context, args: list[ast.Argument], given: list[Expr]) -> bool:
    fine = [types.need_number(c, v, a.value, f"`{n}`") for v, a, n in zip(given, args[1:4], FIRST, strict=False)]
    return all(fine)


# ---------------------------------------------------------------- what runs over what


def _solved(
    c: Context,
    node: ast.Call,
    info: FunctionInfo,
    args: list[ast.Argument],
    given: list[Expr],
    options: dict[str, float],
    env: Env,
) -> Expr | None:
    start, t0, times, *more = given
    time = [a for a in times.type.axes if a.label in env.own(x.label for x in times.type.axes)][-1:]
    clock = Ref(c.fresh(info.node.args[0].name), (), Type(Kind.REAL), node.span)
    taken = inlining.Arguments({info.node.args[0].name: clock})
    passed = _passed(c, node, info, args, [start, *more], taken, env)
    if passed is None:
        return None
    state = passed[0]
    if not _apart(c, node, info, args, time, passed, [t0, times]):
        return None
    body = inlining.written_out(c, node, info, taken, env, state.axes)
    if body is None or not _slopes(c, info, body, state):
        return None
    values = (state.value, t0, times, *(p.value for p in passed[1:]))
    cores = (state.core, (), tuple(a.label for a in time), *(p.core for p in passed[1:]))
    batch = arrays.batch_axes(c, list(values), list(cores), node)
    if batch is None:
        return None
    return Ode(
        values,
        cores,
        (clock.name, *(p.seen.name for p in passed)),
        ((), *(p.axes for p in passed)),
        body,
        node.func == "ode_stiff",
        float(options["rtol"]),
        float(options["atol"]),
        int(options["max_steps"]),
        Type(Kind.REAL, (*batch, *time, *state.axes)),
        node.span,
    )


def _passed(
    c: Context,
    node: ast.Call,
    info: FunctionInfo,
    args: list[ast.Argument],
    given: list[Expr],
    taken: inlining.Arguments,
    env: Env,
) -> list[Passed] | None:
    """The state and what follows the times, as the function declares them; defaults for those left out."""
    called = replace(node, func=info.node.name)
    out: list[Passed] = []
    for n, wanted in enumerate(info.node.args[1:]):
        value: Expr | None = given[n] if n < len(given) else types.type_of(c, wanted.default, Env())  # type: ignore[arg-type]
        if value is not None:
            span = args[1].span if n == 0 else args[3 + n].span if n < len(given) else wanted.span
            value = inlining.taken_as(c, called, wanted, replace(value, span=span), taken)
        if value is None:
            return None
        labels = [inlining.bound_label(d.name, taken.labels) for d in wanted.dims]
        axes = tuple(a for label in labels for a in value.type.axes if a.label == label)
        kind = Type(value.type.kind if n else Kind.REAL, axes, value.type.of)
        one = Passed(value, Ref(c.fresh(wanted.name), (), kind, span), axes)
        taken.values[wanted.name] = one.seen
        out.append(one)
    return out


def _apart(
    c: Context,
    node: ast.Call,
    info: FunctionInfo,
    args: list[ast.Argument],
    time: list[Axis],
    passed: list[Passed],
    others: list[Expr],
) -> bool:
    """Whether the dims of the times and of the state are no batch of anything else."""
    state, times = passed[0], {a.label for a in time}
    if set(state.core) & times:
        message = f"The times and the state both run over `{next(iter(times))}`."
        c.error("E0709", message, args[3].span, "give the times a dim of their own")
        return False
    own = [(others[0], (), "t0", 2), (others[1], tuple(times), "times", 3), (state.value, state.core, "y0", 1)]
    own += [(p.value, p.core, a.name, 4 + n) for n, (p, a) in enumerate(zip(passed[1:], info.node.args[2:], strict=True))]
    for value, core, name, position in own:
        stray = next((a.label for a in value.type.axes if a.label not in core and a.label in {*times, *state.core}), None)
        if stray is not None:
            what = "the times" if stray in times else "the state"
            message = f"`{name}` runs over `{stray}`, the dim of {what}; this is {describe(value.type)}."
            hint = f"for the function to have all of it declare {name}[k] in `{info.node.name}`" if position > 3 else ""
            c.error("E0709", message, args[position].span if position < len(args) else node.span, hint)
            return False
    return True


def _slopes(c: Context, info: FunctionInfo, body: Expr, state: Passed) -> bool:
    """Whether the function returns what has the axes of the state."""
    have = [a.label for a in body.type.axes]
    if sorted(have) == sorted(state.core) and all(
        dims.same_length(c, a, b) for a in body.type.axes for b in state.axes if a.label == b.label
    ):
        return True
    message = (
        f"`{info.node.name}` gives the slopes of its state, which is {dims.dims_text(state.core)}; what it returns is "
        f"{dims.dims_text(have)}."
    )
    hint = "return a list, one slope for each entry: return [a, b]" if not have else ""
    c.error("E0709", message, info.node.body[-1].span, hint)
    return False
