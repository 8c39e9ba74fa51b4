"""Whether everything is defined once, wholly, and before it is used.

The program is run in thought: every free dim gets a small size, every execution of a statement a time stamp,
and every element of a variable the stamp at which it is defined. A use is fine if all elements it reads carry
earlier stamps. Bounds and subscripts are linear, so what holds at one size holds at all but the smallest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from emfppl.compiler.ast_to_checked import windows
from emfppl.compiler.ast_to_checked.context import Context, VariableInfo
from emfppl.compiler.ast_to_checked.trial_sizes import Leaf, leaf_exprs, trial_sizes
from emfppl.compiler.checked_nodes import (
    CheckedFactor,
    CheckedFor,
    CheckedRandom,
    CheckedStatement,
)
from emfppl.compiler.expressions import At, Gather, Index, Positions, Ref, Whole, walk
from emfppl.compiler.graph import Role
from emfppl.compiler.sizes import Size
from emfppl.grammar.source import Span

NEVER = np.iinfo(np.int64).max
LARGEST = 2_000_000  # elements or rounds beyond which nothing is run in thought
FARTHEST = 2**40

@dataclass(frozen=True, slots=True)
class Round:
    """A loop around a statement: its rounds, and how much later each is than the one before."""

    label: str
    dim: str
    start: int
    count: int
    stride: int


@dataclass(frozen=True, slots=True)
class Event:
    """One statement and when it happens: ``base + Σ stride · round``."""

    node: Leaf
    loops: tuple[Round, ...]
    base: int

    def stamps(self) -> np.ndarray:
        out = np.array(self.base, np.int64)
        for n, loop in enumerate(self.loops):
            out = out + (np.arange(loop.count) * loop.stride).reshape([-1] + [1] * (len(self.loops) - 1 - n))
        return np.broadcast_to(out, [loop.count for loop in self.loops])


@dataclass
class Trial:
    """The program at one choice of sizes."""

    c: Context
    sizes: dict[str, int]
    events: list[Event] = field(default_factory=list)
    stamps: dict[str, np.ndarray] = field(default_factory=dict)
    bad: set[str] = field(default_factory=set)

    def size(self, size: Size) -> int:
        return self.c.dims.resolve(size).evaluate(self.sizes)


def check_order(c: Context, statements: Sequence[CheckedStatement]) -> None:
    """Report what is defined twice, in part, or after its use."""
    trial = Trial(c, trial_sizes(c, statements))
    _lay_out(trial, statements, (), 0)
    infos = {
        i.graph_name or i.name: i
        for i in [*c.variables.values(), *(i for m in c.helpers.values() for i in m.values())]
    }
    for event in trial.events:
        if not isinstance(event.node, CheckedFactor):
            _define(trial, event, infos[event.node.target.name])
    for name, info in infos.items():
        if info.role in (Role.LATENT, Role.COMPUTED) and not info.local:
            _gaps(trial, name, info)
    for event in trial.events:
        for expr in leaf_exprs(event.node):
            for ref in walk(expr):
                if isinstance(ref, Ref) and ref.name in infos:
                    _use(trial, event, ref, infos[ref.name])


# ---------------------------------------------------------------- sizes and stamps


def _duration(trial: Trial, statements: Sequence[CheckedStatement]) -> int:
    return sum(
        _rounds(trial, s) * _duration(trial, s.body) if isinstance(s, CheckedFor) else 1 for s in statements
    )


def _rounds(trial: Trial, node: CheckedFor) -> int:
    return max(0, trial.size(node.upper) - trial.size(node.lower))


def _lay_out(
    trial: Trial, statements: Sequence[CheckedStatement], loops: tuple[Round, ...], base: int
) -> int:
    for s in statements:
        if isinstance(s, CheckedFor):
            inside, count = _duration(trial, s.body), _rounds(trial, s)
            _lay_out(trial, s.body, (*loops, Round(s.label, s.dim, trial.size(s.lower), count, inside)), base)
            base += inside * count
        else:
            trial.events.append(Event(s, loops, base))
            base += 1
    return base


# ---------------------------------------------------------------- positions


def _positions(
    trial: Trial,
    event: Event,
    indices: Sequence[Index],
    info: VariableInfo,
    shape: tuple[int, ...],
    span: Span,
) -> list[np.ndarray] | None:
    """Index arrays over (rounds of the loops, whole ranges), one a dim of the variable; None where out of
    range or too many."""
    assert info.dims is not None
    wholes = [n for n, i in enumerate(indices) if not isinstance(i, At)]
    rank = len(event.loops) + len(wholes)
    out: list[np.ndarray] = []
    total = math.prod(loop.count for loop in event.loops)
    for n, (index, size) in enumerate(zip(indices, shape, strict=True)):
        match index:
            case At(None, _, offset):
                values, axis = np.array([_bounded(trial.size(offset))]), None
            case At(label, scale, offset):
                axis = next(k for k, loop in enumerate(event.loops) if loop.label == label)
                loop = event.loops[axis]
                values = _bounded(scale) * (_bounded(loop.start) + _counted(loop.count)) + _bounded(trial.size(offset))
            case Whole(part):
                values, axis = (
                    np.arange(_held(trial.size(part.lower)), _held(trial.size(part.upper))),
                    len(event.loops) + wholes.index(n),
                )
            case Gather(Positions() as moving):
                axis = next(k for k, loop in enumerate(event.loops) if loop.label == moving.loop)
                rounds = _bounded(event.loops[axis].start) + _counted(event.loops[axis].count)
                for end in windows.ends(moving):
                    reached = _bounded(moving.scale) * rounds + _bounded(trial.size(end.offset))
                    if not _in_range(trial, event, end, reached, size, info, n, span):
                        return None
                if not len(rounds) or trial.size(moving.axis.length) > LARGEST:
                    return None
                along = (axis, len(event.loops) + wholes.index(n))
                out.append(np.clip(windows.grid(moving, rounds, along, rank, trial.size), 0, max(size - 1, 0)))
                total *= trial.size(moving.axis.length)
                continue
            case Gather():
                values, axis = np.arange(size), len(event.loops) + wholes.index(n)
        total *= len(values) if axis is None or axis >= len(event.loops) else 1
        if not _in_range(trial, event, index, values, size, info, n, span):
            return None
        place = [1] * rank
        if axis is not None:
            place[axis] = len(values)
        out.append(np.clip(values, 0, max(size - 1, 0)).reshape(place))
    return out if max([total, *(loop.count for loop in event.loops)]) <= LARGEST else None


def _bounded(number: int) -> int:
    """A number that arrays can hold; what is beyond is outside of every dim all the same."""
    return max(-FARTHEST, min(FARTHEST, number))


def _counted(count: int) -> np.ndarray:
    """The numbers of rounds, as many as are run in thought and one more."""
    return np.arange(min(count, LARGEST + 1))


def _held(end: int) -> int:
    """The end of a range, or one that is beyond every dim run in thought."""
    return max(-LARGEST, min(LARGEST + 1, end))


def _in_range(
    trial: Trial,
    event: Event,
    index: Index,
    values: np.ndarray,
    size: int,
    info: VariableInfo,
    n: int,
    span: Span,
) -> bool:
    """Whether positions stay inside their dim; where its size is not tied to the loop's, only the data can
    tell."""
    assert info.dims is not None
    if not isinstance(index, At) or not len(values) or (values.min() >= 0 and values.max() < size):
        return True
    dim = info.dims[n].rstrip("'")
    loop = next((r for r in event.loops if r.label == index.loop), None)
    if loop is None or not (loop.dim == dim or trial.c.dims.related(loop.dim, dim)):
        return not trial.c.dims.negative(index.offset)
    low = values.min() < 0
    first = int(loop.start + np.argmax(values < 0 if low else values >= size))
    last = trial.size(Size.of(loop.dim)) - first
    where = f"when {loop.label} = {first if low else f'{loop.dim} - {last}'}"
    edge = f"before the start of `{dim}`" if low else f"past the end of `{dim}`"
    text = trial.c.source.text[span.start : span.end] or info.name
    short = -int(values.min()) if low else int(values.max()) - size + 1
    part = f"{loop.dim}[{loop.start + short}:]" if low else f"{loop.dim}[{loop.start or ''}:-{short}]"
    hint = f"run the loop over {part}" if index.scale == 1 else "shorten the loop or lengthen the dim"
    trial.c.error("E0608", f"`{text}` reaches {edge} {where}.", span, hint)
    return False


def _place(position: int, size: int) -> str:
    """A position for messages: from the start, or from the end where that is nearer."""
    return (
        str(position) if position <= size // 2 else f"{position - size}" if position < size else f"{position}"
    )


# ---------------------------------------------------------------- definitions


def _define(trial: Trial, event: Event, info: VariableInfo) -> None:
    node = event.node
    assert not isinstance(node, CheckedFactor) and info.dims is not None
    name = node.target.name
    shape = tuple(trial.size(Size.of(d)) for d in info.dims)
    if info.incomplete or math.prod(shape) > LARGEST:
        trial.bad.add(name)
        return
    stamps = trial.stamps.setdefault(name, np.full(shape, NEVER, np.int64))
    places = _positions(trial, event, node.target.indices, info, shape, _left(trial, node))
    if places is None:
        trial.bad.add(name)
        return
    grid = np.broadcast_shapes(*(p.shape for p in places)) if places else ()
    at = tuple(np.broadcast_to(p, grid) for p in places)
    mine = event.stamps().reshape([loop.count for loop in event.loops] + [1] * (len(grid) - len(event.loops)))
    before = stamps[at]
    if before.size and before.min() < NEVER:
        _twice(trial, event, info, at, before)
        return
    stamps[at] = np.broadcast_to(mine, grid) if places else mine.reshape(())


def _left(trial: Trial, node: Leaf) -> Span:
    """The left side of a statement."""
    return trial.c.target_spans.get(node.span, node.span)


def _twice(
    trial: Trial, event: Event, info: VariableInfo, at: tuple[np.ndarray, ...], before: np.ndarray
) -> None:
    node = event.node
    assert not isinstance(node, CheckedFactor)
    trial.bad.add(node.target.name)
    where = np.unravel_index(int(np.argmin(before)), before.shape)
    place = _element(trial, info, [int(a[where]) for a in at]) if at else info.name
    first = _defining(trial, node.target.name, int(before.min()))
    verb = "observed" if info.role is Role.OBSERVED else "defined"
    whole = at and before.max() < NEVER and before.size == trial.stamps[node.target.name].size
    hint = (
        "delete one of them"
        if whole or not at
        else "let the ranges meet without overlap, such as x[0] and then time[1:]"
    )
    hint = "for a log density of your own write factor …" if info.role is Role.OBSERVED else hint
    notes = [] if first is None else [(_left(trial, first.node), f"first {verb} here")]
    trial.c.error(
        "E0603", f"`{info.name if whole else place}` is {verb} twice.", _left(trial, node), hint, notes
    )


def _element(trial: Trial, info: VariableInfo, place: list[int]) -> str:
    assert info.dims is not None
    sizes = [trial.size(Size.of(d)) for d in info.dims]
    own = list(zip(place, sizes, strict=True))[len(info.loops) :]
    return f"{info.name}[{', '.join(_place(p, s) for p, s in own)}]" if own else info.name


def _defining(trial: Trial, name: str, stamp: int) -> Event | None:
    for event in trial.events:
        if (
            not isinstance(event.node, CheckedFactor)
            and event.node.target.name == name
            and (event.stamps() == stamp).any()
        ):
            return event
    return None


def _gaps(trial: Trial, name: str, info: VariableInfo) -> None:
    """Every element of a variable must be defined."""
    stamps = trial.stamps.get(name)
    if stamps is None or name in trial.bad or info.incomplete or not stamps.size or stamps.max() < NEVER:
        return
    trial.bad.add(name)
    missing = np.argwhere(stamps == NEVER)
    place = _element(trial, info, [int(p) for p in missing[0]])
    event = next(
        e for e in trial.events if not isinstance(e.node, CheckedFactor) and e.node.target.name == name
    )
    sign = "~" if isinstance(event.node, CheckedRandom) else "="
    hint = f"define the rest as well: {place} {sign} …"
    trial.c.error("E0602", f"`{place}` is never defined.", _left(trial, event.node), hint)


# ---------------------------------------------------------------- uses


def _use(trial: Trial, event: Event, ref: Ref, info: VariableInfo) -> None:
    missing = info.role is Role.OBSERVED and info.declared is not None and info.declared.optional
    if info.role in (Role.DATA, Role.OBSERVED, Role.PARAM) and not missing:
        if info.dims and any(isinstance(i, At) for i in ref.indices):
            shape = tuple(trial.size(Size.of(d)) for d in info.dims)
            _positions(trial, event, ref.indices, info, shape, ref.span)
        return
    stamps = trial.stamps.get(ref.name)
    if stamps is None or info.dims is None:
        return
    places = _positions(trial, event, ref.indices, info, stamps.shape, ref.span)
    if places is None or ref.name in trial.bad:
        return
    when = stamps[tuple(np.broadcast_arrays(*places))] if places else stamps
    if missing:  # entries that no statement draws are data
        when = np.where(when == NEVER, -1, when)
    now = event.stamps().reshape([r.count for r in event.loops] + [1] * (len(when.shape) - len(event.loops)))
    late = windows.surely_late(trial.c, ref, when >= now, len(event.loops), _within_own_loop(trial, event, ref.name))
    if when.size and late.any():
        _too_early(trial, event, ref, info, when, late, now)


def _within_own_loop(trial: Trial, event: Event, name: str) -> bool:
    """Whether a statement stands in a loop that defines the variable."""
    makers = (e for e in trial.events if not isinstance(e.node, CheckedFactor) and e.node.target.name == name)
    return any(loop.label == mine.label for e in makers for loop in e.loops for mine in event.loops)


def _too_early(
    trial: Trial,
    event: Event,
    ref: Ref,
    info: VariableInfo,
    when: np.ndarray,
    late: np.ndarray,
    now: np.ndarray,
) -> None:
    """Say why a use comes before what it uses."""
    stamp = int(np.broadcast_to(when, late.shape)[late].max())
    text = trial.c.source.text[ref.span.start : ref.span.end] or info.name
    maker = _defining(trial, ref.name, stamp)
    if maker is None:
        return trial.c.error("E0202", f"`{text}` is not defined in every round.", ref.span)
    notes = [(_left(trial, maker.node), "defined here")]
    shared = [r.label for r in event.loops if r in maker.loops]
    whole = any(isinstance(i, Whole | Gather) for i in ref.indices)
    if shared and whole and stamp > (int(now.max()) - 1 if maker is event else int(now.min())):
        message = f"`{text}` is used while the loop over `{shared[0]}` is still defining `{info.name}`."
        hint = "use elements of earlier rounds, such as x[t-1], or move this line behind the loop"
        return trial.c.error("E0601", message, ref.span, hint, notes)
    if maker is event and bool((np.broadcast_to(when, late.shape) == np.broadcast_to(now, late.shape)).any()):
        hint = "for a recurrence write a loop: for t in time[1:] { x[t] ~ Normal(x[t-1], s) }"
        return trial.c.error("E0606", f"`{info.name}` depends on itself here.", ref.span, hint)
    if not shared:
        message = f"`{text}` is used before it is defined."
        return trial.c.error("E0202", message, ref.span, "move its definition up", notes)
    if maker.loops == event.loops and maker is not event and not _later_round(ref, maker):
        message = f"`{text}` is defined only further down in this round."
        hint = "swap the statements, or use an earlier round"
        return trial.c.error("E0601", message, ref.span, hint, notes)
    message = f"`{text}` is defined only in a later round of the loop over `{shared[-1]}`."
    hint = f"a loop runs forward: use earlier elements, such as {info.name}[t-1], or count from the end: {info.name}[-t]"
    return trial.c.error("E0601", message, ref.span, hint, notes)


def _later_round(ref: Ref, maker: Event) -> bool:
    assert not isinstance(maker.node, CheckedFactor)
    pairs = zip(ref.indices, maker.node.target.indices, strict=True)
    return any(isinstance(a, At) and isinstance(b, At) and a != b for a, b in pairs)
