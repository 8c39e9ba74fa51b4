"""One use of a model: its arguments against those of the head, its dims against those of the place, and what it stands for."""

from __future__ import annotations

from dataclasses import dataclass, field

from emfppl.compiler.ast_to_checked import HIDDEN, declared, dims, loops, names, subscripts, types
from emfppl.compiler.ast_to_checked.constants import fold
from emfppl.compiler.ast_to_checked.context import Context, Env, VariableInfo, listed, near
from emfppl.compiler.ast_to_checked.functions import whole_hint
from emfppl.compiler.ast_to_expanded.body import Body, Place, Value
from emfppl.compiler.ast_to_expanded.own_checks import Known, Made
from emfppl.compiler.expressions import Axis, Const, Expr
from emfppl.compiler.graph import Interval, Role
from emfppl.compiler.supports import limits
from emfppl.compiler.types import describe, fits, kind_text
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.source import SourceText
from emfppl.grammar.words import plural

SIMPLE = ast.Number | ast.Bool


@dataclass(frozen=True)
class Written:
    """What a use stands for: dims and params for the front of the program, statements for its place."""

    declared: tuple[ast.Statement, ...]
    statements: tuple[ast.Statement, ...]
    source: SourceText


def write_out(c: Context, node: ast.Random, around: tuple[ast.For, ...], known: Known) -> Written | None:
    """The statements of a model in the place of a draw from it, or None once something about the use is wrong."""
    assert isinstance(node.dist, ast.Call)
    made = known.of(node.dist.func)
    use = _Use(c, node, node.dist, around, loops.env_of(c, around), known)
    values = use.arguments() if made is None else use.bound(made)
    if made is None or values is None or not use.may_stand_here(made):
        return None
    place = use.place(made, values)
    return None if place is None else Body(made, place, c.source, known.prefixes).written()


