"""Density blocks: the event, what it is conditioned on, and the layers from noise to data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

from emfppl.compiler.ast_to_checked import density_layers as layers
from emfppl.compiler.ast_to_checked import survey, variable_of
from emfppl.compiler.ast_to_checked.context import Context, VariableInfo, listed, near
from emfppl.compiler.ast_to_checked.density_event import event_of, need_as_many, sound
from emfppl.compiler.checked_nodes import CheckedDensity, CheckedLayer, CheckedProgram
from emfppl.compiler.density_parts import closure, mentioned
from emfppl.compiler.distributions import Table
from emfppl.compiler.expressions import Kind
from emfppl.compiler.graph import Role, Variable
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.diagnostics import Diagnostic
from emfppl.grammar.source import SourceText, Span


class Reader(Protocol):
    """What gives the checked program of a structured layer's model, or None where it said what is wrong."""

    def read(self, layer: ast.Call, named: ast.Expr | None) -> CheckedProgram | None: ...


def check_names(program: ast.Program, source: SourceText) -> list[Diagnostic]:
    """Names of densities that something else has."""
    seen: dict[str, Span] = {}
    for one in program.statements:
        if isinstance(one, ast.Dim | ast.Data | ast.Param | ast.Function | ast.Model):
            seen.setdefault(one.name, one.name_span)
        elif isinstance(one, ast.Random | ast.Assign):
            seen.setdefault(one.target.name, one.target.name_span)
    found = []
    for block in (s for s in program.statements if isinstance(s, ast.Density)):
        if block.name in seen:
            notes = ((seen[block.name], "first declared here"),)
            message = f"`{block.name}` is declared twice."
            found.append(Diagnostic("E0203", message, block.name_span, "rename one of them", source, notes))
        seen.setdefault(block.name, block.name_span)
    return found


def check_density(
    block: ast.Density, program: ast.Program, source: SourceText, table: Table, reader: Reader
) -> tuple[CheckedDensity | None, list[Diagnostic]]:
    """A density block of a program (None if there is any error in it), and what is wrong with it."""
    file = [s for s in program.statements if isinstance(s, ast.Dim | ast.Data | ast.Param)]
    event = [s for s in block.items if isinstance(s, ast.Data)]
    c, _ = survey(ast.Program((*file, *event)), source, table)
    made = _Block(c, block, reader, {s.name for s in event}).checked(program)
    return (None if c.failed else made), c.found


