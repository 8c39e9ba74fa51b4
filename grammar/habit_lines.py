"""Lines in the manner of other languages: what they look like, and how the same is written here.

Looked up only for lines that can't be read. Each row: a pattern, a code, a message, a hint. ``<name>`` in a text stands for the
group of that name in the pattern; the group ``mark``, or the whole match, is what the carets point at.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

Match = re.Match[str]
SCALARS = "int|real|float|double|bool|vector|row_vector|matrix|simplex|ordered|positive_ordered|unit_vector|complex"
TYPES = rf"{SCALARS}|cov_matrix|corr_matrix|cholesky_factor_corr|cholesky_factor_cov|sum_to_zero_vector"
LONGEST = 500  # characters of a line that are looked at
HERE = "real|positive|nonnegative|unit|int|count|bool|simplex|ordered|positive_ordered|index"


@dataclass(frozen=True)
class Habit:
    """One manner of writing that is not this language's."""

    pattern: re.Pattern[str]
    code: str
    message: str
    hint: str | Callable[[Match], str]

    def texts(self, found: Match) -> tuple[str, str]:
        """The message and the hint for what was found."""
        hint = self.hint if isinstance(self.hint, str) else self.hint(found)
        return _filled(self.message, found), _filled(hint, found)


def _filled(text: str, found: Match) -> str:
    groups = found.groupdict()
    return re.sub(r"<(\w+)>", lambda m: groups.get(m[1]) or "" if m[1] in groups else m[0], text)


def _row(pattern: str, code: str, message: str, hint: str | Callable[[Match], str]) -> Habit:
    return Habit(re.compile(pattern, re.S), code, message, hint)


# ---------------------------------------------------------------- declarations of Stan


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


def _typed_hint(found: Match) -> str:
    """``data real<lower=0> y`` as it is written here."""
    kind = found["type"] if found["type"] in HERE.split("|") and not found["bounds"] else _stan_type(found["type"], found["bounds"] or "")
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


STAN = (
    _row(rf"^(?P<mark>(?:{TYPES})\s+(?P<name>\w+)\s*\(.*)\{{$", "E0120", "A function starts with `def`.",
         "write def <name>(x: real): real {"),
    _row(rf"^(?P<mark>(?:array\s*\[(?P<array>[^\]]*)\]\s*)?(?P<type>{TYPES})\s*(?P<bounds><[^;]*>)?\s*(?:\[(?P<size>[^\]]*)\])?"
         r"\s+(?P<name>[^\W\d]\w*)\s*(?:\[(?P<after>[^\]]*)\])?)\s*(?P<value>=.*)?", "E0120",
         "A declaration here starts with `data`, and the type stands behind a colon.", _stan_hint),
    _row(r"^(?P<mark>target\s*\+=)\s*(?P<rest>.*)", "E0121", "There is no `target` to add to.",
         "what is added to the log density is a factor: factor <rest>"),
    _row(r"(?P<mark>\b(?:T|I)\s*[\[(](?P<low>[^,\])]*),(?P<high>[^\])]*)[\])])\s*$", "E0128", "A truncation is written into the distribution.",
         lambda m: f"write truncated(…, {_bounds(m)})"),
)  # fmt: skip


def _bounds(found: Match) -> str:
    return ", ".join(f"{side} = {found[group].strip()}" for side, group in (("lower", "low"), ("upper", "high")) if found[group].strip())


# ---------------------------------------------------------------- blocks and versions

