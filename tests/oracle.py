"""An independent reading of a checked program: element by element, in Python and SciPy, loops as loops.

It shares no code with the graph, the passes or the runtime; the laws compare them against it. Slow and plain on purpose.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np
from scipy import integrate, optimize, special, stats

from emfppl.compiler import checked_nodes as c
from emfppl.compiler import expressions as x
from emfppl.compiler.graph import Dist, Integers, Interval, Role, Structured

ELEMENTWISE = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b,
    "//": lambda a, b: a // b, "%": lambda a, b: a % b, "**": lambda a, b: a**b, "neg": lambda a: -a,
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "and": lambda a, b: a and b, "or": lambda a, b: a or b,
    "not": lambda a: not a, "exp": math.exp, "log": math.log, "sqrt": math.sqrt, "tanh": math.tanh, "sin": math.sin,
    "cos": math.cos, "abs": abs, "log1p": math.log1p, "inv_logit": special.expit, "sigmoid": special.expit,
    "softplus": lambda a: np.logaddexp(0, a), "square": lambda a: a * a, "logit": special.logit, "expm1": math.expm1,
    "minimum": min, "maximum": max,
}  # fmt: skip
REDUCE = {
    "sum": np.sum, "mean": np.mean, "min": np.min, "max": np.max, "prod": np.prod, "logsumexp": special.logsumexp,
    "sd": lambda v: np.std(v, ddof=1),
}  # fmt: skip


class Of:
    """A law of one number by its distribution function and density, for what SciPy has not."""

    dist = stats.norm
    support = staticmethod(lambda: (-np.inf, np.inf))

    def logpdf(self, x):
        with np.errstate(divide="ignore", invalid="ignore"):
            low, high = self.support()
            return np.where((x > low) & (x < high), self._logpdf(np.clip(x, low, high)), -np.inf)


class HalfT(Of):
    support = staticmethod(lambda: (0.0, np.inf))

    def __init__(self, df, scale):
        self.t = stats.t(df, 0, scale)

    def _logpdf(self, x):
        return np.log(2) + self.t.logpdf(x)

    def cdf(self, x):
        return np.where(np.asarray(x) > 0, 1 - 2 * self.t.sf(x), 0.0)

    def ppf(self, p):
        return self.t.isf((1 - np.asarray(p)) / 2)


class Kumaraswamy(Of):
    support = staticmethod(lambda: (0.0, 1.0))

    def __init__(self, a, b):
        self.a, self.b = a, b

    def _logpdf(self, x):
        return np.log(self.a * self.b) + (self.a - 1) * np.log(x) + (self.b - 1) * np.log1p(-(x**self.a))

    def cdf(self, x):
        return 1 - (1 - np.clip(x, 0, 1) ** self.a) ** self.b

    def ppf(self, p):
        return (1 - (1 - p) ** (1 / self.b)) ** (1 / self.a)


class LogitNormal(Of):
    support = staticmethod(lambda: (0.0, 1.0))

    def __init__(self, loc, scale):
        self.normal = stats.norm(loc, scale)

    def _logpdf(self, x):
        return self.normal.logpdf(special.logit(x)) - np.log(x) - np.log1p(-x)

    def cdf(self, x):
        return self.normal.cdf(special.logit(np.clip(x, 0, 1)))

    def ppf(self, p):
        return special.expit(self.normal.ppf(p))


class VonMises(Of):
    """Cut open at ±π; its distribution function by adaptive quadrature."""

    support = staticmethod(lambda: (-np.pi, np.pi))

    def __init__(self, loc, kappa):
        self.loc, self.kappa = loc, kappa

    def _logpdf(self, x):
        return self.kappa * (np.cos(x - self.loc) - 1) - np.log(2 * np.pi * special.i0e(self.kappa))

    def cdf(self, x):
        top = float(np.clip(x, -np.pi, np.pi))
        return integrate.quad(lambda t: np.exp(self._logpdf(t)), -np.pi, top, epsabs=1e-13, epsrel=1e-13, limit=200)[0]

    def ppf(self, p):
        root = lambda q: optimize.brentq(lambda t: self.cdf(t) - q, -np.pi, np.pi, xtol=1e-14, rtol=1e-14)  # noqa: E731
        return np.array([root(q) for q in np.ravel(p)]).reshape(np.shape(p))


class ZeroInflated:
    dist = stats.poisson

    def __init__(self, base, gate):
        self.base, self.gate = base, gate

    def pmf(self, x):
        return (1 - self.gate) * self.base.pmf(x) + self.gate * (np.asarray(x) == 0)

    def logpmf(self, x):
        with np.errstate(divide="ignore"):
            return np.log(self.pmf(x))

    def cdf(self, x):
        return np.where(np.asarray(x) >= 0, self.gate + (1 - self.gate) * self.base.cdf(x), 0.0)


def _frozen(a: dict) -> object:
    """The SciPy distribution of one element, by our names and arguments."""
    name = a.pop("name")
    g = a.get
    match name:
        case "Normal":
            return stats.norm(g("loc", 0), g("scale", 1))
        case "LogNormal":
            return stats.lognorm(g("scale", 1), scale=math.exp(g("loc", 0)))
        case "HalfNormal":
            return stats.halfnorm(scale=g("scale", 1))
        case "StudentT":
            return stats.t(g("df"), g("loc", 0), g("scale", 1))
        case "Cauchy":
            return stats.cauchy(g("loc", 0), g("scale", 1))
        case "HalfCauchy":
            return stats.halfcauchy(scale=g("scale", 1))
        case "Laplace":
            return stats.laplace(g("loc", 0), g("scale", 1))
        case "Logistic":
            return stats.logistic(g("loc", 0), g("scale", 1))
        case "Gumbel":
            return stats.gumbel_r(g("loc", 0), g("scale", 1))
        case "Exponential":
            return stats.expon(scale=1 / g("rate", 1))
        case "Gamma":
            return stats.gamma(g("concentration"), scale=1 / g("rate", 1))
        case "InverseGamma":
            return stats.invgamma(g("concentration"), scale=g("rate", 1))
        case "Beta":
            return stats.beta(g("concentration1"), g("concentration0"))
        case "Chi2":
            return stats.chi2(g("df"))
        case "Weibull":
            return stats.weibull_min(g("concentration"), scale=g("scale"))
        case "Frechet":
            return stats.invweibull(g("concentration"), scale=g("scale"))
        case "LogLogistic":
            return stats.fisk(g("concentration"), scale=g("scale"))
        case "Gompertz":
            return stats.gompertz(g("concentration"), scale=1 / g("rate", 1))
        case "Pareto":
            return stats.pareto(g("alpha"), scale=g("scale"))
        case "AsymmetricLaplace":
            return stats.laplace_asymmetric(g("asymmetry", 1), g("loc", 0), g("scale", 1))
        case "VonMises":
            return VonMises(g("loc"), g("concentration"))
        case "HalfStudentT":
            return HalfT(g("df"), g("scale", 1))
        case "Kumaraswamy":
            return Kumaraswamy(g("concentration1"), g("concentration0"))
        case "BetaProportion":
            return stats.beta(g("mean") * g("concentration"), (1 - g("mean")) * g("concentration"))
        case "LogitNormal":
            return LogitNormal(g("loc", 0), g("scale", 1))
        case "LogUniform":
            return stats.loguniform(g("low"), g("high"))
        case "Uniform":
            return stats.uniform(g("low", 0), g("high", 1) - g("low", 0))
        case "Bernoulli":
            return stats.bernoulli(float(g("probs")) if "probs" in a else special.expit(g("logits")))
        case "Binomial":
            return stats.binom(g("total_count"), g("probs") if "probs" in a else special.expit(g("logits")))
        case "Poisson":
            return stats.poisson(g("rate", 1))
        case "Geometric":
            return stats.geom(g("probs") if "probs" in a else special.expit(g("logits")), loc=-1)
        case "NegativeBinomial2":
            k, m = g("concentration"), g("mean")
            return stats.nbinom(k, k / (k + m))
        case "NegativeBinomial":
            return stats.nbinom(g("total_count"), 1 - g("probs") if "probs" in a else special.expit(-g("logits")))
        case "BetaBinomial":
            return stats.betabinom(g("total_count"), g("concentration1"), g("concentration0"))
        case "DiscreteUniform":
            return stats.randint(g("low"), g("high") + 1)
        case "ZeroInflatedPoisson":
            return ZeroInflated(stats.poisson(g("rate", 1)), g("gate"))
        case "ZeroInflatedNegativeBinomial2":
            k, m = g("concentration"), g("mean")
            return ZeroInflated(stats.nbinom(k, k / (k + m)), g("gate") if "gate" in a else special.expit(g("gate_logits")))
    raise KeyError(name)


class Oracle:
    """A checked program with data: `log_joint(values)` by brute force.

    values: every latent, as arrays in dims order; of data with missing entries too where these are latent.
    """

    def __init__(self, checked: c.CheckedProgram, sizes: dict[str, int], data: dict[str, np.ndarray]):
        self.checked, self.sizes, self.data = checked, sizes, data
        self.variables = {v.name: v for v in checked.variables}

    def log_joint(self, values: dict[str, np.ndarray], seen: bool = True) -> float:
        """The log density of everything; without what was `seen`, that of latents and missing entries alone."""
        self.seen = seen
        self.values = {k: np.asarray(v, float) for k, v in values.items()}
        self.values |= {k: self._completed(k, np.asarray(v)) for k, v in self.data.items()}
        for v in self.checked.variables:
            if v.role is Role.COMPUTED:
                self.values[v.name] = np.full([self.sizes[d.rstrip("'")] for d in v.dims], np.nan)
        self.total = 0.0
        for statement in self.checked.statements:
            self._run(statement, {})
        return float(self.total)

    def _completed(self, name: str, data: np.ndarray) -> np.ndarray:
        """Data with the missing entries that are given."""
        return np.where(np.isnan(data), self.values[name], data) if name in self.values else data

    # ------------------------------------------------------------ statements

    def _run(self, s: c.CheckedStatement, loops: dict[str, int]) -> None:
        match s:
            case c.CheckedFor():
                for i in range(s.lower.evaluate(self.sizes), s.upper.evaluate(self.sizes)):
                    for inner in s.body:
                        self._run(inner, {**loops, s.label: i})
            case c.CheckedAssign():
                for place, point in self._places(s.target, loops, 0):
                    self.values[s.target.name][place] = self._eval(s.value, loops, point)
            case c.CheckedFactor() if self.seen:
                for point in self._points(s.value.type.axes):
                    self.total += self._eval(s.value, loops, point)
            case c.CheckedRandom():
                rank = len(s.dist.event) or (s.support.event_rank if isinstance(s.support, Structured) else 0)
                for place, point in self._places(s.target, loops, rank):
                    if s.observed and not self.seen and not np.isnan(self.data[s.target.name][place]).any():
                        continue
                    self.total += self._log_prob(s, self.values[s.target.name][place], loops, point)

    def _places(self, target, loops, event_rank):
        """Array places of a target and the point each stands for; event axes stay whole."""
        axes = [(n, i.axis) for n, i in enumerate(target.indices) if isinstance(i, x.Whole)]
        batch = axes[: len(axes) - event_rank]
        for point in self._points([axis for _, axis in batch]):
            place: list = []
            for n, index in enumerate(target.indices):
                if isinstance(index, x.At):
                    place.append(self._position(index, loops))
                elif (n, index.axis) in batch:
                    place.append(index.axis.lower.evaluate(self.sizes) + point[index.axis.label])
                else:
                    place.append(slice(None))
            yield tuple(place), point

    def _points(self, axes):
        ranges = [range(self._length(a)) for a in axes]
        for combination in product(*ranges):
            yield dict(zip([a.label for a in axes], combination, strict=True))

    def _length(self, axis: x.Axis) -> int:
        return axis.length.evaluate(self.sizes)

    # ------------------------------------------------------------ densities

    def _log_prob(self, s: c.CheckedRandom, value, loops, point) -> float:
        if isinstance(value, float) and np.isnan(value):
            return 0.0  # a missing entry
        if s.dist.event or isinstance(s.support, Structured):
            return self._event_log_prob(s, value, loops, point)
        if s.dist.name == "Flat":
            return 0.0
        out = self._scalar_log_prob(s.dist, value, loops, point)
        if s.narrowed and isinstance(s.support, Interval):
            lower = -np.inf if s.support.lower is None else self._eval(s.support.lower, loops, point)
            upper = np.inf if s.support.upper is None else self._eval(s.support.upper, loops, point)
            out -= np.log(self._cdf(s.dist, upper, loops, point) - self._cdf(s.dist, lower, loops, point))
        if s.narrowed and isinstance(s.support, Integers):
            inside = range(*(int(self._eval(b, loops, point)) + n for n, b in enumerate((s.support.lower, s.support.upper))))
            out -= special.logsumexp([self._scalar_log_prob(s.dist, n, loops, point) for n in inside])
        return out

    def _args(self, dist: Dist, loops, point) -> dict:
        return {"name": dist.name} | {k: self._eval(e, loops, point) for k, e in dist.args}

    def _scalar_log_prob(self, dist: Dist, value, loops, point) -> float:
        args = dict(dist.args)
        match dist.name:
            case "Mixture":
                return special.logsumexp([
                    np.log(w) + self._scalar_log_prob(args["component"], value, loops, p)
                    for w, p in self._components(dist, loops, point)
                ])  # fmt: skip
            case "censored":
                lower = self._eval(args["lower"], loops, point) if "lower" in args else -np.inf
                upper = self._eval(args["upper"], loops, point) if "upper" in args else np.inf
                if lower < value < upper:
                    return self._scalar_log_prob(args["base"], value, loops, point)
                below = self._cdf(args["base"], lower if value <= lower else upper, loops, point)
                return float(np.log(below if value <= lower else 1 - below))
            case "truncated":
                lower = self._eval(args["lower"], loops, point) if "lower" in args else -np.inf
                upper = self._eval(args["upper"], loops, point) if "upper" in args else np.inf
                mass = self._cdf(args["base"], upper, loops, point) - self._cdf(args["base"], lower, loops, point)
                return self._scalar_log_prob(args["base"], value, loops, point) - np.log(mass)
            case "Categorical":
                k = self._vector(dict(dist.args), dist.over, loops, point)
                p = k["probs"] if "probs" in k else special.softmax(k["logits"])
                return float(np.log(p[int(value)] / np.sum(p)))
        frozen = _frozen(self._args(dist, loops, point))
        return float(frozen.logpmf(value) if hasattr(frozen.dist, "pmf") else frozen.logpdf(value))

    def _components(self, dist: Dist, loops, point):
        for k in range(self.sizes[dist.over.rstrip("'")]):
            inner = {**point, dist.over: k}
            yield self._eval(dict(dist.args)["weights"], loops, inner), inner

    def _cdf(self, dist: Dist, value, loops, point) -> float:
        if dist.name == "Mixture":
            component = dict(dist.args)["component"]
            return sum(w * self._cdf(component, value, loops, p) for w, p in self._components(dist, loops, point))
        return float(_frozen(self._args(dist, loops, point)).cdf(value))

    def _vector(self, args: dict, label: str, loops, point) -> dict[str, np.ndarray]:
        n = self.sizes[label.rstrip("'")]
        return {k: np.array([self._eval(e, loops, {**point, label: i}) for i in range(n)]) for k, e in args.items()}

    def _event_log_prob(self, s: c.CheckedRandom, value, loops, point) -> float:
        args, event = dict(s.dist.args), s.dist.event
        match s.dist.name:
            case "Flat":
                return 0.0
            case "Dirichlet":
                return stats.dirichlet(self._vector(args, event[-1], loops, point)["concentration"]).logpdf(value / value.sum())
            case "MultivariateNormal":
                return self._mvn(args, value, event, loops, point)
            case "LKJCholesky":
                k = len(value)
                eta = self._eval(args["concentration"], loops, point) if "concentration" in args else 1.0
                powers = k - np.arange(2, k + 1) + 2 * eta - 2
                log_z = sum(
                    0.5 * j * math.log(math.pi) + special.gammaln(eta + (k - 1 - j) / 2) - special.gammaln(eta + (k - 1) / 2)
                    for j in range(1, k)
                )
                return float(np.sum(powers * np.log(np.diag(value)[1:])) - log_z)
        if s.support == Structured("ordered") or s.support == Structured("positive_ordered"):
            label = s.target.indices[-1].axis.label  # type: ignore[union-attr]
            each = [self._scalar_log_prob(s.dist, v, loops, {**point, label: i}) for i, v in enumerate(value)]
            floor = self._cdf(s.dist, 0.0, loops, {**point, label: 0}) if s.support.name == "positive_ordered" else 0.0
            return sum(each) + special.gammaln(len(value) + 1) - len(value) * np.log1p(-floor)
        raise KeyError(s.dist.name)

    def _mvn(self, args, value, event, loops, point) -> float:
        row = event[-1]
        n = len(value)
        loc = [self._eval(args["loc"], loops, {**point, row: i}) if "loc" in args else 0.0 for i in range(n)]
        key = next(k for k in ("covariance_matrix", "precision_matrix", "scale_tril") if k in args)
        labels = [a.label for a in args[key].type.axes][-2:]
        m = np.array([[self._eval(args[key], loops, {**point, labels[0]: i, labels[1]: j}) for j in range(n)] for i in range(n)])
        cov = {"covariance_matrix": lambda: m, "precision_matrix": lambda: np.linalg.inv(m), "scale_tril": lambda: m @ m.T}[key]()
        return float(stats.multivariate_normal(loc, cov).logpdf(value))

    # ------------------------------------------------------------ expressions

    def _position(self, index: x.At, loops) -> int:
        base = 0 if index.loop is None else index.scale * loops[index.loop]
        return base + index.offset.evaluate(self.sizes)

    def _local_point(self, ref, value, loops, point, lets):
        """The point of a local array that a subscripted local name stands for."""
        out = dict(point)
        for axis, index in zip(value.type.axes, ref.indices, strict=False):
            if isinstance(index, x.At):
                out[axis.label] = self._position(index, loops)
            elif isinstance(index, x.Gather):
                out[axis.label] = int(self._eval(index.index, loops, point, lets))
            else:
                out[axis.label] = index.axis.lower.evaluate(self.sizes) + point[index.axis.label]
        return out

    def _eval(self, e: x.Expr, loops, point, lets=None):
        """The value of an expression at one point: relative positions of its axes, absolute ones of the loops."""
        again = lambda inner, p=point: self._eval(inner, loops, p, lets)  # noqa: E731
        match e:
            case x.Const():
                return e.value
            case x.Array():
                out = e.values
                for axis in e.type.axes:
                    out = out[point[axis.label]]
                return out
            case x.Stack():
                return again(e.args[point[e.label]])
            case x.SizeOf():
                return e.size.evaluate(self.sizes)
            case x.LoopVar():
                return loops[e.label]
            case x.Positions():
                return e.scale * loops[e.loop] + e.offset.evaluate(self.sizes) + point[e.axis.label]
            case x.Ref():
                if lets and e.name in lets:
                    value, scope = lets[e.name]
                    return self._eval(value, loops, self._local_point(e, value, loops, point, lets), scope)
                place = []
                for index in e.indices:
                    if isinstance(index, x.At):
                        place.append(self._position(index, loops))
                    elif isinstance(index, x.Gather):
                        place.append(int(again(index.index)))
                    else:
                        place.append(index.axis.lower.evaluate(self.sizes) + point[index.axis.label])
                value = self.values[e.name][tuple(place)].item()
                assert self.variables[e.name].role is not Role.COMPUTED or not np.isnan(value), f"{e.name} read before defined"
                return value
            case x.Apply() if e.op == "if":
                return again(e.args[1]) if again(e.args[0]) else again(e.args[2])
            case x.Apply():
                return ELEMENTWISE[e.op](*map(again, e.args))
            case x.Reduce() if e.op in ("cumsum", "cumprod"):
                (label,) = e.over
                parts = [again(e.arg, {**point, label: i}) for i in range(point[label] + 1)]
                return np.sum(parts) if e.op == "cumsum" else np.prod(parts)
            case x.Reduce():
                axes = [a for a in e.arg.type.axes if a.label in e.over]
                return REDUCE[e.op](np.array([again(e.arg, {**point, **p}) for p in self._points(axes)], float))
            case x.MatMul():
                axis = next(a for a in e.left.type.axes if a.label == e.over)
                return sum(
                    again(e.left, {**point, e.over: i}) * again(e.right, {**point, e.over: i}) for i in range(self._length(axis))
                )
            case x.Relabel():
                back = dict(zip(e.new, e.old, strict=True))
                return again(e.arg, {back.get(k, k): v for k, v in point.items()})
            case x.Let():
                inner = dict(lets or {})
                for name, value in e.bindings:
                    inner[name] = (value, dict(inner))
                return self._eval(e.body, loops, point, inner)
        raise KeyError(type(e).__name__)
