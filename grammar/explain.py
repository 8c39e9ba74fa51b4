"""What to say of a line that the grammar refuses: a habit from elsewhere, or what stands where it can't."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from lark import Token

from emfppl.grammar.diagnostics import Diagnostic
from emfppl.grammar.fault import Fault
from emfppl.grammar.habit import Habit, Match
from emfppl.grammar.habit_lines import habit_of
from emfppl.grammar.habits_of_python import DOTS
from emfppl.grammar.source import SourceText, Span
from emfppl.grammar.tokens import ENDS, LEADS, OPERANDS, OPERATORS, STARTS, WORDS, place

FORMS = {
    "DIM": "dim NAME, or dim NAME = size", "DATA": "data NAME[dims]: type", "PARAM": "param NAME[dims]: type = start",
    "DEF": "def NAME(x: real): real { … return … }", "FOR": "for NAME in DIM {", "FACTOR": "factor expression",
    "RETURN": "return expression", "GUIDE": "guide {", "NAME": "NAME ~ distribution, or NAME = expression",
    "LAW": "distribution NAME(x: real, scale: positive) { … return … }",
    "MODEL": "model NAME(x: real) { … return … }", "IMPORT": 'import "file.emf"',
    "BACKBONE": "backbone iaf(layers = 2)", "GATE": "gate NAME: per_element, or gate NAME: off",
    "DENSITY": "density NAME {", "CONDITIONED_ON": "conditioned_on NAME",
}  # fmt: skip


BEHIND = {
    "TILDE": "write a distribution behind it, such as Normal(0, 1)", "COLON": "write a type behind it, such as real",
    "EQUAL": "write a value behind it, in the same line or in parentheses that open there",
}  # fmt: skip


def explain(fault: Fault) -> Diagnostic:
    """The one thing to say of a line that can't be read."""
    for rule in RULES:
        told = rule(fault)
        if told is not None:
            return told
    return _unexpected(fault)


# ---------------------------------------------------------------- rules, first come


def _habit(fault: Fault) -> Diagnostic | None:
    found = habit_of(fault.text)
    return None if found is None else _told_habit(found, fault.tokens[0].start_pos or 0, fault.source)


def _told_habit(found: tuple[Habit, Match], first: int, source: SourceText) -> Diagnostic:
    """What a habit in the line that begins at the offset `first` says."""
    habit, match = found
    start, end = match.span("mark") if "mark" in match.re.groupindex else match.span()
    message, hint = habit.texts(match)
    return Diagnostic(habit.code, message, Span(first + start, first + end), hint, source)


def _string(fault: Fault) -> Diagnostic | None:
    token = next((t for t in fault.tokens if t.type == "STRING"), None)
    if token is None:
        return None
    if token[0] == "'" and fault.source.text[(token.start_pos or 1) - 1] in ")]":
        return fault.tell(
            "E0125",
            "There is no `'` for a transpose behind an expression.",
            Span(place(token).start, place(token).start + 1),
            "write transpose(…)",
        )
    if len(token) == 1 or token[-1] != token[0]:
        return fault.tell(
            "E0108",
            f"The string that this {token[0]} opens never ends, and there are no strings in a program.",
            place(token),
            "delete it; labels of a dim come with the data",
        )
    return fault.tell(
        "E0108",
        f"There are no strings in a program, such as {token}.",
        place(token),
        "delete the quotation marks of a name; labels of a dim come with the data",
    )


def _word_as_name(fault: Fault) -> Diagnostic | None:
    """``data = 3``, ``x = 2 * for``."""
    token = fault.token
    first = fault.tokens[0]
    if fault.at == 1 and first.type in WORDS and token is not None and token.type in ("EQUAL", "TILDE", "LSQB"):
        token = first
    elif token is None or token.type not in WORDS or "NAME" not in fault.expected:
        return None
    return fault.tell(
        "E0107", f"`{token}` is a word of the language and can't be a name.", place(token), f"choose another name, such as {token}_"
    )


def _statement_word_inside(fault: Fault) -> Diagnostic | None:
    """A second statement in the same line."""
    token = fault.token
    if token is None or fault.at == 0 or token.type not in FORMS or not (ENDS & {fault.tokens[fault.at - 1].type}):
        return None
    row = fault.kinds()[fault.at :]
    if token.type == "NAME" and not {"TILDE", "EQUAL"} & set(row[1:2]):
        return None
    if "$END" not in fault.expected:
        return None
    return fault.tell(
        "E0102", f"A new statement starts at `{token}` in the middle of a line.", place(token), "write it on a line of its own"
    )