@dataclass
class _Block:
    c: Context
    block: ast.Density
    reader: Reader
    event: set[str]  # names of its own data
    models: list[CheckedProgram] = field(default_factory=list)

    def checked(self, program: ast.Program) -> CheckedDensity | None:
        given = self._given()
        done = [self._layer(item.call) for item in self._layers()]
        if not done:
            hint = "write layers, from noise to data, such as maf(hidden = [64, 64])"
            self.c.error("E1508", f"The density `{self.block.name}` has no layers.", self.block.name_span, hint)
        variables = self._event()
        self._dequantized(variables)
        if self.c.failed or variables is None or any(one is None for one in done):
            return None
        kept = tuple(layer for one in done if one is not None for layer in one)
        for layer in kept:
            need_as_many(self.c, self.block.name, variables, layer)
        read = {v.name for layer in kept if layer.model for v in layer.model.variables if v.role is Role.DATA}
        needed = self._needed(program, (*variables, *self._data({*given, *read})))
        data = self._data({*given, *read, *(self.c.dims.numbers & needed)})
        own = {d.name: d for model in self.models for d in model.dims if d.name not in self.c.dims}
        dims = (*(d for d in self.c.dims.listed() if d.name in needed), *own.values())
        return CheckedDensity(self.block.name, variables, tuple(given), kept, dims, data, self.block.span)

    def _layers(self) -> list[ast.Layer]:
        return [item for item in self.block.items if isinstance(item, ast.Layer)]

    # ------------------------------------------------------------ layers

    def _layer(self, call: ast.Call) -> tuple[CheckedLayer, ...] | None:
        """What stands for a layer: one with `layers = 3` is three, with the order reversed between them."""
        if not layers.known(self.c, call):
            return None
        before = len(self.c.found)
        given = layers.options_of(self.c, call)
        options = layers.values_of(self.c, call, given)
        model = self.reader.read(call, given.get("model")) if call.func == "structured" else None
        if model is not None:
            self.models.append(model)
            options = {"model": name_of(given["model"]), **options}
        if len(self.c.found) > before or (call.func == "structured" and model is None):
            return None
        times = options.pop("layers", 1)
        assert isinstance(times, int)
        one = CheckedLayer(call.func, tuple(options.items()), model, call.span)
        between = CheckedLayer("reverse", span=call.span)
        return (one, *((between, one) * (times - 1)))

    def _dequantized(self, variables: tuple[Variable, ...] | None) -> None:
        """Whether whole numbers are spread over the real line, by the last layer."""
        items = self._layers()
        found = [item for item in items if item.call.func == "dequantize"]
        discrete = [v for v in variables or () if v.kind is not Kind.REAL]
        for item in found:
            if item is not items[-1]:
                hint = "write it as the last line of the block"
                self.c.error("E1506", "`dequantize` is the last layer, next to the data.", item.span, hint)
        if variables is not None and found and not discrete:
            message = f"`dequantize` is for whole numbers; {_names(variables)} real."
            self.c.error("E1506", message, found[-1].span, "delete it, or declare the event as count or int(lower, upper)")
        if discrete and not found:
            message = f"`{discrete[0].name}` holds whole numbers, which have no density."
            self.c.error("E1506", message, discrete[0].span, "write dequantize as the last layer of the block")

    # ------------------------------------------------------------ the event

    def _event(self) -> tuple[Variable, ...] | None:
        if self.event:
            infos = [self.c.variables[name] for name in self.c.variables if name in self.event]
            fine = [sound(self.c, info) for info in infos if self._here(info.span)]
            return tuple(self._observed(i) for i in infos) if all(fine) and not any(i.broken for i in infos) else None
        structured = [item for item in self._layers() if item.call.func == "structured"]
        if not structured:
            hint = "say in the block what one sample is: data x[time]: real"
            return self.c.error("E1505", f"The density `{self.block.name}` has no event.", self.block.name_span, hint)
        return event_of(self.c, self.block, self.models[-1]) if len(self.models) == len(structured) else None

    def _here(self, span: Span) -> bool:
        return self.block.span.start <= span.start < self.block.span.end

    def _observed(self, info: VariableInfo) -> Variable:
        return replace(variable_of(info), role=Role.OBSERVED)

    # ------------------------------------------------------------ what is known

    def _given(self) -> list[str]:
        names: dict[str, ast.Name] = {}
        for name in (n for item in self.block.items if isinstance(item, ast.Given) for n in item.names):
            if name.id in names:
                notes = [(names[name.id].span, "the other one")]
                self.c.error("E1507", f"`{name.id}` is named twice.", name.span, "delete one of them", notes)
            elif self._is_data(name):
                names[name.id] = name
        return list(names)

    def _is_data(self, name: ast.Name) -> bool:
        data = [v.name for v in self.c.variables.values() if v.role is Role.DATA and v.name not in self.event]
        info = self.c.variables.get(name.id)
        if name.id in data:
            assert info is not None
            if info.declared is not None and info.declared.optional:
                message = f"The density is conditioned on `{name.id}`, whose entries may be missing."
                return self.c.error("E1507", message, name.span, "leave out its `?`") or False
            return True
        if name.id in self.event:
            message = f"`{name.id}` is the event; it can't be what the event is conditioned on."
            return self.c.error("E1507", message, name.span, "declare it outside of the block, with the file's data") or False
        what = "a param, which is learned" if info is not None else "a dim" if name.id in self.c.dims else None
        message = f"`{name.id}` is {what}; a density is conditioned on data." if what else f"There are no data named `{name.id}`."
        hint = "name data that are declared outside of the block"
        hint = near(name.id, data) or (hint if what else f"declare it outside of the block: data {name.id}: real")
        return self.c.error("E1507", message, name.span, hint) or False

    def _data(self, names: set[str]) -> tuple[Variable, ...]:
        return tuple(variable_of(v) for v in self.c.variables.values() if v.name in names and v.name not in self.event)

    def _needed(self, program: ast.Program, variables: tuple[Variable, ...]) -> set[str]:
        """The names of the dims that variables and models are over, and of what their sizes are made of."""
        named = {d.rstrip("'") for v in variables for d in v.dims} | {v.of for v in variables if v.of}
        return closure(program, {*named, *(n for item in self._layers() for n in mentioned(item))})


def name_of(model: ast.Expr) -> str:
    """The name of the model, of ``walk`` and of ``walk(2.0)``."""
    assert isinstance(model, ast.Name | ast.Call)
    return model.id if isinstance(model, ast.Name) else model.func


def _names(variables: tuple[Variable, ...]) -> str:
    names = [f"`{v.name}`" for v in variables]
    return f"{listed(names)} {'is' if len(names) == 1 else 'are'}"
