"""Writes docs/errors.md, distributions.md and functions.md from the tables of the compiler (``make docs``)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from emfppl.compiler import functions
from emfppl.compiler.distributions import STANDARD, Distribution, Parameter
from emfppl.compiler.pipeline import check_text
from emfppl.grammar.codes import CODES
from emfppl.grammar.diagnostics import Code, Diagnostic
from emfppl.grammar.source import SourceText

DOCS = Path(__file__).parent
GOLDEN = DOCS.parent / "tests/golden"
LONGEST_EXAMPLE = 400  # characters


# ---------------------------------------------------------------- errors.md

BLOCKS = {
    "E01": "Text and syntax",
    "E02": "Names",
    "E03": "Dims and shapes",
    "E04": "Types",
    "E05": "Distributions and supports",
    "E06": "Loops and recurrences",
    "E07": "Functions, params and guide blocks",
    "E08": "What the compiler can't do with a legal program",
    "E09": "Sub-models and imports",
    "E10": "Data",
    "E11": "Fitting",
    "E12": "Files",
    "E13": "Arguments of calls",
    "E14": "Translating a Stan program",
    "E15": "Density estimators",
    "W01": "Warnings",
}
HEAD = """\
# Errors and warnings

Generated from the table of codes by `make docs`. Each diagnostic has one of these codes, which stay what they are; a warning
(`W…`) is silenced on its line by a comment, `# emf: ok W0105`.

"""


def errors_page() -> str:
    """The catalogue: every code with its title, what it means, and an example where there is one."""
    examples = _programs() | _data()
    parts = [HEAD]
    for block, codes in groupby(CODES, lambda c: c.id[:3]):
        parts.append(f"## {BLOCKS[block]}\n\n")
        parts += [_entry(code, examples.get(code.id, "")) for code in codes]
    return "".join(parts).rstrip() + "\n"


def _entry(code: Code, example: str) -> str:
    return f"### {code.id}: {code.title}\n\n{code.explanation}\n\n{example}"


def _programs() -> dict[str, str]:
    """For each code the shortest bad program that shows it and nothing else."""
    out: dict[str, str] = {}
    sources = [SourceText(path.read_bytes().decode(), "model.emf") for path in (GOLDEN / "bad").glob("*.emf")]
    for source in sorted(sources, key=lambda s: (len(s.text), s.text)):
        found = check_text(source)
        code = found[0].code
        if {d.code for d in found} == {code} and code not in out and _shows(source.text):
            kind = "error" if found[0].is_error else "warning"
            out[code] = f"```emf {kind}={code}\n{source.text}```\n\n{_message(found[0])}"
    return out


def _shows(text: str) -> bool:
    """Whether a program can be printed on a page."""
    return len(text) <= LONGEST_EXAMPLE and text.endswith("\n") and all(c.isprintable() or c == "\n" for c in text)


def _message(one: Diagnostic) -> str:
    return f"```text\n{one}\n```\n\n"


def _data() -> dict[str, str]:
    """For each code the shortest example of bad data that shows it and nothing else."""
    out: dict[str, str] = {}
    paths = sorted((GOLDEN / "bad_data").glob("*.py"), key=lambda p: (len(p.read_text()), p.name))
    for path in paths:
        message = path.with_suffix(".txt").read_text().strip()
        codes = re.findall(r"^error\[(E\d+)\]", message, re.M)
        if len(codes) == 1 and codes[0] not in out and len(path.read_text()) <= LONGEST_EXAMPLE:
            out[codes[0]] = f"```python\n{path.read_text().strip()}\n```\n\n```text\n{message}\n```\n\n"
    return out


# ---------------------------------------------------------------- distributions.md

KINDS = (
    "Real numbers",
    "Positive numbers",
    "Bounded numbers",
    "Vectors and matrices",
    "Counts, conditions and categories",
    "Made of others",
)
SUPPORTS = {
    "real": "all real numbers", "positive": "x > 0", "unit": "0 < x < 1", "simplex": "positive entries that sum to 1",
    "corr": "correlation matrices", "cov": "covariance matrices",
    "real_vector": "vectors", "corr_cholesky": "Cholesky factors of correlation matrices", "bool": "0 or 1", "count": "0, 1, 2, …",
    "index": "positions in the dim of the last axis of `probs` or `logits`", "circular": "−π ≤ x < π",
}  # fmt: skip
ABOUT = """\
# Distributions

Generated from the compiler's table by `make docs`. Arguments are given in order or by name, `Normal(0, 1)` or
`Normal(loc = 0, scale = 1)`; those with a value behind `=` may be left out. Of several forms the first is the one for arguments
without a name. A distribution of vectors runs over the last dim of its target, one of matrices over the last two.

