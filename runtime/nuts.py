"""NUTS (Hoffman and Gelman 2014) in the space that a guide has straightened (Hoffman et al. 2019).

The sampler moves through the noise eps of the guide, where the posterior has the density

    log p(values, data) + log |det dvalues/deps| = log w(eps) + log N(eps)

with w the guide's importance weight: the closer the guide, the closer to a standard normal. Where the guide integrates a part of
the latents out, only the noise of the others is moved, and the rest of it stays standard normal: an exact conditional draw.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.infer.hmc import hmc

from emfppl.runtime.compile import often, once
from emfppl.runtime.guide import Guide, log_normal

CHAINS = 4
WARMUP = 400
CHUNK = 50  # transitions between two looks at the keyboard
ACCEPT = 0.9, 0.99  # targets of the step size: small steps, and very small ones where these diverge
CANDIDATES = 16  # points a chain may start from

Tree = Any
Report = Callable[[int, int], None]  # transitions done, and how many there will be


@dataclass
class Chains:
    """What NUTS has drawn: `eps` (chains, draws, dim); of every transition whether it diverged, and its leapfrog steps (chains,
    draws)."""

    eps: np.ndarray
    diverging: np.ndarray
    steps: np.ndarray
    interrupted: bool = False

    @property
    def divergences(self) -> int:
        return int(self.diverging.sum())

    def __add__(self, other: Chains) -> Chains:
        return Chains(
            np.concatenate([self.eps, other.eps], axis=1),
            np.concatenate([self.diverging, other.diverging], axis=1),
            np.concatenate([self.steps, other.steps], axis=1),
            self.interrupted or other.interrupted,
        )


@dataclass
class Nuts:
    """Chains of one guide at fixed parameters, side by side in one compiled program. To be used in double precision."""

    guide: Guide
    params: Tree
    seed: int = 0
    warmup: int = WARMUP
    accept: float = ACCEPT[0]
    report: Report = lambda *_: None
    states: Any = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.dim = self.guide.weight_dim
        self._init, self._step = hmc(potential_fn_gen=self._potential, algo="NUTS")
        self._begin = once(jax.vmap(self._initial, (0, 0, None)))
        self._chunk = often(self._transitions, self.guide.program, self.guide.swept)

    # ------------------------------------------------------------ the density

    def _potential(self, params: Tree, data: Any) -> Callable[[jax.Array], jax.Array]:
        return lambda eps: -(self._log_weight(params, eps, data) + log_normal(eps))

    def _log_weight(self, params: Tree, eps: jax.Array, data: Any) -> jax.Array:
        rest = jnp.zeros(self.guide.dim - self.dim)
        return self.guide.log_weight(params, jnp.concatenate([eps, rest]), data)

    @property
    def _arguments(self) -> tuple[Tree, Any]:
        return self.params, self.guide.data

    # ------------------------------------------------------------ chains

    def _initial(self, key: jax.Array, eps: jax.Array, arguments: tuple[Tree, Any]) -> Any:
        how = {"target_accept_prob": self.accept, "trajectory_length": None, "model_args": arguments}
        return self._init(eps, self.warmup, step_size=0.5, rng_key=key, **how)

    def _transitions(self, states: Any, arguments: tuple[Tree, Any]) -> tuple[Any, tuple[jax.Array, ...]]:
        step = jax.vmap(lambda state: self._step(state, arguments))

        def one(states: Any, _: None) -> tuple[Any, tuple[jax.Array, ...]]:
            states = step(states)
            return states, (states.z, states.diverging, states.num_steps)

        return jax.lax.scan(one, states, None, length=CHUNK)

    def _starts(self, key: jax.Array) -> np.ndarray:
        """For every chain a draw of the guide with a finite density, or its centre if there is none."""
        potential = once(lambda eps, arguments: jax.vmap(self._potential(*arguments))(eps))
        points = np.asarray(jax.random.normal(key, (CHAINS * CANDIDATES, self.dim)))
        fine = points[np.isfinite(potential(points, self._arguments))]
        return np.concatenate([fine, np.zeros((CHAINS, self.dim))])[:CHAINS]

    def begin(self) -> None:
        """Start the chains and let them adapt their step size and scales."""
        key, own = jax.random.split(jax.random.key(self.seed))
        self.states = self._begin(jax.random.split(own, CHAINS), self._starts(key), self._arguments)
        for done in range(0, self.warmup, CHUNK):
            self.report(done, self.warmup)
            self.states, _ = jax.block_until_ready(self._chunk(self.states, self._arguments))

    def draw(self, count: int) -> Chains:
        """At least `count` more draws of every chain; what there is so far if interrupted."""
        parts: list[Chains] = []
        try:
            for done in range(0, count, CHUNK):
                self.report(done, count)
                self.states, found = self._chunk(self.states, self._arguments)
                eps, diverging, steps = (np.swapaxes(np.asarray(x), 0, 1) for x in found)
                parts.append(Chains(eps, diverging, steps))
        except KeyboardInterrupt:
            if not parts:
                raise
            parts[-1].interrupted = True
        return _joined(parts)


def _joined(parts: list[Chains]) -> Chains:
    whole = parts[0]
    for part in parts[1:]:
        whole = whole + part
    return whole
