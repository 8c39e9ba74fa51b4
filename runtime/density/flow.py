"""A trained density estimator, as users have it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from emfppl.runtime import arguments
from emfppl.runtime.compile import for_long
from emfppl.runtime.density.batches import Samples
from emfppl.runtime.density.samples import Sheet
from emfppl.runtime.density.stack import Stack
from emfppl.runtime.density.training_text import Facts
from emfppl.runtime.precision import precision
from emfppl.runtime.summary import escaped

if TYPE_CHECKING:
    from emfppl.runtime.bind import Binding

BLOCK = 1024  # samples at once
Values = dict[str, np.ndarray]


class Flow:
    """What `Density.fit` gives: a density over the variables of one sample.

    Samples go in as an array (N, …) where there is one variable, as a dict of arrays by name where there are several, and come
    out so. `given` holds what the density is conditioned on, by name.
    """

    def __init__(self, sheet: Sheet, stack: Stack, params: Any, facts: Facts, seen: tuple[Values, Values] | None = None):
        self.sheet, self.stack, self.params_tree, self.facts = sheet, stack, params, facts
        self.seen = seen  # some of the samples of training, and what was given with them; None of an opened flow
        self._functions: dict[str, Any] = {}

    # ------------------------------------------------------------ facts

    @property
    def name(self) -> str:
        """The name of the density block."""
        return self.sheet.spec.name

    @property
    def binding(self) -> Binding:
        return self.stack.binding

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every variable in one sample."""
        return dict(self.stack.event.shapes)

    @property
    def num_params(self) -> int:
        """How many numbers were learned."""
        return self.stack.num_params(self.params_tree)

    @property
    def held_out(self) -> float:
        """Mean log density, in nats, of the samples held out of training."""
        return self.facts.nats

    @property
    def held_out_se(self) -> float:
        """The standard error of `held_out`."""
        return self.facts.nats_se

    @property
    def held_out_bits(self) -> float:
        """`held_out` in bits per dimension, the lower the better."""
        return float(-self.held_out / np.log(2) / self.stack.event.size)

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the training; this is then the best found so far."""
        return self.facts.ended == "interrupted"

    @property
    def seconds(self) -> float:
        """How long the training took, compiling included."""
        return self.facts.seconds

    @property
    def steps(self) -> int:
        """Steps of training, trials of rates included."""
        return self.facts.steps

    @property
    def verdict(self) -> str:
        """How the training ended, and what that means."""
        return self.facts.verdict

    # ------------------------------------------------------------ the density

    def log_prob(self, x: Any, given: Any = None, seed: int = 0) -> Any:
        """log p(x) in nats of many samples (an array), or of one (a float). Whole numbers under `dequantize` get uniform noise from
        `seed`, and this is then a lower bound on the log of their probability, in expectation. Raises `EmfError`."""
        many, one = self._flat(x, given, arguments.seed_of(seed))
        found = self.over("log_prob", many)
        return float(found[0]) if one else found

    def bits_per_dim(self, x: Any, given: Any = None) -> float:
        """−log₂ p(x) over the number of coordinates, a mean over samples."""
        return float(-np.mean(self.log_prob(x, given)) / np.log(2) / self.stack.event.size)

    def to_noise(self, x: Any, given: Any = None) -> np.ndarray:
        """The noise (N, D) that `from_noise` takes to the samples, standard normal if the density is right; (D,) of one sample."""
        many, one = self._flat(x, given, 0)
        found = self.over("to_noise", many)
        return found[0] if one else found

    def from_noise(self, noise: Any, given: Any = None) -> Any:
        """The samples that noise (N, D) or (D,) is taken to."""
        noise = self._noise(noise)
        one = noise.ndim == 1
        beside = self.given_for(given, 1 if one else len(noise))
        found = self.stack.event.rounded(self.over("from_noise", Samples(np.atleast_2d(noise), beside)))
        return self.named(found[0] if one else found)

    def sample(self, num_samples: int = 1000, given: Any = None, seed: int = 0) -> Any:
        """Samples (num_samples, …). `given`: values for each of them, or one for all."""
        num_samples, seed = arguments.whole("num_samples", num_samples, 1), arguments.seed_of(seed)
        noise = np.random.default_rng(seed).normal(size=(num_samples, self.stack.dim))
        found = self.over("from_noise", Samples(noise, self.given_for(given, num_samples)))
        return self.named(self.stack.event.rounded(found))

    def condition(self, known: Any, num_samples: int = 1000, given: Any = None, seed: int = 0) -> Any:
        """Samples whose `known` coordinates have the values given; exact where every layer lets them be held, which its order must
        allow. `known`: an array like one sample with NaN where it is to be drawn; several variables: a dict of these; or, of the
        only variable, a dict from positions (numbers, or tuples of them) to values. Raises `EmfError` E1525."""
        from emfppl.runtime.density.conditioning import condition

        num_samples, seed = arguments.whole("num_samples", num_samples, 1), arguments.seed_of(seed)
        return condition(self, known, num_samples, given, seed)

    # ------------------------------------------------------------ forms of samples

    def _flat(self, x: Any, given: Any, seed: int) -> tuple[Samples, bool]:
        """Samples as vectors, whole numbers spread, and whether it is a single one."""
        one = self._is_one(x)
        if one:
            x = {n: np.asarray(v)[None] for n, v in x.items()} if isinstance(x, Mapping) else np.asarray(x)[None]
            given = {n: np.asarray(v)[None] for n, v in given.items()} if isinstance(given, Mapping) else given
        values, beside = self.sheet.again(self.binding, x, given)
        rng = np.random.default_rng(seed)
        return Samples(spread(self.stack, self.stack.event.flat(values), rng), beside), one

    def _is_one(self, x: Any) -> bool:
        """Whether arrays have the shape of one sample."""
        ranks = {name: len(shape) for name, shape in self.shapes.items()}
        if isinstance(x, Mapping):
            return set(ranks) <= set(x) and all(np.ndim(x[name]) == rank for name, rank in ranks.items())
        if len(ranks) > 1 or hasattr(x, "columns") or isinstance(x, str | Path):
            return False
        return bool(np.ndim(x) == next(iter(ranks.values())))

    def given_for(self, given: Any, count: int) -> Values:
        """What is given with each of `count` samples; one value is for all."""
        ranks = {v.name: len(v.dims) for v in self.sheet.given}
        if isinstance(given, Mapping):
            single = {n for n, v in given.items() if n in ranks and np.ndim(v) == ranks[n]}
            given = {n: np.broadcast_to(np.asarray(v), (count, *np.shape(v))) if n in single else v for n, v in given.items()}
        found = self.sheet.given_again(self.binding, given)
        for name, value in found.items():
            if len(value) != count:
                message = f"`{name}` is given for {len(value)} samples; there are {count}."
                raise arguments.wrong(message, "give one value for all, or one for each")
        return found

    def _noise(self, noise: Any) -> np.ndarray:
        try:
            found = np.asarray(noise, float)
        except (TypeError, ValueError):
            raise arguments.wrong("Noise is an array of numbers.") from None
        if found.ndim not in (1, 2) or found.shape[-1] != self.stack.dim or not np.all(np.isfinite(found)):
            raise arguments.wrong(f"Noise is finite, of shape (N, {self.stack.dim}); this has shape {found.shape}.")
        return found

    def named(self, flat: np.ndarray) -> Any:
        """Samples as users have them."""
        values = self.stack.event.by_name(flat)
        return next(iter(values.values())) if len(values) == 1 else values

    # ------------------------------------------------------------ compiled

    def over(self, name: str, samples: Samples) -> np.ndarray:
        """A method of one sample over many, in blocks of a fixed size, so that few programs are compiled."""
        size = min(BLOCK, 1 << (len(samples) - 1).bit_length())
        out = []
        with precision(self.facts.precision):
            dtype = np.dtype(jax.dtypes.canonicalize_dtype(np.float64))
            for start in range(0, len(samples), size):
                places = np.minimum(np.arange(start, start + size), len(samples) - 1)
                found = self._compiled(name)(self.params_tree, *samples.at(places).as_dtype(dtype).tree())
                out.append(np.asarray(found, np.float64)[: len(samples) - start])
        return np.concatenate(out)

    def _compiled(self, name: str) -> Any:
        if name not in self._functions:
            self._functions[name] = for_long(jax.vmap(getattr(self, f"_{name}_of_one"), (None, 0, 0)))
        return self._functions[name]

    def _log_prob_of_one(self, params: Any, x: jax.Array, given: Any) -> jax.Array:
        return self.stack.log_prob(params, x, given)

    def _to_noise_of_one(self, params: Any, x: jax.Array, given: Any) -> jax.Array:
        return self.stack.inverse(params, x, given)[0]

    def _from_noise_of_one(self, params: Any, u: jax.Array, given: Any) -> jax.Array:
        return self.stack.forward(params, u, given)[0]

    # ------------------------------------------------------------ looking at it

    def gates(self) -> dict[str, Values] | Values:
        """How far the gates of structured layers stayed open, λ from 0 to 1, by variable, over its elements on the real line: 1 is
        the model's own map, at 0 it takes no part. With several such layers by layer, ``walk``, then ``walk 2``."""
        found = self.gates_by_layer
        return next(iter(found.values())) if len(found) == 1 else found

    @cached_property
    def gates_by_layer(self) -> dict[str, Values]:
        """Of every structured layer, from noise to data."""
        with precision(self.facts.precision):
            return _numbered(self.stack.gates(self.params_tree))

    @cached_property
    def params(self) -> dict[str, Any]:
        """The values learned for the `param` variables of models; by layer where there are several."""
        found = self.params_by_layer
        return dict(next(iter(found.values()))) if len(found) == 1 else found

    @cached_property
    def params_by_layer(self) -> dict[str, Values]:
        """Of every structured layer, from noise to data."""
        return _numbered(self.stack.model_params(self.params_tree))

    def summary(self) -> str:
        """Layers, parameters, gates, held-out likelihood, verdict, as a text."""
        from emfppl.runtime.density.flow_text import text_of

        return text_of(self)

    def __str__(self) -> str:
        return self.summary()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{escaped(str(self))}</pre>"

    def plot(self, x: Any = None, num_samples: int = 1000, given: Any = None, seed: int = 0) -> Any:
        """A figure of Matplotlib: samples of the flow against data, by default some of those it was trained on; one- and
        two-dimensional margins, or series where the event runs over one dim with an order."""
        from emfppl.runtime.density.flow_plot import figure_of

        return figure_of(self, x, num_samples, given, seed)

    def save(self, path: str | Path) -> None:
        """Write one file, without pickle, that `emfppl.open` reads; samples are not in it. Raises `EmfError` E1203."""
        from emfppl.runtime.density.flow_store import save_flow

        save_flow(self, path)


def spread(stack: Stack, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Whole numbers of samples (N, E) with uniform noise added, away from the edges by more than float32 can tell."""
    if not stack.event.spread:
        return x
    return x + np.where(stack.event.whole, np.clip(rng.random(x.shape), 1e-4, 1 - 1e-4), 0.0)


def _numbered(found: list[tuple[str, Values]]) -> dict[str, Values]:
    """By name, the second of a name with a number behind it."""
    out: dict[str, Values] = {}
    for title, values in found:
        count = sum(name.split(" ")[0] == title for name in out)
        out[f"{title} {count + 1}" if count else title] = values
    return out
