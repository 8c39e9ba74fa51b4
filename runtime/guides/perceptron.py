"""Perceptrons with masks: hidden layers of tanh units, the last matrix zero at its start (MADE, Germain et al. 2015)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

Activation = Callable[[jax.Array], jax.Array]


def earlier(dim: int, seen: int) -> np.ndarray:
    """(dim, dim): whether an input comes before an output, and is among the first `seen`."""
    inputs, outputs = np.arange(dim)[None, :], np.arange(dim)[:, None]
    return (inputs < outputs) & (inputs < seen)


def masks(needs: np.ndarray, widths: tuple[int, ...], outputs: int = 2, context: int = 0) -> list[np.ndarray]:
    """For each matrix (out, in) which entries are free, given what every output may depend on (dim, dim); there are so many outputs
    for each coordinate, (outputs, dim) flattened. After the coordinates come `context` inputs that all may depend on.

    Every hidden unit sees what some coordinate may depend on. A unit, or an output, looks at those units of the layer before that
    see no more than it may. Where what coordinates need is not nested, there are at least as many units as different needs.
    """
    wanted = needs if context else needs[needs.any(axis=1)]
    kinds = np.unique(wanted, axis=0) if wanted.size else np.zeros((1, len(needs)), bool)
    kinds = kinds[np.argsort(kinds.sum(axis=1), kind="stable")]
    nested = all(not (a & ~b).any() for a, b in zip(kinds, kinds[1:], strict=False))
    counts = [w if nested else max(w, len(kinds)) for w in widths]
    units = [kinds[_dealt(w, len(kinds))] for w in counts]
    inner = [_within(before, after, nested, context) for before, after in zip(units, units[1:], strict=False)]
    first = np.concatenate([units[0], np.ones((len(units[0]), context), bool)], axis=1)
    return [first, *inner, np.concatenate([_within(units[-1], needs, nested, context)] * outputs)]


def _dealt(units: int, kinds: int) -> np.ndarray:
    """Which kind each unit is of: all in turns, or where there are too many kinds some from all over."""
    return np.arange(units) % kinds if units >= kinds else np.linspace(0, kinds - 1, units).astype(int)


def _within(before: np.ndarray, after: np.ndarray, nested: bool, context: int) -> np.ndarray:
    """(after, before): whether all that a unit sees may be seen by another; units that see nothing are no use to any."""
    seen, may = before.sum(axis=1), after.sum(axis=1)
    more = lambda: (before[None, :, :] & ~after[:, None, :]).any(axis=2)  # noqa: E731
    fits = seen[None, :] <= may[:, None] if nested else ~more()  # nested: who sees fewer sees less
    return fits & ((seen > 0) | (context > 0))[None, :]


def full(inputs: int, widths: tuple[int, ...], outputs: int) -> list[np.ndarray]:
    """Masks (out, in) that leave all entries free."""
    sizes = [inputs, *widths, outputs]
    return [np.ones((b, a), bool) for a, b in zip(sizes, sizes[1:], strict=False)]


def init(masks: Sequence[np.ndarray], rng: np.random.Generator, biases: float = 0.0) -> dict[str, np.ndarray]:
    """``{"weights0", "biases0", …}``: random inside, zero in the last matrix; hidden biases are spread as wide as `biases`."""
    out: dict[str, np.ndarray] = {}
    for i, mask in enumerate(masks):
        spread = 0.0 if i == len(masks) - 1 else 1.0
        fan_in = np.maximum(mask.sum(1, keepdims=True), 1)
        out[f"weights{i}"] = spread * mask * rng.normal(size=mask.shape) / np.sqrt(fan_in)
        out[f"biases{i}"] = np.zeros(mask.shape[0])
        if biases and spread:
            out[f"biases{i}"] += biases * rng.normal(size=mask.shape[0])
    return out


def apply(
    masks: Sequence[np.ndarray], params: dict[str, jax.Array], x: jax.Array, activation: Activation = jnp.tanh
) -> jax.Array:
    """The outputs, flat."""
    for i, mask in enumerate(masks):
        x = (params[f"weights{i}"] * mask) @ x + params[f"biases{i}"]
        x = activation(x) if i < len(masks) - 1 else x
    return x