def _ends_too_early(fault: Fault) -> Diagnostic | None:
    """The line ends behind something that must go on, or before it says anything."""
    if fault.token is not None and fault.token.type != "LBRACE":
        return None
    last = fault.before
    if last is None:
        hint = "blocks start with for, def, model, density or guide"
        return fault.tell("E0123", "This `{` opens nothing.", place(fault.tokens[0]), hint)
    if last.type in LEADS:
        hint = "a statement goes on in the next line only inside parentheses: write ( behind = or in front of the sum"
        if last.type in BEHIND:
            hint = BEHIND[last.type]
        return fault.tell("E0102", f"The statement ends after `{last}`.", place(last), hint)
    kind = fault.tokens[0].type
    if kind == "NAME" and not fault.inside:
        return _says_nothing(fault)
    if "LBRACE" in fault.expected and fault.token is None:
        hint = "write { at the end of this line and } on a line of its own behind the block"
        return fault.tell("E0102", f"The block of `{fault.tokens[0]}` does not open.", fault.span, hint)
    return fault.tell("E0102", f"This `{fault.tokens[0]}` is not finished.", fault.span, _form(fault))


def _form(fault: Fault) -> str:
    form = FORMS.get(fault.tokens[0].type)
    return f"write {form}" if form else ""


def _says_nothing(fault: Fault) -> Diagnostic | None:
    """An expression, or a name, alone on its line."""
    kinds = fault.kinds()
    if fault.inside or kinds[0] not in STARTS | {"MINUS", "PLUS", "NOT"} or {"TILDE", "EQUAL"} & set(_outside(kinds)):
        return None
    if kinds[-1] == "LBRACE":
        text = fault.source.text[fault.span.start : fault.span.end]
        return fault.tell(
            "E0123",
            f"There is no block `{' '.join(text.split())}`.",
            fault.span,
            "blocks start with for, def, model, density or guide; leave the line and its } out",
        )
    if any(a in OPERANDS and b in OPERANDS for a, b in zip(kinds, kinds[1:], strict=False)):
        return fault.tell(
            "E0106",
            "This line is no statement.",
            fault.span,
            "a statement has a ~ or an =, or starts with dim, data, param, def, model, density, for, factor, guide or import; "
            "a comment starts with #",
        )
    name = fault.tokens[0]
    hint = "to set a variable write name = …, to draw one name ~ …, to add to the log density factor …"
    if kinds == ["NAME"]:
        hint = f"write {name} ~ a distribution, {name} = a value, or data {name}: real if it is known"
    if "EQUALS" in kinds:
        hint = "to set a variable write = in place of ==; what was observed is data, with ~"
    return fault.tell("E0106", "This line has a value and does nothing with it.", fault.span, hint)


def _outside(kinds: list[str]) -> list[str]:
    """The kinds that stand in no bracket."""
    depth, out = 0, []
    for kind in kinds:
        depth += (kind in ("LPAR", "LSQB")) - (kind in ("RPAR", "RSQB"))
        if depth == 0:
            out.append(kind)
    return out


def _left_side(fault: Fault) -> Diagnostic | None:
    """Something other than a variable in front of ``~`` or ``=``."""
    kinds = fault.kinds()
    sign = next((i for i, k in enumerate(kinds) if k in ("TILDE", "EQUAL") and k in _outside(kinds[: i + 1])[-1:]), None)
    if fault.inside or sign is None or fault.at > sign or kinds[0] in FORMS.keys() - {"NAME"}:
        return None
    span = place(fault.tokens[0]).to(place(fault.tokens[max(sign - 1, 0)]))
    text = " ".join(fault.source.text[span.start : span.end].split())
    mark = fault.tokens[sign]
    if sign == 0:
        return fault.tell("E0105", f"Nothing stands on the left of `{mark}`.", place(mark), "write a name in front of it")
    if "COMMA" in _outside(kinds[:sign]):
        return fault.tell(
            "E0105",
            f"`{text}`: a statement defines one variable.",
            span,
            "write a statement for each, or one array over a dim: x[k] ~ …",
        )
    if kinds[:sign].count("LSQB") > 1 and kinds[0] == "NAME" and "LPAR" not in kinds[:sign]:
        return fault.tell("E0105", f"`{text}`: all subscripts stand in one pair of brackets.", span, "write x[i, j]")
    if kinds[0] == "NAME" and kinds[1:2] == ["LPAR"]:
        hint = (
            "name the variable: y = …, or for a density of its own factor …"
            if kinds[sign] == "TILDE"
            else "to define a function write def f(x: real): real { return … }"
        )
        return fault.tell("E0105", f"On the left of `{mark}` stands a variable; `{text}` is a call.", span, hint)
    return fault.tell(
        "E0105",
        f"On the left of `{mark}` stands the name of a variable; `{text}` is none.",
        span,
        "such as mu, theta[school] or x[t]",
    )


