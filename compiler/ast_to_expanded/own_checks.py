"""Each model by itself: what it is made of, and what is wrong with it whether or not it is used.

A model is checked as a program of its own, with its arguments as data and its dims as dims.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from emfppl.compiler.ast_to_checked import further, survey, types
from emfppl.compiler.ast_to_checked.context import Context, Env, Scope
from emfppl.compiler.ast_to_checked.functions import check_default
from emfppl.compiler.distributions import Table
from emfppl.compiler.graph import Role
from emfppl.compiler.imported_files import STANDARD as STANDARD_LIBRARY
from emfppl.compiler.trees import calls_in, walk
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.diagnostics import Diagnostic
from emfppl.grammar.source import SourceText, Span

REAL = ast.TypeExpr("real")
# What is said of a whole program only: unused dims and data, flat priors without data below them.
NOT_OF_MODELS = ("W0101", "W0102", "W0104")


@dataclass(frozen=True)
class Made:
    """What a model is made of, in its own names."""

    node: ast.Model
    variables: dict[str, tuple[str, ...]]  # variables of its own, with their dims; those of one round without
    helpers: frozenset[str]  # names that live in one round of a loop
    latents: frozenset[str]
    own_dims: frozenset[str]
    file_dims: frozenset[str]
    result: tuple[str, ...] | None  # the dims of what it returns; None: it returns nothing
    named: str | None  # the variable that it returns, if it is one of its own


@dataclass
class Known:
    """The models of a program, and what was found of each."""

    program: ast.Program
    source: SourceText
    table: Table
    models: dict[str, ast.Model] = field(default_factory=dict)
    scope: Scope | None = None
    found: list[Diagnostic] = field(default_factory=list)
    made: dict[str, Made | None] = field(default_factory=dict)  # None: something is wrong with it and was said
    prefixes: dict[Span, str] = field(default_factory=dict)  # of inner variables, where it is not the target's name

    def __post_init__(self) -> None:
        for node in self.program.statements:
            if isinstance(node, ast.Model):
                self.models.setdefault(node.name, node)

    def prefix(self, node: ast.Random) -> str:
        """What the names of the inner variables of a draw from a model begin with."""
        return self.prefixes.get(node.span, node.target.name)

    def check_all(self) -> None:
        """Look at every model of the program's own files, and at those of the standard library that are used."""
        circle = {name: way for name in self.models if (way := self._way(name, name))}
        said: set[str] = set()
        for name, way in circle.items():
            self.made[name] = None
            if name not in said:
                said |= set(way)
                self._itself(name, way)
        for name, node in self.models.items():
            if not self.source.name_at(node.span.start).startswith(STANDARD_LIBRARY):
                self.of(name)
        if any(isinstance(s, ast.Random | ast.Assign | ast.Factor | ast.For) for s in self.program.statements):
            self._unused()

    def _unused(self) -> None:
        """A program's own models that nothing draws from; a file of definitions is a library."""
        todo = [call.func for s in self.program.statements if not isinstance(s, ast.Model) for call in calls_in(s)]
        used: set[str] = set()
        while todo:
            name = todo.pop()
            if name in self.models and name not in used:
                used.add(name)
                todo += [call.func for call in calls_in(self.models[name])]
        for name, node in self.models.items():
            if name not in used and self.source.part_at(node.span.start) is None:
                message = f"Nothing is drawn from the model `{name}`."
                self.found.append(Diagnostic("W0110", message, node.name_span, f"delete it, or draw: x ~ {name}(…)", self.source))

    def _way(self, start: str, name: str, seen: frozenset[str] = frozenset()) -> tuple[str, ...]:
        """The models through which one draws from itself."""
        for call in calls_in(self.models[name]):
            if call.func == start:
                return (name, start)
            if call.func in self.models and call.func not in seen:
                way = self._way(start, call.func, seen | {call.func})
                if way:
                    return (name, *way)
        return ()

    def _itself(self, name: str, way: tuple[str, ...]) -> None:
        call = next(c for c in calls_in(self.models[name]) if c.func == way[1])
        message = f"The model `{name}` draws from itself ({' → '.join(way)})."
        hint = "models are not recursive; for a recurrence write a loop: for t in time[1:] { x[t] ~ … }"
        self.found.append(Diagnostic("E0905", message, call.func_span, hint, self.source))

    def of(self, name: str) -> Made | None:
        """What a model is made of; None if it is wrong."""
        if name not in self.made:
            self.made[name] = None  # while it is looked at
            self.made[name] = _Look(self, self.models[name]).made()
        return self.made[name]


