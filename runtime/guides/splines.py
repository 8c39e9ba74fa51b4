"""A monotone spline on every coordinate: rational quadratic, with straight tails (Durkan et al. 2019, *Neural spline flows*).

Knots x_0 < … < x_K lie evenly on ±`REACH`, in units of the standard normal noise that comes in. Learned are, for each coordinate,
the logarithms of how much higher than wide each bin is, and of the slopes d_k at the knots::

    y_k+1 − y_k = (x_k+1 − x_k) exp(rise_k)          d_k = exp(slope_k)          s = (y_k+1 − y_k) / (x_k+1 − x_k)

    y(x) = y_k + (y_k+1 − y_k) (s ξ² + d_k ξ (1 − ξ)) / (s + (d_k+1 + d_k − 2 s) ξ (1 − ξ)),       ξ = (x − x_k) / (x_k+1 − x_k)

(Gregory and Delbourgo 1982). The knot in the middle stays where it is. Slopes at the outer knots are those of the outer bins,
s_0 and s_K−1, and the spline goes on with them, so that each tail has a width of its own, told by draws in the outer bin: hardly
any lie beyond, and a slope of its own there would be left to chance. All zeros are the identity. A coordinate has 2 K − 1 numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

REACH = 3.0
BINS = 10


class _Piece(NamedTuple):
    """The bin of every coordinate: where it begins (x, y), how much it rises, and the slopes at its ends; arrays (D,)."""

    x: jax.Array
    y: jax.Array
    rise: jax.Array
    left: jax.Array
    right: jax.Array


@dataclass(frozen=True)
class Splines:
    """Splines of `bins` bins over `dim` coordinates."""

    dim: int
    bins: int = BINS
    name: str = "splines"

    @cached_property
    def _knots(self) -> np.ndarray:
        return np.linspace(-REACH, REACH, self.bins + 1)

    @property
    def _width(self) -> float:
        return 2 * REACH / self.bins

    def init(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """The identity."""
        return {"rise": np.zeros((self.dim, self.bins)), "slope": np.zeros((self.dim, self.bins - 1))}

    # ------------------------------------------------------------ the map

    def forward_and_log_det(self, params: dict[str, jax.Array], x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """y and log |det dy/dx|."""
        y, log_slope = self.forward(params, x)
        return y, jnp.sum(log_slope)

    def inverse_and_log_det(self, params: dict[str, jax.Array], y: jax.Array) -> tuple[jax.Array, jax.Array]:
        """x and log |det dx/dy|."""
        x = self.inverse(params, y)
        return x, -jnp.sum(self.forward(params, x)[1])

    def inverse(self, params: dict[str, jax.Array], y: jax.Array) -> jax.Array:
        """x: in a bin the root of a quadratic, in the stable form 2 c / (−b − √(b² − 4 a c))."""
        heights = self._heights(params)
        p = self._piece(params, jnp.sum(y[:, None] >= heights[:, 1:-1], axis=1), heights)
        s = p.rise / self._width
        low, high = y < heights[:, 0], y > heights[:, -1]
        up = jnp.where(low | high, 0.0, y - p.y)
        bend = p.right + p.left - 2 * s
        a, b, c = p.rise * (s - p.left) + up * bend, p.rise * p.left - up * bend, -s * up
        xi = 2 * c / (-b - jnp.sqrt(jnp.maximum(b * b - 4 * a * c, 0.0)))
        ends = params["rise"][:, 0], params["rise"][:, -1]
        x = jnp.where(low, -REACH + (y - heights[:, 0]) * jnp.exp(-ends[0]), p.x + xi * self._width)
        return jnp.where(high, REACH + (y - heights[:, -1]) * jnp.exp(-ends[1]), x)

    def push(self, params: dict[str, jax.Array], x: jax.Array, score: jax.Array) -> tuple[jax.Array, jax.Array]:
        """y, and the gradient of log q(y) in y from that of log q(x) in x."""
        (y, log_slope), (_, bend) = jax.jvp(lambda x: self.forward(params, x), (x,), (jnp.ones_like(x),))
        return y, (score - bend) * jnp.exp(-log_slope)

    # ------------------------------------------------------------ pieces

    def _log_slopes(self, params: dict[str, jax.Array]) -> jax.Array:
        """The logarithms of the slopes at all knots, those at the ends being those of the outer bins: (D, K + 1)."""
        return jnp.concatenate([params["rise"][:, :1], params["slope"], params["rise"][:, -1:]], axis=1)

    def _heights(self, params: dict[str, jax.Array]) -> jax.Array:
        """y at the knots: (D, K + 1)."""
        steps = self._width * jnp.exp(params["rise"])
        middle = self.bins // 2
        above = self._knots[middle] + jnp.cumsum(steps[:, middle:], axis=1)
        below = self._knots[middle] - jnp.cumsum(steps[:, :middle][:, ::-1], axis=1)[:, ::-1]
        centre = jnp.full((self.dim, 1), self._knots[middle], steps.dtype)
        return jnp.concatenate([below, centre, above], axis=1)

    def _piece(self, params: dict[str, jax.Array], place: jax.Array, heights: jax.Array) -> _Piece:
        """The bins of numbers `place` (D,); picked by a product with zeros and ones, whose gradient needs no scatter."""
        chosen = place[:, None] == np.arange(self.bins)
        pick = lambda a: jnp.sum(jnp.where(chosen, a, 0.0), axis=1)  # noqa: E731
        slopes = jnp.exp(self._log_slopes(params))
        rise = self._width * jnp.exp(params["rise"])
        return _Piece(pick(self._knots[:-1]), pick(heights[:, :-1]), pick(rise), pick(slopes[:, :-1]), pick(slopes[:, 1:]))

    def forward(self, params: dict[str, jax.Array], x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """y and the logarithm of the slope of every coordinate."""
        heights = self._heights(params)
        inside = jnp.clip(x, -REACH, REACH)
        p = self._piece(params, jnp.sum(inside[:, None] >= self._knots[1:-1], axis=1), heights)
        s, xi = p.rise / self._width, (inside - p.x) / self._width
        both = xi * (1 - xi)
        below = s + (p.right + p.left - 2 * s) * both
        y = p.y + p.rise * (s * xi * xi + p.left * both) / below
        slope = s * s * (p.right * xi * xi + 2 * s * both + p.left * (1 - xi) ** 2) / (below * below)
        ends = params["rise"][:, 0], params["rise"][:, -1]
        beyond = jnp.where(x < -REACH, (x + REACH) * jnp.exp(ends[0]), jnp.where(x > REACH, (x - REACH) * jnp.exp(ends[1]), 0.0))
        log_slope = jnp.where(x < -REACH, ends[0], jnp.where(x > REACH, ends[1], jnp.log(slope)))
        return y + beyond, log_slope