FOREIGN_BLOCKS = {
    "data": "declare what is known line by line: data y[obs]: real",
    "parameters": "leave it out: an unknown is declared by its prior, such as mu ~ Normal(0, 5)",
    "model": "leave it out: the whole file is the model",
    "generated quantities": "leave it out: what is computed is reported with the posterior, and fit.predict() draws new data",
    "transformed data": "leave it out: write name = expression, above where it is used",
    "transformed parameters": "leave it out: write name = expression, above where it is used",
    "functions": "leave it out: def may stand anywhere in the file",
}
BLOCKS = (
    _row(r"^(?P<mark>model\s+\w+)\s*(?:\(.*\)\s*)?\{$", "E0112", "`model NAME { … }` is not part of this version.",
         "a file holds one model: leave the line and its } out"),
    _row(r"^(?P<mark>density\s+\w+)\s*\{$", "E0112", "`density NAME { … }` is not part of this version.", "leave the block out"),
    _row(r"^(?P<mark>import)\s+[\"'“]", "E0112", "`import` of other files is not part of this version.", "copy the functions you need into this file"),
    *(_row(rf"^(?P<mark>{word.replace(' ', '[ ]+')})\s*\{{$", "E0123", f"There is no block `{word}`.", hint)
      for word, hint in FOREIGN_BLOCKS.items()),
    _row(r"^guide\s*:", "E0123", "A block takes braces.", "write guide { on this line and } on a line of its own"),
    _row(r"^guide\s+(?P<what>\w+.*)$", "E0123", "The head of a guide block is `guide {` alone.", "write in the block: backbone iaf(layers = 2)"),
)  # fmt: skip

# ---------------------------------------------------------------- loops and conditions

_LOOP = "loops run over dims or parts of them: for <i> in DIM { … } or for <i> in DIM[1:] { … }"
FLOW = (
    _row(r"^for\s*\(\s*(?:int\s+|size_t\s+|auto\s+)?(?P<i>\w+)(?:\s+in\s+[^{]*|.*)", "E0122", "The head of a loop is `for NAME in DIM {`, without parentheses.", _LOOP),
    _row(r"^for\s+(?P<i>\w+)\s+in\s+(?P<mark>(?:range|seq_len|seq_along|seq|arange|1:length)\b.*?)\s*\{?:?$", "E0122", "`<mark>` is not a dim.", _LOOP),
    _row(r"^for\s+(?P<i>\w+)\s+(?:in|=|∈)\s+(?P<mark>[\w.+*-]+\s*:\s*[\w.()+*-]+)", "E0122", "`<mark>` is not a dim.", _LOOP),
    _row(r"^for\s+(?P<i>\w+)\s+in\s+(?P<range>[^{:]*(?:\[[^\]]*\])?)(?P<mark>:)\s*$", "E0122", "A block takes braces, not a colon.",
         "write for <i> in <range> { and } on a line of its own"),
    _row(r"^for\s+(?P<mark>(?P<i>\w+)\s*,\s*\w+)\s+in\b", "E0122", "A loop has one variable.", "write two loops, one in the other"),
    _row(r"^(?P<mark>while|repeat|do|until)\b", "E0127", "There is no `<mark>`.", "loops run over dims: for t in DIM { … }"),
    _row(r"^(?P<mark>else\s+if|elif|elseif|else)\b", "E0127", "There is no `<mark>`.", "a choice is an expression: name = if(condition, value, otherwise)"),
    _row(r"^(?P<mark>if|unless|switch|match)\b", "E0127", "`<mark>` is no statement.", "a choice is an expression: name = if(condition, value, otherwise)"),
    _row(r"=\s*(?P<mark>if\b(?!\s*\().*)", "E0127", "`if` is a function here.", "write if(condition, value, otherwise)"),
    _row(r"(?P<a>[\w.()\[\]]+)\s+(?P<mark>if)\s+(?P<c>.+?)\s+else\s+(?P<b>[\w.()\[\]]+)", "E0127", "`if` is a function here.", "write if(<c>, <a>, <b>)"),
    _row(r"(?P<mark>\?)[^:?]*:", "E0127", "There is no `condition ? value : otherwise`.", "write if(condition, value, otherwise)"),
    _row(r"(?P<mark>\blambda\b)", "E0127", "There is no `lambda`.", "write a function of its own: def f(x: real): real { return … }"),
    _row(r"(?P<mark>\b(?:function)\s*\()", "E0127", "A function starts with `def`.", "write def f(x: real): real { return … }"),
    _row(r"(?P<mark>[\[(][^\[\]()]*\bfor\s+\w+\s+in\b[^\])]*[\])]?)", "E0127", "There are no comprehensions.", "over a whole dim write name[DIM] = expression, or a loop"),
    _row(r"^(?P<mark>end|begin|endfor|done)\b", "E0127", "There is no `<mark>`.", "a block starts with { and ends with }"),
    _row(r"^(?P<mark>break|continue|pass|try|yield|del|global|assert)\b(?!\s*[~=\[])", "E0127", "There is no `<mark>`.",
         "a program holds declarations, `~`, `=`, `for` and `factor`"),
)  # fmt: skip

