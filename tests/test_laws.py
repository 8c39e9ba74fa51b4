"""Laws 1 to 4 of whole generated programs, against the oracle (element by element, SciPy) and against autodiff."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree
from oracle import Oracle
from strategies import Generated, programs

from emfppl.compiler.ast_to_checked import check
from emfppl.compiler.checked_to_graph import build
from emfppl.compiler.graph import Graph, Role
from emfppl.compiler.passes import PASSES
from emfppl.compiler.pipeline import compile_text
from emfppl.grammar.source import SourceText
from emfppl.grammar.text_to_ast import parse
from emfppl.runtime.bind import bind
from emfppl.runtime.gates import Gates
from emfppl.runtime.gaussian.block import block_of
from emfppl.runtime.guide import latent_nodes
from emfppl.runtime.precision import precision
from emfppl.runtime.program import Program

few = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


pytestmark = pytest.mark.usefixtures("quickly_compiled")


def checked_of(g: Generated):
    source = SourceText(g.text)
    program, problems = parse(source)
    checked, more = check(program, source)
    errors = [d for d in (*problems, *more) if d.is_error]
    assert not errors, "\n".join(map(str, errors))
    return checked


def program_of(graph: Graph, g: Generated) -> Program:
    return Program(bind(graph, g.data))


def whole_graph(g: Generated) -> Graph:
    """The compiled graph with every latent in the guide, so that the laws see each."""
    return replace(compile_text(SourceText(g.text)), barren=frozenset())


def noise_of(program: Program, seed: int = 0, scale: float = 0.7) -> dict[str, jax.Array]:
    rng = np.random.default_rng(seed)
    return {k: jnp.asarray(scale * rng.normal(size=s)) for k, s in program.noise_shapes.items()}


def latents_of(graph: Graph, values: dict) -> dict[str, np.ndarray]:
    return {v.name: np.asarray(values[v.name]) for v in graph.of_role(Role.LATENT)}


def log_normal(noise: dict) -> float:
    return sum(float(jnp.sum(-0.5 * u**2 - 0.5 * jnp.log(2 * jnp.pi))) for u in noise.values())


def free_coordinates(graph: Graph, values: dict) -> jax.Array:
    """The coordinates that a density is taken in: a simplex without its last entry, a Cholesky factor below its diagonal."""
    parts = []
    for node in graph.nodes:
        if getattr(node, "observed", True):
            continue
        x = values[node.target.name]
        match getattr(node.support, "name", ""):
            case "simplex":
                x = x[..., :-1]
            case "corr_cholesky":
                x = x[..., *np.tril_indices(x.shape[-1], -1)]
        if all(part is not x and node.target.name != name for name, part in parts):
            parts.append((node.target.name, x))
    return jnp.concatenate([jnp.ravel(x) for _, x in parts])


@few
@given(programs(observed=False))
def test_laws_1_and_2_the_map_is_the_prior(g: Generated):
    with precision("float64"):
        graph = whole_graph(g)
        program = program_of(graph, g)
        noise = noise_of(program)

        @jax.jit
        def both_ways(noise):
            values, log_det = program.forward(noise)
            latents = {v.name: values[v.name] for v in graph.of_role(Role.LATENT)}
            return values, log_det, *program.inverse(latents), program.log_density(latents)

        values, log_det, back, log_det_back, density = both_ways(noise)
        for key, u in noise.items():
            np.testing.assert_allclose(back[key], u, rtol=1e-7, atol=1e-8, err_msg=key)
        assert float(log_det_back) == pytest.approx(-float(log_det), rel=1e-9, abs=1e-7)
        exact = Oracle(checked_of(g), g.sizes, g.data).log_joint(latents_of(graph, values))
        assert log_normal(noise) - float(log_det) == pytest.approx(exact, rel=1e-8, abs=1e-7)
        assert float(density) == pytest.approx(exact, rel=1e-8, abs=1e-7)


@few
@given(programs(observed=False, statements=3))
def test_law_1_log_determinant_is_autodiffs(g: Generated):
    with precision("float64"):
        graph = whole_graph(g)
        program = program_of(graph, g)
        assume(program.noise_shapes)
        noise = noise_of(program, 1)
        gates = {k: jnp.full(s, 0.6) for k, s in program.noise_shapes.items()}
        flat, unflatten = ravel_pytree(noise)
        for opening in (None, gates):
            f = lambda u, o=opening: free_coordinates(graph, program.forward(unflatten(u), o)[0])  # noqa: E731
            both = jax.jit(lambda u, o=opening, f=f: (jax.jacfwd(f)(u), program.forward(unflatten(u), o)[1]))
            jacobian, claimed = both(flat)
            sign, log_det = np.linalg.slogdet(np.asarray(jacobian))
            assert sign != 0
            assert float(claimed) == pytest.approx(log_det, rel=1e-7, abs=1e-7)


@few
@given(programs(observed=False))
def test_law_3_gates(g: Generated):
    with precision("float64"):
        graph = whole_graph(g)
        program = program_of(graph, g)
        noise = noise_of(program, 2)
        level = lambda x: {k: jnp.full(s, x) for k, s in program.noise_shapes.items()}  # noqa: E731
        forward, inverse = jax.jit(program.forward), jax.jit(program.inverse)
        prior, prior_det = forward(noise)
        opened, open_det = forward(noise, level(1.0))
        for name in latents_of(graph, prior):
            np.testing.assert_allclose(opened[name], prior[name], rtol=1e-9, atol=1e-9)
        assert float(open_det) == pytest.approx(float(prior_det), rel=1e-9, abs=1e-9)
        shut, _ = forward(noise, level(0.0))
        for key, u in noise.items():  # where the support is the real line the identity is plain to see
            variable = graph.variable(key) if "[" not in key else None
            nodes = graph.defining(key) if variable else ()
            if len(nodes) == 1 and getattr(nodes[0].support, "lower", 0) is None and nodes[0].support.upper is None:
                np.testing.assert_allclose(np.ravel(shut[key]), np.ravel(u), rtol=1e-12, atol=1e-12)
        values, log_det = forward(noise, level(0.35))
        back, back_det = inverse(latents_of(graph, values), level(0.35))
        for key, u in noise.items():
            np.testing.assert_allclose(back[key], u, rtol=1e-6, atol=1e-7, err_msg=key)
        assert float(back_det) == pytest.approx(-float(log_det), rel=1e-7, abs=1e-6)


@settings(few, max_examples=3)
@given(programs(observed=False, statements=3))
@pytest.mark.parametrize("kind", ["geometric", "conjugate"])
def test_laws_1_and_3_of_gates_of_other_kinds(kind: str, g: Generated):
    """There and back, with autodiff's Jacobian; with parts that do nothing, the prior."""
    with precision("float64"):
        graph = whole_graph(g)
        program = program_of(graph, g)
        gates = Gates(dict(latent_nodes(program)), program.noise_shapes, {}, kind, program.plain)
        assume(any(not isinstance(v, np.ndarray) for v in gates.init().values()))
        rng, noise = np.random.default_rng(5), noise_of(program, 5)
        flat, unflatten = ravel_pytree(noise)

        @jax.jit
        def both_ways(u, learned):
            openings = gates.openings(learned)
            values, log_det = program.forward(unflatten(u), openings)
            latents = {v.name: values[v.name] for v in graph.of_role(Role.LATENT)}
            jacobian = jax.jacfwd(lambda u: free_coordinates(graph, program.forward(unflatten(u), openings)[0]))(u)
            return values, log_det, jacobian, program.inverse(latents, openings)

        learned = jax.tree.map(lambda leaf: rng.normal(size=np.shape(leaf)), gates.init())
        values, log_det, jacobian, (back, log_det_back) = both_ways(flat, learned)
        for key, u in noise.items():
            np.testing.assert_allclose(back[key], u, rtol=1e-6, atol=1e-7, err_msg=key)
        assert float(log_det_back) == pytest.approx(-float(log_det), rel=1e-7, abs=1e-6)
        assert float(log_det) == pytest.approx(np.linalg.slogdet(np.asarray(jacobian))[1], rel=1e-7, abs=1e-7)
        idle = jax.tree.map(lambda leaf: np.full(np.shape(leaf), 40.0 if kind == "geometric" else -40.0), gates.init())
        idle |= {key: np.full(np.shape(v), 40.0) for key, v in gates.init().items() if isinstance(v, np.ndarray)}
        idle |= {key: {**idle[key], "loc": 0 * v["loc"]} for key, v in gates.init().items() if isinstance(v, dict) and "loc" in v}
        opened, prior = both_ways(flat, idle)[0], jax.jit(program.forward)(noise)[0]
        for name in latents_of(graph, prior):
            np.testing.assert_allclose(opened[name], prior[name], rtol=1e-7, atol=1e-9)


