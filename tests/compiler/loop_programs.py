"""Programs made of loops, drawn by Hypothesis: every statement reads earlier rounds, earlier lines, the start, data."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

SIZES = {"d": 9, "e": 5}
HEAD = "dim d\ndim e\ndata w[d]: real\ndata seen[d]: real\ndata ge[e]: index(e)\n"


@dataclass
class LoopProgram:
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return HEAD + "\n".join(self.lines) + "\n"

    def __repr__(self) -> str:
        return self.text


def shifted(name: str, by: int) -> str:
    return name if by == 0 else f"{name}{by:+d}"


@st.composite
def loop_programs(draw) -> LoopProgram:
    """One or two loops over d, or two nested ones over d and e, with up to four variables that carry each other."""
    program = LoopProgram()
    for n in range(draw(st.integers(1, 2))):
        draw(draw(st.sampled_from((_plain, _plain, _nested)))(program, "abcd" if n == 0 else "pqrs"))
    return program


def statement(left: str, terms: list[str], random: bool) -> str:
    right = " + ".join(["1", *terms])
    return f"{left} ~ Normal({right}, 1)" if random else f"{left} = {right}"


@st.composite
def _plain(draw, program: LoopProgram, letters: str) -> None:
    names = [f"x{c}" for c in letters[: draw(st.integers(1, 4))]]
    randoms = {n: draw(st.booleans()) for n in names}
    program.lines += [statement(f"{n}[d[:3]]", [], randoms[n]) for n in names]
    helper = draw(st.booleans())
    order = draw(st.permutations(names))
    body: list[str] = []
    for k, name in enumerate(order):
        terms = [draw(_term(names, order[:k], helper and k > 0)) for _ in range(draw(st.integers(0, 2)))]
        body.append(statement(f"{name}[t]", terms, randoms[name]))
        if helper and k == 0:
            body.append(f"h = 2 * {name}[{shifted('t', draw(st.integers(-2, 0)))}]")
    if letters == "abcd" and draw(st.integers(0, 3)) == 0:
        body.append(f"seen[t] ~ Normal(seen[t-1] + {draw(st.sampled_from(names))}[t], 1)")
        if draw(st.booleans()):
            body.insert(0, f"g = seen[{shifted('t', -draw(st.integers(1, 2)))}]")
            body[1] = body[1].replace("1", "g", 1) if "~" not in body[1] else body[1].replace("(1", "(g", 1)
    if draw(st.integers(0, 3)) == 0:
        body.append(f"factor {order[-1]}[t] * {order[0]}[t-1]")
    program.lines += ["for t in d[3:] {", *("  " + line for line in body), "}"]


@st.composite
def _term(draw, names: list[str], above: list[str], helper: bool) -> str:
    name = draw(st.sampled_from(names))
    match draw(st.integers(0, 6)):
        case 0:
            return f"{name}[{draw(st.integers(0, 2))}]"
        case 1:
            return f"sum({name}[d[:{draw(st.integers(1, 3))}]])"
        case 2:
            return draw(st.sampled_from(("w[t]", "w[t-1]", "sum(w)", "t")))
        case 3 if helper:
            return "h"
        case 4 if above:
            return f"{draw(st.sampled_from(above))}[{draw(st.sampled_from(('t', '3')))}]"
    return f"{name}[{shifted('t', -draw(st.integers(1, 3)))}]"


@st.composite
def _nested(draw, program: LoopProgram, letters: str) -> None:
    names = [f"y{c}" for c in letters[: draw(st.integers(1, 3))]]
    row = f"row{letters[0]}"
    for n in names:
        program.lines += [f"{n}[d[:2], e] = 0", f"{n}[d[2:], e[:2]] = 0"]
    program.lines += [f"{row}[d[:2]] = 0"]
    body = []
    for k, name in enumerate(names):
        terms = [draw(_cell(names, names[:k])) for _ in range(draw(st.integers(0, 2)))]
        terms += [f"{row}[i]"] if draw(st.integers(0, 3)) == 0 else []
        body.append(f"    {name}[i, j] = {' + '.join(['1', *terms])}")
    above = draw(st.sampled_from((f"sum({names[0]}[i-1])", f"{row}[i-1]", f"{names[-1]}[i-2, 0]", "w[i]")))
    program.lines += ["for i in d[2:] {", f"  {row}[i] = {above}", "  for j in e[2:] {", *body, "  }", "}"]


@st.composite
def _cell(draw, names: list[str], above: list[str]) -> str:
    """An element of an earlier row, or of an earlier column of this one."""
    if above and draw(st.integers(0, 3)) == 0:
        return f"{draw(st.sampled_from(above))}[i, j]"
    if draw(st.integers(0, 4)) == 0:
        return f"{draw(st.sampled_from(names))}[i-1, ge[j]]"
    down = draw(st.integers(0, 2))
    across = draw(st.integers(-2, 0)) if down else -draw(st.integers(1, 2))
    return f"{draw(st.sampled_from(names))}[{shifted('i', -down)}, {shifted('j', across)}]"
