"""Law 7: any text at all gives a program or diagnostics, each with a place in the text and a picture."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.lark import from_lark
from lark import Lark

from emfppl.grammar.ast_to_text import format_program
from emfppl.grammar.diagnostics import Diagnostic
from emfppl.grammar.source import SourceText
from emfppl.grammar.text_to_ast import parse

ROOT = Path(__file__).parents[2]
TEXTS = [p.read_bytes().decode() for p in sorted((ROOT / "tests/golden").glob("*/*.emf"))]
SIGNS = "()[]{},:;=~+-*/<>!&|^@#'\"\n\r\t \0\ufeffx1é²漢“”−½_.?$%\\"


def obeys_law_7(text: str) -> tuple[Diagnostic, ...]:
    source = SourceText(text)
    program, found = parse(source)
    assert list(found) == sorted(found, key=lambda d: d.span.start)
    for one in found:
        assert 0 <= one.span.start < one.span.end <= len(text)
        assert one.message.endswith(".")
        assert "<" + "mark>" not in one.message + one.hint
        assert len(str(one).split("\n")) >= 4
    if not found:
        assert parse(SourceText(format_program(program))) == (program, ())
    return found


@settings(max_examples=500, deadline=None)
@given(st.text())
def test_any_text(text):
    obeys_law_7(text)


@settings(max_examples=500, deadline=None)
@given(st.text(st.sampled_from(SIGNS), max_size=40))
def test_any_signs(text):
    obeys_law_7(text)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(TEXTS), st.integers(0, 2**32))
def test_programs_with_faults(text, seed):
    rng = random.Random(seed)
    for _ in range(rng.randint(1, 5)):
        start = rng.randint(0, len(text))
        end = min(len(text), start + rng.choice([0, 0, 1, 3, 20]))
        piece = rng.choice([rng.choice(SIGNS), text[rng.randint(0, len(text)) :][:20], ""])
        text = text[:start] + piece + text[end:]
    obeys_law_7(text)


GRAMMAR = (ROOT / "grammar/emf.lark").read_text()
TERMINALS = {
    "NAME": st.sampled_from(["x ", "theta ", "k' "]), "NUMBER": st.sampled_from(["0 ", "2.5 "]), "SPACE": st.just(" "),
    "BACKBONE": st.just("backbone "), "GATE": st.just("gate "), "MODEL": st.just("model "), "IMPORT": st.just("import "),
    "AS": st.just("as "), "STRING": st.just('"a.emf" '), "DOTTED": st.just("x.scale "),
    "LAW": st.just("distribution "), "DENSITY": st.just("density "), "CONDITIONED_ON": st.just("conditioned_on "),
}  # fmt: skip


def derived(start: str) -> st.SearchStrategy[str]:
    """Lines that the grammar derives, a space behind each word."""
    grammar = Lark(GRAMMAR, parser="lalr", lexer="basic", start=start)
    used = {t.name: t.pattern.value for t in grammar.terminals}
    words = {name: st.just(f"{word} ") for name, word in used.items() if word.isalpha()}
    explicit = {k: v for k, v in {**TERMINALS, **words}.items() if k in used or re.search(rf"\b{k}\b", str(grammar.rules))}
    return from_lark(grammar, start=start, explicit=explicit)


quick = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@quick
@given(st.lists(derived("line"), max_size=3))
def test_lines_of_the_grammar(lines):
    """What the grammar derives is read; only blocks need their end."""
    text = "".join(f"{line}\n}}\n" if line.rstrip().endswith("{") else f"{line}\n" for line in lines)
    assert {d.code for d in obeys_law_7(text)} <= {"E0109"}  # a `return` has no function around it


@quick
@given(st.lists(derived("guide_line"), max_size=3))
def test_guides_of_the_grammar(lines):
    assert obeys_law_7("guide {\n" + "\n".join(lines) + "\n}\n") == ()


@quick
@given(st.lists(derived("density_line"), max_size=3))
def test_densities_of_the_grammar(lines):
    assert obeys_law_7("density d {\n" + "\n".join(lines) + "\n}\n") == ()


LARGE = {
    "parentheses": "x = " + "(" * 5000 + "1" + ")" * 5000,
    "open parentheses": "x = " + "(" * 5000,
    "closing ones": "]" * 3000,
    "braces": "{" * 2000,
    "signs": "x = " + "-" * 5000 + "1",
    "a sum": "x = " + "+".join("1" * 3000),
    "loops": "for t in d {\n" * 500 + "}\n" * 500,
    "calls": "x = " + "f(" * 3000 + ")" * 3000,
    "rows in a bracket": "x = f(\n" + "a\n" * 3000,
    "a number": "x = " + "9" * 6000,
    "a name": "a" * 20000,
    "prose": "if a then b else c " * 1000,
    "a quotation mark": '"' * 3001,
    "null bytes": "\0" * 2000,
    "newlines": "\n" * 20000,
}  # fmt: skip


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_large_texts(text):
    obeys_law_7(text)
