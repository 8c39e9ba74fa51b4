"""Which guide a fit uses: names, the rule behind ``guide="auto"``, and guides from their descriptions.

**The rule.** Let D be the number of scalar latents, and call a program *flat* if no latent has a latent or a `param`
among its parents.

0. A program with latents that are jointly normal given the others, the *outer* ones, gets `messages`: 1 to 3 are then said of
   the outer latents. Where there are none, and nothing but normal observations, that is the posterior.
1. A flat program with D ≤ 200 gets `full_rank`: a normal distribution with any covariance in unconstrained space,
   started from the curvature at the mode, in float64. Regressions on raw scales need no less.
2. Any other program with D ≤ 200 gets the gated structured layer over a full-rank backbone; so does one with D ≤ 500 that
   draws latents in a loop that is not affine, whose noise hangs together along all of the loop.
3. A flat program with more latents gets `low_rank`, any other `conjugate`: pseudo-observations of every latent that has a
   conjugate prior, and the structured layer over an elementwise backbone for the rest.
4. Where 1 or 2 leaves a gap that the certificate can see, an autoregressive flow is put under the guide; under messages a
   spline on each outer latent, then a flow under these, and at last, where something inside is approximated, 1 or 2 without
   the block. What is added starts as the identity, and is kept if it raises the ELBO by more than the noise, or the ESS
   where the ELBO leaves it open.

A `guide` block of the program takes the place of the rule; a name given to `fit` takes the place of both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from emfppl.compiler.affine import has_bent_loop
from emfppl.compiler.expressions import Expr, Ref, walk
from emfppl.compiler.graph import REAL_LINE, ComputedNode, FactorNode, GateSpec, Graph, Node, RandomNode, Role, node_exprs
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.runtime.bijections.pseudo_observations import family_of
from emfppl.runtime.compile import solves
from emfppl.runtime.gates import Gates, specs_from
from emfppl.runtime.guide import Guide, latent_nodes
from emfppl.runtime.guides.amortised import Amortised, local_axes
from emfppl.runtime.guides.backbone import Affine, Backbone
from emfppl.runtime.guides.elementwise import Elementwise
from emfppl.runtime.guides.flows import FLOWS, build_flow
from emfppl.runtime.guides.full_rank import FullRank
from emfppl.runtime.guides.inverse_graph import Inverse, faithful_inverse, markov_network
from emfppl.runtime.guides.low_rank import LowRank
from emfppl.runtime.guides.messages import Messages
from emfppl.runtime.guides.splines import BINS, Splines
from emfppl.runtime.recipe import RANK, Flow, Recipe, recipe_from

if TYPE_CHECKING:
    from emfppl.runtime.budget import Budget
    from emfppl.runtime.program import Program

FULL_RANK_UP_TO, OF_BENT_LOOPS = 200, 500  # latents; of programs with a loop that is not affine
NAMES = ("auto", "mean_field", "full_rank", "low_rank", "gated", "geometric", "conjugate", "messages", "splines", *FLOWS)
GATED = {"gated": "affine", "geometric": "geometric", "conjugate": "conjugate"}
FLOW, WIDE = FLOWS["iaf"], Flow(layers=3, hidden=(64, 64))


def recipe_of(program: Program, name: str, blocks: bool = True) -> Recipe:
    """The recipe that a name, the program's guide block, or the rule stands for; raises `EmfError` E1101.

    `blocks`: whether the rule may choose messages.
    """
    if name not in NAMES:
        raise EmfError([_unknown(name)])
    block = program.graph.guide
    if name == "auto" and (block.backbone or block.gates):
        return replace(_of_block(block.backbone, dimension(program)), gates=_of_all(dict(block.gates)))
    return _of_name(program, name) if name != "auto" else _of_rule(program, blocks)


def _unknown(name: str) -> Diagnostic:
    near = get_close_matches(name.lower(), NAMES, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(NAMES)}"
    if name.lower() in ("nuts", "hmc", "mcmc"):
        hint = "MCMC runs on model.numpyro_model, as on any NumPyro model"
    return Diagnostic("E1101", f"There is no guide named {name!r}.", hint=hint)


def _of_name(program: Program, name: str) -> Recipe:
    if name in GATED:
        return Recipe("mean_field", gates=GATED[name])
    if name == "messages":
        return _of_gaussian_block(program) or _no_block(program)
    if name == "splines":
        return Recipe(_affine_under(dimension(program)), splines=BINS)
    if name in FLOWS:
        return Recipe(_affine_under(dimension(program)), flow=FLOWS[name])
    return Recipe(name, rank=RANK if name == "low_rank" else None, gates="shut")


def _affine_under(dim: int) -> str:
    return "full_rank" if dim <= FULL_RANK_UP_TO else "mean_field"


def _of_block(backbone: tuple[str, tuple[tuple[str, object], ...]] | None, dim: int) -> Recipe:
    name, options = backbone or (_affine_under(dim), ())
    given: dict[str, Any] = dict(options)
    if name in FLOWS:
        flow = replace(FLOWS[name], **{**given, "hidden": tuple(given.get("hidden", FLOWS[name].hidden))})
        return Recipe(_affine_under(dim), flow=flow)
    if name == "splines":
        return Recipe(_affine_under(dim), splines=given.get("bins", BINS))
    return Recipe(name, rank=given.get("rank", RANK) if name == "low_rank" else None)


def _of_all(gates: Mapping[str, GateSpec]) -> str:
    """The kind of gates that a guide block asks for all latents."""
    mode = gates["all"].mode if "all" in gates else ""
    return mode if mode in GATED.values() else "affine"


def _of_rule(program: Program, blocks: bool) -> Recipe:
    messages = _of_gaussian_block(program) if blocks else None
    if messages is not None:
        return messages
    dim, is_flat = dimension(program), flat(program.graph, frozenset(program.binding.latent))
    if dim <= _dense_up_to(program):
        return Recipe("full_rank", gates="shut" if is_flat else "affine")
    if is_flat:
        return Recipe("low_rank", rank=RANK, gates="shut")
    conjugate = any(family_of(node) is not None for _, node in latent_nodes(program))
    return Recipe("mean_field", gates="conjugate" if conjugate else "affine")


def _dense_up_to(program: Program) -> int:
    """Up to how many latents the rule takes any covariance of the noise: more, where nothing else follows the loops."""
    return OF_BENT_LOOPS if has_bent_loop(program.graph) else FULL_RANK_UP_TO


def _of_gaussian_block(program: Program) -> Recipe | None:
    """Messages in the Gaussian block, if there is one, under a guide for the outer latents by the same rule."""
    block = program.block
    if block is None:
        return None
    is_flat = flat(program.graph, frozenset(program.binding.latent), frozenset(block.outer))
    return Recipe(_affine_under(dimension(program, blocks=True)), gates="shut" if is_flat else "affine", blocks=True)


def _no_block(program: Program) -> NoReturn:
    why = "no latents of this program are jointly normal given the others"
    if program.graph.gaussian is not None:
        why = "what the latents that are jointly normal depend on has too many neighbours for a sparse factor"
    message = f"The guide 'messages' takes a program with latents that are jointly normal given the others; {why}."
    raise EmfError([Diagnostic("E1101", message, hint='guide = "auto" chooses one that fits')])


def ladder_of(program: Program, name: str, budget: Budget, blocks: bool = True) -> tuple[tuple[Recipe, ...], bool]:
    """The guides to fit, each started from the one before, and whether the last was asked for; raises `EmfError` E1101."""
    recipe = recipe_of(program, name, blocks)
    if name != "auto" or program.graph.guide.backbone is not None:
        return ((recipe.plain, recipe) if recipe.layered else (recipe,)), True
    return (recipe, *(_richer(program, recipe, budget) if budget.climbs else ())), False


def _richer(program: Program, recipe: Recipe, budget: Budget) -> tuple[Recipe, ...]:
    """What may follow when `recipe` leaves a gap, where that is cheap."""
    block = program.block if recipe.blocks else None
    layered = _layered(program, recipe, budget)
    if block is None or not block.num_sites or dimension(program) > FULL_RANK_UP_TO:
        return layered  # given the outer latents an exact block is the posterior
    whole = _of_rule(program, blocks=False)
    return (*layered, whole, *_layered(program, whole, budget))


def _layered(program: Program, recipe: Recipe, budget: Budget) -> tuple[Recipe, ...]:
    """A recipe with splines, where few numbers are left to learn, with a flow, and for a rich budget with a wider one."""
    dim = dimension(program, recipe.blocks)
    if not 1 <= dim <= _dense_up_to(program):
        return ()
    bent = replace(recipe, splines=BINS)
    if dim == 1:
        return (bent,)
    flow = (bent, replace(bent, flow=FLOW)) if recipe.blocks else (replace(recipe, flow=FLOW),)
    return (*flow, replace(bent, flow=WIDE)) if budget.rich else flow


# ---------------------------------------------------------------- the program


def dimension(program: Program, blocks: bool = False) -> int:
    """The number of scalar latents in the guide, as noise; with `blocks` of the outer ones."""
    return sum(int(np.prod(program.noise_shapes[key], dtype=int)) for key in _keys(program, blocks))


def _keys(program: Program, blocks: bool) -> tuple[str, ...]:
    """The keys of the noise that a backbone gives."""
    block = program.block if blocks else None
    return tuple(program.noise_shapes) if block is None else block.outer_keys


def flat(graph: Graph, imputed: frozenset[str] = frozenset(), among: frozenset[str] | None = None) -> bool:
    """Whether no latent in the guide (none `among` these) has a latent or a `param` among its parents; missing entries of `imputed`
    data are latents."""
    unknown = {v.name for v in graph.of_role(Role.LATENT, Role.PARAM)} | imputed
    for node in graph.nodes:
        if isinstance(node, FactorNode) or not _refers(node, unknown):
            continue
        if isinstance(node, ComputedNode):
            unknown.add(node.target.name)
        elif (_is_latent(graph, node) or node.target.name in imputed) and (among is None or node.target.name in among):
            return False
    return True


def _is_latent(graph: Graph, node: RandomNode) -> bool:
    return not node.observed and node.target.name not in graph.barren | graph.summed_out


def _refers(node: Node, names: set[str]) -> bool:
    return any(ref.name in names for expr in node_exprs(node) for ref in references(expr))


def references(expr: Expr) -> Iterator[Ref]:
    """All references to variables in an expression."""
    return (part for part in walk(expr) if isinstance(part, Ref))


def order_of(program: Program, keys: Collection[str]) -> tuple[int, ...]:
    """The coordinates of the noise in the order in which a flow takes them: scales and other bounded latents without
    latent parents first, then the others without, then the rest."""
    unknown = {v.name for v in program.graph.of_role(Role.LATENT)}
    places: list[list[int]] = [[], [], []]
    start = 0
    for key, node in latent_nodes(program):
        if key not in keys:
            continue
        size = int(np.prod(program.noise_shapes[key], dtype=int))
        place = 2 if _refers(node, unknown) else int(node.support == REAL_LINE)
        places[place] += range(start, start + size)
        start += size
    return tuple(i for place in places for i in place)


# ---------------------------------------------------------------- building


def build_guide(program: Program, recipe: Recipe) -> Guide:
    """The guide of a recipe, with the gates of the program's guide block."""
    return _assemble(program, recipe, dict(program.graph.guide.gates))


