"""Operators, comments and declarations that are nearly those of the language."""

from __future__ import annotations

from emfppl.grammar.habit import row
from emfppl.grammar.habits_of_stan import HERE, TYPES, typed_hint

DECLARED = r"^(?P<word>data|param)\s+(?P<name>\w+)\s*(?P<dims>\[[^\]]*\])?"

OPERATORS = (
    row(
        r"^(?P<name>.*?)\s*(?P<mark><-|:=)\s*(?P<rest>[A-Z][A-Za-z]+\(.*)",
        "E0121", "A random variable is drawn with `~`.", "write <name> ~ <rest>",
    ),
    row(
        r"^(?P<name>.*?)\s*(?P<mark><-)\s*(?P<rest>.*)",
        "E0121", "A value is set with `=`.", "write <name> = <rest>",
    ),
    row(
        r"^(?P<name>.*?)\s*(?P<mark>:=)\s*(?P<rest>.*)",
        "E0121", "A value is set with `=`.", "write <name> = <rest>",
    ),
    row(
        r"^(?P<name>[^~]*?)\s*(?P<mark>[-+*/]=)\s*(?P<rest>.*)",
        "E0121", "A variable has one value and can't be changed by `<mark>`.",
        "give the new value a new name: new = <name> … , or reduce with sum(…, over = DIM)",
    ),
    row(
        r"(?P<mark>\+\+|--)\s*$",
        "E0121", "A variable has one value and can't be changed.", "give the new value a new name",
    ),
    row(
        r"(?P<rest>.+)(?P<mark>->)\s*(?P<name>\w+)$",
        "E0121", "A value is set with `=`, its name on the left.", "write <name> = <rest>",
    ),
    row(r"(?P<mark>\|>|%>%)", "E0125", "There are no pipes.", "write f(x)"),
    row(
        r"(?P<mark>%\*%)",
        "E0125", "There is no `%*%`.", "the matrix product is @: it sums over the dim that both sides share",
    ),
    row(r"(?P<mark>%/%)", "E0125", "There is no `%/%`.", "to divide whole numbers write //"),
    row(r"(?P<mark>%%)", "E0125", "There is no `%%`.", "the remainder is %"),
    row(r"(?P<mark>%in%)", "E0125", "There is no `%in%`.", "compare with == and or"),
    row(r"(?P<mark>&&|&)", "E0125", "There is no `<mark>`.", "write and"),
    row(r"(?P<mark>\|\||\|)", "E0125", "There is no `<mark>`.", "write or"),
    row(r"(?P<mark>!)(?!=)", "E0125", "There is no `!`.", "write not"),
    row(r"(?P<mark><>)", "E0125", "There is no `<>`.", "write !="),
    row(r"(?P<mark>===)", "E0125", "There is no `===`.", "write =="),
    row(r"(?P<mark>=<|=>)", "E0125", "There is no `<mark>`.", "write <= or >="),
    row(r"(?P<mark>\.~)", "E0125", "There is no `.~`.", "write name[DIM] ~ …; everything is elementwise already"),
    row(
        r"(?P<mark>\.(?P<op>[*/^+-]))",
        "E0125", "There is no `<mark>`.", "write <op>: arithmetic is elementwise already",
    ),
    row(
        r"(?P<mark>//(?:\s*[^\W\d].*)?)$",
        "E0124", "A comment starts with `#`, not with `//`.", "write # in place of //",
    ),
    row(
        r"(?P<mark>/\*.*)$",
        "E0124", "A comment starts with `#`, not with `/*`.", "write # in front of each line of it",
    ),
    row(r"^(?P<mark>--.*|%.*)$", "E0124", "A comment starts with `#`.", "write # at its beginning"),
)  # fmt: skip

DECLARATIONS = (
    row(
        rf"^(?P<word>data|param)\s+(?P<mark>(?P<type>{TYPES}|count|positive)(?:\s*(?P<bounds><[^>]*>))?)\s+(?P<name>\w+)\s*(?P<dims>\[[^\]]*\])?",
        "E0120", "The type stands behind the name and a colon.", typed_hint,
    ),
    row(
        rf"{DECLARED}\s+(?P<mark>{HERE})\b",
        "E0105", "There is no `:` between the name and its type.", "write <word> <name><dims>: <mark>",
    ),
    row(
        rf"^(?P<name>[^\W\d]\w*)\s*(?P<dims>\[[^\]]*\])?\s*:?\s+(?P<mark>{HERE})$",
        "E0105", "This line says neither that it is known nor how it is drawn.",
        "what is known: data <name><dims>: <mark>; what is not: <name><dims>: <mark> ~ a distribution",
    ),
    row(
        rf"{DECLARED}\s*:\s*(?P<type>\w+)\s*(?P<mark>\[(?P<size>[^\]]*)\])",
        "E0105", "The dims stand behind the name, not behind the type.", "write <word> <name>[<size>]: <type>",
    ),
    row(
        rf"{DECLARED}\s*:\s*(?P<type>\w+)\s*(?P<mark>(?P<bounds><[^>]*>))",
        "E0105", "The bounds of a type stand in parentheses.", typed_hint,
    ),
    row(
        rf"{DECLARED}\s*(?P<mark>~)",
        "E0105", "A declaration and what is drawn are two statements.",
        "write <word> <name><dims>: real, and on another line <name><dims> ~ …",
    ),
    row(rf"{DECLARED}\s*(?:=.*)?$", "E0105", "The type of `<name>` is missing.", "write <word> <name><dims>: real"),
    row(
        r"^(?P<word>data|param|dim)\s+(?P<name>\w+)\s*(?P<mark>,.*)",
        "E0105", "Each declaration has a line of its own.", "write <word> <name> … here and the others below",
    ),
    row(
        r"^dim\s+(?P<name>\w+)\s*(?P<mark>:\s*\w+)",
        "E0105", "A dim has no type.", "write dim <name>, or with a size dim <name> = 3",
    ),
    row(
        r"^dim\s+(?P<name>\w+)\b\s*(?P<mark>[\[(]?(?P<size>\w+)[\])]?)",
        "E0105", "The size of a dim stands behind `=`.", "write dim <name> = <size>",
    ),
    row(
        r"^def\s+(?P<name>\w+)\s*(?P<mark>\{|:|=)",
        "E0105", "A function needs its arguments in parentheses.", "write def <name>(x: real): real {",
    ),
    row(
        r"^gate\s+(?P<name>\w+)\s*(?P<mark>=|\s)\s*(?P<mode>\w+)",
        "E0105", "The mode of a gate stands behind a colon.", "write gate <name>: <mode>",
    ),
    row(
        r"^backbone\s*(?P<mark>[:=])\s*(?P<rest>.*)",
        "E0105", "The backbone stands behind the word alone.", "write backbone <rest>",
    ),
    row(
        r"^(?P<mark>(?:mean_field|full_rank|low_rank|iaf)\b.*)",
        "E0105", "A backbone follows the word `backbone`.", "write backbone <mark>",
    ),
    row(
        r"^(?P<mark>(?P<layer>maf|actnorm|coupling|structured|dequantize)\b(?:\(.*\))?)$",
        "E0109", "The layer `<layer>` stands outside of a density block.", "write density NAME { above it and } below",
    ),
)  # fmt: skip

# The ranges of R and Julia last: `a:b` inside brackets is a slice.
RANGES = (
    row(
        r"(?:[(=~]|\bin\b)\s*(?P<mark>\d+\s*:\s*\w+)",
        "E0122", "There are no ranges such as `<mark>`.", "write a list [1, 2, 3], or let a dim run: for t in DIM",
    ),
)  # fmt: skip
