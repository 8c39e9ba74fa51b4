"""The body of a model in its place: names, dims and subscripts as they are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from emfppl.compiler.ast_to_checked.types import CONSTANT_VALUES
from emfppl.compiler.ast_to_expanded.own_checks import Made
from emfppl.compiler.trees import moved, rebuilt
from emfppl.grammar import ast_nodes as ast
from emfppl.grammar.source import SourceText, Span

if TYPE_CHECKING:
    from emfppl.compiler.ast_to_expanded.use import Written

Item = ast.Expr | ast.SliceItem
ALL = ast.SliceItem(None, None)


@dataclass(frozen=True)
class Value:
    """What an argument stands for: an expression, its dims in order; of the argument's own dims, which of these they are and
    what they are called in the body; `given`: what the hidden name `node` is to be set to."""

    node: ast.Expr
    dims: tuple[str, ...]
    own: tuple[tuple[str, str], ...]
    given: ast.Expr | None = None


@dataclass(frozen=True)
class Place:
    """Where a model is used: the draw, loops around it, the label of each of the model's dims, the position in the target of
    each dim of the result, the target's other whole dims by position, the arguments, and what the names of inner variables
    begin with."""

    prefix: str
    node: ast.Random
    around: tuple[ast.For, ...]
    labels: dict[str, str]
    order: tuple[int, ...]
    batch: dict[int, str]
    values: dict[str, Value]


@dataclass
class Body:
    """Writes one model in one place. Inner variables get the loops around as their first subscripts."""

    made: Made
    place: Place
    source: SourceText
    prefixes: dict[Span, str]  # of draws, where they are not their target's name: filled as it writes
    loops: dict[str, str] = field(default_factory=dict)  # loop variables of the body, by their names here

    @property
    def target(self) -> ast.Target:
        return self.place.node.target

    def written(self) -> Written:
        from emfppl.compiler.ast_to_expanded.use import Written

        node = self._placed()
        around = [_loop(self._batch_variable(label), label, self.place.node.span) for label in self._batch()]
        declared: list[ast.Statement] = []
        inside: list[ast.Statement] = []
        for one in node.body:
            new = self._statement(one)
            if new is not None:
                (declared if isinstance(one, ast.Dim | ast.Param) else inside).append(new)
        statements: tuple[ast.Statement, ...] = tuple(inside)
        for loop in reversed(around):
            statements = (replace(loop, body=statements),)
        return Written(tuple(declared), (*self._arguments(), *statements), self.source)

    def _placed(self) -> ast.Model:
        """The model with spans in a copy of its text behind the source."""
        node = self.made.node
        line, column = self.source.position(node.span.start)
        start = node.span.start - (column - 1)
        text, name = self.source.text[start : node.span.end], self.source.name_at(node.span.start)
        self.source = self.source.with_part(text, name, line, self.place.node.span)
        return moved(node, self.source.parts[-1].start - start)

    def _batch(self) -> list[str]:
        return list(self.place.batch.values())

    def _batch_variable(self, label: str) -> str:
        return f"{label.replace(chr(39), '_')}.{self.place.prefix}"

    def _arguments(self) -> list[ast.Statement]:
        """Arguments that are neither names nor numbers get hidden names, once for all rounds of the body."""
        out: list[ast.Statement] = []
        for value in self.place.values.values():
            if value.given is not None:
                assert isinstance(value.node, ast.Name)
                span = value.given.span
                where = ast.Target(value.node.id, tuple(ast.Name(d, span) for d in value.dims), span, span)
                out.append(ast.Assign(where, None, value.given, span=span))
        return out

    # ------------------------------------------------------------ statements

    def _statement(self, node: Any) -> Any:
        match node:
            case ast.Dim(name, size):
                return replace(node, name=self._dim(name), size=None if size is None else self.expr(size))
            case ast.Param():
                outer = [ast.DimRef(label, None, node.span) for label in self._outer_labels()]
                own = tuple(self._dim_ref(d) for d in node.dims)
                start = None if node.start is None else self.expr(node.start)
                return replace(node, name=self._inner(node.name), dims=(*outer, *own), type=self._type(node.type), start=start)
            case ast.Random(where, kind, dist):
                if where.name == self.made.named:
                    self.prefixes[node.span] = self._inner(where.name)
                return replace(node, target=self._target(where), type=kind and self._type(kind), dist=self.expr(dist))
            case ast.Assign(where, kind, value):
                return replace(node, target=self._target(where), type=kind and self._type(kind), value=self.expr(value))
            case ast.Factor(value):
                return replace(node, value=self.expr(value))
            case ast.Return(value):
                return self._returned(node)
            case ast.For():
                return self._for(node)
        raise AssertionError(node)

    def _for(self, node: ast.For) -> ast.For:
        reach = self._dim_ref(node.range)
        before = dict(self.loops)
        self.loops[node.var] = self._inner(node.var)
        body = tuple(self._statement(one) for one in node.body)
        self.loops = before
        return replace(node, var=self._inner(node.var), range=reach, body=body)

    def _returned(self, node: ast.Return) -> ast.Statement | None:
        """The last statement: nothing where a variable of the body is the target, else the target's value."""
        if self.made.named is not None:
            return None
        batch = {n: ast.Name(self._batch_variable(label), node.span) for n, label in self.place.batch.items()}
        items = tuple(batch.get(n, item) for n, item in enumerate(self.target.indices))
        return ast.Assign(replace(self.target, indices=items), None, self.expr(node.value), span=node.span)

    # ------------------------------------------------------------ names

    def _inner(self, name: str) -> str:
        return f"{self.place.prefix}.{name}"

    def _outer(self, span: Span) -> list[Item]:
        """The positions of this round: loops around the use, then repetitions."""
        names = [f.var for f in self.place.around] + [self._batch_variable(label) for label in self._batch()]
        return [ast.Name(name, span) for name in names]

    def _outer_labels(self) -> list[str]:
        labels: list[str] = []
        for label in [*(f.range.name for f in self.place.around), *self._batch()]:
            while label in labels:
                label += "'"
            labels.append(label)
        return labels

    def _dim(self, name: str) -> str:
        """A dim of the model, as it is called here, with its primes."""
        base = name.rstrip("'")
        primes = name[len(base) :]
        if name in self.place.labels:
            return self.place.labels[name]
        if base in self.place.labels:
            return self.place.labels[base] + primes
        return self._inner(base) + primes if base in self.made.own_dims else name

    def _is_dim(self, name: str) -> bool:
        base = name.rstrip("'")
        return (
            (base in self.place.labels or name in self.place.labels or base in self.made.own_dims)
            and base not in self.loops and base not in self.made.variables and base not in self.place.values
        )  # fmt: skip

    def _dim_ref(self, node: ast.DimRef) -> ast.DimRef:
        bounds = None if node.bounds is None else self._item(node.bounds)
        assert bounds is None or isinstance(bounds, ast.SliceItem)
        return replace(node, name=self._dim(node.name), bounds=bounds)

    def _type(self, node: ast.TypeExpr) -> ast.TypeExpr:
        return replace(node, args=tuple(replace(a, value=self._label_or(a.value)) for a in node.args))

    # ------------------------------------------------------------ targets and subscripts

    def _target(self, node: ast.Target) -> ast.Target:
        items = [self._item(i) for i in node.indices]
        if node.name == self.made.named:
            where, items = self.target.name_span, self._in_target(items, node.span)
            return replace(node, name=self.target.name, indices=tuple(items), name_span=where)
        if node.name in self.made.helpers and node.name not in self.made.variables:
            return replace(node, name=self._inner(node.name), indices=tuple(items))
        return replace(node, name=self._inner(node.name), indices=(*self._outer(node.span), *items))

    def _in_target(self, items: Sequence[Item], span: Span) -> list[Item]:
        """Subscripts of the returned variable as subscripts of the target."""
        mine = dict(zip(self.place.order, items, strict=False))
        out: list[Item] = []
        for n, item in enumerate(self.target.indices):
            if n in self.place.batch:
                out.append(ast.Name(self._batch_variable(self.place.batch[n]), span))
            elif n in self.place.order:
                out.append(mine.get(n, replace(ALL, span=span)))
            else:
                out.append(item)
        return out

    def _item(self, node: Item) -> Item:
        """One subscript: a dim by name keeps its primes."""
        if isinstance(node, ast.SliceItem):
            lower, upper = (None if e is None else self.expr(e) for e in (node.lower, node.upper))
            return replace(node, lower=lower, upper=upper)
        if isinstance(node, ast.Subscript) and isinstance(node.base, ast.Name) and self._is_dim(node.base.id):
            base = replace(node.base, id=self._dim(node.base.id))
            return replace(node, base=base, indices=tuple(self._item(i) for i in node.indices))
        return self._label_or(node)

    def _label_or(self, node: ast.Expr) -> ast.Expr:
        """A dim as a label, anything else as a value."""
        if isinstance(node, ast.Name) and self._is_dim(node.id):
            return replace(node, id=self._dim(node.id))
        if isinstance(node, ast.ListLiteral):
            return replace(node, items=tuple(self._label_or(i) for i in node.items))
        return self.expr(node)

    # ------------------------------------------------------------ expressions

    def expr(self, node: Any) -> Any:
        """An expression as it is here."""
        match node:
            case ast.Name():
                return self._name(node, ())
            case ast.Subscript(ast.Name() as base, indices):
                items = tuple(self._item(i) for i in indices)
                return replace(self._name(base, items), span=node.span) if self._known(base.id) else replace(node, indices=items)
            case ast.Subscript(base, indices):
                return replace(node, base=self.expr(base), indices=tuple(self._item(i) for i in indices))
            case ast.Call(_, args):
                return replace(node, args=tuple(replace(a, value=self._argument(a)) for a in args))
            case Span():
                return node
        return rebuilt(node, self.expr)

    def _argument(self, arg: ast.Argument) -> ast.Expr:
        return self._label_or(arg.value) if arg.name == "over" else self.expr(arg.value)

    def _known(self, name: str) -> bool:
        return name in self.made.variables or name in self.made.helpers or name in self.place.values

    def _name(self, node: ast.Name, items: tuple[Item, ...]) -> ast.Expr:
        name, span = node.id, node.span
        if name in self.loops:
            return replace(node, id=self.loops[name])
        if name in self.made.variables and name == self.made.named:
            return self._subscripted(self.target.name, self._in_target(items, span), items, span)
        if name in self.made.variables:
            rest = items or tuple(replace(ALL, span=span) for _ in self.made.variables[name])
            outer = self._outer(span)
            return self._subscripted(self._inner(name), [*outer, *rest] if outer else list(items), items, span)
        if name in self.made.helpers:
            return self._subscripted(self._inner(name), list(items), items, span)
        if name in self.place.values:
            return self._value(self.place.values[name], items, span)
        if self._is_dim(name):
            return replace(node, id=self._dim(name).rstrip("'"))
        if name in CONSTANT_VALUES and name not in self.made.file_dims:
            return ast.Number(repr(CONSTANT_VALUES[name]), span)
        return node

    def _subscripted(self, name: str, items: list[Item], written: tuple[Item, ...], span: Span) -> ast.Expr:
        """The variable alone where all of its dims are whole, as in the model."""
        base = ast.Name(name, span)
        if not written and all(i == ALL for i in items):
            return base
        return ast.Subscript(base, tuple(items), span) if items else base

    def _value(self, value: Value, items: tuple[Item, ...], span: Span) -> ast.Expr:
        """An argument: its own dims as subscripted in the body, those it varies over at this round."""
        if not value.dims:
            return ast.Subscript(value.node, items, span) if items else value.node
        written = dict(zip([label for label, _ in value.own], items, strict=False))
        called = dict(value.own)
        out: list[Item] = []
        for label in value.dims:
            if label not in called:
                out.append(ast.Name(self._batch_variable(label), span))
            elif label in written:
                out.append(written[label])
            else:
                out.append(replace(ALL, span=span) if called[label] == label else ast.Name(called[label], span))
        plain = not items and all(i == ALL for i in out)
        return value.node if plain else ast.Subscript(value.node, tuple(out), span)


def _loop(var: str, label: str, span: Span) -> ast.For:
    return ast.For(var, ast.DimRef(label, None, span), (), var_span=span, span=span)