@few
@given(programs(observed=True))
def test_law_4_no_pass_changes_the_joint(g: Generated):
    with precision("float64"):
        checked = checked_of(g)
        graph = build(checked)
        whole = whole_graph(g)
        first = program_of(whole, g)
        values = latents_of(whole, jax.jit(first.forward)(noise_of(first, 3))[0])
        exact = Oracle(checked, g.sizes, {k: np.asarray(v) for k, v in g.data.items()}).log_joint(values)
        for rewrite in PASSES:
            graph = rewrite(graph)
            assert float(jax.jit(program_of(graph, g).log_density)(values)) == pytest.approx(exact, rel=1e-8, abs=1e-7), rewrite


@settings(few, max_examples=5)
@given(programs(observed=True, statements=1, gaps=True))
def test_laws_1_to_4_with_missing_entries(g: Generated):
    """Noise of the size of what is missing; the map is the prior of that; the joint counts data and missing entries."""
    with precision("float64"):
        checked, graph = checked_of(g), whole_graph(g)
        program = program_of(graph, g)
        noise, latent = noise_of(program, 4), program.binding.latent
        sizes = {gap.variable: 0 for gap in program.gaps.values()}
        for key, u in noise.items():
            sizes |= {n: sizes[n] + u.size for n in sizes if program.noise_variables[key] == n}
        assert sizes == {name: np.isnan(g.data[name]).sum() for name in latent}
        flat, unflatten = ravel_pytree(noise)

        @jax.jit
        def both_ways(u, opening):
            gates = {k: jnp.full(s, opening) for k, s in program.noise_shapes.items()}
            values, log_det = program.forward(unflatten(u), gates)
            jacobian = jax.jacfwd(lambda u: _free_with_gaps(graph, program, program.forward(unflatten(u), gates)[0]))(u)
            return values, log_det, jacobian, program.inverse(values, gates), program.log_density(values)

        oracle = Oracle(checked, g.sizes, {k: np.asarray(v) for k, v in g.data.items()})
        for opening in (1.0, 0.35):
            values, log_det, jacobian, (back, log_det_back), density = both_ways(flat, opening)
            for key, u in noise.items():
                np.testing.assert_allclose(back[key], u, rtol=1e-6, atol=1e-7, err_msg=key)
            assert float(log_det_back) == pytest.approx(-float(log_det), rel=1e-7, abs=1e-6)
            assert float(log_det) == pytest.approx(np.linalg.slogdet(np.asarray(jacobian))[1], rel=1e-7, abs=1e-7)
            latents = latents_of(graph, values) | {name: np.asarray(values[name]) for name in latent}
            assert float(density) == pytest.approx(oracle.log_joint(latents), rel=1e-8, abs=1e-7)
            if opening == 1:
                exact = oracle.log_joint(latents, seen=False)
                assert log_normal(noise) - float(log_det) == pytest.approx(exact, rel=1e-8, abs=1e-7)


