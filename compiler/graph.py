"""The graph: a program as a tuple of nodes in generative order.

A *variable* is a named array over dims. A *node* defines a rectangle of one variable (`Target`), once for every point of
its *domain*, a product of loop axes. ``theta[school] ~ Normal(mu, tau)`` and ``for t in time[1:] { x[t] ~ Normal(x[t-1], s) }``
are the same kind of thing: the first has the domain axis ``school``, the second the axis ``t`` over ``time[1:]``. An axis is
*independent* (the runtime vectorises it) or *carried* (the runtime scans it). Consecutive nodes whose carried axis has the same
`block` are scanned together. Expressions refer to domain axes by their label; see `expressions`.

Everything is frozen and hashable; what is wrong with a node by itself is refused where it is built, what is wrong between
nodes by `verify`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from emfppl.compiler.distributions import Distribution
from emfppl.compiler.expressions import At, Axis, Expr, Kind, Whole
from emfppl.compiler.sizes import Size
from emfppl.grammar.ast_nodes import Model
from emfppl.grammar.source import SourceText, Span, no_span

# ---------------------------------------------------------------- supports


@dataclass(frozen=True, slots=True)
class Interval:
    """Real numbers between two bounds; None is no bound. Bounds may depend on earlier variables. `open_lower`: 0 is not in it
    (``positive`` against ``nonnegative``), which matters for data only."""

    lower: Expr | None = None
    upper: Expr | None = None
    open_lower: bool = False


@dataclass(frozen=True, slots=True)
class Integers:
    """Whole numbers from `lower` to `upper`, both included; None is no bound."""

    lower: Expr | None = None
    upper: Expr | None = None


@dataclass(frozen=True, slots=True)
class Structured:
    """A support over the last dim (``simplex ordered positive_ordered sum_to_zero``) or the last two (``corr_cholesky corr
    cov_cholesky cov``)."""

    name: str

    @property
    def event_rank(self) -> int:
        return 1 if self.name in ("simplex", "ordered", "positive_ordered", "sum_to_zero", "real_vector") else 2


Support: TypeAlias = Interval | Integers | Structured
REAL_LINE = Interval()

# ---------------------------------------------------------------- variables and dims


class Role(Enum):
    DATA = "data"
    PARAM = "param"
    LATENT = "latent"
    OBSERVED = "observed"  # declared as data and the target of a `~`
    COMPUTED = "computed"


@dataclass(frozen=True, slots=True)
class DimSize:
    """A dim and its size where the file gives it."""

    name: str
    size: Size | None = None
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class Variable:
    """A named array over `dims` (labels, primes included). `support` is that of the declared type, None where none was written."""

    name: str
    role: Role
    dims: tuple[str, ...]
    kind: Kind
    of: str | None = None  # the dim that an index type indexes
    support: Support | None = None
    optional: bool = False  # `real?`
    default: Expr | None = None  # of data; the start of a param
    local: bool = False  # a computed helper inside a loop, not reported
    type_text: str = ""  # the type as the user wrote it, for messages
    span: Span = no_span()  # of the declaration


# ---------------------------------------------------------------- nodes


@dataclass(frozen=True, slots=True)
class DomainAxis:
    """One axis of a node's domain: label, the dim and range it runs over, and the number of the scan it is carried in (None:
    independent).

    `affine`: each round of that scan is an affine function of the rounds before and of the noise (see `affine`).
    """

    label: str
    dim: str
    lower: Size
    upper: Size
    block: int | None = None
    affine: bool = False

    @property
    def carried(self) -> bool:
        return self.block is not None

    @property
    def axis(self) -> Axis:
        return Axis(self.label, self.lower, self.upper)


@dataclass(frozen=True, slots=True)
class Target:
    """The rectangle a node defines: for each dim of the variable a domain axis (``At(label, scale, offset)``), a constant
    position (``At(None, 1, c)``), or a whole event axis (``Whole``; the last ones, as many as the event's rank)."""

    name: str
    indices: tuple[At | Whole, ...] = ()


@dataclass(frozen=True, slots=True)
class Dist:
    """A distribution applied to arguments by name; an argument may itself be a distribution (``Mixture``, ``truncated``).

    `event` holds the labels of the event axes, outermost first, as they stand in the arguments and the target; `over`
    is the label that ``Mixture`` sums over, or that the categories of ``Categorical`` run along, in its arguments.
    """

    name: str
    args: tuple[tuple[str, Expr | Dist], ...]
    event: tuple[str, ...] = ()
    over: str | None = None
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class RandomNode:
    """``target ~ dist``: latent or, where the variable is data, observed. `narrowed` is the support of a written type where that is
    narrower than the distribution's own: the distribution is truncated to it and renormalised."""

    target: Target
    domain: tuple[DomainAxis, ...]
    dist: Dist
    support: Support
    narrowed: bool = False
    observed: bool = False
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class ComputedNode:
    """``target = value``."""

    target: Target
    domain: tuple[DomainAxis, ...]
    value: Expr
    span: Span = no_span()


@dataclass(frozen=True, slots=True)
class FactorNode:
    """``factor value``: the sum of value over the domain and all its axes is added to the log density."""

    domain: tuple[DomainAxis, ...]
    value: Expr
    span: Span = no_span()


@dataclass(frozen=True)
class UserDistribution:
    """A distribution that the program defines: its row of the table, and its log density over the local names of its variable and
    of its arguments (pairs of an argument and its local name)."""

    row: Distribution
    variable: str
    arguments: tuple[tuple[str, str], ...]
    density: Expr


Node: TypeAlias = RandomNode | ComputedNode | FactorNode

# ---------------------------------------------------------------- guide block


@dataclass(frozen=True, slots=True)
class GateSpec:
    """How one latent's gate is laid out: ``per_element``, ``per_variable``, ``geometric`` (location and scale open apart),
    ``conjugate`` (pseudo-observations) or ``off`` (no gate: the prior's map in full), and its initial opening."""

    mode: str = "per_element"
    init: float = 0.98

    @property
    def opened(self) -> bool:
        """Whether it has an opening."""
        return self.mode not in ("conjugate", "off")


@dataclass(frozen=True, slots=True)
class GuideSpec:
    """The `guide` block: a backbone (name and options), gates by variable; ``None`` leaves the choice to the runtime."""

    backbone: tuple[str, tuple[tuple[str, object], ...]] | None = None
    gates: tuple[tuple[str, GateSpec], ...] = ()


@dataclass(frozen=True, slots=True)
class Marginal:
    """A group of discrete variables that are summed out together: no statement has more than one group in it.

    `names`: the variables, in the order of the file. `nodes`: the positions in `Graph.nodes` of all statements that have part in
    the sum: those that draw the variables, that compute something from them, and that read either. `chains`: for each variable
    the dim along which it is a chain (each value given those before), or None where its elements meet in no other way.
    """

    names: tuple[str, ...]
    nodes: tuple[int, ...]
    chains: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class GaussianBlock:
    """Latents that are jointly Gaussian given all others and the Gaussian observations.

    `inner`: these latents; `outer`: the other latents of the guide, none of which has an inner one above it. `exact`: the positions
    in `Graph.nodes` of the normal observations whose location is affine in inner latents. `terms`: of all other statements that
    count in the density and depend on inner latents, among them those that draw discrete variables that are summed out.
    `predictors`: what these depend on them through: positions of statements (terms, or computed variables on the way to them),
    each with an expression over its domain that is affine in inner latents.
    """

    inner: tuple[str, ...]
    outer: tuple[str, ...]
    exact: tuple[int, ...] = ()
    terms: tuple[int, ...] = ()
    predictors: tuple[tuple[int, Expr], ...] = ()


@dataclass(frozen=True)
class LayerSpec:
    """One layer of a density estimator, with its options by name: ``("hidden", (64, 64))``,
    ``("model", "walk")``, ``("gated", True)``.

    `model`, of a structured layer: its model as a program of its own, all of whose latents are values of the layer.
    """

    kind: str
    options: tuple[tuple[str, object], ...] = ()
    model: Graph | None = None
    span: Span = no_span()


@dataclass(frozen=True)
class DensitySpec:
    """A density block: a flow from noise to the event's `variables`, its `layers` in order from noise to data.

    `given`: names of the `data` that come with each sample; the others of `data` are constants that models read. `dims`: those
    that all of these are over, and what their sizes are made of.
    """

    name: str
    variables: tuple[Variable, ...]
    given: tuple[str, ...]
    layers: tuple[LayerSpec, ...]
    dims: tuple[DimSize, ...] = ()
    data: tuple[Variable, ...] = ()
    span: Span = no_span()


@dataclass(frozen=True)
class Graph:
    """A whole program. `source` is carried for messages only."""

    dims: tuple[DimSize, ...]
    variables: tuple[Variable, ...]
    nodes: tuple[Node, ...]
    guide: GuideSpec = GuideSpec()
    barren: frozenset[str] = frozenset()  # latent and computed, nothing observed below: drawn forward, not in the guide
    marginals: tuple[Marginal, ...] = ()
    gaussian: GaussianBlock | None = None
    distributions: tuple[UserDistribution, ...] = ()
    densities: tuple[DensitySpec, ...] = ()
    models: tuple[Model, ...] = field(default=(), compare=False, repr=False)  # sub-models, as parsed
    source: SourceText | None = field(default=None, compare=False, repr=False)

    @property
    def summed_out(self) -> frozenset[str]:
        """The discrete latents that are summed out."""
        latents = {v.name for v in self.of_role(Role.LATENT)}
        return frozenset(name for m in self.marginals for name in m.names if name in latents)

    def variable(self, name: str) -> Variable:
        return next(v for v in self.variables if v.name == name)

    def of_role(self, *roles: Role) -> tuple[Variable, ...]:
        return tuple(v for v in self.variables if v.role in roles)

    def defining(self, name: str) -> tuple[RandomNode | ComputedNode, ...]:
        """The nodes that define parts of a variable, in generative order."""
        return tuple(n for n in self.nodes if not isinstance(n, FactorNode) and n.target.name == name)


def event_rank(dist: Dist, support: Support) -> int:
    """How many of the target's last axes one draw has: 0 for a number, 1 for a vector, 2 for a matrix."""
    return max(len(dist.event), support.event_rank if isinstance(support, Structured) else 0)


def dist_exprs(dist: Dist) -> Iterator[Expr]:
    """The argument expressions of a distribution and of those inside it."""
    for _, value in dist.args:
        if isinstance(value, Dist):
            yield from dist_exprs(value)
        else:
            yield value


def support_exprs(support: Support) -> Iterator[Expr]:
    """The bounds of a support that are expressions."""
    if isinstance(support, Interval | Integers):
        yield from (b for b in (support.lower, support.upper) if b is not None)


def node_exprs(node: Node) -> Iterator[Expr]:
    """All expressions that a node evaluates."""
    if isinstance(node, RandomNode):
        yield from dist_exprs(node.dist)
        yield from support_exprs(node.support)
    else:
        yield node.value
