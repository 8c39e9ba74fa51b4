"""The models of structured layers, each as a program of its own: what it samples is what the layer puts out.

A model of a density sees the file's data and params; its arguments become computed variables in front of its body.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from emfppl.compiler.ast_to_checked import check
from emfppl.compiler.ast_to_checked.context import listed, near
from emfppl.compiler.ast_to_checked.limits import leaves
from emfppl.compiler.ast_to_expanded import expand
from emfppl.compiler.checked_nodes import CheckedFactor, CheckedProgram, CheckedRandom
from emfppl.compiler.density_parts import closure, declares, mentioned, only_for_densities
from emfppl.compiler.distributions import Table
from emfppl.compiler.graph import Integers, Role, Structured
from emfppl.compiler.silence import not_silenced
from emfppl.compiler.trees import rebuilt, walk
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.diagnostics import Diagnostic
from emfppl.grammar.source import SourceText, Span

HIDDEN = "@"
HEAD = "The model `{}` is a layer of a density estimator"
SQUARE = ("ordered", "positive_ordered", "real_vector")  # vectors with as many numbers as noise has
NOT_OF_MODELS = ("W0101", "W0102", "W0104", "W0110")  # what is said of whole programs only


@dataclass
class ModelReader:
    """Makes checked programs of the models that structured layers name; `found`: what is wrong with them."""

    program: ast.Program
    source: SourceText
    table: Table
    found: list[Diagnostic]

    def read(self, layer: ast.Call, named: ast.Expr | None) -> CheckedProgram | None:
        """The model of a structured layer, from the option `model` as written."""
        node = self._model(layer, named)
        if node is None or not self._sound(node):
            return None
        values = self._arguments(node, named.args if isinstance(named, ast.Call) else (), named.span if named else layer.span)
        if values is None:
            return None
        program = self._program(node, values)
        expanded = expand(program, self.source, self.table)
        checked, found = check(expanded.program, expanded.source, self.table)
        told = [d for d in expanded.told(found) if d.code not in NOT_OF_MODELS]
        self.found += not_silenced(expanded.source, told)
        if checked is None or any(d.is_error for d in told):
            return None
        return checked if self._is_bijection(node, checked) else None

    def error(self, code: str, message: str, span: Span, hint: str = "") -> Any:
        """Note an error; gives None."""
        self.found.append(Diagnostic(code, message, span, hint, self.source))

    # ------------------------------------------------------------ which model, with which arguments

    def _model(self, layer: ast.Call, named: ast.Expr | None) -> ast.Model | None:
        models = {s.name: s for s in reversed(self.program.statements) if isinstance(s, ast.Model)}
        what = "write it in the file, model NAME { … }, and structured(NAME)"
        if named is None:
            hint = f"write structured({next(iter(models), 'NAME')})" if models else what
            return self.error("E1503", "A structured layer takes a model.", layer.span, hint)
        if not isinstance(named, ast.Name | ast.Call):
            return self.error("E1503", "The first argument of a structured layer is the name of a model.", named.span, what)
        name = named.id if isinstance(named, ast.Name) else named.func
        if name in models:
            return models[name]
        if self.table.get(name) is not None:
            hint = f"write a model, such as model m {{ x[time] ~ {name}(…) }}, and structured(m)"
            return self.error("E1503", f"`{name}` is a distribution; a structured layer takes a model.", named.span, hint)
        hint = near(name, models) or (f"the file has {listed(models)}" if models else what)
        return self.error("E1503", f"There is no model named `{name}`.", named.span, hint)

    def _sound(self, node: ast.Model) -> bool:
        """Whether what a model draws and sets is its own, no argument and no data that its program observes, and all is reached."""
        data = {s.name for s in only_for_densities(self.program) if isinstance(s, ast.Data)}
        args, before = {a.name for a in node.args}, len(self.found)
        for one in (n for s in node.body for n in walk(s) if isinstance(n, ast.Target) and n.name in data | args):
            if one.name in args:
                message = f"`{one.name}` is an argument of `{node.name}`; it can't be drawn or set in it."
                self.error("E0203", message, one.name_span, "draw a variable of its own")
            else:
                message = f"{HEAD.format(node.name)}; it observes `{one.name}`, which is declared as data of the file."
                hint = f"leave that line out, or move it into the density block: what `{node.name}` draws is the event"
                self.error("E1504", message, one.name_span, hint)
        for early in (s for s in node.body[:-1] if isinstance(s, ast.Return)):
            message = f"Nothing behind `return` is reached in `{node.name}`."
            self.error("E0907", message, early.span, "return is the last statement")
        return len(self.found) == before

    def _arguments(self, node: ast.Model, given: tuple[ast.Argument, ...], span: Span) -> dict[str, ast.Expr] | None:
        """The values of a model's arguments by name, defaults among them."""
        names = [a.name for a in node.args]
        values: dict[str, ast.Expr] = {}
        for position, arg in enumerate(given):
            name = arg.name or (names[position] if position < len(names) else None)
            if name is None:
                message = f"`{node.name}` takes {len(names) or 'no'} argument{'s' * (len(names) != 1)}; here are {len(given)}."
                return self.error("E0701", message, arg.span, f"write {_usage(node)}")
            if name not in names:
                message = f"`{node.name}` has no argument named `{name}`."
                return self.error("E0704", message, arg.span, near(name, names) or f"write {_usage(node)}")
            if name in values:
                return self.error("E0704", f"The argument `{name}` is given twice.", arg.span)
            values[name] = arg.value
        missing = [a.name for a in node.args if a.name not in values and a.default is None]
        if missing:
            message = f"`{node.name}` misses the argument{'s' if len(missing) > 1 else ''} {listed(missing)}."
            return self.error("E0701", message, span, f"write structured({_usage(node)})")
        return {a.name: values.get(a.name) or a.default for a in node.args if values.get(a.name) or a.default}  # type: ignore[misc]

    def _program(self, node: ast.Model, values: dict[str, ast.Expr]) -> ast.Program:
        """The body with what it needs of the file. Arguments go by hidden names, so that values may be named like any of them."""
        hidden = {a.name: a.name + HIDDEN for a in node.args}
        body = [_renamed(s, hidden) for s in node.body if not isinstance(s, ast.Return)]
        given = [
            ast.Assign(_target(a, hidden[a.name]), a.type, values[a.name], span=values[a.name].span) for a in node.args
        ]
        own = {n.name for s in body for n in walk(s) if isinstance(n, ast.Dim | ast.Param | ast.Target)}
        needed = closure(self.program, {name for s in (*given, *body) for name in mentioned(s)} - own)
        shared = [s for s in self.program.statements if declares(s) in needed - own]
        return ast.Program((*shared, *given, *body))

    # ------------------------------------------------------------ what a layer can't hold

    def _is_bijection(self, node: ast.Model, checked: CheckedProgram) -> bool:
        told = next(iter(self._faults(node, checked)), None)
        if told is not None:
            message, span, hint = told
            inner = checked.source if checked.source is not None else self.source
            self.found.append(Diagnostic("E1504", message, span, hint, inner))
        return told is None

    def _faults(self, node: ast.Model, checked: CheckedProgram) -> Iterator[tuple[str, Span, str]]:
        """Why a model can't be a layer: what, where, and what to do."""
        head = HEAD.format(node.name)
        for one in leaves(checked.statements):
            if isinstance(one, CheckedFactor):
                hint = "write the distribution that is meant; one of your own: distribution NAME(x: real) { … }"
                yield f"{head}; a `factor` is no distribution to draw from.", one.span, hint
            elif isinstance(one, CheckedRandom):
                yield from _unfit(head, one)
        if not any(v.role is Role.LATENT for v in checked.variables):
            yield f"{head}, and draws nothing.", node.name_span, "draw what the layer puts out: x[time] ~ …"