@dataclass
class _Use:
    c: Context
    node: ast.Random
    call: ast.Call
    around: tuple[ast.For, ...]
    env: Env
    known: Known
    labels: dict[str, str] = field(default_factory=dict)  # dims of the model -> labels here
    told: dict[str, ast.Expr] = field(default_factory=dict)  # arguments as written
    own: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)  # labels of an argument's dims, here and in the body

    @property
    def prefix(self) -> str:
        """What the names of inner variables begin with."""
        return self.known.prefix(self.node)

    # ------------------------------------------------------------ arguments

    def arguments(self) -> dict[str, Expr] | None:
        """The values of all arguments by name; those left out have their defaults."""
        wanted = self.known.models[self.call.func].args
        order = [a.name for a in wanted]
        fine = True
        for position, arg in enumerate(self.call.args):
            name = arg.name or (order[position] if position < len(order) else None)
            if name not in order:
                fine = self._no_argument(arg, order)
            elif name in self.told:
                fine = self.c.error("E0704", f"The argument `{name}` is given twice.", arg.span) or False
            else:
                self.told[name] = arg.value
        missing = [a.name for a in wanted if a.name not in self.told and a.default is None]
        if missing and fine:
            message = f"`{self.call.func}` misses the argument{'s' if len(missing) > 1 else ''} {listed(missing)}."
            return self.c.error("E0701", message, self.call.span, f"write {self.usage()}")
        values = {a.name: self._value(a) for a in wanted if a.name in self.told or a.default is not None}
        return None if not fine or None in values.values() else {k: v for k, v in values.items() if v is not None}

    def usage(self) -> str:
        """``ar(phi, scale = …)``."""
        wanted = self.known.models[self.call.func].args
        return f"{self.call.func}({', '.join(a.name if a.default is None else f'{a.name} = …' for a in wanted)})"

    def _no_argument(self, arg: ast.Argument, known: list[str]) -> bool:
        if arg.name is None:
            message = f"`{self.call.func}` takes {plural(len(known), 'argument')}; here are {len(self.call.args)}."
            self.c.error("E0701", message, arg.span, f"write {self.usage()}")
        else:
            message = f"`{self.call.func}` has no argument named `{arg.name}`."
            self.c.error("E0704", message, arg.span, near(arg.name, known) or f"write {self.usage()}")
        return False

    def _value(self, arg: ast.FunctionArgument) -> Expr | None:
        given = self.told.get(arg.name)
        if given is None:
            assert arg.default is not None
            self.told[arg.name] = arg.default
            before = len(self.c.found)
            value = types.type_of(self.c, arg.default, Env(function=self.call.func))
            del self.c.found[before:]  # what is wrong with a default is told where the model is
            return value
        if isinstance(given, ast.Call) and self.c.table.get(given.func):
            what = f"`{arg.name}` of `{self.call.func}` is a value, not a distribution."
            return self.c.error("E0507", what, given.span, f"draw it on its own line: {arg.name} ~ {self.c.text(given)}")
        value = types.type_of(self.c, given, self.env)
        return None if value is None else fold(value)

    def bound(self, made: Made) -> dict[str, Expr] | None:
        """The arguments, their dims bound to those of the place and their kinds as declared."""
        values = self.arguments()
        if values is None:
            return None
        fine = [self._binds(arg, values[arg.name]) for arg in made.node.args]
        fine += [self._fits(arg, values[arg.name]) for arg in made.node.args] if all(fine) else []
        return values if all(fine) else None

    def _binds(self, arg: ast.FunctionArgument, value: Expr) -> bool:
        """Bind the dims of ``v[k]``: those bound before by label, the others to the value's last axes in order."""
        have = [a.label for a in value.type.axes]
        free = list(have)
        pairs: dict[str, str] = {}
        for d in arg.dims:
            label = self.label(d.name)
            if label is None:
                continue
            if label not in free:
                message = f"`{arg.name}` of `{self.call.func}` is over `{d.name}`, which is `{label}` here, but this is"
                return self._wrong("E0301", f"{message} {dims.dims_text(have)}.", arg)
            free.remove(label)
            pairs[d.name] = label
        new = [d.name for d in arg.dims if self.label(d.name) is None]
        if len(free) < len(new):
            message = f"`{arg.name}` of `{self.call.func}` is over [{', '.join(d.name for d in arg.dims)}], but this is"
            return self._wrong("E0304", f"{message} {dims.dims_text(have)}.", arg)
        for name, label in zip(new, free[len(free) - len(new) :], strict=True):
            self.bind(name, label)
            pairs[name] = label
        self.own[arg.name] = tuple((pairs[d.name], self.label(d.name) or "") for d in arg.dims)
        return self._whole(arg, value)

    def _whole(self, arg: ast.FunctionArgument, value: Expr) -> bool:
        part = next((a for a in value.type.axes if a != Axis.whole(a.label)), None)
        if part is None:
            return True
        hint = f"give it a dim of its own, such as dim part = {part.dim} - 1, or do the slicing in the model"
        message = f"`{arg.name}` of `{self.call.func}` takes whole dims; this is over {dims.axis_text(part)}."
        return self._wrong("E0908", message, arg, hint)

    def _wrong(self, code: str, message: str, arg: ast.FunctionArgument, hint: str = "") -> bool:
        given = self.told[arg.name]
        self.c.error(code, message, self.call.span if given is arg.default else given.span, hint)
        return False

    def label(self, name: str) -> str | None:
        """The label that a dim of the model is bound to."""
        base = name.rstrip("'")
        return self.labels.get(name) or (self.labels[base] + name[len(base) :] if base in self.labels else None)

    def bind(self, name: str, label: str) -> None:
        """A label that another dim of the model has already gets a prime of its own."""
        while label in self.labels.values():
            label += "'"
        self.labels[name] = label

    def _fits(self, arg: ast.FunctionArgument, value: Expr) -> bool:
        """Whether a value is of the type that its argument has."""
        if arg.type is None:
            return self._is(arg, value, "real")
        if arg.type.name == "index":
            return self._indexes(arg, value)
        before = len(self.c.found)
        wanted = declared.declared_type(self.c, arg.type, len(arg.dims), Env())
        del self.c.found[before:]
        if wanted is None:
            return True
        if not fits(value.type, wanted.kind, wanted.of):
            message = f"`{arg.name}` of `{self.call.func}` is declared {kind_text(wanted.kind, wanted.of)}, but this is"
            return self._wrong("E0405", f"{message} {describe(value.type)}.", arg, whole_hint(wanted.kind, value.type.kind))
        if isinstance(value, Const) and isinstance(wanted.support, Interval):
            low, high = limits(wanted.support)
            outside = (low is not None and value.value < low) or (high is not None and value.value > high)
            if outside or (arg.type.name == "positive" and value.value == 0):
                message = f"`{arg.name}` of `{self.call.func}` is declared {arg.type.name}, but here it is {value.value:g}."
                return self._wrong("E0505", message, arg)
        return True

    def _is(self, arg: ast.FunctionArgument, value: Expr, kind: str) -> bool:
        if fits(value.type, declared.SCALAR_TYPES[kind][0], None):
            return True
        message = f"`{arg.name}` of `{self.call.func}` is {kind}, but this is {describe(value.type)}."
        return self._wrong("E0405", message, arg)

    def _indexes(self, arg: ast.FunctionArgument, value: Expr) -> bool:
        """``c[obs]: index(group)``: the dim that is indexed is that of the value."""
        assert arg.type is not None
        inner = arg.type.args[0].value if arg.type.args else None
        of = value.type.of
        if of is None or not isinstance(inner, ast.Name):
            message = f"`{arg.name}` of `{self.call.func}` is an index of a dim; this is {describe(value.type)}."
            return self._wrong("E0405", message, arg, "declare the data index(DIM)")
        bound = self.label(inner.id)
        if bound is None:
            self.bind(inner.id, of)
        elif bound.rstrip("'") != of:
            message = f"`{arg.name}` of `{self.call.func}` is index({inner.id}), which is index({bound}) here; this is index({of})."
            return self._wrong("E0405", message, arg)
        return True

    # ------------------------------------------------------------ where it stands

    def may_stand_here(self, made: Made) -> bool:
        """Whether the target is one that a model can give."""
        name, func = self.node.target.name, self.call.func
        info = self.c.variables.get(name)
        if made.result is None:
            hint = "end the model with return and the variable that is drawn from it"
            return self._refuse("E0907", f"The model `{func}` returns nothing, so nothing can be drawn from it.", hint)
        if self.node.type is not None:
            hint = "write the type in the model, on the variable that it returns"
            return self._refuse("E0909", f"`{name}` is drawn from a model; a type can't be written on it.", hint)
        if info is not None and info.role in (Role.DATA, Role.OBSERVED) and made.named not in made.latents:
            hint = f"draw a latent from it and observe that: {name} ~ Normal(…, …)"
            return self._refuse("E0909", f"`{name}` is data, but `{func}` returns a computed value, which has no density.", hint)
        if info is not None and info.role is Role.PARAM:
            return self._refuse("E0203", f"`{name}` is a param; it can't be drawn.", "choose another name")
        inner = {f"{self.prefix}.{v}" for v in made.variables if v != made.named}
        if any(v in self.c.variables for v in inner):
            hint = f"draw all of it at once, over one more dim: {name}[…] ~ {func}(…), or give the parts names of their own"
            return self._refuse("E0910", f"`{name}` is drawn from a model twice; its inner variables would be too.", hint)
        return True

    def _refuse(self, code: str, message: str, hint: str = "") -> bool:
        self.c.error(code, message, self.node.target.span if code != "E0907" else self.call.func_span, hint)
        return False

    def place(self, made: Made, values: dict[str, Expr]) -> Place | None:
        """How the dims of the model lie in those of the target."""
        target = self.node.target
        named = [subscripts.named_dim(self.c, item, self.env) for item in target.indices]
        part = next((n for n, found in enumerate(named) if found is not None and found[1] is not None), None)
        if part is not None:
            hint = "draw it over a dim of its own"
            here = target.indices[part]
            return self.c.error("E0910", f"A model fills whole dims, not `{self.c.text(here)}`.", here.span, hint)
        whole = {n: found[0] for n, found in enumerate(named) if found is not None}
        order = self._result(made, whole)
        if order is None or not self._all_bound(made):
            return None
        batch = {n: label for n, label in whole.items() if n not in order}
        if not self._arguments_vary(made, values, whole, batch) or not self._in_one_piece(made, whole):
            return None
        return Place(
            self.prefix, self.node, self.around, dict(self.labels), tuple(order), batch,
            {a.name: self._as_value(a, values[a.name]) for a in made.node.args},
        )  # fmt: skip

    def _result(self, made: Made, whole: dict[int, str]) -> list[int] | None:
        """The position in the target of each dim of the result: those bound before by label, the others last."""
        assert made.result is not None
        bound = {name: self.label(name) for name in made.result if self.label(name) is not None}
        text = self.c.text(self.node.target)
        for name, label in bound.items():
            if label not in whole.values():
                over = f"{name}, which is {label} here" if name != label else name
                hint = f"write {self.node.target.name}[{', '.join([*whole.values(), label or ''])}] ~ …"
                message = f"`{self.call.func}` gives a value over {over}; `{text}` is not over it."
                return self.c.error("E0908", message, self.node.target.span, hint)
        free = [n for n, label in whole.items() if label not in bound.values()]
        new = [name for name in made.result if name not in bound]
        if len(free) < len(new):
            hint = f"write {self.node.target.name}[{', '.join(made.result)}] ~ …, with dims of this file"
            message = f"`{self.call.func}` gives a value over [{', '.join(made.result)}]; `{text}` is"
            return self.c.error("E0908", f"{message} {dims.dims_text(list(whole.values()))}.", self.node.target.span, hint)
        for name, n in zip(new, free[len(free) - len(new) :], strict=True):
            self.labels[name] = whole[n]
        return [next(n for n, label in whole.items() if label == self.label(name)) for name in made.result]

    def _all_bound(self, made: Made) -> bool:
        """Whether every dim of the model is one of the place, of the model or of its file."""
        from emfppl.compiler.ast_to_expanded.own_checks import _dims_of

        for name in dict.fromkeys(_dims_of(made.node)):
            if self.label(name) is None and name not in made.own_dims | made.file_dims:
                message = f"Nothing here says what the dim `{name}` of `{self.call.func}` is."
                hint = f"declare it in the model, dim {name} = 3, or give the model an argument over it"
                return self.c.error("E0908", message, self.call.span, hint) or False
        return True

    def _arguments_vary(self, made: Made, values: dict[str, Expr], whole: dict[int, str], batch: dict[int, str]) -> bool:
        """Whether arguments vary, beyond their own dims, over repetitions only."""
        for arg in made.node.args:
            own = dict(self.own[arg.name])
            for axis in values[arg.name].type.axes:
                if axis.label in own or axis.label in batch.values():
                    continue
                what = f"`{arg.name}` of `{self.call.func}` is {'one number' if not arg.dims else 'the same'} for each draw"
                text = self.c.text(self.node.target)
                clash = f"it can't vary over `{axis.label}`, which "
                clash += "is a dim of the result" if axis.label in whole.values() else f"`{text}` does not have"
                return self._wrong("E0908", f"{what}; {clash}.", arg)
        return True

    def _in_one_piece(self, made: Made, whole: dict[int, str]) -> bool:
        """Inner variables must be defined everywhere: a use in a part of a dim can't have any."""
        inner = [v for v in made.variables if v != made.named]
        cut = next((f for f in self.around if f.range.bounds is not None), None)
        fixed = next((i for n, i in enumerate(self.node.target.indices) if n not in whole and not isinstance(i, ast.Name)), None)
        if not inner or (cut is None and fixed is None):
            return True
        where = f"a part of `{cut.range.name}`" if cut is not None else f"`{self.c.text(self.node.target)}`"
        message = f"`{self.call.func}` is used for {where} only; elsewhere its inner variable `{inner[0]}` would have no value."
        hint = "loop over the whole dim, or draw the inner variable outside and give it as an argument"
        return self.c.error("E0910", message, self.node.target.span, hint) or False

    def _as_value(self, arg: ast.FunctionArgument, value: Expr) -> Value:
        """How the body refers to an argument: by what is written, where that is a name or a number, else by a hidden name."""
        given = self.told[arg.name]
        labels = tuple(a.label for a in value.type.axes)
        own = self.own[arg.name]
        if isinstance(given, ast.Name) and labels:
            return Value(given, self._dims_of(given), own)
        literal = given.operand if isinstance(given, ast.Unary) else given
        place = isinstance(given, ast.Subscript) and isinstance(given.base, ast.Name)
        if not labels and (isinstance(literal, SIMPLE) or isinstance(given, ast.Name) or place or isinstance(value, Const)):
            return Value(given, (), own)
        return Value(ast.Name(self._hidden(arg.name), given.span), labels, own, given)

    def _hidden(self, name: str) -> str:
        """A name for the value of an argument; a variable that is drawn in pieces needs one for each."""
        count, hidden = 1, f"{self.prefix}.{name}{HIDDEN}"
        while hidden in self.c.variables or names.helper_home(self.c, hidden) is not None:
            count += 1
            hidden = f"{self.prefix}.{name}.{count}{HIDDEN}"
        return hidden

    def _dims_of(self, name: ast.Name) -> tuple[str, ...]:
        info: VariableInfo | None = types.find_variable(self.c, name.id, self.env)
        assert info is not None and info.dims is not None
        return info.dims[len(info.loops) :]


