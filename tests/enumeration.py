"""Discrete latents summed out by listing all of their values, for each of which the oracle reads the whole program."""

from __future__ import annotations

from itertools import product

import numpy as np
from oracle import Oracle
from scipy import special

from emfppl.compiler.ast_to_checked import check
from emfppl.compiler.checked_nodes import CheckedFor, CheckedProgram, CheckedRandom
from emfppl.compiler.graph import Integers, Role
from emfppl.grammar.source import SourceText
from emfppl.grammar.text_to_ast import parse


def checked_text(text: str) -> CheckedProgram:
    """The checked program of a text without errors."""
    source = SourceText(text)
    program, problems = parse(source)
    checked, more = check(program, source)
    errors = [d for d in (*problems, *more) if d.is_error]
    assert not errors, "\n".join(map(str, errors))
    return checked


class Enumeration:
    """log p of every configuration of the discrete latents (and missing entries of discrete data) of a program."""

    def __init__(self, text: str, data: dict, sizes: dict[str, int], values: dict):
        checked = checked_text(text)
        data = {k: np.asarray(v) for k, v in data.items()}
        self.free = list(_free(checked, sizes, data))
        self.configurations, logs = [], []
        for choice in product(*(range(low, high + 1) for _, _, low, high in self.free)):
            here = {name: np.zeros(shape) for name, shape in _shapes(checked, sizes).items()}
            known = {k: np.array(v, float if np.isnan(np.asarray(v, float)).any() else None) for k, v in data.items()}
            for (name, place, _, _), value in zip(self.free, choice, strict=True):
                (known if name in known else here)[name][place] = value
            with np.errstate(divide="ignore"):
                logs.append(Oracle(checked, sizes, known).log_joint({**here, **values}))
            self.configurations.append(choice)
        self.logs = np.array(logs)

    @property
    def log_sum(self) -> float:
        return float(special.logsumexp(self.logs))

    def probabilities(self, name: str, place: tuple[int, ...], values: int, low: int = 0) -> np.ndarray:
        """The probability of every value of one element."""
        n = next(n for n, (free, at, _, _) in enumerate(self.free) if (free, at) == (name, place))
        chosen = np.array([c[n] for c in self.configurations]) - low
        return np.bincount(chosen, np.exp(self.logs - self.log_sum), values)

    @property
    def best(self) -> tuple[int, ...]:
        return self.configurations[int(np.argmax(self.logs))]


def _shapes(checked: CheckedProgram, sizes: dict[str, int]) -> dict[str, tuple[int, ...]]:
    return {v.name: tuple(sizes[d.rstrip("'")] for d in v.dims) for v in checked.variables if v.role is Role.LATENT}


def _free(checked: CheckedProgram, sizes: dict[str, int], data: dict):
    """Every discrete element without a value: name, place, smallest and largest value."""
    shapes = _shapes(checked, sizes)
    for name, (low, high) in _ranges(checked, sizes, data).items():
        if name in data:
            missing = np.isnan(np.asarray(data[name], float))
            yield from ((name, tuple(int(i) for i in place), low, high) for place in np.argwhere(missing))
        else:
            yield from ((name, place, low, high) for place in np.ndindex(*shapes[name]))


def _ranges(checked: CheckedProgram, sizes: dict[str, int], data: dict) -> dict[str, tuple[int, int]]:
    """The values that each discrete variable can take, as constants, sizes or the largest of some data."""
    out: dict[str, tuple[int, int]] = {}
    for s in _randoms(checked.statements):
        unknown = not s.observed or np.isnan(np.asarray(data.get(s.target.name, 0.0), float)).any()
        if isinstance(s.support, Integers) and unknown:
            oracle = Oracle(checked, sizes, data)
            largest = {n: np.full(shape, out[n][1]) for n, shape in _shapes(checked, sizes).items() if n in out}
            oracle.values = {**data, **largest}
            declared = oracle.variables[s.target.name].support
            found = [_bound(oracle, getattr(s.support, n) or getattr(declared, n)) for n in ("lower", "upper")]
            low, high = out.get(s.target.name, found)
            out[s.target.name] = (min(low, found[0]), max(high, found[1]))
    return out


def _bound(oracle: Oracle, bound) -> int:
    points = list(oracle._points(bound.type.axes)) or [{}]
    return int(max(oracle._eval(bound, {}, point) for point in points))


def _randoms(statements):
    for s in statements:
        if isinstance(s, CheckedFor):
            yield from _randoms(s.body)
        elif isinstance(s, CheckedRandom):
            yield s
