"""Discrete variables summed out against the sum over all of their values, listed one by one, for generated programs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from enumeration import Enumeration
from hypothesis import HealthCheck, assume, given, settings
from strategies import Generated
from strategies_discrete import discrete_programs

from emfppl.compiler.pipeline import compile_text
from emfppl.grammar.source import SourceText
from emfppl.runtime.bind import bind
from emfppl.runtime.precision import precision
from emfppl.runtime.program import Program

few = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


pytestmark = pytest.mark.usefixtures("quickly_compiled")


def point_of(program: Program) -> dict[str, np.ndarray]:
    """Values of the continuous latents."""
    rng = np.random.default_rng(1)
    shapes = {n: program.shapes[n] for n in program.selection.guided}
    return {n: np.array(0.3) if n == "q" else 0.7 * rng.normal(size=s) for n, s in sorted(shapes.items())}


@few
@given(discrete_programs())
def test_the_density_equals_the_explicit_sum(g: Generated):
    with precision("float64"):
        program = Program(bind(compile_text(SourceText(g.text)), g.data))
        values = point_of(program)
        exact = Enumeration(g.text, g.data, g.sizes, values)

        @jax.jit
        def both(values):
            density, slopes = jax.value_and_grad(program.log_density)(values)
            return density, slopes, program.probabilities(values)

        density, slopes, probabilities = both({k: jnp.asarray(v) for k, v in values.items()})
        assume(exact.log_sum > -500)  # data that can't be: NumPyro's own densities are −36, −708 and the like then
        assert float(density) == pytest.approx(exact.log_sum, rel=1e-9, abs=1e-9)
        assert all(np.isfinite(s).all() for s in slopes.values())
        for name, place, low, high in exact.free:
            each = exact.probabilities(name, place, high - low + 1, low)
            np.testing.assert_allclose(probabilities[name][place], each, atol=1e-9, err_msg=f"{name}{place}")
