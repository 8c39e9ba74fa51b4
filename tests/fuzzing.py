"""Mutations of programs for fuzzing: by characters, by tokens, by lines, from one program into another."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

TOKEN = re.compile(r"\s+|#[^\n]*|[^\W\d]\w*'*|[0-9.]+(?:[eE][+-]?[0-9]+)?|\*\*|//|[<>=!]=|.", re.S)
NAME = re.compile(r"[^\W\d]\w*'*")
NUMBERS = ["0", "1", "2", "-1", "3", "0.5", "1e308", "1e999", "99999999999999999999", "0.0", "1e-320", "7"]
SIGNS = "()[]{},:;=~+-*/<>!&|^@#'\"\n\t \0\ufeffé²漢“−½_.?$%\\"
_WORDS = """
dim data param def for in factor return guide if and or not true false model import real positive unit int count bool index
density conditioned_on maf structured dequantize gated hidden
simplex ordered corr_cholesky cov Normal Gamma Beta Dirichlet Categorical Poisson Bernoulli Mixture MultivariateNormal
LKJCholesky truncated Flat sum mean cumsum softmax cholesky solve exp log over logits t x y k
"""
WORDS = _WORDS.split()
Mutation = Callable[[random.Random, str, Sequence[str]], str]


def tokens(text: str) -> list[str]:
    return TOKEN.findall(text)


def token_deleted(rng: random.Random, text: str, _: Sequence[str]) -> str:
    parts = tokens(text)
    del parts[rng.randrange(len(parts))]
    return "".join(parts)


def token_twice(rng: random.Random, text: str, _: Sequence[str]) -> str:
    parts = tokens(text)
    at = rng.randrange(len(parts))
    return "".join([*parts[:at], parts[at], " ", parts[at], *parts[at + 1 :]])


def tokens_swapped(rng: random.Random, text: str, _: Sequence[str]) -> str:
    parts = tokens(text)
    a, b = rng.randrange(len(parts)), rng.randrange(len(parts))
    parts[a], parts[b] = parts[b], parts[a]
    return "".join(parts)


def token_of_another(rng: random.Random, text: str, others: Sequence[str]) -> str:
    parts = tokens(text)
    parts[rng.randrange(len(parts))] = rng.choice([*rng.sample(tokens(rng.choice(others)), 3), rng.choice(WORDS)])
    return "".join(parts)


def name_for_name(rng: random.Random, text: str, _: Sequence[str]) -> str:
    """One use of a name replaced by another name of the program: what comes out is read, and goes deep."""
    parts = tokens(text)
    places = [i for i, p in enumerate(parts) if NAME.fullmatch(p)] or [0]
    parts[rng.choice(places)] = parts[rng.choice(places)]
    return "".join(parts)


def number_changed(rng: random.Random, text: str, _: Sequence[str]) -> str:
    parts = tokens(text)
    places = [i for i, p in enumerate(parts) if p[0].isdigit()] or [rng.randrange(len(parts))]
    parts[rng.choice(places)] = rng.choice(NUMBERS)
    return "".join(parts)


def line_deleted(rng: random.Random, text: str, _: Sequence[str]) -> str:
    rows = text.split("\n")
    del rows[rng.randrange(len(rows))]
    return "\n".join(rows)


def line_moved(rng: random.Random, text: str, _: Sequence[str]) -> str:
    rows = text.split("\n")
    row = rows.pop(rng.randrange(len(rows)))
    rows.insert(rng.randint(0, len(rows)), row)
    return "\n".join(rows)


def line_of_another(rng: random.Random, text: str, others: Sequence[str]) -> str:
    rows = text.split("\n")
    rows.insert(rng.randint(0, len(rows)), rng.choice(rng.choice(others).split("\n")))
    return "\n".join(rows)


def cut_short(rng: random.Random, text: str, _: Sequence[str]) -> str:
    return text[: rng.randint(0, len(text))]


def noise(rng: random.Random, text: str, _: Sequence[str]) -> str:
    at = rng.randint(0, len(text))
    return text[:at] + "".join(rng.choices(SIGNS, k=rng.randint(1, 4))) + text[at + rng.randint(0, 3) :]


def nested(rng: random.Random, text: str, _: Sequence[str]) -> str:
    """A token wrapped many times over."""
    parts = tokens(text)
    at, depth = rng.randrange(len(parts)), rng.choice([2, 20, 90, 99, 120])
    left, right = rng.choice([("(", ")"), ("exp(", ")"), ("-", ""), ("[", "]"), ("1 + ", ""), ("if(true, ", ", 0)")])
    parts[at] = left * depth + parts[at] + right * depth
    return "".join(parts)


def joined(rng: random.Random, text: str, others: Sequence[str]) -> str:
    """Two programs in one file."""
    return text + rng.choice(others)


MUTATIONS: tuple[Mutation, ...] = (
    token_deleted, token_twice, tokens_swapped, token_of_another, name_for_name, name_for_name, name_for_name, number_changed,
    line_deleted, line_moved, line_of_another, cut_short, noise, nested, joined,
)  # fmt: skip


def mutated(rng: random.Random, texts: Sequence[str]) -> str:
    """A program with one to three mutations."""
    text = min(rng.sample(texts, 3), key=len)  # short ones more often
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        text = rng.choice(MUTATIONS)(rng, text or "x", texts)
    return text
