"""Lines in the manner of PyMC, NumPyro, other Python, and R."""

from __future__ import annotations

import re

from emfppl.grammar.habit import Match, row

ASSIGNED = r"^(?:[\w.\[\]]+\s*=\s*)?"
LABEL = r"\(\s*f?[\"'](?P<name>\w+)[\"']"
A, B = r"(?P<a>[^\W\d]\w*)", r"(?P<b>[^\W\d]\w*)"


def _sample_hint(found: Match) -> str:
    """``numpyro.sample("x", dist.Normal(0, 1), obs = y)`` and ``pm.Normal("x", 0, 1)`` as they are written here."""
    name, law, args = found["name"], found["law"], _closed(found["rest"])
    observed = re.search(r"\b(?:obs|observed)\s*=\s*(?:\w+\[[\"'])?([^\W\d]\w*)", found["rest"])
    if law.lower() in ("data", "mutabledata"):
        return f"write data {name}: real"
    if law.lower() in ("potential", "factor"):
        return f"write factor {args}"
    if law.lower() == "deterministic":
        return f"write {name} = {args}"
    data = f"; it is an observation where {observed[1]} is declared as data" if observed else ""
    return f"write {observed[1] if observed else name} ~ {law}({args}){data}"


def _closed(rest: str) -> str:
    """The arguments of a call, up to its own closing bracket, without those that say how Python stores it."""
    depth = 1
    for end, sign in enumerate(rest):
        depth += (sign in "([{") - (sign in ")]}")
        if depth == 0:
            rest = rest[:end]
            break
    rest = re.sub(r",?\s*\b(?:obs|observed|dims|shape|sample_shape|rng_key|size)\s*=\s*[^,()]*(?:\([^()]*\))?", "", rest)
    rest = re.sub(r"\s*=\s*", " = ", rest)
    rest = re.sub(r"\bmu\s*=\s*", "loc = ", re.sub(r"\b(?:sigma|sd)\s*=\s*", "scale = ", rest))
    return rest.strip(" ,")


# Also told of lines that can be read, where a dot leads to an inner variable of a sub-model.
DOTS = (
    row(
        r"(?P<mark>\b(?:np|jnp|numpy|jax|math|scipy|torch|tf|tt|pt|at|pm|dist|npd|tfd|stats|distrax)\.(?:\w+\.)*(?P<name>\w+))",
        "E0126", "Functions and distributions are called by their bare names here.", "write <name>",
    ),
    row(
        rf"(?P<mark>{A}\.(?P<b>(?:sum|mean|std|var|min|max|prod|cumsum)))\s*\(",
        "E0126", "Arrays have no methods.", "write <b>(<a>)",
    ),
    row(
        rf"(?P<mark>{A}\.T\b)",
        "E0126", "Arrays have no attributes.",
        "write transpose(<a>); often none is needed, since arrays align by dim name",
    ),
)  # fmt: skip
PYTHON = (
    row(
        rf"{ASSIGNED}(?P<mark>(?:numpyro|pyro|npyro|ed|tfp)\.sample){LABEL}\s*,\s*(?:\w+\.)*(?P<law>\w+)\((?P<rest>.*)",
        "E0126", "A draw is written with `~`.", _sample_hint,
    ),
    row(
        rf"{ASSIGNED}(?P<mark>(?:numpyro|pyro)\.(?P<law>deterministic|factor)){LABEL}\s*,\s*(?P<rest>.*)",
        "E0126", "There is no `<mark>`.", _sample_hint,
    ),
    row(
        rf"{ASSIGNED}(?P<mark>(?:pm|pymc|pymc3|mc)\.(?P<law>Deterministic|Potential|Data|MutableData)){LABEL}\s*,?\s*(?P<rest>.*)",
        "E0126", "There is no `<mark>`.", _sample_hint,
    ),
    row(
        rf"{ASSIGNED}(?P<mark>(?:pm|pymc|pymc3|mc)\.(?P<law>\w+)){LABEL}\s*,?\s*(?P<rest>.*)",
        "E0126", "A draw is written with `~`, and its name stands on the left only.", _sample_hint,
    ),
    row(
        r"^(?P<mark>with\s+[\w.]+.*?:?)$",
        "E0126", "There are no `with` blocks.",
        "the whole file is the model; a plate is a dim on the left: y[obs] ~ Normal(mu, sigma)",
    ),
    row(
        r"^(?P<mark>(?:import|from|library|require|using)\b.*)",
        "E0126", "Nothing is imported into a program.",
        'leave it out: all functions and distributions are there; another .emf file comes with import "file.emf"',
    ),
    row(
        r"^def\s+(?P<name>\w+)\s*\(.*(?P<mark>->)\s*(?P<type>\w+)",
        "E0126", "The type of a result stands behind a colon.", "write def <name>(…): <type> {",
    ),
    row(
        r"^def\s+(?P<name>\w+)\s*\([^{]*(?P<mark>:)\s*$",
        "E0126", "A block takes braces, not a colon.", "write def <name>(x: real): real { and } on a line of its own",
    ),
    *DOTS,
    row(rf"(?P<mark>{A}\.{B})", "E0126", "A name has no dot in it.", "write <a>_<b>"),
    row(
        rf"(?P<mark>{A}\${B})",
        "E0126", "There is no `$`: data are declared and have plain names.",
        "write data <b>[obs]: real, and then <b>",
    ),
    row(
        r"^(?P<mark>(?:var|let|const|val|auto)\s+(?P<name>\w+))",
        "E0120", "A variable needs no word in front of it.", "write <name> = … or <name> ~ …",
    ),
    row(
        r"^(?P<mark>print|cat|display|show)\b",
        "E0126", "A program prints nothing.", "what it computes is reported with the posterior",
    ),
    row(r"^(?P<mark>@\w+.*)", "E0126", "There are no decorators and macros.", "leave the line out"),
)  # fmt: skip
