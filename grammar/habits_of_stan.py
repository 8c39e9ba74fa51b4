"""Declarations and statements in the manner of Stan, BUGS and JAGS."""

from __future__ import annotations

import re

from emfppl.grammar.habit import Match, row

SCALARS = "int|real|float|double|bool|vector|row_vector|matrix|simplex|ordered|positive_ordered|unit_vector|complex"
TYPES = rf"{SCALARS}|cov_matrix|corr_matrix|cholesky_factor_corr|cholesky_factor_cov|sum_to_zero_vector"
HERE = "real|positive|nonnegative|unit|int|count|bool|simplex|ordered|positive_ordered|index"
PRIORS = {
    "positive": "~ HalfNormal(1)", "unit": "~ Beta(1, 1)", "simplex": "~ Dirichlet(1)", "corr_cholesky": "~ LKJCholesky(1)",
    "ordered": ": ordered ~ Normal(0, 1)", "positive_ordered": ": positive_ordered ~ Normal(0, 1)",
}  # fmt: skip
SQUARE = ("cov_matrix", "corr_matrix", "cholesky_factor_corr", "cholesky_factor_cov")


def _stan_hint(found: Match) -> str:
    """The declaration as it is written here."""
    groups = (found["array"], found["size"], found["after"])
    dims = [_dim_name(s.strip()) for group in groups if group for s in group.split(",") if s.strip()]
    declared = f" (and {', '.join(f'dim {d}' for d in dict.fromkeys(dims))})" if dims else ""
    if found["type"] in SQUARE and len(dims) == 1:
        dims = [dims[0], dims[0] + "'"]
    head = found["name"] + (f"[{', '.join(dims)}]" if dims else "")
    kind = _stan_type(found["type"], found["bounds"] or "")
    if found["value"]:
        return f"what is computed needs no type: {head} {found['value'].strip()}"
    if found["type"] == "int" and not dims:
        return f"a size is a dim: dim {found['name']}; another number that is known: data {head}: {kind}"
    prior = PRIORS.get(kind) or (f": {kind} ~ Normal(0, 1)" if "(" in kind else "~ Normal(0, 1)" if kind == "real" else "")
    if found["type"] == "int" or not prior:
        return f"write data {head}: {kind}{declared}"
    unknown = f"{head}{'' if prior[0] == ':' else ' '}{prior}"
    return f"what is known: data {head}: {kind}{declared}; what is not is declared by its prior, such as {unknown}"


def typed_hint(found: Match) -> str:
    """``data real<lower=0> y`` as it is written here."""
    kind = (
        found["type"]
        if found["type"] in HERE.split("|") and not found["bounds"]
        else _stan_type(found["type"], found["bounds"] or "")
    )
    return f"write {found['word']} {found['name']}{found['dims'] or ''}: {kind}"


def _dim_name(size: str) -> str:
    return size.lower() if re.fullmatch(r"[A-Z]\w*", size) else size if re.fullmatch(r"[^\W\d]\w*", size) else "k"


def _stan_type(name: str, bounds: str) -> str:
    lower, upper = (re.search(rf"{side}\s*=\s*([^,>]+)", bounds) for side in ("lower", "upper"))
    low, high = lower and lower[1].strip(), upper and upper[1].strip()
    whole = name == "int"
    kinds = {
        "simplex": "simplex", "ordered": "ordered", "positive_ordered": "positive_ordered", "bool": "bool", "cov_matrix": "cov",
        "corr_matrix": "corr", "cholesky_factor_corr": "corr_cholesky", "cholesky_factor_cov": "cov_cholesky",
        "sum_to_zero_vector": "sum_to_zero",
    }  # fmt: skip
    if name in kinds:
        return kinds[name]
    if low == "0" and high == "1":
        return "bool" if whole else "unit"
    if low == "0" and high is None:
        return "count" if whole else "positive"
    given = [f"{side} = {text}" for side, text in (("lower", low), ("upper", high)) if text]
    return ("int" if whole else "real") + (f"({', '.join(given)})" if given else "")


def _bounds(found: Match) -> str:
    return ", ".join(
        f"{side} = {found[group].strip()}" for side, group in (("lower", "low"), ("upper", "high")) if found[group].strip()
    )


STAN = (
    row(
        rf"^(?P<mark>(?:{TYPES})\s+(?P<name>\w+)\s*\(.*)\{{$",
        "E0120", "A function starts with `def`.", "write def <name>(x: real): real {",
    ),
    row(
        rf"^(?P<mark>(?:array\s*\[(?P<array>[^\]]*)\]\s*)?(?P<type>{TYPES})\s*(?P<bounds><[^;]*>)?\s*(?:\[(?P<size>[^\]]*)\])?"
        r"\s+(?P<name>[^\W\d]\w*)\s*(?:\[(?P<after>[^\]]*)\])?)\s*(?P<value>=.*)?",
        "E0120", "A declaration here starts with `data`, and the type stands behind a colon.", _stan_hint,
    ),
    row(
        r"^(?P<mark>target\s*\+=)\s*(?P<rest>.*)",
        "E0121", "There is no `target` to add to.", "what is added to the log density is a factor: factor <rest>",
    ),
    row(
        r"(?P<mark>\b(?:T|I)\s*[\[(](?P<low>[^,\])]*),(?P<high>[^\])]*)[\])])\s*$",
        "E0128", "A truncation is written into the distribution.", lambda m: f"write truncated(…, {_bounds(m)})",
    ),
)  # fmt: skip
