"""Definition and use: the checker against a plain run of the same program with sets."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from checking import codes
from hypothesis import given, settings
from hypothesis import strategies as st

SIZE = 40  # of the dim in the plain run: far beyond every offset drawn


@dataclass(frozen=True)
class Line:
    """``name[a t + b] = sum of uses`` in a loop, or ``name[b] = …`` on its own (loop None)."""

    name: str
    at: int
    uses: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Loop:
    start: int
    stop: int  # counted from the end
    body: tuple[Line, ...]


names = st.sampled_from("xy")
offsets = st.integers(-2, 2)
lines = st.builds(Line, names, offsets, st.lists(st.tuples(names, offsets), max_size=2).map(tuple))
tops = st.builds(
    Line, names, st.integers(0, 3), st.lists(st.tuples(names, st.integers(0, 3)), max_size=1).map(tuple)
)
loops = st.builds(
    Loop, st.integers(0, 3), st.integers(0, 2), st.lists(lines, min_size=1, max_size=3).map(tuple)
)
whole_programs = st.lists(tops | loops, min_size=1, max_size=4)


def text_of(program: list[Line | Loop]) -> str:
    def position(loop: bool, b: int) -> str:
        return str(b) if not loop else "t" if b == 0 else f"t{b:+d}"

    def line(one: Line, loop: bool) -> str:
        right = " + ".join(["1", *(f"{n}[{position(loop, b)}]" for n, b in one.uses)])
        return f"{one.name}[{position(loop, one.at)}] = {right}"

    out = ["dim d", "z0[d] = 0"]
    for part in program:
        if isinstance(part, Loop):
            stop = f"-{part.stop}" if part.stop else ""
            body = "\n".join("  " + line(one, True) for one in part.body)
            out.append(f"for t in d[{part.start}:{stop}] {{\n{body}\n}}")
        else:
            out.append(line(part, False))
    return "\n".join(out) + "\n"


def plain_run(program: list[Line | Loop]) -> bool:
    """Whether every element is defined once, before its uses, inside the dim, and none is left out."""
    defined: dict[str, set[int]] = {"x": set(), "y": set()}
    used = {part.name for p in program for part in (p.body if isinstance(p, Loop) else (p,))}

    def one(line: Line, t: int) -> bool:
        at = t + line.at
        if (
            any(t + b not in defined[n] for n, b in line.uses)
            or at in defined[line.name]
            or not 0 <= at < SIZE
        ):
            return False
        defined[line.name].add(at)
        return True

    for part in program:
        if isinstance(part, Loop):
            for t in range(part.start, SIZE - part.stop):
                if not all(one(line, t) for line in part.body):
                    return False
        elif not one(part, 0):
            return False
    return all(len(defined[n]) == SIZE for n in used)


def mentioned(program: list[Line | Loop]) -> bool:
    """Whether every name is defined somewhere, in a loop at least once (or its dim is unknown)."""
    in_loops = {line.name for p in program if isinstance(p, Loop) for line in p.body}
    every = [line for p in program for line in (p.body if isinstance(p, Loop) else (p,))]
    return {line.name for line in every} | {n for line in every for n, _ in line.uses} <= in_loops


@settings(max_examples=400, deadline=None)
@given(whole_programs.filter(mentioned))
def test_order_agrees_with_a_plain_run(program):
    found = [c for c in codes(text_of(program)) if c.startswith("E")]
    assert (not found) == plain_run(program), text_of(program)


FINE = {
    "a chain backwards from its end": "x[-1] = 0\nx[d[:-1]] = 1\n",
    "a tree by parents": "data g[d]: index(d)\nx[0] = 0\nfor i in d[1:] {\n  x[i] = x[g[i]]\n}\n",
    "halves by stride": "dim p = 2 * d\nx[p[:0]] = 0\nfor i in d {\n  x[2*i] = 1\n  x[2*i+1] = x[2*i]\n}\n",
    "a table filled by rows and columns": (
        "dim c\nx[0, c] = 0\nfor i in d[1:] {\n  x[i, 0] = 0\n"
        "  for j in c[1:] {\n    x[i, j] = x[i-1, j] + x[i, j-1]\n  }\n}\n"
    ),
    "an earlier variable whole": "x[d] = 1\nfor i in d {\n  y[i] = mean(x)\n}\n",
    "a gather from an earlier one": "data g[d]: index(d)\nx[d] = 1\nfor i in d {\n  y[i] = x[g[i]]\n}\n",
    "two lags": "x[0] = 0\nx[1] = 1\nfor i in d[2:] {\n  x[i] = x[i-1] + x[i-2]\n}\n",
    "coupled within a round": (
        "x[0] = 0\ny[0] = 0\nfor i in d[1:] {\n  x[i] = y[i-1]\n  y[i] = x[i] + x[i-1]\n}\n"
    ),
    "data may look ahead": "data w[d]: real\nfor i in d[:-1] {\n  x[i] = w[i+1]\n}\nx[-1] = w[0]\n",
    "a tree by levels": "dim inner = d - 1\nx[d[:1]] = 0\nfor i in inner {\n  x[i+1] = x[i]\n}\n",
}
WRONG = {
    "E0601": [
        "x[0] = 0\nfor i in d[1:] {\n  x[i] = sum(x[d[:1]]) + sum(x)\n}\n",
        "x[-1] = 0\nfor i in d[:-1] {\n  x[i] = x[i+1]\n}\n",
        "data g[d]: index(d)\nfor i in d {\n  x[i] = x[g[i]]\n}\n",
        "for i in d {\n  m = n\n  n = 2\n  x[i] = m\n}\n",
    ],
    "E0602": [
        "for i in d[1:] {\n  x[i] = 1\n}\n",
        "x[d[1:3]] = 1\n",
        "dim c\nfor i in d {\n  x[i, c[1:]] = 1\n}\n",
    ],
    "E0603": ["x[d] = 1\nx[0] = 2\n", "for i in d {\n  x[i] = 1\n}\nfor i in d {\n  x[i] = 2\n}\n"],
    "E0606": ["x[d] = 1 + x\n", "a = a + 1\n", "for i in d {\n  x[i] = x[i] + 1\n}\n"],
    "E0608": ["data w[d]: real\nfor i in d {\n  x[i] = w[i+1]\n}\n", "for i in d {\n  x[i-1] = 1\n}\n"],
    "E0202": ["a = b\nb = 1\n", "for i in d {\n  x[i] = b\n}\nb = 2\n"],
}


@pytest.mark.parametrize("text", FINE.values(), ids=FINE)
def test_fine(text):
    assert [c for c in codes("dim d\nz0[d] = 1\n" + text) if c.startswith("E")] == []


@pytest.mark.parametrize(("code", "text"), [(c, t) for c, ts in WRONG.items() for t in ts])
def test_wrong(code, text):
    assert [c for c in codes("dim d\nz0[d] = 1\n" + text) if c.startswith("E")] == [code]


def test_large_fixed_sizes_cost_nothing():
    text = "dim d = 100000000\nx[0] ~ Normal(0, 1)\nfor t in d[1:] {\n  x[t] ~ Normal(x[t-1], 1)\n}\n"
    assert codes(text) == []


@pytest.mark.parametrize("range_", ["time[:B]", "time[B:]", "time[2:]"])
@pytest.mark.parametrize("window", ["t-2:t+1", "t-2:t+B", "t-B:t+1", "B*t-2:B*t+1", "t-B:t-B+3", "B:", ":B"])
def test_numbers_that_no_array_can_hold(range_, window):
    """Whatever is said of them, it is said in so many words."""
    text = f"dim time\ndata y[time]: real\nz[time] ~ Normal(0, 1)\nfor t in {range_} {{ y[t] ~ Normal(mean(z[{window}]), 1) }}\n"
    assert set(codes(text.replace("B", "9" * 20))) <= {"E0608", "E0305", "E0307", "W0101", "E0602"}
