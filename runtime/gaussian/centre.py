"""The point that the quadratic form of a Gaussian block is counted from: near to what the data say of the inner latents.

Counted from zero, the log evidence of data y = 10⁴ ± 1 is a difference of sums of squares of the size of 10⁸, of which single
precision keeps nothing. Counted from any point near the mode its terms are squares of residuals. The point need not be the mode,
which moves with the outer latents: it is the solution of the least squares problem of all residuals, the outer latents being
somewhere in the prior, and a scale that a group of rows shares being that of its own residuals, found by turns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.gaussian.forms import Forms, Prepared
from emfppl.runtime.gaussian.improper import refuse_directions
from emfppl.runtime.gaussian.outer import Outer

if TYPE_CHECKING:
    from emfppl.runtime.gaussian.block import Block

TURNS = 3
WIDTH = 0.3  # of the noise that outer latents are drawn from

Prepare = Callable[[Any, Any], Prepared]


def preparation(block: Block) -> Prepare:
    """Of data and a centre: the data prepared, and the form of what can't be summed beforehand, at some outer latents."""
    outer = Outer(block)
    keys = block.moments.others

    def prepare(data: Any, centre: jax.Array) -> Prepared:
        prepared = block.prepared(data, centre)
        if not keys:
            return prepared, None
        rng = np.random.default_rng(0)
        noise = {key: jnp.asarray(WIDTH * rng.normal(size=block.program.noise_shapes[key])) for key in block.outer_keys}
        values, _ = outer.forward(noise, None, data)
        return prepared, block.form(lambda z: block.residuals(block.standing.gaussian, keys, z, values, None, data), centre)

    return prepare


def centred(block: Block, prepare: Prepare, data: Any) -> dict[str, Any]:
    """The data prepared about a centre that they tell, which is a number of single precision. Raises `EmfError` E1110 where a
    direction of the block has no end."""
    forms = Forms.about_zero(block, lambda centre: prepare(data, centre))
    for _ in range(TURNS):
        step = forms.step()
        if step is None:
            break
        forms = forms.about((forms.centre + step).astype(np.float32).astype(float)).reweighted()
        if all(group.scale is None for group in block.moments.groups):
            break
    refuse_directions(block, forms)
    return dict(jax.device_get(forms.prepared))
