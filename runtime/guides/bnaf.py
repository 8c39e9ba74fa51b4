"""Block neural autoregressive flows (De Cao, Titov and Aziz 2019): one network whose matrices are triangular in blocks.

::

    y = (1 − σ(gate)) x + σ(gate) f(x)          f = W_n tanh(… tanh(W_1 x + b_1) …) + b_n

Every coordinate has units of its own in every hidden layer. A block of a matrix between units of two coordinates is free
below the diagonal, positive (an exponential) on it, and zero above, so that f_i increases in x_i and depends on x_<i besides;
∂f_i/∂x_i is a product of the blocks on the diagonal, along the forward pass. There is no closed inverse: it is searched for,
coordinate after coordinate. Blocks below the diagonal start at zero and gates nearly shut, so that the flow starts next to the
identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np

from emfppl.runtime.bijections.root_search import increasing_root
from emfppl.runtime.guides.autoregressive import Autoregressive, LayerParams

GATE = -4.0  # the logit that each gate starts at


@dataclass(frozen=True)
class Bnaf(Autoregressive):
    """Of `hidden` the numbers are units *per coordinate*. `context`: how many further inputs all units look at."""

    context: int = 0

    @property
    def name(self) -> str:
        return "bnaf"

    @cached_property
    def _widths(self) -> list[int]:
        return [1, *self.hidden, 1]

    @cached_property
    def _passed_on(self) -> np.ndarray:
        """(D, D): of which earlier coordinates the hidden units may be looked at: those that need no more than oneself."""
        given = self.dependences
        return given & ~np.any(given[None, :, :] & ~given[:, None, :], axis=2)

    def init_layer(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """``{"gate", "own0", "others0", "biases0", …}``: own (D, b, a) the logarithms of the blocks on the diagonal, others
        (D, b, seen, a) those below it."""
        out: dict[str, np.ndarray] = {"gate": np.full(self.dim, GATE)}
        for i, (a, b) in enumerate(zip(self._widths, self._widths[1:], strict=False)):
            out[f"own{i}"] = np.log(1 / a) + 0.1 * rng.normal(size=(self.dim, b, a))
            out[f"others{i}"] = np.zeros((self.dim, b, self.looked_at, a))
            out[f"biases{i}"] = rng.normal(size=(self.dim, b)) if i < len(self.hidden) else np.zeros((self.dim, b))
        if self.context:
            out["given"] = np.zeros((self.dim, self._widths[1], self.context))
        return out

    def _network(
        self, params: LayerParams, others: jax.Array, x: jax.Array, given: jax.Array | None
    ) -> tuple[jax.Array, jax.Array]:
        """f(x) and ∂f_i/∂x_i (D,); coordinates other than the own are taken from `others` (D,)."""
        mine, rest = x[:, None], others[:, None]
        slope = jnp.ones_like(mine)
        for i in range(len(self._widths) - 1):
            blocks = jnp.exp(params[f"own{i}"])
            masked = params[f"others{i}"] * (self._passed_on if i else self.dependences)[:, None, : self.looked_at, None]
            push = jnp.einsum("dbsa,sa->db", masked, rest[: self.looked_at]) + params[f"biases{i}"]
            if given is not None and i == 0:
                push = push + params["given"] @ given
            mine, slope = jnp.einsum("dba,da->db", blocks, mine) + push, jnp.einsum("dba,da->db", blocks, slope)
            rest = jnp.einsum("dba,da->db", blocks, rest) + push
            if i < len(self._widths) - 2:
                mine, rest = jnp.tanh(mine), jnp.tanh(rest)
                slope = slope * (1 - mine * mine)
        return mine[:, 0], slope[:, 0]

    def _mixed(
        self, params: LayerParams, others: jax.Array, x: jax.Array, given: jax.Array | None
    ) -> tuple[jax.Array, jax.Array]:
        """y and its slopes."""
        f, slope = self._network(params, others, x, given)
        opening = jax.nn.sigmoid(params["gate"])
        return (1 - opening) * x + opening * f, (1 - opening) + opening * slope

    def layer(self, params: LayerParams, x: jax.Array, given: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        y, slope = self._mixed(params, x, x, given)
        return y, jnp.log(slope)

    def settle(self, params: LayerParams, x: jax.Array, y: jax.Array, given: jax.Array | None = None) -> jax.Array:
        def residual(mine: jax.Array) -> tuple[jax.Array, jax.Array]:
            value, slope = self._mixed(params, x, mine, given)
            return value - y, slope

        return increasing_root(residual, x)
