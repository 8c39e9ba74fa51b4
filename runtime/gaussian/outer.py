"""The outer latents of a program with a Gaussian block: their map from noise, with the inner latents standing aside."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

from emfppl.compiler import graph as g
from emfppl.runtime.execute import Item, Site, run
from emfppl.runtime.missing import make

if TYPE_CHECKING:
    from emfppl.runtime.gaussian.block import Block

Values = Mapping[str, Any]


class Outer:
    """What `Program.forward` and `Program.inverse` do, for all latents but the inner ones of a block."""

    def __init__(self, block: Block):
        self.block, self.program = block, block.program

    @cached_property
    def _items(self) -> list[Item]:
        return self.program.forward_items(frozenset(self.block.inner))

    @cached_property
    def _known(self) -> list[Item]:
        return self.program.with_all_known(self._items)

    @cached_property
    def _computed(self) -> list[Item]:
        return [(k, n) for k, n in self._known if isinstance(n, g.ComputedNode)]

    def blank(self) -> dict[str, Any]:
        """Something in the place of the inner latents: whatever depends on it is not used."""
        return self.block.blank()

    def forward(self, noise: Values, gates: Values | None, data: Any) -> tuple[dict[str, Any], Any]:
        """The outer latents at their noise, and log |det dvalues/dnoise|."""
        program = self.program
        inputs = program._noise_inputs(noise, gates, program._given(data))
        state = run(self._items, program.layout, program.state({**program.fixed(data), **self.blank()}), inputs, make)
        return {name: state.variables[name] for name in self.block.outer}, _total(state.terms)

    def inverse(self, values: Values, gates: Values | None, data: Any, near: Values | None = None) -> tuple[dict[str, Any], Any]:
        """The noise that `forward` takes to the outer latents, by key, and log |det dnoise/dvalues|."""
        return self.program.inverse({**self.blank(), **values}, gates, data, near, self._known)

    def completed(self, values: Values, data: Any) -> dict[str, Any]:
        """All variables that a draw reports, at values of all latents."""
        program = self.program
        latents = program._latents(values, data)
        state = run(self._computed, program.layout, program.state({**program.fixed(data), **latents}), {}, _none)
        names = program.selection.reported | set(program.binding.latent)
        return {name: value for name, value in state.variables.items() if name in names}


def _none(site: Site) -> tuple[Any, Any]:
    raise AssertionError(f"{site.key} is random")


def _total(terms: Values) -> Any:
    return sum((jnp.sum(t) for t in terms.values()), jnp.zeros(()))