def _two_in_a_row(fault: Fault) -> Diagnostic | None:
    """Two values, or two operators, with nothing between them."""
    token, before = fault.token, fault.before
    if token is None or before is None:
        return None
    both = place(before).to(place(token))
    if before.type in ENDS and token.type in STARTS:
        if before.type == "NUMBER" and before.end_pos == token.start_pos:
            return fault.tell("E0111", f"`{before}{token}` is neither a number nor a name.", both, _number_hint(before, token))
        inside = len([k for k in fault.kinds()[: fault.at] if k in ("LPAR", "LSQB")]) > len(
            [k for k in fault.kinds()[: fault.at] if k in ("RPAR", "RSQB")]
        )
        if fault.tokens[0].type == "FOR":
            return fault.tell("E0105", f"Nothing stands between `{before}` and `{token}`.", both, _form(fault))
        hint = "write a comma or an operator between them" if inside else "write an operator between them, or a new line"
        return fault.tell("E0105", f"Nothing stands between `{before}` and `{token}`.", both, hint)
    if before.type in LEADS and token.type in ("RPAR", "RSQB"):
        return fault.tell("E0105", f"Nothing stands between `{before}` and `{token}`.", both, "write a value between them")
    if before.type in LEADS and token.type in OPERATORS | {"EQUAL", "TILDE", "COLON", "COMMA"}:
        if before.type == "EQUAL" and token.type == "EQUAL":
            return fault.tell("E0105", "There is an = too many.", both, "")
        return fault.tell(
            "E0105", f"`{token}` can't follow `{before}`.", both, "is a value missing between them, or one of them too many?"
        )
    return None


def _number_hint(before: Token, token: Token) -> str:
    if re.fullmatch(r"[0-9_]+", before + token):
        return f"write {(before + token).replace('_', '')}"
    return f"to multiply write {before} * {token}; numbers look like 1000, 0.5 or 1e-3"


def _gap_in_brackets(fault: Fault) -> Diagnostic | None:
    """``x[1,]``, ``f(, 2)``, ``x[]``."""
    token, before = fault.token, fault.before
    if token is None or before is None or before.type not in ("LPAR", "LSQB", "COMMA"):
        return None
    if token.type not in ("COMMA", "RSQB", "RPAR"):
        return None
    square = _innermost(fault) == "LSQB"
    hint = "for a whole axis write :" if square else "write a value between them, or delete the comma"
    return fault.tell("E0105", f"Nothing stands between `{before}` and `{token}`.", place(before).to(place(token)), hint)


def _innermost(fault: Fault) -> str:
    """The kind of the bracket that is open at the fault."""
    stack: list[str] = []
    for kind in fault.kinds()[: fault.at]:
        if kind in ("LPAR", "LSQB"):
            stack.append(kind)
        elif kind in ("RPAR", "RSQB") and stack:
            stack.pop()
    return stack[-1] if stack else ""


def _equals_inside(fault: Fault) -> Diagnostic | None:
    """A second ``=`` or ``~`` in a statement."""
    token = fault.token
    if token is None or token.type not in ("EQUAL", "TILDE"):
        return None
    earlier = next((t for t in fault.tokens[: fault.at] if t.type in ("EQUAL", "TILDE")), None)
    if _innermost(fault):
        hint = (
            "to compare write ==; an argument is named as in loc = 0"
            if token.type == "EQUAL"
            else "a draw is a statement of its own"
        )
        return fault.tell("E0105", f"`{token}` can't stand inside an expression.", place(token), hint)
    if earlier is not None:
        hint = "to compare write ==" if token.type == "EQUAL" and earlier.type != "EQUAL" else "write a statement for each"
        return fault.tell("E0105", "A statement has one `=` or `~`; this is the second.", place(token), hint)
    return None


def _symbol(fault: Fault) -> Diagnostic | None:
    """A sign that no rule knows."""
    token = fault.token
    if token is None or token.type != "OTHER":
        return None
    return fault.tell(
        "E0101", f"`{token}` does not belong in a program.", place(token), "delete it, or write # in front of a comment"
    )


def _in_guide(fault: Fault) -> Diagnostic | None:
    """Something else in a guide block, or a gate outside of one."""
    words = [str(t) for t in fault.tokens[:3]]
    if fault.inside != "guide" and fault.at == 1 and (words[0] == "backbone" or (words[0] == "gate" and words[2:] == [":"])):
        return fault.tell(
            "E0109", f"`{words[0]}` stands outside of a guide block.", fault.span, "write guide { above it and } below"
        )
    if fault.inside != "guide" or fault.at > 0:
        return None
    return fault.tell(
        "E0109", "In a guide block stand `backbone` and `gate` only.", fault.span, "such as backbone iaf(layers = 2) or gate x: off"
    )