"""


def distributions_page() -> str:
    """The table of distributions, one section a kind of values."""
    parts = [ABOUT]
    for kind in KINDS:
        rows = [r for r in STANDARD.rows if _kind(r) == kind]
        table = ["| distribution | values | density or meaning |", "|---|---|---|", *map(_table_row, rows)]
        parts.append(f"## {kind}\n\n" + "\n".join(table) + "\n\n")
    return "".join(parts).rstrip() + "\n"


def _kind(row: Distribution) -> str:
    if any(p.kind == "distribution" for form in row.forms for p in form) or not row.forms[0]:
        return KINDS[5]
    if row.event_rank:
        return KINDS[3]
    if row.discrete:
        return KINDS[4]
    return {"real": KINDS[0], "positive": KINDS[1]}.get(row.support, KINDS[2])


def _table_row(row: Distribution) -> str:
    forms = "<br>".join(f"`{row.name}({', '.join(map(_parameter, form))})`" for form in row.forms)
    formula = row.formula.replace("|", "\\|")
    return f"| {forms} | {_support(row.support)} | {formula} |"


def _parameter(one: Parameter) -> str:
    if one.required:
        return one.name
    return f"{one.name} = {one.default:g}" if one.default is not None else f"{one.name} = …"


def _support(text: str) -> str:
    name, _, inside = text.rstrip(")").partition("(")
    match name:
        case "interval":
            low, high = inside.split(", ")
            return f"{low} < x < {high}"
        case "whole":
            low, high = inside.split(", ")
            return f"{low}, …, {high}"
        case "above":
            return f"x > {inside}"
        case "upto":
            return f"0, 1, …, {inside}"
    if text.startswith("of "):
        return f"those of `{text[3:]}`"
    return SUPPORTS[text]


# ---------------------------------------------------------------- functions.md

ABOUT_FUNCTIONS = """\
# Functions

Generated from the compiler's table by `make docs`. Arguments align by the names of their dims. How each is used stands in
[the language](language.md#functions).

"""
FUNCTIONS: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("Entry by entry", "The result runs over all dims of the arguments.", functions.ELEMENTWISE),
    (
        "Over dims",
        "With `over = dim` or `over = [a, b]`; without it over all dims of x. The dims vanish; that of the cumulative ones "
        "stays. `argmin` and `argmax` go over one dim, the result can index it.",
        functions.REDUCTIONS,
    ),
    (
        "Vectors and matrices",
        "A vector is over the last dim of its argument, a matrix over the last two, or over those that `over =` names. All "
        "other dims are batches. Matrices are square but for those of `qr_q` and `qr_r`.",
        functions.ARRAY,
    ),
    (
        "Systems of equations",
        "A is over [k, k']. With b over k the result is over k'; with b over k' the transposed system is solved, and the "
        "result is over k. Whatever else b runs over are further columns.",
        functions.SOLVERS,
    ),
    ("Matrices made", "", functions.MATRICES),
    (
        "Covariances",
        "With x over obs the result is over [obs, obs']; with a second set of points, `exp_quad(x, x_new, scale, length)`, over "
        "[obs, new]. Of an x over several dims the first (or that of `over =`) holds the points, and distances sum over the "
        "others, where a length may differ. `scale` is a standard deviation.",
        functions.COVARIANCES,
    ),
    (
        "Splines",
        "The functions of the basis run along the last dim of the left side that x does not have; with the ends counted among "
        "the knots, in ascending order, there are as many as knots + degree − 1.",
        functions.BASES,
    ),
    (
        "Differential equations",
        "`f` is the name of a function `def f(t: real, y[k]: real, …): real` that returns the slopes of y; what it takes besides t "
        "and y stands behind the times. The result is over the dim of the times and those of y0. `rtol = 1e-6`, `atol = 1e-6` "
        "and `max_steps = 4096` may be given.",
        functions.SOLUTIONS,
    ),
)


def functions_page() -> str:
    """The table of functions, one section a kind."""
    parts = [ABOUT_FUNCTIONS]
    for title, about, rows in FUNCTIONS:
        table = [f"| `{_call(row)}` | {row.formula.replace('|', chr(92) + '|')} |" for row in rows.values()]
        text = f"{about}\n\n" if about else ""
        parts.append(f"## {title}\n\n{text}| function | value |\n|---|---|\n" + "\n".join(table) + "\n\n")
    return "".join(parts).rstrip() + "\n"


def _call(row: Any) -> str:
    return f"{row.name}({', '.join(getattr(row, 'params', ('x',)))}{', …' * (row.name in functions.SOLUTIONS)})"


# ---------------------------------------------------------------- all


def pages() -> dict[Path, str]:
    return {
        DOCS / "errors.md": errors_page(),
        DOCS / "distributions.md": distributions_page(),
        DOCS / "functions.md": functions_page(),
    }


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
