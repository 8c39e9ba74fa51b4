"""Laws updated by pseudo-observations: the density times a factor of the family that it is conjugate to, renormalised.

===========================================  ===========================  =====================================
law                                          factor                       learned as
===========================================  ===========================  =====================================
Normal, LogNormal, LogitNormal               exp(a y − ½ b y²)            a = w m, b = w
Gamma, Exponential, Chi2                     x^a exp(−b x)                a = w, b = w exp(−m)
InverseGamma                                 x^(−a) exp(−b / x)           a = w, b = w exp(m)
Beta, BetaProportion, Uniform from 0 to 1    x^a (1 − x)^b                a = w σ(m), b = w σ(−m)
Dirichlet                                    Π x_k^(a_k)                  a_k = exp(l_k)
MultivariateNormal                           Π exp(a_i x_i − ½ b_i x_i²)  a_i = w_i m_i, b_i = w_i
===========================================  ===========================  =====================================

y is the unconstrained coordinate, m (`loc`) a place in it, w = exp(`log_weight`) the weight. For a Normal with location f and
scale g and s² = 1 / w the updated law has, with k = g² / (g² + s²), mean (1 − k) f + k m and variance g² (1 − k).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp

from emfppl.compiler import graph as g
from emfppl.compiler.expressions import Const
from emfppl.runtime.bijections.multivariate_normal import factor_of_inverse, scale_tril

Args = Mapping[str, Any]
Parts = Mapping[str, Any]
LEAST = 0.01  # of what a start wants to add: counts are not below it


class Family(ABC):
    """Laws of a kind, with arguments in one form; all methods are elementwise, and broadcast."""

    law: str  # the distribution that the updated law is

    @abstractmethod
    def updated(self, args: Args, parts: Parts) -> dict[str, Any]:
        """The arguments of `law`, updated by the natural parameters of a factor."""

    @abstractmethod
    def parts(self, learned: Parts) -> dict[str, Any]:
        """The natural parameters (`a` and `b`) of what is learned."""

    @abstractmethod
    def placed(self, args: Args, x: Any, ratio: Any) -> dict[str, Any]:
        """What is learned, such that the pseudo-observations weigh `ratio` times the law itself, and centre it at x."""

    @abstractmethod
    def kept(self, args: Args, parts: Parts) -> Any:
        """The share of the law itself in the updated law, from 0 to 1."""


class Scalar(Family):
    """Of one number: in the unconstrained coordinate the logarithm of a factor has slope a `features`[0] + b `features`[1]."""

    @abstractmethod
    def features(self, x: Any) -> tuple[Any, Any]:
        """What multiplies a and b in that slope."""

    @abstractmethod
    def stretch(self, x: Any) -> Any:
        """dx / dy."""


def _learned(loc: Any, weight: Any) -> dict[str, Any]:
    return {"loc": loc, "log_weight": jnp.log(weight)}


class Gaussian(Scalar):
    """T⁻¹(x) ~ N(loc, scale²)."""

    def __init__(self, law: str, coordinate: Callable[[Any], Any], stretch: Callable[[Any], Any]):
        self.law, self.coordinate, self._stretch = law, coordinate, stretch

    def updated(self, args: Args, parts: Parts) -> dict[str, Any]:
        variance = args["scale"] ** 2
        shrink = 1 + variance * parts["b"]
        return {"loc": (args["loc"] + variance * parts["a"]) / shrink, "scale": args["scale"] / jnp.sqrt(shrink)}

    def parts(self, learned: Parts) -> dict[str, Any]:
        weight = jnp.exp(learned["log_weight"])
        return {"a": weight * learned["loc"], "b": weight}

    def placed(self, args: Args, x: Any, ratio: Any) -> dict[str, Any]:
        y = self.coordinate(x)
        return _learned(y + (y - args["loc"]) / ratio, ratio / args["scale"] ** 2)

    def kept(self, args: Args, parts: Parts) -> Any:
        return 1 / (1 + args["scale"] ** 2 * parts["b"])

    def features(self, x: Any) -> tuple[Any, Any]:
        return jnp.ones_like(x), -self.coordinate(x)

    def stretch(self, x: Any) -> Any:
        return self._stretch(x)


class Gamma(Scalar):
    """x ~ Gamma(concentration, rate)."""

    law = "Gamma"

    def updated(self, args: Args, parts: Parts) -> dict[str, Any]:
        return {"concentration": args["concentration"] + parts["a"], "rate": args["rate"] + parts["b"]}

    def parts(self, learned: Parts) -> dict[str, Any]:
        weight = jnp.exp(learned["log_weight"])
        return {"a": weight, "b": weight * jnp.exp(-learned["loc"])}

    def placed(self, args: Args, x: Any, ratio: Any) -> dict[str, Any]:
        a = ratio * args["concentration"]
        b = jnp.maximum((args["concentration"] + a) / x - args["rate"], LEAST * ratio * args["rate"])
        return _learned(jnp.log(a) - jnp.log(b), a)

    def kept(self, args: Args, parts: Parts) -> Any:
        return args["concentration"] / (args["concentration"] + parts["a"])

    def features(self, x: Any) -> tuple[Any, Any]:
        return jnp.ones_like(x), -x

    def stretch(self, x: Any) -> Any:
        return x


class InverseGamma(Gamma):
    """1 / x ~ Gamma(concentration, rate)."""

    law = "InverseGamma"

    def parts(self, learned: Parts) -> dict[str, Any]:
        return super().parts({**learned, "loc": -learned["loc"]})

    def placed(self, args: Args, x: Any, ratio: Any) -> dict[str, Any]:
        learned = super().placed(args, 1 / x, ratio)
        return {**learned, "loc": -learned["loc"]}

    def features(self, x: Any) -> tuple[Any, Any]:
        return -jnp.ones_like(x), 1 / x


class Beta(Scalar):
    """x ~ Beta(concentration1, concentration0)."""

    law = "Beta"

    def updated(self, args: Args, parts: Parts) -> dict[str, Any]:
        return {
            "concentration1": args["concentration1"] + parts["a"],
            "concentration0": args["concentration0"] + parts["b"],
        }

    def parts(self, learned: Parts) -> dict[str, Any]:
        weight = jnp.exp(learned["log_weight"])
        return {"a": weight * jax.nn.sigmoid(learned["loc"]), "b": weight * jax.nn.sigmoid(-learned["loc"])}

    def placed(self, args: Args, x: Any, ratio: Any) -> dict[str, Any]:
        own = args["concentration1"] + args["concentration0"]
        a = jnp.maximum((1 + ratio) * own * x - args["concentration1"], LEAST * ratio * own)
        b = jnp.maximum((1 + ratio) * own * (1 - x) - args["concentration0"], LEAST * ratio * own)
        return _learned(jnp.log(a) - jnp.log(b), a + b)

    def kept(self, args: Args, parts: Parts) -> Any:
        own = args["concentration1"] + args["concentration0"]
        return own / (own + parts["a"] + parts["b"])

    def features(self, x: Any) -> tuple[Any, Any]:
        return 1 - x, -x

    def stretch(self, x: Any) -> Any:
        return x * (1 - x)


class Dirichlet(Family):
    """x ~ Dirichlet(concentration), along the last axis."""

    law = "Dirichlet"

    def updated(self, args: Args, parts: Parts) -> dict[str, Any]:
        return {"concentration": args["concentration"] + parts["a"]}

    def parts(self, learned: Parts) -> dict[str, Any]:
        return {"a": jnp.exp(learned["log_counts"])}

    def placed(self, args: Args, x: Any, ratio: Any) -> dict[str, Any]:
        own = jnp.broadcast_to(args["concentration"], x.shape)
        ratio = jnp.mean(jnp.asarray(ratio), axis=-1, keepdims=True)
        wanted = (1 + ratio) * jnp.sum(own, axis=-1, keepdims=True) * x - own
        return {"log_counts": jnp.log(jnp.maximum(wanted, LEAST * ratio * own))}

    def kept(self, args: Args, parts: Parts) -> Any:
        own = jnp.broadcast_to(args["concentration"], jnp.shape(parts["a"]))
        share = jnp.sum(own, axis=-1) / jnp.sum(own + parts["a"], axis=-1)
        return jnp.broadcast_to(share[..., None], own[..., 1:].shape)


class MultivariateNormal(Family):
    """x ~ N(loc, L Lᵀ); with A = I + Lᵀ diag(b) L and M Mᵀ = A⁻¹ the updated factor is L M."""

    law = "MultivariateNormal"

    def updated(self, args: Args, parts: Parts) -> dict[str, Any]:
        own = scale_tril(args)
        own = jnp.broadcast_to(own, (*jnp.shape(parts["b"]), own.shape[-1]))
        inner = jnp.eye(own.shape[-1], dtype=own.dtype) + jnp.einsum("...ki,...k,...kj->...ij", own, parts["b"], own)
        factor = own @ factor_of_inverse(inner)
        pull = parts["a"] - parts["b"] * args["loc"]
        moved = jnp.einsum("...ij,...kj,...k->...i", factor, factor, pull)
        return {"loc": args["loc"] + moved, "scale_tril": factor}

    def parts(self, learned: Parts) -> dict[str, Any]:
        weight = jnp.exp(learned["log_weight"])
        return {"a": weight * learned["loc"], "b": weight}

    def placed(self, args: Args, x: Any, ratio: Any) -> dict[str, Any]:
        own = scale_tril(args)
        own = jnp.broadcast_to(own, (*jnp.shape(x), own.shape[-1]))
        weight = ratio / jnp.sum(own**2, axis=-1)
        back = jax.scipy.linalg.cho_solve((own, True), (x - args["loc"])[..., None])[..., 0]
        return _learned(x + back / weight, weight)

    def kept(self, args: Args, parts: Parts) -> Any:
        return 1 / (1 + jnp.sum(scale_tril(args) ** 2, axis=-1) * parts["b"])


_NORMAL = Gaussian("Normal", lambda x: x, jnp.ones_like)
_GAMMA, _INVERSE, _BETA = Gamma(), InverseGamma(), Beta()
_Entry = tuple[Family, Callable[[Args], Args]]

FAMILIES: Mapping[str, _Entry] = MappingProxyType(
    {
        "Normal": (_NORMAL, dict),
        "LogNormal": (Gaussian("LogNormal", jnp.log, lambda x: x), dict),
        "LogitNormal": (Gaussian("LogitNormal", lambda x: jnp.log(x) - jnp.log1p(-x), lambda x: x * (1 - x)), dict),
        "Gamma": (_GAMMA, dict),
        "Exponential": (_GAMMA, lambda a: {"concentration": jnp.ones_like(a["rate"]), "rate": a["rate"]}),
        "Chi2": (_GAMMA, lambda a: {"concentration": 0.5 * a["df"], "rate": jnp.full_like(a["df"], 0.5)}),
        "InverseGamma": (_INVERSE, dict),
        "Beta": (_BETA, dict),
        "Uniform": (_BETA, lambda a: {"concentration1": jnp.ones_like(a["low"]), "concentration0": jnp.ones_like(a["low"])}),
        "BetaProportion": (_BETA, lambda a: {"concentration1": a["mean"] * a["concentration"],
                                             "concentration0": (1 - a["mean"]) * a["concentration"]}),
        "Dirichlet": (Dirichlet(), dict),
        "MultivariateNormal": (MultivariateNormal(), dict),
    }
)  # fmt: skip
"""By distribution: the family, and its arguments from those of the distribution."""

STRUCTURED = {"Dirichlet": "simplex", "MultivariateNormal": "real_vector"}


def family_of(node: g.RandomNode) -> Family | None:
    """The family of a node's law; None where there is none that is conjugate to it."""
    name = node.dist.name
    if name not in FAMILIES or (name == "Uniform" and not _unit(node.dist)):
        return None
    if isinstance(node.support, g.Structured):
        fits = STRUCTURED.get(name) == node.support.name and not node.narrowed
    else:
        fits = name not in STRUCTURED
    return FAMILIES[name][0] if fits else None


def is_geometric(node: g.RandomNode) -> bool:
    """Whether a node is an affine map of normal noise in its unconstrained coordinate, element by element."""
    return isinstance(family_of(node), Gaussian) and not node.narrowed


def _unit(dist: g.Dist) -> bool:
    """Whether a Uniform runs from 0 to 1."""
    given = dict(dist.args)
    low, high = given.get("low"), given.get("high")
    return (low is None or _is(low, 0.0)) and (high is None or _is(high, 1.0))


def _is(value: object, number: float) -> bool:
    return isinstance(value, Const) and float(value.value) == number