def _in_density(fault: Fault) -> Diagnostic | None:
    """Something else in a density block, or what belongs in one outside of it."""
    kinds = fault.kinds()
    if not fault.inside and kinds[:2] == ["NAME", "NAME"] and str(fault.tokens[0]) == "conditioned_on":
        message = "`conditioned_on` stands outside of a density block."
        return fault.tell("E0109", message, fault.span, "write it in the block of the density whose data these are")
    if fault.inside != "density":
        return None
    if kinds[0] == "CONDITIONED_ON" and fault.token is not None:
        return fault.tell("E0105", "Names of data follow `conditioned_on`.", fault.span, "write conditioned_on c, w")
    drawn = {"TILDE", "EQUAL"} & set(_outside(kinds)) and kinds[0] == "NAME"
    if fault.at > 0 and not drawn:
        return _two_layers(fault)
    hint = "draws and params stand in a model, which is a layer here: structured(NAME)"
    if kinds[0] not in ("NAME", "PARAM", "FACTOR", "FOR", "RETURN"):
        hint = "such as maf(hidden = [64, 64]); declare what else is needed outside of the block"
    return fault.tell("E0109", "In a density block stand `data`, `conditioned_on` and layers only.", fault.span, hint)


def _two_layers(fault: Fault) -> Diagnostic | None:
    """``layer reverse``, ``maf(hidden = [8]) reverse``."""
    if fault.token is None or fault.token.type != "NAME" or fault.tokens[0].type != "NAME" or _innermost(fault):
        return None
    if str(fault.tokens[0]) == "gate":
        return fault.tell("E0109", "`gate` stands outside of a guide block.", fault.span, "write structured(NAME, gated = true)")
    hint = f"write {fault.token} on a line of its own" + f", without `{fault.before}`" * (fault.at == 1)
    return fault.tell("E0105", "A layer stands alone on its line.", place(fault.token), hint)


def _declared_dims(fault: Fault) -> Diagnostic | None:
    """``data y[3]: real``, ``for t in 10``."""
    token, kind = fault.token, fault.tokens[0].type
    if token is None or token.type not in ("NUMBER", "COLON", "PLUS", "MINUS", "STAR", "LPAR"):
        return None
    if kind == "FOR" and "LBRACE" not in fault.kinds()[: fault.at]:
        return fault.tell("E0122", "A loop runs over a dim.", fault.span, "declare it, dim NAME, and write for t in NAME { … }")
    if kind in ("DATA", "PARAM", "DEF") and _innermost(fault) == "LSQB":
        return fault.tell(
            "E0105",
            "The brackets of a declaration hold names of dims.",
            place(token),
            "declare the dim, with its size if it is fixed: dim k = 3, and write its name",
        )
    return None


def foreign_dots(tokens: Sequence[Token], source: SourceText) -> Diagnostic | None:
    """``np.log(x)``, ``x.mean()``, ``A.T``: a line that can be read, its dots being those of sub-models, and is Python."""
    if all(t.type != "DOTTED" for t in tokens):
        return None
    span = place(tokens[0]).to(place(tokens[-1]))
    found = habit_of(source.text[span.start : span.end], DOTS)
    first = next(str(t) for t in tokens if t.type == "DOTTED").split(".")[0]
    if found is None or re.search(rf"\bas\s+{first}\b", source.text):
        return None
    return _told_habit(found, span.start, source)


def _unexpected(fault: Fault) -> Diagnostic:
    token = fault.token
    if token is None:
        return fault.tell("E0102", "The statement is not finished.", fault.span, _form(fault))
    if fault.at == 0:
        return fault.tell(
            "E0105",
            f"A statement can't start with `{token}`.",
            place(token),
            "it starts with a name, or with dim, data, param, def, model, density, for, factor, guide or import",
        )
    if token.type == "LBRACE":
        return fault.tell("E0105", "Braces hold the body of a for, def, model, density or guide.", place(token), "")
    return fault.tell(
        "E0105",
        f"`{token}` can't stand behind `{fault.before}`.",
        place(token),
        _form(fault) if fault.tokens[0].type != "NAME" else "",
    )


RULES: tuple[Callable[[Fault], Diagnostic | None], ...] = (
    _in_density, _habit, _in_guide, _string, _word_as_name, _statement_word_inside, _ends_too_early, _says_nothing, _symbol,
    _gap_in_brackets, _left_side, _declared_dims, _equals_inside, _two_in_a_row,
)  # fmt: skip
