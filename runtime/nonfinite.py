"""Which statement, line and entry gave a number that is not finite, found by running one draw again step by step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.compiler.expressions import ArrayCall, Ode, Ref, walk
from emfppl.compiler.graph import ComputedNode, FactorNode, Node, RandomNode, node_exprs
from emfppl.grammar.diagnostics import Diagnostic, EmfError
from emfppl.runtime.guide import Guide
from emfppl.runtime.precision import precision as in_precision

if TYPE_CHECKING:
    from emfppl.runtime.program import Program

HINT = "is a scale 0, a logarithm of something negative, or an exponential of something large?"
OF_ODE = (
    "the equation was not solved up to all times: its solution blows up, or max_steps runs out. Priors nearer to what is "
    "possible help, ode_stiff(…) where something settles fast, and max_steps = …"
)
OF_CHOLESKY = (
    "the matrix is not positive definite as far as the precision goes; add a small number to its diagonal, add_diag(K, 1e-6), "
    'or fit in precision="float64"'
)
TRIES = 10

Values = dict[str, Any]


def not_finite(guide: Guide, precision: str, seed: int) -> EmfError:
    """The error that names the cause: E1102 where the density is not finite, E1103 where its gradient is not."""
    with in_precision(precision):
        params, program = guide.init(seed), guide.program
        data = guide.given(params)
        for key in jax.random.split(jax.random.key(seed), TRIES):
            eps = jax.random.normal(key, (guide.dim,))
            values, _ = guide.transform(params, eps)
            found = _computed(program, values, data) or _density(program, values, data)
            found = found or _gradient(guide, params, eps)
            if found:
                return EmfError([found])
    message, hint = "The density is not finite at any of the points that the fit starts from.", ""
    if guide.program.block is not None:
        names = ", ".join(guide.program.block.inner)
        message = f"Given the other latents the posterior of {names} is normal, but improper: in some direction it is flat."
        hint = "has each of them a prior with a scale, or data that tell it from the others?"
    return EmfError([Diagnostic("E1102", message, hint=hint, source=guide.program.graph.source)])


# ---------------------------------------------------------------- the three causes


def _computed(program: Program, values: Values, data: Any) -> Diagnostic | None:
    """The first variable, in the order of the program, with a value that is not finite."""
    for node in program.graph.nodes:
        if isinstance(node, FactorNode) or node.target.name not in values:
            continue
        entry = _first_bad(values[node.target.name])
        if entry is not None:
            shown = f"`{_place(program, node.target.name, entry)}` is {_number(values[node.target.name], entry)}"
            return _told("E1102", shown, program, node, {**data, **values}, entry)
    return None


def _density(program: Program, values: Values, data: Any) -> Diagnostic | None:
    """The first statement whose log density is not finite."""
    for node, term in program.log_terms(values, data):
        entry = _first_bad(term)
        if entry is not None:
            shown = f"the log density of {_place(program, _name(node), entry)} is {_number(term, entry)}"
            return _told("E1102", shown, program, node, {**data, **values}, entry)
    return None


def _gradient(guide: Guide, params: Any, eps: jax.Array) -> Diagnostic | None:
    """The first statement whose log density has a gradient that is not finite, though it is finite itself."""
    program = guide.program

    def total(eps: jax.Array, index: int) -> jax.Array:
        values, _ = guide.transform(params, eps)
        return jnp.sum(program.log_terms(values, guide.given(params))[index][1])

    values, _ = guide.transform(params, eps)
    data = guide.given(params)
    for index, (node, _) in enumerate(program.log_terms(values, data)):
        if not np.all(np.isfinite(jax.grad(total)(eps, index))):
            shown = f"the gradient of the log density of {_name(node)} is not finite"
            return _told("E1103", shown, program, node, {**data, **values}, None)
    return None


# ---------------------------------------------------------------- words


def _told(code: str, shown: str, program: Program, node: Node, values: Values, entry: tuple[int, ...] | None) -> Diagnostic:
    source = program.graph.source
    line = f"On line {source.position(node.span.start)[0]} " if source else ""
    if source and source.name_at(node.span.start) != source.name:
        line = f"{line}of {source.name_at(node.span.start)} "
    message = f"{line}{shown}." if line else f"{shown[0].upper()}{shown[1:]}."
    causes = list(_causes(program, node, values, entry))
    seen = f" It comes from {', '.join(causes)}." if causes else ""
    return Diagnostic(code, message + seen, node.span, _hint(node), source)


def _hint(node: Node) -> str:
    """The most likely remedy."""
    parts = [e for root in node_exprs(node) for e in walk(root)]
    if any(isinstance(e, Ode) for e in parts):
        return OF_ODE
    given = dict(node.dist.args) if isinstance(node, RandomNode) and node.dist.name == "MultivariateNormal" else {}
    factored = any(isinstance(e, ArrayCall) and e.op == "cholesky" for e in parts)
    return OF_CHOLESKY if factored or "covariance_matrix" in given else HINT


def _causes(program: Program, node: Node, values: Values, entry: tuple[int, ...] | None) -> Iterator[str]:
    """``name = value`` for the variables that a node refers to, at the entry where they have one."""
    names = dict.fromkeys(r.name for e in node_exprs(node) for r in walk(e) if isinstance(r, Ref))
    for name in names:
        if name not in values:
            continue
        value = np.asarray(values[name])
        if value.ndim == 0:
            yield f"{name} = {value:.6g}"
        elif entry and value.ndim == len(entry) and all(i < n for i, n in zip(entry, value.shape, strict=True)):
            yield f"{_place(program, name, entry)} = {value[entry]:.6g}"
        else:
            bad = _first_bad(value)
            if bad is not None:
                yield f"{_place(program, name, bad)} = {value[bad]:.6g}"


def _name(node: Node) -> str:
    return node.target.name if isinstance(node, RandomNode | ComputedNode) else "the factor"


def _first_bad(value: Any) -> tuple[int, ...] | None:
    bad = np.argwhere(~np.isfinite(np.asarray(value)))
    return tuple(int(i) for i in bad[0]) if len(bad) else None


def _number(value: Any, entry: tuple[int, ...]) -> str:
    return f"{np.asarray(value)[entry]}"


def _place(program: Program, name: str, entry: tuple[int, ...]) -> str:
    return f"{name}[{', '.join(map(str, entry))}]" if entry else name