def _free_with_gaps(graph: Graph, program: Program, values: dict) -> jax.Array:
    gaps = [jnp.ravel(values[name][mask]) for name, mask in program.binding.latent.items()]
    return jnp.concatenate([free_coordinates(graph, values), *gaps])


@settings(few, max_examples=4)
@given(programs(observed=True, statements=3), st.booleans())
def test_law_4_of_gaussian_blocks(g: Generated, summed: bool):
    """Prior and exact observations as a quadratic form, sites aside, and all else by itself make up the joint density."""
    with precision("float64"):
        graph = compile_text(SourceText(g.text))
        program = program_of(graph, g)
        block = block_of(program)
        assume(block is not None)
        values = jax.jit(program.forward)(noise_of(program, 5))[0]
        outer = {name: values[name] for name in (*block.outer, *program.binding.latent)}
        z = jnp.asarray(np.random.default_rng(6).normal(size=block.dim))

        @jax.jit
        def everything(z):
            sites = block.initial_sites(z, outer) if block.num_sites else None
            entries, linear, constant = block.quadratic(outer, sites, block.prepared() if summed else None)
            square = jnp.sum(jnp.where(block.rows == block.cols, 1.0, 2.0) * entries * z[block.rows] * z[block.cols])
            all_values = {**values, **block.values(z, outer)}
            rest = block.outer_log_density(outer) + block.term_log_density(all_values)
            total = constant + linear @ z - 0.5 * square + rest
            return total - (block.site_log_density(z, outer, sites) if sites else 0.0), program.log_density(all_values)

        found, exact = everything(z)
        assert float(found) == pytest.approx(float(exact), rel=1e-8, abs=1e-7)