# ---------------------------------------------------------------- Python and R


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


PYTHON = (
    _row(r"^(?:[\w.\[\]]+\s*=\s*)?(?P<mark>(?:numpyro|pyro|npyro|ed|tfp)\.sample)\(\s*f?[\"'](?P<name>\w+)[\"']\s*,\s*(?:\w+\.)*(?P<law>\w+)\((?P<rest>.*)", "E0126",
         "A draw is written with `~`.", _sample_hint),
    _row(r"^(?:[\w.\[\]]+\s*=\s*)?(?P<mark>(?:numpyro|pyro)\.(?P<law>deterministic|factor))\(\s*f?[\"'](?P<name>\w+)[\"']\s*,\s*(?P<rest>.*)", "E0126",
         "There is no `<mark>`.", _sample_hint),
    _row(r"^(?:[\w.\[\]]+\s*=\s*)?(?P<mark>(?:pm|pymc|pymc3|mc)\.(?P<law>Deterministic|Potential|Data|MutableData))\(\s*f?[\"'](?P<name>\w+)[\"']\s*,?\s*(?P<rest>.*)", "E0126",
         "There is no `<mark>`.", _sample_hint),
    _row(r"^(?:[\w.\[\]]+\s*=\s*)?(?P<mark>(?:pm|pymc|pymc3|mc)\.(?P<law>\w+))\(\s*f?[\"'](?P<name>\w+)[\"']\s*,?\s*(?P<rest>.*)", "E0126",
         "A draw is written with `~`, and its name stands on the left only.", _sample_hint),
    _row(r"^(?P<mark>with\s+[\w.]+.*?:?)$", "E0126", "There are no `with` blocks.",
         "the whole file is the model; a plate is a dim on the left: y[obs] ~ Normal(mu, sigma)"),
    _row(r"^(?P<mark>(?:import|from|library|require|using)\b.*)", "E0126", "Nothing is imported into a program.",
         "leave it out: all functions and distributions are there"),
    _row(r"^def\s+(?P<name>\w+)\s*\(.*(?P<mark>->)\s*(?P<type>\w+)", "E0126", "The type of a result stands behind a colon.", "write def <name>(…): <type> {"),
    _row(r"^def\s+(?P<name>\w+)\s*\([^{]*(?P<mark>:)\s*$", "E0126", "A block takes braces, not a colon.", "write def <name>(x: real): real { and } on a line of its own"),
    _row(r"(?P<mark>\b(?:np|jnp|numpy|jax|math|scipy|torch|tf|tt|pt|at|pm|dist|npd|tfd|stats|distrax)\.(?:\w+\.)*(?P<name>\w+))", "E0126",
         "Functions and distributions are called by their bare names here.", "write <name>"),
    _row(r"(?P<mark>(?P<a>[^\W\d]\w*)\.(?P<b>(?:sum|mean|std|var|min|max|prod|cumsum)))\s*\(", "E0126", "Arrays have no methods.", "write <b>(<a>)"),
    _row(r"(?P<mark>(?P<a>[^\W\d]\w*)\.T\b)", "E0126", "Arrays have no attributes.", "write transpose(<a>); often none is needed, since arrays align by dim name"),
    _row(r"(?P<mark>(?P<a>[^\W\d]\w*)\.(?P<b>[^\W\d]\w*))", "E0126", "A name has no dot in it.", "write <a>_<b>"),
    _row(r"(?P<mark>(?P<a>[^\W\d]\w*)\$(?P<b>[^\W\d]\w*))", "E0126", "There is no `$`: data are declared and have plain names.", "write data <b>[obs]: real, and then <b>"),
    _row(r"^(?P<mark>(?:var|let|const|val|auto)\s+(?P<name>\w+))", "E0120", "A variable needs no word in front of it.", "write <name> = … or <name> ~ …"),
    _row(r"^(?P<mark>print|cat|display|show)\b", "E0126", "A program prints nothing.", "what it computes is reported with the posterior"),
    _row(r"^(?P<mark>@\w+.*)", "E0126", "There are no decorators and macros.", "leave the line out"),
)  # fmt: skip

