"""Imports: the definitions of other files join those of the program, under names that clash with nothing.

What a file declares wins over what it imports. A definition goes by the name under which the program imports it, unless
the program uses that name itself; then, or where only another file imports it, those of `walks.emf` go by ``walks.name``, which
no program can define.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, TypeVar

from emfppl.compiler.imported_files import file_of, missing, parsed
from emfppl.compiler.trees import moved, rebuilt, walk
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.diagnostics import Diagnostic
from emfppl.grammar.source import SourceText, Span

Definition = ast.Function | ast.Model
Statement = TypeVar("Statement", bound=ast.Statement)


@dataclass
class _Names:
    """Names as written in a file -> as they go in the program: of functions and models, and of constants."""

    calls: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)


@dataclass
class _File:
    """One file: what it holds, what the names mean that it may use, and those that it gives to others."""

    name: str
    statements: tuple[ast.Statement, ...]
    known: _Names = field(default_factory=_Names)
    given: _Names = field(default_factory=_Names)


def link(source: SourceText) -> tuple[ast.Program, tuple[Diagnostic, ...]]:
    """The program with what it imports, from a source that holds the text of all files; and what is wrong in any of them."""
    own = SourceText(source.own_text, source.name)
    program, problems = parsed(own)
    if not any(isinstance(s, ast.Import) for s in program.statements):
        return program, tuple(replace(d, source=source) for d in problems)
    linker = _Linker(source, program.statements, list(problems))
    main = _File(source.name, program.statements)
    linker.files[main.name] = main
    linker.resolve(main, (main.name,))
    return replace(program, statements=linker.whole(main)), tuple(linker.found)


def _names_of(statements: tuple[ast.Statement, ...]) -> Iterator[str]:
    """Every name that a program declares or defines."""
    for node in (node for s in statements for node in walk(s)):
        if isinstance(node, ast.Dim | ast.Data | ast.Param | ast.Function | ast.Model | ast.Target):
            yield node.name
        elif isinstance(node, ast.For):
            yield node.var


class _Linker:
    def __init__(self, source: SourceText, statements: tuple[ast.Statement, ...], found: list[Diagnostic]):
        self.source, self.found = source, found
        self.files: dict[str, _File] = {}
        self.order: list[_File] = []  # imported files, each behind those that it imports
        self.own = {*_names_of(statements)}
        self.taken = set(self.own)
        imports = [s for s in statements if isinstance(s, ast.Import)]
        self.aliases = {file_of(s.path, source.name): s.alias for s in imports}

    # ------------------------------------------------------------ files

    def resolve(self, file: _File, way: tuple[str, ...]) -> None:
        """Find what the names of a file mean; `way`: the files on the way to it."""
        for node in file.statements:
            if isinstance(node, ast.Import):
                other = self._open(file, node, way)
                if other is not None:
                    self._join(file, node, other)
        if file.name == self.source.name:
            file.known.calls |= {n.name: n.name for n in file.statements if isinstance(n, Definition)}
            file.known.values = {here: new for here, new in file.known.values.items() if here not in self.own}
        else:
            file.known.calls |= file.given.calls
            file.known.values |= file.given.values

    def _open(self, file: _File, node: ast.Import, way: tuple[str, ...]) -> _File | None:
        name = file_of(node.path, file.name)
        if name in way:
            circle = " → ".join((*way[way.index(name) :], name))
            hint = "move what both need to a third file"
            self._error("E0902", f"The file `{name}` imports itself ({circle}).", node.path_span, hint)
            return None
        if name in self.files:
            return self.files[name]
        part = next((p for p in self.source.parts if p.name == name), None)
        if part is None:
            self.found.append(missing(name, node, self.source, node.path_span))
            return None
        program, problems = parsed(SourceText(self.source.text_of(part), name))
        self.found += problems
        opened = _File(name, tuple(moved(s, part.start) for s in program.statements))
        self.files[name] = opened
        self._define(opened, node)
        self.resolve(opened, (*way, name))
        self.order.append(opened)
        return opened

    def _define(self, file: _File, node: ast.Import) -> None:
        """Give the definitions of an imported file the names that they go by."""
        for one in file.statements:
            match one:
                case ast.Function(name) | ast.Model(name):
                    file.given.calls.setdefault(name, self._free(name, file.name))
                case ast.Assign(ast.Target(name, ())):
                    file.given.values.setdefault(name, self._free(name, file.name))
                case ast.Import():
                    pass
                case _:
                    self._not_for_import(file, node, one)

    def _not_for_import(self, file: _File, node: ast.Import, one: ast.Statement) -> None:
        message = f"`{file.name}` can't be imported: it holds more than models, functions, distributions and constants."
        hint = "move its models and functions to a file of their own, and import that in both"
        notes = ((one.span, "such as this"),)
        if not any(d.code == "E0903" and d.message == message for d in self.found):
            self.found.append(Diagnostic("E0903", message, node.path_span, hint, self.source, notes))

    def _free(self, name: str, file: str) -> str:
        stem = PurePosixPath(file).stem
        alias = self.aliases.get(file)
        new = f"{alias}.{name}" if alias else name
        if file not in self.aliases or name.startswith("_"):
            new = f"{stem}.{name}"
        while new in self.taken:
            new, stem = f"{stem}.{name}", f"{stem}_"
        self.taken.add(new)
        return new

    def _join(self, file: _File, node: ast.Import, other: _File) -> None:
        """What an import brings: all names but those that begin with ``_``."""
        pairs = ((other.given.calls, file.known.calls), (other.given.values, file.known.values))
        for name, new, known in ((name, new, known) for given, known in pairs for name, new in given.items()):
            if name.startswith("_"):
                continue
            here = f"{node.alias}.{name}" if node.alias else name
            if known.setdefault(here, new) != new:
                hint = f'import one of them under a name of its own: import "{node.path}" as …'
                self._error("E0904", f"`{here}` comes from two of the imported files.", node.path_span, hint)

    # ------------------------------------------------------------ the whole

    def whole(self, main: _File) -> tuple[ast.Statement, ...]:
        """The statements of the program: constants that it uses, its own statements, definitions of other files."""
        own = tuple(s if isinstance(s, ast.Import) else _named_statement(s, main.known) for s in main.statements)
        definitions: list[ast.Statement] = []
        constants: dict[str, ast.Assign] = {}
        for file in self.order:
            known = self._closed(file, main)
            for one in file.statements:
                if isinstance(one, Definition):
                    definitions.append(replace(_named_statement(one, known), name=file.given.calls[one.name]))
                elif isinstance(one, ast.Assign) and one.target.name in file.given.values:
                    new = file.given.values[one.target.name]
                    constants[new] = replace(_named_statement(one, known), target=replace(one.target, name=new))
        return (*_used(constants, own), *own, *definitions)

    def _closed(self, file: _File, main: _File) -> _Names:
        """What names mean in an imported file; one of the program that it does not import means nothing there."""
        stem = PurePosixPath(file.name).stem
        calls = {name: f"{stem}.{name}" for name in main.known.calls.values()}
        values = {name: f"{stem}.{name}" for name in (*self.own, *main.known.values.values())}
        return _Names(calls | file.known.calls, values | file.known.values)

    def _error(self, code: str, message: str, span: Span, hint: str) -> None:
        self.found.append(Diagnostic(code, message, span, hint, self.source))


def _used(constants: Mapping[str, ast.Assign], statements: tuple[ast.Statement, ...]) -> list[ast.Statement]:
    """The constants that a program uses, and those that they use."""
    wanted = {n.id for s in statements for n in walk(s) if isinstance(n, ast.Name)}
    for name in reversed(list(constants)):
        if name in wanted:
            wanted |= {n.id for n in walk(constants[name]) if isinstance(n, ast.Name)}
    return [one for name, one in constants.items() if name in wanted]


def _named_statement(node: Statement, known: _Names) -> Statement:
    values = {} if isinstance(node, Definition) else known.values
    return rebuilt(node, lambda inner: _renamed(inner, known.calls, values))


def _renamed(node: Any, calls: Mapping[str, str], values: Mapping[str, str]) -> Any:
    """The tree with functions, models and constants under the names that they go by."""
    if isinstance(node, Span | ast.Comments):
        return node
    new = rebuilt(node, lambda inner: _renamed(inner, calls, values))
    if isinstance(new, ast.Layer):
        return replace(new, call=replace(new.call, args=tuple(_model_renamed(a, calls) for a in new.call.args)))
    if isinstance(new, ast.Call) and calls.get(new.func, new.func) != new.func:
        return replace(new, func=calls[new.func])
    if isinstance(new, ast.Name) and values.get(new.id, new.id) != new.id:
        return replace(new, id=values[new.id])
    return new


def _model_renamed(arg: ast.Argument, calls: Mapping[str, str]) -> ast.Argument:
    """An argument of a layer, which may be the name of a model."""
    value = arg.value
    return replace(arg, value=replace(value, id=calls[value.id])) if isinstance(value, ast.Name) and value.id in calls else arg