class _Look:
    """One model, looked at by itself."""

    def __init__(self, known: Known, node: ast.Model):
        self.known, self.node = known, node
        self.found: list[Diagnostic] = []
        self.standard = known.source.name_at(node.span.start).startswith(STANDARD_LIBRARY)

    def error(self, code: str, message: str, span: Span, hint: str = "") -> None:
        self.found.append(Diagnostic(code, message, span, hint, self.known.source))

    def made(self) -> Made | None:
        from emfppl.compiler.ast_to_expanded import expand_uses

        body, result = self._parts()
        program = self._program(body)
        scope = Scope(self.node.name, frozenset(_names(self.known.program)))
        inside = expand_uses(program, self.known.source, replace(self.known, scope=scope, program=program))
        self.found += inside.found
        c, checked = survey(inside.program, inside.source, self.known.table, scope)
        value = None if result is None else types.type_of(c, result.value, Env())
        self._defaults(c)
        if not self.standard:
            further(c, inside.program, checked)
        self.found += [d for d in c.found if d.code not in NOT_OF_MODELS and self._mine(d, inside.source)]
        if result is not None and value is not None and not any(d.is_error for d in self.found):
            self._draws(inside.program)
            self._unused(c)
        made = self._made(c, body, result, None if value is None else tuple(a.label for a in value.type.axes))
        self.known.found += self.found
        return None if any(d.is_error for d in self.found) or (result is not None and value is None) else made

    def _mine(self, one: Diagnostic, source: SourceText) -> bool:
        """Whether something stands in this model, or in one that it uses, and not in a function or a dim of the file."""
        if one.span is None:
            return True
        part = source.part_at(one.span.start)
        return (part is not None and part.used is not None) or self.node.span.start <= one.span.start < self.node.span.end

    # ------------------------------------------------------------ the model as a program

    def _parts(self) -> tuple[tuple[ast.Statement, ...], ast.Return | None]:
        """The statements of the body that may stand there, and what it returns."""
        names = {a.name for a in self.node.args}
        body: list[ast.Statement] = []
        for one in self.node.body:
            if isinstance(one, ast.Return):
                if one is not self.node.body[-1]:
                    message = f"Nothing behind `return` is reached in `{self.node.name}`."
                    self.error("E0907", message, one.span, "return is the last statement")
                return tuple(body), one
            target = next((n for n in walk(one) if isinstance(n, ast.Target) and n.name in names), None)
            if target is None:
                body.append(one)
            else:
                message = f"`{target.name}` is an argument of `{self.node.name}`; it can't be drawn or set in it."
                hint = "draw a variable of its own and return it: what is drawn from the model is then observed if it is data"
                self.error("E0203", message, target.name_span, hint)
        if self.node.args:
            message = f"The model `{self.node.name}` returns nothing."
            self.error("E0907", message, self.node.name_span, "end it with return and the variable that is drawn from it")
        return tuple(body), None

    def _program(self, body: tuple[ast.Statement, ...]) -> ast.Program:
        own = {s.name for s in body if isinstance(s, ast.Dim)}
        file = {s.name: s for s in self.known.program.statements if isinstance(s, ast.Dim)}
        dims = [d for d in dict.fromkeys(_dims_of(self.node)) if d not in own]
        wanted = {n.id for n in walk(self.node) if isinstance(n, ast.Name)}
        generic = {d.name.rstrip("'") for a in self.node.args for d in a.dims}
        there = [file[d] for d in file if d in {*dims, *wanted} - generic] if self._in_main_file() else []
        names = {s.name for s in there}
        free = [ast.Dim(d, None, name_span=self.node.name_span, span=self.node.name_span) for d in dims if d not in names]
        args = [
            ast.Data(a.name, a.dims, a.type or REAL, None, name_span=a.span, span=a.span) for a in self._arguments()
        ]
        shared = [s for s in self.known.program.statements if isinstance(s, ast.Function | ast.Model)]
        return ast.Program((*there, *free, *args, *shared, *body))

    def _in_main_file(self) -> bool:
        return self.known.source.part_at(self.node.span.start) is None

    def _arguments(self) -> Iterator[ast.FunctionArgument]:
        seen: set[str] = set()
        for arg in self.node.args:
            if arg.name in seen:
                self.error("E0203", f"The model `{self.node.name}` has two arguments named `{arg.name}`.", arg.span)
            elif arg.type is not None and arg.type.optional:
                hint = f"write {arg.type.name}; what is drawn from a model may have missing entries"
                self.error("E0406", "Only data may have missing entries.", arg.type.span, hint)
            else:
                yield arg
            seen.add(arg.name)

    def _defaults(self, c: Context) -> None:
        for arg in self.node.args:
            used = next((n.id for n in walk(arg.default) if isinstance(n, ast.Name)), None) if arg.default else None
            if arg.default is None or used is None or used in types.CONSTANT_VALUES:
                check_default(c, arg, Env(labels={d: d for d in c.dims.sizes}, function=self.node.name))
            else:
                message = f"The default of `{arg.name}` is a constant; it can't use `{used}`."
                self.error("E0407", message, arg.default.span, "leave it out, and give the argument where the model is used")

    # ------------------------------------------------------------ what it is made of

    def _draws(self, inside: ast.Program) -> None:
        if not any(isinstance(n, ast.Random | ast.Param | ast.Factor) for s in inside.statements for n in walk(s)
                   if not isinstance(s, ast.Model)):  # fmt: skip
            message = f"The model `{self.node.name}` draws nothing."
            hint = f"write a function: def {self.node.name}(…): real {{ … }}, and x = {self.node.name}(…)"
            self.error("E0907", message, self.node.name_span, hint)

    def _unused(self, c: Context) -> None:
        for arg in self.node.args:
            if arg.name not in c.used and arg.name not in c.dims.numbers:
                message = f"The argument `{arg.name}` of `{self.node.name}` is not used."
                self.found.append(Diagnostic("W0109", message, arg.span, "delete it", self.known.source))

    def _made(
        self, c: Context, body: tuple[ast.Statement, ...], result: ast.Return | None, labels: tuple[str, ...] | None
    ) -> Made:
        args = {a.name for a in self.node.args}
        mine = {n.name for s in body for n in walk(s) if isinstance(n, ast.Target | ast.Param)}
        infos = {name: info for name, info in c.variables.items() if name.split(".")[0] in mine and name not in args}
        named = result.value.id if result is not None and isinstance(result.value, ast.Name) else None
        return Made(
            self.node,
            {name: info.dims or () for name, info in infos.items()},
            frozenset(name for infos_ in c.helpers.values() for name in infos_),
            frozenset(name for name, info in infos.items() if info.role is Role.LATENT),
            frozenset(s.name for s in body if isinstance(s, ast.Dim)),
            frozenset(s.name for s in self.known.program.statements if isinstance(s, ast.Dim)) if self._in_main_file()
            else frozenset(),
            labels if result is not None else None,
            named if named in infos and infos[named].role is not Role.PARAM else None,
        )  # fmt: skip


def _names(program: ast.Program) -> Iterator[str]:
    """What a file holds that its models don't see."""
    for node in program.statements:
        if isinstance(node, ast.Data | ast.Param):
            yield node.name
        elif not isinstance(node, ast.Function | ast.Model):
            yield from (n.name for n in walk(node) if isinstance(n, ast.Target))


def _dims_of(node: ast.Model) -> Iterator[str]:
    """The dims that a model names in its arguments, its targets and its loops, without their primes."""
    loops = {n.var for n in walk(node) if isinstance(n, ast.For)}
    values = {a.name for a in node.args} | {n.name for n in walk(node) if isinstance(n, ast.Target | ast.Param)}
    for n in walk(node):
        found: list[str] = []
        match n:
            case ast.DimRef(name):
                found = [name]
            case ast.TypeExpr("index", args):
                found = [a.value.id for a in args if isinstance(a.value, ast.Name)]
            case ast.Target(_, indices):
                bases = [i.base if isinstance(i, ast.Subscript) else i for i in indices]
                found = [i.id for i in bases if isinstance(i, ast.Name)]
        yield from (name.rstrip("'") for name in found if name not in loops and name not in values)