# ---------------------------------------------------------------- operators

OPERATORS = (
    _row(r"^(?P<name>.*?)\s*(?P<mark><-)\s*(?P<rest>.*)", "E0121", "A value is set with `=`.", "write <name> = <rest>"),
    _row(r"^(?P<name>.*?)\s*(?P<mark>:=)\s*(?P<rest>.*)", "E0121", "A value is set with `=`.", "write <name> = <rest>"),
    _row(r"^(?P<name>[^~]*?)\s*(?P<mark>[-+*/]=)\s*(?P<rest>.*)", "E0121", "A variable has one value and can't be changed by `<mark>`.",
         "give the new value a new name: new = <name> … , or reduce with sum(…, over = DIM)"),
    _row(r"(?P<mark>\+\+|--)\s*$", "E0121", "A variable has one value and can't be changed.", "give the new value a new name"),
    _row(r"(?P<rest>.+)(?P<mark>->)\s*(?P<name>\w+)$", "E0121", "A value is set with `=`, its name on the left.", "write <name> = <rest>"),
    _row(r"(?P<mark>\|>|%>%)", "E0125", "There are no pipes.", "write f(x)"),
    _row(r"(?P<mark>%\*%)", "E0125", "There is no `%*%`.", "the matrix product is @: it sums over the dim that both sides share"),
    _row(r"(?P<mark>%/%)", "E0125", "There is no `%/%`.", "to divide whole numbers write //"),
    _row(r"(?P<mark>%%)", "E0125", "There is no `%%`.", "the remainder is %"),
    _row(r"(?P<mark>%in%)", "E0125", "There is no `%in%`.", "compare with == and or"),
    _row(r"(?P<mark>&&|&)", "E0125", "There is no `<mark>`.", "write and"),
    _row(r"(?P<mark>\|\||\|)", "E0125", "There is no `<mark>`.", "write or"),
    _row(r"(?P<mark>!)(?!=)", "E0125", "There is no `!`.", "write not"),
    _row(r"(?P<mark><>)", "E0125", "There is no `<>`.", "write !="),
    _row(r"(?P<mark>===)", "E0125", "There is no `===`.", "write =="),
    _row(r"(?P<mark>=<|=>)", "E0125", "There is no `<mark>`.", "write <= or >="),
    _row(r"(?P<mark>\.~)", "E0125", "There is no `.~`.", "write name[DIM] ~ …; everything is elementwise already"),
    _row(r"(?P<mark>\.(?P<op>[*/^+-]))", "E0125", "There is no `<mark>`.", "write <op>: arithmetic is elementwise already"),
    _row(r"(?P<mark>//(?:\s*[^\W\d].*)?)$", "E0124", "A comment starts with `#`, not with `//`.", "write # in place of //"),
    _row(r"(?P<mark>/\*.*)$", "E0124", "A comment starts with `#`, not with `/*`.", "write # in front of each line of it"),
    _row(r"^(?P<mark>--.*|%.*)$", "E0124", "A comment starts with `#`.", "write # at its beginning"),
)  # fmt: skip

# ---------------------------------------------------------------- declarations written otherwise

