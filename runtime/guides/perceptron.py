"""Perceptrons with masks: hidden layers of tanh units, the last matrix zero at its start (MADE, Germain et al. 2015)."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np


def degrees(dim: int, widths: tuple[int, ...], seen: int) -> list[np.ndarray]:
    """For each layer of units, inputs first, the highest input (from 1) that each may see."""
    hidden = [1 + np.arange(w) % max(1, min(seen, dim - 1)) for w in widths]
    return [np.arange(1, dim + 1), *hidden]


def masks(dim: int, widths: tuple[int, ...], seen: int, outputs: int = 2) -> list[np.ndarray]:
    """For each matrix (out, in) which entries are free: hidden unit h sees inputs <= its degree, output i hidden units < i; there
    are so many outputs for each coordinate, (outputs, dim) flattened."""
    layers = degrees(dim, widths, seen)
    inner = [b[:, None] >= a[None, :] for a, b in zip(layers, layers[1:], strict=False)]
    last = np.arange(1, dim + 1)[:, None] > layers[-1][None, :]
    return [*inner, np.concatenate([last] * outputs)]


def full(inputs: int, widths: tuple[int, ...], outputs: int) -> list[np.ndarray]:
    """Masks (out, in) that leave all entries free."""
    sizes = [inputs, *widths, outputs]
    return [np.ones((b, a), bool) for a, b in zip(sizes, sizes[1:], strict=False)]


def init(masks: Sequence[np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """``{"weights0", "biases0", …}``: random inside, zero in the last matrix."""
    out: dict[str, np.ndarray] = {}
    for i, mask in enumerate(masks):
        spread = 0.0 if i == len(masks) - 1 else 1.0
        fan_in = np.maximum(mask.sum(1, keepdims=True), 1)
        out[f"weights{i}"] = spread * mask * rng.normal(size=mask.shape) / np.sqrt(fan_in)
        out[f"biases{i}"] = np.zeros(mask.shape[0])
    return out


def apply(masks: Sequence[np.ndarray], params: dict[str, jax.Array], x: jax.Array) -> jax.Array:
    """The outputs, flat."""
    for i, mask in enumerate(masks):
        x = (params[f"weights{i}"] * mask) @ x + params[f"biases{i}"]
        x = jnp.tanh(x) if i < len(masks) - 1 else x
    return x