def _assemble(program: Program, recipe: Recipe, specs: Mapping[str, GateSpec], inverse: Inverse | None = None) -> Guide:
    """The guide of a recipe; without the inverse graph that its flow goes by, this is worked out."""
    if recipe.amortised:
        return _amortised(program, recipe, specs)
    dim, kind = dimension(program, recipe.blocks), Messages if recipe.blocks else Guide
    nodes, shapes = dict(latent_nodes(program)), {key: program.noise_shapes[key] for key in _keys(program, recipe.blocks)}
    gates = Gates(nodes, shapes, specs, recipe.gates, program.plain)
    splines = Splines(dim, recipe.splines) if recipe.splines and dim else None
    below = kind(program, Backbone(_affine(recipe, dim, gates), splines=splines), gates, recipe)
    if recipe.flow is None or not dim:
        return below
    inverse = inverse or inverse_of(below)
    return kind(program, replace(below.backbone, flow=build_flow(recipe.flow, inverse)), gates, recipe, inverse)


def _amortised(
    program: Program, recipe: Recipe, specs: Mapping[str, GateSpec], constants: Mapping[str, Any] | None = None
) -> Amortised:
    """The guide with a network for the latents over a dim, and the recipe's backbone for the others."""
    nodes = dict(latent_nodes(program))
    among = [key for key in program.noise_shapes if key not in local_axes(nodes, recipe.amortised)]
    dim = sum(int(np.prod(program.noise_shapes[key], dtype=int)) for key in among)
    affine = FullRank(dim) if recipe.affine == "full_rank" else Elementwise(dim)
    return Amortised(program, Backbone(affine), nodes, specs, recipe, order_of(program, among), constants)


