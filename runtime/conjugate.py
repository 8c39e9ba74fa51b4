"""Posteriors in closed form: programs whose likelihood is, in every latent, of the family that its prior is conjugate to.

Nothing is matched against a list of models. The likelihood ℓ is looked at as a function of the latents: with T the unconstrained
coordinate of a latent element, x = T(y), ℓ lies in the conjugate family if and only if

    ∂ℓ/∂y = a φ₁(x) + b φ₂(x)           (`pseudo_observations`: for a Gamma law φ₁ = 1 and φ₂ = −x)

for some numbers a and b, whatever the other latents are; for a Dirichlet law Σ_j (δ_kj − x_k) x_j ∂ℓ/∂x_j = a_k − x_k Σ a. These
numbers are solved for at random points, again at points where the posterior is, and then tried at fresh ones, where in the end

    log p(x, data) − log q(x) = log p(data)

must be one and the same number for the law q that they give.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.compiler.graph import ComputedNode, Graph, GuideSpec, RandomNode, Role, node_exprs
from emfppl.compiler.smooth import is_smooth
from emfppl.runtime.bijections.pseudo_observations import Beta, Dirichlet, Family, Gamma, InverseGamma, Scalar, family_of
from emfppl.runtime.bijections.updated_laws import canonical
from emfppl.runtime.choose_guide import build_guide, flat, references
from emfppl.runtime.compile import once, solves
from emfppl.runtime.execute import Site
from emfppl.runtime.guide import Guide, latent_nodes
from emfppl.runtime.precision import precision
from emfppl.runtime.recipe import Recipe

if TYPE_CHECKING:
    from emfppl.runtime.program import Program

PROBES = 8
TOLERANCE = 1e-9  # of slopes, relative to what they are made of, and of the evidence
SMALL = 1e-6  # of the largest slopes: smaller ones are told from zero only so far
WIDE = 1.5  # standard deviations of the posterior that probes stand apart

Arrays = dict[str, Any]
Draws = dict[str, np.ndarray]


@dataclass(frozen=True)
class Exact:
    """A posterior in closed form: its guide, natural parameters of the factors by node key, and the log evidence."""

    guide: Guide
    parts: dict[str, Draws]
    log_evidence: float


def in_closed_form(program: Program, guide: str) -> Exact | None:
    """The posterior, if it is conjugate and the choice of the guide is left open."""
    left_open = guide == "auto" and program.graph.guide == GuideSpec()
    return exact_posterior(program) if left_open else None


def exact_posterior(program: Program) -> Exact | None:
    """The posterior, where it is the prior updated latent by latent; None where it is not, or may not be.

    Latents of a Gaussian block are integrated out: the posterior is then that of the others, with the block's own law given these.
    """
    if not may_be_conjugate(program):
        return None
    guide = exact_guide(program)
    with precision("float64"):
        return Search(guide).found()


def exact_guide(program: Program) -> Guide:
    """The guide that can be such a posterior, with natural parameters of zero."""
    return build_guide(program, Recipe("mean_field", gates="exact", blocks=_outer(program) is not None))


# ---------------------------------------------------------------- what is not worth a look


def may_be_conjugate(program: Program) -> bool:
    """Whether priors are conjugate to something, do not depend on each other, and meet in no statement about data, and the
    likelihood is smooth, so that what it is at some points it is everywhere."""
    graph, outer = program.graph, _outer(program)
    nodes = [node for _, node in latent_nodes(program) if outer is None or node.target.name in outer]
    if not nodes or program.marginals or program.binding.latent or graph.of_role(Role.PARAM) or solves(program):
        return False
    families = [None if node.narrowed else family_of(node) for node in nodes]
    known = all(isinstance(f, Scalar | Dirichlet) for f in families)
    normal = all(f is not None and f.law == "Normal" for f in families)  # these are for Gaussian blocks
    apart = all(len(names) <= 1 for names in _met(graph)) if outer is None else len(outer) == 1
    names = frozenset(node.target.name for node in nodes)
    return known and not normal and apart and flat(graph, among=names) and is_smooth(graph, names)


def _outer(program: Program) -> tuple[str, ...] | None:
    """The latents that a Gaussian block depends on; None where there is no block, or one that is not Gaussian throughout."""
    block = program.block
    return None if block is None or block.num_sites or not block.outer else tuple(block.outer)


def _met(graph: Graph) -> Iterator[set[str]]:
    """The latents that each statement about data reads, through what is computed."""
    reads = {v.name: {v.name} for v in graph.of_role(Role.LATENT)}
    for node in graph.nodes:
        found: set[str] = set().union(*(reads.get(r.name, set()) for e in node_exprs(node) for r in references(e)))
        if isinstance(node, ComputedNode):
            reads[node.target.name] = reads.get(node.target.name, set()) | found
        elif not isinstance(node, RandomNode) or node.observed:
            yield found


# ---------------------------------------------------------------- points


def _anywhere(family: Family, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Points of the support, about 1 where it is positive."""
    z = rng.normal(size=shape)
    if isinstance(family, Dirichlet):
        return _softmax(z)
    match family.law:
        case "Normal":
            return z
        case "Beta" | "LogitNormal":
            return 1 / (1 + np.exp(-z))
    return np.exp(0.7 * z)


