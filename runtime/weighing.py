"""Log weights of draws of a guide, log p(values, data) − log q(values), by one program for scores, certificates and quadrature."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.compiler.graph import RandomNode
from emfppl.runtime.compile import factoring_of, often, solves, work_of
from emfppl.runtime.guide import Guide
from emfppl.runtime.threads import one_thread_each

BATCH, MOST = 256, 4096
SOLVING = 10_000  # numbers that stand for the solution of a differential equation

Tree = Any


class Weighing:
    """The log weights of one guide, up to `batch` draws worked on at once and up to `most` in a call of the compiled program."""

    def __init__(self, guide: Guide, batch: int = BATCH, most: int = MOST):
        self.guide, self.dim = guide, guide.weight_dim
        self._shape = (max(most // batch, 1), batch) if self.dim else (1, 1)
        self._weigh = often(self._in_batches, guide.program, guide.swept)

    @cached_property
    def work(self) -> int:
        """The numbers that one weight works on: those of the program, or, where it has a Gaussian block, of the nodes that are not
        summed up beforehand, of the products that tell the precision, and of its factor."""
        program, block = self.guide.program, getattr(self.guide, "block", None)
        solving = SOLVING * solves(program)
        if block is None:
            return work_of(program) + solving
        standing, others = block.standing, block.moments.others
        nodes = [*standing.apart, *standing.terms, *((k, n) for k, n in standing.gaussian if k in others)]
        rows = sum(math.prod(program.shapes[n.target.name]) for _, n in nodes if isinstance(n, RandomNode))
        sums = sum(program.eliminations[n].plan.entries for n in (*standing.sums_apart, *standing.sums))
        return rows + sums + factoring_of(program) + block.pattern.num_colours * block.dim + block.plan.entries.rows + solving

    def normal(self, params: Tree, count: int, *stream: int) -> np.ndarray:
        """At `count` independent draws, of a seed and whatever else tells the stream: (count,)."""
        return self.at(params, np.random.default_rng(stream).normal(size=(count, self.dim)))

    def at(self, params: Tree, eps: np.ndarray) -> np.ndarray:
        """At noise (N, D), D the guide's `weight_dim`: (N,). Where that is 0 all draws have one weight."""
        if not self.dim:
            return np.full(len(eps), self._call(params, eps[:1]))
        most = int(np.prod(self._shape))
        return np.concatenate([self._call(params, eps[n : n + most]) for n in range(0, len(eps), most)])

    def _call(self, params: Tree, eps: np.ndarray) -> np.ndarray:
        batches, batch = self._shape
        filled = np.zeros((batches * batch, self.dim))
        filled[: len(eps)] = eps
        with one_thread_each():
            found = self._weigh(params, filled.reshape(batches, batch, self.dim), -(-len(eps) // batch), self.guide.data)
        return np.asarray(found, np.float64).ravel()[: len(eps)]

    def _in_batches(self, params: Tree, eps: jax.Array, count: Any, data: Any) -> jax.Array:
        """Of the first `count` of so many batches (batches, draws, D): (batches, draws), the rest being 0."""
        one = jax.vmap(self.guide.log_weight, (None, 0, None))

        def fill(i: Any, found: jax.Array) -> jax.Array:
            return jax.lax.dynamic_update_index_in_dim(found, one(params, eps[i], data).astype(found.dtype), i, 0)

        return jax.lax.fori_loop(0, count, fill, jnp.zeros(eps.shape[:2]))
