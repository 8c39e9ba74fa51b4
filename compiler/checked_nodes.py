"""The checked program: names resolved, every expression typed, statements still in source order and loops still loops."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from emfppl.compiler.expressions import Expr
from emfppl.compiler.graph import DimSize, Dist, GuideSpec, Support, Target, UserDistribution, Variable
from emfppl.compiler.sizes import Size
from emfppl.grammar.ast_nodes import Model
from emfppl.grammar.source import SourceText, Span, no_span


@dataclass(frozen=True, slots=True)
class CheckedRandom:
    """``target ~ dist``. A whole dim in the target (``theta[school]``) is a `Whole`, event axes last."""

    target: Target
    dist: Dist
    support: Support
    narrowed: bool = False
    observed: bool = False
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class CheckedAssign:
    """``target = value``."""

    target: Target
    value: Expr
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class CheckedFactor:
    """``factor value``."""

    value: Expr
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class CheckedFor:
    """``for label in dim[lower:upper] { body }``; `label` is unique among the loops that enclose it and no name of a dim or
    variable."""

    label: str
    dim: str
    lower: Size
    upper: Size
    body: tuple[CheckedStatement, ...]
    span: Span = no_span()


CheckedStatement: TypeAlias = CheckedRandom | CheckedAssign | CheckedFactor | CheckedFor


@dataclass(frozen=True)
class CheckedLayer:
    """A layer of a density estimator; `model`: that of a structured layer, as a program of its own."""

    kind: str
    options: tuple[tuple[str, object], ...] = ()
    model: CheckedProgram | None = None
    span: Span = no_span()


@dataclass(frozen=True)
class CheckedDensity:
    """A density block; see `graph.DensitySpec`."""

    name: str
    variables: tuple[Variable, ...]
    given: tuple[str, ...]
    layers: tuple[CheckedLayer, ...]
    dims: tuple[DimSize, ...] = ()
    data: tuple[Variable, ...] = ()
    span: Span = no_span()


@dataclass(frozen=True)
class CheckedProgram:
    """What the checker hands on when it found no error."""

    dims: tuple[DimSize, ...]
    variables: tuple[Variable, ...]
    statements: tuple[CheckedStatement, ...]
    guide: GuideSpec = GuideSpec()
    distributions: tuple[UserDistribution, ...] = ()
    densities: tuple[CheckedDensity, ...] = ()
    models: tuple[Model, ...] = field(default=(), compare=False, repr=False)  # as parsed, with those of imported files
    source: SourceText | None = field(default=None, compare=False, repr=False)