DECLARATIONS = (
    _row(rf"^(?P<word>data|param)\s+(?P<mark>(?P<type>{TYPES}|count|positive)(?:\s*(?P<bounds><[^>]*>))?)\s+(?P<name>\w+)\s*(?P<dims>\[[^\]]*\])?",
         "E0120", "The type stands behind the name and a colon.", _typed_hint),
    _row(rf"^(?P<word>data|param)\s+(?P<name>\w+)\s*(?P<dims>\[[^\]]*\])?\s+(?P<mark>{HERE})\b", "E0105", "There is no `:` between the name and its type.",
         "write <word> <name><dims>: <mark>"),
    _row(rf"^(?P<name>[^\W\d]\w*)\s*(?P<dims>\[[^\]]*\])?\s*:?\s+(?P<mark>{HERE})$", "E0105", "This line says neither that it is known nor how it is drawn.",
         "what is known: data <name><dims>: <mark>; what is not: <name><dims>: <mark> ~ a distribution"),
    _row(r"^(?P<word>data|param)\s+(?P<name>\w+)\s*(?P<dims>\[[^\]]*\])?\s*:\s*(?P<type>\w+)\s*(?P<mark>\[(?P<size>[^\]]*)\])", "E0105",
         "The dims stand behind the name, not behind the type.", "write <word> <name>[<size>]: <type>"),
    _row(r"^(?P<word>data|param)\s+(?P<name>\w+)\s*(?P<dims>\[[^\]]*\])?\s*:\s*(?P<type>\w+)\s*(?P<mark>(?P<bounds><[^>]*>))", "E0105",
         "The bounds of a type stand in parentheses.", _typed_hint),
    _row(r"^(?P<word>data|param)\s+(?P<name>\w+)\s*(?P<dims>\[[^\]]*\])?\s*(?P<mark>~)", "E0105", "A declaration and what is drawn are two statements.",
         "write <word> <name><dims>: real, and on another line <name><dims> ~ …"),
    _row(r"^(?P<word>data|param)\s+(?P<name>\w+)\s*(?P<dims>\[[^\]]*\])?\s*(?:=.*)?$", "E0105", "The type of `<name>` is missing.", "write <word> <name><dims>: real"),
    _row(r"^(?P<word>data|param|dim)\s+(?P<name>\w+)\s*(?P<mark>,.*)", "E0105", "Each declaration has a line of its own.", "write <word> <name> … here and the others below"),
    _row(r"^dim\s+(?P<name>\w+)\s*(?P<mark>:\s*\w+)", "E0105", "A dim has no type.", "write dim <name>, or with a size dim <name> = 3"),
    _row(r"^dim\s+(?P<name>\w+)\s*(?P<mark>[\[(]?(?P<size>\w+)[\])]?)", "E0105", "The size of a dim stands behind `=`.", "write dim <name> = <size>"),
    _row(r"^def\s+(?P<name>\w+)\s*(?P<mark>\{|:|=)", "E0105", "A function needs its arguments in parentheses.", "write def <name>(x: real): real {"),
    _row(r"^gate\s+(?P<name>\w+)\s*(?P<mark>=|\s)\s*(?P<mode>\w+)", "E0105", "The mode of a gate stands behind a colon.", "write gate <name>: <mode>"),
    _row(r"^backbone\s*(?P<mark>[:=])\s*(?P<rest>.*)", "E0105", "The backbone stands behind the word alone.", "write backbone <rest>"),
    _row(r"^(?P<mark>(?:mean_field|full_rank|low_rank|iaf|maf)\b.*)", "E0105", "A backbone follows the word `backbone`.", "write backbone <mark>"),
)  # fmt: skip

# The ranges of R and Julia last: `a:b` inside brackets is a slice.
RANGES = (
    _row(r"(?:[(=~]|\bin\b)\s*(?P<mark>\d+\s*:\s*\w+)", "E0122", "There are no ranges such as `<mark>`.", "write a list [1, 2, 3], or let a dim run: for t in DIM"),
)  # fmt: skip

LINES: tuple[Habit, ...] = (*BLOCKS, *FLOW, *STAN, *PYTHON, *OPERATORS, *DECLARATIONS, *RANGES)


def habit_of(line: str) -> tuple[Habit, Match] | None:
    """The first manner that a line shows."""
    for habit in LINES:
        found = habit.pattern.search(line[:LONGEST])
        if found:
            return habit, found
    return None
