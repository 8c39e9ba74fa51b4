"""How programs are compiled: no better than their running time is worth.

On a CPU, compiling is most of a small fit's time, and most of that goes into code that is hardly faster for it. Two grades:

`once`      for what runs a few times on few numbers: the compiler's lowest level, a third of the work, code 3 to 4 times slower
`often`     for loops of many steps: level 1 without the emitters of fused loops, 3/5 of the work, code as fast on small arrays
            and 1.4 times slower on large ones, which therefore, as solvers of differential equations, get all optimisations,
            but for chains that are swept (`gaussian.sweeps`), whose steps are small however long they are

Accelerators have compilers of their own, which are left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from emfppl.compiler.expressions import Ode, walk
from emfppl.compiler.graph import RandomNode, node_exprs

if TYPE_CHECKING:
    from emfppl.runtime.program import Program

LARGE = 5_000  # numbers a draw
FACTORED = ("MultivariateNormal", "MultivariateStudentT")  # laws that factor a matrix at every draw
Options = dict[str, Any]
LOWEST: Options = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
MIDDLE: Options = {"xla_backend_optimization_level": 1, "xla_cpu_use_fusion_emitters": False}


def once(function: Callable[..., Any]) -> Any:
    """`function` jitted for few runs; not to be called where something else is being traced."""
    return jax.jit(function, compiler_options=LOWEST if on_cpu() else None)


def seldom(function: Callable[..., Any], program: Program) -> Any:
    """`function` jitted for runs over a thousand draws or so; not to be called where something else is being traced."""
    return once(function) if _light(program) else jax.jit(function)


def often(function: Callable[..., Any], program: Program, swept: bool = False) -> Any:
    """`function` jitted for many runs on a program's data; not to be called where something else is being traced. `swept`: most
    of its work is done in small steps, however large the program is."""
    return jax.jit(function, compiler_options=_options(program, swept) if on_cpu() else None)


def for_long(function: Callable[..., Any], numbers: int = 0) -> Any:
    """`function` jitted for thousands of runs, whose arrays hold so many numbers; not to be called where something else is being
    traced."""
    if not on_cpu():
        return jax.jit(function)
    if jax.config.read("jax_disable_most_optimizations"):
        return jax.jit(function, compiler_options=LOWEST)
    return jax.jit(function, compiler_options=MIDDLE if numbers <= LARGE else None)


def on_cpu() -> bool:
    """Whether programs run on the CPU."""
    return jax.default_backend() == "cpu"


def _options(program: Program, swept: bool) -> Options | None:
    if jax.config.read("jax_disable_most_optimizations"):
        return LOWEST
    return MIDDLE if swept or _light(program) else None


def _light(program: Program) -> bool:
    """Whether a draw is soon made."""
    return count_elements(program) <= LARGE and not solves(program)


def count_elements(program: Program) -> int:
    """How many numbers one draw works on: data, noise, and tables of discrete variables."""
    sizes = [int(np.size(leaf)) for leaf in jax.tree.leaves(program.data)]
    sizes += [e.plan.entries for e in program.eliminations]
    return sum(sizes) + sum(int(np.prod(s, dtype=int)) for s in program.noise_shapes.values())


def work_of(program: Program) -> int:
    """The work of one draw in numbers: those of `count_elements`, and of the matrices of multivariate laws."""
    return count_elements(program) + factoring_of(program)


def factoring_of(program: Program) -> int:
    """The work of the matrices (k, k) of multivariate laws: k² + k³/25 each, as the gradient of a Cholesky factor takes."""
    multivariate = [n for _, n in program.keyed if isinstance(n, RandomNode) and n.dist.name in FACTORED]
    rows = [program.shapes[n.target.name][-1] for n in multivariate if program.shapes[n.target.name]]
    return sum(k**2 + k**3 // 25 for k in rows)


def solves(program: Program) -> bool:
    """Whether the program solves differential equations."""
    nodes = program.graph.nodes
    return any(isinstance(e, Ode) for node in nodes for expr in node_exprs(node) for e in walk(expr))
