"""The development models (posteriordb, the paper): what each uses, whether it compiles, and how long that takes.

A row a model and data set: features, latent numbers, seconds to check the text (no cache, JAX not needed), and seconds
from text and data to the first gradient of the log density with respect to the noise: compiling, binding, tracing, XLA, one run.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.agreement import Case, Task, line, paper, posteriordb, table
from emfppl.compiler.expressions import ArrayCall, Expr, Ode, Ref, walk
from emfppl.compiler.graph import FactorNode, Graph, RandomNode, Role, dist_exprs, node_exprs, support_exprs
from emfppl.compiler.pipeline import check_text, compile_text
from emfppl.grammar.diagnostics import EmfError
from emfppl.grammar.source import SourceText
from emfppl.runtime.bind import bind
from emfppl.runtime.program import Program
from emfppl.runtime.read_data import read_data

HEAD = ("model", "features", "latents", "compiles", "check", "gradient")
KERNELS = {"exp_quad", "matern32", "matern52", "periodic"}
WIDTHS = (44, 50, 7, 8, 6, 8)


def main() -> None:
    table(HEAD, WIDTHS)
    for case in (*posteriordb(), *paper()):
        line(row(case), WIDTHS)


def row(case: Case | Task) -> tuple[object, ...]:
    """One model; a compilation cache on disk would spoil the figures, so none is used."""
    text = case.model.read_text()
    began = time.perf_counter()
    check_text(SourceText(text, f"{case.name}, checked"))  # names of their own: nothing is remembered from before
    checking = time.perf_counter() - began
    jax.clear_caches()
    source = SourceText(text, case.name)
    began = time.perf_counter()
    try:
        program = first_gradient(source, case.data)
    except EmfError as error:
        return (case.name, "", "", error.diagnostics[0].code, f"{checking:.3f}", "")
    latents = sum(int(np.prod(shape)) for shape in program.noise_shapes.values())
    seconds = f"{time.perf_counter() - began:.2f}"
    return (case.name, ", ".join(features(program)), latents, "yes", f"{checking:.3f}", seconds)


def first_gradient(source: SourceText, data: Path | None) -> Program:
    """Compile, bind, and run the gradient of log p(values(u), data) + log |det| once."""
    graph = compile_text(source)
    if data is None:  # a prior by itself: all of its latents count
        graph = replace(graph, barren=frozenset())
    program = Program(bind(graph, {} if data is None else read_data(data)))

    def target(noise: dict[str, jax.Array]) -> jax.Array:
        values, log_det = program.forward(noise)
        return program.log_density(values) + log_det

    noise = {key: jnp.zeros(shape) for key, shape in program.noise_shapes.items()}
    jax.block_until_ready(jax.jit(jax.grad(target))(noise))
    return program


def features(program: Program) -> list[str]:
    """What a program uses beyond plain priors and likelihoods."""
    graph = program.graph
    return [name for name, there in _found(graph, program).items() if there]


def _found(graph: Graph, program: Program) -> dict[str, bool]:
    random = [n for n in graph.nodes if isinstance(n, RandomNode)]
    parts = [e for n in graph.nodes for x in node_exprs(n) for e in walk(x)]
    latent = {v.name for v in graph.of_role(Role.LATENT)} - {name for m in graph.marginals for name in m.names}
    return {
        "discrete latents": bool(graph.marginals),
        "recurrence": any(a.carried for n in graph.nodes for a in n.domain),
        "hierarchy": _hierarchy(random, latent),
        "bounds of latents": any(_names(support_exprs(n.support)) & latent for n in random),
        "missing": bool(program.binding.missing),
        "flat priors": any(n.dist.name == "Flat" for n in random),
        "mixture": any(n.dist.name == "Mixture" for n in random),
        "trained params": bool(graph.of_role(Role.PARAM)),
        "factor": any(isinstance(n, FactorNode) for n in graph.nodes),
        "covariance function": any(isinstance(e, ArrayCall) and e.op in KERNELS for e in parts),
        "differential equation": any(isinstance(e, Ode) for e in parts),
        "sub-model": graph.source is not None and "\nmodel " in graph.source.text,
    }


def _hierarchy(random: list[RandomNode], latent: set[str]) -> bool:
    """Whether a latent depends on another, other than along a recurrence."""
    still = [n for n in random if n.target.name in latent and not any(a.carried for a in n.domain)]
    return any(_names(dist_exprs(n.dist)) & (latent - {n.target.name}) for n in still)


def _names(expressions: Iterable[Expr]) -> set[str]:
    """The variables that these read."""
    return {e.name for x in expressions for e in walk(x) if isinstance(e, Ref)}


if __name__ == "__main__":
    main()