def _around(family: Family, args: Mapping[str, np.ndarray], shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Points where a law is, somewhat wider spread than its draws."""
    z = WIDE * rng.normal(size=shape)
    match family:
        case Dirichlet():
            return _softmax(np.log(args["concentration"]) + z * _width(args["concentration"]))
        case InverseGamma():
            return args["rate"] / args["concentration"] * np.exp(z * _width(args["concentration"]))
        case Gamma():
            return args["concentration"] / args["rate"] * np.exp(z * _width(args["concentration"]))
        case Beta():
            one, two = args["concentration1"], args["concentration0"]
            return 1 / (1 + two / one * np.exp(-z * _width(1 / (1 / one + 1 / two))))
    y = args["loc"] + args["scale"] * z
    return {"Normal": y, "LogNormal": np.exp(y)}.get(family.law, 1 / (1 + np.exp(-y)))


def _width(count: np.ndarray) -> np.ndarray:
    return np.minimum(1 / np.sqrt(count), 1.0)


def _softmax(y: np.ndarray) -> np.ndarray:
    e = np.exp(y - y.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


# ---------------------------------------------------------------- the search


class Search:
    """One program, looked at in float64, again where its data have changed; of one with a Gaussian block only the outer latents,
    the others being integrated out."""

    def __init__(self, guide: Guide):
        self.guide, self.program, self.rng = guide, guide.program, np.random.default_rng(0)
        self.nodes = {key: node for key, node in latent_nodes(self.program) if key in guide.gates.shapes}
        self.families = {key: family for key, node in self.nodes.items() if (family := family_of(node)) is not None}
        self.places = {key: self._places(node) for key, node in self.nodes.items()}
        self._compiled = once(jax.vmap(self._look, (0, None, None)))

    def found(self) -> Exact | None:
        """The posterior, if all trials are passed."""
        nothing = {key: {name: np.zeros(shape.shape) for name in _names(self.families[key])} for key, shape in self.places.items()}
        seen = self._seen({key: _anywhere(f, self._shape(key), self.rng) for key, f in self.families.items()}, nothing)
        for _ in range(2):
            if not _finite(seen):
                return None
            parts = {key: _solved(family, seen, key) for key, family in self.families.items()}
            made = {key: self.families[key].updated(_args(seen, key), parts[key]) for key in parts}
            if not all(_proper(args) for args in made.values()):
                return None
            points = {k: _around(f, _numpy(made[k]), self._shape(k), self.rng) for k, f in self.families.items()}
            seen = self._seen(points, parts)
        return self._tried(seen, parts)

    def _tried(self, seen: Arrays, parts: dict[str, Draws]) -> Exact | None:
        """The posterior, if slopes at fresh points are what `parts` say, and log weights are equal."""
        if not _finite(seen) or not all(_fits(family, seen, key, parts[key]) for key, family in self.families.items()):
            return None
        weights = seen["log_weight"]
        allowed = TOLERANCE * max(1.0, float(np.abs(seen["log_likelihood"]).max()))
        return Exact(self.guide, parts, float(weights.mean())) if np.ptp(weights) <= allowed else None

    # ------------------------------------------------------------ layout

    def _places(self, node: RandomNode) -> np.ndarray:
        """Where the elements of a node lie in its variable, which is flat."""
        shape = self.program.shapes[node.target.name]
        return np.asarray(self.program.part_of(node, np.arange(int(np.prod(shape, dtype=int))).reshape(shape)).array)

    def _shape(self, key: str) -> tuple[int, ...]:
        return (PROBES, *self.places[key].shape)

    def _variables(self, points: Draws) -> Draws:
        """Whole latents (PROBES, …) from their parts."""
        shapes = {node.target.name: self.program.shapes[node.target.name] for node in self.nodes.values()}
        out = {name: np.zeros((PROBES, int(np.prod(shape, dtype=int)))) for name, shape in shapes.items()}
        for key, x in points.items():
            out[self.nodes[key].target.name][:, self.places[key].reshape(-1)] = x.reshape(PROBES, -1)
        return {name: x.reshape(PROBES, *shapes[name]) for name, x in out.items()}

    # ------------------------------------------------------------ looking

    def _seen(self, points: Draws, parts: Mapping[str, Draws]) -> Arrays:
        """What there is to see at points: arrays (PROBES, …)."""
        seen = jax.device_get(self._compiled(self._variables(points), parts, self.program.data))
        slopes = {name: np.asarray(v).reshape(PROBES, -1) for name, v in seen["slopes"].items()}
        of = {key: slopes[node.target.name][:, self.places[key].reshape(-1)] for key, node in self.nodes.items()}
        return {**seen, "points": points, "slopes": {key: v.reshape(self._shape(key)) for key, v in of.items()}}

    def _look(self, values: Arrays, parts: Mapping[str, Arrays], data: Any) -> Arrays:
        def likelihood(values: Arrays) -> tuple[jax.Array, Arrays]:
            found = self.program.at_values({**self.guide.blank, **values}, self._of_node, parts, data)
            terms = {key: found[key] for key in self.nodes}
            prior = sum(jnp.sum(t["prior"]) for t in terms.values())
            return self.guide.log_density(values, data) - prior, terms

        (value, terms), slopes = jax.value_and_grad(likelihood, has_aux=True)(values)
        change = sum(jnp.sum(t["prior"] - t["updated"]) for t in terms.values())
        return {"log_likelihood": value, "log_weight": value + change, "slopes": slopes, "terms": terms}

    def _of_node(self, site: Site, value: Any) -> Arrays:
        family = self.families.get(self.program.noise_key(site.key))
        if family is None:
            return {"prior": jnp.zeros(site.batch_shape)}
        args = {name: jnp.broadcast_to(v, jnp.shape(value)) for name, v in canonical(site.dist, site.table).items()}
        densities = {"prior": site.map.log_prob(value), "updated": site.guided.log_prob(value)}
        if not isinstance(family, Scalar):
            return {**densities, **args}
        first, second = family.features(value)
        return {**densities, **args, "first": first, "second": second, "stretch": family.stretch(value)}


def _names(family: Family) -> tuple[str, ...]:
    return ("a",) if isinstance(family, Dirichlet) else ("a", "b")


def _args(seen: Arrays, key: str) -> Draws:
    """The arguments of a prior, which are the same at all points."""
    known = ("loc", "scale", "concentration", "rate", "concentration1", "concentration0")
    return {name: np.asarray(v[0]) for name, v in seen["terms"][key].items() if name in known}


def _numpy(args: Arrays) -> Draws:
    return {name: np.asarray(v) for name, v in args.items()}


def _finite(seen: Arrays) -> bool:
    return all(bool(np.all(np.isfinite(leaf))) for leaf in jax.tree.leaves({**seen, "points": 0}))


def _proper(args: Arrays) -> bool:
    return all(bool(np.all(np.isfinite(v)) and (name == "loc" or np.all(np.asarray(v) > 0))) for name, v in args.items())


# ---------------------------------------------------------------- slopes


def _slopes(family: Family, seen: Arrays, key: str) -> np.ndarray:
    """The left side of the condition (PROBES, …)."""
    slope, x = seen["slopes"][key], seen["points"][key]
    if isinstance(family, Scalar):
        return slope * np.asarray(seen["terms"][key]["stretch"])
    pulled = x * slope
    return pulled - x * pulled.sum(axis=-1, keepdims=True)


def _solved(family: Family, seen: Arrays, key: str) -> Draws:
    """The natural parameters that fit the slopes best."""
    slopes, x = _slopes(family, seen, key), seen["points"][key]
    if not isinstance(family, Scalar):
        away, change = x - x.mean(axis=0), slopes - slopes.mean(axis=0)
        total = -(away * change).sum(axis=(0, -1), keepdims=True) / (away**2).sum(axis=(0, -1), keepdims=True)
        return {"a": (slopes + total * x).mean(axis=0)}
    terms = seen["terms"][key]
    columns = np.moveaxis(np.stack([terms["first"], terms["second"]], axis=-1), 0, -2)  # (…, PROBES, 2)
    scale = np.abs(columns).max(axis=-2, keepdims=True)
    found = np.linalg.pinv(columns / scale) @ np.moveaxis(slopes, 0, -1)[..., None]
    a, b = np.moveaxis(found[..., 0] / scale[..., 0, :], -1, 0)
    return {"a": a, "b": b}


def _fits(family: Family, seen: Arrays, key: str, parts: Draws) -> bool:
    """Whether the slopes are those of a factor with these natural parameters."""
    slopes, x, args = _slopes(family, seen, key), seen["points"][key], _args(seen, key)
    if isinstance(family, Scalar):
        first, second = seen["terms"][key]["first"], seen["terms"][key]["second"]
        expected = parts["a"] * first + parts["b"] * second
        made_of = np.abs(parts["a"] * first) + np.abs(parts["b"] * second)
    else:
        total = parts["a"].sum(axis=-1, keepdims=True)
        expected, made_of = parts["a"] - total * x, np.abs(parts["a"]) + total * x + args["concentration"]
    return bool(np.all(np.abs(slopes - expected) <= TOLERANCE * (made_of + SMALL * made_of.max(initial=1.0))))