def inverse_of(guide: Guide) -> Inverse:
    """Which coordinates of the noise each needs of those before it, in the posterior. Where that is too much to work out, all of
    them, scales first."""
    program, preferred = guide.program, order_of(guide.program, guide.gates.shapes)
    if len(preferred) > FULL_RANK_UP_TO or solves(program):
        return Inverse(preferred)
    params = guide.init(0)
    network = markov_network(lambda u, data: guide.log_noise_density(params, u, data), guide.centre().loc, program.data)
    return faithful_inverse(network, preferred)


def _affine(recipe: Recipe, dim: int, gates: Gates) -> Affine:
    if recipe.affine == "low_rank":
        return LowRank(dim, recipe.rank or RANK)
    return FullRank(dim) if recipe.affine == "full_rank" else Elementwise(dim, _left_to_learn(gates))


def _left_to_learn(gates: Gates) -> np.ndarray:
    """The coordinates of the noise that no pseudo-observations see to."""
    taken = {*gates.shapes} if gates.kind == "exact" else {*gates.conjugate}
    sizes = [np.full(int(np.prod(shape, dtype=int)), key not in taken) for key, shape in gates.shapes.items()]
    return np.flatnonzero(np.concatenate([*sizes, np.zeros(0, bool)]))


def rebuild_guide(program: Program, description: Mapping[str, Any]) -> Guide:
    """The guide that `Guide.describe` described, over the same program."""
    recipe, specs, inverse = recipe_from(description["recipe"]), specs_from(description["gates"]), description.get("inverse")
    if recipe.amortised:
        return _amortised(program, recipe, specs, description["network"])
    made = inverse and Inverse(tuple(inverse["order"]), tuple(tuple(needed) for needed in inverse["needs"]))
    return _assemble(program, recipe, specs, made)
