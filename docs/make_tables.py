"""Writes docs/errors.md and docs/distributions.md from the tables of codes and of distributions (``make docs``)."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

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


# ---------------------------------------------------------------- both


def pages() -> dict[Path, str]:
    return {DOCS / "errors.md": errors_page(), DOCS / "distributions.md": distributions_page()}


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
