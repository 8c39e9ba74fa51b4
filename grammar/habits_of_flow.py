"""Blocks, loops and conditions in the manner of other languages."""

from __future__ import annotations

from emfppl.grammar.habit import row

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
    row(
        r"^(?P<mark>density)\s*\{$",
        "E0123", "A density block has a name.", "write density NAME {",
    ),
    row(
        r"^(?P<mark>density\s+(?P<name>\w+)\s*\(.*)\{$",
        "E0123", "The head of a density block is `density <name> {` alone.",
        "what the density is conditioned on stands in the block: conditioned_on c",
    ),
    row(
        r"^(?P<mark>density\s+(?P<name>\w+)\s*:?)$",
        "E0123", "A block takes braces.", "write density <name> { on this line and } on a line of its own",
    ),
    *(
        row(rf"^(?P<mark>{word.replace(' ', '[ ]+')})\s*\{{$", "E0123", f"There is no block `{word}`.", hint)
        for word, hint in FOREIGN_BLOCKS.items()
    ),
    row(r"^guide\s*:", "E0123", "A block takes braces.", "write guide { on this line and } on a line of its own"),
    row(
        r"^guide\s+(?P<what>\w+.*)$",
        "E0123", "The head of a guide block is `guide {` alone.", "write in the block: backbone iaf(layers = 2)",
    ),
)  # fmt: skip

_LOOP = "loops run over dims or parts of them: for <i> in DIM { … } or for <i> in DIM[1:] { … }"
FLOW = (
    row(
        r"^for\s*\(\s*(?:int\s+|size_t\s+|auto\s+)?(?P<i>\w+)(?:\s+in\s+[^{]*|.*)",
        "E0122", "The head of a loop is `for NAME in DIM {`, without parentheses.", _LOOP,
    ),
    row(
        r"^for\s+(?P<i>\w+)\s+in\s+(?P<mark>(?:range|seq_len|seq_along|seq|arange|1:length)\b.*?)\s*\{?:?$",
        "E0122", "`<mark>` is not a dim.", _LOOP,
    ),
    row(
        r"^for\s+(?P<i>\w+)\s+(?:in|=|∈)\s+(?P<mark>[\w.+*-]+\s*:\s*[\w.()+*-]+)",
        "E0122", "`<mark>` is not a dim.", _LOOP,
    ),
    row(
        r"^for\s+(?P<i>\w+)\s+in\s+(?P<range>[^{:]*(?:\[[^\]]*\])?)(?P<mark>:)\s*$",
        "E0122", "A block takes braces, not a colon.", "write for <i> in <range> { and } on a line of its own",
    ),
    row(
        r"^for\s+(?P<mark>(?P<i>\w+)\s*,\s*\w+)\s+in\b",
        "E0122", "A loop has one variable.", "write two loops, one in the other",
    ),
    row(
        r"^(?P<mark>while|repeat|do|until)\b",
        "E0127", "There is no `<mark>`.", "loops run over dims: for t in DIM { … }",
    ),
    row(
        r"^(?P<mark>else\s+if|elif|elseif|else)\b",
        "E0127", "There is no `<mark>`.", "a choice is an expression: name = if(condition, value, otherwise)",
    ),
    row(
        r"^(?P<mark>if|unless|switch|match)\b",
        "E0127", "`<mark>` is no statement.", "a choice is an expression: name = if(condition, value, otherwise)",
    ),
    row(
        r"=\s*(?P<mark>if\b(?!\s*\().*)",
        "E0127", "`if` is a function here.", "write if(condition, value, otherwise)",
    ),
    row(
        r"(?P<a>[\w.()\[\]]+)\s+(?P<mark>if)\s+(?P<c>.+?)\s+else\s+(?P<b>[\w.()\[\]]+)",
        "E0127", "`if` is a function here.", "write if(<c>, <a>, <b>)",
    ),
    row(
        r"(?P<mark>\?)[^:?]*:",
        "E0127", "There is no `condition ? value : otherwise`.", "write if(condition, value, otherwise)",
    ),
    row(
        r"(?P<mark>\blambda\b)",
        "E0127", "There is no `lambda`.", "write a function of its own: def f(x: real): real { return … }",
    ),
    row(
        r"(?P<mark>\b(?:function)\s*\()",
        "E0127", "A function starts with `def`.", "write def f(x: real): real { return … }",
    ),
    row(
        r"(?P<mark>[\[(][^\[\]()]*\bfor\s+\w+\s+in\b[^\])]*[\])]?)",
        "E0127", "There are no comprehensions.", "over a whole dim write name[DIM] = expression, or a loop",
    ),
    row(
        r"^(?P<mark>end|begin|endfor|done)\b",
        "E0127", "There is no `<mark>`.", "a block starts with { and ends with }",
    ),
    row(
        r"^(?P<mark>break|continue|pass|try|yield|del|global|assert)\b(?!\s*[~=\[])",
        "E0127", "There is no `<mark>`.", "a program holds declarations, `~`, `=`, `for` and `factor`",
    ),
)  # fmt: skip
