"""Whole programs with data, drawn by Hypothesis: plates, gathers, chains (coupled, of two lags, panels), carried computed
variables, events, truncations, mixtures, observations with and without missing entries, data with gaps that others read."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st


@dataclass
class Generated:
    """A program's text, its data, and the sizes of its dims."""

    text: str
    data: dict[str, np.ndarray]
    sizes: dict[str, int]

    def __repr__(self) -> str:
        data = {k: np.asarray(v).tolist() for k, v in self.data.items()}
        return f"{self.text}\nsizes = {self.sizes}\ndata = {data}"


@dataclass
class _Scope:
    """What may be referred to: real and positive variables with their dims."""

    real: dict[str, tuple[str, ...]] = field(default_factory=dict)
    positive: dict[str, tuple[str, ...]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    count: int = 0

    def fresh(self, letter: str) -> str:
        self.count += 1
        return f"{letter}{self.count}"


SIZES = {"a": 3, "b": 4, "time": 5}
DIM_SETS = ((), ("a",), ("b",), ("a", "b"))
CONSTANTS = ("0.5", "-1", "2", "0.3", "1.5")


@st.composite
def _ref(draw, scope: _Scope, dims: tuple[str, ...], pool: dict[str, tuple[str, ...]]) -> str | None:
    """A variable that aligns with `dims`: by subset of its dims, or gathered from a to b."""
    choices = [n for n, d in pool.items() if set(d) <= set(dims)]
    if "b" in dims:
        choices += [f"{n}[idx]" for n, d in pool.items() if d == ("a",)]
    return draw(st.sampled_from(choices)) if choices else None


@st.composite
def real_expr(draw, scope: _Scope, dims: tuple[str, ...], depth: int = 2) -> str:
    """A real expression over at most `dims`, tame in size."""
    kind = draw(st.integers(0, 7 if depth else 2))
    if kind <= 1:
        return draw(_ref(scope, dims, scope.real)) or draw(st.sampled_from(CONSTANTS))
    if kind == 2:
        return draw(st.sampled_from(CONSTANTS))
    one = draw(real_expr(scope, dims, depth - 1))
    match kind:
        case 3:
            return f"({one} + {draw(real_expr(scope, dims, depth - 1))})"
        case 4:
            return f"{draw(st.sampled_from(CONSTANTS))} * {one}"
        case 5:
            return f"tanh({one})"
        case 6:
            return f"if({one} > 0.1, {draw(real_expr(scope, dims, depth - 1))}, 0.2)"
    inner = draw(real_expr(scope, (*dims, "a"), depth - 1)) if "a" not in dims else one
    return f"sum(0.3 * ({inner}), over = a)" if "a" not in dims and _mentions_a(inner, scope) else f"({one} - 0.5)"


def _mentions_a(text: str, scope: _Scope) -> bool:
    import re

    words = re.findall(r"[a-z]+\d+(?!\d*\[)", text)
    return any("a" in scope.real.get(w, ()) for w in words) and "[idx]" not in text


@st.composite
def positive_expr(draw, scope: _Scope, dims: tuple[str, ...]) -> str:
    """A positive expression over at most `dims`."""
    kind = draw(st.integers(0, 2))
    if kind == 0:
        return draw(st.sampled_from(("0.5", "1", "2.5")))
    if kind == 1:
        name = draw(_ref(scope, dims, scope.positive))
        return f"(0.2 + {name})" if name else "1.3"
    return f"exp(0.5 * tanh({draw(real_expr(scope, dims, 1))}))"


REAL_FAMILIES = (
    "Normal({r}, {p})", "StudentT(5, {r}, {p})", "Cauchy({r}, {p})", "Laplace({r}, {p})", "Logistic({r}, {p})", "Gumbel({r}, {p})",
    "AsymmetricLaplace({r}, {p}, 1.5)",
)  # fmt: skip
POSITIVE_FAMILIES = (
    "LogNormal({r}, {p})", "HalfNormal({p})", "HalfCauchy({p})", "Exponential({p})", "Gamma(2, {p})", "InverseGamma(3, {p})",
    "truncated(Normal({r}, {p}), lower = 0)", "Weibull({p}, 1.5)", "LogLogistic({p}, 2)", "HalfStudentT(4, {p})",
)  # fmt: skip
UNIT_FAMILIES = ("Beta(2, {p})", "Uniform(0, 1)", "truncated(Normal(0.4, {p}), 0, 1)", "Kumaraswamy(2, {p})",
                 "LogitNormal({r}, {p})")  # fmt: skip


@st.composite
def _vector_statement(draw, scope: _Scope) -> None:
    dims = draw(st.sampled_from(DIM_SETS))
    name = scope.fresh("z")
    head = name + (f"[{', '.join(dims)}]" if dims else "")
    family = draw(st.sampled_from((*REAL_FAMILIES, *POSITIVE_FAMILIES, *UNIT_FAMILIES, "narrow", "between", "mixture", "computed")))
    r, p = draw(real_expr(scope, dims)), draw(positive_expr(scope, dims))
    if family == "computed":
        scope.lines.append(f"{head} = {r}")
        scope.real[name] = dims
    elif family == "narrow":
        scope.lines.append(f"{head}: positive ~ Normal(0.5 * tanh({r}), {p})")
        scope.positive[name] = dims
    elif family == "between":
        scope.lines.append(f"{head}: real(-{p}, 2) ~ Normal(0, 1.5)")
        scope.real[name] = dims
    elif family == "mixture":
        scope.lines.append(f"{head} ~ Mixture(weights, Normal(centre + 0.1 * ({r}), {p}))")
        scope.real[name] = dims
    else:
        scope.lines.append(f"{head} ~ " + family.format(r=r, p=p))
        (scope.real if family in REAL_FAMILIES else scope.positive)[name] = dims


@st.composite
def _event_statement(draw, scope: _Scope) -> None:
    name = scope.fresh("e")
    match draw(st.integers(0, 4)):
        case 0:
            scope.lines.append(f"{name}[a] ~ Dirichlet({draw(positive_expr(scope, ()))})")
            scope.positive[name] = ("a",)
        case 1:
            scope.lines.append(f"{name}[b, a] ~ Dirichlet({draw(positive_expr(scope, ('b',)))})")
            scope.positive[name] = ("b", "a")
        case 2:
            scope.lines.append(f"{name}[a]: ordered ~ Normal({draw(real_expr(scope, (), 1))}, {draw(positive_expr(scope, ()))})")
            scope.real[name] = ("a",)
        case 3:
            scope.lines.append(f"{name}[a] ~ MultivariateNormal({draw(real_expr(scope, ('a',), 1))}, covariance_matrix = spread)")
            scope.real[name] = ("a",)
        case 4:
            scope.lines.append(f"{name}[a, a'] ~ LKJCholesky(1.5)")


@st.composite
def _chain(draw, scope: _Scope) -> None:
    x, y = scope.fresh("x"), scope.fresh("x")
    p, r = draw(positive_expr(scope, ())), draw(real_expr(scope, (), 1))
    steps = (
        f"Normal(0.7 * {x}[t-1] + {r}, {p})",
        f"StudentT(4, sin({x}[t-1]), {p})",
        f"Normal({x}[t-1] + w[t], exp(0.2 * {x}[t-1]))",
    )
    step = draw(st.sampled_from(steps))
    match draw(st.integers(0, 8)):
        case 0:
            scope.lines += [f"{x}[0] ~ Normal({r}, {p})", f"for t in time[1:] {{\n  {x}[t] ~ {step}\n}}"]
        case 1:
            scope.lines += [
                f"{x}[0] ~ Normal(0, 1)", f"{y}[0] ~ Normal({r}, 1)",
                f"for t in time[1:] {{\n  {x}[t] ~ Normal({x}[t-1] + 0.2 * {y}[t-1], {p})\n"
                f"  {y}[t] ~ Normal(0.5 * {x}[t] - {y}[t-1], 0.7)\n}}",
            ]  # fmt: skip
            scope.real[y] = ("time",)
        case 2:
            scope.lines += [f"{x}[0] ~ Normal(0, 1)", f"{x}[1] ~ Normal({x}[0], {p})"]
            scope.lines += [f"for t in time[2:] {{\n  {x}[t] ~ Normal(1.1 * {x}[t-1] - 0.3 * {x}[t-2], {p})\n}}"]
        case 3:
            scope.lines += [f"for t in time {{\n  {x}[t] ~ Normal({r} + w[t] * t, {p})\n}}"]
        case 4:
            scope.lines += [f"{x}[0] = {r}", f"for t in time[1:] {{\n  {x}[t] = 0.5 * {x}[t-1] + 0.1 * w[t-1]\n}}"]
        case 5:
            q = draw(positive_expr(scope, ("a",)))
            scope.lines += [
                f"for i in a {{\n  {x}[i, 0] ~ Normal(u[i], 1)\n  for t in time[1:] {{\n    m{x} = 0.6 * {x}[i, t-1] + u[i]\n"
                f"    {x}[i, t] ~ Normal(m{x}, 0.9)\n  }}\n}}",
                f"{y}[a] ~ Normal({x}[a, 2], {q})",
            ]  # fmt: skip
            scope.real[y] = ("a",)
            return
        case 6:
            scope.lines += [
                f"{x}[0]: positive ~ Exponential(1)",
                f"for t in time[1:] {{\n  {x}[t] ~ LogNormal(0.5 * log({x}[t-1]), {p})\n}}",
            ]  # fmt: skip
            scope.positive[x] = ("time",)
            return
        case 7 | 8 as kind:
            joint = f"MultivariateNormal({x}[t-1, a], covariance_matrix = spread)"
            law = f"Normal(0.5 * {x}[t-1, a] + u, {p})" if kind == 7 else joint
            scope.lines += [f"{x}[0, a] ~ Normal({r}, 1)", f"for t in time[1:] {{\n  {x}[t, a] ~ {law}\n}}"]
            scope.real[x] = ("time", "a")
            return
    scope.real[x] = ("time",)


@st.composite
def _observation(draw, scope: _Scope, data: dict, rng: np.random.Generator) -> None:
    name = scope.fresh("y")
    dims = draw(st.sampled_from((("b",), ("a", "b"), ("time",))))
    shape = [SIZES[d] for d in dims]
    r, head = draw(real_expr(scope, dims)), f"{name}[{', '.join(dims)}]"
    match draw(st.integers(0, 10)):
        case 0:
            scope.lines += [f"data {head}: real", f"{head} ~ Normal({r}, {draw(positive_expr(scope, dims))})"]
            data[name] = rng.normal(size=shape)
        case 1:
            scope.lines += [f"data {head}: bool", f"{head} ~ Bernoulli(logits = {r})"]
            data[name] = rng.random(shape) < 0.5
        case 2:
            scope.lines += [f"data {head}: count", f"{head} ~ Poisson(exp(tanh({r})))"]
            data[name] = rng.poisson(2.0, shape)
        case 3:
            scope.lines += [f"data {head}: real?", f"{head} ~ StudentT(6, {r}, 0.8)"]
            data[name] = np.where(rng.random(shape) < 0.4, np.nan, rng.normal(size=shape))
        case 4:
            scope.lines += [f"data {head}: count", f"{head} ~ Binomial(5, inv_logit({r}))"]
            data[name] = rng.integers(0, 6, shape)
        case 5:
            p = draw(positive_expr(scope, dims))
            scope.lines += [f"data {head}: count", f"{head} ~ NegativeBinomial2(exp(tanh({r})), {p})"]
            data[name] = rng.poisson(2.0, shape)
        case 6:
            scope.lines += [f"data {head}: count", f"{head} ~ Geometric(0.1 + 0.8 * inv_logit({r}))"]
            data[name] = rng.poisson(1.0, shape)
        case 7:
            scope.lines += [f"data {head}: index(k)", f"{head} ~ Categorical(logits = centre * tanh({r}))"]
            data[name] = rng.integers(0, 3, shape)
        case 8:
            scope.lines += [f"data {head}: count", f"{head} ~ ZeroInflatedPoisson(0.3, exp(tanh({r})))"]
            data[name] = rng.poisson(1.0, shape)
        case 9:
            p = draw(positive_expr(scope, dims))
            scope.lines += [f"data {head}: count", f"{head} ~ BetaBinomial({p}, exp(tanh({r})), 5)"]
            data[name] = rng.integers(0, 6, shape)
        case 10:
            scope.lines += [f"data {head}: real", f"{head} ~ censored(Normal({r}, 1.3), -0.5, 0.5)"]
            data[name] = np.clip(rng.normal(size=shape), -0.5, 0.5)


@st.composite
def _gappy(draw, scope: _Scope, data: dict, rng: np.random.Generator) -> None:
    """Data with missing entries that later statements read: covariates, series, panels, whole vectors."""
    name = scope.fresh("g")
    r, p = draw(real_expr(scope, ("b",), 1)), draw(positive_expr(scope, ("b",)))
    kind = draw(st.integers(0, 6))
    dims = {3: ("time",), 4: ("time",), 5: ("a", "time"), 6: ("b", "a")}.get(kind, ("b",))
    typed = {1: "positive", 2: "real(-2, 3)", 4: "positive"}.get(kind, "real")
    scope.lines.append(f"data {name}[{', '.join(dims)}]: {typed}?")
    match kind:
        case 0:
            scope.lines.append(f"{name}[b] ~ StudentT(5, {r}, {p})")
        case 1:
            scope.lines.append(f"{name}[b] ~ Gamma(2, {p})")
        case 2:
            scope.lines.append(f"{name}[b] ~ truncated(Normal({r}, {p}), -2, 3)")
        case 3:
            step = f"Normal(0.7 * {name}[t-1] + w[t], 0.8)"
            scope.lines += [f"{name}[0] ~ Normal(0, 1)", f"for t in time[1:] {{\n  {name}[t] ~ {step}\n}}"]
        case 4:
            step = f"LogNormal(0.4 * log({name}[t-1]) - 0.1 * {name}[t-2], 0.8)"
            scope.lines += [f"{name}[time[:2]] ~ Exponential(1)", f"for t in time[2:] {{\n  {name}[t] ~ {step}\n}}"]
        case 5:
            step = f"Logistic(0.7 * {name}[i, t-1] + u[i], 0.8)"
            inner = f"  {name}[i, 0] ~ Normal(u[i], 1)\n  for t in time[1:] {{\n    {name}[i, t] ~ {step}\n  }}"
            scope.lines.append(f"for i in a {{\n{inner}\n}}")
        case 6:
            scope.lines.append(f"{name}[b, a] ~ MultivariateNormal({r}, covariance_matrix = spread)")
    shape = [SIZES[d] for d in dims]
    gone = rng.random(shape[:1] if kind == 6 else shape) < 0.5
    gone.flat[0] = True
    x = rng.normal(size=shape)
    x = {"positive": np.exp(x), "real(-2, 3)": np.tanh(x)}.get(typed, x)
    data[name] = np.where(gone[:, None] if kind == 6 else gone, np.nan, x)
    (scope.positive if typed == "positive" else scope.real)[name] = dims
    y = scope.fresh("y")
    scope.lines += [f"data {y}[{', '.join(dims)}]: real", f"{y}[{', '.join(dims)}] ~ Normal(tanh({name}), 1)"]
    data[y] = rng.normal(size=shape)


@st.composite
def programs(draw, observed: bool | None = None, statements: int = 4, gaps: bool = False) -> Generated:
    """A program that the checker accepts, with data that bind. `observed` forces or forbids observations and factors; with `gaps`
    there are data with missing entries that others read."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    scope = _Scope(real={"u": ("a",), "w": ("time",), "v": ("b",)})
    data: dict[str, np.ndarray] = {
        "u": rng.normal(size=3), "v": rng.normal(size=4), "w": rng.normal(size=5), "idx": rng.integers(0, 3, 4),
        "spread": np.array([[1.0, 0.3, 0.1], [0.3, 0.8, -0.2], [0.1, -0.2, 1.2]]),
        "weights": np.array([0.2, 0.5, 0.3]), "centre": np.array([-2.0, 0.0, 1.5]),
    }  # fmt: skip
    head = [
        "dim a", "dim b", "dim time", "dim k", "data u[a]: real", "data v[b]: real", "data w[time]: real", "data idx[b]: index(a)",
        "data spread[a, a']: cov", "data weights[k]: simplex", "data centre[k]: real",
    ]  # fmt: skip
    for _ in range(draw(st.integers(1, statements))):
        draw(draw(st.sampled_from((_vector_statement, _vector_statement, _event_statement, _chain)))(scope))
    if gaps:
        draw(_gappy(scope, data, rng))
        draw(draw(st.sampled_from((_vector_statement, _chain)))(scope))
    if observed or (observed is None and draw(st.booleans())):
        for _ in range(draw(st.integers(1, 2))):
            draw(_observation(scope, data, rng))
        if draw(st.booleans()):
            scope.lines.append(f"factor -0.1 * square({draw(real_expr(scope, ()))})")
    return Generated("\n".join(head + scope.lines) + "\n", data, {**SIZES, "k": 3})


# ---------------------------------------------------------------- linear-Gaussian programs

SCALES = ("0.5", "1", "2.5", "(0.3 + {d} * {d})")


@st.composite
def linear_expr(draw, scope: _Scope, dims: tuple[str, ...]) -> str:
    """An expression over at most `dims` that is affine in the variables of the scope."""
    data = [name for name, d in (("u", "a"), ("v", "b"), ("w", "time")) if d in dims]
    parts = [draw(st.sampled_from(CONSTANTS))]
    for _ in range(draw(st.integers(0, 2))):
        one = draw(_ref(scope, dims, scope.real))
        factor = draw(st.sampled_from((*CONSTANTS, *data)))
        if one and draw(st.integers(0, 3)):
            parts.append(f"{factor} * {one}")
        elif "a" not in dims and any(d == ("a",) for d in scope.real.values()):
            name = draw(st.sampled_from([n for n, d in scope.real.items() if d == ("a",)]))
            parts.append(draw(st.sampled_from((f"mean({name})", f"u @ {name}", f"sum(0.2 * u * {name}, over = a)"))))
    return " + ".join(parts)


@st.composite
def linear_programs(draw) -> Generated:
    """Programs whose latents are jointly normal with all that is observed, or with its logarithm: plates, gathers, chains of one
    and two lags, panels, vectors, computed variables, missing entries."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    scope = _Scope()
    data = {
        "u": rng.normal(size=3), "v": rng.normal(size=4), "w": rng.normal(size=5), "idx": rng.integers(0, 3, 4),
        "spread": np.array([[1.0, 0.3, 0.1], [0.3, 0.8, -0.2], [0.1, -0.2, 1.2]]),
    }  # fmt: skip
    head = [
        "dim a", "dim b", "dim time", "data u[a]: real", "data v[b]: real", "data w[time]: real", "data idx[b]: index(a)",
        "data spread[a, a']: cov",
    ]  # fmt: skip
    for _ in range(draw(st.integers(1, 3))):
        draw(_linear_statement(scope))
    for n in range(draw(st.integers(1, 2))):
        dims = draw(st.sampled_from((*DIM_SETS, ("time",))))
        draw(_linear_observation(scope, data, rng, f"y{n}", dims))
    return Generated("\n".join(head + scope.lines) + "\n", data, SIZES)


@st.composite
def _linear_scale(draw, dims: tuple[str, ...]) -> str:
    names = [name for name, d in (("u", "a"), ("v", "b"), ("w", "time")) if d in dims]
    return draw(st.sampled_from(SCALES[: 4 if names else 3])).format(d=names[0] if names else "")


@st.composite
def _linear_statement(draw, scope: _Scope) -> None:
    name, kind = scope.fresh("z"), draw(st.integers(0, 7))
    dims = ("time",) if kind >= 4 else draw(st.sampled_from(((), ("a",), ("b",))))
    r, s = draw(linear_expr(scope, dims if kind < 4 else ())), draw(_linear_scale(dims if kind < 4 else ()))
    head = name + (f"[{', '.join(dims)}]" if dims else "")
    match kind:
        case 0 | 1:
            scope.lines.append(f"{head} ~ Normal({r}, {s})")
        case 2:
            scope.lines.append(f"{head} = {r}")
        case 3:
            dims = ("a",)
            scope.lines.append(f"{name}[a] ~ MultivariateNormal({draw(linear_expr(scope, dims))}, covariance_matrix = spread)")
        case 4:
            step = f"Normal(0.7 * {name}[t-1] + {r} + w[t], {s})"
            scope.lines += [f"{name}[0] ~ Normal({r}, {s})", f"for t in time[1:] {{\n  {name}[t] ~ {step}\n}}"]
        case 5:
            step = f"Normal(1.1 * {name}[t-1] - 0.3 * {name}[t-2], {s})"
            scope.lines += [f"{name}[time[:2]] ~ Normal({r}, 1)", f"for t in time[2:] {{\n  {name}[t] ~ {step}\n}}"]
        case 6:
            body = f"  h{name} = 0.6 * {name}[i, t-1] + u[i]\n    {name}[i, t] ~ Normal(h{name}, {s})"
            scope.lines.append(f"for i in a {{\n  {name}[i, 0] ~ Normal({r}, 1)\n  for t in time[1:] {{\n  {body}\n  }}\n}}")
            dims = ("a", "time")
        case 7:
            scope.lines += [f"{name}[0] = {r}", f"for t in time[1:] {{\n  {name}[t] = 0.5 * {name}[t-1] + w[t] * ({r})\n}}"]
    scope.real[name] = dims


@st.composite
def _linear_observation(draw, scope: _Scope, data: dict, rng: np.random.Generator, name: str, dims: tuple[str, ...]) -> None:
    head = name + (f"[{', '.join(dims)}]" if dims else "")
    shape, s = [SIZES[d] for d in dims], draw(_linear_scale(dims))
    kind = draw(st.integers(0, 3))
    r = draw(linear_expr(scope, dims))
    whole = [n for n, d in scope.real.items() if d == dims]
    r = f"{r} + {whole[-1]}" if whole else r  # something latent more often than not
    data[name] = rng.normal(size=shape)
    if kind == 0:
        scope.lines += [f"data {head}: positive", f"{head} ~ LogNormal({r}, {s})"]
        data[name] = np.exp(data[name])
    else:
        scope.lines += [f"data {head}: real?", f"{head} ~ Normal({r}, {s})"]
        data[name] = np.where(rng.random(shape) < 0.3 * (kind == 1), np.nan, data[name])