def _unfit(head: str, one: CheckedRandom) -> Iterator[tuple[str, Span, str]]:
    """A draw that is no function of as much noise with as many numbers."""
    name, family = one.target.name, one.dist.name
    if isinstance(one.support, Integers):
        hint = "layers map real numbers one to one; draw a Mixture, which is continuous, or leave the variable out"
        yield f"{head}; `{name}` is drawn from `{family}` and holds whole numbers.", one.span, hint
    if family == "Flat":
        hint = "give it a distribution, such as Normal(0, 1)"
        yield f"{head}; `{name}` is drawn from `Flat`, which is no distribution.", one.span, hint
    if isinstance(one.support, Structured) and one.support.name not in SQUARE:
        hint = "draw real numbers and compute it, or draw an ordered vector"
        yield f"{head}; `{name}` is of type {one.support.name}, which has fewer free numbers than entries.", one.span, hint


def _target(arg: ast.FunctionArgument, name: str) -> ast.Target:
    span = Span(arg.span.start, arg.span.start + len(arg.name))
    return ast.Target(name, tuple(ast.Name(d.name, d.span) for d in arg.dims), span, span)


def _usage(node: ast.Model) -> str:
    """``ar(phi, scale = …)``."""
    return f"{node.name}({', '.join(a.name if a.default is None else f'{a.name} = …' for a in node.args)})"


def _renamed(node: Any, names: dict[str, str]) -> Any:
    """The tree with values under other names."""
    if isinstance(node, Span | ast.Comments) or not names:
        return node
    new = rebuilt(node, lambda inner: _renamed(inner, names))
    return replace(new, id=names[new.id]) if isinstance(new, ast.Name) and new.id in names else new
