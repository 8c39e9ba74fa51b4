"""What is known while a Stan program is translated: variables by scope, dims by size, loops, and what is written so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from emfppl.compiler.distributions import STANDARD
from emfppl.compiler.from_stan.build import binary, names_in, number
from emfppl.compiler.from_stan.values import Linear, Refused, Variable
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.source import Span
from emfppl.grammar.stan import stan_nodes as stan

WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905
RESERVED = frozenset(
    "dim data param def for in factor return guide if and or not true false model density import pi e inf".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Loop:
    """A loop around what is being translated: its variable, the dim that it runs over, the part of it."""

    var: str
    dim: str
    part: tuple[object, object]


@dataclass
class Context:
    """`scopes`: variables by their name in Stan, innermost last. `dims`: names of dims by their size. `notes`: what to say about
    the next statement. `index_names`: integer data that stand in subscripts or are categories."""

    scopes: list[dict[str, Variable]] = field(default_factory=lambda: [{}])
    dims: dict[tuple, str] = field(default_factory=dict)
    sizes: dict[str, Linear] = field(default_factory=dict)
    dim_statements: list[ast.Dim] = field(default_factory=list)
    size_names: frozenset[str] = frozenset()
    index_names: frozenset[str] = frozenset()
    bool_names: frozenset[str] = frozenset()
    declared: frozenset[str] = frozenset()
    scale_names: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)
    loops: list[Loop] = field(default_factory=list)
    functions: dict[str, stan.Function] = field(default_factory=dict)
    latent: set[str] = field(default_factory=set)  # names here that depend on a parameter
    random: set[str] = field(default_factory=set)  # names here of what is drawn in generated quantities
    notes: list[str] = field(default_factory=list)
    formulas: bool = True  # log densities may be written as formulas, constants left out
    versions: dict[str, int] = field(default_factory=dict)

    # ------------------------------------------------------------ names

    def find(self, name: str) -> Variable | None:
        return next((scope[name] for scope in reversed(self.scopes) if name in scope), None)

    def variable(self, name: str, span: Span) -> Variable:
        found = self.find(name)
        if found is None and name in self.declared:
            raise Refused("", "", span)  # its declaration was refused, and that was told
        if found is None:
            raise Refused("E1403", f"`{name}` is not declared.", span, "see what Stan's own compiler says of the program")
        return found

    def add(self, variable: Variable) -> Variable:
        self.scopes[-1][variable.stan] = variable
        return variable

    def fresh(self, name: str) -> str:
        """A name that nothing else has here, like `name`."""
        while name in RESERVED or name in self.taken or STANDARD.get(name) is not None:
            name += "_"
        self.taken.add(name)
        return name

    # ------------------------------------------------------------ sizes

    def linear(self, expr: stan.Expr) -> Linear | None:
        """A whole number as a sum of sizes, loop variables and a constant; None where it is something else."""
        match expr:
            case stan.Number(text) if text.isdigit():
                return {"": int(text)}
            case stan.Name(name):
                found = self.find(name)
                return {name: 1} if found is not None and found.role in ("size", "loop") else None
            case stan.Operation("+" | "-" as op, (left, right)):
                return _added(self.linear(left), self.linear(right), 1 if op == "+" else -1)
            case stan.Operation("-", (one,)):
                return _added({}, self.linear(one), -1)
            case stan.Operation("*", (left, right)):
                a, b = self.linear(left), self.linear(right)
                if a is None or b is None:
                    return None
                a, b = (a, b) if set(b) <= {""} else (b, a)
                return {k: v * b.get("", 0) for k, v in a.items()} if set(b) <= {""} else None
        return None

    def dim_of(self, size: stan.Expr) -> str:
        """The dim that stands for a declared size; declared here when it is met first."""
        said = self.linear(size)
        if said is None:
            raise Refused(
                "E1405", "This size is not made of sizes in the data and whole numbers.", size.span,
                "declare it in data, as an int of its own",
            )  # fmt: skip
        key = tuple(sorted((k, v) for k, v in said.items() if v))
        if key not in self.dims:
            self.dims[key] = self._new_dim(said, size.span)
        return self.dims[key]

    def _new_dim(self, said: Linear, span: Span) -> str:
        names = {k: v for k, v in said.items() if k and v}
        constant = said.get("", 0)
        if not names:
            word = WORDS[constant] if constant < len(WORDS) else f"n{constant}"
            name, size = self.fresh(word), number(constant, span)
        elif list(names.values()) == [1] and not constant:
            (stan_name,) = names
            name, size = self.variable(stan_name, span).name, None
        else:
            name, size = self.fresh(_described(names, constant)), self.size_expr(said, span)
        self.sizes[name] = said
        if size is not None or not any(d.name == name for d in self.dim_statements):
            self.dim_statements.append(ast.Dim(name, size, span=span, name_span=span))
        return name

    def size_expr(self, said: Linear, span: Span) -> ast.Expr:
        """``2 * N - 1`` as it is written here, names of loops being positions counted from 0 already."""
        out: ast.Expr | None = None
        for name, factor in sorted(((k, v) for k, v in said.items() if v), key=lambda kv: (kv[0] == "", kv[1] < 0)):
            one: ast.Expr = number(abs(factor), span) if not name else ast.Name(self.variable(name, span).name, span)
            if name and abs(factor) != 1:
                one = binary("*", number(abs(factor), span), one, span)
            if out is None:
                out = one if factor > 0 else ast.Unary("-", one, span)
            else:
                out = binary("+" if factor > 0 else "-", out, one, span)
        return out if out is not None else number(0, span)

    def depends(self, expr: object) -> bool:
        """Whether a tree uses anything that depends on a parameter."""
        return bool(names_in(expr) & self.latent)


def _added(left: Linear | None, right: Linear | None, sign: int) -> Linear | None:
    if left is None or right is None:
        return None
    return {k: left.get(k, 0) + sign * right.get(k, 0) for k in {*left, *right}}


def _described(names: Linear, constant: int) -> str:
    """``N_minus_1``, ``N_times_2_plus_K``."""
    parts = [name if factor == 1 else f"{name}_times_{factor}" for name, factor in names.items()]
    text = "_plus_".join(parts).replace("_times_-", "_times_minus_")
    return text + (f"_plus_{constant}" if constant > 0 else f"_minus_{-constant}" if constant else "")
