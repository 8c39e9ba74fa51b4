"""Pseudo-observations seen from a program: those to start from, and how much of the prior given ones leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from emfppl.runtime.bijections.updated_laws import canonical
from emfppl.runtime.execute import PART, Site
from emfppl.runtime.gates import Gates

if TYPE_CHECKING:
    from emfppl.runtime.guide import Guide
    from emfppl.runtime.program import Program

Values = Mapping[str, Any]


def placed(guide: Guide, noise: dict[str, Any], ratios: Values, data: Any) -> dict[str, dict[str, jax.Array]]:
    """By node key with a conjugate gate what it has to learn, so that its law is centred where the prior's map takes `noise`,
    and the pseudo-observations weigh `ratios` times the prior's law."""
    program, gates = guide.program, guide.gates
    learned = gates.init()
    openings = {key: opening for key, opening in (gates.openings(learned) or {}).items() if key not in gates.conjugate}
    values = {**guide.blank, **guide.forward(noise, openings, data)[0]}

    def look(site: Site, value: Any) -> Any:
        family = gates.family(program.noise_key(site.key))
        assert family is not None
        return family.placed(canonical(site.dist, site.table), value, site.input(PART + "ratio"))

    given = {key: {"ratio": ratios[key]} for key in gates.conjugate}
    return _at_gates(program, gates, values, look, given, data)


def kept(program: Program, gates: Gates, values: Values, openings: Values, data: Any) -> dict[str, jax.Array]:
    """By node key with pseudo-observations, the share of the prior's law in the updated one, at `values`."""

    def look(site: Site, value: Any) -> Any:
        family = gates.family(program.noise_key(site.key))
        assert family is not None
        parts = {name.removeprefix(PART): site.input(name) for name in site.inputs if name.startswith(PART)}
        return {"kept": family.kept(canonical(site.dist, site.table), parts)}

    found = _at_gates(program, gates, values, look, openings, data)
    return {key: found[key]["kept"] for key in found}


def _at_gates(
    program: Program, gates: Gates, values: Values, look: Callable[[Site, Any], Any], given: Values, data: Any
) -> dict[str, Any]:
    """What `look` says of the nodes that `given` has parts for, laid out as their noise."""

    def of_all(site: Site, value: Any) -> Any:
        asked = program.noise_key(site.key) in given
        return look(site, value) if asked else jnp.zeros(site.batch_shape)

    found = program.at_values(values, of_all, given, data)
    gaps = {gap.name: gap for gap in program.gaps.values()}
    gather = lambda key: gaps[key].gathered if key in gaps else (lambda v: v)  # noqa: E731
    return {key: jax.tree.map(gather(key), found[key]) for key in given}
